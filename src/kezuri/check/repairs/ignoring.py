"""A .dockerignore made from what lies in the context and from what instructions read."""

from fnmatch import fnmatchcase
from functools import lru_cache

from kezuri.check.course import courses
from kezuri.check.repairs.writing import ending
from kezuri.check.rule import Edit, Fix, NewFile
from kezuri.check.stack import project_toml, stack
from kezuri.check.subject import Subject
from kezuri.check.surroundings import Surroundings
from kezuri.diagnostics import KezuriError, Span
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.instructions import Run

_EVERYWHERE = (
    ".git",
    ".gitignore",
    ".gitattributes",
    ".github",
    ".gitlab-ci.yml",
    ".circleci",
    ".vscode",
    ".idea",
    "**/.DS_Store",
    ".dockerignore",
    "Dockerfile*",
    "docker-compose*.y*ml",
    "compose*.y*ml",
    ".env",
    ".env.local",
    ".env.*.local",
    ".netrc",
    ".pypirc",
)
_BY_ECOSYSTEM = {
    "node": ("**/node_modules", "npm-debug.log*", "yarn-error.log*", "coverage", ".nyc_output", ".next", ".cache"),
    "python": (
        "**/__pycache__",
        "**/*.pyc",
        ".venv",
        "venv",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".tox",
        ".coverage",
    ),
    "java": ("target", ".gradle"),
    "rust": ("target",),
    "ruby": (".bundle", "log", "tmp"),
    "php": ("vendor",),
    "dotnet": ("**/bin", "**/obj"),
}
_BY_NAME = ("node_modules", ".venv", "venv", "__pycache__", ".next", "coverage", ".pytest_cache", ".mypy_cache", ".tox")
_VERSIONED = ("setuptools-scm", "setuptools_scm", "hatch-vcs", "versioningit", "poetry-dynamic-versioning", "dunamai")


def ignore_file(subject: Subject, taken: list[str]) -> Fix | None:
    """The fix: a new file, or lines at the end of the one that is there. A pattern that would leave out what an
    instruction names is not among them."""
    around = subject.surroundings
    if around is None:
        return None
    if subject.ignore is not None:
        lines = [f"**/{name}" if name in ("node_modules", "__pycache__") else name for name in taken]
        lines = [line for line in lines if _harmless(subject, around, line)]
        source = subject.ignore.source
        if not lines or not source.text:
            return None
        newline = ending(source.text)
        text = ("" if source.text.endswith("\n") else newline) + "".join(f"{line}{newline}" for line in lines)
        end = len(source.text)
        edits = (Edit(Span(end, end), text, source),)
        return Fix(f"leave {', '.join(lines[:3])} out", edits, "V", _changes(subject, around, lines))
    wanted = [*_EVERYWHERE]
    for ecosystem in sorted(stack(around).ecosystems):
        wanted += _BY_ECOSYSTEM.get(ecosystem, ())
    present = {name.rstrip("/") for name in around.names()}
    wanted += [name for name in _BY_NAME if name in present and not any(w.endswith(name) for w in wanted)]
    lines = [line for line in dict.fromkeys(wanted) if _harmless(subject, around, line)]
    if not lines:
        return None
    files = (NewFile(".dockerignore", "".join(f"{line}\n" for line in lines)),)
    return Fix("write a .dockerignore", (), "V", _changes(subject, around, lines), files)


def _harmless(subject: Subject, around: Surroundings, line: str) -> bool:
    """Whether nothing that an instruction names, or its commands read, would be left out by the pattern."""
    ignore = _pattern(line)
    if ignore is None:
        return False
    for word in _needed(subject):
        for path in _expanded(around, word):
            below = [f"{path}/{inner.rstrip('/')}" for inner in around.names(path)]
            if any(ignore.matches(one) for one in (path, *below)):
                return False
    name = line.removeprefix("**/").rstrip("*")
    return not any(name in said for said in _spoken(subject, around))


@lru_cache(256)
def _pattern(line: str) -> Ignore | None:
    try:
        return Ignore.parse(line, ".dockerignore")
    except KezuriError:
        return None


def _needed(subject: Subject) -> list[str]:
    """The paths of the context that instructions name, the whole of it left out."""
    found = []
    for course in courses(subject).all:
        for step in course.steps:
            if step.origin is None:
                found += [word.removeprefix("./").strip("/") for word in step.sources]
            if isinstance(step.instruction, Run):
                for mount in step.instruction.mounts:
                    options = dict(mount.options)
                    if "from" not in options and options.get("type", "bind") == "bind":
                        found.append((options.get("source") or options.get("src") or "").removeprefix("./").strip("/"))
    return [word for word in found if word not in ("", ".", "*")]


@lru_cache(256)
def _expanded(around: Surroundings, word: str) -> list[str]:
    if "*" not in word and "?" not in word and "[" not in word:
        return [word]
    directory, _, pattern = word.rpartition("/")
    names = [name.rstrip("/") for name in around.names(directory)]
    return [f"{directory}/{n}" if directory else n for n in names if fnmatchcase(n, pattern)]


def _spoken(subject: Subject, around: Surroundings) -> list[str]:
    """What commands of the file say: a name among them may be read by them."""
    said = []
    for course in courses(subject).all:
        for step in course.steps:
            for act in step.acts:
                said += [word.loose for word in act.command.words]
                if act.command.program == "git":
                    said.append(".git")
        for started in (course.cmd, course.entrypoint):
            said += list(started.command.argv) if started is not None else []
    document = project_toml(around)
    if document is not None and any(tool in str(document.get("build-system")) for tool in _VERSIONED):
        said.append(".git")
    return said


def _changes(subject: Subject, around: Surroundings, lines: list[str]) -> frozenset[str]:
    """What is gone from the image: the names that the patterns fit, where the context is copied to."""
    names = _left_out(around, "\n".join(lines))
    places = {step.to.strip("/") for course in courses(subject).all for step in course.copies() if step.origin is None}
    gone = {f"file.gone {place}/{name}" for place in places for name in names}
    gone |= {f"file.gone {place}/{line}" for place in places for line in lines if line.startswith("**/")}
    return frozenset(word.replace(" /", " ") for word in gone)


@lru_cache(64)
def _left_out(around: Surroundings, lines: str) -> tuple[str, ...]:
    """The names in the context that the patterns fit."""
    ignore = Ignore.parse(lines, ".dockerignore")
    return tuple(name.rstrip("/") for name in around.names() if ignore.matches(name.rstrip("/")))
