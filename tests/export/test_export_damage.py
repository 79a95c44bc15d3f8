"""What leaves is what its digest says: a blob that changed on the store's disk stays, with an error that names it."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from tests.build.build_workshop import Workshop, output

from kezuri.diagnostics import KezuriError

FORMS = [("oci", "true"), ("oci", "false"), ("docker", "true")]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(f="content" * 100, g="more")
    return shop


def deliver(shop: Workshop, kind: str = "oci", tar: str = "true") -> str:
    result = shop.build(
        "FROM scratch\nCOPY f /f\nCOPY g /g\n", outputs=(output(kind, shop.directory / "out", ("tar", tar)),)
    )
    return result.digest


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "tar"), FORMS)
@pytest.mark.parametrize("harm", ["flipped", "shorter", "longer", "empty"])
def test_a_changed_blob_does_not_leave(shop: Workshop, kind: str, tar: str, harm: str) -> None:
    result = shop.build("FROM scratch\nCOPY f /f\nCOPY g /g\n", tags=("x",))
    layer = shop.root / "blobs" / "sha256" / shop.manifest(result)["layers"][0]["digest"][7:]
    if harm == "flipped":
        flip(layer)
    else:
        os.truncate(layer, {"shorter": 10, "longer": layer.stat().st_size + 1, "empty": 0}[harm])
    with pytest.raises(KezuriError, match=f"blob sha256:{layer.name} of the store is damaged") as caught:
        deliver(shop, kind, tar)
    assert "kezuri store check --repair" in caught.value.diagnostics[0].hint
    out = shop.directory / "out"
    assert not out.exists() or not (out / "index.json").exists()
    left = [path.name for path in shop.directory.rglob("*.part")]
    assert left == [] and not (out / "blobs" / "sha256" / layer.name).exists()


def test_a_blob_that_is_gone_is_made_again_or_named(shop: Workshop) -> None:
    result = shop.build("FROM scratch\nCOPY f /f\nCOPY g /g\n", tags=("x",))
    os.unlink(shop.root / "blobs" / "sha256" / shop.manifest(result)["layers"][0]["digest"][7:])
    assert deliver(shop) == result.digest or shop.said.ran


def test_a_layout_has_whole_blobs_of_its_own(shop: Workshop) -> None:
    """Who gives the output another owner, or changes it, changes nothing of the store."""
    digest = deliver(shop, "oci", "false")
    blobs = shop.directory / "out" / "blobs" / "sha256"
    assert {path.name for path in blobs.iterdir()} == {
        sha256(path.read_bytes()).hexdigest() for path in blobs.iterdir()
    }
    assert all(path.stat().st_nlink == 1 for path in blobs.iterdir())
    manifest = json.loads((blobs / digest[7:]).read_text())
    assert all((blobs / layer["digest"][7:]).exists() for layer in manifest["layers"])


def test_a_disk_that_cannot_be_read_harms_no_blob_of_the_store(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    from kezuri.store.blobs import CheckedBlob

    result = shop.build("FROM scratch\nCOPY f /f\nCOPY g /g\n", tags=("x",))

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(CheckedBlob, "read", fail)
    with pytest.raises(KezuriError, match="Input/output error"):
        deliver(shop, "oci", "false")
    monkeypatch.undo()
    assert shop.check() == [] and shop.files(result)["g"] == b"more"
