"""The process in which one of two compared builds is made: it has surroundings and a store of its own, and tells what
the steps left."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from kezuri.anatomy.walk import Item, walk
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.progress.events import Event
from kezuri.reproduction.traces import MOST
from kezuri.reproduction.values import LeftEntry, Made, StepLeft
from kezuri.tree.content import InTar, TarFiles, hashed
from kezuri.tree.layers import LayerForm, ListedLayer


class Order(NamedTuple):
    """What is asked of a worker: `bring` base images (pairs of a place and a name), `build` a request, or give the
    `contents` of files of a step (stage, position, paths)."""

    what: str
    arguments: tuple[Any, ...]


def serve() -> None:
    """Do what is asked on standard input until it ends, and answer on what was standard output: pickled pairs of
    `event`, `done` or `failed`, and a value. Who asks is the process that started this one."""
    try:
        try:
            _serve()
        finally:
            _Stopped.late = True
    except _Stopped:
        return


def _serve() -> None:
    import gc
    import pickle

    gc.set_threshold(100_000, 20, 20)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    source = os.fdopen(0, "rb")
    settings: Settings = pickle.load(source)
    worker = Worker(settings, _teller(own))
    try:
        while True:
            order = pickle.load(source)
            try:
                answer = ("done", worker.obey(order))
            except KezuriError as error:
                answer = ("failed", (error.diagnostics, error.exit_code))
            except OSError as error:
                why = f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror or error}"
                answer = ("failed", (KezuriError.of(why).diagnostics, 125))
            pickle.dump(answer, own)
            own.flush()
    except (EOFError, BrokenPipeError):
        return  # Nobody asks any more.


class _Stopped(BaseException):
    """Somebody wants this process to end: every `with` is left."""

    late = False
    """Whether everything was left: a signal that comes now finds an interpreter that ends anyway."""


def _stop(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    if not _Stopped.late:
        raise _Stopped


def _teller(own: BinaryIO) -> Callable[[Event], None]:
    import pickle
    import threading

    lock = threading.Lock()

    def tell(event: Event) -> None:
        with lock:
            pickle.dump(("event", event), own)
            own.flush()

    return tell


class Worker:
    """Builds once, and answers what is asked about it."""

    def __init__(self, settings: Settings, listener: Callable[[Event], None]) -> None:
        self._settings = settings
        self._listener = listener
        self._layers: dict[tuple[int, int], str] = {}

    def obey(self, order: Order) -> Any:
        """Do it; KezuriError when that fails."""
        return getattr(self, f"_{order.what}")(*order.arguments)

    def _bring(self, images: Sequence[tuple[str, str]]) -> None:
        from kezuri.app.transfers import CopyRequest, copy_image

        for place, name in images:
            copy_image(self._settings, CopyRequest(place, f"store:{name}"), lambda event: None)

    def _build(self, request: BuildRequest) -> Made:
        from time import time

        from kezuri.app.build import build
        from kezuri.app.why import why
        from kezuri.images.kept import choose

        began = time()
        result = build(request, self._settings, self._listener)
        ended = time()
        explained = why(self._settings)
        steps = []
        with Session(self._settings, reading=True) as session:
            session.privilege.own()
            for answer in explained.steps:
                step = answer.step
                if not step.layer or step.outcome not in ("ran", "cached", "shared"):
                    continue
                self._layers[step.stage, step.position] = step.layer
                stages = tuple(source.stage for source in step.sources if source.kind == "stage")
                entries = _entries(session, step.layer)
                steps.append(
                    StepLeft(
                        *(step.stage, step.position, step.place, step.title, step.line, step.kind, stages, entries)
                    )
                )
            config = choose(session.store, result.digest, "").config.to_json() if result.digest else {}
        return Made(result.digest, config, tuple(steps), began, ended, len(os.sched_getaffinity(0)))

    def _contents(self, stage: int, position: int, paths: Sequence[str]) -> Mapping[str, bytes]:
        with Session(self._settings, reading=True) as session:
            session.privilege.own()
            form, _ = _form(session, self._layers[stage, position])
            wanted = {path: found.content for path in paths if (found := form.find(path)) is not None}
            read: dict[str, bytes] = {}
            tars: dict[TarFiles, dict[str, str]] = {}
            for path, content in wanted.items():
                if isinstance(content, InTar):
                    tars.setdefault(content.tar, {})[content.path] = path
                elif isinstance(content, bytes):
                    read[path] = content
                elif content is not None:
                    with open(content, "rb") as file:
                        read[path] = file.read(MOST)
            for tar, names in tars.items():
                for name, _, data in tar.read(names.keys()):
                    read[names[name]] = data.read(MOST)
            return read


def _form(session: Session, layer: str) -> tuple[LayerForm, bool]:
    """The layer's files as they leave, where it leaves, else as they are; and whether they leave."""
    if any(row.digest for row in session.store.database.forms(layer)):
        return session.forms.packed([layer])[0], True
    return session.forms.view([layer]).layers[0], False


def _entries(session: Session, layer: str) -> dict[str, LeftEntry]:
    """What a step left. Times count where they leave with the image only: a copy takes them along, and is a step."""
    form, leaves = _form(session, layer)
    items = list(walk([form]))
    digests = _digests(form, items)
    return {
        item.entry.path: LeftEntry(
            item.entry.kind,
            item.entry.mode,
            (item.entry.uid, item.entry.gid),
            item.entry.size,
            item.entry.mtime if leaves else 0,
            item.entry.link,
            item.entry.xattrs,
            digests.get(item.entry.path, b""),
        )
        for item in items
    }


def _digests(form: LayerForm, items: Sequence[Item]) -> Mapping[str, bytes]:
    if isinstance(form, ListedLayer):
        return form.digests(form.listing.files())
    found = {}
    for item in items:
        if item.entry.kind == "file" and isinstance(item.content, str):
            with open(item.content, "rb") as file:
                found[item.entry.path] = hashed(file)
    return found
