"""A stage as its builder goes through it: where each instruction works, as whom, and which commands it runs."""

import posixpath
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from kezuri.check.ground import UNKNOWN, Ground, ground
from kezuri.check.managers import Use, use
from kezuri.check.shell_text import ShellText
from kezuri.check.subject import Subject, used
from kezuri.dockerfile.instructions import Arg, Cmd, Copy, Entrypoint, Env, Instruction, Run, User, Workdir
from kezuri.plan.inputs import BaseImage
from kezuri.plan.stages import StageNames, WrittenStage
from kezuri.shell.script import SimpleCommand

_KEPT = frozenset(
    (
        "NODE_ENV", "CGO_ENABLED", "GOOS", "GOARCH", "HOME", "PATH", "NPM_CONFIG_PRODUCTION", "NPM_CONFIG_OMIT",
        "GOFLAGS", "PNPM_HOME", "UV_CACHE_DIR", "UV_NO_CACHE", "PIP_NO_CACHE_DIR", "PIP_CACHE_DIR",
        "POETRY_CACHE_DIR", "GOPATH", "CARGO_HOME", "GRADLE_USER_HOME", "COMPOSER_HOME",
        "COMPOSER_CACHE_DIR", "YARN_CACHE_FOLDER", "NPM_CONFIG_CACHE", "BUNDLE_PATH", "GEM_HOME",
        "VIRTUAL_ENV", "POETRY_NO_INTERACTION", "YARN_PRODUCTION", "GOMODCACHE", "GOCACHE",
        "BUNDLE_WITHOUT", "npm_config_production", "DEBIAN_FRONTEND", "UV_PROJECT_ENVIRONMENT",
        "POETRY_VERSION",
    )
)  # fmt: skip
"""The variables that rules ask for: what each step knows of all the others would be large."""


_MOST_INHERITED = 500
_DEEPEST = 50


class Act(NamedTuple):
    """A command of a RUN, where it stands, where it works, and what it is if it is a package manager's."""

    command: SimpleCommand
    text: ShellText
    cwd: str
    use: Use | None


class Step(NamedTuple):
    """An instruction and what holds when it is reached. Paths are absolute; what nobody knows stays in them as `$NAME`.

    Of a COPY or ADD `sources` are the expanded words and `to` the destination, of a RUN `acts` its commands. `user` is
    what USER said last, empty where nobody did.
    """

    instruction: Instruction
    stage: int
    cwd: str
    user: str
    known: Mapping[str, str]
    sources: tuple[str, ...] = ()
    to: str = ""
    acts: tuple[Act, ...] = ()
    origin: "int | Ground | None" = None
    """Where a COPY takes from: a stage, an image, None for the build context."""


class Course(NamedTuple):
    """A stage: `ground` is the image at the bottom of it, `under` the stage that it stands on, `steps` are its own, and
    `cmd` and `entrypoint` those that hold in the end, inherited ones too."""

    stage: WrittenStage
    ground: Ground
    base: BaseImage | None
    under: int | None
    steps: tuple[Step, ...]
    cwd: str
    user: str
    cmd: Cmd | None
    entrypoint: Entrypoint | None
    known: Mapping[str, str]

    @property
    def number(self) -> int:
        """The stage's."""
        return self.stage.number

    @property
    def name(self) -> str:
        """What it is called; empty for a stage without a name."""
        return self.stage.start.name or ""

    def runs(self) -> Iterator[Step]:
        """Its own RUNs."""
        return (step for step in self.steps if isinstance(step.instruction, Run))

    def copies(self) -> Iterator[Step]:
        """Its own COPYs and ADDs."""
        return (step for step in self.steps if isinstance(step.instruction, Copy))


_DEVELOPMENT = frozenset(
    (
        "dev",
        "development",
        "test",
        "tests",
        "testing",
        "ci",
        "debug",
        "lint",
        "e2e",
        "devcontainer",
        "local",
        "unittest",
    )
)
_BUILDING = frozenset(("build", "builder", "compile", "deps", "dependencies", "install", "cache", "toolchain"))


def words_of(name: str) -> frozenset[str]:
    """The words of a name: `Dockerfile.dev-tools` gives dockerfile, dev, tools."""
    for sign in "-_/\\ ":
        name = name.replace(sign, ".")
    return frozenset(name.lower().split("."))


class Courses:
    """All stages of a file, those that cannot be evaluated too."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.names = StageNames(subject.stages)
        self.all: list[Course] = []
        self._variables: dict[int, dict[str, str]] = {}
        self.notes: dict[tuple[object, ...], object] = {}
        for stage in subject.stages:
            self.all.append(self._walk(stage))
        self._users: dict[int, set[int]] | None = None

    @property
    def last(self) -> Course | None:
        """The stage that becomes the image where no other is asked for."""
        return self.all[-1] if self.all else None

    def image(self) -> Course | None:
        """The last stage, if it is meant to run as an image: not for development or tests by its name or its file's,
        and it says what to start. What `builder` leaves behind is no image either."""
        course = self.last
        if course is None or (course.cmd is None and course.entrypoint is None):
            return None
        said = words_of(course.name) | words_of(self.subject.dockerfile.source.name.rsplit("/", 1)[-1])
        return None if said & (_DEVELOPMENT | _BUILDING) else course

    def used_by(self, number: int) -> set[int]:
        """The stages that stand on this one or take files from it."""
        if self._users is None:
            self._users = {}
            for course in self.all:
                needed = {course.under} if course.under is not None else set()
                needed |= {step.origin for step in course.steps if isinstance(step.origin, int)}
                for step in course.runs():
                    assert isinstance(step.instruction, Run)
                    for mount in step.instruction.mounts:
                        for key, value in mount.options:
                            if key == "from" and value and (other := self.called(value)) is not None:
                                needed.add(other)
                for other in needed:
                    self._users.setdefault(other, set()).add(course.number)
        return self._users.get(number, set())

    def called(self, name: str) -> int | None:
        """The stage that `from=` means by a name or number, None where it is an image."""
        number = self.names.last(name.lower())
        if number is not None:
            return number
        if name.isascii() and name.isdigit() and len(name) < 6 and int(name) < len(self.subject.stages):
            return int(name)
        return None

    def chain(self, course: Course) -> Iterator[Course]:
        """The stage and those under it, nearest first."""
        at: Course | None = course
        while at is not None:
            yield at
            at = self.all[at.under] if at.under is not None else None

    def whole(self, course: Course) -> list[Step]:
        """The steps of the stage after those of the stages under it, first to last."""
        return [step for part in reversed(self.nearest(course)) for step in part.steps]

    def nearest(self, course: Course) -> list[Course]:
        """The stage and those under it, without what is very deep, nearest first."""
        return list(islice(self.chain(course), _DEEPEST))

    def _walk(self, stage: WrittenStage) -> Course:
        subject, escape = self.subject, self.subject.dockerfile.escape
        start = stage.start
        name = _expanded(start.image, subject.survey.arguments, escape)
        under = self.names.earlier(stage, name)
        base: BaseImage | None = None
        cmd: Cmd | None = None
        entrypoint: Entrypoint | None = None
        own = False
        if under is not None:
            lower = self.all[under]
            here, base = lower.ground, lower.base
            cwd, user, known = lower.cwd, lower.user, dict(lower.known)
            cmd, entrypoint = lower.cmd, lower.entrypoint
        else:
            here = ground(name) if "$" not in name else UNKNOWN._replace(text=name)
            facts = subject.evaluated.get(stage.number)
            planned = facts.plan.base if facts is not None and facts.plan is not None else None
            known = {}
            cwd, user = here.directory, ""
            if isinstance(planned, BaseImage) and planned.source not in subject.survey.absent:
                base = planned
                user = planned.config.user
                cwd = planned.config.working_dir or cwd
                known = {k: v for k, _, v in (pair.partition("=") for pair in planned.config.env) if k in _KEPT}
        variables: dict[str, str] = {**known, **self._variables.get(under, {})} if under is not None else dict(known)
        arguments = subject.survey.arguments
        steps: list[Step] = []
        for instruction in stage.instructions:
            if isinstance(instruction, Workdir):
                cwd = joined(cwd, _expanded(instruction.path, variables, escape))
                steps.append(Step(instruction, stage.number, cwd, user, known))
                continue
            if isinstance(instruction, User):
                user = _expanded(instruction.user, variables, escape)
            elif isinstance(instruction, Env):
                changed = {k: _expanded(v, variables, escape) for k, v in instruction.pairs}
                variables.update(changed)
                kept = {k: v for k, v in changed.items() if k in _KEPT}
                if kept:
                    known = {**known, **kept}
            elif isinstance(instruction, Arg):
                for key, value in instruction.pairs:
                    if value is None:
                        value = arguments.get(key)
                    else:
                        value = _expanded(value, variables, escape)
                    if value is not None and key not in variables:
                        variables[key] = value
                        if key in _KEPT:
                            known = {**known, key: value}
            elif isinstance(instruction, Cmd):
                cmd, own = instruction, True
            elif isinstance(instruction, Entrypoint):
                entrypoint, cmd = instruction, cmd if own else None
            if isinstance(instruction, Copy):
                sources = tuple(_expanded(word, variables, escape) for word in instruction.sources)
                to = joined(cwd, _expanded(instruction.destination, variables, escape))
                origin: int | Ground | None = None
                if instruction.source_image is not None:
                    said = _expanded(instruction.source_image, variables, escape)
                    origin = self.called(said)
                    if origin is None:
                        origin = ground(said) if "$" not in said else UNKNOWN._replace(text=said)
                steps.append(Step(instruction, stage.number, cwd, user, known, sources, to, (), origin))
            elif isinstance(instruction, Run):
                acts = tuple(self._acts(instruction, cwd))
                steps.append(Step(instruction, stage.number, cwd, user, known, acts=acts))
            else:
                steps.append(Step(instruction, stage.number, cwd, user, known))
        if len(variables) <= _MOST_INHERITED:
            self._variables[stage.number] = variables
        return Course(stage, here, base, under, tuple(steps), cwd, user, cmd, entrypoint, known)

    def _acts(self, run: Run, cwd: str) -> Iterator[Act]:
        for text in self.subject.scripts(run):
            at = cwd
            for command in text.script.commands:
                if command.program == "cd" and command.arguments and "substitution" not in command.within:
                    at = joined(at, command.arguments[0].loose)
                yield Act(command, text, at, use(command))


def courses(subject: Subject) -> Courses:
    """The stages of the subject, walked once."""
    found = subject.notes.get("courses")
    if not isinstance(found, Courses):
        found = Courses(subject)
        subject.notes["courses"] = found
    return found


def joined(base: str, path: str) -> str:
    """The absolute path of a word that was said in a directory. What begins with a variable is taken for absolute."""
    if path.startswith("$"):
        return posixpath.normpath(path)
    whole = posixpath.normpath(posixpath.join(base, path))
    return whole if whole.startswith("$") else "/" + whole.lstrip("/")


def within(path: str, directory: str) -> bool:
    """Whether an absolute path is the directory or below it."""
    return path == directory or directory == "/" or path.startswith(f"{directory}/")


def _expanded(word: str, variables: Mapping[str, str], escape: str) -> str:
    """The word with what is known; as written where some of it is not."""
    if "$" not in word and "'" not in word and '"' not in word and escape not in word:
        return word
    value = used(word, variables, escape)
    return word if value is None or value.unknown else value.text
