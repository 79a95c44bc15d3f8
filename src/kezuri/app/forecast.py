"""`plan`: what a build would do and what it would cost, and what a change of files would cause, without doing it."""

import os
from contextlib import ExitStack

from kezuri.app.definition import Definition
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.forecast.changed_files import changed_files
from kezuri.forecast.foreseer import Foreseer
from kezuri.forecast.foresight import Foresight
from kezuri.progress.events import Listener
from kezuri.progress.reporter import Reporter


def foresee(
    request: BuildRequest, settings: Settings, listener: Listener, changed: tuple[str, ...] | None = None
) -> Foresight:
    """Work out what the build would do; with `changed`, also what changes of these files would cause.

    KezuriError where the build would fail before its first step. Only documents of images are fetched.
    """
    with ExitStack() as held:
        session = held.enter_context(Session(settings, pull=request.pull, reading=True))
        definition = Definition(request, session, Reporter(listener), listener, held)
        plan = definition.plan()
        forms = session.forms.for_epoch(plan.epoch)
        options = definition.options(plan, settings.max_parallelism or max(2, os.cpu_count() or 1))
        contexts = definition.contexts(plan)
        foreseer = Foreseer(plan, contexts, options, forms, session.store, definition.durations())
        files = None if changed is None else changed_files(changed, contexts, definition.context)
        return foreseer.foresee(files)
