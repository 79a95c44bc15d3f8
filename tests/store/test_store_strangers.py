"""A store belongs to one user: others are told whose it is before anything is written into it."""

import os
import shutil
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.linux import disk
from kezuri.linux.disk import disk_error
from kezuri.store.store import Store


def everything(directory: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in (directory, *directory.rglob("*")))


def test_the_store_of_another_user_is_refused_by_name_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(str(tmp_path)):
        pass
    before = everything(tmp_path)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 4321)
    with (
        pytest.raises(KezuriError, match=rf"belongs to .*user {own}.*, and this is .*user {own + 4321}") as caught,
        Store(str(tmp_path)),
    ):
        pass
    assert "--root or KEZURI_ROOT" in caught.value.diagnostics[0].hint and caught.value.exit_code == 125
    assert everything(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kezuri.db", "layers", "locks", "owners"])
def test_what_a_stranger_left_in_a_store_is_said_with_his_name(tmp_path: Path, name: str) -> None:
    with Store(str(tmp_path)):
        pass
    os.chown(tmp_path / name, 54_321, 0)
    with (
        pytest.raises(KezuriError, match=rf"{name} belongs to user 54321, and the store to") as caught,
        Store(str(tmp_path)),
    ):
        pass
    assert f"chown -R --from=54321 {os.geteuid()} {tmp_path}" in caught.value.diagnostics[0].hint


def test_a_directory_of_somebody_else_in_which_one_may_write_becomes_a_store_with_private_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A volume that a cluster made for this user's group."""
    root = tmp_path / "volume"
    (root / "lost+found").mkdir(parents=True)
    real = os.stat

    def theirs(path: object, *rest: object, **more: object) -> os.stat_result:
        found = real(path, *rest, **more)  # type: ignore[arg-type]
        return os.stat_result((*found[:4], found.st_uid + 1, *found[5:])) if path == str(root) else found

    root.chmod(0o777)
    monkeypatch.setattr(os, "stat", theirs)
    for _ in range(2):
        with Store(str(root)) as store:
            store.blobs.put(b"x")
    monkeypatch.undo()
    assert stat.S_IMODE(root.stat().st_mode) == 0o777
    made = [path for path in root.iterdir() if path.is_dir() and path.name != "lost+found"]
    assert made and all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in made)


def test_a_store_of_ones_own_is_closed_to_others(tmp_path: Path) -> None:
    with Store(str(tmp_path / "s")):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700
    (tmp_path / "s").chmod(0o755)  # as a cache is restored by who knows nothing of it
    with Store(str(tmp_path / "s")):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["tmp", "locks", "leases", "layers", "mounts", "contexts", "listings", "owners"])
def test_what_somebody_removed_is_made_again(tmp_path: Path, name: str) -> None:
    with Store(str(tmp_path)):
        pass
    shutil.rmtree(tmp_path / name)
    with Store(str(tmp_path)) as store, store.lock("x"), store.scratch("y"):
        assert (tmp_path / name).is_dir()


def test_a_permission_is_no_reason_to_throw_the_cache_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(str(tmp_path)) as store:
        error = sqlite3.OperationalError("attempt to write a readonly database")
        error.sqlite_errorcode = sqlite3.SQLITE_READONLY
        monkeypatch.setattr(os, "access", lambda *_: False)
        said = store.database._explained(error)
        assert "cannot write" in str(said) and "Permission denied" in str(said)
        assert "rebuilt" not in said.diagnostics[0].hint


def test_who_is_in_the_way_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = PermissionError(13, "Permission denied")
    assert str(disk_error(refused, str(tmp_path / "x" / "y"))).endswith("y: Permission denied")
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    said = disk_error(refused, str(tmp_path / "x" / "y"))
    assert f"it belongs to {disk.user(own)}" in str(said) and "chown" in said.diagnostics[0].hint


def test_a_clock_beyond_what_programs_count_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late() -> float:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")

    monkeypatch.setattr(time, "time", late)
    with pytest.raises(KezuriError, match="clock"), Store(str(tmp_path)):
        pass
