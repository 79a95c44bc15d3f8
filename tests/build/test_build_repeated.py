"""An image may hold the same layer twice: each place keeps its own, in every document and in every form."""

import json
import os
import tarfile
from pathlib import Path

import pytest
from tests.build.build_busybox import BUSYBOX, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop, oci, output, read_layer

TWICE = "FROM scratch\nCOPY --link f /d/f\nCOPY --link other /d/f\nCOPY --link f /d/f\nLABEL a=b\n"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(f="first", other="second")
    return shop


def test_documents_name_it_at_each_of_its_places(shop: Workshop) -> None:
    result = shop.build(TWICE, tags=("dup",))
    one, two, again = shop.manifest(result)["layers"]
    assert one == again != two
    config = shop.config(result)
    assert len(config["rootfs"]["diff_ids"]) == 3 and len(set(config["rootfs"]["diff_ids"])) == 2
    assert [entry.get("empty_layer", False) for entry in config["history"]] == [False, False, False, True]
    assert shop.files(result)["d/f"] == b"first" and shop.check() == []


@pytest.mark.parametrize("kind", ["oci", "docker", "directory"])
def test_it_leaves_once_and_is_named_twice(shop: Workshop, kind: str) -> None:
    dest = shop.directory / "out"
    given = output("docker" if kind == "docker" else "oci", dest, ("tar", str(kind != "directory")))
    result = shop.build(TWICE, outputs=(given,), tags=("dup",))
    layers = [layer["digest"][7:] for layer in shop.manifest(result)["layers"]]
    if kind == "directory":
        assert {path.name for path in (dest / "blobs" / "sha256").iterdir()} >= set(layers)
        return
    with tarfile.open(dest) as tar:
        names = tar.getnames()
        assert [names.count(f"blobs/sha256/{layer}") for layer in layers] == [1, 1, 1]
        if kind == "docker":
            file = tar.extractfile("manifest.json")
            assert file is not None
            assert json.load(file)[0]["Layers"] == [f"blobs/sha256/{layer}" for layer in layers]


def test_one_builds_upon_it_and_sees_what_is_topmost(shop: Workshop) -> None:
    shop.build(TWICE, outputs=oci(shop.directory / "out.tar"), tags=("dup",))
    result = shop.build("FROM dup\nWORKDIR /d/w\nCOPY f /d/\n", tags=("child",))
    assert len(shop.manifest(result)["layers"]) == 5
    assert shop.files(result) == {"d": None, "d/w": None, "d/f": b"first"}
    assert shop.build("FROM dup\nWORKDIR /d/w\nCOPY f /d/\n", tags=("child",)).digest == result.digest
    assert shop.said.ran == [] and shop.check() == []


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")
def test_steps_that_change_nothing_and_what_stands_on_them(shop: Workshop) -> None:
    base = (("base", f"oci-layout://{busybox_layout(shop.directory / 'base', busybox_tar())}"),)
    text = "FROM base\nRUN true\nCOPY --link f /d/f\nRUN rm /d/f\nRUN true\nCOPY --link f /d/f\nRUN cat /d/f > /seen\n"
    result = shop.build(text, build_contexts=base, tags=("dup",))
    layers = [layer["digest"] for layer in shop.manifest(result)["layers"]]
    assert layers[1] == layers[4] and layers[2] == layers[5] and len(layers) == 7
    child = shop.build("FROM dup\nRUN cat /d/f /seen > /both\nCOPY --from=dup /d /e\n", tags=("child",))
    assert read_layer(shop.blob(shop.manifest(child)["layers"][-2]["digest"]))["both"] == b"firstfirst"
    assert read_layer(shop.blob(shop.manifest(child)["layers"][-1]["digest"]))["e/f"] == b"first"
    assert shop.check() == []
