"""Layers written where owners are recorded are read again as they were, and nothing on the disk is anybody else's."""

import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.layer.claiming import claim
from kezuri.layer.compression import compression
from kezuri.layer.entry import Entry, Item
from kezuri.layer.packer import pack
from kezuri.layer.unpacker import unpack
from kezuri.layer.upper import walk
from kezuri.linux import recorded
from kezuri.linux.recorded import Record
from kezuri.tree.layers import DirectoryLayer
from kezuri.tree.materialise import materialise
from kezuri.tree.stack import StackView

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mark links")]

IDS = st.sampled_from([0, 1, 1000, 65534, (1 << 32) - 2])
KINDS = st.sampled_from(["file", "dir", "symlink", "fifo", "char", "block"])


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    found: list[Item] = []
    for number, kind in enumerate(draw(st.lists(KINDS, max_size=6))):
        mode = 0o777 if kind == "symlink" else draw(st.sampled_from([0o644, 0o4755, 0o2770, 0o1777, 0]))
        content = draw(st.binary(max_size=9)) if kind == "file" else None
        entry = Entry(f"e{number}", kind, mode, draw(IDS), draw(IDS), len(content or b""), 10**18)  # type: ignore[arg-type]
        if kind == "symlink":
            entry = entry._replace(link="anywhere")
        if kind in ("char", "block"):
            entry = entry._replace(device=(draw(st.integers(1, 99)), draw(st.integers(0, 255))))
        if kind in ("file", "dir") and draw(st.booleans()):
            entry = entry._replace(xattrs=(("user.kept", b"1"),))
        found.append((entry, content))
    return found


@settings(max_examples=40, deadline=None)
@given(items(), st.booleans())
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, made: list[Item], tar: bool) -> None:
    directory = tmp_path_factory.mktemp("layer") / "diff"
    if tar:
        sink = io.BytesIO()
        pack(made, sink, compression("none"))
        directory.mkdir()
        sink.seek(0)
        unpack(sink, str(directory), lower=None, userxattr=True, recorded=True, where="layer")
    else:
        materialise(made, str(directory), recorded=True)
    own = os.geteuid(), os.getegid()
    assert all((s.st_uid, s.st_gid) == own for s in (os.lstat(path) for path in directory.iterdir()))
    assert not any(stat.S_ISCHR(os.lstat(path).st_mode) for path in directory.iterdir())
    expected = sorted(entry for entry, _ in made)
    assert sorted(entry for entry, _ in walk(str(directory), userxattr=True, recorded=True)) == expected
    layer = DirectoryLayer(str(directory), True, True)
    assert sorted(found.entry for _, found in layer.scan("")) == expected


def test_a_users_step_owns_what_is_new(tmp_path: Path) -> None:
    """What an overlay copied up (it has the mark of origin) and what was recorded already stay whose they are."""
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    for path in (lower / "merged", upper / "merged", upper / "handed", upper / "new/deep"):
        path.mkdir(parents=True)
    for directory in (lower, upper):
        os.symlink("there", directory / "link")
    os.symlink("elsewhere", upper / "merged/link")
    for name in ("merged/new", "copied", "recorded", "handed/new", "new/deep/file"):
        (upper / name).touch()
    os.setxattr(upper / "copied", recorded.ORIGIN, b"x")
    recorded.write(str(upper / "recorded"), stat.S_IFREG, Record(7, 8))
    os.chmod(upper / "handed", 0o2775)
    recorded.write(str(upper / "handed"), stat.S_IFDIR, Record(7, 50))
    claim(str(upper), 1000, 1001, StackView([DirectoryLayer(str(lower), True, True)]), userxattr=True)
    owners = {entry.path: (entry.uid, entry.gid) for entry, _ in walk(str(upper), userxattr=True, recorded=True)}
    user = (1000, 1001)
    assert owners == {
        "copied": (0, 0),
        "handed": (7, 50),
        "handed/new": (1000, 50),
        "link": (0, 0),
        "merged": (0, 0),
        "merged/link": user,
        "merged/new": user,
        "new": user,
        "new/deep": user,
        "new/deep/file": user,
        "recorded": (7, 8),
    }
