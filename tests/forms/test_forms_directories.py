"""What unpacking a layer tells, and what it leaves alone."""

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from tests.build.build_workshop import own

from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.forms.packing import Packing
from kezuri.layer.entry import Entry
from kezuri.linux.ownership import Ownership, Privilege
from kezuri.oci.descriptor import LAYER, Descriptor, digest_of
from kezuri.store.owners import Owners
from kezuri.store.store import Store

pytestmark = pytest.mark.usefixtures("entered")


def devices(count: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for i in range(count):
            info = tarfile.TarInfo(f"null{i}")
            info.type, info.devmajor, info.devminor = tarfile.CHRTYPE, 1, 3
            info.uid, info.gid = os.geteuid(), os.getegid()
            tar.addfile(info)
    return out.getvalue()


class Source:
    def __init__(self, store: Store, *blobs: bytes) -> None:
        self._store = store
        self._blobs = {digest_of(blob): blob for blob in blobs}

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        self._store.blobs.put(self._blobs[descriptor.digest])


@pytest.mark.parametrize(("count", "said"), [(1, 1), (9, 6)])
def test_devices_that_cannot_be_made_are_said_once_a_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, said: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "mknod", refuse)
    blob = devices(count)
    with Store(str(tmp_path)) as store:
        heard: list[str] = []
        forms = Forms(store, own(store), Source(store, blob), heard.append)
        forms.know_pulled(digest_of(blob), Descriptor(LAYER, digest_of(blob), len(blob)))
        for _ in range(2):
            forms.directory(digest_of(blob), ())
        assert len(heard) == said
        assert heard[0] == f"layer {digest_of(blob)}: left out the device null0: making it needs real root"
        assert count == 1 or heard[-1] == f"layer {digest_of(blob)}: 4 more like these"


def test_a_blob_that_is_what_it_is_said_to_be_is_not_given_up_for_other_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk says nothing about the image."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("f")
        info.uid, info.gid = os.geteuid(), os.getegid()
        tar.addfile(info)
    blob = out.getvalue()
    with Store(str(tmp_path)) as store:
        forms = Forms(store, own(store), Source(store, blob))
        forms.know_pulled(digest_of(blob), Descriptor(LAYER, digest_of(blob), len(blob)))
        real = os.open

        def full(path: object, flags: int, *rest: int, **more: int) -> int:
            if flags & os.O_CREAT and path == "f":
                raise OSError(28, "No space left on device")
            return real(path, flags, *rest, **more)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", full)
            with pytest.raises(KezuriError, match="no space left") as caught:
                forms.directory(digest_of(blob), ())
        assert caught.value.exit_code == 125
        assert [form.verified for form in store.database.forms()] == [False]
        made = Path(forms.directory(digest_of(blob), ()))
        assert stat.S_ISREG((made / "f").stat().st_mode)
        assert [form.verified for form in store.database.forms()] == [True]


def test_a_directory_is_read_only_once_its_owners_are_seen_as_they_are_meant(tmp_path: Path) -> None:
    """Before an ordinary user has entered his namespace, files show the owners that they have on the disk."""
    with Store(str(tmp_path)) as store:
        with store.scratch("x") as scratch:
            made = os.path.join(scratch, "diff")
            os.mkdir(made)
            path = Forms(store, own(store), Source(store)).publish_directory("copy-1", made)
        entered: list[bool] = []

        def look() -> Ownership:
            return Ownership(((0, os.geteuid(), 2),), ((0, os.getegid(), 2),), True, bool(entered))

        for ask in (Forms.view, Forms.directories):
            entered.clear()
            forms = Forms(store, Owners(store, Privilege(lambda: entered.append(True), look)), Source(store))
            assert forms.usable("copy-1") and forms.is_unpacked("copy-1") and not entered
            ask(forms, ["copy-1"])
            assert entered == [True] and forms.directory("copy-1", ()) == path


def test_a_layer_is_unpacked_once_the_owners_that_it_means_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of another's can be made by an ordinary user who has entered his namespace, and by no other."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("of-another")
        info.uid = os.geteuid() + 1
        tar.addfile(info)
    blob = out.getvalue()
    entered: list[bool] = []

    def give(*_: object) -> None:
        if not entered:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", give)
    with Store(str(tmp_path)) as store:

        def look() -> Ownership:
            return Ownership(((0, os.geteuid(), 2),), ((0, os.getegid(), 2),), True, bool(entered))

        forms = Forms(store, Owners(store, Privilege(lambda: entered.append(True), look)), Source(store, blob))
        forms.know_pulled(digest_of(blob), Descriptor(LAYER, digest_of(blob), len(blob)))
        assert os.listdir(forms.directory(digest_of(blob), ())) == ["of-another"]


def test_a_directory_with_earlier_times_is_none_for_a_build_that_asks_for_later_ones(tmp_path: Path) -> None:
    """It was unpacked from a blob that a build with SOURCE_DATE_EPOCH made."""

    def times(blob: str) -> list[float]:
        with tarfile.open(store.blobs.path(blob)) as tar:
            return [member.mtime for member in tar]

    file = Entry("f", "file", 0o644, os.geteuid(), os.getegid(), 1, 2000 * 10**9)
    with Store(str(tmp_path)) as store:
        forms = Forms(store, own(store), Source(store)).for_epoch(1000)
        forms.pack("copy-1", [(file, b"x")], Packing("none", epoch=1000))
        dated = Path(forms.directory("copy-1", ()))
        assert (dated / "f").stat().st_mtime == 1000 and forms.usable("copy-1")

        store.database.facts.drop(1e18)  # as `prune --all` does, beside a build that uses the directory
        forms = Forms(store, own(store), Source(store))
        assert not forms.usable("copy-1")
        forms.pack("copy-1", [(file, b"x")], Packing("none"))
        assert forms.usable("copy-1") and not forms.unpacked(["copy-1"])
        assert times(forms.blob("copy-1", Packing("gzip")).digest) == [2000]
        made = Path(forms.directory("copy-1", ()))
        assert (made / "f").stat().st_mtime == 2000 and (dated / "f").exists()
        forms = Forms(store, own(store), Source(store)).for_epoch(1000)
        assert forms.directory("copy-1", ()) == str(made)
