"""The user's files replaced: all or none, keeping what they are; whatever is killed, refused or changed meanwhile."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kezuri.app.rewriting import Replacement, read_original, recover, replace_all
from kezuri.diagnostics import KezuriError

ROOT = os.geteuid() == 0


def replacement(path: Path, data: bytes) -> Replacement:
    original = read_original(str(path), path.name)
    return Replacement(original.path, path.name, data, original)


def left(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def test_mode_owner_attributes_and_links_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o4751)
    link.symlink_to("real")
    if ROOT:
        os.chown(real, 12, 34)
        real.chmod(0o751)
    try:
        os.setxattr(real, "user.note", b"mine")
        attributes = True
    except OSError:
        attributes = False
    before = real.stat()
    replace_all([replacement(link, b"new")])
    after = real.stat()
    assert real.read_bytes() == b"new" and link.is_symlink() and before.st_ino != after.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert not attributes or os.getxattr(real, "user.note") == b"mine"
    assert left(tmp_path) == ["link", "real"]


def test_a_file_with_several_names_keeps_them(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"a longer text")
    os.link(one, two)
    replace_all([replacement(one, b"short")])
    assert two.read_bytes() == b"short" and one.stat().st_nlink == 2
    assert left(tmp_path) == ["one", "two"]


@pytest.mark.parametrize("kind", ["directory", "pipe", "device", "dangling", "nothing", "loop"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/null")
    elif kind == "dangling":
        path.symlink_to("gone")
    elif kind == "loop":
        path.symlink_to("x")
    with pytest.raises(KezuriError):
        read_original(str(path), "x")


def test_what_has_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    wanted = [replacement(one, b"new"), replacement(two, b"new")]
    two.write_bytes(b"3")
    with pytest.raises(KezuriError, match="two has changed"):
        replace_all(wanted)
    assert one.read_bytes() == b"1" and two.read_bytes() == b"3" and left(tmp_path) == ["one", "two"]


def test_a_link_that_leads_elsewhere_meanwhile_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    wanted = [replacement(tmp_path / "a", b"new")]
    (tmp_path / "b").write_bytes(b"same")
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("b")
    with pytest.raises(KezuriError):
        replace_all(wanted)
    assert (tmp_path / "b").read_bytes() == b"same"


def test_a_new_file_takes_nobodys_place(tmp_path: Path) -> None:
    path = tmp_path / "new"
    replace_all([Replacement(str(path), "new", b"x")])
    assert path.read_bytes() == b"x" and stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    with pytest.raises(KezuriError, match="made meanwhile"):
        replace_all([Replacement(str(path), "new", b"y")])
    assert path.read_bytes() == b"x"


def test_where_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.write_bytes(b"1")
    (tmp_path / "sub").mkdir()
    wanted = [replacement(one, b"new"), Replacement(str(tmp_path / "sub" / "no" / "new"), "new", b"x")]
    with pytest.raises(KezuriError):
        replace_all(wanted)
    assert one.read_bytes() == b"1" and left(tmp_path) == ["one", "sub"]


def test_what_was_done_is_undone_where_a_later_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    wanted = [replacement(one, b"new"), Replacement(str(tmp_path / "three"), "three", b"3"), replacement(two, b"new")]
    rename = os.rename

    def failing(source: str, target: str) -> None:
        if target == str(two):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr("kezuri.app.rewriting.os.rename", failing)
    with pytest.raises(KezuriError, match="No space left"):
        replace_all(wanted)
    assert one.read_bytes() == b"1" and two.read_bytes() == b"2" and left(tmp_path) == ["one", "two"]


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(KezuriError, match="nothing was written"):
            replace_all([replacement(path, b"2")])
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == b"1"


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each adds a line to what it read, and tries again where that has changed."""
    path = tmp_path / "x"
    path.write_bytes(b"")

    def add(name: int) -> None:
        while True:
            one = read_original(str(path), "x")
            try:
                replace_all([Replacement(one.path, "x", one.data + b"%d\n" % name, one)])
                return
            except KezuriError:
                continue

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.read_bytes().split()) == [b"%d" % number for number in range(8)]
    assert left(tmp_path) == ["x"]


KILLED = """
import os, signal, sys
from kezuri.app import rewriting
count, at = 0, int(sys.argv[1])
def deadly(name):
    real = getattr(os, name)
    def call(*args, **more):
        global count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **more)
    return call
files = []
for path in sys.argv[2:]:
    original = rewriting.read_original(path, path)
    files.append(rewriting.Replacement(original.path, path, b"new " * 9, original))
files.append(rewriting.Replacement(os.path.dirname(sys.argv[2]) + "/made", "made", b"new " * 9))
for name in ("open", "fsync", "rename", "unlink", "fchmod", "pwrite", "ftruncate", "fstat"):
    setattr(os, name, deadly(name))
rewriting.replace_all(files)
"""


def test_killed_at_every_point_it_is_all_or_nothing(tmp_path: Path) -> None:
    """Two files in two directories, one of them with a second name, and a new one."""
    for at in range(1, 200):
        place = tmp_path / str(at)
        (place / "sub").mkdir(parents=True)
        one, two = place / "one", place / "sub" / "two"
        one.write_bytes(b"old")
        two.write_bytes(b"old")
        os.link(two, place / "sub" / "again")
        argv = [sys.executable, "-c", KILLED, str(at), str(one), str(two)]
        code = subprocess.run(argv, check=False, stderr=subprocess.DEVNULL).returncode
        recover([str(place), str(place / "sub")])
        texts = {path.read_bytes() if path.exists() else b"old" for path in (one, two, place / "made")}
        assert len(texts) == 1 and texts <= {b"old", b"new " * 9}, (at, texts)
        assert two.stat().st_nlink == 2
        rest = [name for name in (*left(place), *left(place / "sub")) if name.startswith(".")]
        assert all(name.endswith("-away") for name in rest) and (len(rest) <= 1 or texts == {b"old"}), rest
        if code == 0:
            assert texts == {b"new " * 9}
            break
        assert code == -signal.SIGKILL
    else:
        raise AssertionError("it never came to its end")


def test_a_journal_of_somebody_elses_making_writes_only_beside_itself(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "evil").write_bytes(b"evil")
    journal = tmp_path / (".kezuri-fix-" + "0" * 16 + ".json")
    for text in (
        f'{{"steps": [["{tmp_path}/evil", "{victim}", false]]}}',
        f'{{"steps": [["{tmp_path}/../.victim.kezuri-{"0" * 16}", "{victim}", false]]}}',
        "[" * 100000,
        '{"steps": 5}',
        "nonsense",
    ):
        journal.write_text(text)
        recover([str(tmp_path)])
        assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("repository", [False, True])
def test_a_link_out_of_the_repository_is_not_written_through(tmp_path: Path, repository: bool) -> None:
    """What was fetched must not say which other files of the user's are written."""
    victim, home = tmp_path / "victim", tmp_path / "home"
    victim.write_bytes(b"mine")
    (home / "deep").mkdir(parents=True)
    if repository:
        (home / ".git").mkdir()
    (home / "link").symlink_to("../victim")
    with pytest.raises(KezuriError, match="outside of its repository"):
        read_original(str(home / "link"), "link")
    (home / "real").write_bytes(b"1")
    (home / "deep" / "up").symlink_to("../real")
    if repository:
        assert read_original(str(home / "deep" / "up"), "up").data == b"1"


def test_links_to_siblings_of_what_is_named_from_here_are_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "common").write_bytes(b"1")
    (tmp_path / "a" / "Dockerfile").symlink_to("../common")
    monkeypatch.chdir(tmp_path)
    assert read_original("a/Dockerfile", "a/Dockerfile").path == str(tmp_path / "common")


def test_a_link_in_place_of_a_prepared_file_is_not_read(tmp_path: Path) -> None:
    """A journal that came with a repository must not copy a file of the user's into it."""
    secret, target = tmp_path / "secret", tmp_path / "target"
    secret.write_bytes(b"key")
    target.write_bytes(b"old")
    aside = tmp_path / (".target.kezuri-" + "0" * 16)
    aside.symlink_to("secret")
    (tmp_path / (".kezuri-fix-" + "0" * 16 + ".json")).write_text(f'{{"steps": [["{aside}", "{target}", true]]}}')
    recover([str(tmp_path)])
    assert target.read_bytes() == b"old" and not target.is_symlink()
