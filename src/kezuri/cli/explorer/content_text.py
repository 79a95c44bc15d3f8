"""The bytes of a file as lines: as text, in hexadecimal, or compared with another version."""

from kezuri.app.exploring import Version
from kezuri.cli.explorer.words import Part
from kezuri.diagnostics import visible

_WIDE = 16
_LONGEST = 4000
"""No more characters of a line are drawn: files of one line of a megabyte are common."""
_MOST_COMPARED = 20_000
_NO_TEXT = frozenset(range(32)) - frozenset(b"\t\n\r\f\b\x1b") | {0x7F}


def is_text(data: bytes) -> bool:
    """Whether people can read the bytes: no zero bytes in the beginning, and few other control characters."""
    sample = data[:8192]
    return b"\0" not in sample and sum(byte in _NO_TEXT for byte in sample) * 50 <= len(sample)


def text_lines(data: bytes) -> list[str]:
    """The lines of a text; as they may be shown: `drawn`."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines


def drawn(line: str) -> str:
    """One line of a file as it may be drawn: tabs become blanks, what controls terminals is written out."""
    cut = line[:_LONGEST].removesuffix("\r").expandtabs(8)
    return visible(cut) + ("…" if len(line) > _LONGEST else "")


def hex_count(data: bytes) -> int:
    """How many lines the bytes have in hexadecimal."""
    return -(-len(data) // _WIDE)


def hex_line(data: bytes, number: int) -> list[Part]:
    """One line in hexadecimal: where it stands, sixteen bytes, and what of it ASCII has."""
    at = number * _WIDE
    piece = data[at : at + _WIDE]
    first, second = piece[:8].hex(" "), piece[8:].hex(" ")
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
    return [(f"{at:08x}  ", "dim"), (f"{first:<23}  {second:<23}  ", ""), (shown, "cyan")]


def differences(before: Version, after: Version) -> list[Part] | None:
    """How two versions of a file differ, a line each; None where the bytes are the same."""
    if before.data == after.data and before.entry.size == after.entry.size:
        return None
    if is_text(before.data) and is_text(after.data):
        from difflib import unified_diff

        lower, upper = text_lines(before.data), text_lines(after.data)
        if len(lower) + len(upper) <= _MOST_COMPARED:
            lines = unified_diff(lower, upper, lineterm="")
            return [_styled(line) for number, line in enumerate(lines) if number > 1]
    return _of_bytes(before.data, after.data)


def _styled(line: str) -> Part:
    style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
    return line[:1] + drawn(line[1:]), style


def _of_bytes(lower: bytes, upper: bytes) -> list[Part]:
    """The lines in hexadecimal that differ, up to a number of them."""
    found: list[Part] = []
    for number in range(max(hex_count(lower), hex_count(upper))):
        span = slice(number * _WIDE, (number + 1) * _WIDE)
        if lower[span] == upper[span]:
            continue
        if len(found) > 2000:
            found.append(("…", "dim"))
            break
        for data, mark, style in ((lower, "-", "red"), (upper, "+", "green")):
            if data[span]:
                found.append((mark + "".join(text for text, _ in hex_line(data, number)), style))
    return found
