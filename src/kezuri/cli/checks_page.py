"""The page docs/checks.md, made from the rules (`python -m kezuri.cli.checks_page`)."""

from kezuri.check.rule import Example, Rule
from kezuri.check.rules import RULES


def page() -> str:
    """docs/checks.md."""
    lines = [
        "# Checks",
        "",
        "This page is made from the rules themselves (`python -m kezuri.cli.checks_page > docs/checks.md`); a test "
        "compares them, and tries every example.",
        "",
        "Every `kezuri build` checks the stages that it builds and prints what it finds in one line each. "
        "`kezuri build --check` builds nothing, looks at all stages (or at those that `--target` needs), and shows "
        "each finding with its place, a way to mend it and a page that says more. It exits with 1 when there is a "
        "warning or an error. `--call=check,format=json` prints what docker prints as JSON.",
        "",
        "Nothing is run and no layer is fetched for a check. Of base images the config is asked for; where a registry "
        "does not answer, what hangs on it is left out and named, and that alone is no error.",
        "",
        "## Choosing",
        "",
        "```dockerfile",
        "# check=skip=JSONArgsRecommended,StageNameCasing;error=true",
        "FROM alpine",
        "",
        "# check=skip=UndefinedVar",
        "COPY $elsewhere /app",
        "```",
        "",
        "A `# check=` line at the top of the file holds for the file: `skip=` leaves rules out (`all`: every one), "
        "`experimental=` asks those that are not asked otherwise, `error=true` makes findings fail a build. The build "
        "argument `BUILDKIT_DOCKERFILE_CHECK` takes its place. Directly above an instruction `skip=` and "
        "`experimental=` hold for it alone; rules that look at the file as a whole are left out at the top only.",
        "",
        "## Rules",
        "",
        "| rule | what should be |",
        "|---|---|",
        *(f"| [{rule.name}](#{rule.name.lower()}) | {_cell(rule)} |" for rule in RULES),
    ]
    for rule in RULES:
        lines += ["", f"### {rule.name}", "", f"{rule.summary.rstrip('.')}.", ""]
        if rule.experimental:
            lines += ["Experimental: asked only with `experimental=`.", ""]
        if rule.file_wide:
            lines += ["Left out at the top of the file only.", ""]
        lines += [rule.why, "", *_example("Bad", rule.bad), "", *_example("Good", rule.good)]
        if rule.url:
            lines += ["", f"See {rule.url}."]
    return "\n".join(lines)


def _cell(rule: Rule) -> str:
    text = rule.summary.split(". ")[0].rstrip(".").replace("|", "\\|")
    return f"{text} (experimental)" if rule.experimental else text


def _example(title: str, example: Example) -> list[str]:
    said = []
    if example.ignore:
        said.append(f"with `{example.ignore.strip()}` in `.dockerignore`")
    if example.base:
        said.append(f"with base images for {example.base}")
    return [
        f"{title}{', ' if said else ''}{' and '.join(said)}:",
        "",
        "```dockerfile",
        *example.text.rstrip("\n").split("\n"),
        "```",
    ]


if __name__ == "__main__":
    print(page())
