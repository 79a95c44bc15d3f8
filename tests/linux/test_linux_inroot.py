"""Resolution within a root: our own agrees with the kernel's, and nothing ever leaves the root."""

import os
import stat
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.linux import inroot

NAMES = ("a", "b", "c")
paths = st.lists(st.sampled_from([*NAMES, "..", ".", ""]), min_size=1, max_size=6).map("/".join)
links = st.tuples(st.booleans(), paths).map(lambda t: ("/" if t[0] else "") + t[1])
trees = st.recursive(
    st.one_of(st.just("file"), links.map(lambda text: ("link", text))),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)


def build(at: str, tree: object) -> None:
    if isinstance(tree, dict):
        os.mkdir(at)
        for name, inner in tree.items():
            build(f"{at}/{name}", inner)
    elif isinstance(tree, tuple):
        os.symlink(tree[1] or ".", at)
    else:
        with open(at, "w"):
            pass


def resolve(root: str, path: str) -> str:
    def look(inside: str) -> os.stat_result | None:
        try:
            return os.lstat(root + inside)
        except (FileNotFoundError, NotADirectoryError):
            return None

    return inroot.resolve(path, look, lambda inside: os.readlink(root + inside))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), trees, max_size=3), links)
def test_agrees_with_the_kernel(tree: dict[str, object], path: str) -> None:
    with tempfile.TemporaryDirectory() as base:
        build(f"{base}/root", tree)
        root = os.open(f"{base}/root", os.O_PATH | os.O_DIRECTORY)
        try:
            try:
                fd = inroot.open_in(root, path.rstrip("/") or ".", os.O_PATH)
            except OSError:
                fd = -1
            try:
                canonical = resolve(f"{base}/root", path)
            except OSError:
                canonical = ""
            if fd < 0:
                # What the kernel does not find, we call missing, or refuse too.
                if canonical:
                    try:
                        found = os.lstat(f"{base}/root{canonical}")
                    except OSError:
                        return
                    # A path through a missing or a plain entry and back (x/..) is more than the kernel walks.
                    assert ".." in path or ".." in repr(tree) or not stat.S_ISLNK(found.st_mode)
                return
            assert os.path.samestat(os.fstat(fd), os.lstat(f"{base}/root{canonical}")), (tree, path, canonical)
            assert "//" not in canonical and ".." not in canonical.split("/")
            os.close(fd)
        finally:
            os.close(root)


def test_a_circle_of_links_ends(tmp_path: os.PathLike[str]) -> None:
    os.symlink("b", f"{tmp_path}/a")
    os.symlink("a", f"{tmp_path}/b")
    with pytest.raises(OSError, match="symbolic links"):
        resolve(str(tmp_path), "/a/x")


def test_points_are_made_without_following_links(tmp_path: os.PathLike[str]) -> None:
    base = str(tmp_path)
    os.mkdir(f"{base}/root")
    os.mkdir(f"{base}/out")
    os.symlink(f"{base}/out", f"{base}/root/link")
    root = os.open(f"{base}/root", os.O_PATH | os.O_DIRECTORY)
    try:
        os.close(inroot.make_point(root, "/new/deep/dir", True))
        os.close(inroot.make_point(root, "/new/file", False))
        assert os.path.isdir(f"{base}/root/new/deep/dir") and os.path.isfile(f"{base}/root/new/file")
        for directory in (True, False):
            with pytest.raises(OSError):
                inroot.make_point(root, "/link/x", directory)
        with pytest.raises(OSError):
            inroot.make_point(root, "/new/file", True)
        with pytest.raises(OSError):
            inroot.make_point(root, "/new/deep", False)
    finally:
        os.close(root)
    assert os.listdir(f"{base}/out") == []
