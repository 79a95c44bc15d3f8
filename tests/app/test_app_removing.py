"""What goes with a pulled image that is removed, and what stays because builds stand on it."""

import gzip

import pytest
from tests.build.build_workshop import Workshop, tar_of
from tests.registry.registry_faults import FaultyRegistry, Image, make_image

from kezuri.app.image_prune import prune_images
from kezuri.app.images import images, remove
from kezuri.app.pull import pull
from kezuri.app.request import Settings
from kezuri.oci import Platform
from kezuri.store.store import Store

HOST = Platform.host()


def image_of(*contents: bytes) -> Image:
    layers = [gzip.compress(tar_of((f"f{number}", content)), mtime=0) for number, content in enumerate(contents)]
    return make_image(*layers, architecture=HOST.architecture, variant=HOST.variant)


def there(settings: Settings, image: Image) -> list[bool]:
    """Which of the image's layers the store has."""
    with Store(settings.root) as store:
        return [store.blobs.has(layer.digest) for layer in image.layers]


def fetch(settings: Settings, name: str) -> None:
    pull(settings, name, "", lambda _: None)


@pytest.mark.parametrize("prune", [False, True])
def test_a_pulled_image_takes_its_layers_along(
    shop: Workshop, settings: Settings, server: FaultyRegistry, prune: bool
) -> None:
    one, two = image_of(b"shared", b"one"), image_of(b"shared", b"two")
    server.put(one, "one")
    server.put(two, "two")
    for name in ("one", "two"):
        fetch(settings, f"{server.host}/app:{name}")
    gone = remove(settings, (f"{server.host}/app:one",))
    assert [(g.what, g.name) for g in gone] == [
        ("untagged", f"{server.host}/app:one"),
        ("deleted", one.layers[1].digest),
    ]
    assert (there(settings, one), there(settings, two)) == ([True, False], [True, True])
    last = prune_images(settings, all=True) if prune else remove(settings, (f"{server.host}/app:two",))
    assert {g.name for g in last if g.what == "deleted"} == {layer.digest for layer in two.layers}
    assert images(settings) == () and shop.check() == []
    # It can be had again.
    fetch(settings, f"{server.host}/app:two")
    assert there(settings, two) == [True, True]


def test_what_cached_results_stand_on_stays(shop: Workshop, settings: Settings, server: FaultyRegistry) -> None:
    base, above = image_of(b"base"), image_of(b"base", b"above")
    server.put(base, "base")
    server.put(above, "above")
    for name in ("base", "above"):
        fetch(settings, f"{server.host}/app:{name}")
    text = f"FROM {server.host}/app:base\nCOPY f /g\n"
    shop.build(text)
    remove(settings, (f"{server.host}/app:above",))
    assert there(settings, above) == [True, False]
    remove(settings, (f"{server.host}/app:base",))
    assert there(settings, base) == [True] and shop.check() == []
    asked = len(server.log)
    shop.build(text)
    assert len(server.log) == asked
