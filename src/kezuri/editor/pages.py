"""What is said of a rule, or of a step, where the cursor rests: Markdown."""

import re
from collections.abc import Callable, Sequence

from kezuri.check.catalogue import by_name
from kezuri.check.rule import RulePage
from kezuri.diagnostics import Span

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]+")


def rule_at(text: str, offset: int) -> tuple[RulePage, Span] | None:
    """The rule whose name stands at an offset of a comment, and where."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start : len(text) if end < 0 else end]
    if not line.lstrip().startswith("#"):
        return None
    for found in _NAME.finditer(line):
        if found.start() <= offset - start <= found.end():
            rule = by_name().get(found.group().lower())
            if rule is not None:
                return rule, Span(start + found.start(), start + found.end())
    return None


def rule_page(rule: RulePage, japanese: bool, words: Callable[[str], str]) -> str:
    """The rule's page."""
    summary, why = rule.summary, rule.why
    if japanese and rule.japanese[0]:
        summary, why = rule.japanese
    parts = [f"**{rule.name}** ({words(rule.severity)}): {summary}", why]
    bad = getattr(rule, "bad", None)
    if bad is not None and bad.name == "Dockerfile":
        parts.append(f"```dockerfile\n{bad.text.rstrip()}\n```")
        parts.append(f"```dockerfile\n{rule.good.text.rstrip()}\n```")
    if rule.aliases:
        parts.append(", ".join(rule.shown_aliases))
    if rule.url:
        parts.append(f"<{rule.url}>")
    return "\n\n".join(parts)


def listed(lines: Sequence[str], most: int = 8) -> str:
    """Lines of Markdown as a list, the first ones of many."""
    shown = [f"- {line}" for line in lines[:most]]
    return "\n".join([*shown, *(["- …"] if len(lines) > most else [])])


def code(title: str, longest: int = 70) -> str:
    """An instruction in one line, as code."""
    flat = " ".join(title.split()).replace("`", "'")
    return f"`{flat if len(flat) <= longest else flat[: longest - 1] + '…'}`"
