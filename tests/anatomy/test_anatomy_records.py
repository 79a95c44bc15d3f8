"""Records of packages of a layer: seen while its tar is listed, or read later, they are the same."""

import io

import pytest
from tests.anatomy.anatomy_images import dissected, packed

from kezuri.anatomy import records as module
from kezuri.anatomy.naming import recorded_names
from kezuri.anatomy.records import LayerRecords
from kezuri.check.image.rule import ExampleLayer, Made
from kezuri.layer.listing import Listing
from kezuri.packages.package import Package

LAYER: ExampleLayer = {
    "var/lib/dpkg/status": Made(b"Package: bash\nStatus: install ok installed\nVersion: 5\n"),
    "var/lib/dpkg/info/bash.list": Made(b"/.\n/bin/bash\n/bin/caf\xe9\n"),
    "app/node_modules/a/package.json": Made(b'{"name": "a", "version": "1"}'),
    "app/node_modules/b/package.json": Made(b"{"),
    "app/big": Made(b"x" * 3_000_000, 0o755),
    "app/empty": Made(b""),
    "etc/passwd": Made(b"root:x:0:0::/root:/bin/sh\n"),
}


def seen(files: ExampleLayer, *, again: bytes = b"") -> tuple[LayerRecords, Listing]:
    records = LayerRecords()
    listing = Listing.of_tar(io.BytesIO(again or packed(files)), hashing=True, onlooker=records)
    assert records.begun
    return records, listing


def test_an_onlooker_sees_records_and_changes_no_digest() -> None:
    records, listing = seen(LAYER)
    alone = Listing.of_tar(io.BytesIO(packed(LAYER)), hashing=True)
    assert listing == alone and listing.digests(listing.files()) == alone.digests(alone.files())
    assert sorted(records.found) == sorted(path for path in LAYER if path.startswith(("var/", "app/node_modules/a")))
    assert records.found["var/lib/dpkg/info/bash.list"].files == ("bin/bash", "bin/caf\udce9")


def test_records_are_the_same_after_they_were_kept() -> None:
    records, _ = seen(LAYER)
    again = LayerRecords.of_bytes(records.to_bytes())
    assert again is not None and again.found == records.found
    assert isinstance(again.found["var/lib/dpkg/status"].packages[0], Package)
    raw = records.to_bytes()
    for damaged in (b"", b"other", raw[:-9], raw[:30] + b"x" + raw[31:], raw.split(b"\n")[0] + b"\n"):
        assert LayerRecords.of_bytes(damaged) is None


def test_records_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, value, left in (("_MOST_FILES", 1, 1), ("_MOST_RECORDS", 2, 3), ("_MOST_BYTES", 60, 2)):
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, value)
            records, _ = seen(LAYER)
            assert records.left_out == left, limit
            told = recorded_names(dissected(LAYER), known=[records]).told
            assert any(f"{left} records of packages were not read" in each for each in told)


def test_of_a_path_that_a_tar_has_twice_the_last_counts() -> None:
    path = "app/node_modules/a/package.json"
    first = {path: LAYER[path], "x": Made(b"1")}
    second: ExampleLayer = {path: Made(b'{"name": "a", "version": "2"}')}
    end = len(packed({}))
    tar = packed(first)
    tar = tar[: len(tar) - end] if not any(tar[len(tar) - end :]) else tar
    records, _ = seen(
        {}, again=tar.rstrip(b"\0").ljust(-(-len(tar.rstrip(b"\0")) // 512) * 512, b"\0") + packed(second)
    )
    assert records.found[path].packages[0].version == "2"


def test_owners_are_the_same_whether_records_were_known_or_are_read() -> None:
    upper: ExampleLayer = {"app/node_modules/a": Made(kind="whiteout"), "bin/bash": Made(b"2")}
    image = dissected(LAYER, upper)
    kept: dict[int, LayerRecords] = {}
    read = recorded_names(image, keep=kept.__setitem__)
    assert sorted(kept) == [0, 1]
    known = recorded_names(image, known=[kept[0], LayerRecords.of_bytes(kept[1].to_bytes())])
    assert read.inventory.installed == known.inventory.installed
    assert [read.owner(item) for item in image.items()] == [known.owner(item) for item in image.items()]
    a = next(each for each in known.inventory.installed if each.package.name == "a")
    assert (a.since, a.until, a.shown) == (0, 1, False)
