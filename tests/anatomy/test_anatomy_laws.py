"""Laws: the sums hold, and waste is what all layers unpack to without what the final root shows."""

import os
import tempfile
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.anatomy.anatomy_stacks import Growing, content_of, dissected, seen

from kezuri.anatomy.summary import summarise


def check(chance: Random) -> None:
    with tempfile.TemporaryDirectory() as root:
        growing = Growing(root, chance)
        tars = [growing.layer() for _ in range(chance.randint(1, 5))]
        final = seen(root)
    image = dissected(*tars)
    anatomy = summarise(image)
    contents = [content_of(tar) for tar in tars]
    for layer, tar, content in zip(anatomy.layers, tars, contents, strict=True):
        assert layer.tar == len(tar) == layer.useful + layer.wasted + layer.metadata
        assert layer.useful + layer.wasted == content
        assert 0 <= layer.rewritten <= layer.wasted
    assert anatomy.wasted == sum(contents) - final.size
    assert anatomy.useful == final.size
    assert anatomy.wasted == sum(each.heap.size for each in anatomy.waste)
    assert anatomy.files == len(final.others)
    assert anatomy.directories == len(final.directories)
    assert sum(share.size for share in anatomy.owners) == anatomy.useful
    superseded = sum(each.heap.size for each in anatomy.waste if each.fate == "superseded")
    assert sum(share.wasted for share in anatomy.owners) == anatomy.wasted - superseded
    again = {bytes.fromhex(each.digest[7:]): each.copies for each in anatomy.duplicates}
    assert again == {digest: count for digest, count in final.copies.items() if count > 1}
    for piece in image.pieces():
        assert (piece.fate == "shown") == (piece.by < 0)
        shown = piece.name or piece.entry.path
        if piece.entry.kind not in ("dir", "whiteout"):
            assert piece.fate != "shown" or shown in final.others
    assert {path for _, path in anatomy.largest} <= final.others


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_sums_hold_and_waste_is_what_the_root_does_not_show(chance: Random) -> None:
    check(chance)


@pytest.mark.slow
def test_the_sums_hold_for_many() -> None:
    for seed in range(int(os.environ.get("KEZURI_TEST_STACKS", "800"))):
        try:
            check(Random(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
