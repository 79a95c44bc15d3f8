"""What images need is followed from their documents, each of which is read once."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kezuri.linux.ownership import Privilege
from kezuri.oci.descriptor import CONFIG, INDEX, LAYER, MANIFEST, Descriptor, Index, Manifest, canonical, digest_of
from kezuri.store.blobs import Blobs
from kezuri.store.facts import Download
from kezuri.store.schema import FormRow, pulled_encoder
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits
from kezuri.upkeep.reach import Reach


def manifest(store: Store, content: bytes) -> Descriptor:
    """A tiny image without a name; its manifest's descriptor."""
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    document = canonical(
        Manifest(
            Descriptor(CONFIG, store.blobs.put(config), len(config)),
            (Descriptor(LAYER, store.blobs.put(content), len(content)),),
        ).to_json()
    )
    return Descriptor(MANIFEST, store.blobs.put(document), len(document))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each blob is read as a document."""
    count: Counter[str] = Counter()
    read: Any = Blobs.read

    def counting(blobs: Blobs, digest: str, *rest: int) -> bytes:
        count[digest] += 1
        return read(blobs, digest, *rest)  # type: ignore[no-any-return]

    monkeypatch.setattr(Blobs, "read", counting)
    return count


@pytest.mark.parametrize(
    "limits", [Limits(), Limits(everything=True), Limits(keep_bytes=0), Limits(untagged=False), Limits(before=0.0)]
)
def test_one_collection_reads_every_document_once(tmp_path: Path, reads: Counter[str], limits: Limits) -> None:
    with Store(str(tmp_path)) as store:
        images = [manifest(store, f"{number}".encode()) for number in range(4)]
        document = canonical(Index((images[0], images[1])).to_json())
        store.names.put("docker.io/library/both:1", Descriptor(INDEX, store.blobs.put(document), len(document)))
        store.names.put("docker.io/library/two:2", images[2])
        store.names.keep(images[3])
        store.database.facts.put_image("docker.io/library/two:2", "linux/amd64", images[2].digest)
        list(Collector(store, Privilege()).collect(limits))
        assert set(reads) >= {images[0].digest, images[1].digest, images[2].digest} and set(reads.values()) == {1}


def test_a_document_that_comes_back_is_read(tmp_path: Path) -> None:
    """One that is damaged says nothing, and is not remembered to say nothing."""
    with Store(str(tmp_path)) as store:
        image = manifest(store, b"content")
        store.names.put("docker.io/library/x:1", image)
        path = Path(store.blobs.path(image.digest))
        whole = path.read_bytes()
        path.write_bytes(b"{")
        reach = Reach(store)
        assert reach.named_blobs() == {image.digest}
        path.write_bytes(whole)
        assert len(reach.named_blobs()) == 3


def test_a_download_is_needed_unless_everything_goes(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        fetched = store.blobs.put(b"fetched")
        store.database.facts.put_download("url", Download(fetched, "", ""))
        assert Reach(store).needed_blobs(everything=False) == {fetched}
        assert Reach(store).needed_blobs(everything=True) == set()


def test_a_layer_that_is_chosen_goes_although_builds_stand_on_its_image(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        base = manifest(store, b"content")
        layer = digest_of(b"content")
        store.database.put_layer(layer, diff_id=layer)
        store.database.put_form(FormRow(layer, pulled_encoder(layer), layer, 7, LAYER, layer))
        store.database.facts.put_image("docker.io/library/x:1", "linux/amd64", base.digest)
        list(Collector(store, Privilege()).collect(Limits()))
        assert store.blobs.has(layer), "a build stands on it"
        gone = list(Collector(store, Privilege()).collect(Limits(chosen=lambda piece: piece.ties.layer == layer)))
        assert [(g.kind, g.name) for g in gone if g.kind == "blob"] == [("blob", layer)]
        assert store.blobs.has(base.digest) and not store.blobs.has(layer)
