"""What is said of a base image and of those that could replace it, in the reader's language."""

from collections.abc import Callable, Iterator

from kezuri.alternatives.values import Advice, Base, Contents, End, Row
from kezuri.cli.phrase import Phrase
from kezuri.cli.quantities import size
from kezuri.cli.screen_text import one_line


def headings(phrase: Phrase) -> tuple[str, ...]:
    """What stands above the columns of the table."""
    return (
        phrase("Base image"),
        phrase("Vulnerabilities"),
        phrase("Severity"),
        phrase("Size"),
        phrase("Made"),
        phrase("Note"),
    )


_DAY = 86_400

Words = Callable[[str], str]
"""Says a whole sentence in the reader's language (`Console.words`)."""


def cells(row: Row, base: Row, phrase: Phrase, now: float) -> tuple[str, ...]:
    """The row's cells, in the order of the headings."""
    counts, contents = row.counts, row.contents
    total = "-" if counts is None else f"{counts.total}+" if counts.partial else str(counts.total)
    severity = severities(row, phrase) if counts is not None else "-"
    weight = size(contents.size) if contents is not None else "-"
    made = age(contents, phrase, now) if contents is not None else "-"
    return one_line(row.name), total, severity, weight, made, "; ".join(notes(row, base, phrase))


def severities(row: Row, phrase: Phrase) -> str:
    """`1 critical, 2 high, 0 medium, 4 low`; those whose severity nobody tells only where there are some."""
    counts = row.counts
    if counts is None:
        return "-"
    text = phrase("{} critical, {} high, {} medium, {} low", counts.critical, counts.high, counts.medium, counts.low)
    return phrase("{}, {} unknown", text, counts.unknown) if counts.unknown else text


def notes(row: Row, base: Row, phrase: Phrase) -> Iterator[str]:
    """What is to be known before an image is taken instead of the base."""
    if row is not base:
        if row.libc and base.libc and row.libc != base.libc:
            yield phrase("{} instead of {}", _libc(row, phrase), _libc(base, phrase))
        if not row.shell and base.shell:
            yield phrase("no shell")
    for end in row.ends:
        if end.over and (row is base or end not in base.ends):
            yield phrase("{} ended {}", one_line(end.title), end.day)
    if row.counts is not None and row.counts.exploited:
        yield phrase("{} known to be exploited", row.counts.exploited)
    if row.also:
        yield phrase("also {}", ", ".join(map(one_line, row.also)))


def age(contents: Contents, phrase: Phrase, now: float) -> str:
    """How long ago an image was made; `-` where it does not say, or says what cannot be."""
    from kezuri.oci.dates import seconds

    made = seconds(contents.created) if contents.created else None
    if made is None or made <= 0:
        return "-"
    days = int((now - made) // _DAY)
    if days < 0:
        return phrase("in the future")
    if days < 2 * 30:
        return phrase("{} days ago", days)
    return phrase("{} months ago", days // 30) if days < 2 * 365 else phrase("{} years ago", days // 365)


def _libc(row: Row, phrase: Phrase) -> str:
    return phrase("no C library") if row.libc == "none" else row.libc


def facts(advice: Advice, phrase: Phrase, words: Words, now: float) -> Iterator[tuple[str, str]]:
    """What is known of the base, as pairs of a word and what it says."""
    base = advice.base
    if base.name:
        yield phrase("Base"), _named(base, phrase)
    else:
        yield phrase("Base"), phrase("not known; the figures are those of the whole image")
    yield phrase("Platform"), advice.platform
    contents = base.row.contents
    if contents is not None:
        if contents.created:
            yield phrase("Made"), phrase("{} ({})", one_line(contents.created), age(contents, phrase, now))
        if contents.digest:
            yield phrase("Digest"), contents.digest
        yield from _parts(contents, base.row.ends, phrase)
    if base.row.absent:
        yield phrase("Contents"), one_line(words(base.row.absent))
    newer = refreshed(base, phrase, words)
    if newer:
        yield phrase("Newer build"), newer
    if base.made is False:
        yield (
            phrase("Tag"),
            phrase("not among the official tags of {}: it is not built any more", advice.catalogue)
            if advice.catalogue
            else phrase("not among the official tags: it is not built any more"),
        )


def _named(base: Base, phrase: Phrase) -> str:
    name = one_line(base.name)
    if base.dockerfile:
        return phrase("{} ({}:{})", name, one_line(base.dockerfile), base.line)
    how = {
        "itself": phrase("the image itself"),
        "recorded": phrase("recorded in the image or in this store"),
        "recognised": phrase("recognised by its layers"),
        "given": phrase("as --base says"),
    }.get(base.how, "")
    return phrase("{} ({})", name, how) if how else name


def _parts(contents: Contents, ends: tuple[End, ...], phrase: Phrase) -> Iterator[tuple[str, str]]:
    """Distribution and runtimes, each with its end."""
    distribution = contents.distribution
    if not ends and (distribution.title or distribution.id):
        yield phrase("Distribution"), one_line(distribution.title or f"{distribution.id} {distribution.version}")
    for end in ends:
        yield one_line(end.title), ended(end, phrase)


def ended(end: End, phrase: Phrase) -> str:
    """`ended 2025-04-30`, and until when others go on."""
    text = phrase("ended {}", end.day) if end.past else phrase("ends {}", end.day)
    return phrase("{}; extended support until {}", text, end.extended) if end.extended > end.day else text


def refreshed(base: Base, phrase: Phrase, words: Words) -> str:
    """Whether there is a newer build of the same tag; empty where that is not asked."""
    if base.refresh == "current":
        return phrase("none: this is what the tag names")
    if base.refresh == "gone":
        return phrase("the registry has no such tag any more")
    newest = base.newest.contents if base.newest is not None else None
    if base.refresh == "newer" and newest is not None:
        name = one_line(base.newest.name if base.newest is not None else "")
        return phrase("{} names another image now, made {} ({})", name, newest.created or "-", newest.digest[:19])
    return phrase("not known: {}", one_line(words(base.why))) if base.why else ""


def advised(advice: Advice, phrase: Phrase) -> Iterator[str]:
    """What to do, in sentences."""
    base = advice.base
    own = base.row.counts
    newer = base.newest.counts if base.newest is not None else None
    if base.refresh == "newer" and own is not None and newer is not None:
        yield phrase("Rebuild with --pull: {} of {} known faults go.", max(0, own.total - newer.total), own.total)
    elif base.refresh == "newer":
        yield phrase("Rebuild with --pull to get the newer build.")
    best = advice.best
    if best is not None and best.counts is not None and own is not None:
        yield phrase(
            "Best: FROM {} has {} known faults, and {} has {}.",
            one_line(best.name),
            best.counts.total,
            one_line(base.row.name),
            own.total,
        )
    elif own is not None and not own.partial and any(row.counts is not None for row in advice.rows):
        yield phrase("None of these has fewer known faults of the worst severities.")


def asked(advice: Advice, phrase: Phrase, words: Words) -> Iterator[str]:
    """Which data the figures are of, and what could not be found out."""
    if advice.no_data:
        yield phrase("Nothing is counted: {}", one_line(words(advice.no_data)))
    if advice.data:
        sets = (f"{one_line(data.name)} {data.date[:10]}".rstrip() for data in advice.data)
        yield phrase("Data: {}", ", ".join(sets))
    if any(row.counts is not None for row in (advice.base.row, *advice.rows)):
        yield phrase(
            "Counted are packages of the distribution and runtimes, each fault once; not those of npm, pip and so on."
        )
    absent = [row for row in advice.rows if row.absent]
    if absent:
        names = ", ".join(one_line(row.name) for row in absent)
        yield phrase("Could not be looked at: {} ({})", names, one_line(words(absent[0].absent)))
    if advice.left_out:
        yield phrase("{} more tags were not looked at: --limit says how many are.", advice.left_out)
    for line in advice.told:
        yield one_line(words(line))
