"""Headers that every reader understands the same way."""

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.layer.layer_trees import SECOND, tar_of, trees

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.tar_writer import END, header

component = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=130).filter(
    lambda name: name not in (".", "..") and not name.startswith(".wh.")
)
raw_component = st.binary(min_size=1, max_size=60).filter(
    lambda name: not {0, 47} & set(name) and name.strip(b".") and not name.startswith(b".wh.")
)
any_path = st.lists(
    st.one_of(component, raw_component.map(lambda raw: raw.decode("utf-8", "surrogateescape"))), min_size=1, max_size=4
).map("/".join)

any_entry = st.builds(
    Entry,
    path=any_path,
    kind=st.sampled_from(["dir", "fifo", "char", "block"]),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**32 - 2),
    gid=st.integers(0, 2**32 - 2),
    size=st.just(0),
    link=st.just(""),
    mtime=st.integers(-(2**33), 2**35).map(lambda seconds: seconds * SECOND),
    device=st.tuples(st.integers(0, 4095), st.integers(1, 2**20 - 1)),
    xattrs=st.dictionaries(
        st.sampled_from(["user.a", "security.capability", "user.ö"]), st.binary(max_size=1200), max_size=3
    ).map(lambda found: tuple(sorted(found.items()))),
).map(lambda entry: entry if entry.kind in ("char", "block") else entry._replace(device=(0, 0)))


@given(any_entry)
def test_what_is_written_is_read(entry: Entry) -> None:
    assert [found for found, _ in read_tar(io.BytesIO(header(entry) + END), "tar")] == [entry]


@given(any_path, st.one_of(any_path, component.map(lambda name: "/" + name)))
def test_links_are_read_as_written(path: str, target: str) -> None:
    symlink = Entry(path, "symlink", 0o777, link=target)
    assert [found for found, _ in read_tar(io.BytesIO(header(symlink) + END), "tar")] == [symlink]
    if target[0] != "/":
        hardlink = Entry(path, "hardlink", 0o644, link=target)
        assert [found for found, _ in read_tar(io.BytesIO(header(hardlink) + END), "tar")] == [hardlink]


@given(st.integers(-(2**62), 2**62))
def test_nanoseconds_survive_when_asked_for(mtime: int) -> None:
    [(found, _)] = read_tar(io.BytesIO(header(Entry("f", "fifo", mtime=mtime), nanoseconds=True) + END), "tar")
    assert found.mtime == mtime
    [(found, _)] = read_tar(io.BytesIO(header(Entry("f", "fifo", mtime=mtime)) + END), "tar")
    assert found.mtime == mtime // SECOND * SECOND


@given(any_entry)
def test_tarfile_agrees(entry: Entry) -> None:
    with tarfile.open(fileobj=io.BytesIO(header(entry) + END)) as archive:
        [member] = archive.getmembers()
    assert member.name == entry.path
    assert (member.mode, member.uid, member.gid, int(member.mtime)) == (
        entry.mode,
        entry.uid,
        entry.gid,
        entry.mtime // SECOND,
    )
    assert (member.uname, member.gname) == ("", "")
    if entry.kind in ("char", "block"):
        assert (member.devmajor, member.devminor) == entry.device
    for name, value in entry.xattrs:
        assert member.pax_headers["SCHILY.xattr." + name].encode("utf-8", "surrogateescape") == value


@settings(max_examples=50)
@given(trees())
def test_tarfile_reads_whole_layers(items: list[tuple[Entry, bytes | None]]) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(items))) as archive:
        members = archive.getmembers()
        assert len(members) == len(items)
        for member, (entry, content) in zip(members, items, strict=True):
            if entry.kind == "whiteout":
                assert member.name.rpartition("/")[2] == ".wh." + entry.path.rpartition("/")[2]
            elif entry.kind == "opaque":
                assert member.name == entry.path + "/.wh..wh..opq"
            else:
                assert member.name == entry.path
            if entry.kind == "file":
                file = archive.extractfile(member)
                assert file is not None and file.read() == content


def test_plain_files_take_one_block() -> None:
    assert len(header(Entry("a" * 100, "file", mtime=5))) == 512
    assert len(header(Entry("d" * 100 + "/" + "f" * 100, "file"))) == 512
    assert len(header(Entry("f" * 101, "file"))) > 512


def test_sizes_from_8_gib_take_a_record() -> None:
    assert len(header(Entry("f", "file", size=(8 << 30) - 1))) == 512
    large = header(Entry("f", "file", size=8 << 30))
    assert b" size=8589934592\n" in large
    with tarfile.open(fileobj=io.BytesIO(large), ignore_zeros=True) as archive:
        member = archive.next()
        assert member is not None and member.size == 8 << 30


def test_a_file_name_that_means_a_whiteout_is_refused() -> None:
    for path in (".wh.a", "d/.wh.a", "d/.wh.x/f"):
        with pytest.raises(KezuriError, match=r"begins with \.wh\."):
            header(Entry(path, "file"))
    header(Entry("d/a.wh.b", "file"))


def test_what_a_tar_cannot_say_is_refused() -> None:
    for entry in (
        Entry("", "file"),
        Entry("a\0b", "file"),
        Entry("c", "char"),
        Entry("c", "char", device=(1 << 30, 1)),
        Entry("l", "symlink"),
        Entry("f", "file", xattrs=(("user.a=b", b""),)),
    ):
        with pytest.raises(KezuriError):
            header(entry)


def test_overlay_marks_do_not_enter_a_layer() -> None:
    marked = Entry("d", "dir", xattrs=(("trusted.overlay.opaque", b"y"), ("user.overlay.redirect", b"/x")))
    assert header(marked) == header(marked._replace(xattrs=()))
