"""Sentences of ours that are put together of parts: said with their gaps apart, so that nothing has to be recognised.

What fills a gap is shown as it is, whatever it says: short sentences ("{} and {}") would be found in the texts of
others, too, if they were looked for there as `Console.words` does.
"""

import re
from collections.abc import Sequence
from itertools import count
from typing import Protocol

_GAP = re.compile(r"\{(\d*)\}")


class Phrase(Protocol):
    """Says a sentence with its gaps filled, in the reader's language (`Console.phrase`)."""

    def __call__(self, sentence: str, /, *gaps: object) -> str: ...


def plainly(sentence: str, /, *gaps: object) -> str:
    """The sentence in English."""
    return filled(sentence, gaps)


def filled(sentence: str, gaps: Sequence[object]) -> str:
    """The sentence with its gaps filled: `{}` in their order, `{0}` by number."""
    following = count()

    def gap(marked: re.Match[str]) -> str:
        return str(gaps[int(marked[1]) if marked[1] else next(following)])

    return _GAP.sub(gap, sentence)
