"""Patterns of paths as people write them to let something pass: each stands for what it matches and what lies below."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re


@cache
def below(pattern: str) -> "re.Pattern[str]":
    """What a path of an Entry has to look like (`fullmatch`) to lie at a pattern or below: `*` and `?` stop at a slash,
    `**` does not; slashes around the pattern mean nothing."""
    import re

    parts = []
    for piece in re.split(r"(\*\*/?|\*|\?)", pattern.strip("/")):
        if piece.startswith("**"):
            parts.append("(?:.*/)?" if piece.endswith("/") else ".*")
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece)))
    return re.compile("".join(parts) + "(?:/.*)?", re.DOTALL)
