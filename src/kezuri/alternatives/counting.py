"""How many faults are known in an image, and when its parts end."""

from typing import Final, NamedTuple

from kezuri.advisories.coordinates import coordinates
from kezuri.advisories.database import Database
from kezuri.advisories.lifecycles import Lifecycle, Lifecycles
from kezuri.advisories.matching import Matched, match
from kezuri.advisories.values import SEVERITIES, Severity
from kezuri.alternatives.values import Contents, Counts, End

_SYSTEM: Final = frozenset(("deb", "apk", "rpm"))
_NAMES: Final = {"openjdk": "java", "Microsoft.NETCore.App": "dotnet"}
"""What runtimes are called where their lives are listed, where that is not what their records call them."""


class Counted(NamedTuple):
    """The figures; none where they would be no answer: a count of what nobody looked at is not zero. `why` says that,
    or of what some part could not be asked about."""

    counts: Counts | None
    why: str = ""


def counted(database: Database, contents: Contents) -> Counted:
    """The faults of an image by what the database has. Each advisory counts once, by the worst severity that it has
    for any package."""
    system = [package for package in contents.packages if package.ecosystem in _SYSTEM]
    if not contents.packages:
        return Counted(None, "no record of packages was found in it")
    if system and all(coordinates(package, contents.distribution) is None for package in system):
        title = contents.distribution.title or contents.distribution.id or "its distribution"
        return Counted(None, f"no data tells of packages of {title}")
    matched = match(database, contents.packages, contents.distribution)
    asked = len(contents.packages) - sum(count for _, _, count in matched.uncovered)
    lacking = [f"{name} {release}".rstrip() for name, release, _ in matched.uncovered if name != "runtime"]
    why = f"the database has no data about {lacking[0]}" if lacking else ""
    if lacking and (asked <= 0 or not contents.runtimes or _unasked_runtimes(contents, matched)):
        return Counted(None, why)
    if matched.unordered and not why:
        why = f"{len(matched.unordered)} of its packages have versions that cannot be compared"
    worst: dict[str, Severity] = {}
    mended: dict[str, bool] = {}
    exploited: set[str] = set()
    for found in matched.matches:
        if found.status not in ("affected", "wont-fix") or found.advisory.kind:
            continue
        key = found.advisory.id
        worst[key] = min(worst.get(key, "unknown"), found.severity, key=SEVERITIES.index)
        mended[key] = mended.get(key, True) and bool(found.fixed)
        if found.signal is not None and found.signal.exploited:
            exploited.add(key)
    numbers = {severity: sum(each == severity for each in worst.values()) for severity in SEVERITIES}
    fixable = sum(mended.values())
    return Counted(Counts(**numbers, fixable=fixable, exploited=len(exploited), partial=bool(why)), why)


def _unasked_runtimes(contents: Contents, matched: Matched) -> bool:
    """Whether none of the runtimes could be asked about either."""
    unknown = sum(count for name, _, count in matched.uncovered if name == "runtime")
    return unknown >= len(contents.runtimes)


def ends(contents: Contents, lives: Lifecycles, day: str) -> tuple[End, ...]:
    """When the distribution and the runtimes of an image end, those that have an end; `day` is today (RFC 3339)."""
    runtimes = contents.runtimes
    found = [
        lives.of_distribution(contents.distribution),
        *(lives.of_runtime(_NAMES.get(package.name, package.name), package.version) for package in runtimes),
    ]
    return tuple(end for end in (_end(life, day) for life in found if life is not None) if end is not None)


def _end(life: Lifecycle, day: str) -> End | None:
    if life.rolling or not life.ends:
        return None
    standing = life.standing(day)
    return End(life.title, life.ends, standing in ("ended", "extended"), life.extended, standing == "ended")
