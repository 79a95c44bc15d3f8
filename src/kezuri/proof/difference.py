"""One thing that is not the same in two results, by name, and whether somebody had declared that it may differ."""

from collections.abc import Iterable
from typing import NamedTuple

from kezuri.tree.below import below


class Difference(NamedTuple):
    """`name` is a word of `kezuri.proof.vocabulary`, perhaps with what it is about behind it (`env PATH`). `where` is
    the instruction, the stage, or the path of a file as in Entry. `before` and `after` are None on the side that has no
    such thing. `noise` is the reason why it says nothing, where one is known."""

    name: str
    before: str | None
    after: str | None
    where: str = ""
    noise: str = ""

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        if self.before is None and self.after is None:
            return f"{self.name}{place}"
        if self.before is None or self.after is None:
            word, value = ("new", self.after) if self.before is None else ("gone", self.before)
            return f"{self.name}{place}: {word}: {_short(value or '')}"
        return f"{self.name}{place}: {_short(self.before)} → {_short(self.after)}"


ALWAYS = ("history", "error.gone")
"""What may differ without being declared: lines of the history are made of the text of the instructions, so that they
follow every edit; an error that is gone is what was wanted."""


def undeclared(differences: Iterable[Difference], changes: Iterable[str]) -> tuple[Difference, ...]:
    """The differences that nobody had declared, without those that are known to say nothing. `changes` are words of the
    vocabulary. Where all that is in a directory may come or go, the directory may, too."""
    allowed, every = (*changes, *ALWAYS), tuple(differences)
    found = [d for d in every if not d.noise and not any(covers(word, d) for word in allowed)]
    for directory in sorted((d for d in found if _is_directory(d)), key=lambda d: -len(d.where)):
        within = f"{directory.where}/"
        if any(d.where.startswith(within) for d in every) and not any(d.where.startswith(within) for d in found):
            found.remove(directory)
    return tuple(found)


def _is_directory(difference: Difference) -> bool:
    """Whether it is that a directory came or went."""
    return difference.name in ("file.new", "file.gone") and "directory" in (difference.before, difference.after)


def covers(word: str, difference: Difference) -> bool:
    """Whether a declared word stands for the difference.

    A word stands for its own name and for all names that begin with it (`env` for `env PATH`, `config` for
    `config.Cmd`). Behind the words for files there may be a path with wildcards (`file.gone var/lib/apt/lists`): it
    stands for what lies there and below.
    """
    name = difference.name
    if name == word or name.startswith((f"{word} ", f"{word}.")):
        return True
    head, _, pattern = word.partition(" ")
    if not pattern or not (name == head or name.startswith(f"{head}.")) or not name.startswith("file."):
        return False
    return below(pattern).fullmatch(difference.where) is not None


def _short(value: str) -> str:
    flat = " ".join(value.split())
    return flat if len(flat) <= 120 else f"{flat[:117]}..."
