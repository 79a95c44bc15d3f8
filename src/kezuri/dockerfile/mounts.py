"""The `--mount` and `--device` values of RUN: comma-separated fields, as written (section 1.4)."""

from kezuri.dockerfile.flags import FlagValue
from kezuri.dockerfile.instructions import MountOption
from kezuri.dockerfile.statement import Report

KEYS = (
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
)
_SWITCHES = ("readonly", "ro", "readwrite", "rw", "required")
_BOOLEANS = ("true", "false", "1", "0", "t", "f")


def read_mount(value: FlagValue, report: Report) -> MountOption | None:
    """One `--mount`. Values are not looked at, since they may hold variables."""
    fields = _fields(value, "mounts", report)
    if fields is None:
        return None
    options: list[tuple[str, str]] = []
    good = True
    for field in fields:
        key, equals, text = field.partition("=")
        key = key.lower()
        if not equals and key not in _SWITCHES:
            report.error(f"invalid field '{field}' must be a key=value pair", value.span, _field_hint(field, report))
            good = False
        else:
            options.append((key, text))
    return MountOption(tuple(options), value.span) if good else None


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
            if text.lower() in _BOOLEANS if equals else True:
                continue
            report.error(f"invalid value for required: {text}", value.span, "write required or required=true")
            return False
        if not name:
            name = text if equals and key == "name" else field
        elif equals:
            report.error(f"unexpected key '{key}' in '{field}'", value.span, "known are name and required")
            return False
        else:
            report.error(f"invalid field '{field}' must be a key=value pair", value.span)
            return False
    return True


def _field_hint(field: str, report: Report) -> str:
    if not field:
        return "remove the comma that nothing follows"
    meant = report.suggest(field, _SWITCHES)
    if meant is not None:
        return f"did you mean {meant}?"
    return "write KEY=VALUE fields with commas and without blanks between"


def _fields(value: FlagValue, what: str, report: Report) -> list[str] | None:
    try:
        return _csv(value.text)
    except ValueError as error:
        report.error(f"failed to parse csv {what}: {error}", value.span)
        return None


def _csv(text: str) -> list[str]:
    """One CSV record: a field that starts with `"` runs to the closing quote, and `""` within it is one quote."""
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
