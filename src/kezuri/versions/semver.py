"""Versions by Semantic Versioning 2.0 (https://semver.org/#spec-item-11), as npm, crates.io and Go have them."""

import re

from kezuri.versions.pieces import Key, Unordered, number

_VERSION = re.compile(
    r"[\s=v]*(?P<major>[0-9]+)(?:\.(?P<minor>[0-9]+)(?:\.(?P<patch>[0-9]+))?)?"
    r"(?:-(?P<before>[0-9A-Za-z.-]*))?(?:\+[^\s]*)?\s*",
)
_TOOLCHAIN = re.compile(
    r"go(?P<numbers>[0-9]+(?:\.[0-9]+){0,2})(?:(?P<kind>rc|beta)(?P<count>[0-9]+))?(?:[-+ ].*)?", re.DOTALL
)
_LAST = (1,)


def key(version: str) -> Key:
    """Minor and patch may be left out, as old packages do; `v` or `=` may stand before."""
    return _key("semver", version)


def go_key(version: str) -> Key:
    """A version of a module (`v1.2.3`, `v2.0.0+incompatible`, `v0.0.0-20200101000000-0123456789ab`) or of Go itself as
    it calls itself (`go1.21rc2`), which is not the one that its suffix would be in Semantic Versioning."""
    if version.startswith("go"):
        found = _TOOLCHAIN.fullmatch(version)
        if found is None:
            raise Unordered("go", version)
        kind = f"-{found['kind']}.{found['count']}" if found["kind"] else ""
        version = found["numbers"] + kind
    return _key("go", version)


def _key(scheme: str, version: str) -> Key:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise Unordered(scheme, version)
    numbers = tuple([number(found[name] or "") for name in ("major", "minor", "patch")])
    before = found["before"]
    return numbers, identifiers(before) if before else _LAST


def identifiers(before: str) -> tuple[object, ...]:
    """What stands after the `-` of a version to come: numbers by their size and before words, fewer before more."""
    return (0, *((0, number(each), "") if each.isdigit() else (1, (0, ""), each) for each in before.split(".")))
