"""The changes that `--chmod` asks for: octal, or symbolic as chmod(1) of BSD understands it."""

from typing import NamedTuple

from kezuri.diagnostics import KezuriError

_SHIFT = {"u": 6, "g": 3, "o": 0}
_OWN = {"u": 0o4700, "g": 0o2070, "o": 0o0007}
_ALL = 0o6777
_STICKY = 0o1000
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111}


class _Change(NamedTuple):
    """`what` is `+`, `-`, `X` (add `bits` to what is executable or a directory already) or a class `u`, `g`, `o`
    whose bits are copied to the classes `who` in the manner of `how`."""

    what: str
    bits: int
    who: str = ""
    how: str = ""


class ModeChange(NamedTuple):
    """A parsed `--chmod`. `octal` is None for a symbolic one; `written` is the text as given."""

    written: str
    octal: int | None
    changes: tuple[_Change, ...] = ()

    def apply(self, mode: int, directory: bool) -> int:
        """The mode (07777 bits) that a file or directory of this mode gets. Symbolic links are never changed."""
        if self.octal is not None:
            return self.octal
        executable = directory or mode & 0o111 != 0
        for change in self.changes:
            if change.what == "+" or (change.what == "X" and executable):
                mode |= change.bits
            elif change.what == "-":
                mode &= ~change.bits
            elif change.what in _SHIFT:
                bits = mode >> _SHIFT[change.what] & 0o7
                for who in change.who:
                    shift = _SHIFT[who]
                    if change.how == "=":
                        mode &= ~(0o7 << shift)
                    if change.how == "-":
                        mode &= ~(bits << shift)
                    else:
                        mode |= bits << shift
        return mode

    @property
    def created(self) -> int:
        """The mode of the directories that COPY has to create: an octal mode without its special bits, else 0755."""
        return 0o755 if self.octal is None else self.octal & 0o777


def parse_chmod(text: str) -> ModeChange:
    """Understand the value of `--chmod`. KezuriError when it is neither octal up to 07777 nor symbolic."""
    if text[:1].isascii() and text[:1].isdigit():
        octal = int(text, 8) if text.isascii() and not text.strip("01234567") else -1
        if not 0 <= octal <= 0o7777:
            raise KezuriError.of(
                f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777",
                hint='Write an octal mode such as 755 or a symbolic one such as "u=rwX,go=rX".',
            )
        return ModeChange(text, octal)
    changes: list[_Change] = []
    for clause in text.split(","):
        if not _clause(clause, changes):
            raise KezuriError.of(
                f"invalid chmod parameter: '{text}'. it should be octal or symbolic, as chmod(1) takes it",
                hint='Write an octal mode such as 755 or a symbolic one such as "u=rwX,go=rX".',
            )
    return ModeChange(text, None, tuple(changes))


def _clause(clause: str, changes: list[_Change]) -> bool:
    """Add what one clause (`who` and one or more of `op perms`) says; false when it is none."""
    rest = clause.lstrip("augo")
    classes = clause[: len(clause) - len(rest)]
    who = 0
    for letter in classes:
        who |= _ALL if letter == "a" else _OWN[letter]
    named = "ugo" if not classes or "a" in classes else "".join(c for c in "ugo" if c in classes)
    if not rest:
        return False
    while rest:
        op, rest = rest[0], rest[1:]
        if op not in "+-=":
            return False
        who &= ~_STICKY
        perms = conditional = 0
        cleared = op != "="
        while rest and rest[0] not in "+-=":
            letter, rest = rest[0], rest[1:]
            if letter in _BITS:
                perms |= _BITS[letter]
            elif letter == "X":
                if op == "-":
                    perms |= 0o111
                else:
                    conditional = 0o111
            elif letter == "s":
                if who == 0 or who & ~0o007:
                    perms |= 0o6000
            elif letter == "t":
                if who == 0 or who & ~0o007:
                    who |= _STICKY
                    perms |= _STICKY
            elif letter in _SHIFT:
                # What was collected comes first, then the copying, which clears for itself.
                _collected(changes, op, who, perms, conditional, clear=bool(perms))
                cleared = True
                perms = conditional = 0
                # after a `t` without classes there is somebody, but nobody whose bits are copied to
                changes.append(_Change(letter, 0, "" if who == _STICKY else named, op))
            else:
                return False
        _collected(changes, op, who, perms, conditional, clear=bool(perms) or not cleared)
    return True


def _collected(changes: list[_Change], op: str, who: int, perms: int, conditional: int, *, clear: bool) -> None:
    """Add the changes for the letters since the last copy; `clear` says whether `=` takes away what is there."""
    if op == "=" and clear:
        changes.append(_Change("-", who or _ALL))
    if perms:
        changes.append(_Change("-" if op == "-" else "+", perms & who if who else perms))
    if conditional:
        changes.append(_Change("X", conditional & who if who else conditional))
