"""The pages docs/checks.md and docs/checks.ja.md, made from the rules (`python -m kezuri.cli.checks_page [ja]`)."""

import sys
from collections.abc import Iterable, Sequence

from kezuri.check.catalogue import every_rule
from kezuri.check.document import DocumentRule
from kezuri.check.rule import Example, Rule, RulePage
from kezuri.check.rules import RULES
from kezuri.cli.checks_words import ENGLISH, JAPANESE
from kezuri.cli.language import catalogue

_KINDS = (
    ("dockerfile", "About Dockerfiles", "Dockerfile について"),
    ("workflow", "About workflows", "ワークフローについて"),
    ("compose", "About Compose files", "Compose ファイルについて"),
    ("ignore", "About ignore files", "ignore ファイルについて"),
    ("image", "About images", "イメージについて"),
)
_TOOLS = (
    ("hadolint", ("DL", "SC")),
    ("Trivy", ("DS-",)),
    ("dockle", ("CIS-DI-", "DKL-")),
    ("BuildKit", ()),
)
_LANGUAGES = {"gitlab": "yaml", "workflow": "yaml", "compose": "yaml", "ignore": "gitignore"}


def page(japanese: bool = False) -> str:
    """docs/checks.md, or with `japanese` docs/checks.ja.md."""
    rules = every_rule()
    lines = [(JAPANESE if japanese else ENGLISH).rstrip("\n"), "", *_foreign(rules, japanese)]
    for kind, title, titre in _KINDS:
        these = [rule for rule in rules if _kind(rule) == kind]
        if not these:
            continue
        heads = (
            ("規則", "レベル", "修正", "別名", "あるべき姿")
            if japanese
            else ("rule", "level", "fix", "also called", "what should be")
        )
        lines += ["", f"## {titre if japanese else title}", "", f"| {' | '.join(heads)} |", "|---|---|---|---|---|"]
        lines += [_row(rule, japanese) for rule in these]
        for rule in these:
            lines += ["", *_section(rule, japanese)]
    return "\n".join(lines)


def _kind(rule: RulePage) -> str:
    """What a rule is about: of a document the first kind that it is for."""
    if isinstance(rule, Rule):
        return "dockerfile"
    if isinstance(rule, DocumentRule):
        return "workflow" if rule.kinds[0] == "gitlab" else rule.kinds[0]
    return "image"


def _row(rule: RulePage, japanese: bool) -> str:
    summary = _said(rule, japanese)[0].split(". ")[0].rstrip(".。").replace("|", "\\|")
    if rule.experimental:
        summary += " (実験的)" if japanese else " (experimental)"
    name = f"[{rule.name}](#{rule.name.lower()})"
    return f"| {name} | {rule.severity} | {rule.fix_class} | {', '.join(rule.shown_aliases)} | {summary} |"


def _section(rule: RulePage, japanese: bool) -> list[str]:
    summary, why = _said(rule, japanese)
    lines = [f"### {rule.name}", "", summary.rstrip(".。") + ("。" if japanese and not summary.isascii() else "."), ""]
    facts = [rule.severity, *rule.shown_aliases]
    if rule in RULES:
        facts.append("BuildKit")
    if rule.fix_class:
        facts.append(f"{'修正' if japanese else 'fix'} {rule.fix_class}")
    lines += [", ".join(facts) + ("。" if japanese else "."), ""]
    if rule.experimental:
        lines += [
            "`experimental=` か `--rule` で名指ししたときだけ調べます。"
            if japanese
            else "Experimental: asked only with `experimental=` or `--rule`.",
            "",
        ]
    lines += [why, "", *_example("悪い例" if japanese else "Bad", rule, rule.bad), ""]
    lines += _example("良い例" if japanese else "Good", rule, rule.good)
    if rule.url:
        lines += ["", f"参照: {rule.url}" if japanese else f"See {rule.url}."]
    return lines


def _said(rule: RulePage, japanese: bool) -> tuple[str, str]:
    if not japanese:
        return rule.summary, rule.why
    if rule.japanese[0]:
        return rule.japanese
    said = catalogue("ja")
    return said.get(rule.summary, rule.summary), said.get(rule.why, rule.why)


def _foreign(rules: Iterable[RulePage], japanese: bool) -> list[str]:
    """The names of other tools, and which rules of ours have them."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        for alias in rule.shown_aliases:
            found.setdefault(alias, []).append(rule.name)
    lines = ["## ほかのツールの名前" if japanese else "## Names of other tools", ""]
    for tool, starts in _TOOLS:
        names = sorted(alias for alias in found if starts and alias.startswith(starts))
        if names:
            lines += [f"### {tool}", "", f"| {tool} | kezuri |", "|---|---|"]
            lines += [
                f"| {name} | {', '.join(f'[{rule}](#{rule.lower()})' for rule in found[name])} |" for name in names
            ]
            lines.append("")
    same = ", ".join(f"[{rule.name}](#{rule.name.lower()})" for rule in RULES)
    lines += ["### BuildKit", "", f"{'同じ名前です' if japanese else 'The same names'}: {same}."]
    return lines


def _example(title: str, rule: RulePage, example: Example) -> list[str]:
    said = []
    if example.ignore:
        said.append(f"with `{' '.join(example.ignore.split())}` in `.dockerignore`")
    if example.base:
        said.append(f"with base images for {example.base}")
    language = _LANGUAGES.get(_kind(rule), "dockerfile")
    return [f"{title}{', ' if said else ''}{' and '.join(said)}:", "", *_fenced(language, example.text)]


def _fenced(language: str, text: str) -> Sequence[str]:
    return (f"```{language}", *text.rstrip("\n").split("\n"), "```")


if __name__ == "__main__":
    print(page("ja" in sys.argv[1:]))
