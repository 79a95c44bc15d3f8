"""What could go, and what is said to those who can mend it; what is left out where somebody says so."""

import random
from collections import Counter
from collections.abc import Sequence

from tests.anatomy.anatomy_dive import stack
from tests.anatomy.anatomy_dive import taken_apart as taken_apart_as_stacked
from tests.anatomy.anatomy_images import dissected
from tests.suites.suites_folded import folded

from kezuri.anatomy.advice import Advice, advise
from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.ignored import without
from kezuri.anatomy.leftovers import KINDS
from kezuri.anatomy.naming import recorded_names
from kezuri.anatomy.summary import summarise
from kezuri.anatomy.values import Anatomy, Maker
from kezuri.app.analysis import ignored
from kezuri.check.catalogue import named
from kezuri.check.image.rule import ExampleLayer, Made

BIG = b"x" * 5000


def advised(*layers: tuple[str, ExampleLayer], of_base: int = 0) -> Sequence[Advice]:
    makers = [Maker(text, of_base=number < of_base) for number, (text, _) in enumerate(layers)]
    return advise(summarised(*(files for _, files in layers), makers=makers))


def summarised(*layers: ExampleLayer, makers: Sequence[Maker] = ()) -> Anatomy:
    return summarise(taken_apart(*layers, makers=makers))


def taken_apart(*layers: ExampleLayer, makers: Sequence[Maker] = ()) -> Dissection:
    """An image whose leftovers are known."""
    image = dissected(*layers, makers=makers)
    return Dissection(image.name, image.config, image.layers, naming=recorded_names)


def of_two(lower: str, upper: str, kind: str, **changed: int) -> Advice:
    """The advice about a file that the upper layer removes or stores again."""
    above = Made(kind="whiteout") if kind == "removed" else Made(BIG, **changed)  # type: ignore[arg-type]
    found = advised((lower, {"app/x": Made(BIG)}), (upper, {"app/x": above}))
    assert [each.kind for each in found] == [kind]
    return found[0]


def test_a_removal_goes_into_the_run_that_made_it() -> None:
    found = of_two("RUN make && make install", "RUN rm -rf /app/x \"$HOME\"/'b c'", "removed")
    assert (found.size, found.files, found.layer, found.by, found.rule) == (5000, 1, 0, 1, "RemovalHidesBytes")
    assert found.mending == "" or found.mending.startswith("RUN make && make install && rm")
    assert of_two("RUN make", "RUN rm -rf /app/x", "removed").mending == "RUN make && rm -rf /app/x"
    for upper in ("RUN rm /app/x && make", "RUN rm /app/x; make", "RUN rm $(cat list)", "RUN find / -delete"):
        assert of_two("RUN make", upper, "removed").mending == "", upper
    for lower in ('RUN ["make"]', "RUN <<EOF", "WORKDIR /app", "make-bases x"):
        assert of_two(lower, "RUN rm /app/x", "removed").mending == "", lower
    assert of_two("RUN make " + "x" * 500, "RUN rm /app/x", "removed").mending == "", "too long to be read"
    copied = of_two("COPY . /app", "RUN rm /app/x", "removed")
    assert copied.mending == "" and "ignore file" in copied.hint


def test_owner_and_mode_come_with_the_copy() -> None:
    def mended(lower: str, upper: str) -> str:
        return of_two(lower, upper, "rewritten", uid=5).mending

    assert mended("COPY a b /app/", "RUN chown -R node:node /app") == "COPY --chown=node:node a b /app/"
    assert mended("ADD x /app/x", "RUN chmod 755 /srv /app/x") == "ADD --chmod=755 x /app/x"
    assert mended("RUN make", "RUN chown 5 /app/x") == "RUN make && chown 5 /app/x"
    for lower, upper in (
        ("COPY . .", "RUN chown -R node /app"),
        ("COPY . /app", "RUN chown -R node /app/bin"),
        ("COPY . /application", "RUN chown -R node /app"),
        ("COPY --chown=root . /app", "RUN chown -R node /app"),
        ("COPY . /app", "RUN chmod +x /app"),
        ("COPY . /app", "RUN chown -R node /app && make"),
        ("COPY file:0123 in /app", "RUN chown -R node /app"),
        ("COPY . /app", "RUN chown -R $USER /app"),
    ):
        assert mended(lower, upper) == "", (lower, upper)


def test_what_is_copied_twice_is_no_matter_of_owners() -> None:
    found = of_two("COPY package.json /app/", "COPY . /app/", "rewritten", uid=5)
    assert (found.rule, found.mending) == ("", "") and "two instructions" in found.hint


def test_what_came_with_the_base_is_said_last() -> None:
    found = advised(
        ("FROM x", {"usr/big": Made(BIG * 9), "usr/same": Made(BIG), "var/lib/apt/lists/all": Made(b"y" * 9000)}),
        ("RUN rm /usr/big", {"usr/big": Made(kind="whiteout"), "tmp/y": Made(b"z" * 6000)}),
        ("RUN chown 3 /usr/same; rm /tmp/y", {"usr/same": Made(BIG, uid=3), "tmp/y": Made(kind="whiteout")}),
        of_base=1,
    )
    assert [(each.kind, each.layer, each.of_base) for each in found] == [
        ("removed", 1, False),
        ("rewritten", 0, False),
        ("removed", 0, True),
        ("leftover", 0, True),
    ]
    assert not any(each.rule or each.mending for each in found if each.of_base)


def test_leftovers_name_their_rule_and_a_line() -> None:
    (found,) = advised(("RUN apt-get update", {"var/lib/apt/lists/all": Made(BIG)}))
    kind = KINDS["apt-lists"]
    assert (found.what, found.rule, found.mending) == ("apt-lists", kind.rule, kind.mending)


def test_little_is_not_told_and_copies_are_told_once() -> None:
    assert advised(("RUN a", {"x": Made(b"x" * 100)}), ("RUN b", {"x": Made(b"y")})) == ()
    (found,) = advised(("RUN a", {"x": Made(BIG), "y": Made(BIG), "z": Made(BIG), "s": Made(b"s"), "t": Made(b"s")}))
    assert (found.kind, found.size, found.files, found.by) == ("duplicate", 10_001, 3, -1)


def test_copies_of_the_base_are_told_apart_from_those_that_came_later() -> None:
    other = b"z" * 20_000
    found = advised(
        ("ADD rootfs /", {"a": Made(BIG), "b": Made(BIG), "c": Made(other)}),
        ("COPY . .", {"d": Made(BIG), "e": Made(other), "f": Made(other)}),
        of_base=1,
    )
    copies = [(each.size, each.files, each.of_base) for each in found if each.kind == "duplicate"]
    assert copies == [(2 * len(other) + len(BIG), 3, False), (len(BIG), 1, True)]


def test_every_rule_that_is_named_exists() -> None:
    rules = {"RemovalHidesBytes", "FilesStoredTwice", *(kind.rule for kind in KINDS.values() if kind.rule)}
    assert [rule for rule in rules if not named(rule.lower())] == []


def ignoring(image: Anatomy, layers: Sequence[ExampleLayer], *patterns: str) -> Anatomy:
    return without(image, taken_apart(*layers).pieces(), ignored(patterns).matches)


def test_what_is_ignored_is_not_among_what_could_go() -> None:
    layers: tuple[ExampleLayer, ...] = (
        {**{f"a/{n}": Made(b"%d" % n * 4000) for n in range(8)}, "b": Made(BIG), "var/lib/apt/lists/x": Made(BIG)},
        {"a": Made(kind="whiteout"), "b": Made(kind="whiteout"), "c": Made(BIG + b"c"), "d/c": Made(BIG + b"c")},
    )
    image = summarised(*layers)
    assert ignoring(image, layers) == image and ignoring(image, layers, "nothing/**") == image
    found = ignoring(image, layers, "a/[0-5]", "/var/lib/**", "!var/lib/apt/lists/y")
    (waste,) = found.waste
    assert waste.heap.files == 3 and waste.heap.size == 2 * 4000 + 5000
    assert [path for _, path in waste.heap.largest] == ["b", "a/6", "a/7"]
    assert found.leftovers == () and found.duplicates == image.duplicates
    assert found.layers == image.layers and found.wasted == image.wasted, "what layers weigh stays as it is"
    assert ignoring(image, layers, "d").duplicates == ()
    assert ignoring(image, layers, "**").waste == ()


@folded(range(60))
def test_what_is_ignored_is_left_out_to_the_byte(seed: int) -> None:
    image = taken_apart_as_stacked(stack(random.Random(seed)))
    figures = summarise(image)
    paths = sorted({piece.entry.path for piece in image.pieces()})
    chosen = set(random.Random(seed).sample(paths, len(paths) // 2))
    found = without(figures, image.pieces(), lambda path: path in chosen)
    expected = Counter[tuple[str, int, int]]()
    for piece in image.pieces():
        if piece.fate != "shown" and piece.entry.path not in chosen:
            expected[piece.fate, piece.layer, piece.by] += piece.size
    waste = {(each.fate, each.layer, each.by): each.heap.size for each in found.waste if each.heap.largest}
    assert waste == {key: size for key, size in expected.items() if size}
    assert sum(each.heap.size for each in figures.waste) == figures.wasted
