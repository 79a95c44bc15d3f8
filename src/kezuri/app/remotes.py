"""What a build's remote sources are fetched with, wired once there is one."""

import os
from collections.abc import Callable
from contextlib import ExitStack

from kezuri.app.session import Session
from kezuri.keys.options import Secrets
from kezuri.progress.calling_off import CallOff
from kezuri.progress.reporter import Reporter
from kezuri.source.remotes import Means, Remotes


def open_remotes(
    session: Session,
    secrets: Secrets,
    agent: Callable[[], str],
    reporter: Reporter,
    held: ExitStack,
    cancel: CallOff | None,
) -> Remotes:
    """Fetches remote sources until `held` is closed; `agent` gives the socket of the default ssh agent, empty when
    there is none."""
    means = Means(secrets.get, agent, session.ca_bundle, session.settings.insecure, os.environ)
    return held.enter_context(Remotes(session.store, means, reporter, cancel or CallOff()))
