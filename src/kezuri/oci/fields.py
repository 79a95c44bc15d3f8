"""The fields of a decoded JSON object, read by type: an error names the document and the field."""

import json
import re
from typing import Any

from kezuri.diagnostics import KezuriError


class Fields:
    """One JSON object. Other container tools use Go's decoder: like that, this takes null for absent and a half of a
    surrogate pair for U+FFFD. A value of another type is a KezuriError, exit code 125, that names `where` (the
    document) and the field with its place in it."""

    def __init__(self, raw: Any, where: str, place: str = "") -> None:
        self._where = where
        self._place = place
        if not isinstance(raw, dict):
            raise self.wrong("", f"is {_kind(raw)}, not an object")
        self._raw: dict[str, Any] = raw

    @classmethod
    def parse(cls, data: bytes, where: str) -> "Fields":
        """From the bytes of a JSON document in UTF-8, in which no number is NaN or infinite: Python's
        reader would take these, and other readers of the same image refuse them."""
        try:
            raw = json.loads(data.decode("utf-8", "replace"), parse_constant=_refuse)
        except (ValueError, RecursionError):
            raw = None
        if not isinstance(raw, dict):
            raise KezuriError.of(f"{where}: not a JSON document", exit_code=125)
        return cls(raw, where)

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def wrong(self, name: str, why: str, hint: str = "") -> KezuriError:
        """The error for a field; an empty name means the object itself."""
        return KezuriError.of(f"{self._where}: {self._path(name) or 'the document'} {why}", hint=hint, exit_code=125)

    def text(self, name: str) -> str:
        """A text; empty when it is absent."""
        return self._text(name, self._raw.get(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty when it is absent."""
        return tuple(self._text(f"{name}[{i}]", value) for i, value in enumerate(self._list(name)))

    def flag(self, name: str) -> bool:
        """True or false; false when it is absent."""
        value = self._raw.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, f"is {_kind(value)}, not true or false")
        return bool(value)

    def number(self, name: str) -> int:
        """A whole number; 0 when it is absent."""
        value = self._raw.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise self.wrong(name, f"is {_kind(value)}, not a whole number")
        return value or 0

    def object(self, name: str) -> "Fields":
        """An object; an empty one when it is absent."""
        value = self._raw.get(name)
        return Fields({} if value is None else value, self._where, self._path(name))

    def objects(self, name: str) -> list["Fields"]:
        """A list of objects; empty when it is absent."""
        return [Fields(value, self._where, f"{self._path(name)}[{i}]") for i, value in enumerate(self._list(name))]

    def keys(self, name: str) -> tuple[str, ...]:
        """The keys of an object, in order. Documents write a set as an object whose values are empty."""
        return tuple(sorted(self._text(name, key) for key in self.object(name)._raw))

    def map(self, name: str) -> dict[str, str]:
        """An object whose values are texts; empty when it is absent."""
        inner = self.object(name)
        return {self._text(name, key): inner.text(key) for key in inner._raw}

    def raw(self, name: str) -> Any:
        """The value as it was decoded."""
        return self._raw.get(name)

    def _path(self, name: str) -> str:
        """The field's place in the document."""
        return ".".join(part for part in (self._place, name) if part)

    def _list(self, name: str) -> list[Any]:
        value = self._raw.get(name)
        if value is not None and not isinstance(value, list):
            raise self.wrong(name, f"is {_kind(value)}, not a list")
        return value or []

    def _text(self, name: str, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(name, f"is {_kind(value)}, not a text")
        return value if value.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", value)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
