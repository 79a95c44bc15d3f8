"""Words as Go's %q writes them: the image history is full of them."""

from collections.abc import Iterable

_SHORT = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def quote(text: str) -> str:
    """The text in double quotes as Go's strconv.Quote writes it.

    What cannot be printed becomes `\\x1b`, `\\u200b` or `\\U000e0001`; a byte that is no UTF-8 becomes `\\xff`.
    """
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_quoted(char) for char in text) + '"'


def json_form(argv: Iterable[str]) -> str:
    """A command as the history shows it: `["npm" "start"]`, quoted words between brackets, blanks and no commas."""
    return "[" + " ".join(quote(word) for word in argv) + "]"


def _quoted(char: str) -> str:
    short = _SHORT.get(char)
    if short is not None:
        return short
    if char.isprintable():
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
