"""A root file system of busybox as a base image, in variants."""

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_workshop import tar_of, write_layout

from kezuri.linux import userns

BUSYBOX = "/bin/busybox"


def has_one_id() -> bool:
    """Whether this user has his own id alone: owners are recorded then, and steps do not see them."""
    uid = os.geteuid()
    return uid != 0 and not userns.ranges(uid, os.getegid())[0]


RUNS_STEPS = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static"),
]
"""The marks of tests whose steps run in busybox."""
AS_OTHERS = [*RUNS_STEPS, pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")]
"""The marks of those that run kezuri as several users."""


def busybox_tar() -> bytes:
    """Busybox under the names of its programs, and a few accounts."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:

        def add(name: str, data: bytes | None = None, mode: int = 0o755, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, link
            elif data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)

        add("bin")
        add("bin/busybox", Path(BUSYBOX).read_bytes())
        names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            if name != "busybox":
                add(f"bin/{name}", link="busybox")
        add("tmp", mode=0o1777)
        add("etc")
        add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n", 0o644)
        add("etc/group", b"root:x:0:\napp:x:1000:\n", 0o644)
    return out.getvalue()


def busybox_layout(directory: Path, tar: bytes, more: str = "", config: dict[str, Any] | None = None) -> Path:
    """An image layout with one image of the tar, and of a layer with the file /more if that has a content."""
    layers = [tar, *([tar_of(("more", more.encode()))] if more else [])]
    return write_layout(directory, layers, config)
