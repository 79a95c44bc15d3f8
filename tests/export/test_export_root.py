"""Files as a directory of the caller's: what must not come along, what does, and that it is told."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.export import root
from kezuri.export.root import write_directory
from kezuri.layer.entry import Entry, Item
from kezuri.linux.userns import Identity

MINE = (os.geteuid(), os.getegid())
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def written(directory: Path, *entries: Entry) -> list[str]:
    said: list[str] = []
    write_directory([(entry, b"x" if entry.kind == "file" else None) for entry in entries], str(directory), said.append)
    return said


def program(path: str, bits: int, owner: tuple[int, int], *attributes: tuple[str, bytes]) -> Entry:
    return Entry(path, "file", bits, *owner, 1, 0, xattrs=attributes)


def test_set_id_bits_go_where_the_owner_changes(tmp_path: Path) -> None:
    said = written(
        tmp_path / "out",
        program("mine", 0o4755, MINE),
        program("theirs", 0o4755, (4711, MINE[1])),
        program("group", 0o3755, (MINE[0], 4711)),
        Entry("d", "dir", 0o2755, 4711, 4711),
    )
    modes = {name: mode(tmp_path / "out" / name) for name in ("mine", "theirs", "group", "d")}
    assert modes == {"mine": 0o4755, "theirs": 0o755, "group": 0o1755, "d": 0o2755}
    assert said == [
        "where the owner changes, the set-id mode of /theirs and 1 more are left out of the output directory"
    ]


def test_root_of_a_namespace_of_ours_is_an_ordinary_user_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "identity", lambda: Identity(65536))
    said = written(tmp_path, program("su", 0o4755, MINE))
    assert mode(tmp_path / "su") == 0o755 and len(said) == 1


def test_attributes(tmp_path: Path) -> None:
    said = written(
        tmp_path,
        Entry("d", "dir", 0o755, *MINE, xattrs=(("user.on", b"directory"),)),
        program("f", 0o644, MINE, ("user.note", b"\0kept"), ("security.selinux", b"label\0")),
        program("caps", 0o755, (4711, 4711), ("security.capability", CAPABILITY)),
        Entry("null", "char", 0o666, device=(1, 3)),
    )
    assert os.getxattr(tmp_path / "f", "user.note") == b"\0kept"
    assert os.getxattr(tmp_path / "d", "user.on") == b"directory"
    assert "security.capability" not in os.listxattr(tmp_path / "caps") and not (tmp_path / "null").exists()
    assert said == [
        "the attribute security.selinux of /f is left out of the output directory",
        "where the owner changes, the capability of /caps is left out of the output directory",
        "device /null is left out of the output directory",
    ]


def test_a_file_system_without_attributes_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refused)
    said = written(tmp_path, *(program(name, 0o644, MINE, ("user.a", b"1")) for name in ("a", "b", "c")))
    assert said == ["the attribute user.a of /a and 2 more are left out of the output directory"]


@pytest.mark.slow
def test_capabilities_of_files_of_root_stay_for_root(tmp_path: Path) -> None:
    assert written(tmp_path, program("f", 0o755, (0, 0), ("security.capability", CAPABILITY))) == []
    assert os.getxattr(tmp_path / "f", "security.capability") == CAPABILITY


def test_a_link_to_a_directory_is_followed_and_one_to_nothing_makes_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "kept").write_text("kept")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("made")
    for name in ("link", "dangling"):
        written(tmp_path / name, program("f", 0o644, MINE))
        assert (tmp_path / name).is_symlink() and (tmp_path / name / "f").read_text() == "x"
    assert sorted(os.listdir(tmp_path / "real")) == ["f", "kept"]
    with pytest.raises(Exception, match="a file is in the way"):
        written(tmp_path / "real" / "f", program("f", 0o644, MINE))


def test_links_in_the_directory_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("canary")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "d").symlink_to(outside)
    (tmp_path / "out" / "f").symlink_to(outside / "f")
    written(tmp_path / "out", Entry("d", "dir", 0o755), program("d/f", 0o644, MINE), program("f", 0o644, MINE))
    assert (outside / "f").read_text() == "canary" and (tmp_path / "out" / "d" / "f").read_text() == "x"


def test_a_directory_that_becomes_a_link_leads_nowhere(tmp_path: Path) -> None:
    victim, output = tmp_path / "victim", tmp_path / "output"
    victim.mkdir(0o755)
    output.mkdir()

    def items() -> Iterator[Item]:
        for name in ("a", "b"):
            yield Entry(name, "dir", 0o777), None
            os.rename(output / name, output / f"mine-{name}")
            os.symlink(victim, output / name)
            if name == "a":
                yield Entry("a/cron", "file", 0o644, size=4), b"evil"
                yield Entry("a/link", "symlink", 0o777, link="/"), None
                yield Entry("a/again", "hardlink", 0o644, link="a/cron"), None
                yield Entry("a/below", "dir", 0o777), None

    with pytest.raises(KezuriError, match=r"output/(a|b)"):
        write_directory(items(), str(output), lambda text: None)
    assert os.listdir(victim) == []
    assert victim.stat().st_mode & 0o777 == 0o755


def test_what_is_there_is_replaced_and_dated(tmp_path: Path) -> None:
    (tmp_path / "was").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "was")
    (tmp_path / "f").symlink_to("/etc/hostname")
    items: list[Item] = [
        (Entry("a", "dir", 0o555, mtime=5_000_000_000), None),
        (Entry("a/x", "file", 0o640, size=1, mtime=7_000_000_000), b"x"),
        (Entry("f", "hardlink", 0o640, link="a/x"), None),
    ]
    write_directory(items, str(tmp_path), lambda text: None)
    assert os.listdir(tmp_path / "was") == []
    assert (tmp_path / "a").lstat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "a").stat().st_mtime == 5
    assert (tmp_path / "f").stat().st_ino == (tmp_path / "a" / "x").stat().st_ino
    assert (tmp_path / "f").stat().st_mtime == 7
