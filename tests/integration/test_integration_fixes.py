"""No fix breaks a build: files of the corpus are built before and after; a second run changes nothing."""

import argparse

import pytest
from tests.fixes.fixes_corpus import run, summary
from tests.fixes.fixes_items import Item, images, items, stand_in
from tests.integration.integration_bases import Bases
from tests.integration.integration_command import Kezuri

from kezuri.oci.reference import Reference

pytestmark = pytest.mark.slow


def _names(item: Item) -> set[str]:
    """The images that stand for those which the file asks for, in full."""
    found = {stand_in(name) for name in images(item.text)}
    return {str(Reference.parse(name)) for name in found if name}


@pytest.mark.parametrize(
    ("sort", "kinds", "every"), [("rule", "safe", 5), ("careless", "proved", 2), ("peers", "safe", 8)]
)
def test_no_fix_breaks_a_build(kezuri: Kezuri, bases: Bases, sort: str, kinds: str, every: int) -> None:
    """A part of the corpus, of what has its base images here: `python -m tests.fixes.fixes_corpus` takes all of it."""
    options = argparse.Namespace(root=str(kezuri.root), kinds=kinds, seed=7, generated=6)
    sorted_out = [item for item in items(options.seed, options.generated) if item.name.startswith(f"{sort}/")]
    chosen = [item for item in sorted_out if all(name in bases for name in _names(item))][::every]
    if not chosen:
        pytest.skip(f"no base image of any file of {sort}/ (bases: {bases.origin})")
    for name in sorted(set().union(*map(_names, chosen))):
        kezuri("copy", "-q", bases.place(name), f"store:{name}")
    results = run(chosen, options)
    counts = summary(results)
    assert counts["files"] == len(chosen) and (counts["mended"] or sort == "peers")
    wrong = [r for r in results if "broken" in r or "failed" in r or r.get("again") or not r.get("settled", True)]
    assert wrong == []
