"""Twenty seconds of what `store_soak.py` does for as long as it is asked to."""

import os
import shutil
from pathlib import Path

import pytest
from tests.build.build_busybox import BUSYBOX
from tests.store.store_soak import soak

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static"),
]


def test_killed_processes_cost_no_image(tmp_path: Path) -> None:
    base = tmp_path / "soak"
    base.mkdir()
    ends = soak(str(base), 20)
    assert sum(count for end, count in ends.items() if end.endswith("killed")) >= 3, ends
    assert ends["build done"] >= 1 and ends["pull done"] >= 1 and ends["copy done"] >= 1, ends
    shutil.rmtree(base)
