"""Findings for people, in the manner of a good compiler: each with its place, and the count at the end."""

from collections.abc import Callable, Sequence

from kezuri.check.told import LEVELS, Sheet, counted, reaches
from kezuri.diagnostics.render import render


def _plain(sentence: str, *gaps: object) -> str:
    return sentence.format(*gaps)


def text(
    sheets: Sequence[Sheet],
    lightest: str,
    colour: bool = False,
    columns: int = 0,
    words: Callable[[str], str] = str,
    phrase: Callable[..., str] = _plain,
) -> str:
    """Findings of the level `lightest` and above; the others are counted only; empty where no file was read. `words`
    and `phrase` say a sentence in the reader's language."""
    if not sheets:
        return ""
    every = [told for sheet in sheets for told in sheet.told]
    shown = [told for told in every if reaches(told.level, lightest)]
    blocks = [render(told.diagnostic, colour, columns, words) for told in shown]
    head = phrase("{} files checked", len(sheets)) if len(sheets) != 1 else words("1 file checked")
    counts = [(level, sum(told.level == level for told in every)) for level in LEVELS]
    said = ", ".join(f"{count} {words(counted(level, count))}" for level, count in counts if count)
    tail = (
        f" ({phrase('{} not shown: --level style shows them', len(every) - len(shown))})"
        if len(every) > len(shown)
        else ""
    )
    blocks.append(f"{head}: {said or words('nothing found')}{tail}")
    return "\n\n".join(blocks)
