"""`kezuri prune`: remove what nobody needs any more."""

from typing import TYPE_CHECKING

from kezuri.cli.consent import agreed
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option
from kezuri.cli.quantities import size
from kezuri.cli.table import FORMAT, check_format, listing
from kezuri.cli.values import duration, memory

if TYPE_CHECKING:
    from kezuri.app.budget import Budget
    from kezuri.upkeep.worth import Candidate

COMMAND = Command(
    "prune",
    "Remove what is not used: cache, layers, images without a name",
    (
        Option(("--all", "-a"), "flag", "Also what a next build could use"),
        Option(
            ("--filter",),
            "repeated",
            "Only some of the cache: until=24h, type=KIND, id=ID, description~=TEXT, shared, inuse",
            "FILTER",
        ),
        Option(("--reserved-space", "--keep-bytes", "--keep-storage"), "text", "Leave this much of the cache", "BYTES"),
        Option(("--max-used-space",), "text", "Remove cache until it takes no more than this", "BYTES"),
        Option(("--min-free-space",), "text", "Remove cache until the disk has this much left", "BYTES"),
        Option(("--dry-run",), "flag", "Say what would go, and why, and remove nothing"),
        Option(("--force", "-f"), "flag", "Do not ask"),
        FORMAT,
        Option(("--verbose",), "flag", "Name everything that goes"),
        Option(("--volumes",), "flag", "Accepted: `kezuri volume prune` removes volumes", ignored=True),
    ),
    aliases=("buildx prune", "builder prune", "system prune"),
    description="With a limit of space, what is worth least for its size goes first: the seconds that it would take\n"
    "to have it again, more if it was used often, less if that was long ago. What a running build needs stays.",
)


_COLUMNS = {"Type": "TYPE", "ID": "ID", "Size": "SIZE"}
_HEADINGS = {**_COLUMNS, "Bytes": "BYTES"}


def execute(invocation: Invocation) -> int:
    """Ask, remove, and say how many bytes that were."""
    from kezuri.app.budget import Budget
    from kezuri.app.prune import prune

    parsed, console = invocation.parsed, invocation.console
    until, filters = read_filters(parsed.all("--filter"))
    budget = Budget(
        *(
            memory(name, parsed.text(name)) if parsed.given(name) else None
            for name in ("--max-used-space", "--min-free-space", "--reserved-space")
        )
    )
    everything = parsed.flag("--all")
    settings, form = invocation.settings, parsed.text("--format")
    if parsed.flag("--dry-run"):
        from kezuri.app.prune import foresee_prune

        candidates = foresee_prune(settings, all=everything, until=until, filters=filters, budget=budget)
        if form:
            _foretell(invocation, candidates)
            return 0
        for line in _reasons(candidates):
            console.say(line)
        console.say(f"Would reclaim: {size(sum(candidate.size for candidate in candidates))}")
        return 0
    check_format(form, _HEADINGS)
    if not parsed.flag("--force") and not agreed(invocation, _what(everything, until, filters, budget)):
        return 1
    if parsed.flag("--verbose") and budget != Budget():
        from kezuri.app.prune import foresee_prune

        for line in _reasons(foresee_prune(settings, all=everything, until=until, filters=filters, budget=budget)):
            console.note(line)
    gone = prune(settings, all=everything, until=until, filters=filters, budget=budget)
    if form:
        rows = [{"Type": g.what, "ID": g.name, "Size": size(g.size), "Bytes": g.size} for g in gone]
        listing(console, form, rows, _COLUMNS, _HEADINGS)
        return 0
    for thing in gone:
        if parsed.flag("--verbose") or thing.what in ("untagged", "deleted"):
            console.say(f"{thing.what.capitalize()}: {thing.name}")
    console.say(f"Total reclaimed space: {size(sum(thing.size for thing in gone))}")
    return 0


def read_filters(texts: tuple[str, ...]) -> tuple[float | None, tuple[str, ...]]:
    """The age that `until` (or `unused-for`) asks for, in seconds, and the other filters."""
    until: float | None = None
    filters: list[str] = []
    for text in texts:
        key, equals, value = text.partition("=")
        if equals and key in ("until", "unused-for"):
            until = duration("--filter until", value)
        else:
            filters.append(text)
    return until, tuple(filters)


def _foretell(invocation: Invocation, candidates: "tuple[Candidate, ...]") -> None:
    """A row for each piece that would go, as `du` has it."""
    from time import time

    from kezuri.cli.pieces import PIECE_COLUMNS, PIECE_HEADINGS, piece_row

    form, now = invocation.parsed.text("--format"), time()
    whole = form != "table"
    rows = [piece_row(piece, c.worth, False, whole, now) for c in candidates for piece in c.pieces]
    listing(invocation.console, form, rows, PIECE_COLUMNS, PIECE_HEADINGS)


def _reasons(candidates: "tuple[Candidate, ...]") -> list[str]:
    """Why each goes, in the order in which they go."""
    from time import time

    from kezuri.cli.quantities import age

    lines = []
    now = time()
    for candidate in candidates:
        first, *others = candidate.pieces
        per_megabyte = candidate.worth / (candidate.size / 1e6) if candidate.size else 0.0
        again = f"{first.use.seconds:.3g} s to have again" if first.kind != "internal" else "nothing needs it"
        uses = f"used {first.use.uses} times" if first.use.uses > 1 else "used once"
        last = age(max(0.0, now - first.use.used)).lower()
        lines.append(
            f"{first.title}: {size(first.size)}, {again}, {uses}, last {last} ago; "
            f"worth {per_megabyte:.3g} s for each MB"
        )
        lines += [f"  and {piece.title}: {size(piece.size)}, which stands on it" for piece in others]
    return lines


def _what(everything: bool, until: float | None, filters: tuple[str, ...], budget: "Budget") -> str:
    limited = any(limit is not None for limit in budget)
    if limited:
        return "cache, the least worth first, until the limit is kept,"
    if filters or until is not None:
        return "the cache that the filters choose"
    return "everything that no build uses now" if everything else "what is not used any more"
