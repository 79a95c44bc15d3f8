"""Files of contexts are hashed once for each choice, and different choices at the same time."""

import threading
from pathlib import Path
from typing import cast

from kezuri.cache.file_lists import FileLists
from kezuri.forms.forms import Forms
from kezuri.keys.inputs import Context, Inputs
from kezuri.keys.state import StateOf
from kezuri.plan.inputs import Choice, ContextInput
from kezuri.store.store import Store
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.stat_index import StatIndex
from kezuri.tree.tree import Stamp


class Waiting(StatIndex):
    """Hashes no file before as many threads want to have one hashed as the barrier says."""

    def __init__(self, directory: Path, barrier: threading.Barrier) -> None:
        super().__init__(str(directory / "indexes"), str(directory))
        self.barrier = barrier
        self.asked: list[str] = []

    def sha256(self, path: str, stamp: Stamp) -> bytes:
        self.asked.append(path)
        self.barrier.wait(20)
        return super().sha256(path, stamp)


def digests(tmp_path: Path, index: Waiting, *words: str) -> list[str]:
    found: dict[int, str] = {}
    with Store(str(tmp_path / "store")) as store:
        tree = DirectoryTree(str(tmp_path / "context"))
        inputs = Inputs(
            {"": Context(tree, index)}, cast(Forms, None), store.database, index, lambda: FileLists(store.database)
        )

        def work(number: int, word: str) -> None:
            found[number] = inputs.digest(Choice(ContextInput(), (word,)), cast(StateOf, None))

        threads = [threading.Thread(target=work, args=one) for one in enumerate(words)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [found[i] for i in sorted(found)]


def test_two_choices_are_hashed_at_the_same_time(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    for name in "ab":
        (tmp_path / "context" / name).write_text(name)
    # Each waits until the other is being hashed, too: under one lock for both none would come to an end.
    index = Waiting(tmp_path, threading.Barrier(2))
    assert len(set(digests(tmp_path, index, "a", "b"))) == 2


def test_one_choice_is_hashed_once(tmp_path: Path) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "a").write_text("a")
    index = Waiting(tmp_path, threading.Barrier(1))
    assert len(digests(tmp_path, index, "a", "a", "a")) == 3 and len(index.asked) == 1
