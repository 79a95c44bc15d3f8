"""YAML values with their places: scalars, mappings and sequences as they stand in a text."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias, Union

from kezuri.diagnostics import SourceText, Span

Style = Literal["none", "plain", "single", "double", "literal", "folded"]


class Scalar(NamedTuple):
    """A text, number, boolean or null. `text` is what it says, without quotes and indentation; `span` is what stands
    there, with quotes; of a value that is missing (`key:`) it is empty, and `style` is `none`."""

    text: str
    span: Span
    style: Style
    tag: str = ""

    @property
    def null(self) -> bool:
        """Whether it stands for nothing."""
        return self.style == "none" or (self.style == "plain" and self.text in ("null", "Null", "NULL", "~"))

    @property
    def truth(self) -> bool | None:
        """True or false where it is one of the two, as YAML 1.2 writes them; None otherwise."""
        if self.style != "plain":
            return None
        return {"true": True, "false": False}.get(self.text.lower())


class Entry(NamedTuple):
    """A key with its value. `span` goes from the key to the end of the value as it stands there: where that is an
    alias (`*name`), `alias` is true and the value stands elsewhere."""

    key: Scalar
    value: "Value"
    span: Span
    alias: bool = False


class Item(NamedTuple):
    """One value of a sequence; `span` is without the dash. `alias` as for an `Entry`."""

    value: "Value"
    span: Span
    alias: bool = False


class Mapping(NamedTuple):
    """Keys with values, in the order of the text. `flow` tells that it is written `{…}`."""

    entries: tuple[Entry, ...]
    span: Span
    flow: bool
    tag: str = ""

    def own(self, name: str) -> Entry | None:
        """The entry of that name that stands in the mapping itself."""
        return next((entry for entry in self.entries if entry.key.text == name), None)

    def entry(self, name: str) -> Entry | None:
        """The entry of that name, its own or one that a merge key (`<<`) brings."""
        return next((entry for entry in self.all() if entry.key.text == name), None)

    def get(self, *names: str) -> "Value | None":
        """The value that a path of keys leads to; None where one of them is missing or is no mapping's."""
        at: Value = self
        for name in names:
            found = at.entry(name) if isinstance(at, Mapping) else None
            if found is None:
                return None
            at = found.value
        return at

    def text(self, *names: str) -> str | None:
        """The text of the scalar at a path of keys; None where there is none, or null."""
        found = self.get(*names)
        return found.text if isinstance(found, Scalar) and not found.null else None

    def all(self) -> Iterator[Entry]:
        """Its entries, then those that merge keys bring and that it does not have itself."""
        seen = set[str]()
        merged: list[Value] = []
        for entry in self.entries:
            if entry.key.text == "<<" and entry.key.style == "plain":
                merged.append(entry.value)
            else:
                seen.add(entry.key.text)
                yield entry
        for value in merged:
            for source in (item.value for item in value.items) if isinstance(value, Sequence) else (value,):
                for entry in source.all() if isinstance(source, Mapping) else ():
                    if entry.key.text not in seen:
                        seen.add(entry.key.text)
                        yield entry


class Sequence(NamedTuple):
    """Values in their order. `flow` tells that it is written `[…]`."""

    items: tuple[Item, ...]
    span: Span
    flow: bool
    tag: str = ""

    @property
    def values(self) -> "tuple[Value, ...]":
        """The values alone."""
        return tuple(item.value for item in self.items)


Value: TypeAlias = Union[Scalar, Mapping, Sequence]  # noqa: UP007 - the names are not known yet


def walk(value: Value) -> Iterator[Value]:
    """The value and all that is in it, as deep as it goes: what the reader accepts is bounded."""
    todo = [value]
    while todo:
        at = todo.pop()
        yield at
        if isinstance(at, Mapping):
            todo += (entry.value for entry in reversed(at.entries))
        elif isinstance(at, Sequence):
            todo += (item.value for item in reversed(at.items))


def strings(value: Value | None) -> Iterator[Scalar]:
    """The scalars that a value is or lists: of one that may be written as a text or as a sequence of texts."""
    if isinstance(value, Scalar):
        if not value.null:
            yield value
    elif isinstance(value, Sequence):
        for item in value.items:
            if isinstance(item.value, Scalar) and not item.value.null:
                yield item.value


class Lines:
    """Where the characters of a scalar's text stand in the source. Of one that was folded or has escapes only the whole
    is known."""

    __slots__ = ("_pieces", "_whole")

    def __init__(self, source: SourceText, scalar: Scalar) -> None:
        self._whole = scalar.span
        self._pieces: list[tuple[int, int, int]] = []  # offset in the text, offset in the source, length
        start, end = scalar.span
        written = source.text[start:end]
        if scalar.style == "plain" and written == scalar.text:
            self._pieces.append((0, start, len(written)))
        elif scalar.style in ("single", "double") and written[1:-1] == scalar.text:
            self._pieces.append((0, start + 1, len(written) - 2))
        elif scalar.style == "literal":
            at = source.text.find("\n", start, end) + 1
            offset = 0
            for line in scalar.text.split("\n") if at else ():
                stop = source.text.find("\n", at)
                stop = len(source.text) if stop < 0 else stop
                length = len(source.text[at:stop].removesuffix("\r"))
                if length >= len(line):
                    self._pieces.append((offset, at + length - len(line), len(line)))
                offset += len(line) + 1
                at = stop + 1
                if at > len(source.text):
                    break

    @property
    def exact(self) -> bool:
        """Whether single characters are known."""
        return bool(self._pieces)

    def span(self, span: Span) -> Span:
        """Where a part of the text stands, from its first to its last character."""
        first = last = None
        for offset, at, length in self._pieces:
            if offset <= span.start <= offset + length:
                first = at + span.start - offset if first is None else first
            stop = span.end - offset
            if 0 < stop <= length or (stop == 0 and span.start == span.end):
                last = at + stop
        return self._whole if first is None or last is None or last < first else Span(first, last)
