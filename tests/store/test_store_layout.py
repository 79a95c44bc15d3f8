"""Layouts are written by one writer: whole, beside what is there, and by several at once."""

import json
import os
import threading
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import MANIFEST, REF_NAME, Descriptor, Index, digest_of
from kezuri.store.layout import LayoutDirectory


def entry(name: str) -> Descriptor:
    return Descriptor(MANIFEST, digest_of(name.encode()), 1, {REF_NAME: name})


def names(directory: Path) -> list[str]:
    return [m.annotations[REF_NAME] for m in Index.parse((directory / "index.json").read_bytes(), "index").manifests]


def test_a_blob_is_there_when_it_is_whole(tmp_path: Path) -> None:
    layout = LayoutDirectory(str(tmp_path))
    digest = digest_of(b"content")
    with pytest.raises(ZeroDivisionError), layout.blob(digest) as file:
        file.write(b"con")
        _ = 1 / 0
    assert os.listdir(tmp_path / "blobs" / "sha256") == []
    with layout.blob(digest) as file:
        file.write(b"content")
    assert Path(layout.path(digest)).read_bytes() == b"content"


def test_writers_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    def write(number: int) -> None:
        LayoutDirectory(str(tmp_path)).enter(lambda known: (*known, entry(f"n{number}")))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(tmp_path)) == sorted(f"n{number}" for number in range(12))
    assert json.loads((tmp_path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert sorted(os.listdir(tmp_path)) == ["blobs", "index.json", "oci-layout"]


@pytest.mark.parametrize("marker", ['{"imageLayoutVersion": "2.0.0"}', "no JSON", "[]"])
def test_a_layout_of_another_version_stays_as_it_is(tmp_path: Path, marker: str) -> None:
    (tmp_path / "oci-layout").write_text(marker)
    with pytest.raises(KezuriError, match=r"not an OCI image layout of version 1\.0\.0"):
        LayoutDirectory(str(tmp_path)).enter(lambda known: (*known, entry("x")))
    assert not (tmp_path / "index.json").exists() and (tmp_path / "oci-layout").read_text() == marker


def test_a_damaged_index_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(KezuriError, match="index"):
        LayoutDirectory(str(tmp_path)).enter(lambda known: (*known, entry("x")))
    assert (tmp_path / "index.json").read_text() == "{"
