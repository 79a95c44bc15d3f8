"""A disk that does not do what it is asked to: every failing call ends in an error that names the path, or in none."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import BUSYBOX, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop, oci, tar_of, write_layout

from kezuri.app.prune import prune
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError

CALLS = ("mkdir", "rename", "unlink", "rmdir", "utime", "link")


class Disk:
    """Counts the calls that change something below a directory, and lets one of them fail."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self._root = str(root) + "/"
        self._patch = patch
        self._count = 0
        self._fails = 0

    def _instead(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *rest: Any, **more: Any) -> Any:
            if isinstance(path, str) and path.startswith(self._root):
                self._count += 1
                if self._count == self._fails:
                    raise OSError(5, os.strerror(5), path)
            return real(path, *rest, **more)

        return call

    @contextmanager
    def failing(self, name: str, number: int) -> Iterator[None]:
        """The call with this number, from 1 on, fails within the block."""
        self._count, self._fails = 0, number
        with self._patch.context() as patch:
            patch.setattr(os, name, self._instead(getattr(os, name)))
            yield

    @property
    def reached(self) -> bool:
        return self._count >= self._fails


def walk(shop: Workshop, disk: Disk, name: str, build: Callable[[], object]) -> None:
    """Let each of the calls of a build fail in turn; afterwards it is as if nothing had been."""
    for number in range(1, 200):
        failed = None
        with disk.failing(name, number):
            try:
                build()
            except KezuriError as error:
                failed = error
            reached = disk.reached
        if failed is not None:
            assert "Input/output error" in str(failed) and str(shop.root) in str(failed)
            assert failed.exit_code == 125
        assert shop.check() == []
        if not reached:
            return
    raise AssertionError("it never ends")


@pytest.mark.parametrize("name", CALLS)
def test_no_call_that_fails_is_a_surprise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shop = Workshop(tmp_path)
    base = write_layout(tmp_path / "base", [tar_of(("etc", None), ("etc/passwd", b"app:x:7:8::/:/bin/sh\n"))])
    turn = 0

    def build() -> None:
        nonlocal turn
        turn += 1
        shop.write(f=str(turn))
        shop.build(
            "FROM base\nCOPY --chown=app f /g\nWORKDIR /w\n",
            build_contexts=(("base", f"oci-layout://{base}"),),
            tags=("x",),
        )
        prune(Settings(str(shop.root)), all=turn % 2 == 0)

    walk(shop, Disk(shop.root, monkeypatch), name, build)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")
@pytest.mark.parametrize("name", CALLS)
def test_nor_where_steps_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shop = Workshop(tmp_path)
    base = busybox_layout(tmp_path / "base", busybox_tar())
    turn = 0

    def build() -> None:
        nonlocal turn
        turn += 1
        shop.write(f=str(turn))
        shop.build(
            f"FROM base\nCOPY f /g\nRUN --mount=type=cache,id={turn},target=/c --mount=target=/s echo {turn} > /h\n",
            build_contexts=(("base", f"oci-layout://{base}"),),
            outputs=oci(tmp_path / "out.tar"),
        )

    walk(shop, Disk(shop.root, monkeypatch), name, build)
