"""Reads YAML with ruamel.yaml's parser into values with places, within bounds that hostile text cannot pass."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from kezuri.diagnostics import KezuriError, Place, SourceText, Span
from kezuri.documents.value import Entry, Item, Mapping, Scalar, Sequence, Style, Value

if TYPE_CHECKING:
    from ruamel.yaml.events import Event

LARGEST = 512 << 10
"""Characters that a document may have."""

DEEPEST = 100
"""Levels that values may be nested in each other, aliases followed."""

MOST = 200_000
"""Values that a file may have, each alias counted with all that it stands for."""

_UNENDED = "found unexpected end of stream"
_NOT_HERE = "mapping values are not allowed"
_NO_COLON = "could not find expected ':'"
"""What ruamel.yaml says."""

_STYLES: dict[str | None, Style] = {"'": "single", '"': "double", "|": "literal", ">": "folded"}


class Yaml(NamedTuple):
    """A file that was read: its documents, those of an empty file none. `error` is what stopped the reading; what was
    read until then is in `documents`."""

    source: SourceText
    documents: tuple[Value, ...]
    error: KezuriError | None = None

    def verify(self) -> "Yaml":
        """The same; KezuriError where it could not be read whole."""
        if self.error is not None:
            raise self.error
        return self


def read(source: SourceText) -> Yaml:
    """Read a text. What is wrong with it is in the result, with its place."""
    if len(source.text) > LARGEST:
        message = f"a YAML file of {len(source.text)} characters is not read: at most {LARGEST} are"
        return Yaml(source, (), KezuriError.of(message, source=source, span=Span(0, 0)))
    builder = _Builder(source)
    try:
        for event in _events(source.text):
            builder.take(event)
    except KezuriError as error:
        return Yaml(source, builder.recovered(), error.at(Place(source, Span(0, 0))))
    return Yaml(source, builder.recovered())


def _events(text: str) -> "Iterator[Event]":
    """What ruamel.yaml sees, its complaints as KezuriErrors that have a span and no source yet."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        # A byte order mark would count as a character of the first key; one blank keeps all places.
        yield from YAML(typ="safe", pure=True).parse("\n" + text[1:] if text.startswith("\ufeff") else text)
    except ReaderError as error:
        at = Span(error.position, error.position + 1)
        code = ord(error.character) if isinstance(error.character, str) else int(error.character)
        if 0xDC80 <= code <= 0xDCFF:
            message = f"the byte 0x{code - 0xDC00:02x} is no UTF-8"
            raise KezuriError.of(message, span=at, hint="save the file as UTF-8") from None
        raise KezuriError.of(f"YAML has no place for the character U+{code:04X}", span=at) from None
    except MarkedYAMLError as error:
        problem = " ".join(str(error.problem or error.context or "").split())
        mark = error.problem_mark or error.context_mark
        message = f"no YAML: {problem}"
        if problem == _UNENDED and error.context_mark is not None:
            mark, message = error.context_mark, "no YAML: what begins here in quotes does not end"
        index = mark.index if mark is not None else 0
        raise KezuriError.of(message, span=Span(index, index + 1), hint=_hint(problem)) from None
    except (YAMLError, ValueError, LookupError, AttributeError, TypeError, AssertionError, OverflowError) as error:
        # ruamel.yaml falls over some texts (\UFFFFFFFF, odd directives) without saying where.
        raise KezuriError.of(f"no YAML: {type(error).__name__} while it was read", span=Span(0, 0)) from None


def _hint(problem: str) -> str:
    if "'\\t'" in problem:
        return "YAML is indented with blanks: replace the tab"
    if _NOT_HERE in problem:
        return "put the value into quotes where it holds `: `, or look at the indentation"
    if "block end" in problem or _NO_COLON in problem:
        return "look at the indentation of this line and of the one before"
    return ""


class _Frame:
    """A collection that is being read."""

    __slots__ = ("anchor", "end", "event", "height", "key", "parts", "seen", "start", "weight")

    def __init__(self, event: Any, start: int) -> None:
        self.event = event
        self.anchor: str | None = event.anchor
        self.start = start
        self.end = start
        self.parts: list[Any] = []
        self.key: Scalar | None = None
        self.seen: dict[str, Scalar] = {}
        self.weight = 1
        self.height = 1


class _Builder:
    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Value, int, int]] = {}
        self._documents: list[Value] = []
        self._total = 0

    def take(self, event: "Event") -> None:
        kind = type(event).__name__
        if kind == "DocumentStartEvent":
            self._anchors = {}
        elif kind == "ScalarEvent":
            scalar = self._scalar(event)
            self._add(scalar, scalar.span, 1, 1, getattr(event, "anchor", None))
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(self._stack) >= DEEPEST:
                raise self._error(f"values are nested more than {DEEPEST} levels deep", event)
            self._stack.append(_Frame(event, self._bare(event)))
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            frame = self._stack.pop()
            if frame.event.flow_style:
                frame.end = event.end_mark.index
            self._close(frame)

    def recovered(self) -> tuple[Value, ...]:
        """The documents, the one that was being read with what there is of it."""
        while self._stack:
            try:
                self._close(self._stack.pop())
            except KezuriError:
                continue
        return tuple(self._documents)

    def _close(self, frame: _Frame) -> None:
        if frame.parts and isinstance(frame.parts[0], Entry) and not frame.event.flow_style:
            frame.start = frame.parts[0].span.start  # an anchor, and comments behind it, may stand before
        span = Span(frame.start, max(frame.end, frame.start))
        tag, flow = str(frame.event.tag or ""), bool(frame.event.flow_style)
        value: Value
        if type(frame.event).__name__ == "MappingStartEvent":
            value = Mapping(tuple(frame.parts), span, flow, tag)
        else:
            value = Sequence(tuple(frame.parts), span, flow, tag)
        self._add(value, span, frame.weight, frame.height, frame.anchor)

    def _add(self, value: Value, span: Span, weight: int, height: int, anchor: str | None, alias: bool = False) -> None:
        self._total += weight if alias else 1
        if self._total > MOST:
            message = f"the file stands for more than {MOST} values, aliases followed"
            raise KezuriError.of(message, source=self._source, span=span)
        if len(self._stack) + height > DEEPEST + 1:
            message = f"values are nested more than {DEEPEST} levels deep"
            raise KezuriError.of(message, source=self._source, span=span)
        if anchor:
            self._anchors[anchor] = (value, weight, height)
        if not self._stack:
            self._documents.append(value)
            return
        frame = self._stack[-1]
        frame.weight += weight
        frame.height = max(frame.height, height + 1)
        if type(frame.event).__name__ == "SequenceStartEvent":
            frame.parts.append(Item(value, span, alias))
            frame.end = span.end
        elif frame.key is None:
            frame.key = self._key(frame, value, span)
            frame.end = span.end
        else:
            key, frame.key = frame.key, None
            if isinstance(value, Scalar) and value.style == "none" and not alias:
                at = self._behind_colon(key)
                value, span = value._replace(span=Span(at, at)), Span(at, at)
            frame.parts.append(Entry(key, value, Span(key.span.start, max(span.end, key.span.end)), alias))
            frame.end = max(span.end, key.span.end)

    def _key(self, frame: _Frame, value: Value, span: Span) -> Scalar:
        if not isinstance(value, Scalar):
            raise KezuriError.of("a key is no mapping and no sequence here", source=self._source, span=span)
        before = frame.seen.setdefault(value.text, value)
        if before is not value and not (value.text == "<<" and value.style == "plain"):
            line = self._source.position(before.span.start)[0]
            message = f'the key "{value.text}" stands here twice: first in line {line}'
            raise KezuriError.of(message, source=self._source, span=span, hint="remove one of the two")
        return value

    def _alias(self, event: Any) -> None:
        found = self._anchors.get(event.anchor)
        if found is None:
            if any(frame.anchor == event.anchor for frame in self._stack):
                raise self._error(f"the anchor &{event.anchor} contains itself", event)
            raise self._error(f"the anchor &{event.anchor} is not defined before", event)
        value, weight, height = found
        self._add(value, Span(event.start_mark.index, event.end_mark.index), weight, height, None, alias=True)

    def _scalar(self, event: Any) -> Scalar:
        end = event.end_mark.index
        start = min(self._bare(event), end)
        style = _STYLES.get(event.style, "plain")
        text = self._source.text
        if style == "plain" and start == end:
            style = "none"
            while end > 0 and text[end - 1].isspace():
                end -= 1
            start = end
        if style in ("literal", "folded"):
            # Blank lines and comments behind it are not its own.
            end = min(end, len(text))
            body = text[start:end]
            end = start + len(body.rstrip())
            end = max(end, start + len(body.split("\n", 1)[0].rstrip()))
        return Scalar(event.value, Span(start, end), style, str(event.tag or ""))

    def _behind_colon(self, key: Scalar) -> int:
        text, at = self._source.text, key.span.end
        while at < len(text) and text[at] in " \t":
            at += 1
        return at + 1 if text.startswith(":", at) else key.span.end

    def _bare(self, event: Any) -> int:
        """Where a value begins behind its anchor and tag."""
        at: int = event.start_mark.index
        text = self._source.text
        if not getattr(event, "anchor", None) and not event.tag:
            return at
        end = event.end_mark.index if type(event).__name__ == "ScalarEvent" else len(text)
        while at < end and text[at] in "&!":
            while at < end and not text[at].isspace():
                at += 1
            while at < end and text[at].isspace():
                at += 1
        return at

    def _error(self, message: str, event: Any) -> KezuriError:
        span = Span(event.start_mark.index, event.end_mark.index)
        return KezuriError.of(message, source=self._source, span=span)
