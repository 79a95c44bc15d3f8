"""Waiting for changes of what a build reads: `build --watch`."""

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

from kezuri.app.definition import Definition
from kezuri.app.directories_read import directories_below, directories_read
from kezuri.app.forecast import foresee
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.forecast.foresight import Foresight
from kezuri.forecast.step import ForecastStep
from kezuri.linux.inotify import Change, Watcher
from kezuri.progress.reporter import Reporter
from kezuri.tree.directory import DirectoryTree

_TICK = 0.5
_QUIET = 0.1
"""Seconds without a change after which a batch of changes is over: editors and checkouts make many at once."""
_LONGEST = 2.0
_MOST_PATHS = 200
_MOST_NAMED = 5


_Keys = dict[tuple[int, int], tuple[str, ...]]
"""The keys that each step can have, by stage and position."""


class Awaited(NamedTuple):
    """What changed, as paths, and the steps that run because of it, as far as can be told before."""

    paths: tuple[str, ...]
    steps: tuple[str, ...]


class Watch:
    """Waits for changes of the files that the steps of a build read, and of those that decide what the steps are.

    Use it in a `with`: `look` before each build, so that what changes during it counts, and `wait` after it.
    """

    def __init__(self, request: BuildRequest, settings: Settings) -> None:
        """KezuriError, exit code 2, for a build that reads what cannot be watched, or read twice."""
        _check(request)
        # A change is judged at once: caches elsewhere are the build's business.
        self._request = later(request)._replace(cache_from=())
        self._settings = settings
        outputs = (getattr(output, "dest", "") for output in request.outputs)
        salvage = (each.dest for each in request.salvage)
        own = (*outputs, *salvage, request.iidfile, request.metadata_file, settings.root)
        self._own = tuple(os.path.realpath(path) for path in own if path)
        self._trees: dict[str, DirectoryTree] = {}
        self._watcher = Watcher()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.__exit__(kind, error, trace)

    def look(self) -> None:
        """Watch what a build reads now. A Dockerfile of which there is no plan is watched with its directory, and what
        was watched before stays so."""
        with ExitStack() as held:
            root = os.path.abspath(self._request.context)
            file = os.path.abspath(self._request.file) if self._request.file else os.path.join(root, "Dockerfile")
            self._add(root)
            self._add(os.path.dirname(file))
            try:
                session = held.enter_context(Session(self._settings))
                definition = Definition(self._request, session, Reporter(_silent), _silent, held)
                plan = definition.plan()
                contexts = definition.contexts(plan)
            except KezuriError:
                return  # the build says so
            trees = {name: c.tree for name, c in contexts.items() if isinstance(c.tree, DirectoryTree)}
            self._trees = {tree.root: tree for tree in trees.values()}
            for directory in directories_read(plan, trees):
                self._add(directory)
            for tree in trees.values():
                self._add(tree.root)

    def unwatched(self) -> tuple[str, ...]:
        """The named contexts whose changes are not seen: images, and what is fetched from elsewhere."""
        return tuple(
            f"{name}={value}"
            for name, value in self._request.build_contexts
            if "://" in value or not os.path.isdir(value)
        )

    def wait(self, good: bool, idle: Callable[[], None]) -> Awaited:
        """Wait for a change because of which another build is due; `good`: the last one succeeded, so that none is due
        where all keys are the same as then. `idle` is called some times a second."""
        changes = self._changes(0)
        built = self._keys() if good and not changes else None
        changes += self._changes(0)
        if changes:
            built = None  # made while the build, or this, looked at the files
        while True:
            paths, appeared = self._batch(changes or self._changes(_TICK))
            awaited = self._judged(paths, appeared, built) if paths else None
            if awaited is not None:
                return awaited
            idle()
            changes = []

    def __len__(self) -> int:
        return len(self._watcher)

    def _changes(self, seconds: float) -> list[Change]:
        """What changed, without what the build itself writes."""
        return [each for each in self._watcher.changes(seconds) if not (each.path and self._is_own(each.path))]

    def _keys(self) -> _Keys | None:
        """The keys that the steps have now; None where they cannot be known."""
        try:
            foresight = foresee(self._request, self._settings, _silent)
        except KezuriError:
            return None
        return {(step.stage, step.position): step.keys for step in foresight.steps}

    def _batch(self, changes: list[Change]) -> tuple[tuple[str, ...], bool]:
        """What changed, once it is quiet again, and whether directories are new."""
        end = monotonic() + _LONGEST
        paths: dict[str, None] = {}
        appeared = False
        while changes:
            for change in changes:
                paths[change.path] = None
                if change.appeared:
                    appeared = True
                    self._enter(change.path)
            changes = self._changes(_QUIET) if monotonic() < end else []
        return tuple(paths), appeared

    def _judged(self, paths: tuple[str, ...], appeared: bool, built: _Keys | None) -> Awaited | None:
        if "" in paths or len(paths) > _MOST_PATHS:
            return Awaited(("many files",), ())  # more than is worth asking about: the build finds out
        try:
            foresight, due = self._due(paths, built)
        except KezuriError:
            return Awaited(tuple(map(_shown, paths)), ())
        if not due and not _decides(foresight) and not (appeared and built is None):
            return None
        running = tuple(_title(foresight, step) for step in due if step.outcome != "cached")
        return Awaited(tuple(map(_shown, self._counting(paths))), running)

    def _due(self, paths: tuple[str, ...], built: _Keys | None) -> tuple[Foresight, list[ForecastStep]]:
        """The steps that are not what they were, or without a build to compare with, that the paths can change."""
        if built is not None:
            foresight = foresee(self._request, self._settings, _silent)
            due = [step for step in foresight.steps if step.keys != built.get((step.stage, step.position))]
            if due:
                return foresight, due
        foresight = foresee(self._request, self._settings, _silent, paths)
        return foresight, [] if built is not None else _affected(foresight)

    def _counting(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Of a few paths those that steps read, or that decide what the steps are."""
        if not 1 < len(paths) <= _MOST_NAMED:
            return paths
        counting = []
        for path in paths:
            try:
                foresight = foresee(self._request, self._settings, _silent, (path,))
            except KezuriError:
                return paths
            if _affected(foresight) or _decides(foresight):
                counting.append(path)
        return tuple(counting) or paths

    def _is_own(self, path: str) -> bool:
        """Whether the build itself writes there, or at the name that a file of it has before it is whole."""
        directory, name = os.path.split(path)
        for own in self._own:
            above, own_name = os.path.split(own)
            if path == own or path.startswith(own.rstrip("/") + "/"):
                return True
            if directory == above and name.startswith(f".{own_name}.") and name.endswith(".part"):
                return True
        return False

    def _enter(self, path: str) -> None:
        """Watch a directory that is new, with what is in it, as far as ignore rules show it."""
        for root, tree in self._trees.items():
            if path.startswith(root.rstrip("/") + "/"):
                for directory in directories_below(tree, path[len(root.rstrip("/")) + 1 :]):
                    self._add(tree.host_path(directory))

    def _add(self, directory: str) -> None:
        if self._is_own(os.path.realpath(directory)):
            return
        try:
            self._watcher.add(directory)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise KezuriError.of(
                f"the kernel watches no more than {len(self._watcher)} directories for this user",
                hint="leave directories out with .dockerignore, or raise it: sysctl fs.inotify.max_user_watches=524288",
                exit_code=125,
            ) from None


def later(request: BuildRequest) -> BuildRequest:
    """The request as it is for builds after the first one: what runs everything anew holds once."""
    return request._replace(no_cache=False, no_cache_filter=(), pull=False)


def _check(request: BuildRequest) -> None:
    remote = "://" in request.context or "@" in request.context or request.context.startswith("github.com/")
    reason = ""
    if request.context == "-":
        reason = "the context comes from standard input"
    elif remote and not os.path.isdir(request.context):
        reason = f"the context {request.context} is not on this machine"
    elif request.file == "-":
        reason = "the Dockerfile comes from standard input"
    elif request.file.startswith(("http://", "https://")):
        reason = "the Dockerfile is not on this machine"
    elif any(secret.kind == "stdin" for secret in request.secrets):
        reason = "a secret comes from standard input, which is read once"
    elif any(getattr(output, "dest", "") == "-" for output in request.outputs):
        reason = "an output goes to standard output"
    if reason:
        raise KezuriError.of(f"--watch is not possible: {reason}", hint="watch a directory", exit_code=2)


def _affected(foresight: Foresight) -> list[ForecastStep]:
    change = foresight.change
    return [s for s in foresight.steps if change is not None and (s.stage, s.position) in change.affected]


def _decides(foresight: Foresight) -> bool:
    """Whether what changed decides what the steps are."""
    change = foresight.change
    return change is not None and any(cause.role in ("dockerfile", "ignore") for cause in change.causes)


def _title(foresight: Foresight, step: ForecastStep) -> str:
    stage = next(stage for stage in foresight.stages if stage.number == step.stage)
    label = f"{stage.label} " if len(foresight.stages) > 1 else ""
    return f"[{label}{step.position + stage.first}/{stage.last}] {step.title}"


def _shown(path: str) -> str:
    """The path from the current directory on, where it lies below it."""
    here = os.getcwd().rstrip("/") + "/"
    return path.removeprefix(here)


def _silent(event: object) -> None:
    """Hears what the build will tell once more."""
