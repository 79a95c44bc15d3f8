"""A comparison as a table of figures: each measured before and after, as often as was asked for."""

from math import isfinite
from typing import Any, Literal, NamedTuple, get_args

_SCHEMA = 1

Unit = Literal["bytes", "count", "seconds", "text"]
Better = Literal["less", "neither"]
"""Whether less of a figure is what people want, or nothing can be said: a user has no size."""


class Reading(NamedTuple):
    """What was measured of one side: a number for each run, in the order of the runs, or a text for what is no number.
    What is the same however often one looks has one number. `absent` says why nothing was measured; then there is
    neither."""

    values: tuple[float, ...] = ()
    text: str = ""
    absent: str = ""

    @property
    def known(self) -> bool:
        """Whether anything was measured."""
        return not self.absent and bool(self.values or self.text)

    @property
    def median(self) -> float | None:
        """The middle one of the numbers; between the two middle ones where they are even in number."""
        if not self.values:
            return None
        ordered, middle = sorted(self.values), len(self.values) // 2
        return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2

    @property
    def spread(self) -> float:
        """How far the highest number lies from the lowest."""
        return max(self.values) - min(self.values) if self.values else 0.0


class Figure(NamedTuple):
    """One row. `key` is its name for programs and never changes; `title` what people read, in English; `how` says in a
    sentence what was measured."""

    key: str
    title: str
    unit: Unit
    before: Reading
    after: Reading
    how: str = ""
    better: Better = "less"

    @property
    def saved(self) -> float | None:
        """Which part of the value before is gone: 0.85 for 1.2 GB that became 180 MB, below zero for what grew. None
        where no part can be said: for texts, for what was not measured, and where there was nothing before."""
        before, after = self.before.median, self.after.median
        if before is None or after is None or not before:
            return None
        return (before - after) / before

    @property
    def certain(self) -> bool:
        """Whether the runs of both sides lie apart: where they overlap, the difference may be chance. Of one run each
        nothing is known, and figures that do not vary are certain."""
        before, after = self.before.values, self.after.values
        if self.unit != "seconds":
            return True
        return min(len(before), len(after)) > 1 and (min(before) > max(after) or max(before) < min(after))

    @classmethod
    def parse(cls, said: Any) -> "Figure":
        """From what `to_json` gives; KeyError and the like for what is none."""
        before, after = (_read(said[side]) for side in ("before", "after"))
        if said["unit"] not in get_args(Unit):
            raise ValueError("it has an unknown unit")
        better: Better = "neither" if said["unit"] == "text" else "less"
        return cls(str(said["key"]), str(said["title"]), said["unit"], before, after, str(said["how"]), better)

    def to_json(self) -> dict[str, Any]:
        """The row as a document has it."""
        return {
            "key": self.key,
            "title": self.title,
            "unit": self.unit,
            "before": _reading(self.before),
            "after": _reading(self.after),
            "saved": None if self.saved is None else round(self.saved, 4),
            "certain": self.certain,
            "how": self.how,
        }


class Side(NamedTuple):
    """What stands on one side: the name that was given, whether it is an image or a Dockerfile that was built, and the
    image's digest and platform."""

    name: str
    kind: Literal["image", "dockerfile"]
    digest: str = ""
    platform: str = ""

    @classmethod
    def parse(cls, said: Any) -> "Side":
        """From what a document has; KeyError and the like for what is none."""
        built = said["kind"] == "dockerfile"
        return cls(str(said["name"]), "dockerfile" if built else "image", str(said["digest"]), str(said["platform"]))


class Conditions(NamedTuple):
    """Under which conditions was measured: bits per second and seconds of round trip between registry and puller (0:
    not held back), the registry's name, how many runs, the machine (processors, system, architecture), and
    the files that got the one-line edit."""

    bandwidth: int = 0
    rtt: float = 0.0
    registry: str = ""
    runs: int = 1
    processors: int = 0
    system: str = ""
    edited: tuple[str, ...] = ()

    @classmethod
    def parse(cls, said: Any) -> "Conditions":
        """From what a document has; KeyError and the like for what is none."""
        return cls(
            int(said["bandwidth"]),
            _finite(said["rtt"]),
            str(said["registry"]),
            int(said["runs"]),
            int(said["processors"]),
            str(said["system"]),
            tuple(map(str, said["edited"])),
        )


class Comparison(NamedTuple):
    """The whole table, in the order in which it is shown. `told` is what could not be measured, and why."""

    before: Side
    after: Side
    figures: tuple[Figure, ...]
    conditions: Conditions = Conditions()
    told: tuple[str, ...] = ()

    def figure(self, key: str) -> Figure | None:
        """The row with a name."""
        return next((figure for figure in self.figures if figure.key == key), None)

    @classmethod
    def parse(cls, document: Any) -> "Comparison":
        """From the document that `to_json` gives. ValueError for what is none."""
        try:
            if document["schema"] != _SCHEMA:
                raise ValueError
            return cls(
                Side.parse(document["before"]),
                Side.parse(document["after"]),
                tuple(Figure.parse(figure) for figure in document["figures"]),
                Conditions.parse(document["conditions"]),
                tuple(map(str, document["told"])),
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError("it is no comparison") from error

    def to_json(self) -> dict[str, Any]:
        """As `kezuri compare --format json` prints it."""
        return {
            "schema": _SCHEMA,
            "before": self.before._asdict(),
            "after": self.after._asdict(),
            "conditions": self.conditions._asdict(),
            "figures": [figure.to_json() for figure in self.figures],
            "told": list(self.told),
        }


def _reading(reading: Reading) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if reading.absent:
        return {"absent": reading.absent}
    if reading.text:
        said["text"] = reading.text
    if reading.values:
        said["median"] = _number(reading.median or 0.0)
        said["runs"] = [_number(value) for value in reading.values]
        said["spread"] = _number(reading.spread)
    return said


def _read(said: Any) -> Reading:
    return Reading(tuple(map(_finite, said.get("runs", ()))), str(said.get("text", "")), str(said.get("absent", "")))


def _finite(value: Any) -> float:
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"{value} is no number")
    return number


def _number(value: float) -> float | int:
    """Whole numbers as such: bytes are no fractions."""
    return int(value) if float(value).is_integer() else round(value, 4)
