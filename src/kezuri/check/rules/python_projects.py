"""Python projects: what installs the project itself, and plugins that are not there any more."""

from collections.abc import Iterator

from kezuri.check.course import Act, courses, within
from kezuri.check.managers import POETRY, UV
from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.stack import project_toml, section
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Copy, Run

_FILES = frozenset(
    ("pyproject.toml", "uv.lock", "poetry.lock", "poetry.toml", ".python-version", "uv.toml", "requirements.txt")
)


class ProjectWithoutSource(Rule):
    """uv or Poetry installs the project before its source is there."""

    name = "ProjectWithoutSource"
    summary = "A project can be installed only where its source is"
    why = (
        "`uv sync` and `poetry install` install the project itself, too. Where only pyproject.toml and the "
        "lock file were "
        "copied there is nothing to install: a project with a build system ends with `Unable to determine "
        "which files to "
        "ship`. `--no-install-project` (Poetry: `--no-root`) leaves it out.\n\nIt is an `error` where "
        "pyproject.toml shows "
        "that the project is a package, and `info` where it cannot be read."
    )
    japanese = (
        "プロジェクト自体のインストールにはソースが要る",
        "`uv sync` と `poetry install` はプロジェクト自体もインストールします。pyproject.toml "
        "とロックファイルしかコピーしていないと、"
        "インストールするものがなく、ビルドシステムを持つプロジェクトは `Unable to determine which files to "
        "ship` で失敗します。"
        "`--no-install-project`（Poetry では `--no-root`）を付けます。",
    )
    severity = "error"
    fix_class = "V"
    bad = Example(
        "FROM python:3.12-slim\nRUN pip install uv==0.9.11\nWORKDIR /app\nCOPY pyproject.toml uv.lock ./\n"
        "RUN uv sync --frozen\nCOPY . .\n",
        files={"pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n', "uv.lock": ""},
    )
    good = Example(
        "FROM python:3.12-slim\nRUN pip install uv==0.9.11\nWORKDIR /app\nCOPY pyproject.toml uv.lock ./\n"
        "RUN uv sync --frozen --no-install-project\nCOPY . .\n",
        files={"pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n', "uv.lock": ""},
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            there: set[str] = set()
            brought: list[str] = []
            for step in walked.whole(course):
                copy = step.instruction
                if isinstance(copy, Copy):
                    names = {w.rstrip("/").rsplit("/", 1)[-1].rstrip("*") for w in step.sources}
                    if step.origin is None and not copy.heredocs and names <= _FILES:
                        there |= names
                    else:
                        brought.append(step.to)
                    continue
                for act in step.acts if step.stage == course.number else ():
                    use = act.use
                    if use is None or use.manager not in (UV, POETRY) or use.deed != "install" or not use.source:
                        continue
                    assert isinstance(copy, Run)
                    bound = any(("type", "bind") in m.options for m in copy.mounts)
                    source = any(within(to, act.cwd) or within(act.cwd, to) for to in brought)
                    if use.words or source or bound or "pyproject.toml" not in there or _touches(step.acts):
                        continue
                    level = _package(subject, use.manager.name)
                    if level is None:
                        continue
                    flag = "--no-install-project" if use.manager is UV else "--no-root"
                    said = " ".join(w.text for w in act.command.words[:2])
                    text = f"`{said}` installs the project, and its source is not there yet"
                    end = act.text.span(act.command.words[-1].span).end
                    fix = Fix(
                        f"add {flag}",
                        (Edit(act.text.span(act.command.words[-1].span)._replace(start=end), f" {flag}"),),
                        "V",
                    )
                    yield Finding(
                        self, text, copy.node, act.text.span(act.command.span), fix, f"add {flag}", level=level
                    )


class PoetryExportWithoutPlugin(Rule):
    """`poetry export` with a Poetry that does not know it."""

    name = "PoetryExportWithoutPlugin"
    summary = "`poetry export` needs the plugin poetry-plugin-export"
    why = (
        "Since Poetry 2.0 `export` is a plugin that is not installed with Poetry. Where Poetry has no version "
        "the build "
        "takes 2, and ends with `The requested command export does not exist`. Install `poetry-plugin-export` "
        "as well."
    )
    japanese = (
        "`poetry export` にはプラグイン poetry-plugin-export が要る",
        "Poetry 2.0 から `export` は別にインストールするプラグインです。バージョンを書かないと Poetry 2 "
        "が入り、`The requested command export "
        "does not exist` で失敗します。`poetry-plugin-export` もインストールします。",
    )
    severity = "error"
    fix_class = "V"
    bad = Example("FROM python:3.12-slim\nRUN pip install poetry\nRUN poetry export -f requirements.txt -o req.txt\n")
    good = Example(
        "FROM python:3.12-slim\nRUN pip install poetry poetry-plugin-export\n"
        "RUN poetry export -f requirements.txt -o req.txt\n"
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            installed: Act | None = None
            plugin = False
            for step in walked.whole(course):
                for act in step.acts:
                    words = [w.loose for w in act.command.words]
                    plugin = plugin or any(
                        "plugin-export" in w or "requirements" in w for w in words[1:] if "poetry" in w
                    )
                    if act.use is not None and act.use.deed == "add" and act.use.manager.ecosystem == "python":
                        if any(w.split("[")[0] == "poetry" for w in act.use.words):
                            installed = act
                        plugin = plugin or any("$" in w for w in act.use.words)
                    if act.use is None or act.use.deed != "export" or plugin or installed is None:
                        continue
                    if step.stage != course.number:
                        continue
                    word = next((w for w in installed.command.words if w.loose == "poetry"), None)
                    fix = None
                    if word is not None and installed.command.program in ("pip", "pip3"):
                        span = installed.text.span(word.span)
                        fix = Fix(
                            "install the plugin too",
                            (Edit(span._replace(start=span.end), " poetry-plugin-export"),),
                            "V",
                        )
                    text = "`poetry export` is no command of Poetry 2, which an installation without a version takes"
                    hint = "install poetry-plugin-export beside poetry"
                    node = step.instruction.node
                    yield Finding(self, text, node, act.text.span(act.command.span), fix, hint)


def _package(subject: Subject, manager: str) -> Level | None:
    """How sure it is that the project is one to be installed; None where it surely is none."""
    document = project_toml(subject.surroundings)
    if document is None:
        return "info"
    tool = section(document, "tool")
    if manager == "uv":
        said = section(tool, "uv").get("package")
        if said is False or ("build-system" not in document and said is not True):
            return None
        return "error"
    if section(tool, "poetry").get("package-mode") is False:
        return None
    return "info"


def _touches(acts: tuple[Act, ...]) -> bool:
    """Whether a command of the step makes files that stand for the source."""
    return any(act.command.program in ("touch", "mkdir", "git", "echo", "tar", "unzip") for act in acts)


RULES = (ProjectWithoutSource(), PoetryExportWithoutPlugin())
