"""How long instructions took in the builds that the journal remembers, and the range in which most runs lie."""

from collections.abc import Sequence

from kezuri.cache.journal import Journal


class Durations:
    """Of the builds of one Dockerfile in one context, whatever their target. They are read when first asked for."""

    def __init__(self, journal: Journal, context: str, dockerfile: str) -> None:
        self._journal = journal
        self._asked = (context, dockerfile)
        self._seconds: dict[tuple[str, str], list[float]] | None = None

    def of(self, kind: str, title: str) -> Sequence[float]:
        """The seconds of each run of the instruction that ended well, the latest first."""
        if self._seconds is None:
            self._seconds = {}
            for heading in self._journal.headings():
                build = self._journal.read(heading) if heading.asked[:2] == self._asked else None
                for step in build.steps if build is not None else ():
                    if step.outcome == "ran":
                        self._seconds.setdefault((step.kind, step.title), []).append(step.seconds)
        return self._seconds.get((kind, title), ())


def spread(seconds: Sequence[float]) -> tuple[float, float]:
    """The range in which the middle half of the runs lies: the first and the third quartile."""
    ordered = sorted(seconds)

    def quantile(share: float) -> float:
        place = (len(ordered) - 1) * share
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

    return quantile(0.25), quantile(0.75)
