"""The packages of two images compared: what came, what went, what has another version."""

from typing import NamedTuple

from kezuri.anatomy.values import Anatomy, Owner, OwnerShare
from kezuri.comparison.difference import Origin, PackageChange


class _Kept(NamedTuple):
    """A package as one image has it: its versions, the bytes of its files, and those of them that the base brought."""

    versions: tuple[str, ...]
    size: int
    of_base: int


def package_changes(before: Anatomy, after: Anatomy) -> tuple[PackageChange, ...]:
    """The packages that are not the same, those first that weigh most. A package is one by its ecosystem and name: what
    an image has in several versions is one package with several."""
    old, new = _packages(before), _packages(after)
    based = any(layer.maker.of_base for image in (before, after) for layer in image.layers)
    found = []
    for owner in old.keys() | new.keys():
        was, now = old.get(owner), new.get(owner)
        held = now or was
        assert held is not None
        origin: Origin = "" if not based else "base" if held.of_base * 2 > held.size else "own"
        if was is None:
            assert now is not None
            found.append(PackageChange("new", owner, (), now.versions, 0, now.size, origin))
        elif now is None:
            found.append(PackageChange("gone", owner, was.versions, (), was.size, 0, origin))
        elif was.versions != now.versions:
            found.append(PackageChange("version", owner, was.versions, now.versions, was.size, now.size, origin))
    return tuple(sorted(found, key=lambda each: (-_weight(each), each.owner)))


def count_packages(image: Anatomy, kind: str) -> int:
    """How many packages of a kind an image has; what it has in several versions counts once for each. Those that a
    layer had and a higher one took away are none."""
    return len({owner for owner in image.held if owner.kind == kind})


def _weight(change: PackageChange) -> int:
    return max(change.size_before, change.size_after)


def _packages(image: Anatomy) -> dict[Owner, _Kept]:
    by_name: dict[Owner, list[OwnerShare]] = {}
    shares = {share.owner: share for share in image.owners}
    for owner in image.held:
        share = shares.get(owner) or OwnerShare(owner, 0, 0, 0)
        by_name.setdefault(owner._replace(version=""), []).append(share)
    base = {layer.number for layer in image.layers if layer.maker.of_base}
    return {
        owner: _Kept(
            tuple(sorted({share.owner.version for share in shares})),
            sum(share.size for share in shares),
            sum(size for share in shares for layer, size in share.layers if layer in base),
        )
        for owner, shares in by_name.items()
    }
