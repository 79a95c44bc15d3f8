"""Images of registries and layouts opened for the checks, as an ordinary user too: nothing of them is kept."""

import gzip
from pathlib import Path

import pytest
from tests.images.test_images_layout import NAME, write_layout
from tests.layer.layer_trees import tar_of
from tests.registry.registry_faults import FaultyRegistry, make_image

from kezuri.app import image_whole
from kezuri.app.fixing import PROVED, Fixer, FixRequest
from kezuri.app.image_check import check_named
from kezuri.app.lint import CheckRequest, check_all
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.app.transfers import Places
from kezuri.check.selection import Selection
from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.oci.descriptor import digest_of
from kezuri.transfer.copying import Wish, copy
from kezuri.transfer.places import read_place

KEY = b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 3


def file(path: str, content: bytes, mode: int = 0o644) -> Item:
    return Entry(path, "file", mode, size=len(content)), content


LOWER = gzip.compress(tar_of([file("hello", b"#!/bin/none\n", 0o755), file("deploy.key", KEY)]))
UPPER = gzip.compress(tar_of([(Entry("deploy.key", "whiteout", 0), None)]))
IMAGE = make_image(LOWER, UPPER)


def found(settings: Settings, name: str) -> dict[str, str]:
    sheet = check_named(settings, name, "linux/amd64", Selection()).sheet
    return {told.rule.name: told.message for told in sheet.told if told.level == "error"}


def kept(settings: Settings) -> list[str]:
    """Blobs, and work in progress, that a store holds."""
    places = [Path(settings.root, "blobs", "sha256"), Path(settings.root, "tmp")]
    return [path.name for place in places if place.is_dir() for path in place.iterdir()]


WANTED = {
    "SecretInLayer": "/deploy.key holds a private key, which `layer 2` only hides",
    "StartProgramMissing": "CMD starts /hello, a script for /bin/none, which is not in the image",
}


def test_an_image_of_a_layout_leaves_nothing(tmp_path: Path) -> None:
    layout = write_layout(str(tmp_path / "layout"), (IMAGE, {}))
    settings = Settings(str(tmp_path / "store"))
    assert found(settings, f"oci:{layout}") == WANTED
    assert kept(settings) == []


def test_an_image_of_a_registry_is_brought_once_and_not_kept(tmp_path: Path) -> None:
    with FaultyRegistry() as registry:
        registry.put(IMAGE, "1")
        settings = Settings(str(tmp_path / "store"), insecure=(registry.host,))
        assert found(settings, f"docker://{registry.host}/a/b:1") == WANTED
        blobs = [seen.path for seen in registry.asked("blobs/")]
    assert len(blobs) == len(set(blobs)) == 3
    assert kept(settings) == []


@pytest.mark.parametrize("user", [0, 1000])
def test_an_image_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    layout = write_layout(str(tmp_path / "layout"), (IMAGE, {"org.opencontainers.image.ref.name": NAME}))
    settings = Settings(str(tmp_path / "store"))
    with Session(settings) as session, Places(session) as places:
        source = places.source(read_place(f"oci:{layout}"))
        with places.destination(read_place("store:a/b:1")) as destination:
            copy(source, destination, Wish(), lambda *_: None)
    monkeypatch.setattr(image_whole, "reads_everything", lambda: user == 0)
    assert found(settings, "a/b:1") == WANTED
    assert found(settings, "a/b:1") == WANTED  # from the listings that there are now


def test_a_layer_that_is_none_is_told(tmp_path: Path) -> None:
    layout = write_layout(str(tmp_path / "layout"), (make_image(gzip.compress(b"no tar" * 200)), {}))
    with pytest.raises(KezuriError):
        found(Settings(str(tmp_path / "store")), f"oci:{layout}")


def test_a_base_image_is_pinned_by_what_its_registry_says(tmp_path: Path) -> None:
    """Only where registries are asked, and by the digest of the index or manifest that the tag stands for."""
    with FaultyRegistry() as registry:
        registry.put(IMAGE, "latest")
        settings = Settings(str(tmp_path / "store"), insecure=(registry.host,))
        path = tmp_path / "Dockerfile"
        path.write_text(f"FROM {registry.host}/a/b:latest\nUSER 1\n")

        def fixes(online: bool) -> list[str]:
            checks = check_all(CheckRequest((str(path),), online=online), lambda: settings)
            return [
                told.fix.edits[0].text
                for sheet in checks.sheets
                for told in sheet.told
                if told.fix is not None and told.rule.name == "LatestBaseImage"
            ]

        assert fixes(online=False) == []
        assert fixes(online=True) == [f"{registry.host}/a/b:latest@{digest_of(IMAGE.manifest)}"]
        (fixed,) = fixes(online=True)
        fixer = Fixer(FixRequest(PROVED, True, BuildRequest()), "", lambda: settings, lambda event: None)
        check_all(CheckRequest((str(path),), online=True), lambda: settings, fixer)
        assert path.read_text() == f"FROM {fixed}\nUSER 1\n"
