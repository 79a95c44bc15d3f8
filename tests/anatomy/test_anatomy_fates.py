"""What becomes of a file in each way that a layer can hide it."""

from typing import NamedTuple

from tests.anatomy.anatomy_stacks import dissected, tarred
from tests.suites.suites_folded import folded

from kezuri.anatomy.summary import summarise

LOWER = tarred(("d/e/f", b"twelve bytes"), ("k", b"kept"))


class Case(NamedTuple):
    """Layers upon LOWER, and what becomes of d/e/f: its fate, the layer that hides it, and a name that it still has."""

    name: str
    layers: tuple[bytes, ...]
    fate: str
    by: int = -1
    still: str = ""


CASES = (
    Case("nothing happens", (tarred(("other", b"x")),), "shown"),
    Case("removed", (tarred(("d/e/.wh.f", b"")),), "removed", 1),
    Case("its directory is removed", (tarred((".wh.d", b"")),), "removed", 1),
    Case("its directory is opaque", (tarred(("d/e/.wh..wh..opq", b"")),), "removed", 1),
    Case("the root is opaque", (tarred((".wh..wh..opq", b"")),), "removed", 1),
    Case("removed twice", (tarred(("d/e/.wh.f", b"")), tarred((".wh.d", b""))), "removed", 1),
    Case("removed and made again", (tarred(("d/.wh.e", b"")), tarred(("d/e/f", b"twelve bytes"))), "removed", 1),
    Case("replaced", (tarred(("d/e/f", b"other  bytes")),), "replaced", 1),
    Case("replaced by a directory", (tarred(("d/e/f", None)),), "replaced", 1),
    Case("replaced by what lies under it", (tarred(("d/e/f/g", b"")),), "replaced", 1),
    Case("its directory becomes a file", (tarred(("d", b"")),), "replaced", 1),
    Case("its directory becomes a link", (tarred(("d", "->k")),), "replaced", 1),
    Case("only the mode is another", (tarred(("d/e/f", b"twelve bytes", 0o600)),), "rewritten", 1),
    Case("the same bytes by a hard link", (tarred(("a", b"twelve bytes"), ("d/e/f", "=a")),), "rewritten", 1),
    Case("another name above", (tarred(("n", "=d/e/f")), tarred((".wh.d", b""))), "shown", -1, "n"),
    Case(
        "another name above, replaced by its own file",
        (tarred(("n", "=d/e/f")), tarred(("d/e/f", b"new"))),
        "shown",
        -1,
        "n",
    ),
    Case(
        "the last name is hidden later",
        (tarred(("n", "=d/e/f")), tarred((".wh.d", b"")), tarred((".wh.n", b""))),
        "removed",
        3,
    ),
    Case("a link to a file of its own layer", (tarred(("d/e/f", b"new"), ("n", "=d/e/f")),), "replaced", 1),
    Case("a name in a directory that goes", (tarred(("x/n", "=d/e/f")), tarred((".wh.x", b""))), "shown"),
)


@folded(CASES, lambda case: case.name)
def test_what_becomes_of_a_file(case: Case) -> None:
    image = dissected(LOWER, *case.layers)
    [piece] = [each for each in image.pieces() if each.entry.path == "d/e/f" and each.layer == 0]
    assert (piece.fate, piece.by, piece.name) == (case.fate, case.by, case.still)
    lowest = summarise(image).layers[0]
    assert lowest.wasted - (4 if case.name == "the root is opaque" else 0) == (0 if case.fate == "shown" else 12)
    assert lowest.rewritten == (12 if case.fate == "rewritten" else 0)


def test_what_comes_again_in_one_tar_is_superseded() -> None:
    anatomy = summarise(dissected(tarred(("a", b"first"), ("b", b"bb"), ("a", b"second one"))))
    assert [(each.fate, each.layer, each.by, each.heap.size) for each in anatomy.waste] == [("superseded", 0, 0, 5)]
    assert (anatomy.useful, anatomy.files, anatomy.directories) == (12, 2, 0)


def test_directories_are_counted_as_the_image_shows_them() -> None:
    below = tarred(("a/b/c", b"x"), ("a", None), ("gone/x", b""))
    above = tarred(("a/b/d", b"y"), ("a/b", None), (".wh.gone", b""))
    assert summarise(dissected(below, above)).directories == 2
