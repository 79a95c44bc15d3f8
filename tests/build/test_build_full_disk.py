"""A cache that does not fit onto the disk is not called damaged."""

import os
from pathlib import Path

import pytest
from tests.upkeep.test_upkeep_full_disk import run

pytestmark = pytest.mark.slow


def test_a_disk_that_is_full_is_no_fault_of_the_cache(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/Dockerfile").write_text("FROM scratch\n" + "".join(f"COPY f{n} /\n" for n in range(4)))
    for number in range(4):
        (tmp_path / f"more/f{number}").write_bytes(os.urandom(2 << 20))
    done = run(
        tmp_path,
        """
        "$PYTHON" -m kezuri --root large build -q --cache-to type=local,dest=cache,mode=max more
        cached="--progress plain --cache-from type=local,src=cache"
        kezuri build $cached -o type=oci,dest=out.tar more 2>&1 || echo "failed"
        kezuri store check
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" in done.stdout and "no space left on the device" in done.stdout
    assert "damaged" not in done.stdout
    assert "every digest right, nothing missing" in done.stdout
