"""Library files of official images as bashbrew reads them: fields in paragraphs, an image in each."""

from kezuri.alternatives.groups import Group
from kezuri.diagnostics import KezuriError

_ARCHITECTURES = {
    "amd64": "amd64", "arm32v5": "arm/v5", "arm32v6": "arm/v6", "arm32v7": "arm/v7", "arm64v8": "arm64", "i386": "386",
    "mips64le": "mips64le", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
}  # fmt: skip
"""bashbrew's words for processors, and those of images. What is none of these (`windows-amd64`) does not run here."""


def read_library(text: str, where: str) -> tuple[Group, ...]:
    """The images that a file names, in its order; those for Windows alone are left out. KezuriError, naming the line,
    for what is no such file."""
    found: list[Group] = []
    defaults: dict[str, str] = {}
    for fields in _paragraphs(text, where):
        if "tags" not in fields:
            defaults.update(fields)
            continue
        tags = _list(fields["tags"]) + _list(fields.get("sharedtags", ""))
        words = _list(fields.get("architectures", defaults.get("architectures", "amd64")))
        architectures = tuple(_ARCHITECTURES[word] for word in words if word in _ARCHITECTURES)
        if tags and architectures:
            found.append(Group(tuple(dict.fromkeys(tags)), architectures))
    return tuple(found)


def _paragraphs(text: str, where: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    fields: dict[str, list[str]] = {}
    last: list[str] = []
    for number, line in enumerate((*text.split("\n"), ""), 1):
        line = line.rstrip("\r")
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                found.append({name: " ".join(parts) for name, parts in fields.items()})
            fields, last = {}, []
        elif line[0] in " \t":
            if not last:
                raise KezuriError.of(f"{where}:{number}: a line goes on that has not begun", exit_code=2)
            last.append(line.strip())
        else:
            name, colon, value = line.partition(":")
            if not colon or " " in name:
                raise KezuriError.of(f"{where}:{number}: no field of a library file: {line[:60]!r}", exit_code=2)
            last = fields[name.strip().lower()] = [value.strip()]
    return found


def _list(text: str) -> list[str]:
    return [word for word in (part.strip() for part in text.split(",")) if word and " " not in word]
