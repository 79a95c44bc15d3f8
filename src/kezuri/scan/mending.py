"""Which version mends several faults at once, where each tells only in which versions it was mended."""

from collections.abc import Sequence
from functools import cmp_to_key
from itertools import takewhile
from re import findall

from kezuri.versions.order import Comparison


def nearest_mending(compare: Comparison, installed: str, faults: Sequence[Sequence[str]]) -> str:
    """The earliest version after the one that is installed that mends every fault; where no one does, the latest that
    mends one. `faults` are for each fault the versions that mend it, one for each line of releases. Unordered for
    versions that cannot be compared."""
    order = cmp_to_key(compare)
    # Hundreds of faults are mended by the same few releases.
    lines = tuple(dict.fromkeys(tuple(fixed) for fixed in faults))
    candidates = sorted({version for fixed in lines for version in fixed}, key=order)
    later = [version for version in candidates if not installed or compare(version, installed) > 0]
    for version in later:
        if all(mends(compare, version, fixed) for fixed in lines):
            return version
    return (later or candidates)[-1]


def mends(compare: Comparison, version: str, fixed: Sequence[str]) -> bool:
    """Whether a version is mended, by the versions that were first to be in their lines of releases. One between two
    of them belongs to the line whose first has more numbers in common with it: `1.21.5` is mended where `1.21.3` and
    `1.22.1` are, `1.22.0` is not."""
    below = [each for each in fixed if compare(each, version) <= 0]
    if not below:
        return False
    above = [each for each in fixed if compare(each, version) > 0]
    return not above or max(_common(version, each) for each in below) > max(_common(version, each) for each in above)


def _common(one: str, other: str) -> int:
    """How many numbers two versions begin with alike."""
    pairs = zip(findall(r"\d+", one), findall(r"\d+", other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: int(pair[0][:99]) == int(pair[1][:99]), pairs))
