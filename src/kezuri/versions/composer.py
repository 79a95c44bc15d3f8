"""Versions of PHP's packages, as Composer brings them into one form and PHP's version_compare orders that
(https://getcomposer.org/doc/articles/versions.md)."""

import re
from typing import Final

from kezuri.versions.pieces import Key, Unordered, number

_STAGE = r"[._-]?(?:(?P<stage>stable|beta|b|rc|alpha|a|patch|pl|p)(?P<counts>(?:[.-]?[0-9]+)*))?(?P<dev>[.-]?dev)?"
_NUMBERED = re.compile(rf"v?(?P<numbers>[0-9]{{1,5}}(?:\.[0-9]+){{0,3}}){_STAGE}")
_DATED = re.compile(rf"v?(?P<numbers>[0-9]{{4}}(?:[.:-]?[0-9]{{2}}){{1,6}}(?:[.:-]?[0-9]{{1,3}}){{0,2}}){_STAGE}")
_BRANCH = re.compile(r"v?(?P<numbers>[0-9]+(?:\.(?:[0-9]+|[x*])){0,3})(?P<dev>-dev)")
_BESIDES = re.compile(r"\s+as\s.*|#.*|@(?:stable|rc|beta|alpha|dev)$|\+[^\s]*", re.DOTALL)
_NUMBER = re.compile(r"[0-9]+|[x*]")
_STAGES: Final = {"alpha": 1, "a": 1, "beta": 2, "b": 2, "rc": 3, "": 4, "patch": 5, "pl": 5, "p": 5}
_DEV: Final = 0
_ANY: Final = number("9999999")
"""What Composer puts for the `x` of a branch."""
_LONGEST: Final = 200


def key(version: str) -> Key:
    """Unordered for branches without a number (`dev-main`) and what Composer does not take."""
    text = _BESIDES.sub("", version.strip().lower()) if len(version) <= _LONGEST else ""
    found = _NUMBERED.fullmatch(text) or _DATED.fullmatch(text) or _BRANCH.fullmatch(text)
    if found is None:
        raise Unordered("Composer", version)
    parts = found.groupdict()
    numbers = [_ANY if each in "x*" else number(each) for each in _NUMBER.findall(parts["numbers"])]
    filling = _ANY if "x" in parts["numbers"] or "*" in parts["numbers"] else number("")
    numbers += [filling] * (4 - len(numbers))
    stage, dev = parts.get("stage") or "", bool(parts["dev"])
    if stage == "stable":
        # Whatever follows it is dropped.
        stage, dev, parts["counts"] = "", False, ""
    if dev and not stage:
        return tuple(numbers), _DEV, (), 0
    counts = tuple([number(each) for each in _NUMBER.findall(parts.get("counts") or "")])
    return tuple(numbers), _STAGES[stage], counts, int(not dev)
