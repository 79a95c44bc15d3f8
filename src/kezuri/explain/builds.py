"""Builds of the journal: the one that is asked about, and those that it is compared with."""

from collections.abc import Iterator

from kezuri.cache.journal import Heading, Journal, JournalBuild
from kezuri.diagnostics import KezuriError


def choose(headings: tuple[Heading, ...], number: int, directory: str) -> Heading:
    """The build with this number; with 0 the last one that was made of or in `directory`, else the last one.
    KezuriError when there is none."""
    if not headings:
        raise KezuriError.of("no build is in the journal", hint="`kezuri build` writes down what it does")
    if number:
        for heading in headings:
            if heading.number == number:
                return heading
        numbers = sorted(heading.number for heading in headings)
        raise KezuriError.of(
            f"build {number} is not in the journal", hint=f"there are {', '.join(map(str, numbers[-12:]))}"
        )
    here = [h for h in headings if directory in (h.asked.context, h.asked.directory)]
    return (here or list(headings))[0]


def earlier(journal: Journal, headings: tuple[Heading, ...], chosen: Heading) -> Iterator[JournalBuild]:
    """Earlier builds of the same project, the latest first; then those of other targets of the same Dockerfile."""
    past = [h for h in headings if h.number < chosen.number]
    past.sort(key=lambda h: h.number, reverse=True)
    same = [h for h in past if h.asked.project == chosen.asked.project]
    others = [h for h in past if h.asked[:2] == chosen.asked[:2] and h.asked.project != chosen.asked.project]
    for heading in (*same, *others):
        build = journal.read(heading)
        if build is not None:
            yield build
