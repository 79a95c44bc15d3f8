"""The journal of builds: what each step of the last builds was keyed with, and what became of it."""

import json
import zlib
from collections.abc import Iterable
from typing import Literal, NamedTuple

from kezuri.cache.question import project_of
from kezuri.plan.key import Components
from kezuri.progress.events import StepName
from kezuri.store.database import Database

PER_PROJECT = 20
IN_ALL = 200
"""How many builds are remembered; the oldest go first."""

JournalOutcome = Literal["cached", "shared", "ran", "failed", "canceled", "not reached"]
"""`cached`: found. `shared`: an equal step of the same build made it. `canceled`: something else failed meanwhile."""

Miss = Literal["", "no-cache", "no-cache-filter", "absent", "lost"]
"""Why an earlier result was not used: not to be looked for, none there, or its layer is gone."""

UNKNOWN = -1.0
"""The start of what was not performed, or of what an earlier version of kezuri wrote down."""

_VERSION = 2
"""Builds of version 1 are read, too: see `_of_version_1`; and those of this version that have no starts."""


class Asked(NamedTuple):
    """What a build was asked for: the context's directory (`-` for standard input), the Dockerfile's path, the target
    as written, the platforms, and the directory in which the command was given."""

    context: str
    dockerfile: str
    target: str
    platforms: tuple[str, ...]
    directory: str

    @property
    def project(self) -> str:
        """Builds of the same project are compared with each other."""
        return project_of(self)


class Source(NamedTuple):
    """Where the files of a component come from: `kind` is context, stage, image or remote; `name` the context's or the
    image's, `stage` the stage's number, `digest` the image's."""

    component: str
    kind: str
    name: str = ""
    stage: int = -1
    digest: str = ""


class JournalStep(NamedTuple):
    """A step in the journal.

    `number` counts the steps of a build from 1, `position` those of a stage from 0; `name` is what progress calls it.
    `line` is the Dockerfile's, of the FROM for a `trigger` (ONBUILD). `components` are empty when the
    step was not reached. `state` is what the stage's files were after it, empty if it gave none. `kept` is false when
    the result was not believed. `arguments` are the names of the ARGs that it sees.
    """

    number: int
    stage: int
    position: int
    name: StepName
    kind: str
    line: int
    trigger: bool
    key: str
    components: Components
    outcome: JournalOutcome
    seconds: float
    layer: str
    state: str
    miss: Miss
    kept: bool
    message: str
    made: bool
    """Whether a found result was made after this build had begun: by another one, at the same time."""
    sources: tuple[Source, ...]
    arguments: tuple[str, ...]
    origin: str = ""
    """The imported cache that a found result is of; empty for the store's own."""
    start: float = UNKNOWN
    """How many seconds after the build it began, where it was performed and that was written down."""

    @property
    def title(self) -> str:
        """The instruction as it is written."""
        return self.name.title

    @property
    def place(self) -> str:
        """Where it stands, as progress says it: `build 3/6`."""
        return self.name.place


class JournalStage(NamedTuple):
    """A stage in the journal. `base_kind` is image, stage or scratch; `base` the image's name, `base_stage` the
    stage's number, `digest` the image's; `state` what its files were at the beginning, empty if it was not reached.
    `seconds` is how long its base was fetched, listed or unpacked, and `start` how many seconds after the build that
    began; UNKNOWN where nothing was done for it, or that was not written down."""

    number: int
    name: str
    label: str
    platform: str
    base_kind: str
    base: str
    base_stage: int
    digest: str
    state: str
    steps: tuple[JournalStep, ...]
    start: float = UNKNOWN
    seconds: float = 0.0


class Heading(NamedTuple):
    """A build without its steps. `began` and `repeated` are seconds since the epoch; `repeated` is when a build last
    found everything again, 0 for never."""

    number: int
    asked: Asked
    began: float
    repeated: float

    @property
    def last(self) -> float:
        """When it was last built."""
        return max(self.began, self.repeated)


class JournalBuild(NamedTuple):
    """A build in the journal. `error` is empty when it succeeded."""

    heading: Heading
    seconds: float
    error: str
    stages: tuple[JournalStage, ...]

    @property
    def steps(self) -> tuple[JournalStep, ...]:
        """All steps, in their order."""
        return tuple(step for stage in self.stages for step in stage.steps)

    def stage(self, number: int) -> JournalStage | None:
        """The stage of this number."""
        return next((stage for stage in self.stages if stage.number == number), None)


class Journal:
    """The journal of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, build: JournalBuild, fingerprint: str) -> int:
        """Write a build down, and forget the oldest ones; its number."""
        asked = build.heading.asked
        text = json.dumps([_VERSION, build.seconds, build.error, build.stages], separators=(",", ":"))
        data = zlib.compress(text.encode(), 1)
        with self._database.transaction():
            self._database.run(
                "INSERT INTO build VALUES (NULL, ?, ?, ?, 0.0, ?, ?)",
                *(asked.project, json.dumps(asked), build.heading.began, fingerprint, data),
            )
            number = self._database.row("SELECT last_insert_rowid()")
            assert number is not None
            self._trim()
        return int(number[0])  # type: ignore[call-overload, no-any-return]

    def _trim(self) -> None:
        counts: dict[str, int] = {}
        for place, heading in enumerate(reversed(self._headings())):
            project = heading.asked.project
            counts[project] = counts.get(project, 0) + 1
            if place >= IN_ALL or counts[project] > PER_PROJECT:
                self._drop(heading)

    def _headings(self) -> list[Heading]:
        """Every build that is remembered, in the order in which they began to be so."""
        rows = self._database.rows("SELECT number, asked, began, repeated FROM build ORDER BY number")
        return [_heading(*row) for row in rows]  # type: ignore[arg-type]

    def _drop(self, heading: Heading) -> None:
        self._database.run("DELETE FROM build WHERE number = ?", heading.number)

    def headings(self) -> tuple[Heading, ...]:
        """Every build that is remembered, in the order of the last time, the latest first."""
        return tuple(sorted(self._headings(), key=lambda h: (h.last, h.number), reverse=True))

    def read(self, heading: Heading) -> JournalBuild | None:
        """The build; None when it is not remembered any more, was written by another version, or is damaged."""
        row = self._database.row("SELECT data FROM build WHERE number = ?", heading.number)
        if row is None:
            return None
        try:
            version, *rest = json.loads(zlib.decompress(row[0]))  # type: ignore[arg-type]
            if version not in (1, _VERSION):
                return None
            seconds, error, stages = rest
            if version == 1:
                for *_, steps in stages:
                    steps[:] = map(_of_version_1, steps)
            return JournalBuild(heading, seconds, error, tuple(_stage(s) for s in stages))
        except (zlib.error, ValueError, TypeError, AttributeError):
            return None

    def forget(self, before: float, keep: Iterable[str] = ()) -> None:
        """Forget the builds that were last made before the moment (seconds since the epoch), except for the last one
        of each of the projects to `keep`."""
        kept = set(keep)
        for heading in self.headings():
            project = heading.asked.project
            if project in kept:
                kept.discard(project)
            elif heading.last < before:
                self._drop(heading)

    def digests(self) -> set[str]:
        """The content digests that the builds speak of."""
        found: set[str] = set()
        for heading in self.headings():
            build = self.read(heading)
            for step in build.steps if build is not None else ():
                found.update(value for name, value in step.components if name.startswith("files"))
        return found


def _heading(number: int, asked: str, began: float, repeated: float) -> Heading:
    context, dockerfile, target, platforms, directory = json.loads(asked)
    return Heading(number, Asked(context, dockerfile, target, tuple(platforms), directory), began, repeated)


def _stage(values: list[object]) -> JournalStage:
    stage = JournalStage(*values)  # type: ignore[arg-type]
    return stage._replace(steps=tuple(_step(s) for s in stage.steps))  # type: ignore[arg-type]


def _step(values: list[object]) -> JournalStep:
    step = JournalStep(*values)  # type: ignore[arg-type]
    return step._replace(
        name=StepName(*step.name),
        components=tuple((name, value) for name, value in step.components),
        sources=tuple(Source(*s) for s in step.sources),
        arguments=tuple(step.arguments),
    )


def _of_version_1(values: list[object]) -> list[object]:
    """A step as version 1 wrote it. It kept the text that progress showed (`linux/amd64->arm64 build 3/6`) where there
    is a name now; no name of a stage has a space or an arrow in it."""
    number, stage, position, place, kind, title, *rest = values
    where, _, count = str(place).rpartition(" ")
    step, _, of = count.partition("/")
    platform, _, label = where.rpartition(" ")
    own, _, target = platform.partition("->")
    if target and target.partition("/")[0] not in ("linux", "windows"):
        # The operating system was left out where it is the stage's own.
        target = f"{own.partition('/')[0]}/{target}"
    name = (title, int(step or 0), int(of or 0), label, own, target)
    return [number, stage, position, name, kind, *rest]
