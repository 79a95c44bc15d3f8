"""JSON and YAML of advisory data as plain values, and of large JSON one part after the other.

What is read here was written by programs in large numbers: it needs no places in its text, as `documents` gives them.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NoReturn

from kezuri.diagnostics import KezuriError

_CHUNK = 1 << 20
LARGEST_PART = 64 << 20
"""Characters of one part of a large JSON document; the Linux kernel's of Debian's tracker has eight million."""
_MOST_VALUES = 3_000_000
"""Commas of one JSON document, or one part of a large one: each value takes some hundred bytes of memory, however short
it is written."""
_SPACE = re.compile(r"[ \t\r\n]*")
_OF_NUMBERS = "0123456789.eE+-"
_DEEPEST = 60
_LARGEST_YAML = 2 << 20
"""Characters of YAML in general, whose reader takes seconds for as many; of the plain kind there may be more."""


def json_value(data: bytes, name: str) -> Any:
    """A JSON document; KezuriError that names it for what is none, for numbers that JSON does not have, and for more
    values than any advisory data has in one piece."""
    if data.count(b",") > _MOST_VALUES:
        raise KezuriError.of(f"{name} has more than {_MOST_VALUES} values, which are not read")
    try:
        return json.loads(data, parse_constant=_no_number)
    except RecursionError:
        raise KezuriError.of(f"{name} is nested too deep to be read") from None
    except UnicodeDecodeError as error:
        raise KezuriError.of(f"{name} is no UTF-8: the byte {error.start} is not") from None
    except ValueError as error:
        raise KezuriError.of(f"{name} is no JSON: {error}") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def yaml_value(data: bytes, name: str) -> Any:
    """A YAML document, all scalars of which are texts as they are written: versions such as `1.10` are no numbers.
    KezuriError for what is none, and for anchors, which advisories have no need of, and of which little text can make
    much."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KezuriError.of(f"{name} is no UTF-8: the byte {error.start} is not") from None
    from kezuri.advisories.plain_yaml import plain_yaml

    found = plain_yaml(text)
    if found is not None:
        return found
    if len(text) > _LARGEST_YAML:
        raise KezuriError.of(
            f"{name} has {len(text)} characters of YAML that is not of the plain kind: too many to be read"
        )
    try:
        return _built(YAML(typ="base", pure=True).parse(text), name)
    except RecursionError:
        raise KezuriError.of(f"{name} is nested too deep to be read") from None
    except (YAMLError, ValueError, LookupError, AttributeError, TypeError, AssertionError, OverflowError) as error:
        raise KezuriError.of(f"{name} is no YAML: {' '.join(str(error).split())[:200]}") from None


def _built(events: Iterator[Any], name: str) -> Any:
    """The one document that a parser sees, as plain values. A collection that is open is a list of what it has so far,
    of a mapping keys and values in turn."""
    whole: list[Any] = []
    stack: list[list[Any]] = [whole]
    for event in events:
        if getattr(event, "anchor", None):
            raise KezuriError.of(f"{name} has anchors, which are not read in advisories")
        match type(event).__name__:
            case "MappingStartEvent" | "SequenceStartEvent":
                if len(stack) > _DEEPEST:
                    raise KezuriError.of(f"{name} is nested too deep to be read")
                stack.append([])
            case "ScalarEvent":
                stack[-1].append(event.value)
            case "SequenceEndEvent":
                done = stack.pop()
                stack[-1].append(done)
            case "MappingEndEvent":
                done = stack.pop()
                keys = done[::2]
                if not all(isinstance(key, str) for key in keys) or len(set(keys)) < len(keys):
                    raise KezuriError.of(f"{name} has a mapping with a key twice, or one that is no text")
                stack[-1].append(dict(zip(keys, done[1::2], strict=True)))
    if len(whole) > 1:
        raise KezuriError.of(f"{name} is more than one YAML document")
    return whole[0] if whole else None


class Parts:
    """A large JSON object, or list, read one member after the other."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._read: Callable[[int], bytes] = stream.read
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._scan = json.JSONDecoder(parse_constant=_no_number).raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        self._passed = 0

    def members(self) -> Iterator[tuple[str, Any]]:
        """The keys and values of the object that the document is, in its order. KezuriError, after those before it,
        where it is no JSON or cut short."""
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return self._end()
        while True:
            key = self._value()
            if not isinstance(key, str):
                self._wrong("a key is no text")
            self._expect(":")
            yield key, self._value()
            if self._next() == "}":
                self._at += 1
                return self._end()
            self._expect(",")

    def items(self) -> Iterator[Any]:
        """The values of the list that the document is."""
        self._expect("[")
        if self._next() == "]":
            self._at += 1
            return self._end()
        while True:
            yield self._value()
            if self._next() == "]":
                self._at += 1
                return self._end()
            self._expect(",")

    def _end(self) -> None:
        if self._next():
            self._wrong("something follows after its end")

    def _wrong(self, what: str) -> NoReturn:
        raise KezuriError.of(f"{self._name} is no JSON: {what} (at character {self._passed + self._at})")

    def _more(self, size: int) -> bool:
        """Whether there was more to read."""
        if self._ended:
            return False
        data = self._read(size)
        self._ended = not data
        try:
            text = self._decoder.decode(data, not data)
        except UnicodeDecodeError:
            raise KezuriError.of(f"{self._name} is no UTF-8 after character {self._passed + len(self._text)}") from None
        self._passed += self._at
        self._text, self._at = self._text[self._at :] + text, 0
        return True

    def _next(self) -> str:
        """The next character that is no space, empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(_CHUNK):
                return ""

    def _expect(self, mark: str) -> None:
        found = self._next()
        if found != mark:
            self._wrong(f"{mark!r} is missing" if found else "it is cut short")
        self._at += 1

    def _value(self) -> Any:
        self._next()
        size = _CHUNK
        while True:
            try:
                value, end = self._scan(self._text, self._at)
                # A number may go on behind what was read, be it that `1` and `1.` are there of `1.5`.
                open_end = isinstance(value, int | float) and not self._text[end : end + 50].strip(_OF_NUMBERS)
                if not open_end or not self._more(size):
                    self._at = end
                    return value
                continue
            except RecursionError:
                self._wrong("it is nested too deep")
            except ValueError as error:
                if len(self._text) - self._at > LARGEST_PART:
                    self._wrong(f"no value within {LARGEST_PART} characters")
                trouble = getattr(error, "msg", str(error))
            # The value may go on beyond what was read: twice as much of it, so that the whole is read twice at most.
            size = max(_CHUNK, len(self._text) - self._at)
            if not self._more(size):
                self._wrong(str(trouble))
            if self._text.count(",", self._at) > _MOST_VALUES:
                self._wrong(f"it has more than {_MOST_VALUES} values in one part")
