"""Images copied between layouts, archives and the store: the same bytes there, what is there not read, nothing half."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import zstandard
from tests.images.test_images_layout import write_layout
from tests.registry.registry_faults import Image, make_image
from tests.transfer.transfer_images import NAME, Tarring, docker_save, image, layout_of_several, refer, several, tar_of

from kezuri.diagnostics import KezuriError
from kezuri.images.layout import open_layout
from kezuri.oci import LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor, Manifest, Platform, canonical, digest_of
from kezuri.store.archive_file import ArchiveFile
from kezuri.store.store import Store
from kezuri.transfer.archives import ArchiveDestination, ArchiveWriter
from kezuri.transfer.copying import Copied, Wish, copy
from kezuri.transfer.docker_archive import DockerArchive
from kezuri.transfer.doors import Source
from kezuri.transfer.layouts import LayoutDestination, LayoutSource
from kezuri.transfer.opening import ImageArchive, open_archive
from kezuri.transfer.stored import StoreDestination, StoreSource

AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


ALL = Wish()


def silent(descriptor: Descriptor, current: int, total: int) -> None:
    pass


def run(source: Source, destination: object, wish: Wish = ALL) -> Copied:
    return copy(source, destination, wish, silent)  # type: ignore[arg-type]


def layout(held: ExitStack, path: object, selector: str = "") -> LayoutSource:
    return LayoutSource(held.enter_context(open_layout(str(path))), selector)


def to_archive(source: Source, names: tuple[str, ...] = (), *, docker: bool = False, wish: Wish = ALL) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out, docker=docker)
    run(source, ArchiveDestination(writer, names), wish)
    writer.close()
    return out.getvalue()


def archive_of(held: ExitStack, tmp_path: Path, data: bytes) -> ImageArchive:
    path = tmp_path / f"archive{os.urandom(3).hex()}"
    path.write_bytes(data)
    return held.enter_context(open_archive(str(path)))


def blob_names(path: Path) -> set[str]:
    return {p.name for p in (path / "blobs" / "sha256").iterdir()}


def test_everything_is_copied_byte_for_byte(tmp_path: Path, held: ExitStack) -> None:
    where, outer = layout_of_several(tmp_path / "from")
    copied = run(layout(held, where, "several"), LayoutDestination(str(tmp_path / "to"), "x"))
    assert copied.descriptor.digest == digest_of(outer)
    assert blob_names(tmp_path / "to") == blob_names(tmp_path / "from")
    for blob in blob_names(tmp_path / "to"):
        data = (tmp_path / "to" / "blobs" / "sha256" / blob).read_bytes()
        assert digest_of(data) == f"sha256:{blob}"
    entry = json.loads((tmp_path / "to" / "index.json").read_bytes())["manifests"]
    assert [(e["digest"], e["annotations"]) for e in entry] == [(digest_of(outer), {NAME: "x"})]
    assert (copied.blobs, copied.there) == (7, 0)


def test_one_platform_is_found_in_a_nested_index(tmp_path: Path, held: ExitStack) -> None:
    where, _ = layout_of_several(tmp_path / "from")
    _, amd, arm, _ = several()
    for platform, expected in ((AMD, amd), (ARM, arm)):
        to = tmp_path / str(platform.architecture)
        run(layout(held, where, "several"), LayoutDestination(str(to), ""), Wish(platform))
        assert blob_names(to) == {d[7:] for d in (expected.digest, *expected.blobs)}
    with pytest.raises(KezuriError, match="there is no image for linux/s390x"):
        run(
            layout(held, where, "several"),
            LayoutDestination(str(tmp_path / "no"), ""),
            Wish(Platform("linux", "s390x")),
        )


def test_blobs_that_are_there_are_not_read(tmp_path: Path, held: ExitStack) -> None:
    shared, new = image("base", "one"), image("base", "two")
    where = write_layout(str(tmp_path / "from"), (shared, {NAME: "one"}), (new, {NAME: "two"}))
    to = LayoutDestination(str(tmp_path / "to"), "one")
    run(layout(held, where, "one"), to)
    (base,) = {d.digest for d in shared.layers} & {d.digest for d in new.layers}
    (tmp_path / "from" / "blobs" / "sha256" / base[7:]).unlink()
    copied = run(layout(held, where, "two"), LayoutDestination(str(tmp_path / "to"), "two"))
    assert (copied.blobs, copied.there) == (3, 1)
    with open_layout(str(tmp_path / "to")) as found:
        assert found.names() == ["one", "two"]


def test_a_damaged_blob_is_replaced_and_none_is_published(tmp_path: Path, held: ExitStack) -> None:
    one = image("text")
    where = write_layout(str(tmp_path / "from"), (one, {NAME: "one"}))
    layer = tmp_path / "from" / "blobs" / "sha256" / one.layers[0].digest[7:]
    sound = layer.read_bytes()
    layer.write_bytes(bytes([sound[0] ^ 1]) + sound[1:])
    to = tmp_path / "to"
    with pytest.raises(KezuriError, match="is damaged: its bytes have another digest"):
        run(layout(held, where), LayoutDestination(str(to), "one"))
    assert not (to / "index.json").exists()
    assert layer.name not in blob_names(to) and not [b for b in blob_names(to) if "part" in b]
    with Store(str(tmp_path / "store")) as store:
        with pytest.raises(KezuriError, match="is damaged"):
            run(layout(held, where), StoreDestination(store, ("docker.io/library/x:1",)))
        assert store.names.all() == {} and not store.blobs.has(one.layers[0].digest)
    with pytest.raises(KezuriError, match="is damaged"):
        to_archive(layout(held, where))
    # What has the wrong length at the destination is no blob that is there.
    layer.write_bytes(sound)
    (to / "blobs" / "sha256" / layer.name).write_bytes(b"half")
    run(layout(held, where), LayoutDestination(str(to), "one"))
    assert (to / "blobs" / "sha256" / layer.name).read_bytes() == sound


def test_what_a_layout_lacks_is_named(tmp_path: Path, held: ExitStack) -> None:
    where, _ = layout_of_several(tmp_path / "from")
    _, _, arm, _ = several()
    (tmp_path / "from" / "blobs" / "sha256" / arm.digest[7:]).unlink()
    with pytest.raises(KezuriError, match=rf"{arm.digest} \(for linux/arm64\) is not there"):
        run(layout(held, where, "several"), LayoutDestination(str(tmp_path / "to"), "x"))
    with Store(str(tmp_path / "store")) as store:
        copied = run(
            layout(held, where, "several"), StoreDestination(store, ("docker.io/library/x:1",)), Wish(partial=True)
        )
        assert [entry.digest for entry in copied.lacking] == [arm.digest]
        assert store.names.get("docker.io/library/x:1") is not None


def test_a_name_goes_over(tmp_path: Path, held: ExitStack) -> None:
    one, two = image("one"), image("two")
    where = write_layout(str(tmp_path / "from"), (one, {NAME: "one"}), (two, {NAME: "two"}))
    to = str(tmp_path / "to")
    for selector, name in (("one", "x"), ("two", "x"), ("one", ""), ("one", ""), ("one", "docker.io/library/y:2")):
        run(layout(held, where, selector), LayoutDestination(to, name))
    entries = json.loads((tmp_path / "to" / "index.json").read_bytes())["manifests"]
    full = {NAME: "docker.io/library/y:2", "io.containerd.image.name": "docker.io/library/y:2"}
    assert [(e["digest"], e.get("annotations")) for e in entries] == [(two.digest, {NAME: "x"}), (one.digest, full)]


def test_what_refers_to_an_image_goes_along_if_wanted(tmp_path: Path, held: ExitStack) -> None:
    one = image("text")
    where = tmp_path / "from"
    write_layout(str(where), (one, {NAME: "one"}))
    note = refer(where, one.manifest, "a note")
    about = refer(where, note, "a note about the note")
    run(layout(held, where, "one"), LayoutDestination(str(tmp_path / "without"), "x"))
    assert digest_of(note)[7:] not in blob_names(tmp_path / "without")
    run(layout(held, where, "one"), LayoutDestination(str(tmp_path / "with"), "x"), Wish(referrers=True))
    assert blob_names(tmp_path / "with") == blob_names(where)
    with Store(str(tmp_path / "store")) as store:
        run(layout(held, where, "one"), StoreDestination(store, ("docker.io/library/x:1",)), Wish(referrers=True))
        assert {d.digest for d in store.names.referring()} == {digest_of(note), digest_of(about)}
        back = LayoutDestination(str(tmp_path / "back"), "x")
        run(StoreSource(store, "x:1"), back, Wish(referrers=True))
    assert blob_names(tmp_path / "back") == blob_names(where)


def test_archives_hold_what_layouts_do(tmp_path: Path, held: ExitStack) -> None:
    where, outer = layout_of_several(tmp_path / "from")
    data = to_archive(layout(held, where, "several"), ("example.org/x:1",))
    assert data == to_archive(layout(held, where, "several"), ("example.org/x:1",)), "the same archive each time"
    archive = archive_of(held, tmp_path, gzip.compress(data))
    assert archive.docker is None
    copied = run(archive.source("oci", "example.org/x:1"), LayoutDestination(str(tmp_path / "to"), "x"))
    assert copied.descriptor.digest == digest_of(outer)
    assert blob_names(tmp_path / "to") == blob_names(tmp_path / "from")


def test_an_archive_for_docker_is_a_layout_too(tmp_path: Path, held: ExitStack) -> None:
    where, _ = layout_of_several(tmp_path / "from")
    _, amd, arm, _ = several()
    out = io.BytesIO()
    writer = ArchiveWriter(out, docker=True)
    names = {"docker.io/library/x:1": AMD, "docker.io/library/x:2": AMD, "example.org/y:3": ARM}
    for name, platform in names.items():
        run(layout(held, where, "several"), ArchiveDestination(writer, (name,)), Wish(platform))
    writer.close()
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        members = tar.getnames()
        assert len(members) == len(set(members)), "each blob once"
        saved = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert [one["RepoTags"] for one in saved] == [["x:1", "x:2"], ["example.org/y:3"]]
    archive = archive_of(held, tmp_path, out.getvalue())
    for name, expected in (("x:1", amd), ("x:2", amd), ("example.org/y:3", arm)):
        assert archive.source("docker", name).root().descriptor.digest == expected.digest
    assert archive.source("oci", "docker.io/library/x:2").root().descriptor.digest == amd.digest


def test_docker_gets_one_platform_and_no_zstd(tmp_path: Path, held: ExitStack) -> None:
    plain = tar_of(("f", b"text" * 1000))
    packed = zstandard.ZstdCompressor().compress(plain)
    made = make_image(gzip.compress(plain, mtime=0))
    layers = (*made.layers, Descriptor(LAYER_ZSTD, digest_of(packed), len(packed)))
    config = json.loads(next(b for b in made.blobs.values() if b.startswith(b"{")))
    config["rootfs"]["diff_ids"] *= 2
    raw_config = canonical(config)
    old = Manifest.parse(made.manifest, "x")
    raw = canonical(
        old._replace(
            config=old.config._replace(digest=digest_of(raw_config), size=len(raw_config)), layers=layers
        ).to_json()
    )
    both = made._replace(
        manifest=raw,
        digest=digest_of(raw),
        blobs={**made.blobs, digest_of(packed): packed, digest_of(raw_config): raw_config},
    )
    where = write_layout(str(tmp_path / "from"), (both, {NAME: "one"}))
    archive = archive_of(held, tmp_path, to_archive(layout(held, where), ("x:1",), docker=True))
    manifest = archive.source("docker", "x:1").root().content
    assert isinstance(manifest, Manifest)
    assert [layer.media_type for layer in manifest.layers] == [made.layers[0].media_type, LAYER]
    assert manifest.layers[1] == Descriptor(LAYER, digest_of(plain), len(plain))
    assert manifest.config.digest == digest_of(raw_config), "the image keeps its id"
    # What is not for docker stays as it is.
    other = archive_of(held, tmp_path, to_archive(layout(held, where), ("x:1",)))
    assert other.source("oci", "x:1").root().descriptor.digest == both.digest


@pytest.mark.parametrize("linked", [False, True])
def test_archives_of_old_dockers(tmp_path: Path, held: ExitStack, linked: bool) -> None:
    one, two = tar_of(("f", b"1")), tar_of(("f", b"1" if linked else b"2"))
    archive = archive_of(held, tmp_path, docker_save(["app:1", "localhost:5000/app:2"], one, two, linked=linked))
    assert archive.layout is None
    for name in ("", "app:1", "docker.io/library/app:1", "localhost:5000/app:2", "@0"):
        source = archive.source("docker", name)
        manifest = source.root().content
        assert isinstance(manifest, Manifest)
        assert [layer.digest for layer in manifest.layers] == [digest_of(one), digest_of(two)]
    with Store(str(tmp_path / "store")) as store:
        run(source, StoreDestination(store, ("docker.io/library/app:1",)))
        assert store.blobs.read(digest_of(two)) == two
        assert isinstance(manifest, Manifest)
        image_id = manifest.config.digest
        assert StoreSource(store, image_id).root().descriptor.digest == source.root().descriptor.digest
    with pytest.raises(KezuriError, match=r"holds no image 'app:3'"):
        archive.source("docker", "app:3")
    with pytest.raises(KezuriError, match="not an OCI archive"):
        archive.source("oci", "")


def test_compressed_layers_in_docker_archives(tmp_path: Path, held: ExitStack) -> None:
    plain = tar_of(("f", b"1"))
    packed = gzip.compress(plain)
    data = docker_save([], plain)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    out = Tarring()
    for name, content in files.items():
        out.file(name, packed if name.endswith("layer.tar") else content)
    manifest = archive_of(held, tmp_path, out.bytes()).source("docker", "").root().content
    assert isinstance(manifest, Manifest)
    assert [(d.digest, d.media_type.rpartition("+")[2]) for d in manifest.layers] == [(digest_of(packed), "gzip")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Config": "../../etc/passwd"}, "config '../../etc/passwd' is not in the archive"),
        ({"Config": 5}, "Config is a number, not a text"),
        ({"Layers": ["nope/layer.tar"]}, "the layer 'nope/layer.tar' is not in the archive"),
        ({"Layers": []}, "names 1 layers, manifest.json 0"),
        ({"Layers": ["manifest.json"]}, ""),
    ],
)
def test_docker_archives_that_lie(tmp_path: Path, held: ExitStack, changes: dict[str, Any], words: str) -> None:
    data = docker_save(["app:1"], tar_of(("f", b"1")), **changes)
    with pytest.raises(KezuriError) as caught, Store(str(tmp_path / "store")) as store:
        archive = archive_of(held, tmp_path, data)
        run(archive.source("docker", ""), StoreDestination(store, ("docker.io/library/app:1",)))
    assert words in str(caught.value)


def test_what_is_no_archive_of_images(tmp_path: Path) -> None:
    for data, words in (
        (tar_of(("bin/sh", b"x")), "not an archive of images"),
        (tar_of(("repositories", b"{}")), "not an archive of `docker save`: it has no manifest.json"),
        (tar_of(("manifest.json", b"{}")), "manifest.json: images is an object, not a list"),
        (tar_of(("manifest.json", b"nope")), "not a JSON document"),
        (b"nothing", "not a tar archive"),
    ):
        path = tmp_path / "x"
        path.write_bytes(data)
        with pytest.raises(KezuriError) as caught:
            open_archive(str(path))
        assert words in str(caught.value), words
    with pytest.raises(KezuriError, match="there is no file") as lacking:
        open_archive(str(tmp_path / "none"))
    assert lacking.value.exit_code == 1
    with pytest.raises(KezuriError, match="is a directory"):
        open_archive(str(tmp_path))


def test_layers_that_may_not_be_distributed_stay_where_they_are(tmp_path: Path, held: ExitStack) -> None:
    made = image("base", "windows")
    manifest = json.loads(made.manifest)
    foreign = manifest["layers"][0]
    foreign["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    foreign["urls"] = ["https://example.org/layer"]
    raw = canonical(manifest)
    blobs = {digest: blob for digest, blob in made.blobs.items() if digest != foreign["digest"]}
    one = made._replace(manifest=raw, digest=digest_of(raw), blobs=blobs)
    where = write_layout(str(tmp_path / "from"), (one, {NAME: "one"}))
    copied = run(layout(held, where), LayoutDestination(str(tmp_path / "to"), "x"))
    assert copied.descriptor.digest == one.digest and foreign["digest"][7:] not in blob_names(tmp_path / "to")
    with pytest.raises(KezuriError, match="may not be distributed, which docker cannot load"):
        to_archive(layout(held, where), docker=True)


def test_an_artifact_is_nothing_for_docker(tmp_path: Path, held: ExitStack) -> None:
    one = image("text")
    where = tmp_path / "from"
    write_layout(str(where), (one, {NAME: "one"}))
    note = refer(where, one.manifest, "a note")
    with pytest.raises(KezuriError, match=r"is no container image but 'application/vnd\.oci\.empty"):
        to_archive(layout(held, where, digest_of(note)), docker=True)
    assert to_archive(layout(held, where, digest_of(note)))


def test_indexes_that_go_too_deep(tmp_path: Path, held: ExitStack) -> None:
    where, outer = layout_of_several(tmp_path / "from")
    raw = outer
    for depth in range(3, 6):  # It is two deep as it is.
        inner = Descriptor("application/vnd.oci.image.index.v1+json", digest_of(raw), len(raw))
        raw = canonical({"schemaVersion": 2, "mediaType": inner.media_type, "manifests": [inner.to_json()]})
        (tmp_path / "from" / "blobs" / "sha256" / digest_of(raw)[7:]).write_bytes(raw)
        if depth == 4:  # As deep as `pull` goes.
            copied = run(layout(held, where, digest_of(raw)), LayoutDestination(str(tmp_path / "to"), "x"))
            assert copied.descriptor.digest == digest_of(raw)
    with pytest.raises(KezuriError, match="nested more than 4 deep"):
        run(layout(held, where, digest_of(raw)), LayoutDestination(str(tmp_path / "to"), "x"))


def test_the_store_gives_the_platform_of_an_id(tmp_path: Path, held: ExitStack) -> None:
    where, outer = layout_of_several(tmp_path / "from")
    _, _, arm, _ = several()
    with Store(str(tmp_path / "store")) as store:
        run(layout(held, where, "several"), StoreDestination(store, ("docker.io/library/x:1",)))
        config = Manifest.parse(arm.manifest, "x").config.digest
        assert StoreSource(store, "x:1").root().descriptor.digest == digest_of(outer)
        assert StoreSource(store, config[7:19]).root().descriptor.digest == arm.digest
        assert StoreSource(store, digest_of(outer)).root().descriptor.digest == digest_of(outer)


def test_a_layout_beside_that_knows_another_image(tmp_path: Path, held: ExitStack) -> None:
    """An archive whose manifest.json is right and whose index is another's: docker's list counts for docker."""
    one = tar_of(("f", b"1"))
    path = tmp_path / "a"
    path.write_bytes(docker_save(["app:1"], one))
    file = ArchiveFile.open(str(path))
    with file:
        where = write_layout(str(tmp_path / "from"), (image("other"), {NAME: "x"}))
        archive = DockerArchive(file, held.enter_context(open_layout(where)))
        manifest = archive.source(archive.find("")).root().content
        assert isinstance(manifest, Manifest) and manifest.layers[0].digest == digest_of(one)
        # The same image with its layer packed otherwise: those bytes are not in the archive.
        alone = DockerArchive(file, None)
        source = alone.source(alone.find(""))
        packed, config = gzip.compress(one, mtime=0), manifest.config
        source.root()
        raw_config = source.open(config).read()
        layer = Descriptor(LAYER_GZIP, digest_of(packed), len(packed))
        raw = canonical(Manifest(config, (layer,)).to_json())
        blobs = {digest_of(packed): packed, config.digest: raw_config}
        where = write_layout(str(tmp_path / "packed"), (Image(raw, blobs, (layer,), digest_of(raw)), {NAME: "x"}))
        archive = DockerArchive(file, held.enter_context(open_layout(where)))
        assert archive.source(archive.find("")).root().content == manifest
