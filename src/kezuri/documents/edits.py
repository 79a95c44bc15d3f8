"""Edits of a YAML text: a key added, a scalar replaced, an entry removed; every other byte stays."""

from typing import NamedTuple

from kezuri.diagnostics import SourceText, Span
from kezuri.documents.value import Entry, Item, Mapping, Scalar, Sequence, Value, walk


class TextEdit(NamedTuple):
    """Replace what stands at `span` by `text`."""

    span: Span
    text: str


def newline(source: SourceText) -> str:
    """How the text ends its lines."""
    at = source.text.find("\n")
    return "\r\n" if at > 0 and source.text[at - 1] == "\r" else "\n"


def indentation(source: SourceText, offset: int) -> str:
    """What stands before an offset on its line, a dash of a sequence replaced by a blank."""
    start = source.text.rfind("\n", 0, offset) + 1
    return "".join(c if c.isspace() else " " for c in source.text[start:offset]).replace("\ufeff", "")


def replace_scalar(source: SourceText, scalar: Scalar, text: str) -> TextEdit | None:
    """Another text for a scalar of one line, with the quotes that it has; None where that cannot be written so."""
    if not one_line(text):
        return None
    if scalar.style == "plain" and plain(text):
        return TextEdit(scalar.span, text)
    if scalar.style == "single":
        return TextEdit(scalar.span, "'" + text.replace("'", "''") + "'")
    if scalar.style in ("plain", "double"):
        return TextEdit(scalar.span, '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return None


def remove_entry(source: SourceText, mapping: Mapping, entry: Entry) -> TextEdit | None:
    """Remove a key and its value with the lines that they take, a comment at the end of them too. None in a flow
    mapping, for the last key of a mapping, and where something else stands on those lines."""
    if mapping.flow or len(mapping.entries) < 2:
        return None
    text = source.text
    start = text.rfind("\n", 0, entry.span.start) + 1
    before = text[start : entry.span.start]
    end = _line_end(text, entry.span.end)
    if before.strip(" \t\ufeff"):
        return None  # `- key: …`: the dash stays
    if "\ufeff" in before:
        start += before.index("\ufeff") + 1
    if not _only_comment(text[entry.span.end : end]):
        return None
    # A blank line that kept it apart from what follows goes too, where nothing but comments stands above.
    above = all(
        not line.strip(" \t\r\ufeff") or line.lstrip("\ufeff").startswith("#") for line in text[:start].split("\n")
    )
    after = _line_end(text, end)
    if (above or text[:start].endswith(("\n\n", "\n\r\n"))) and after > end and not text[end:after].strip():
        end = after
    return TextEdit(Span(start, end), "")


def insert_after(source: SourceText, mapping: Mapping, entry: Entry, lines: tuple[str, ...]) -> TextEdit | None:
    """Lines put behind an entry of a block mapping, at the indentation of its keys. None in a flow mapping."""
    if mapping.flow or not mapping.entries or _unended(source, entry.value, entry.span.end):
        return None
    return _insert(source, entry.span.end, indentation(source, mapping.entries[0].key.span.start), lines)


def insert_item(source: SourceText, sequence: Sequence, item: Item, lines: tuple[str, ...]) -> TextEdit | None:
    """Lines of a block sequence put behind one of its items: the first gets the dash. None in a flow sequence."""
    if sequence.flow or _unended(source, item.value, item.span.end):
        return None
    text = source.text
    dash = text.rfind("-", 0, item.span.start)
    if dash < 0 or text[dash + 1 : item.span.start].strip(" "):
        return None
    indent = indentation(source, dash)
    if indent.strip() or text[text.rfind("\n", 0, dash) + 1 : dash].strip(" "):
        return None
    gap = text[dash + 1 : item.span.start]
    first, *rest = lines
    written = (f"-{gap}{first}", *(f" {' ' * len(gap)}{line}" if line else "" for line in rest))
    return _insert(source, item.span.end, indent, written)


def _unended(source: SourceText, value: Value, end: int) -> bool:
    """Whether a value ends with the text, and would say something else with a line end behind it."""
    blocks = (part for part in walk(value) if isinstance(part, Scalar) and part.style in ("literal", "folded"))
    return "\n" not in source.text[end:] and any(blocks)


def one_line(text: str) -> bool:
    """Whether a text is one line of printable characters."""
    return text.isprintable()


def plain(text: str) -> bool:
    """Whether a text may stand without quotes as a value of a block mapping, and is still text then."""
    if not text or text != text.strip() or text[0] in "-?:,[]{}#&*!|>'\"%@`" or text.endswith(":"):
        return False
    if ": " in text or " #" in text:
        return False
    return text.lower() not in ("true", "false", "null", "~", "yes", "no", "on", "off") and not _number(text)


def _number(text: str) -> bool:
    try:
        float(text.replace("_", ""))
    except ValueError:
        return text.lower().startswith(("0x", "0o", ".inf", ".nan"))
    return True


def _insert(source: SourceText, end: int, indent: str, lines: tuple[str, ...]) -> TextEdit | None:
    text = source.text
    stop = _line_end(text, end)
    if not _only_comment(text[end:stop]):
        return None
    eol = newline(source)
    written = "".join(f"{indent}{line}".rstrip() + eol for line in lines)
    if not text[:stop].endswith("\n"):
        written = eol + written.removesuffix(eol)
    return TextEdit(Span(stop, stop), written)


def _line_end(text: str, at: int) -> int:
    """Behind the end of the line that an offset is on."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _only_comment(rest: str) -> bool:
    said = rest.strip()
    return not said or (said.startswith("#") and rest[:1].isspace())
