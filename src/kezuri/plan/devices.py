"""`RUN --device`: what is asked for, and that kezuri has none to give."""

from kezuri.diagnostics import KezuriError
from kezuri.scalars import parse_bool


def refuse_required(devices: tuple[str, ...]) -> None:
    """KezuriError for a device that a step cannot do without. One that it can do without is left out, as BuildKit does
    where a device is not registered. The values are as written, and well formed."""
    for written in devices:
        name, required = _read(written)
        if required:
            raise KezuriError.of(
                f"required device {name!r} is not registered",
                hint="kezuri passes no devices into steps; without `required` the step runs without it",
            )


def _read(written: str) -> tuple[str, bool]:
    import csv

    name, required = "", False
    for field in next(csv.reader([written]), []):
        key, equals, value = field.partition("=")
        if key.lower() == "required":
            required = parse_bool(value) is True if equals else True
        else:
            name = value if key.lower() == "name" and equals else field
    return name, required
