"""Text from others made safe to show: it can neither control the terminal nor reorder or hide what is read."""

from functools import cache
from re import Pattern, compile


def visible(text: str, keep: str = "") -> str:
    r"""The text with everything that does not show written out: ESC as `\x1b`, a right-to-left override as `\u202e`, a
    byte that was no UTF-8 (a surrogate escape) as `\xe9`.

    That is: control characters, format characters (bidirectional, zero-width, tags) and line separators, but for the
    characters to `keep`. Names and messages are shown so: nothing of them may be lost.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _written_out(char) for char in text)


def unsteered(text: str) -> str:
    """The text without control sequences and whatever else `visible` writes out, but for tabs; bytes that were no UTF-8
    are written out. What programs print is shown so: its colours and cursor movements mean nothing elsewhere."""
    if text.isprintable():
        return text
    text = _control().sub("", text)
    if text.isprintable():
        return text
    return "".join(char if char == "\t" or visible(char) == char else _byte(char) for char in text)


def shown(text: str, colour: bool) -> str:
    """Lines that kezuri composed, as they may leave for a terminal or a log: whatever is in them from others is made
    visible; tabs and, with `colour`, the styles that kezuri itself uses remain."""
    if all(line.isprintable() for line in text.split("\n")):
        return text
    if not colour or "\x1b" not in text:
        return visible(text, "\n\t")
    return "".join(piece if i % 2 else visible(piece, "\n\t") for i, piece in enumerate(_style().split(text)))


def _byte(char: str) -> str:
    """A byte that was no UTF-8; nothing for other characters."""
    return f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else ""


def _written_out(char: str) -> str:
    code = ord(char)
    if code < 0x80:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char) or f"\\x{code:02x}"
    if byte := _byte(char):
        return byte
    if code >= 0xA0:
        from unicodedata import category

        if category(char) not in ("Cf", "Cs", "Zl", "Zp"):
            return char  # unusual blanks, private characters, and those that are younger than this Python
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@cache
def _control() -> Pattern[str]:
    """CSI sequences; OSC, DCS, APC, PM and SOS strings with their terminator; other escapes; control characters.

    Compiled when first needed: most output has none.
    """
    return compile(
        r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
        r"|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
    )


@cache
def _style() -> Pattern[str]:
    return compile(r"(\x1b\[(?:[012]|(?:1;)?3[1-6])m)")
