"""Images taken apart wherever they are: the same figures, each layer read once, and what cannot be read is named."""

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.anatomy.anatomy_stacks import tarred
from tests.app.app_shelf import Shelf
from tests.images.test_images_layout import write_layout
from tests.registry.registry_faults import FaultyRegistry, make_image

import kezuri.app.anatomy_layers
from kezuri.anatomy.values import Anatomy
from kezuri.app.anatomy import Named, anatomy, opened_dissection
from kezuri.app.diff import difference
from kezuri.app.growth import Baseline, Measuring, gate, record
from kezuri.app.pages import image_page
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.growth.budgets import parse_budget
from kezuri.layer.listing import Listing
from kezuri.oci.descriptor import LAYER_GZIP, Descriptor
from kezuri.store.store import Store

STATUS = b"Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.4\n\n"
FILES = b"/.\n/usr/share/base\n"
LOWER = tarred(
    ("var/lib/dpkg/status", STATUS),
    ("var/lib/dpkg/info/base-files.list", FILES),
    ("usr/share/base", b"base" * 100),
    ("app/a", b"first" * 100),
    ("app/b", "=app/a"),
    ("app/c", b"same bytes"),
)
UPPER = tarred(("app/.wh.a", b""), ("app/c", b"same bytes", 0o600), ("app/d", b"same bytes"))
IMAGE = make_image(gzip.compress(LOWER, mtime=0), gzip.compress(UPPER, mtime=0))
SECRET = Descriptor(f"{LAYER_GZIP}+encrypted", f"sha256:{'1' * 64}", 77)
ELSEWHERE = Descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", f"sha256:{'2' * 64}", 88)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers that were read."""
    seen: list[str] = []
    real = Listing.of_tar.__func__  # type: ignore[attr-defined]

    def counted(cls: type[Listing], /, stream: object, where: str = "layer", **rest: object) -> Listing:
        seen.append(where)
        listing = real(cls, stream, where, **rest)
        assert isinstance(listing, Listing)
        return listing

    monkeypatch.setattr(Listing, "of_tar", classmethod(counted))
    return seen


def figures(image: Anatomy) -> Anatomy:
    """What does not depend on where the image is."""
    return image._replace(name="", digest="", layers=tuple(layer._replace(maker=None) for layer in image.layers))  # type: ignore[arg-type]


def test_the_same_figures_wherever_an_image_is_and_no_layer_is_read_twice(tmp_path: Path, readings: list[str]) -> None:
    shelf = Shelf(tmp_path / "store")
    shelf.put("kept", [LOWER, UPPER])
    layout = write_layout(str(tmp_path / "layout"), (IMAGE, {}))
    kept = anatomy(shelf.settings, Named("store:kept"))
    assert [layer.useful for layer in kept.layers] == [len(STATUS + FILES) + 400 + 500, 20]
    assert [(each.fate, each.layer, each.by, each.heap.size) for each in kept.waste] == [("rewritten", 0, 1, 10)]
    assert [(each.copies, each.paths) for each in kept.duplicates] == [(2, ("app/c", "app/d"))]
    assert (500, "app/b") in kept.largest, "the name that is still there"
    assert len(readings) == 2
    with FaultyRegistry() as registry:
        registry.put(IMAGE, "1")
        name = f"docker://{registry.host}/a/b:1"
        for place, reads in ((f"oci:{layout}", 2), (name, 2)):
            settings = Settings(str(tmp_path / f"store of {reads} {place[:3]}"), insecure=(registry.host,))
            readings.clear()
            first = anatomy(settings, Named(place))
            assert figures(first) == figures(kept)
            assert len(readings) == reads
            asked = len(registry.asked("blobs/"))
            assert anatomy(settings, Named(place)) == first
            with Session(settings, reading=True) as session, opened_dissection(session, Named(place)) as image:
                assert sum(piece.size for piece in image.pieces()) == kept.useful + kept.wasted
                assert [str(owner) for owner in image.owners if owner.kind == "system"] == ["base-files 12.4"]
            assert len(readings) == reads, "what is kept is read again"
            assert len(registry.asked("blobs/sha256")) - asked <= 2, "only the config is asked for again"
    readings.clear()
    assert anatomy(shelf.settings, Named("store:kept")) == kept
    with Session(shelf.settings, reading=True) as session, opened_dissection(session, Named("kept")) as image:
        assert len(list(image.pieces())) == 9
    assert not readings


def test_a_slip_in_a_name_of_the_store_is_told_before_the_network_is_blamed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "store")
    with Store(str(shelf.root)) as store:
        store.names.put("127.0.0.1:1/shop:7", shelf.put("", [LOWER]))
    for name, hint in (
        ("127.0.0.1:1/shp:7", "did you mean 127.0.0.1:1/shop:7?\n"),
        ("127.0.0.1:1/nothing/like/it:1", ""),
    ):
        with pytest.raises(KezuriError) as raised:
            anatomy(shelf.settings, Named(name))
        said = raised.value.diagnostics[0].hint
        assert said.startswith(hint) and ("did you mean" in said) is bool(hint)


def test_a_page_reads_layers_once_where_nothing_can_be_kept(
    tmp_path: Path, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(listing: Listing, path: str) -> None:
        raise OSError

    monkeypatch.setattr(Listing, "save", full)
    layout = write_layout(str(tmp_path / "layout"), (IMAGE, {}))
    settings = Settings(str(tmp_path / "store"))
    page = image_page(settings, Named(f"oci:{layout}"), ("app/c",), str)
    assert len(readings) == 2 and page.build is None
    assert page.section["files"] == page.figures.files == anatomy(settings, Named(f"oci:{layout}")).files
    assert not page.figures.waste, "what is ignored"


def test_what_is_kept_may_be_damaged_and_a_layer_may_be_known_by_an_older_version(
    tmp_path: Path, readings: list[str]
) -> None:
    shelf = Shelf(tmp_path / "store")
    shelf.put("kept", [LOWER, UPPER])
    first = anatomy(shelf.settings, Named("kept"))
    listings = sorted((tmp_path / "store" / "listings").iterdir())
    assert [path.name.partition("-")[0] for path in listings if "-" in path.name] == ["anatomy", "records", "records"]
    for path in listings:
        path.write_bytes(path.read_bytes()[:-3] + b"???")
    readings.clear()
    assert anatomy(shelf.settings, Named("kept")) == first
    assert len(readings) == 2
    for path in listings:
        if "-" in path.name:
            path.unlink()
        else:
            listing = Listing.of_tar(io.BytesIO(LOWER if len(path.read_bytes()) > 500 else UPPER))
            listing.plain = listing.stored = 0
            listing.save(str(path))
    readings.clear()
    assert anatomy(shelf.settings, Named("kept")) == first


def test_what_was_not_read_to_the_end_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path / "store")
    shelf.put("kept", [LOWER, UPPER])
    whole = anatomy(shelf.settings, Named("kept"))
    for path in (tmp_path / "store" / "listings").iterdir():
        if "-" in path.name:
            path.unlink()

    def fails(wanted: object, read: object, scratch: str, unread: Callable[[None, str], None]) -> None:
        unread(None, "the line was cut")

    with monkeypatch.context() as patch:
        patch.setattr("kezuri.anatomy.naming.read_all", fails)
        assert anatomy(shelf.settings, Named("kept")).told == ("the line was cut",)
    assert anatomy(shelf.settings, Named("kept")) == whole


def test_what_cannot_be_read_is_named_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "store")
    history = [{"created_by": "COPY a /"}]
    pointer = shelf.put("odd", [LOWER, UPPER], layers=[SECRET, ELSEWHERE], history=history)
    image = anatomy(shelf.settings, Named("odd"))
    assert [layer.unread for layer in image.layers] == [
        "",
        "",
        "it is encrypted",
        "it may not be distributed, so that its files are elsewhere",
    ]
    assert [layer.blob for layer in image.layers][2:] == [77, 88]
    assert image.useful == len(STATUS + FILES) + 400 + 500 + 20
    assert image.told[-1] == "the image's history tells of 1 layers, and it has 4"
    assert image.told[0] == "layer 3 could not be read: it is encrypted"
    assert not any(path.name.startswith("anatomy") for path in (tmp_path / "store" / "listings").iterdir())
    blob = shelf.document(pointer.digest)["layers"][1]["digest"]
    path = tmp_path / "store" / "blobs" / "sha256" / blob[7:]
    for name in os.listdir(tmp_path / "store" / "listings"):
        os.unlink(tmp_path / "store" / "listings" / name)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-30] + b"\0" * 30)
    damaged = anatomy(shelf.settings, Named("odd"))
    assert damaged.layers[0].useful == image.layers[0].useful + 10, "what the damaged layer hides is not known"
    assert blob[7:19] in damaged.layers[1].unread


def test_layers_elsewhere_that_are_damaged_or_are_others_are_named(tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "store"))
    cases = {
        "no gzip": (b"\x1f\x8b\x08 nothing", "gzip"),
        "cut off": (gzip.compress(LOWER)[:-400], "truncated"),
        "no tar": (gzip.compress(b"x" * 5000), "not a tar header"),
        "leaves the root": (gzip.compress(tarred(("../../etc/passwd", b"x"))), "leaves the root"),
    }
    for number, (name, (layer, word)) in enumerate(cases.items()):
        image = make_image(gzip.compress(LOWER), gzip.compress(UPPER))
        layout = write_layout(str(tmp_path / str(number)), (image, {}))
        blob = Path(layout, "blobs", "sha256", image.layers[1].digest[7:])
        blob.write_bytes(layer)
        found = anatomy(settings, Named(f"oci:{layout}"))
        assert found.layers[1].unread and not found.layers[0].unread, name
        assert word in found.layers[1].unread or "damaged" in found.layers[1].unread, found.layers[1].unread
        blob.unlink()
        assert anatomy(settings, Named(f"oci:{layout}")).layers[1].unread


def test_no_image_is_a_clear_word(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "store")
    shelf.put("short", [LOWER, UPPER], more={"rootfs": {"type": "layers", "diff_ids": [f"sha256:{'3' * 64}"]}})
    with pytest.raises(KezuriError, match="its config names 1 layers and its manifest 2: damaged"):
        anatomy(shelf.settings, Named("store:short"))
    with pytest.raises(KezuriError, match="nothing"):
        anatomy(shelf.settings, Named("store:nothing"))
    (tmp_path / "text.tar").write_text("hello")
    for word in ("oci-archive", "docker-archive"):
        with pytest.raises(KezuriError, match=r"text\.tar"):
            anatomy(shelf.settings, Named(f"{word}:{tmp_path / 'text.tar'}"))


def test_closed_layers_are_known_by_their_media_types() -> None:
    closed = kezuri.app.anatomy_layers.closed
    assert not closed(Descriptor(LAYER_GZIP, SECRET.digest, 1))
    assert closed(Descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", SECRET.digest, 1))


def test_an_image_of_which_a_layer_is_unread_keeps_to_no_budget(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "store")
    shelf.put("odd", [LOWER], layers=[SECRET])
    file = tmp_path / "sizes.jsonl"
    wanted = Measuring("store:odd", "2026-01-02T03:04:05Z")
    budget = parse_budget("unpacked=10GB")
    with pytest.raises(KezuriError, match="store:odd: layer 2 could not be read: it is encrypted"):
        record(shelf.settings, wanted, str(file), False, {})
    with pytest.raises(KezuriError, match="store:odd: layer 2 could not be read: it is encrypted"):
        gate(shelf.settings, wanted, [budget], Baseline(str(file)), {})
    assert not file.exists()


def test_images_of_which_other_layers_are_unread_are_not_the_same(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "store")
    for name, layers in (("whole", []), ("odd", [SECRET])):
        shelf.put(name, [LOWER], layers=layers)
    assert not difference(shelf.settings, Named("store:whole"), Named("store:odd")).same
    assert difference(shelf.settings, Named("store:odd"), Named("store:odd")).same
