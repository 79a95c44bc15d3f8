"""`plan`: what a build would do and what it would cost, and what a change of files would cause, without doing it."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from time import time
from typing import TYPE_CHECKING

from kezuri.app.definition import Definition
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.diagnostics import Diagnostic
from kezuri.forecast.changed_files import changed_files
from kezuri.forecast.foreseer import Foreseer
from kezuri.forecast.foresight import Foresight
from kezuri.progress.events import Listener, Warned
from kezuri.progress.reporter import Reporter

if TYPE_CHECKING:
    from kezuri.travel.imported import Imported


def foresee(
    request: BuildRequest, settings: Settings, listener: Listener, changed: tuple[str, ...] | None = None
) -> Foresight:
    """Work out what the build would do; with `changed`, also what changes of these files would cause.

    KezuriError where the build would fail before its first step. Only documents of images and caches are fetched; a
    cache that cannot be read is a warning.
    """

    def warn(text: str) -> None:
        listener(Warned(time(), Diagnostic("warning", text)))

    with ExitStack() as held:
        session = held.enter_context(Session(settings, pull=request.pull, reading=True, warn=warn))
        definition = Definition(request, session, Reporter(listener), listener, held)
        plan = definition.plan()
        forms = session.forms.for_epoch(plan.epoch)
        options = definition.options(plan, settings.max_parallelism or max(2, os.cpu_count() or 1))
        contexts = definition.contexts(plan)
        imported = _imported(request, session, listener, warn, held)
        foreseer = Foreseer(plan, contexts, options, forms, session.store, definition.durations(), imported)
        files = None if changed is None else changed_files(changed, contexts, definition.context)
        return foreseer.foresee(files)


def _imported(
    request: BuildRequest, session: Session, listener: Listener, warn: Callable[[str], None], held: ExitStack
) -> "Imported | None":
    """The caches that the build would read, as they are: only their records are asked for."""
    if not request.cache_from:
        return None
    from kezuri.app.caches import imported_caches
    from kezuri.progress.calling_off import CallOff

    caches = imported_caches(
        request.cache_from, session, Reporter(listener), warn, lambda digest, current, total: None, CallOff()
    )
    return None if caches is None else held.enter_context(caches)
