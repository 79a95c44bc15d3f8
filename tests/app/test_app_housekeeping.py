"""The cache is cut down to what the settings allow, and nothing goes that somebody needs."""

import os
import subprocess
import sys
from pathlib import Path
from time import time

import pytest

from kezuri.app.build import build
from kezuri.app.housekeeping import keep_house, standing
from kezuri.app.images import images
from kezuri.app.outputs import CacheOnly
from kezuri.app.request import BuildRequest, BuildResult, Settings
from kezuri.store.store import Store

MEGABYTE = 1 << 20
LATER = time() + 7200
NOTHING = (CacheOnly(),)


def made(settings: Settings, context: Path, name: str, seed: str) -> BuildResult:
    """An image of a file of 2 MiB that is other bytes for each seed; without a name only its results are kept."""
    context.mkdir(exist_ok=True)
    (context / "data").write_bytes((seed.encode() * MEGABYTE)[: 2 * MEGABYTE])
    (context / "Dockerfile").write_text("FROM scratch\nWORKDIR /made\nCOPY data .\n")
    request = BuildRequest(context=str(context), tags=(name,)) if name else BuildRequest(str(context), outputs=NOTHING)
    return build(request, settings, lambda event: None)


def backdate(settings: Settings, before: float) -> None:
    """Let what was used before the moment be of an hour earlier."""
    with Store(settings.root) as store:
        for table in ("record", "layer"):
            store.database.run(f"UPDATE {table} SET used = used - 3600 WHERE used < ?", before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(str(tmp_path / "store"))


def test_without_limits_nothing_goes(settings: Settings, tmp_path: Path) -> None:
    made(settings, tmp_path / "a", "", "ab")
    assert not settings.limited and not settings._replace(reserved_space=1).limited
    assert keep_house(settings, LATER) == ()


def test_what_was_not_used_for_long_goes(settings: Settings, tmp_path: Path) -> None:
    made(settings, tmp_path / "a", "kept:1", "ab")
    for age, gone in ((3600, False), (0, True)):
        removed = keep_house(settings._replace(keep_age=age), LATER)
        assert any(thing.what == "record" for thing in removed) == gone
    assert [image.name for image in images(settings)] == ["docker.io/library/kept:1"]
    with Store(settings.root) as store:
        assert all(store.blobs.has(digest) for digest in store.blobs.digests())


@pytest.mark.slow
def test_the_limits_of_space(settings: Settings, tmp_path: Path) -> None:
    made(settings, tmp_path / "kept", "kept:1", "ef")
    made(settings, tmp_path / "a", "", "ab")
    before = time()
    made(settings, tmp_path / "b", "", "cd")
    limit = settings._replace(max_used_space=0)
    stands = standing(limit)
    assert stands.used == stands.excess > 0
    # What the command itself used is not touched, nor what may have been used by it.
    assert keep_house(limit, before) == ()
    backdate(settings, before)
    keep_house(limit, time())
    assert standing(limit).used < stands.used
    assert made(settings, tmp_path / "a", "", "ab").ran > 0
    assert made(settings, tmp_path / "b", "", "cd").ran <= 1  # COPY is kept; WORKDIR was used by the older one first
    keep_house(limit, LATER)
    assert made(settings, tmp_path / "b", "", "cd").ran > 0
    assert [image.name for image in images(settings)] == ["docker.io/library/kept:1"]
    assert keep_house(settings._replace(min_free_space=1), LATER) == ()
    assert standing(settings._replace(max_used_space=0, reserved_space=1 << 40)).excess == 0
    assert keep_house(settings._replace(max_used_space=0, reserved_space=1 << 40), LATER) == ()


def test_what_a_running_command_uses_stays(settings: Settings, tmp_path: Path) -> None:
    made(settings, tmp_path / "a", "", "ab")
    with Store(settings.root):  # a lease, older than nothing
        made(settings, tmp_path / "a", "", "ab")
        removed = keep_house(settings._replace(max_used_space=0, keep_age=0), LATER)
        assert [thing for thing in removed if thing.what in ("record", "blob")] == []


def test_somebody_else_collects(settings: Settings, tmp_path: Path) -> None:
    made(settings, tmp_path / "a", "", "ab")
    with Store(settings.root) as store, store.lock("collect"):
        assert keep_house(settings._replace(keep_age=0), LATER) == ()


@pytest.mark.slow
def test_the_command_says_that_something_went(settings: Settings, tmp_path: Path) -> None:
    environ = {**os.environ, "KEZURI_ROOT": settings.root, "KEZURI_MAX_USED_SPACE": "1k", "KEZURI_CONFIG_SYSTEM": ""}
    environ["XDG_CONFIG_HOME"] = str(tmp_path)
    context = tmp_path / "c"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY data /\n")

    def kezuri(*argv: str) -> str:
        command = [sys.executable, "-m", "kezuri", *argv]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        return done.stderr + done.stdout

    for number in range(2):
        if number:
            backdate(settings, time())
        (context / "data").write_bytes(os.urandom(MEGABYTE))
        told = kezuri("build", "-o", "type=cacheonly", str(context))
        assert ("of cache, as the settings want it" in told) == bool(number), told
    assert "of cache" not in kezuri("build", "-o", "type=cacheonly", str(context))
    assert "of 1.02kB allowed" in kezuri("du") and "too much" in kezuri("du")
    found = [line for line in kezuri("doctor").splitlines() if " cache " in line]
    assert len(found) == 1 and found[0].startswith("warning") and "0.0 GB allowed" in found[0]
