"""Work that was called off ends while layers are read, and leaves nothing behind."""

import gzip
import io
import os
import tarfile
import threading
from pathlib import Path

import pytest

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.oci.descriptor import LAYER_GZIP, Descriptor, digest_of
from kezuri.progress.calling_off import CalledOff, CallOff


def test_unpacking_and_listing_a_layer_are_called_off(tmp_path: Path) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("file"))
    blob, layer = gzip.compress(plain.getvalue()), digest_of(plain.getvalue())
    cancel = CallOff()
    with Session(Settings(root=str(tmp_path)), cancel=cancel) as session:
        session.store.blobs.put(blob)
        session.forms.know_pulled(layer, Descriptor(LAYER_GZIP, digest_of(blob), len(blob)))
        cancel.set()
        with pytest.raises(CalledOff):
            session.forms.view([layer])
        with pytest.raises(CalledOff):
            session.forms.directory(layer, ())
        assert [os.listdir(tmp_path / name) for name in ("tmp", "listings", "layers")] == [[], [], []]


def test_each_way_is_taken_once_and_late_comers_at_once() -> None:
    cancel, taken = CallOff(), list[str]()
    cancel.then(lambda: taken.append("before"))
    threads = [threading.Thread(target=cancel.set) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == ["before"]
    cancel.then(lambda: taken.append("after"))
    assert taken == ["before", "after"]
    with pytest.raises(CalledOff, match="canceled"):
        cancel.check()
