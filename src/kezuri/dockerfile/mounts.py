"""The `--mount` and `--device` values of RUN: comma-separated fields, as written."""

from kezuri.dockerfile.flags import FlagValue
from kezuri.dockerfile.instructions import MountOption
from kezuri.dockerfile.statement import Report
from kezuri.scalars import parse_bool


def read_mount(value: FlagValue, report: Report) -> MountOption | None:
    """One `--mount`. Its fields are understood when the plan is made: they may hold variables, and a stage that the
    target does not reach may hold anything."""
    fields = _fields(value, "mounts", report)
    if fields is None:
        return None
    parts = (field.partition("=") for field in fields)
    options = ((key.lower(), text if equals else None) for key, equals, text in parts)
    return MountOption(tuple(options), value.span)


def check_device(value: FlagValue, report: Report) -> bool:
    """Whether a `--device` is well formed: `name[,required]`, or `name=` and `required=`."""
    fields = _fields(value, "devices", report)
    if fields is None:
        return False
    name = ""
    for field in fields:
        key, equals, text = field.partition("=")
        key = key.lower()
        if key == "required":
            if equals and parse_bool(text) is None:
                report.error(f"invalid value for required: {text}", value.span, "write required or required=true")
                return False
        elif equals and key == "name":
            if name:
                report.error(f"device name already set to {name}", value.span)
                return False
            name = text
        elif not name:
            name = field
        elif equals:
            report.error(f"unexpected key '{key}' in '{field}'", value.span, "known are name and required")
            return False
        else:
            report.error(f"invalid field '{field}' must be a key=value pair", value.span)
            return False
    return True


def _fields(value: FlagValue, what: str, report: Report) -> list[str] | None:
    try:
        return _csv(value.text)
    except ValueError as error:
        report.error(f"failed to parse csv {what}: {error}", value.span)
        return None


def _csv(text: str) -> list[str]:
    """One CSV record: a field that starts with `"` runs to the closing quote, and `""` within it is one quote."""
    if not text:
        raise ValueError("EOF")
    fields: list[str] = []
    at = 0
    while True:
        if text.startswith('"', at):
            parts: list[str] = []
            while True:
                end = text.find('"', at + 1)
                if end < 0:
                    raise ValueError('extraneous or missing " in quoted-field')
                parts.append(text[at + 1 : end])
                at = end + 1
                if not text.startswith('"', at):
                    break
                parts.append('"')
            if at < len(text) and text[at] != ",":
                raise ValueError('extraneous or missing " in quoted-field')
            fields.append("".join(parts))
        else:
            end = text.find(",", at)
            field = text[at:] if end < 0 else text[at:end]
            if '"' in field:
                raise ValueError('bare " in non-quoted field')
            fields.append(field)
            at += len(field)
        if at >= len(text):
            return fields
        at += 1
