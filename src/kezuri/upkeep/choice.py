"""Which pieces of the store are meant: `--filter` as BuildKit's clients write it."""

import re
from collections.abc import Callable, Sequence

from kezuri.diagnostics import KezuriError, nearest
from kezuri.scalars import parse_bool
from kezuri.upkeep.piece import KINDS, Piece

_ALSO = {"frontend": "internal", "local": "source.local", "git": "source.git.checkout", "http": "source.http"}
_TEXTS: dict[str, Callable[[Piece], str]] = {
    "id": lambda piece: piece.id,
    "type": lambda piece: piece.kind,
    "description": lambda piece: piece.title,
}
_FLAGS: dict[str, Callable[[Piece], bool]] = {
    "shared": lambda piece: piece.ties.shared,
    "private": lambda piece: not piece.ties.shared,
}


def choice(filters: Sequence[str], in_use: Callable[[Piece], bool]) -> Callable[[Piece], bool]:
    """What the filters hold for: several of one name hold if one of them does, different names only together.

    `NAME=VALUE`, `NAME!=VALUE` and `NAME~=REGULAR-EXPRESSION` of id (its beginning is enough), type and description;
    `inuse`, `shared` and `private`. KezuriError, exit code 2, for anything else.
    """
    tests: dict[str, list[Callable[[Piece], bool]]] = {}
    flags = {**_FLAGS, "inuse": in_use}
    for text in filters:
        name, sign, value = _split(text)
        if name in flags and sign in ("", "="):
            tests.setdefault(name, []).append(_flag(flags[name], value, text))
        elif name in _TEXTS and sign:
            tests.setdefault(name + sign.strip("="), []).append(_test(name, sign, value))
        else:
            names = (*_TEXTS, *flags, "until")
            near = nearest(name, names)
            raise KezuriError.of(
                f"--filter {text!r} is not understood",
                hint=f"did you mean {near}?"
                if near and near != name
                else f"there are {', '.join(names)}, as NAME=VALUE",
                exit_code=2,
            )
    # Of "is not" every one has to hold.
    return lambda piece: all(
        (all if name.endswith("!") else any)(test(piece) for test in some) for name, some in tests.items()
    )


def _split(text: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"([a-z-]+)(?:(==?|!=|~=)(.*))?", text, re.DOTALL)
    if found is None:
        return text, "?", ""
    return found[1], (found[2] or "").replace("==", "="), (found[3] or "").strip('"')


def _flag(of: Callable[[Piece], bool], value: str, text: str) -> Callable[[Piece], bool]:
    wanted = parse_bool(value or "true")
    if wanted is None:
        raise KezuriError.of(f"--filter {text!r}: the value is true or false", exit_code=2)
    return lambda piece: of(piece) == wanted


def _test(name: str, sign: str, value: str) -> Callable[[Piece], bool]:
    of = _TEXTS[name]
    if sign == "~=":
        try:
            pattern = re.compile(value)
        except re.error as error:
            raise KezuriError.of(f"--filter {name}~={value}: not a regular expression: {error}", exit_code=2) from None
        return lambda piece: pattern.search(of(piece)) is not None
    if name == "type":
        value = _ALSO.get(value, value)
        if value not in KINDS:
            near = nearest(value, KINDS)
            raise KezuriError.of(
                f"--filter type={value}: there is no such type",
                hint=f"did you mean {near}?" if near else f"there are {', '.join(KINDS)}",
                exit_code=2,
            )
    if name == "id":
        return lambda piece: piece.id.removeprefix("sha256:").startswith(value.removeprefix("sha256:")) == (sign == "=")
    return lambda piece: (of(piece) == value) == (sign == "=")
