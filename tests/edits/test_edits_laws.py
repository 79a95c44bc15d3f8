"""What holds for every image and every change of it."""

import json
from typing import Any

import pytest
from hypothesis import strategies as st
from tests.edits.edits_images import NAMES, TEXTS, WORDS, documents, images, law, layer

from kezuri.edits.image import Documents, Image, accounted
from kezuri.edits.layers import Note, appended, squashed
from kezuri.edits.rebase import BASE_DIGEST, BASE_NAME, Base, rebased
from kezuri.edits.settings import UNSETTABLE, Changes, Unset
from kezuri.oci.config import HistoryEntry
from kezuri.oci.descriptor import DOCKER_MANIFEST, MANIFEST, Manifest, digest_of

pytestmark = pytest.mark.slow
"""Whole commands, or many made-up images: together they take longer than the quick tests may."""

UNSETS = st.builds(Unset, st.sampled_from(UNSETTABLE)) | st.builds(
    Unset, st.sampled_from(["label", "env", "annotation"]), NAMES
)
PAIRS = st.dictionaries(NAMES, TEXTS, max_size=3).map(lambda given: tuple(given.items()))
_SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "unset": st.lists(UNSETS, max_size=2).map(tuple),
    "labels": PAIRS,
    "env": PAIRS,
    "ports": st.sampled_from([(), ("80/tcp",), ("1/tcp", "53/udp")]),
    "volumes": st.sampled_from([(), ("/data",)]),
    "entrypoint": WORDS,
    "cmd": WORDS,
    "user": st.none() | st.just("5"),
    "created": st.none() | st.just("1970-01-01T00:00:00Z"),
}
CHANGES = st.fixed_dictionaries(_SETTINGS).map(lambda given: Changes(**given))
NOTE = Note("kezuri test")


def sound(image: Image) -> None:
    """Its layers are the same, counted in each of three ways."""
    count = len(image.manifest.layers)
    assert len(image.config.diff_ids) == count
    assert sum(not entry.empty_layer for entry in image.config.history) == count


def content(image: Image) -> str:
    """All that an image says, but for how its documents are found and in whose form they are."""
    return json.dumps(
        [
            image.config.to_json(),
            [entry.digest for entry in image.manifest.layers],
            sorted(image.manifest.annotations.items()),
        ],
        sort_keys=True,
    )


class TestDocuments:
    @law(images(), CHANGES)
    def test_digests_change_if_and_only_if_the_content_does(self, image: Image, changes: Changes) -> None:
        before = documents(image)
        after = before.of(changes.of(image))
        assert (after.descriptor.digest == before.descriptor.digest) == (content(changes.of(image)) == content(image))

    @law(images(), CHANGES)
    def test_documents_say_what_the_image_has_become(self, image: Image, changes: Changes) -> None:
        changed = changes.of(image)
        again = documents(image).of(changed).image("it")
        assert content(again) == content(changed)
        assert again.manifest.config.digest == digest_of(documents(image).of(changed).config)

    @law(images(), CHANGES)
    def test_the_same_change_of_the_same_image_is_the_same_image(self, image: Image, changes: Changes) -> None:
        assert documents(image).of(changes.of(image)) == documents(image).of(changes.of(image))

    @law(images())
    def test_an_image_of_another_writer_keeps_its_bytes(self, image: Image) -> None:
        config, manifest = (json.dumps(json.loads(raw), indent=3).encode() for raw in reversed(documents(image)))
        pointer = image.manifest.config._replace(digest=digest_of(config), size=len(config))
        manifest = json.dumps({**json.loads(manifest), "config": pointer.to_json(), "extra": 1}).encode()
        before = Documents(manifest, config)
        assert before.of(before.image("it")) is before
        assert before.of(before.image("it").annotated({"n": "1"})).config is config

    @law(images(), CHANGES)
    def test_a_document_is_of_one_form(self, image: Image, changes: Changes) -> None:
        changed = changes.of(image).annotated({})
        made = Manifest.parse(documents(image).of(changed).manifest, "it")
        words = {
            kind.split(".")[1]
            for kind in (made.media_type, made.config.media_type, *(x.media_type for x in made.layers))
        }
        assert len(words) == 1

    @law(images())
    def test_only_what_dockers_form_cannot_say_takes_it_away(self, image: Image) -> None:
        kept = documents(image).of(Changes(labels=(("new", "1"),)).of(image)).descriptor.media_type
        assert kept == image.manifest.media_type
        noted = documents(image).of(image.annotated({"new": "1"})).descriptor.media_type
        assert noted == MANIFEST
        if image.manifest.media_type == DOCKER_MANIFEST:
            assert not image.manifest.annotations


class TestSettings:
    @law(images(), CHANGES)
    def test_layers_and_history_stay(self, image: Image, changes: Changes) -> None:
        changed = changes.of(image)
        sound(changed)
        assert changed.layers == image.layers
        assert changed.config.history == image.config.history

    @law(images(), CHANGES)
    def test_twice_is_once(self, image: Image, changes: Changes) -> None:
        assert changes.of(changes.of(image)) == changes.of(image)

    @law(images(), st.sampled_from(["label", "env", "annotation"]), TEXTS)
    def test_what_was_new_and_is_unset_again_leaves_nothing(self, image: Image, kind: str, value: str) -> None:
        pairs = (("new", value),)
        changed = {
            "label": Changes(labels=pairs).of(image),
            "env": Changes(env=pairs).of(image),
            "annotation": image.annotated(dict(pairs)),
        }[kind]
        assert changed != image
        undone = Changes(unset=(Unset(kind, "new"),)).of(changed)
        assert undone == image
        assert documents(image).of(undone) == documents(image)

    @law(images(), UNSETS)
    def test_what_is_unset_is_gone_and_nothing_else_is(self, image: Image, unset: Unset) -> None:
        changed = unset.of(image)
        assert not unset.found(changed)
        assert (changed == image) == (not unset.found(image))
        for other in UNSETTABLE:
            if other != unset.kind:
                assert Unset(other).found(changed) == Unset(other).found(image)

    @law(images(), PAIRS, PAIRS)
    def test_changes_of_different_things_may_come_in_any_order(
        self, image: Image, labels: tuple[tuple[str, str], ...], env: tuple[tuple[str, str], ...]
    ) -> None:
        one, other = Changes(labels=labels, user="7"), Changes(env=env, ports=("9/tcp",))
        assert one.of(other.of(image)) == other.of(one.of(image))

    @law(images(), NAMES, TEXTS)
    def test_a_variable_keeps_its_place(self, image: Image, name: str, value: str) -> None:
        names = [entry.partition("=")[0] for entry in image.config.env]
        changed = Changes(env=((name, value),)).of(image).config.env
        expected = names if name in names else [*names, name]
        assert [entry.partition("=")[0] for entry in changed] == expected
        assert f"{name}={value}" in changed


class TestLayers:
    @law(images(), st.integers(10, 20))
    def test_one_more_is_on_top(self, image: Image, number: int) -> None:
        made = appended(image, layer(number), NOTE)
        sound(made)
        assert made.layers == (*image.layers, layer(number))
        assert made.config.history[:-1] == image.config.history
        assert made.config.history[-1].created_by == "kezuri test"
        sound(documents(image).of(made).image("it"))

    @law(images(st.lists(st.integers(0, 9), min_size=1, max_size=5, unique=True)), st.data())
    def test_those_above_become_one(self, image: Image, data: st.DataObject) -> None:
        kept = data.draw(st.integers(0, len(image.layers) - 1))
        made = squashed(image, kept, layer(11), NOTE)
        sound(made)
        assert made.layers == (*image.layers[:kept], layer(11))
        assert [e.created_by for e in made.config.history[:-1]] == [e.created_by for e in image.config.history]

    @law(st.lists(st.booleans(), max_size=8), st.integers(0, 8))
    def test_any_history_is_brought_to_account(self, empties: list[bool], layers: int) -> None:
        history = [HistoryEntry(created_by=str(n), empty_layer=empty) for n, empty in enumerate(empties)]
        made = accounted(history, layers)
        assert sum(not entry.empty_layer for entry in made) == layers
        assert [entry.created_by for entry in made[: len(history)]] == [entry.created_by for entry in history]
        assert accounted(made, layers) == made


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Image, Image, Image]:
    """An old base, an image that stands on it, and a new base."""
    old = draw(images(st.just(list(range(draw(st.integers(0, 3)))))))
    new = draw(images(st.just(list(range(3, 3 + draw(st.integers(0, 3)))))))
    own = CHANGES.map(lambda changes: changes._replace(created=None))
    image = draw(own).of(old)
    for number in range(10, 10 + draw(st.integers(0, 2))):
        image = appended(image, layer(number), Note(f"RUN {number}"))
    return old, image, new


def base(image: Image, name: str = "base") -> Base:
    return Base(name, image, documents(image).descriptor.digest)


class TestRebase:
    @law(stacks())
    def test_layers_and_history_below_are_the_new_bases(self, stack: tuple[Image, Image, Image]) -> None:
        old, image, new = stack
        made = rebased(image, "it", base(old, "old"), base(new, "new"))
        sound(made)
        own = len(old.layers)
        assert made.layers == (*new.layers, *image.layers[own:])
        assert made.config.history == (*new.config.history, *image.config.history[len(old.config.history) :])
        assert made.manifest.annotations[BASE_NAME] == "new"
        assert made.manifest.annotations[BASE_DIGEST] == base(new).digest

    @law(stacks())
    def test_onto_its_own_base_it_is_what_it_was(self, stack: tuple[Image, Image, Image]) -> None:
        old, image, _ = stack
        made = rebased(image, "it", base(old), base(old))
        assert made.layers == image.layers
        assert made.config._replace(env=()) == image.config._replace(env=())
        assert sorted(made.config.env) == sorted(image.config.env)

    @law(stacks())
    def test_there_and_back_the_layers_are_the_same(self, stack: tuple[Image, Image, Image]) -> None:
        old, image, new = stack
        there = rebased(image, "it", base(old), base(new))
        back = rebased(there, "it", base(new), base(old))
        assert (back.layers, back.config.history) == (image.layers, image.config.history)

    @law(stacks())
    def test_an_image_that_added_nothing_is_the_new_base(self, stack: tuple[Image, Image, Image]) -> None:
        old, _, new = stack
        made = rebased(old, "it", base(old), base(new))
        own = made.config._replace(created="", on_build=())
        assert own._replace(platform=new.config.platform) == new.config._replace(created="", on_build=())
