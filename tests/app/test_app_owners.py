"""Owners of an image's files, wherever it is: records are read with the layer, and kept beside its listing."""

import json
import tarfile
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from tests.anatomy.anatomy_images import packed

from kezuri.anatomy import records
from kezuri.app.anatomy import Named, anatomy, opened_dissection
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.check.image.rule import ExampleLayer, Made

LAYERS: tuple[ExampleLayer, ...] = (
    {
        "etc/os-release": Made(b"ID=debian\n"),
        "var/lib/dpkg/status": Made(b"Package: bash\nStatus: install ok installed\nVersion: 5\n"),
        "var/lib/dpkg/info/bash.list": Made(b"/.\n/bin/bash\n"),
        "bin/bash": Made(b"b" * 3000),
        "var/lib/rpm/Packages": Made(b"old"),
    },
    {"app/node_modules/a/package.json": Made(b'{"name": "a", "version": "1"}'), "app/index.js": Made(b"i")},
)


def archive(path: Path) -> str:
    tars = [packed(layer) for layer in LAYERS]
    digests = [f"sha256:{sha256(tar).hexdigest()}" for tar in tars]
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": digests}}
    names = [f"{number}.tar" for number in range(len(tars))]
    manifest = [{"Config": "config.json", "RepoTags": ["app:1"], "Layers": names}]
    members = {**dict(zip(names, tars)), "config.json": json.dumps(config).encode()}
    members["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(path, "w") as out:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, BytesIO(data))
    return f"docker-archive:{path}"


@pytest.fixture
def image(tmp_path: Path) -> Named:
    return Named(archive(tmp_path / "image.tar"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(str(tmp_path / "root"))


def owners(settings: Settings, image: Named) -> dict[str, int]:
    return {str(share.owner): share.files for share in anatomy(settings, image).owners}


def test_files_have_owners_and_what_could_not_be_read_is_told(settings: Settings, image: Named) -> None:
    found = anatomy(settings, image)
    assert {str(share.owner): share.files for share in found.owners} == {
        "bash 5": 2,
        "a 1": 1,
        "no package": 3,
        "the application": 1,
    }
    assert any("database of rpm" in told for told in found.told)
    assert anatomy(settings, image) == found


def test_records_are_kept_with_the_layer(
    settings: Settings, image: Named, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = owners(settings, image)
    listings = tmp_path / "root" / "listings"
    kept = sorted(listings.glob("records-*"))
    assert len(kept) == len(LAYERS)
    for figures in listings.glob("anatomy-*"):
        figures.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(records, "parse", None)  # nothing is read again
        assert owners(settings, image) == first
    for damage in (b"", b"something else\n", kept[0].read_bytes()[:-5], b"0.0 [1]\n" + kept[0].read_bytes()):
        for figures in listings.glob("anatomy-*"):
            figures.unlink()
        kept[0].write_bytes(damage)
        assert owners(settings, image) == first
        assert kept[0].read_bytes() != damage


def test_a_store_that_takes_nothing_only_costs_time(
    settings: Settings, image: Named, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = owners(settings, image)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kezuri.linux.replacement.replacement", full)
    monkeypatch.setattr("kezuri.app.anatomy_kept.KeptAnatomies.load", lambda self, key: None)
    monkeypatch.setattr("kezuri.app.anatomy_layers.kept_records", lambda session, layer: None)
    assert owners(settings, image) == first


def test_a_dissection_names_owners_as_long_as_it_is_open(settings: Settings, image: Named) -> None:
    with Session(settings, reading=True) as session, opened_dissection(session, image) as found:
        said = {piece.entry.path: str(found.owners[piece.owner]) for piece in found.pieces()}
        assert said["bin/bash"] == "bash 5" and said["app/index.js"] == "the application"
        assert any("database of rpm" in told for told in found.told)
