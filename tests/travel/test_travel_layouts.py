"""Caches in a layout directory: published whole, not growing, and nothing of others touched."""

import io
import os
import threading
from hashlib import sha256
from pathlib import Path
from typing import IO

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import INDEX, LAYER_GZIP, MANIFEST, Descriptor, Index, Manifest
from kezuri.registry.image import Document
from kezuri.registry.sink import MemorySink
from kezuri.travel.carriers import LayoutCarrier, Library
from kezuri.travel.document import CONFIG_TYPE, CacheDocument, Record
from kezuri.travel.layouts import LEDGER, CacheDirectory


class Layers:
    """Blobs by their text."""

    def __init__(self, *texts: bytes) -> None:
        self.blobs = {self.describe(text).digest: text for text in texts}
        self.opened: list[str] = []

    @staticmethod
    def describe(text: bytes) -> Descriptor:
        return Descriptor(LAYER_GZIP, f"sha256:{sha256(text).hexdigest()}", len(text))

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        self.opened.append(descriptor.digest)
        return io.BytesIO(self.blobs[descriptor.digest])


def document(*texts: bytes) -> CacheDocument:
    records = {}
    for text in texts:
        key = sha256(b"key" + text).hexdigest()
        records[key] = Record(key, f"copy-{key}", "sha256:" + "2" * 64, Layers.describe(text))
    return CacheDocument(records, {})


def write(directory: Path, *texts: bytes, tag: str = "latest", damaged: tuple[str, ...] = ()) -> Layers:
    source, cache = Layers(*texts), document(*texts)
    CacheDirectory(str(directory)).write(tag, cache.encode(), cache.blobs(), source, lambda: None, damaged)
    return source


def read(directory: Path, tag: str = "") -> CacheDocument:
    with LayoutCarrier(str(directory), tag) as carrier:
        (found,) = carrier.documents()
        return found


def blobs(directory: Path) -> set[str]:
    return set(os.listdir(directory / "blobs" / "sha256"))


def test_a_cache_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "c", b"one", b"two")
    assert read(tmp_path / "c") == document(b"one", b"two")
    sink = MemorySink()
    with LayoutCarrier(str(tmp_path / "c")) as carrier:
        carrier.fetch(Layers.describe(b"two"), sink)
    assert list(sink.blobs.values()) == [b"two"]


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    assert len(write(tmp_path, b"one", b"two").opened) == 2
    assert write(tmp_path, b"two", b"three").opened == [Layers.describe(b"three").digest]
    assert write(tmp_path, b"two", damaged=(Layers.describe(b"two").digest,)).opened == [Layers.describe(b"two").digest]


def test_a_directory_keeps_what_its_caches_name_and_no_more(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path, b"same", b"%d" % number)
        write(tmp_path, b"other %d" % number, tag="branch")
    kept = {Layers.describe(text).digest[7:] for text in (b"same", b"4", b"other 4")}
    assert kept < blobs(tmp_path)
    assert len(blobs(tmp_path)) == 3 + 4  # and two documents with their manifests
    assert read(tmp_path, "branch") == document(b"other 4")


def test_what_others_have_there_stays(tmp_path: Path) -> None:
    """A blob that nobody's index names may be one that another tool is about to name."""
    write(tmp_path, b"one")
    foreign = tmp_path / "blobs" / "sha256" / ("f" * 64)
    foreign.write_bytes(b"what is it?")
    write(tmp_path, b"two")
    assert foreign.exists()
    assert Layers.describe(b"one").digest[7:] not in blobs(tmp_path)


def test_an_index_that_is_not_understood_keeps_everything(tmp_path: Path) -> None:
    write(tmp_path, b"one")
    lost = Layers.describe(b"nowhere")
    index = (tmp_path / "index.json").read_text()
    entry = f'{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{lost.digest}","size":7}}'
    (tmp_path / "index.json").write_text(index.replace('"manifests":[', f'"manifests":[{entry},'))
    write(tmp_path, b"two")
    assert Layers.describe(b"one").digest[7:] in blobs(tmp_path)


def test_what_a_killed_export_left_goes_with_the_next(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    write(tmp_path, b"old")
    left = 2

    def check() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    cache = document(b"new 1", b"new 2", b"new 3")
    with pytest.raises(Killed):
        source = Layers(b"new 1", b"new 2", b"new 3")
        CacheDirectory(str(tmp_path)).write("latest", cache.encode(), cache.blobs(), source, check)
    assert read(tmp_path) == document(b"old")
    assert len(blobs(tmp_path)) == 5
    write(tmp_path, b"last")
    assert len(blobs(tmp_path)) == 3
    assert len((tmp_path / LEDGER).read_text().split()) == 3


def test_half_written_files_of_killed_exports_go_when_they_are_old(tmp_path: Path) -> None:
    write(tmp_path, b"one")
    name = Layers.describe(b"one").digest[7:]
    ours, fresh, foreign = (
        tmp_path / "blobs" / "sha256" / f"{who}.{n}.part" for n, who in enumerate((name, name, "e" * 64))
    )
    for path in (ours, fresh, foreign):
        path.write_bytes(b"half")
    for path in (ours, foreign):
        os.utime(path, (1, 1))
    write(tmp_path, b"one", b"two")
    assert [path.exists() for path in (ours, fresh, foreign)] == [False, True, True]


def test_two_exporters_at_once_leave_one_whole_cache(tmp_path: Path) -> None:
    texts = [[b"%d %d" % (n, i) for i in range(4)] for n in range(6)]
    threads = [threading.Thread(target=write, args=(tmp_path, *some)) for some in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read(tmp_path)
    assert found in [document(*some) for some in texts]
    assert len(blobs(tmp_path)) == 6
    with LayoutCarrier(str(tmp_path)) as carrier:
        for blob in found.blobs():
            carrier.fetch(blob, MemorySink())


def test_no_link_in_the_way_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "c" / LEDGER).symlink_to(tmp_path / "mine")
    with pytest.raises(KezuriError, match="kezuri-cache"):
        write(tmp_path / "c", b"one")
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_store_blob_that_is_damaged_does_not_get_in(tmp_path: Path) -> None:
    cache, source = document(b"one"), Layers(b"one")
    source.blobs[Layers.describe(b"one").digest] = b"eno"
    with pytest.raises(KezuriError, match="damaged"):
        CacheDirectory(str(tmp_path)).write("latest", cache.encode(), cache.blobs(), source, lambda: None)
    assert not (tmp_path / "index.json").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda c: (c / "index.json").unlink(), "no index.json"),
        (lambda c: (c / "index.json").write_text("{"), "not a JSON document"),
        (lambda c: [(c / "blobs/sha256" / b).write_bytes(b"x") for b in os.listdir(c / "blobs/sha256")], "damaged"),
        (lambda c: [(c / "blobs/sha256" / b).unlink() for b in os.listdir(c / "blobs/sha256")], "is missing"),
    ],
)
def test_a_spoilt_layout_is_an_error_that_names_it(tmp_path: Path, spoil: object, said: str) -> None:
    write(tmp_path, b"one")
    spoil(tmp_path)  # type: ignore[operator]
    with pytest.raises(KezuriError, match=said) as raised:
        read(tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_an_image_without_a_cache_is_none(tmp_path: Path) -> None:
    from tests.build.build_workshop import tar_of, write_layout

    write_layout(tmp_path / "image", [tar_of(("a", b"a"))])
    with pytest.raises(KezuriError, match="holds no cache of kezuri"):
        read(tmp_path / "image")
    with pytest.raises(KezuriError, match="no cache with the tag 'other'"):
        read(tmp_path / "image", "other")


def test_an_index_of_many_large_documents_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Memory is bounded, whatever an index names."""
    read_sizes: list[int] = []

    def load(descriptor: Descriptor) -> Document:
        config = Descriptor(CONFIG_TYPE, f"sha256:{'0' * 64}", 7 << 20)
        return Document(descriptor, b"", Manifest(config, ()))

    def small(descriptor: Descriptor) -> bytes:
        read_sizes.append(descriptor.size)
        return b'{"version":1,"records":[]}'

    entries = tuple(Descriptor(MANIFEST, f"sha256:{n:064x}", 10) for n in range(30))
    root = Document(Descriptor(INDEX, f"sha256:{'f' * 64}", 10), b"", Index(entries))
    with pytest.raises(KezuriError, match="there: its records are larger"):
        Library("there", load, small).documents(root)
    assert sum(read_sizes) <= 32 << 20
