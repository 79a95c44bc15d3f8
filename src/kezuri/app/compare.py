"""`compare`: two images, or two Dockerfiles that are built for it, beside each other: every figure measured."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.values import Anatomy
from kezuri.app.anatomy import Named, opened_with_figures
from kezuri.app.compare_builds import Builds, BuiltSide
from kezuri.app.compare_pulls import Pullable, pulls
from kezuri.app.compare_request import CompareRequest, Program
from kezuri.app.image_files import ImagePath
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.comparison.rows import figure
from kezuri.comparison.sizes import size_figures
from kezuri.comparison.values import Comparison, Conditions, Figure, Reading, Side
from kezuri.diagnostics import KezuriError
from kezuri.progress.events import Listener, WorkName
from kezuri.progress.reporter import Reporter
from kezuri.source.reading import USUAL
from kezuri.tree.tree import Tree

if TYPE_CHECKING:
    from kezuri.app.known_faults import KnownFaults

_IMAGE = "an image is not built"


class _Looked(NamedTuple):
    """One side, looked at."""

    side: Side
    anatomy: Anatomy
    user: str
    setids: int


class _Column:
    """One side while it is measured: the settings with which its image is found, and its name there."""

    def __init__(self, settings: Settings, name: str, shown: str, built: BuiltSide | None) -> None:
        self.settings = settings
        self.name = name
        self.shown = shown
        self.built = built


Onlooker = Callable[[Dissection, Anatomy], None]
"""Is shown both images, one after the other, while they can be looked at."""


def compare(
    settings: Settings,
    request: CompareRequest,
    program: Program,
    listener: Listener,
    onlooker: Onlooker = lambda image, anatomy: None,
) -> Comparison:
    """The table. KezuriError when there is no such image, or a build fails; what else cannot be measured is told."""
    reporter = Reporter(listener)
    for name in (request.before, request.after):
        _dockerfile(name)  # what is missing is told before anything is built
    with ExitStack() as held:
        session = held.enter_context(Session(settings, reading=True))
        place = held.enter_context(session.store.scratch("compare"))
        builds = held.enter_context(Builds(settings, request, program, reporter, place))
        columns = [
            _column(settings, name, word, builds)
            for name, word in zip((request.before, request.after), ("before", "after"))
        ]
        sides = [column.built for column in columns if column.built is not None]
        builds.measure(sides, request.runs if request.builds else 1, request.builds)
        told: list[str] = [each for built in sides for each in built.told]
        platform = request.build.platforms[0] if request.build.platforms else ""
        looked = []
        for column in columns:
            with reporter.step(WorkName(f"look at {column.shown}")):
                looked.append(_look(column, platform, onlooker))
            told += looked[-1].anatomy.told
        figures = [*size_figures(looked[0].anatomy, looked[1].anatomy)]
        if sides:
            figures += _build_figures(columns, request)
        conditions = _conditions(request)
        if request.pulls:
            images = [
                Pullable(column.settings, column.name, column.shown, each.side.platform)
                for column, each in zip(columns, looked)
            ]
            times, registry = pulls(images, request, program, reporter, place)
            figures.append(figure("pull", times))
            conditions = conditions._replace(bandwidth=request.bandwidth, rtt=request.rtt, registry=registry)
        figures += _safety_figures(looked)
        if settings.db and os.path.isfile(settings.db):
            with reporter.step(WorkName("ask what is known to be broken")):
                figures += _fault_figures(columns, platform, told)
        else:
            told.append("known faults are not compared: there is no database of advisories (`kezuri db update`)")
        if request.checks:
            with reporter.step(WorkName("check")):
                figures += _findings(columns, request, platform, settings)
        edited = tuple(built.edited for built in sides if built.edited)
        return Comparison(
            looked[0].side,
            looked[1].side,
            tuple(figures),
            conditions._replace(edited=edited),
            tuple(dict.fromkeys(told)),
        )


def _column(settings: Settings, name: str, word: str, builds: Builds) -> _Column:
    dockerfile = _dockerfile(name)
    if not dockerfile:
        return _Column(settings, name, name, None)
    built = builds.side(word, dockerfile, name)
    return _Column(built.settings, built.image, dockerfile, built)


def _dockerfile(name: str) -> str:
    """The Dockerfile that a word of the command line means; empty where it names an image. What is there as a file or a
    directory is no image, unless its name says where that is. KezuriError for a directory without one."""
    if ImagePath.parse(name).word:
        return ""
    if os.path.isdir(name):
        found = next((path for each in USUAL if os.path.isfile(path := os.path.join(name, each))), "")
        if not found and ("/" in name or name in (".", "..")):
            hint = f"an OCI layout is oci:{name}" if os.path.exists(os.path.join(name, "oci-layout")) else ""
            raise KezuriError.of(f"there is no Dockerfile in {name}", hint=hint, exit_code=2)
        return found
    if os.path.basename(name).startswith("Dockerfile") and not os.path.exists(name):
        raise KezuriError.of(f"there is no file {name}", exit_code=2)  # no image has capitals in its name
    return name if os.path.isfile(name) else ""


def _look(column: _Column, platform: str, onlooker: Onlooker) -> _Looked:
    with (
        Session(column.settings, reading=True) as session,
        opened_with_figures(session, Named(column.name, platform)) as (image, anatomy),
    ):
        kind = image.config.platform
        onlooker(image, anatomy._replace(name=column.shown))
        side = Side(column.shown, "image" if column.built is None else "dockerfile", image.digest, str(kind))
        return _Looked(side, anatomy, image.config.user or "root", sum(1 for _ in set_ids(image.tree)))


def set_ids(tree: Tree) -> Iterator[str]:
    """The paths of all files that run as their owner or group."""
    todo = [""]
    while todo:
        for found in tree.scan(todo.pop()):
            entry = found.entry
            if entry.kind == "dir":
                todo.append(entry.path)
            elif entry.kind == "file" and entry.mode & 0o6000:
                yield entry.path


def _build_figures(columns: list[_Column], request: CompareRequest) -> Iterator[Figure]:
    rows: tuple[tuple[str, Callable[[BuiltSide], Reading]], ...] = (
        ("build.cold", lambda built: built.reading(built.cold)),
        ("build.unchanged", lambda built: built.reading(built.unchanged)),
        ("build.edit", lambda built: built.reading(built.edit, built.not_edited)),
        ("context", lambda built: Reading((built.context_size,))),
    )
    for key, of in rows:
        if request.builds or key == "context":
            yield figure(key, (_of(column, of) for column in columns))


def _of(column: _Column, of: Callable[[BuiltSide], Reading]) -> Reading:
    return of(column.built) if column.built is not None else Reading(absent=_IMAGE)


def _safety_figures(looked: list[_Looked]) -> Iterator[Figure]:
    yield figure("user", (Reading(text=each.user) for each in looked))
    yield figure("setid", (Reading((each.setids,)) for each in looked))


def _fault_figures(columns: list[_Column], platform: str, told: list[str]) -> list[Figure]:
    from kezuri.app.known_faults import KnownFaults, known_faults
    from kezuri.app.sbom import BillRequest

    known: list[KnownFaults | str] = []
    for column in columns:
        try:
            found = known_faults(column.settings, BillRequest(column.name, platform, image=True))
            known.append(found)
            if found.unasked:
                told.append(f"{column.shown}: {found.unasked} of {found.packages} packages could not be asked about")
        except KezuriError as error:
            known.append(error.diagnostics[0].message)
    return [
        figure(key, (Reading(absent=each) if isinstance(each, str) else Reading((of(each),)) for each in known))
        for key, of in (("faults", _number), ("faults.severe", _severe))
    ]


def _number(known: "KnownFaults") -> int:
    return sum(number for _, number in known.faults)


def _severe(known: "KnownFaults") -> int:
    return sum(number for severity, number in known.faults if severity in ("critical", "high"))


def _findings(columns: list[_Column], request: CompareRequest, platform: str, settings: Settings) -> Iterator[Figure]:
    if any(column.built is not None for column in columns):
        yield figure("findings.dockerfile", (_dockerfile_findings(column, request, settings) for column in columns))
    yield figure("findings.image", (_image_findings(column, platform) for column in columns))


def _dockerfile_findings(column: _Column, request: CompareRequest, settings: Settings) -> Reading:
    if column.built is None:
        return Reading(absent=_IMAGE)
    from kezuri.app.lint import CheckRequest, check_all

    asked = CheckRequest(
        (column.shown,),
        column.built.context,
        request.build.target,
        arguments=request.build.build_args,
        environ=os.environ,
        today=request.today,
    )
    checks = check_all(asked, lambda: settings)
    if checks.unread:
        return Reading(absent=checks.unread[0].message)
    return Reading((sum(len(sheet.told) for sheet in checks.sheets),))


def _image_findings(column: _Column, platform: str) -> Reading:
    from kezuri.app.image_check import check_named
    from kezuri.check.selection import Selection

    try:
        return Reading((len(check_named(column.settings, column.name, platform, Selection()).sheet.told),))
    except KezuriError as error:
        return Reading(absent=error.diagnostics[0].message)


def _conditions(request: CompareRequest) -> Conditions:
    machine = os.uname()
    return Conditions(
        runs=request.runs,
        processors=os.cpu_count() or 0,
        system=f"{machine.sysname} {machine.release} {machine.machine}",
    )
