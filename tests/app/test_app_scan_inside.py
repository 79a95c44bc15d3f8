"""What a scan finds in files: of images wherever they are, of directories, once; and what it leaves alone."""

import json
import os
from pathlib import Path

import pytest
from tests.app.test_app_image_check import IMAGE, KEY, UPPER
from tests.images.test_images_layout import write_layout

from kezuri.advisories.coordinates import Distribution
from kezuri.app import scan_inside
from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest
from kezuri.app.scan_inside import Inside, look_inside
from kezuri.app.scan_kept import KeptInside
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import digest_of
from kezuri.sbom.values import Bill, BillLayer

BOTH = ("secret", "misconfig")
LAYERS = (BillLayer("sha256:" + "1" * 64, of_base=True), BillLayer("sha256:" + "2" * 64))
BILL = Bill("app", "image", "sha256:" + "ab" * 32, "linux/amd64", "", Distribution(), LAYERS, ())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(str(tmp_path / "store"))


@pytest.fixture
def image(tmp_path: Path) -> BillRequest:
    return BillRequest(f"oci:{write_layout(str(tmp_path / 'layout'), (IMAGE, {}))}", "linux/amd64")


def ids(inside: Inside) -> list[tuple[str, str, int]]:
    return [(each.kind, each.id, each.layer) for each in inside.findings]


def test_an_image_is_read_once_for_all_that_is_looked_for(settings: Settings, image: BillRequest) -> None:
    found = look_inside(settings, image, BILL, BOTH)
    assert ("secret", "private-key", 0) in ids(found) and ("misconfiguration", "MissingUser", -1) in ids(found)
    assert found.findings[0].title == "/deploy.key holds a private key, which `layer 2` only hides"
    assert found.told == ()
    assert {kind for kind, _, _ in ids(look_inside(settings, image, BILL, ("secret",)))} == {"secret"}
    assert {kind for kind, _, _ in ids(look_inside(settings, image, BILL, ("misconfig", "vuln")))} == {
        "misconfiguration"
    }
    assert look_inside(settings, image, BILL, ("vuln",)) == Inside()
    assert look_inside(settings, image, BILL._replace(kind="sbom"), BOTH) == Inside()


def test_what_was_found_is_kept_until_the_image_or_the_code_is_another(
    settings: Settings, image: BillRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look_inside(settings, image, BILL, BOTH)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the image is read again")

    monkeypatch.setattr(scan_inside, "opened_dissection", never)
    assert look_inside(settings, image, BILL, BOTH) == found
    assert look_inside(settings, image, BILL, ("misconfig", "secret", "vuln")) == found
    for other in (
        BILL._replace(digest="sha256:" + "cd" * 32),
        BILL._replace(digest=""),
        BILL._replace(layers=LAYERS[1:]),
    ):
        with pytest.raises(AssertionError):
            look_inside(settings, image, other, BOTH)
    with pytest.raises(AssertionError):
        look_inside(settings, image, BILL, ("secret",))


@pytest.mark.parametrize("damage", [b"", b"kezuri inside 1\n", b"kezuri inside 1\nx", b"x" * 100])
def test_what_is_damaged_is_found_again(settings: Settings, image: BillRequest, damage: bytes) -> None:
    found = look_inside(settings, image, BILL, BOTH)
    (path,) = Path(settings.root, "listings").glob("inside-*")
    path.write_bytes(damage)
    assert look_inside(settings, image, BILL, BOTH) == found


def test_what_is_kept_holds_findings_only(settings: Settings) -> None:
    with Session(settings) as session:
        kept = KeptInside(session.store)
        for rows in ([[1]], [["secret"] * 22], {"a": 1}, [["secret", "x", 1, "high"]], "text"):
            path = Path(settings.root, "listings", "inside-x")
            path.parent.mkdir(exist_ok=True)
            import zlib

            path.write_bytes(b"kezuri inside 1\n" + zlib.compress(json.dumps(rows).encode()))
            assert kept.load("x") is None


def test_what_could_not_be_read_is_told_and_not_kept(
    settings: Settings, image: BillRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kezuri.check.image import secret_files

    monkeypatch.setattr(secret_files, "_MOST", 1)
    found = look_inside(settings, image, BILL, BOTH)
    assert any("were not searched" in text for text in found.told)
    monkeypatch.undo()
    assert look_inside(settings, image, BILL, BOTH).told == ()


def test_a_layer_that_is_damaged_is_told_and_the_others_are_searched(settings: Settings, tmp_path: Path) -> None:
    layout = write_layout(str(tmp_path / "layout"), (IMAGE, {}))
    upper = Path(layout, "blobs", "sha256", digest_of(UPPER).removeprefix("sha256:"))
    upper.write_bytes(UPPER[:-9])
    found = look_inside(settings, BillRequest(f"oci:{layout}", "linux/amd64"), BILL, BOTH)
    assert [(each.id, each.path) for each in found.findings if each.kind == "secret"] == [("private-key", "deploy.key")]
    assert len(found.told) == 1 and found.told[0].startswith("layer 2 could not be read")
    upper.write_bytes(UPPER)
    again = look_inside(settings, BillRequest(f"oci:{layout}", "linux/amd64"), BILL, BOTH)
    assert again.told == () and "only hides" in again.findings[0].title


def test_files_that_cannot_be_gone_through_are_told_and_the_config_is_looked_at(
    settings: Settings, image: BillRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kezuri.check.image import subject

    monkeypatch.setattr(subject, "MOST_ENTRIES", 1)
    found = look_inside(settings, image, BILL, BOTH)
    assert ("misconfiguration", "MissingUser", -1) in ids(found)
    assert "private-key" not in [each.id for each in found.findings]
    assert "has more than 1 files" in found.told[0]
    monkeypatch.undo()
    assert ("secret", "private-key", 0) in ids(look_inside(settings, image, BILL, BOTH)), "it was not kept"


def test_a_directory_is_searched_for_secrets_and_its_accounts(settings: Settings, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path, data in {
        "app/.env": b"PORT=1\nDB_PASSWORD=correcthorse\n",
        "etc/shadow": b"root::19000:0:99999:7:::\n",
        "usr/lib/x.key": KEY,
        ".git/config": b'[remote "origin"]\n\turl = https://me:s3cretpass@git.example.com/x.git\n',
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    os.symlink("/etc", root / "elsewhere")
    os.mkfifo(root / "pipe")
    bill = BILL._replace(kind="directory", digest="", layers=())
    found = look_inside(settings, BillRequest(f"dir:{root}"), bill, BOTH)
    assert sorted((each.id, each.path, each.line) for each in found.findings) == [
        ("EmptyPassword", "", 0),
        ("password-in-url", ".git/config", 2),
        ("secret-in-env-file", "app/.env", 2),
    ]
    with pytest.raises(KezuriError):
        look_inside(settings, BillRequest(str(root / "app/.env")), bill, BOTH)
