"""What the kernel tells of changes in directories."""

import os
from pathlib import Path

from kezuri.linux.inotify import Change, Watcher


def test_what_is_heard(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    with Watcher() as watcher:
        watcher.add(str(tmp_path))
        assert watcher.changes(0) == []
        (tmp_path / "é").write_text("x")
        assert {change.path for change in watcher.changes(5)} == {f"{tmp_path}/é"}
        os.rename(tmp_path / "é", tmp_path / "b")
        assert {change.path for change in watcher.changes(5)} == {f"{tmp_path}/é", f"{tmp_path}/b"}
        os.chmod(tmp_path / "b", 0o600)
        assert watcher.changes(5) == [Change(f"{tmp_path}/b")]
        (tmp_path / "b").read_text()
        (below / "not heard of").write_text("x")
        assert watcher.changes(0.05) == []
        (tmp_path / "new").mkdir()
        assert watcher.changes(5) == [Change(f"{tmp_path}/new", appeared=True)]
        (tmp_path / "b").unlink()
        assert watcher.changes(5)[-1] == Change(f"{tmp_path}/b")


def test_directories_that_are_none_or_go(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    gone = tmp_path / "gone"
    gone.mkdir()
    with Watcher() as watcher:
        for path in ("file", "nowhere", "file/below"):
            watcher.add(str(tmp_path / path))
        assert len(watcher) == 0
        watcher.add(str(gone))
        watcher.add(str(gone))
        assert len(watcher) == 1
        gone.rmdir()
        assert Change(str(gone)) in watcher.changes(5)
        assert len(watcher) == 0
