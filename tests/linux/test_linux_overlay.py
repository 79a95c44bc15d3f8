"""Stacks of layers as the kernel is given them."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.linux import overlay

# A layer by path: a file by its content, None for a whiteout, True for an opaque directory, False for a plain one.
NAMES = ("a", "b", "a/a", "a/b", "a/a/a")
layers = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("x", "y", None, True, False)), max_size=5)
stacks = st.lists(layers, max_size=3).flatmap(lambda kinds: st.lists(st.sampled_from(kinds), max_size=7) if kinds else
                                              st.just([]))  # fmt: skip


def merged(stack: list[dict[str, str | bool | None]]) -> dict[str, str | bool]:
    """The tree that a stack shows, topmost layer first, by applying the layers from the lowest to the topmost."""
    tree: dict[str, str | bool] = {}
    for layer in reversed(stack):
        for path in sorted(layer):
            parent = path.rpartition("/")[0]
            if parent and not isinstance(layer.get(parent), bool):
                continue  # no layer has entries below what is no directory in it
            said = layer[path]
            if said is not False or not isinstance(tree.get(path), bool):
                for below in [p for p in tree if p == path or p.startswith(path + "/")]:
                    del tree[below]
            if said is not None:
                tree[path] = isinstance(said, bool) or said
    return tree


@given(stacks)
def test_a_layer_counts_at_its_topmost_place_alone(stack: list[dict[str, str | bool | None]]) -> None:
    kept = overlay.distinct(stack, lambda layer: repr(sorted(layer.items())))
    assert merged(kept) == merged(stack)
    assert len({repr(sorted(layer.items())) for layer in kept}) == len(kept)


@pytest.mark.parametrize("below", [True, False])
def test_the_root_of_a_writable_overlay_looks_like_that_of_the_topmost_layer(tmp_path: Path, below: bool) -> None:
    lower, upper, work = (str(tmp_path / name) for name in ("lower", "upper", "work"))
    os.mkdir(lower)
    os.chmod(lower, 0o1711)
    os.utime(lower, ns=(0, 10**9))
    os.chmod(tmp_path, 0o2700)  # set-group-id: directories that are made here inherit it
    before = os.umask(0o077)
    try:
        overlay.make_writable(upper, work, (lower,) if below else ())
    finally:
        os.umask(before)
    status = os.stat(upper)
    assert stat.S_IMODE(status.st_mode) == (0o1711 if below else 0o755)
    assert not below or status.st_mtime_ns == 10**9
    assert stat.S_IMODE(os.stat(work).st_mode) == 0o755
