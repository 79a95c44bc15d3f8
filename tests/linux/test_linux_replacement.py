"""Files that take the place of others at once."""

import os
from pathlib import Path

import pytest

from kezuri.linux.replacement import replacement


def test_the_new_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with replacement(str(target)) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert target.read_text() == "new" and [path.name for path in tmp_path.iterdir()] == ["file"]


def test_nothing_remains_of_a_file_that_did_not_become_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(ValueError), replacement(str(target)) as file:
        file.write(b"new")
        raise ValueError
    assert target.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_at_the_target_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    target = tmp_path / "link"
    target.symlink_to("elsewhere")
    with replacement(str(target)) as file:
        file.write(b"ours")
    assert not target.is_symlink() and target.read_text() == "ours"
    assert (tmp_path / "elsewhere").read_text() == "theirs"


@pytest.mark.parametrize("durable", [True, False])
def test_only_what_has_to_survive_a_crash_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    waited: list[int] = []
    monkeypatch.setattr(os, "fsync", waited.append)
    with replacement(str(tmp_path / "f"), durable=durable) as file:
        file.write(b"new")
    assert bool(waited) is durable
    assert (tmp_path / "f").read_bytes() == b"new" and os.listdir(tmp_path) == ["f"]
