"""The functions of Go's text/template, docker's beside them, and how Go prints values."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from kezuri.cli.json_text import json_text
from kezuri.cli.template_words import wrong


def show(value: Any, inner: bool = False) -> str:
    """A value as Go prints it: `[a b]` for a list, `map[k:v]` for a mapping."""
    if value is None:
        return "<nil>" if inner else "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _shortest(value)
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{show(item, True)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(show(item, True) for item in value) + "]"
    return str(value)


def truth(value: Any) -> bool:
    """Whether an `if` takes it for true: not what is empty, zero or nil."""
    return bool(value)


def _shortest(value: float) -> str:
    """`%v` of a float64: the shortest digits, with an exponent below 1e-4 and from 1e21 on."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"inf": "+Inf", "-inf": "-Inf"}.get(str(value), "NaN")
    size = abs(value)
    if size and (size < 1e-4 or size >= 1e21):
        digits, exponent = f"{value!r}e0".split("e")[:2] if "e" in repr(value) else f"{value:.16e}".split("e")
        mantissa = digits.removesuffix(".0").rstrip("0").rstrip(".") if "." in digits else digits
        number = int(exponent)
        return f"{mantissa}e{'-' if number < 0 else '+'}{abs(number):02d}"
    text = f"{value:f}" if size >= 1e16 else repr(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _kind(value: Any) -> str:
    for name, kinds in (("bool", bool), ("int", int), ("float", float), ("string", str)):
        if isinstance(value, kinds):
            return name
    return "nil" if value is None else "other"


def equal(first: Any, *others: Any) -> bool:
    """Whether the first is equal to one of the others."""
    if not others:
        wrong("eq lacks what it is to compare with")
    return any(_equal(first, other) for other in others)


def _equal(a: Any, b: Any) -> bool:
    one, two = _kind(a), _kind(b)
    if "nil" in (one, two):
        return one == two
    if one != two:
        wrong(f"incompatible types for comparison: {show(a)} and {show(b)}")
    if one == "other":
        wrong(f"{show(a)[:60]} cannot be compared")
    return bool(a == b)


def less(a: Any, b: Any) -> bool:
    """`lt`: numbers of one kind, or strings."""
    one, two = _kind(a), _kind(b)
    if one != two:
        wrong(f"incompatible types for comparison: {show(a)} and {show(b)}")
    if one not in ("int", "float", "string"):
        wrong(f"{show(a)[:60]} cannot be put in order")
    return bool(a < b)


def _less_or_equal(a: Any, b: Any) -> bool:
    return less(a, b) or _equal(a, b)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if value is None:
        return 0
    if not isinstance(value, Mapping | list | tuple):
        wrong(f"len of {show(value)[:60]}, which has no length")
    return len(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, Mapping) and isinstance(key, str):
            value = value.get(key, "")
        elif isinstance(value, list | tuple | str) and isinstance(key, int):
            held: Any = value.encode("utf-8", "surrogateescape") if isinstance(value, str) and value else value
            if value == "":
                return ""
            if not 0 <= key < len(held):
                wrong(f"index {key} is out of range: there are {len(held)}")
            value = held[key]
        elif value is None or value == "":
            return ""
        else:
            wrong(f"cannot index {show(value)[:60]!r} with {key!r}")
    return value


def _slice(value: Any, *bounds: int) -> Any:
    if not isinstance(value, str | list | tuple) or len(bounds) > 3 or not all(isinstance(b, int) for b in bounds):
        wrong(f"cannot slice {show(value)[:60]!r}")
    held: Any = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    low = bounds[0] if bounds else 0
    high = bounds[1] if len(bounds) > 1 else len(held)
    if not 0 <= low <= high <= len(held):
        wrong(f"the slice {low}:{high} is out of range: there are {len(held)}")
    cut = held[low:high]
    return cut.decode("utf-8", "surrogateescape") if isinstance(cut, bytes) else cut


def _print(*values: Any) -> str:
    """As fmt.Sprint: a blank between two values of which neither is a string."""
    out, before = "", True
    for number, value in enumerate(values):
        text = isinstance(value, str)
        if number and not text and not before:
            out += " "
        out += show(value, True)
        before = text
    return out


def _println(*values: Any) -> str:
    return " ".join(show(value, True) for value in values) + "\n"


_VERB = re.compile(r"%([-+# 0]*)(\*|\d*)(?:\.(\*|\d*))?(.)", re.ASCII | re.DOTALL)


def _printf(form: str, *values: Any) -> str:
    """As fmt.Sprintf, with its words for values that do not fit."""
    rest = list(values)
    out, at = [], 0
    for found in _VERB.finditer(form):
        out.append(form[at : found.start()])
        at = found.end()
        flags, width, precision, verb = found.groups()
        if verb == "%":
            out.append("%")
            continue
        if width == "*":
            width = str(rest.pop(0)) if rest else ""
        if precision == "*":
            precision = str(rest.pop(0)) if rest else ""
        if not rest:
            out.append(f"%!{verb}(MISSING)")
            continue
        out.append(_verb(verb, rest.pop(0), flags, width or "", precision))
    tail = form[at:]
    out.append(tail.replace("%", "%!(NOVERB)") if tail.endswith("%") else tail)
    if rest:
        out.append("%!(EXTRA " + ", ".join(f"{_type(v)}={show(v, True)}" for v in rest) + ")")
    return "".join(out)


def _type(value: Any) -> str:
    return {"int": "int", "float": "float64", "bool": "bool", "string": "string"}.get(_kind(value), "<nil>")


def _verb(verb: str, value: Any, flags: str, width: str, precision: str | None) -> str:
    text = _plain_verb(verb, value, flags, precision)
    if text is None:
        kind = _type(value)
        return "%!" + verb + ("(<nil>)" if value is None else f"({kind}={show(value, True)})")
    if not width:
        return text
    size = int(width)
    if "-" in flags:
        return text.ljust(size)
    if "0" in flags and verb not in "sqv":
        sign = text[:1] if text[:1] in "+-" else ""
        return sign + text[len(sign) :].rjust(size - len(sign), "0")
    return text.rjust(size)


def _plain_verb(verb: str, value: Any, flags: str, precision: str | None) -> str | None:
    """The value without padding; None when the verb does not fit it."""
    kind = _kind(value)
    digits = int(precision or 0) if precision is not None else None
    if isinstance(value, list | tuple) and verb not in "v":
        return "[" + " ".join(_verb(verb, item, flags, "", precision) for item in value) + "]"
    if verb == "v":
        return ("+" if "+" in flags and kind in ("int", "float") and value >= 0 else "") + show(value, True)
    if verb == "s" and kind == "string":
        return str(value[:digits])
    if verb == "q" and kind == "string":
        from kezuri.dockerfile.command import quote

        return "`" + value + "`" if "#" in flags and "`" not in value else quote(value)
    if verb == "t" and kind == "bool":
        return show(value)
    if verb in "dxXobcU" and kind == "int":
        return _integer(verb, value, flags)
    if verb in "xX" and kind == "string":
        text: str = value.encode("utf-8", "surrogateescape").hex()
        return text.upper() if verb == "X" else text
    if verb in "eEfFgG" and kind == "float":
        if verb in "gG" and digits is None:
            return _shortest(value)
        sign = "+" if "+" in flags else ""
        return f"{value:{sign}.{6 if digits is None else digits}{verb}}"
    return None


def _integer(verb: str, value: int, flags: str) -> str:
    if verb == "c":
        return chr(value) if 0 <= value < 0x110000 else "\ufffd"
    if verb == "U":
        return f"U+{value:04X}"
    sign = "+" if "+" in flags else " " if " " in flags else ""
    return f"{value:{sign}{'#' if '#' in flags and verb in 'xXo' else ''}{verb}}"


def _html(*values: Any) -> str:
    signs = {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
    return "".join(signs.get(char, char) for char in _print(*values))


def _urlquery(*values: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(_print(*values), safe="~", errors="surrogateescape")


def _join(values: Any, sign: Any) -> str:
    return show(sign).join(show(value, True) for value in values or ())


def _truncate(value: Any, length: int) -> str:
    return show(value)[: max(0, length)]


def _pad(value: Any, before: int, after: int) -> str:
    text = show(value)
    return " " * before + text + " " * after if text else text


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": json_text,
    "upper": lambda value: show(value).upper(),
    "lower": lambda value: show(value).lower(),
    "title": lambda value: re.sub(r"(?<![^\s])\S", lambda first: first[0].title(), show(value)),
    "join": _join,
    "split": lambda value, sign: show(value).split(show(sign)) if show(sign) else list(show(value)),
    "len": _length,
    "index": _index,
    "slice": _slice,
    "truncate": _truncate,
    "pad": _pad,
    "print": _print,
    "println": _println,
    "printf": _printf,
    "html": _html,
    "urlquery": _urlquery,
    "not": lambda value: not truth(value),
    "eq": equal,
    "ne": lambda a, b: not _equal(a, b),
    "lt": less,
    "le": _less_or_equal,
    "gt": lambda a, b: not _less_or_equal(a, b),
    "ge": lambda a, b: not less(a, b),
}
LAZY = ("and", "or")
"""Functions that look at no more of their arguments than they need."""


def call(name: str, arguments: list[Any]) -> Any:
    """Call a function that is not lazy."""
    try:
        return FUNCTIONS[name](*arguments)
    except (TypeError, AttributeError, RecursionError):
        wrong(f"{name} cannot take {', '.join(map(show, arguments)) or 'nothing'}")
