"""Who looks into directories of layers, and removes them, takes the right to do so, and only where there are any."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Ownership, Privilege, ownership
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits
from kezuri.upkeep.figures import Figures
from kezuri.upkeep.soundness import Soundness

Act = Callable[[Store, Privilege], object]
ACTS: dict[str, Act] = {
    "pieces": lambda store, privilege: Collector(store, privilege).pieces(),
    "candidates": lambda store, privilege: list(Collector(store, privilege).candidates(Limits())),
    "collect": lambda store, privilege: list(Collector(store, privilege).collect(Limits(everything=True))),
    "usage": lambda store, privilege: Figures(store, privilege).usage(),
    "cache bytes": lambda store, privilege: Figures(store, privilege).cache_bytes(),
    "check": lambda store, privilege: list(Soundness(store, privilege).check(repair=True)),
}


class Entering:
    """An ordinary user's way into a user namespace, as far as it is told here."""

    def __init__(self, refused: bool = False) -> None:
        self.times = 0
        self._refused = refused

    def enter(self) -> None:
        self.times += 1
        if self._refused:
            raise KezuriError.of("no user namespace")

    def seen(self) -> Ownership:
        return ownership()._replace(entered=self.times > 0)


@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))
@pytest.mark.parametrize("directory", ["layers", "mounts", "owners"])
def test_the_right_is_taken_once_where_directories_are(tmp_path: Path, act: Act, directory: str) -> None:
    entering = Entering()
    with Store(str(tmp_path)) as store:
        privilege = Privilege(entering.enter, entering.seen)
        act(store, privilege)
        assert entering.times == 0, "a store that never had directories needs nothing"
        os.mkdir(store.path(directory, "one"))
        act(store, privilege)
        act(store, privilege)
        assert entering.times == 1


def test_nothing_goes_when_it_is_refused(tmp_path: Path) -> None:
    entering = Entering(refused=True)
    with Store(str(tmp_path)) as store:
        loose = store.blobs.put(b"nobody needs this")
        os.mkdir(store.path("layers", "one"))
        with pytest.raises(KezuriError, match="no user namespace"):
            list(Collector(store, Privilege(entering.enter, entering.seen)).collect(Limits(everything=True)))
        assert store.blobs.has(loose) and os.path.isdir(store.path("layers", "one"))
