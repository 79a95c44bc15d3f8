"""What an image is said to be made of, against what another program unpacks of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.anatomy.anatomy_stacks import seen
from tests.integration.integration_bases import Bases

from kezuri.app.anatomy import Named, anatomy
from kezuri.app.request import Settings

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("umoci"), reason="unpacks with umoci")
def test_what_is_useful_is_what_another_program_unpacks(tmp_path: Path, bases: Bases) -> None:
    names = [name for name in ("nginx:alpine", "redis:alpine", "gcr.io/distroless/base:latest") if name in bases]
    if not names:
        pytest.skip(f"no base image of several layers (bases: {bases.origin})")
    for number, name in enumerate(names):
        layout = tmp_path / f"layout{number}"
        root = tmp_path / f"bundle{number}"
        full = name if name.startswith("gcr.io") else f"docker.io/library/{name}"
        source = f"oci:{bases.directory}:{full}"
        kezuri = [sys.executable, "-m", "kezuri", "--root", str(tmp_path / "store"), "copy", source, f"oci:{layout}:it"]
        subprocess.run(kezuri, env={**os.environ, "PYTHONPATH": str(SOURCE)}, check=True, capture_output=True)
        subprocess.run(["umoci", "unpack", "--image", f"{layout}:it", str(root)], check=True, capture_output=True)
        image = anatomy(Settings(str(tmp_path / "store")), Named(source))
        final = seen(str(root / "rootfs"))
        assert (image.useful, image.files, image.directories) == (
            final.size,
            len(final.others),
            len(final.directories),
        ), name
        again = {bytes.fromhex(each.digest[7:]): each.copies for each in image.duplicates}
        assert again == {digest: count for digest, count in final.copies.items() if count > 1}
