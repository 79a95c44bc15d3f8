"""Config, history and manifest put together."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.export.image import ImageDocuments, LayerBlob, assemble
from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.oci.dates import timestamp
from kezuri.oci.descriptor import DOCKER_LAYER, LAYER_GZIP, Descriptor, digest_of
from kezuri.oci.platform import Platform
from kezuri.plan.operation import HistoryItem

CONFIG = ImageConfig(Platform("linux", "amd64"), env=("PATH=/bin",), labels={"a": "file", "b": "file"})


def blob(name: str, created: float, media: str = LAYER_GZIP) -> LayerBlob:
    digest = digest_of(name.encode())
    return LayerBlob(digest_of(b"diff" + name.encode()), Descriptor(media, digest, 7, {"x": "y"}), created)


def put(
    items: list[HistoryItem],
    made: dict[tuple[int, int], LayerBlob],
    base: tuple[LayerBlob, ...] = (),
    history: tuple[HistoryEntry, ...] = (),
    epoch: int | None = None,
    config: ImageConfig = CONFIG,
) -> ImageDocuments:
    return assemble(config, base, history, items, made, {"b": "cli"}, {"note": "1"}, epoch, 900.0)


def created(documents: ImageDocuments) -> list[str]:
    return [h.created for h in documents.image_config.history]


def test_entries_without_a_layer_take_the_time_of_the_next_or_else_of_the_one_before() -> None:
    items = [
        HistoryItem("ENV"),
        HistoryItem("RUN", 0, 0),
        HistoryItem("CMD"),
        HistoryItem("RUN", 0, 1),
        HistoryItem("X"),
    ]
    done = put(items, {(0, 0): blob("a", 100), (0, 1): blob("b", 200)})
    assert created(done) == [timestamp(t) for t in (100, 100, 200, 200, 200)]
    assert done.image_config.created == timestamp(200)


def test_without_any_layer_it_is_the_time_of_the_base_or_else_now() -> None:
    assert created(put([HistoryItem("ENV")], {})) == [timestamp(900)]
    history = (HistoryEntry("2020-01-01T00:00:00.5Z", "base"), HistoryEntry("", "later", empty_layer=True))
    done = put([HistoryItem("ENV"), HistoryItem("CMD")], {}, (blob("base", 0),), history)
    assert created(done)[2:] == ["2020-01-01T00:00:00.5Z"] * 2
    assert done.image_config.created == "2020-01-01T00:00:00.5Z"
    assert created(put([HistoryItem("ENV")], {}, (), history, epoch=100))[2:] == [timestamp(100)]


def test_all_that_is_new_has_the_time_of_the_epoch() -> None:
    base = (blob("base", 0),)
    history = (HistoryEntry("2030-01-01T00:00:00Z", "base"),)
    items = [HistoryItem("RUN", 0, 0), HistoryItem("RUN", 0, 1)]
    done = put(items, {(0, 0): blob("a", 100), (0, 1): blob("b", 200)}, base, history, epoch=150)
    assert created(done) == ["2030-01-01T00:00:00Z", timestamp(150), timestamp(150)]
    assert done.image_config.created == timestamp(150)


def test_an_image_without_instructions_keeps_the_time_of_its_base() -> None:
    history = (HistoryEntry("2020-01-01T00:00:00Z", "base"), HistoryEntry("", "later", empty_layer=True))
    assert put([], {}, (blob("base", 0),), history).image_config.created == "2020-01-01T00:00:00Z"


def test_labels_of_the_command_line_win_and_annotations_are_in_the_manifest() -> None:
    done = put([HistoryItem("ENV")], {})
    assert done.image_config.labels == {"a": "file", "b": "cli"}
    assert json.loads(done.manifest)["annotations"] == {"note": "1"}


def test_descriptors_are_plain_and_of_oci_media_types() -> None:
    done = put([], {}, (blob("base", 0, DOCKER_LAYER),))
    assert json.loads(done.manifest)["layers"] == [
        {"mediaType": LAYER_GZIP, "digest": digest_of(b"base"), "size": 7},
    ]
    assert done.descriptor.digest == digest_of(done.manifest)
    assert done.config_descriptor.digest == digest_of(done.config)


ITEMS = st.lists(st.booleans(), max_size=6)


@given(ITEMS, st.integers(0, 3), st.integers(0, 4), st.none() | st.integers(0, 1000))
def test_history_counts_the_layers(kinds: list[bool], base_layers: int, base_entries: int, epoch: int | None) -> None:
    base = tuple(blob(f"base{i}", 0) for i in range(base_layers))
    history = tuple(HistoryEntry("", f"h{i}", "", i >= base_layers) for i in range(base_entries))
    items, made = [], {}
    for i, layer in enumerate(kinds):
        items.append(HistoryItem(f"i{i}", 0, i) if layer else HistoryItem(f"i{i}"))
        if layer:
            made[(0, i)] = blob(f"l{i}", float(i))
    done = put(items, made, base, history, epoch)
    config = json.loads(done.config)
    full = [h for h in config["history"] if not h.get("empty_layer")]
    assert len(full) == len(config["rootfs"]["diff_ids"]) == len(json.loads(done.manifest)["layers"])
    assert [h.get("created_by") for h in config["history"]][len(config["history"]) - len(items) :] == [
        i.created_by for i in items
    ]
    assert put(items, made, base, history, epoch) == done


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00Z"), (1.5, "1970-01-01T00:00:01.5Z"), (1e9, "2001-09-09T01:46:40Z")],
)
def test_times(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(seconds, UTC)
