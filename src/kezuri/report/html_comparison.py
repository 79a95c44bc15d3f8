"""Before and after as a section of the page."""

from collections.abc import Callable
from typing import Any

from kezuri.comparison.values import Comparison, Figure
from kezuri.diagnostics import visible

Titles = Callable[[Figure], tuple[str, str]]
"""What a figure is called, in English and in Japanese."""


def comparison_section(comparison: Comparison, titles: Titles, japanese: Callable[[str], str] = str) -> dict[str, Any]:
    """The table of figures. `japanese` says a sentence of ours in Japanese."""
    found = comparison.to_json()
    for side in ("before", "after"):
        found[side]["name"] = visible(found[side]["name"])
    for figure, row in zip(comparison.figures, found["figures"], strict=True):
        row["title"], row["title_ja"] = titles(figure)
        row["how_ja"] = japanese(figure.how)
        for side in ("before", "after"):
            for field in ("text", "absent"):
                if field in row[side]:
                    row[side][field] = visible(row[side][field])
            if "absent" in row[side]:
                row[side]["absent_ja"] = japanese(row[side]["absent"])
    found["told"] = [visible(text) for text in comparison.told]
    found["told_ja"] = [visible(japanese(text)) for text in comparison.told]
    return {"kind": "comparison", **found}
