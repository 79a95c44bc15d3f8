"""Caches that travel between two stores: what is found, what is fetched, and what a bad cache costs."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_machines import machine_of
from tests.build.build_workshop import Workshop, oci

from kezuri.diagnostics import KezuriError
from kezuri.progress.events import StepStarted
from kezuri.travel.places import CacheSource, CacheTarget


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Workshop]:
    """Another machine with the same context: a store of its own."""
    return partial(machine_of, tmp_path)


def to(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"cache_to": (CacheTarget("local", str(tmp_path / "cache"), **more),)}


def of(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {"cache_from": (CacheSource("local", str(tmp_path / "cache"), **more),)}


def fetched(shop: Workshop) -> int:
    """How many layers were brought."""
    return sum("fetch layer" in str(event.name) for event in shop.said.events if isinstance(event, StepStarted))


ALL = ["COPY --from=parts /parts/a /a", "COPY end /end", "COPY more /more", "COPY parts /parts", "COPY top /top"]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_another_machine_runs_nothing_and_makes_the_same_image(
    machine: Callable[[str], Workshop], tmp_path: Path, mode: str
) -> None:
    one, two = machine("one"), machine("two")
    made = one.build(**to(tmp_path, mode=mode))
    again = two.build(**of(tmp_path))
    assert (two.said.ran, two.said.cached, two.said.warnings) == ([], ALL, [])
    assert again.digest == made.digest
    # The layers of the image, and none of the stage that is not part of it.
    assert fetched(two) == 3
    assert two.check() == [] == two.leftovers()


def test_the_size_of_an_image_is_known_without_its_files(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    one = machine("one")
    made = one.build(**to(tmp_path))
    two = machine("two")
    again = two.build(**of(tmp_path), cache_to=(CacheTarget("local", str(tmp_path / "onward")),))
    assert two.said.ran == []
    assert made.unpacked == again.unpacked == len("top" + "a" + "end")
    # What a cache says is passed on.
    third = machine("three").build(cache_from=(CacheSource("local", str(tmp_path / "onward")),))
    assert third.unpacked == made.unpacked


def test_what_came_is_a_result_of_this_machine(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    machine("one").build(**to(tmp_path, mode="max"))
    two = machine("two")
    two.build(**of(tmp_path))
    two.build("FROM scratch\nCOPY top /top\nCOPY other* end /end\n")
    assert two.said.cached == ["COPY top /top"]


def test_a_build_that_keeps_no_image_fetches_nothing(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    machine("one").build(**to(tmp_path, mode="max"))
    two = machine("two")
    two.build(outputs=("type=cacheonly",), **of(tmp_path))
    assert (two.said.cached, fetched(two)) == (ALL, 0)
    assert two.check() == []
    two.build(outputs=("type=cacheonly",))
    assert two.said.ran == ALL


def test_a_local_hit_asks_no_cache(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    one = machine("one")
    one.build(**to(tmp_path))
    one.build(cache_from=(CacheSource("local", str(tmp_path / "nowhere")),))
    assert (one.said.ran, one.said.warnings) == ([], [])


def test_a_change_in_the_middle_runs_what_follows(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    machine("one").build(**to(tmp_path, mode="max"))
    two = machine("two")
    two.write(parts__a="other")
    result = two.build(**of(tmp_path))
    assert two.said.ran == ["COPY --from=parts /parts/a /a", "COPY end /end", "COPY more /more", "COPY parts /parts"]
    assert two.files(result)["a"] == b"other"


def test_with_the_layers_of_the_result_alone_a_stage_that_is_needed_is_built(
    machine: Callable[[str], Workshop], tmp_path: Path
) -> None:
    machine("one").build(**to(tmp_path, mode="min"))
    two = machine("two")
    two.write(top="other")
    result = two.build(**of(tmp_path))
    assert two.said.ran == ALL
    assert two.said.warnings == []
    assert two.files(result) == {"top": b"other", "a": b"a", "end": b"end"}


def test_a_stage_whose_files_nobody_needs_stays_unbuilt(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    machine("one").build(**to(tmp_path, mode="min"))
    two = machine("two")
    two.write(end="other")
    two.build(**of(tmp_path))
    assert two.said.ran == ["COPY end /end"]


def test_an_image_carries_its_own_cache(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    made = machine("one").build(outputs=oci(tmp_path / "cache", tar="false"), cache_to=(CacheTarget("inline"),))
    two = machine("two")
    again = two.build(cache_to=(CacheTarget("inline"),), **of(tmp_path))
    assert (two.said.ran, two.said.cached) == ([], ALL)
    assert again.digest == made.digest
    assert "dev.kezuri.cache.v1" in two.config(again)


def test_an_image_on_one_with_a_cache_does_not_inherit_it(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    one = machine("one")
    one.build(outputs=oci(tmp_path / "cache", tar="false"), cache_to=(CacheTarget("inline"),))
    result = one.build("FROM base\nCOPY top /t\n", build_contexts=(("base", f"oci-layout://{tmp_path}/cache"),))
    assert "dev.kezuri.cache.v1" not in one.config(result)


def test_platforms_share_one_cache(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    text = "FROM scratch\nARG TARGETARCH\nCOPY parts/a /$TARGETARCH\n"
    both = ("linux/amd64", "linux/arm64")
    made = machine("one").build(text, platforms=both, **to(tmp_path))
    two = machine("two")
    again = two.build(text, platforms=both, **of(tmp_path))
    assert (two.said.ran, again.digest) == ([], made.digest)
    three = machine("three")
    three.build(text, platforms=both[1:], **of(tmp_path))
    assert three.said.ran == []


def test_times_are_those_that_the_build_asks_for(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    dated = machine("dated").build(source_date_epoch="1000000000", **to(tmp_path))
    same = machine("same")
    assert same.build(source_date_epoch="1000000000", **of(tmp_path)).digest == dated.digest
    assert same.said.ran == []
    # What has lost its times serves nobody who asks for them.
    undated = machine("undated")
    result = undated.build(**of(tmp_path))
    assert undated.said.ran == ALL
    assert undated.members(result)["top"].mtime > 1_000_000_000
    # What has them can lose them.
    machine("plain").build(cache_to=(CacheTarget("local", str(tmp_path / "plain")),))
    later = machine("later")
    again = later.build(source_date_epoch="1000000000", cache_from=(CacheSource("local", str(tmp_path / "plain")),))
    assert (later.said.ran, again.digest) == ([], dated.digest)


def test_an_image_whose_times_were_cut_off_says_so_in_its_cache(
    machine: Callable[[str], Workshop], tmp_path: Path
) -> None:
    place: Any = {"outputs": oci(tmp_path / "cache", tar="false"), "cache_to": (CacheTarget("inline"),)}
    dated = machine("dated").build(source_date_epoch="1000000000", **place)
    same = machine("same")
    again = same.build(source_date_epoch="1000000000", cache_to=place["cache_to"], **of(tmp_path))
    assert (same.said.ran, again.digest) == ([], dated.digest)
    undated = machine("undated")
    result = undated.build(**of(tmp_path))
    assert undated.said.ran == ALL
    assert undated.members(result)["top"].mtime > 1_000_000_000


@pytest.mark.parametrize("compression", ["zstd", "uncompressed"])
def test_how_a_cache_is_packed_changes_no_image(
    machine: Callable[[str], Workshop], tmp_path: Path, compression: str
) -> None:
    made = machine("one").build(**to(tmp_path, compression=compression))
    two = machine("two")
    assert two.build(**of(tmp_path)).digest == made.digest
    assert two.said.ran == []


def test_several_caches_and_scopes(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    machine("one").build(**to(tmp_path))
    branch = machine("branch")
    branch.write(end="branch")
    branch.build(**to(tmp_path, scope="feature/x"))
    machine("main")
    two = machine("two")
    two.write(end="branch")
    nowhere = CacheSource("local", str(tmp_path / "nowhere"))
    two.build(cache_from=(nowhere, CacheSource("local", str(tmp_path / "cache"), scope="feature/x")))
    assert two.said.ran == []
    assert len(two.said.warnings) == 1
    assert "nowhere" in two.said.warnings[0]
    other = machine("other")
    other.build(**of(tmp_path, scope="feature/y"))
    assert (other.said.ran, other.said.warnings) == ([], [])


def test_no_cache_means_no_imported_cache(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    machine("one").build(**to(tmp_path))
    two = machine("two")
    two.build(no_cache=True, **of(tmp_path))
    assert two.said.cached == []


def test_why_says_which_cache_had_it(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    machine("one").build(**to(tmp_path))
    two = machine("two")
    two.build(**of(tmp_path))
    assert {step.origin for step in journal(two)} == {str(tmp_path / "cache")}


def journal(shop: Workshop) -> list[Any]:
    from kezuri.cache.journal import Journal
    from kezuri.store.store import Store

    with Store(str(shop.root)) as store:
        found = Journal(store.database)
        build = found.read(found.headings()[0])
        assert build is not None
        return list(build.steps)


def test_values_and_files_are_not_in_the_records(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    text = "FROM scratch\nARG TOKEN\nENV T=$TOKEN\nCOPY parts/a /$TOKEN\n"
    machine("one").build(text, build_args=(("TOKEN", "hunter2"),), **to(tmp_path, mode="max"))
    said = [
        (tmp_path / "cache/blobs/sha256" / name).read_bytes() for name in os.listdir(tmp_path / "cache/blobs/sha256")
    ]
    assert not any(b"hunter2" in data or b"TOKEN" in data for data in said if data.startswith(b"{"))


# bad caches


def documents(cache: Path) -> tuple[Path, dict[str, Any]]:
    """The cache's document and where it lies."""
    index = json.loads((cache / "index.json").read_text())
    manifest = json.loads((cache / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    path = cache / "blobs/sha256" / manifest["config"]["digest"][7:]
    return path, json.loads(path.read_text())


def rewrite(cache: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the records of a cache, with all digests right afterwards."""
    from hashlib import sha256

    _, document = documents(cache)
    change(document)
    index = json.loads((cache / "index.json").read_text())
    manifest = json.loads((cache / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())

    def put(data: bytes) -> dict[str, Any]:
        (cache / "blobs/sha256" / sha256(data).hexdigest()).write_bytes(data)
        return {"digest": f"sha256:{sha256(data).hexdigest()}", "size": len(data)}

    manifest["config"] |= put(json.dumps(document).encode())
    index["manifests"][0] |= put(json.dumps(manifest).encode())
    (cache / "index.json").write_text(json.dumps(index))


def blobs_of(cache: Path) -> list[Path]:
    found = (cache / "blobs/sha256" / name for name in os.listdir(cache / "blobs/sha256"))
    return [path for path in found if path.read_bytes()[:1] != b"{"]


@pytest.mark.parametrize("how", ["gone", "short", "flipped", "empty"])
def test_a_cache_with_damaged_layers_costs_a_build_and_one_warning(
    machine: Callable[[str], Workshop], tmp_path: Path, how: str
) -> None:
    made = machine("one").build(**to(tmp_path, mode="max"))
    for path in blobs_of(tmp_path / "cache"):
        data = path.read_bytes()
        if how == "gone":
            path.unlink()
        else:
            middle = len(data) // 2
            flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
            path.write_bytes({"short": data[:-1], "flipped": flipped, "empty": b""}[how])
    two = machine("two")
    result = two.build(**of(tmp_path), **to(tmp_path, mode="max"))
    assert two.files(result) == machine("one").files(made)
    assert two.said.ran == ALL
    (warning,) = two.said.warnings
    assert "is damaged, and what it lacks is built" in warning
    assert str(tmp_path / "cache") in warning
    assert two.check() == [] == two.leftovers()
    # What it wrote has mended the cache.
    three = machine("three")
    three.build(**of(tmp_path))
    assert (three.said.ran, three.said.warnings) == ([], [])


def test_a_layer_that_is_another_one_is_no_result(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    """A cache whose digests are all right, and whose records name a blob that is not the layer they say."""
    machine("one").build(**to(tmp_path, mode="max"))

    def swap(document: dict[str, Any]) -> None:
        blobs = [record["blob"] for record in document["records"]]
        for record, blob in zip(document["records"], blobs[1:] + blobs[:1], strict=True):
            record["blob"] = blob

    rewrite(tmp_path / "cache", swap)
    two = machine("two")
    result = two.build(**of(tmp_path))
    assert two.files(result) == {"top": b"top", "a": b"a", "end": b"end"}
    assert len(two.said.warnings) == 1
    assert two.check() == []


def test_a_blob_that_is_no_layer_at_all_is_no_result(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    """Its diff id is right, and it is no tar: what needs its files finds that out."""
    from hashlib import sha256

    machine("one").build(**to(tmp_path, mode="max"))
    junk = b"\x01" * 700
    (tmp_path / "cache/blobs/sha256" / sha256(junk).hexdigest()).write_bytes(junk)
    digest = f"sha256:{sha256(junk).hexdigest()}"

    def replace(document: dict[str, Any]) -> None:
        for record in document["records"]:
            record |= {"blob": digest, "diffID": digest}

    rewrite(tmp_path / "cache", replace)
    index = json.loads((tmp_path / "cache/index.json").read_text())
    path = tmp_path / "cache/blobs/sha256" / index["manifests"][0]["digest"][7:]
    manifest = json.loads(path.read_text())
    manifest["layers"].append({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": 700})
    data = json.dumps(manifest).encode()
    (tmp_path / "cache/blobs/sha256" / sha256(data).hexdigest()).write_bytes(data)
    index["manifests"][0] |= {"digest": f"sha256:{sha256(data).hexdigest()}", "size": len(data)}
    (tmp_path / "cache/index.json").write_text(json.dumps(index))
    two = machine("two")
    two.write(more="other")
    result = two.build(
        "FROM scratch AS s\nCOPY parts /parts\nFROM scratch\nCOPY --from=s /parts/b /b\n", **of(tmp_path)
    )
    assert two.files(result) == {"b": b"b"}


def test_no_record_speaks_of_a_layer_that_is_here(machine: Callable[[str], Workshop], tmp_path: Path) -> None:
    """A layer that this store has under the same id with other content keeps its own."""
    machine("one").build(**to(tmp_path, mode="max"))
    two = machine("two")
    before = two.build()
    _, document = documents(tmp_path / "cache")
    some = document["records"][0]

    def lie(document: dict[str, Any]) -> None:
        for record in document["records"]:
            record |= {"blob": some["blob"], "diffID": some["diffID"]}

    rewrite(tmp_path / "cache", lie)
    again = two.build(**of(tmp_path))
    assert (again.digest, two.said.ran) == (before.digest, [])


@pytest.mark.parametrize("change", [{"version": 7}, {"records": 5}, {"selections": []}])
def test_records_that_are_none_cost_one_warning(
    machine: Callable[[str], Workshop], tmp_path: Path, change: dict[str, Any]
) -> None:
    machine("one").build(**to(tmp_path))
    rewrite(tmp_path / "cache", lambda document: document.update(change))
    two = machine("two")
    two.build(**of(tmp_path))
    assert two.said.ran == ALL
    (warning,) = two.said.warnings
    assert "is not used" in warning


def test_a_cache_that_cannot_be_written_is_an_error_after_the_image(
    machine: Callable[[str], Workshop], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    one = machine("one")
    with pytest.raises(KezuriError, match="cache") as raised:
        one.build(tags=("made",), **to(tmp_path))
    assert "the image itself was delivered" in raised.value.diagnostics[0].hint
    one.build(tags=("made",), **to(tmp_path, patient=True))
    assert "could not be exported" in one.said.warnings[0]
    assert one.said.ran == []


@pytest.mark.parametrize(
    ("own", "setting"), [(150, None), (0, 150), (150, 1 << 30)], ids=["its own", "the settings'", "its own first"]
)
def test_a_bound_leaves_files_out_and_the_build_right(
    machine: Callable[[str], Workshop], tmp_path: Path, own: int, setting: int | None
) -> None:
    machine("one").build(max_local_cache=setting, **to(tmp_path, mode="max", most=own))
    assert sum(path.stat().st_size for path in blobs_of(tmp_path / "cache")) <= 150
    two = machine("two")
    again = two.build(**of(tmp_path))
    assert two.files(again) == {"top": b"top", "a": b"a", "end": b"end"}
    assert two.said.warnings == []
