"""Which blob of a layer is taken, what is believed of it, and as what a layer leaves."""

import gzip
import os
import tarfile
import threading
from pathlib import Path

import pytest
from tests.build.build_workshop import own, tar_of

from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.forms.packing import Packing
from kezuri.layer.entry import Entry
from kezuri.oci.descriptor import LAYER, LAYER_GZIP, Descriptor, digest_of
from kezuri.progress.calling_off import CalledOff, CallOff
from kezuri.store.schema import pulled_encoder
from kezuri.store.store import Store

PLAIN = tar_of(("etc", None), ("etc/f", b"content\n"))
LAYER_ID = digest_of(PLAIN)
GZIP = gzip.compress(PLAIN, mtime=0)
LIE = gzip.compress(tar_of(("evil", b"x")), mtime=0)


def descriptor(blob: bytes, media_type: str = LAYER_GZIP) -> Descriptor:
    return Descriptor(media_type, digest_of(blob), len(blob))


class Source:
    """Gives blobs, and counts how often each was asked for."""

    def __init__(self, store: Store, *blobs: bytes) -> None:
        self._store = store
        self._blobs = {digest_of(blob): blob for blob in blobs}
        self.asked: list[str] = []

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        self.asked.append(descriptor.digest)
        if descriptor.digest not in self._blobs:
            raise KezuriError.of(f"nobody has {descriptor.digest}")
        self._store.blobs.put(self._blobs[descriptor.digest])


def file(name: str, mtime: int = 2000) -> Entry:
    return Entry(name, "file", 0o644, os.geteuid(), os.getegid(), 1, mtime * 10**9)


class TestClaims:
    def test_the_next_claim_is_tried_where_the_first_is_a_lie(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            source = Source(store, LIE, GZIP)
            forms = Forms(store, own(store), source)
            forms.know_pulled(LAYER_ID, descriptor(LIE))
            forms.know_pulled(LAYER_ID, descriptor(GZIP))
            assert forms.view([LAYER_ID]).lookup("etc/f") is not None
            assert source.asked == [digest_of(LIE), digest_of(GZIP)]
            assert store.database.form(LAYER_ID, pulled_encoder(digest_of(LIE))) is None
            (form,) = store.database.forms(LAYER_ID)
            assert form.digest == digest_of(GZIP) and form.verified

    def test_what_is_wrong_with_the_first_is_said_where_none_is_true(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store, LIE))
            forms.know_pulled(LAYER_ID, descriptor(LIE))
            with pytest.raises(KezuriError, match=f"layer {LAYER_ID}: its content has the digest"):
                forms.view([LAYER_ID])

    def test_what_one_image_claims_is_nothing_for_another(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            store.blobs.put(LIE)
            liar = Forms(store, own(store), Source(store))
            liar.know_pulled(LAYER_ID, descriptor(LIE))
            assert liar.usable(LAYER_ID)
            honest = Forms(store, own(store), Source(store, GZIP))
            assert not honest.usable(LAYER_ID)
            honest.know_pulled(LAYER_ID, descriptor(GZIP))
            assert honest.any_blob(LAYER_ID).digest == digest_of(GZIP)

    def test_what_is_known_for_one_epoch_is_known_for_another(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store, GZIP))
            forms.know_pulled(LAYER_ID, descriptor(GZIP))
            assert forms.for_epoch(1000).any_blob(LAYER_ID).digest == digest_of(GZIP)

    def test_a_layer_from_elsewhere_that_is_gone_is_not_packed_anew(self, tmp_path: Path) -> None:
        """Packed of its directory it would have another diff id than its image says."""
        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store, GZIP))
            forms.know_pulled(LAYER_ID, descriptor(GZIP))
            forms.directory(LAYER_ID, ())
            store.blobs.delete(digest_of(GZIP))
            later = Forms(store, own(store), Source(store))
            assert later.is_unpacked(LAYER_ID)
            with pytest.raises(KezuriError, match="is not in the store any more"):
                later.blob(LAYER_ID, Packing())

    def test_reading_ends_when_the_build_is_called_off(self, tmp_path: Path) -> None:
        cancel = CallOff()
        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store, GZIP), cancel=cancel)
            forms.know_pulled(LAYER_ID, descriptor(GZIP))
            cancel.set()
            with pytest.raises(CalledOff):
                forms.view([LAYER_ID])


class TestLeaving:
    def test_a_layer_from_elsewhere_leaves_as_it_came(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store, PLAIN, GZIP))
            forms.know_pulled(LAYER_ID, descriptor(GZIP))
            assert forms.blob(LAYER_ID, Packing("zstd")).digest == digest_of(GZIP)
            assert forms.base_blob(LAYER_ID, descriptor(PLAIN, LAYER)).digest == digest_of(PLAIN)

    def test_a_layer_that_was_made_here_leaves_in_every_kind_and_comes_to_the_same_files(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store))
            first = forms.pack("copy-1", [(file("f"), b"x")], Packing("none"))
            kinds = [forms.blob("copy-1", Packing(kind)) for kind in ("gzip", "zstd", "none")]
            assert {form.diff_id for form in kinds} == {first.diff_id} and len({form.digest for form in kinds}) == 3
            assert kinds == [forms.blob("copy-1", Packing(kind)) for kind in ("gzip", "zstd", "none")]

    def test_an_epoch_makes_another_blob_and_no_lesser_layer(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store))
            forms.pack("copy-1", [(file("f"), b"x")], Packing("none"))
            dated = forms.blob("copy-1", Packing("none", epoch=1000))
            with tarfile.open(store.blobs.path(dated.digest)) as tar:
                assert [member.mtime for member in tar] == [1000]
            assert dated.epoch == 1000 and forms.any_blob("copy-1").epoch is None

    def test_what_is_checked_last_leaves_nothing(self, tmp_path: Path) -> None:
        def refuse() -> None:
            raise KezuriError.of("a file was changed")

        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store))
            with pytest.raises(KezuriError, match="a file was changed"):
                forms.pack("copy-1", [(file("f"), b"x")], Packing(), refuse)
            assert store.blobs.digests() == [] and store.database.layer("copy-1") is None


class TestFetching:
    def test_several_at_a_time_and_each_once(self, tmp_path: Path) -> None:
        blobs = [tar_of((f"f{number}", b"x")) for number in range(6)]
        with Store(str(tmp_path)) as store:
            source = Source(store, *blobs)
            forms = Forms(store, own(store), source)
            for blob in blobs:
                forms.know_pulled(digest_of(blob), descriptor(blob, LAYER))
            layers = [digest_of(blob) for blob in blobs]
            threads = [threading.Thread(target=forms.fetch_missing, args=(layers,)) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(source.asked) == sorted(layers) and all(map(forms.usable, layers))

    def test_the_first_failure_is_raised(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            forms = Forms(store, own(store), Source(store, GZIP))
            forms.know_pulled(LAYER_ID, descriptor(GZIP))
            forms.know_pulled(digest_of(LIE), descriptor(LIE))
            with pytest.raises(KezuriError, match="nobody has"):
                forms.fetch_missing([LAYER_ID, digest_of(LIE)])

    def test_a_blob_that_an_image_says_to_be_of_another_size(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            store.blobs.put(GZIP)
            forms = Forms(store, own(store), Source(store))
            wrong = descriptor(GZIP)._replace(size=len(GZIP) + 1)
            with pytest.raises(KezuriError, match=f"has {len(GZIP)} bytes"):
                forms.fetch_named([(LAYER_ID, wrong)])


def test_what_makes_forms_is_not_loaded_to_find_them(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = f"""
import sys
from kezuri.forms.forms import Forms
from kezuri.linux.ownership import Privilege
from kezuri.store.owners import Owners
from kezuri.store.store import Store
from kezuri.oci.descriptor import LAYER, Descriptor
with Store({str(tmp_path)!r}) as store:
    forms = Forms(store, Owners(store, Privilege()), None)
    forms.know_pulled("sha256:" + "a" * 64, Descriptor(LAYER, "sha256:" + "b" * 64, 1))
    assert not forms.usable("sha256:" + "a" * 64) and not forms.unpacked(["x"])
print(*(name for name in sys.modules if name.startswith("kezuri.forms.") or name.startswith("kezuri.layer")))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == {
        f"kezuri.forms.{name}" for name in ("forms", "directories", "packing", "supply")
    }
