"""A word expanded, and which variables it asked for."""

from collections.abc import Mapping

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.expansion import expand


class Value:
    """What a word is after expansion; `known` are the variables in it that have a value, `unknown` the others."""

    __slots__ = ("known", "text", "unknown")

    def __init__(self, text: str, known: frozenset[str], unknown: tuple[str, ...]) -> None:
        self.text = text
        self.known = known
        self.unknown = unknown


class _Recorder(dict[str, str]):
    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.asked: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def used(word: str | None, variables: Mapping[str, str], escape: str) -> Value | None:
    """The expanded word; None for no word, and for one that cannot be expanded."""
    if word is None:
        return None
    if "$" not in word:
        try:
            return Value(expand(word, {}, escape), frozenset(), ())
        except KezuriError:
            return None
    recorder, unknown = _Recorder(variables), list[str]()
    try:
        text = expand(word, recorder, escape, unknown.append)
    except KezuriError:
        return None
    return Value(text, frozenset(recorder.asked.difference(unknown)), tuple(unknown))
