"""Two sizes: what the files of an image are unpacked, which docker shows, and what a pull transfers."""

import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_workshop import Workshop, tar_of, write_layout
from tests.registry.registry_faults import FaultyRegistry, make_image

from kezuri.app.images import history, images, inspect
from kezuri.app.pull import pull
from kezuri.app.request import Settings
from kezuri.oci.platform import Platform
from kezuri.store.store import Store

FILES = tar_of(("dir", None), ("dir/zeros", bytes(100_000)), ("noise", random.Random(7).randbytes(5_000)))
UNPACKED = 105_000


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(f="1234567")
    return shop


@pytest.fixture
def settings(shop: Workshop) -> Settings:
    return Settings(str(shop.root))


@pytest.fixture
def pulled(settings: Settings) -> Iterator[str]:
    """An image of which no layer was unpacked or listed."""
    host = Platform.host()
    with FaultyRegistry() as server:
        server.put(make_image(gzip.compress(FILES), architecture=host.architecture, variant=host.variant), "latest")
        pull(settings, f"{server.host}/app", "", lambda _: None)
        yield f"{server.host}/app"


def sizes(settings: Settings, name: str = "app") -> tuple[Any, ...]:
    (image,) = [image for image in images(settings, measured=True) if name in image.name]
    (document,) = inspect(settings, (image.name,))
    assert (document["Size"], document["CompressedSize"]) == (image.size, image.compressed)
    if lines := history(settings, image.name):
        assert sum(line.compressed for line in lines) == image.compressed
        assert image.size is None or sum(line.size or 0 for line in lines) == image.size
    return image.size, image.compressed


def test_what_was_built(shop: Workshop, settings: Settings) -> None:
    write_layout(shop.directory / "base", [FILES])
    base = (("base", f"oci-layout://{shop.directory}/base"),)
    result = shop.build("FROM base\nCOPY f /f\n", tags=("app",), build_contexts=base)
    assert sizes(settings) == (UNPACKED + 7, result.size) == (result.unpacked, result.size)
    again = shop.build("FROM base\nCOPY f /f\n", tags=("app",), build_contexts=base)
    assert again.ran == 0 and again.unpacked == result.unpacked


def test_hard_links_count_once(shop: Workshop, settings: Settings) -> None:
    (shop.context / "g").hardlink_to(shop.context / "f")
    shop.build("FROM scratch\nCOPY f g /d/\n", tags=("app",))
    assert sizes(settings)[0] in (7, 14)  # a COPY may keep them apart


def test_what_was_pulled_is_read_once(pulled: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    name = pulled.rpartition("/")[2]
    assert sizes(settings, name)[0] == UNPACKED
    monkeypatch.setattr("kezuri.layer.tar_reader.read_tar", None)
    assert sizes(settings, name)[0] == UNPACKED
    with Store(settings.root) as store:
        store.database.facts.drop(2**40)
    with pytest.raises(TypeError):
        sizes(settings, name)


def test_only_who_asks_for_sizes_reads_layers(pulled: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kezuri.layer.tar_reader.read_tar", None)
    (image,) = images(settings)
    assert image.size is None and image.compressed


@pytest.mark.parametrize("harm", ["gone", "short", "other"])
def test_a_layer_that_cannot_be_read_has_no_size(pulled: str, settings: Settings, harm: str) -> None:
    with Store(settings.root) as store:
        (name,) = store.names.all()
        (layer,) = inspect(settings, (name,))[0]["Manifest"]["layers"]
        store.database.facts.drop(2**40)
        path = Path(store.blobs.path(layer["digest"]))
    data = path.read_bytes()
    path.unlink()
    if harm != "gone":
        path.write_bytes(data[:-20] if harm == "short" else gzip.compress(tar_of(("other", b"12"))))
    assert sizes(settings, "")[0] == (2 if harm == "other" else None)
    with Store(settings.root) as store:
        # What it shows is what lies there; what is kept is true of the layer.
        assert store.database.facts.unpacked(inspect(settings, (name,))[0]["RootFS"]["Layers"]) == {}
