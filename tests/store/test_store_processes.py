"""Several processes with one store."""

import os
import time
from pathlib import Path

import pytest

from kezuri.oci.descriptor import Descriptor
from kezuri.store.store import Store

_SEVERAL = 8


def _opens(root: str, number: int, begin: float) -> None:
    while time.time() < begin:
        pass
    with Store(root) as store:
        store.database.facts.put_selection(f"{number}", "written")
        store.names.put(f"example.com/x:{number}", Descriptor("m", "sha256:" + "0" * 64, 1))


@pytest.mark.slow
def test_a_new_store_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    for attempt in range(6):
        root = str(tmp_path / str(attempt))
        begin = time.time() + 0.02
        children = []
        for number in range(_SEVERAL):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    _opens(root, number, begin)
                    code = 0
                finally:
                    os._exit(code)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * _SEVERAL
        with Store(root) as store:
            assert len(store.names.all()) == _SEVERAL
            assert all(store.database.facts.selection(f"{n}") == "written" for n in range(_SEVERAL))
        assert os.listdir(tmp_path / str(attempt) / "leases") == []


def test_the_lease_of_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with Store(str(tmp_path)):
            os.write(write, b"x")
            time.sleep(60)
        os._exit(0)
    os.read(read, 1)
    with Store(str(tmp_path)) as store:
        assert list(store.leases().values()) and store.oldest_lease() is not None
        os.kill(child, 9)
        os.waitpid(child, 0)
        assert store.leases() == {} and store.oldest_lease() is None
