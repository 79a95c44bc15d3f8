"""`why`: what made the steps of a build run, from the journal."""

import os

from kezuri.app.request import Settings
from kezuri.cache.journal import Journal
from kezuri.diagnostics import KezuriError
from kezuri.explain.answers import Explanation
from kezuri.explain.builds import choose, earlier
from kezuri.explain.explainer import Explainer
from kezuri.store.store import Store
from kezuri.upkeep.relief import is_full


def why(settings: Settings, build: int = 0, directory: str = "") -> Explanation:
    """The explanation of a build: of the one with this number, else of the last one that was made of or in `directory`
    (default: the process's), else of the last one. KezuriError when there is none."""
    with Store(settings.root, is_full(settings.root), reading=True) as store:
        journal = Journal(store.database)
        headings = journal.headings()
        chosen = choose(headings, build, directory or os.getcwd())
        read = journal.read(chosen)
        if read is None:
            raise KezuriError.of(
                f"build {chosen.number} was written down by another version of kezuri", hint="build again"
            )
        return Explainer(store.database, read, earlier(journal, headings, chosen)).explain(quiet_counts=not build)
