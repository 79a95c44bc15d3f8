"""What `kezuri check --list` and `--explain` print: the rules that there are, and the page of one."""

from typing import TYPE_CHECKING, Any

from kezuri.cli.console import Console
from kezuri.cli.options import UsageError

if TYPE_CHECKING:
    from kezuri.check.rule import Example, RulePage


def say_list(form: str, console: Console) -> None:
    """Every rule with what it weighs, what other tools call it, and what its fix needs; as JSON with all of it."""
    from kezuri.check.catalogue import every_rule

    if form == "json":
        from kezuri.cli.json_text import json_text

        console.data(json_text([_document(page) for page in every_rule()], 2))
        return
    from kezuri.app.shellcheck_program import find_shellcheck
    from kezuri.cli.table import aligned

    rows = [(p.name, p.severity, p.fix_class or "-", ", ".join(p.shown_aliases) or "-") for p in every_rule()]
    for line in aligned([("RULE", "LEVEL", "FIX", "ALSO CALLED"), *rows]):
        console.say(line)
    if find_shellcheck(console.environ) is None:
        said = "ShellCheck is not asked: the program shellcheck is not here (pip install kezuri[shellcheck])"
        console.note(console.words(said))


def say_page(name: str, console: Console) -> None:
    """The page of the rule that has this name, in the reader's language, or of the rules that share it; UsageError
    where none has it."""
    from kezuri.check.catalogue import named
    from kezuri.check.names import canonical, meant

    pages = named(canonical(name))
    if not pages:
        near = meant(name)
        hint = f"did you mean {near}?" if near else "`kezuri check --list` shows the rules"
        raise UsageError.because(f"there is no rule {name!r}", hint)
    console.say("\n\n\n".join(page_text(page, console) for page in pages))


def page_text(page: "RulePage", console: Console) -> str:
    """The page as text."""
    words = console.words
    summary, why = page.summary, page.why
    if words("error") != "error" and page.japanese[0]:
        summary, why = page.japanese
    summary = words(summary).rstrip(".。")
    lines = [page.name, "", _wrapped(f"{summary}{'.' if summary.isascii() else '。'}"), ""]
    lines += [f"{words('level')}: {words(page.severity)}"]
    if page.aliases:
        lines.append(f"{words('also called')}: {', '.join(page.shown_aliases)}")
    if page.fix_class:
        lines.append(f"{words('fix')}: {words(FIXES[page.fix_class])}")
    if page.experimental:
        lines.append(words("experimental: asked where --rule or `# check=experimental=` names it"))
    lines += ["", *(_wrapped(paragraph) for paragraph in words(why).split("\n")), ""]
    for title, example in (("bad", page.bad), ("good", page.good)):
        lines += [f"{words(title)}:", "", *_example(example), ""]
    if page.url:
        lines += [f"{words('see')}: {page.url}", ""]
    lines.append(f"{words('to leave it out')}: # kezuri ignore={page.name}")
    return "\n".join(lines)


FIXES = {
    "A": "A, proved by two plans",
    "V": "V, proved by two builds",
    "D": "D, needs data from elsewhere",
}
"""What a fix of each class needs before it is kept."""


def _example(example: "Example") -> list[str]:
    lines = [f"  {line}".rstrip() for line in example.text.rstrip("\n").split("\n")]
    if example.ignore:
        lines += ["", "  .dockerignore:", *(f"    {line}" for line in example.ignore.rstrip("\n").split("\n"))]
    return lines


def _document(page: "RulePage") -> dict[str, Any]:
    summary, why = page.japanese
    return {
        "rule": page.name,
        "aliases": list(page.aliases),
        "level": page.severity,
        "fix": page.fix_class,
        "experimental": page.experimental,
        "summary": page.summary,
        "why": page.why,
        "japanese": {"summary": summary, "why": why},
        "url": page.url,
    }


def _wrapped(text: str) -> str:
    """A paragraph in lines of a hundred cells or less, where it has blanks to break at."""
    from textwrap import wrap

    from kezuri.cli.screen_text import width

    if text.startswith(("```", "    ", "- ", "* ")) or width(text) > 1.2 * len(text):
        return text  # one of Japanese is broken anywhere, by the terminal
    return "\n".join(wrap(text, 100, break_long_words=False, break_on_hyphens=False)) or text
