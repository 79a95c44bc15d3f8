"""Texts that fixes are applied to, one after the other, while all of them speak of the texts as they were checked."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from kezuri.check.rule import Edit, Fix
from kezuri.diagnostics import Span

NEW = "new:"
"""How the key of a file begins that a fix makes: its path in the build context follows."""

Texts = Mapping[str, str]
"""What is being mended: the file that was checked under the empty key, other texts that fixes edit under the names of
their sources, files that a fix made under `NEW` and their path."""


class Conflict(Exception):
    """The fix touches what an earlier one of the same round has edited: it waits for the text to be checked anew."""


class _Applied(NamedTuple):
    """An edit that was made: where it was in the text that was checked, and by how much the text grew."""

    span: Span
    growth: int


class Round:
    """The fixes that are made between two checks. `checked` are the texts that findings speak of, `main` is the name of
    the one that was checked."""

    def __init__(self, checked: Texts, main: str) -> None:
        self._checked = dict(checked)
        self._main = main
        self._made: dict[str, list[_Applied]] = {}

    def apply(self, texts: Texts, fix: Fix) -> dict[str, str]:
        """The texts as they stand with this fix too. Conflict where it touches an earlier one; ValueError where it
        cannot be applied at all. Nothing is remembered: see `keep`."""
        by_key: dict[str, list[Edit]] = {}
        for edit in fix.edits:
            by_key.setdefault(self._key(edit), []).append(edit)
        result = dict(texts)
        for key, edits in by_key.items():
            self._verify(key, edits)
            text = result.get(key, self._checked[key])
            for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
                start = self._shifted(key, edit.span)
                new = self._text(key, edit)
                text = text[:start] + new + text[start + edit.span.end - edit.span.start :]
            result[key] = text
        for new_file in fix.files:
            if new_file.path.startswith("/") or ".." in new_file.path.split("/") or not new_file.path:
                raise ValueError(f"{new_file.path} lies outside the build context")
            if (key := NEW + new_file.path) in result:
                raise Conflict
            result[key] = new_file.text
        return result

    def keep(self, fix: Fix) -> None:
        """The fix was kept: later ones are moved by what it added."""
        for edit in fix.edits:
            key = self._key(edit)
            made = _Applied(edit.span, len(self._text(key, edit)) - (edit.span.end - edit.span.start))
            self._made.setdefault(key, []).append(made)

    def _text(self, key: str, edit: Edit) -> str:
        """What an edit puts in, with the line endings of the text."""
        if not _windows(self._checked[key]):
            return edit.text
        return edit.text.replace("\r\n", "\n").replace("\n", "\r\n")

    def _key(self, edit: Edit) -> str:
        """The key of the text that an edit is for, which a fix may bring along."""
        key = key_of(edit, self._main)
        if edit.source is not None and key:
            self._checked.setdefault(key, edit.source.text)
        return key

    def _verify(self, key: str, edits: list[Edit]) -> None:
        size = len(self._checked[key])
        ordered = sorted(edit.span for edit in edits)
        for span in ordered:
            if not 0 <= span.start <= span.end <= size:
                raise ValueError(f"an edit leaves the text: {span}")
        if any(a.end > b.start for a, b in pairwise(ordered)):
            raise ValueError("its edits overlap")
        if any(_touch(edit.span, made.span) for edit in edits for made in self._made.get(key, ())):
            raise Conflict

    def _shifted(self, key: str, span: Span) -> int:
        return span.start + sum(made.growth for made in self._made.get(key, ()) if made.span.end <= span.start)


def key_of(edit: Edit, main: str) -> str:
    """The key of the text that an edit is for."""
    return "" if edit.source is None or edit.source.name == main else edit.source.name


def _touch(one: Span, other: Span) -> bool:
    """Whether two edits cannot be told to be independent: they overlap, or one puts something in where the other begins
    or ends."""
    if one.start == one.end or other.start == other.end:
        return one.start <= other.end and other.start <= one.end
    return one.start < other.end and other.start < one.end


def _windows(text: str) -> bool:
    """Whether the lines of a text end as on Windows: most of them do."""
    return text.count("\r\n") * 2 > text.count("\n")
