"""How many faults are known in an image, and when its parts end."""

from collections.abc import Callable
from typing import Final, NamedTuple

from kezuri.advisories.database import Database
from kezuri.advisories.lifecycles import Lifecycle, Lifecycles
from kezuri.advisories.matching import match
from kezuri.advisories.values import SEVERITIES, Severity
from kezuri.alternatives.values import Contents, Counts, End
from kezuri.packages.package import Package

_SYSTEM: Final = ("deb", "apk", "rpm")
_NAMES: Final = {"openjdk": "java", "Microsoft.NETCore.App": "dotnet"}
"""What runtimes are called where their lives are listed, where that is not what their records call them."""


class Counted(NamedTuple):
    """The figures; none where they would be no answer: a count of what nobody looked at is not zero. `why` says that,
    or of what some part could not be asked about."""

    counts: Counts | None
    why: str = ""


def counted(
    database: Database, contents: Contents, foreign: Callable[[Package], bool] = lambda package: False
) -> Counted:
    """The faults of an image by what the database has. Each advisory counts once, by the worst severity that it has
    for any package. Packages of the system that are `foreign` did not come from the distribution: its data says
    nothing of them."""
    if not contents.packages:
        return Counted(None, "no record of packages was found in it")
    packages = [each for each in contents.packages if each.ecosystem not in _SYSTEM or not foreign(each)]
    elsewhere = len(contents.packages) - len(packages)
    matched = match(database, packages, contents.distribution)
    lacking = [f"{name} {release}".rstrip() for name, release, _ in matched.uncovered if name != "runtime"]
    strange = [release for name, release, _ in matched.uncovered if name == "runtime"]
    partial, why = bool(lacking or matched.unordered), ""
    if lacking:
        known = bool(contents.distribution.id)
        why = f"the database has no data about {lacking[0]}" if known else "its distribution is not known"
    elif matched.unordered:
        why = f"{len(matched.unordered)} of its packages have versions that cannot be compared"
    elif strange:
        # The same for all tags of a runtime: it does not make one of them look better.
        why = f"the database has no data about {strange[0]} itself"
    elif elsewhere:
        # Mostly what the image is made for, in all of its tags.
        why = f"{elsewhere} of its packages are from elsewhere than the distribution"
    if sum(count for _, _, count in matched.uncovered) + len(matched.unordered) >= len(packages):
        return Counted(None, why)
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
    return Counted(Counts(**numbers, fixable=fixable, exploited=len(exploited), partial=partial), why)


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
