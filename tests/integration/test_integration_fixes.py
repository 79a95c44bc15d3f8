"""No fix breaks a build: files of the corpus are built before and after; a second run changes nothing."""

import argparse

import pytest
from tests.fixes.fixes_corpus import run, summary
from tests.fixes.fixes_items import Item, images, items, stand_in
from tests.integration.integration_bases import Bases
from tests.integration.integration_command import Kezuri

pytestmark = pytest.mark.slow


def _names(chosen: list[Item]) -> set[str]:
    """The images that stand for those which the files ask for, in full."""
    found = {stand_in(name) for item in chosen for name in images(item.text)}
    return {name if "." in name.split("/")[0] else f"docker.io/library/{name}" for name in found if name}


@pytest.mark.parametrize(
    ("sort", "kinds", "every"), [("rule", "safe", 1), ("careless", "proved", 1), ("peers", "safe", 4)]
)
def test_no_fix_breaks_a_build(kezuri: Kezuri, bases: Bases, sort: str, kinds: str, every: int) -> None:
    options = argparse.Namespace(root=str(kezuri.root), kinds=kinds, seed=7, generated=6)
    chosen = [item for item in items(options.seed, options.generated) if item.name.startswith(f"{sort}/")][::every]
    wanted = _names(chosen)
    bases.require(sorted(wanted))
    for name in sorted(wanted):
        kezuri("copy", "-q", f"oci:{bases.directory}:{name}", f"store:{name}")
    results = run(chosen, options)
    counts = summary(results)
    assert counts["files"] == len(chosen) and (counts["mended"] or sort == "peers")
    wrong = [r for r in results if "broken" in r or "failed" in r or r.get("again") or not r.get("settled", True)]
    assert wrong == []
