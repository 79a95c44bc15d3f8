"""One settings file: TOML whose keys are settings, read with the line of each."""

import re
from collections.abc import Mapping
from typing import Any

from kezuri.diagnostics import KezuriError, SourceText, Span, nearest

SettingsFile = dict[str, tuple[tuple[str, ...], int]]
"""What a file says, by the names of the settings: the texts that a flag would have been given, and the line."""

CHECK = "check"
"""The table that is `kezuri check`'s: it reads it itself (`check_settings.py`)."""

_MOST_BYTES = 1 << 20


def read_settings(descriptor: int, path: str, known: Mapping[str, str]) -> SettingsFile:
    """What the open file says; it is closed. `known` are the settings that there are, and the forms of their values,
    as in Setting. KezuriError with the line for what is no setting, or has a wrong value."""
    import tomllib

    try:
        with open(descriptor, "rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise KezuriError.of(f"cannot read the settings file {path}: {error.strerror}", exit_code=2) from None
    if len(data) > _MOST_BYTES:
        raise KezuriError.of(f"the settings file {path} is larger than 1 MiB", exit_code=2)
    try:
        text = data.decode()
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = "hadolint's settings are found by themselves" if path.endswith((".yaml", ".yml")) else ""
        raise KezuriError.of(f"the settings file {path} is not TOML: {error}", hint=hint, exit_code=2) from None
    file = _File(path, text)
    said: SettingsFile = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name == CHECK and isinstance(value, dict):
            continue
        if name not in known:
            guess = nearest(name, (*known, CHECK))
            hint = f"did you mean {guess}?" if guess else f"known: {', '.join(known)}"
            raise file.wrong(key, f"unknown setting {key!r} in {path}", hint)
        if name in said:
            raise file.wrong(key, f"{name} is twice in {path}", "once with - and once with _: leave out one")
        said[name] = _texts(name, known[name], key, value, file), file.line(key)
    return said


class _File:
    """A file's text, in which keys are found again."""

    def __init__(self, path: str, text: str) -> None:
        self._source = SourceText(path, text)

    def span(self, key: str) -> Span:
        """Where the key stands, as one of its own or as the head of a table; the first line if it is written oddly."""
        found = re.search(rf"""^[ \t]*\[?[ \t]*["']?({re.escape(key)})\b""", self._source.text, re.MULTILINE)
        return Span(*found.span(1)) if found else Span(0, 1)

    def line(self, key: str) -> int:
        """The line of a key, from 1."""
        return self._source.position(self.span(key).start)[0]

    def wrong(self, key: str, message: str, hint: str = "") -> KezuriError:
        """The error for a key."""
        return KezuriError.of(message, hint=hint, source=self._source, span=self.span(key), exit_code=2)


def _texts(name: str, form: str, key: str, value: Any, file: _File) -> tuple[str, ...]:
    """A value of the file as the texts that the flag would have been given."""
    if form == "number":
        if isinstance(value, int) and not isinstance(value, bool):
            return (str(value),)
        raise file.wrong(key, f"{name} is a number")
    if isinstance(value, str):
        return (value,)
    if form in ("size", "duration") and isinstance(value, int) and not isinstance(value, bool):
        return (str(value),)
    many = form in ("list", "mirrors")
    if many and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if form == "mirrors" and isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
        return tuple(f"{host}={url}" for host, url in value.items())
    if form in ("size", "duration"):
        raise file.wrong(key, f"{name} is a text or a number", 'write for instance "20GB" or "30d"')
    raise file.wrong(key, f"{name} is a text or a list of texts" if many else f"{name} is a text")
