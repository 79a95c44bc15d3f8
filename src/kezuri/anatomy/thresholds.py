"""What an image must reach, in the three figures of dive's rules, and whether it does."""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from kezuri.anatomy.dive import DiveFigures
from kezuri.anatomy.values import Anatomy

State = Literal["pass", "fail", "skip"]

RULES = ("lowestEfficiency", "highestWastedBytes", "highestUserWastedPercent")
"""As dive names them."""
_OFF = ("", "disabled", "off", "false")
_SIZE = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+) ?([a-z]*)")
_MOST = 1 << 64
_UNITS = {"": 1, "b": 1} | {
    letter + tail: base ** (power + 1)
    for power, letter in enumerate("kmgtpe")
    for tail, base in (("", 1000), ("b", 1000), ("i", 1024), ("ib", 1024))
}


class Limit(NamedTuple):
    """A rule's limit and how it was written; `value` is None where the rule is off."""

    value: float | None
    written: str


class Thresholds(NamedTuple):
    """The limits of the three rules."""

    efficiency: Limit
    wasted: Limit
    user_wasted: Limit


class Verdict(NamedTuple):
    """What a rule says: its name, what was measured, and the limit."""

    rule: str
    state: State
    value: float
    limit: float
    written: str


class Measured(NamedTuple):
    """The figures that the rules are about: shares from 0 to 1, and bytes."""

    efficiency: float
    wasted: int
    user_wasted: float


def ratio(text: str) -> Limit:
    """A share from 0 to 1; `disabled` switches the rule off. ValueError for anything else."""
    if text.strip().lower() in _OFF:
        return Limit(None, text)
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return Limit(value, text)


def amount(text: str) -> Limit:
    """Bytes in dive's units: `20MB` are 20 million, `20MiB` 20 times 1024 times 1024; `disabled` switches the rule off.
    ValueError for anything else."""
    low = text.strip().lower()
    if low in _OFF:
        return Limit(None, text)
    found = _SIZE.fullmatch(low)
    if found is None or found[2] not in _UNITS:
        raise ValueError(text)
    value = float(found[1].replace(",", "")) * _UNITS[found[2]]
    if value >= _MOST:
        raise ValueError(text)
    return Limit(int(value), text)


READERS: dict[str, Callable[[str], Limit]] = {
    "lowestEfficiency": ratio,
    "highestWastedBytes": amount,
    "highestUserWastedPercent": ratio,
}
DEFAULTS = {"lowestEfficiency": "0.9", "highestWastedBytes": "disabled", "highestUserWastedPercent": "0.1"}
"""dive's."""


def of_dive(figures: DiveFigures) -> Measured:
    """The figures as dive measures them."""
    return Measured(figures.efficiency, figures.wasted, figures.user_wasted)


def of_anatomy(image: Anatomy) -> Measured:
    """The figures exactly, and of what the image's own instructions can help: bytes that lie in their layers and are
    not shown, and bytes of the base that they store again with other metadata."""
    layers = image.layers
    blamed = sum(
        waste.heap.size
        for waste in image.waste
        if not layers[waste.layer].maker.of_base or (waste.fate == "rewritten" and not layers[waste.by].maker.of_base)
    )
    own = sum(layer.useful + layer.wasted for layer in layers if not layer.maker.of_base)
    useful = image.useful
    return Measured(useful / (useful + blamed) if blamed else 1.0, blamed, blamed / own if own else 0.0)


def judge(thresholds: Thresholds, measured: Measured) -> tuple[Verdict, ...]:
    """What the rules say, those too that are off."""
    verdicts = []
    for rule, limit, value in zip(RULES, thresholds, measured):
        if limit.value is None:
            verdicts.append(Verdict(rule, "skip", value, 0, limit.written))
            continue
        failed = limit.value > value if rule == "lowestEfficiency" else value > limit.value
        verdicts.append(Verdict(rule, "fail" if failed else "pass", value, limit.value, limit.written))
    return tuple(verdicts)
