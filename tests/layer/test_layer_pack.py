"""One pass from files to a blob."""

import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from kezuri.diagnostics import KezuriError
from kezuri.layer.blob_writer import BlobWriter
from kezuri.layer.compression import BLOCK, EMPTY_GZIP, Compression, compression
from kezuri.layer.decompression import decompress
from kezuri.layer.entry import Entry, Item
from kezuri.layer.packer import compress, pack
from kezuri.layer.tar_reader import read_tar

CHOICES = [
    compression("none"),
    compression("gzip"),
    compression("gzip", 1),
    compression("gzip", 4),
    compression("gzip", 0),
    compression("zstd"),
    compression("zstd", 1),
]


def noise(size: int, seed: int = 1) -> bytes:
    """Half of it random, half of it repeated."""
    dice = random.Random(seed)
    return b"".join(dice.randbytes(2000) + bytes([n % 251]) * 2000 for n in range(size // 4000 + 1))[:size]


def inflate(blob: bytes, chosen: Compression) -> bytes:
    if chosen.kind == "gzip":
        return gzip.decompress(blob)
    if chosen.kind == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(blob)
    return blob


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    tmp_path = tmp_path_factory.mktemp("files")
    found: list[Item] = []
    for number, size in enumerate([0, 1, 511, 512, 513, 70_000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 77, 5]):
        path = tmp_path / f"f{number}"
        path.write_bytes(noise(size, number))
        found.append((Entry(f"f{number}", "file", size=size), str(path)))
    found.append((Entry("inline", "file", size=6), b"inline"))
    found.append((Entry("large", "file", size=2 * BLOCK + 5), noise(2 * BLOCK + 5)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: chosen.encoder)
def test_digests_sizes_and_bytes_are_true(items: list[Item], chosen: Compression) -> None:
    sink = io.BytesIO()
    progress: list[int] = []
    packed = pack(items, sink, chosen, on_progress=progress.append)
    blob = sink.getvalue()
    tar = inflate(blob, chosen)
    assert packed.digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    assert packed.diff_id == "sha256:" + hashlib.sha256(tar).hexdigest()
    assert (packed.size, packed.uncompressed_size, packed.entries) == (len(blob), len(tar), len(items))
    assert progress == sorted(progress) and progress[-1] == len(tar)
    read = [(entry, data.read() if data else b"") for entry, data in read_tar(io.BytesIO(tar), "tar")]
    for (entry, content), (found, data) in zip(items, read, strict=True):
        assert found == entry
        assert data == (Path(content).read_bytes() if isinstance(content, str) else content)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: chosen.encoder)
def test_bytes_do_not_depend_on_threads(chosen: Compression) -> None:
    data = noise(5 * BLOCK + 1234)
    blobs = set()
    for encoders in (1, 2, 3):
        sink = io.BytesIO()
        with BlobWriter(sink, chosen, encoders=encoders) as blob:
            for at in range(0, 5 * BLOCK, BLOCK):
                blob.put(data[at : at + BLOCK])
            blob.finish(data[5 * BLOCK :])
        blobs.add(sink.getvalue())
    assert len(blobs) == 1
    assert inflate(blobs.pop(), chosen) == data


def test_the_same_items_give_the_same_blob_in_pieces_or_not(items: list[Item]) -> None:
    inline = [(entry, Path(content).read_bytes() if isinstance(content, str) else content) for entry, content in items]
    first, second, third = io.BytesIO(), io.BytesIO(), io.BytesIO()
    packed = pack(items, first, compression())
    assert pack(inline, second, compression()) == packed
    pack(items, third, compression("none"))
    third.seek(0)
    again = compress(third, io.BytesIO(), compression())
    assert again == packed._replace(entries=0, content=-1)
    assert first.getvalue() == second.getvalue()


def test_the_gzip_header_holds_nothing_of_this_machine() -> None:
    for level in (None, 6):
        sink = io.BytesIO()
        pack([], sink, compression("gzip", level))
        assert sink.getvalue()[:10] == bytes.fromhex("1f8b08000000000000ff")


def test_the_epoch_clamps_only_later_times() -> None:
    items: list[Item] = [(Entry("a", "dir", mtime=5_000_000_000), None), (Entry("b", "dir", mtime=9_500_000_000), None)]
    sink = io.BytesIO()
    pack(items, sink, compression("none"), epoch=7)
    sink.seek(0)
    assert [entry.mtime for entry, _ in read_tar(sink, "tar")] == [5_000_000_000, 7_000_000_000]


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _shrink(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("size", [10, 3 * BLOCK])
@pytest.mark.parametrize("change", [_grow, _shrink, Path.unlink, _pipe, _link])
def test_a_file_that_changes_is_an_error_and_never_a_wrong_tar(
    tmp_path: Path, size: int, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    change(path)
    with pytest.raises(KezuriError, match=r"file changed while it was read"):
        pack([(Entry("file", "file", size=size), str(path))], io.BytesIO(), compression())


def test_content_of_another_length_is_an_error() -> None:
    with pytest.raises(KezuriError, match="2 bytes instead of 3"):
        pack([(Entry("file", "file", size=3), b"ab")], io.BytesIO(), compression())


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: chosen.encoder)
@pytest.mark.parametrize("size", [100, 6 * BLOCK])
def test_a_full_disk_is_a_clear_error(chosen: Compression, size: int) -> None:
    with (
        open("/dev/full", "wb", buffering=0) as sink,
        pytest.raises(KezuriError, match="cannot write the layer: No space"),
    ):
        pack([(Entry("file", "file", size=size), noise(size))], sink, chosen)


def test_an_error_of_the_items_stops_the_threads() -> None:
    import threading

    def failing() -> Iterator[Item]:
        yield Entry("a", "file", size=4 * BLOCK), bytes(4 * BLOCK)
        raise KeyError("mine")

    before = threading.active_count()
    with pytest.raises(KeyError, match="mine"):
        pack(failing(), io.BytesIO(), compression())
    assert threading.active_count() == before


def test_levels_that_do_not_exist() -> None:
    for kind, level in (("gzip", 10), ("gzip", -1), ("zstd", 0), ("zstd", 20)):
        with pytest.raises(KezuriError):
            compression(kind, level)  # type: ignore[arg-type]


def test_without_isal_zlib_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    chosen = compression()
    assert chosen.encoder == f"zlib/{zlib.ZLIB_RUNTIME_VERSION}/6"
    sink = io.BytesIO()
    data = noise(2 * BLOCK)
    packed = pack([(Entry("f", "file", size=len(data)), data)], sink, chosen)
    sink.seek(0)
    assert hashlib.sha256(decompress(sink, "blob").read()).hexdigest() == packed.diff_id[7:]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_memory_is_bounded(tmp_path: Path, kind: str) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(1 << 30)
    script = f"""
from kezuri.layer.entry import Entry
from kezuri.layer.packer import compression, pack
items = [(Entry("large", "file", size=1 << 30), {str(large)!r})]
small = b"x" * 5000
items += [(Entry(f"d/{{n}}", "file", size=5000), small) for n in range(20000)]
with open({str(tmp_path / "blob")!r}, "wb") as sink:
    pack(items, sink, compression({kind!r}))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150 << 10


def test_the_empty_layer_is_the_one_that_everybody_knows() -> None:
    assert hashlib.sha256(EMPTY_GZIP).hexdigest().startswith("4f4fb700ef54461cfa02571ae0db9a0d")
    sink = io.BytesIO()
    packed = pack([], sink, compression())
    assert gzip.decompress(sink.getvalue()) == gzip.decompress(EMPTY_GZIP) == bytes(1024)
    assert packed.entries == 0 and packed.diff_id == "sha256:" + hashlib.sha256(bytes(1024)).hexdigest()
