"""Images that are being pushed, copied, saved or tagged stay, whoever removes their names meanwhile."""

import os
import time
from pathlib import Path

import pytest
from tests.app.app_shelf import Shelf
from tests.build.build_workshop import tar_of
from tests.registry.registry_faults import Fault, FaultyRegistry, Handler

from kezuri.app.images import remove, tag
from kezuri.app.push import push
from kezuri.app.transfers import CopyRequest, copy_image
from kezuri.oci.descriptor import Descriptor, digest_of

GRACE = 1200.0
"""Seconds by which what a running command uses reaches back before its start."""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "store")


def put(shelf: Shelf, name: str) -> Descriptor:
    return shelf.put(name, [tar_of((f"{name}{n}", b"content")) for n in range(3)])


def removing(shelf: Shelf, name: str) -> tuple[Fault, list[str]]:
    """What a registry does when the first blob is asked for: meanwhile the image is removed, as if the command that
    asks had begun so long after the last use of anything that was there before now."""
    time.sleep(0.02)  # the kernel's clock of files is coarse
    now = time.time()
    time.sleep(0.02)
    gone: list[str] = []

    def fault(handler: Handler, kind: str, data: bytes) -> None:
        for lease in (shelf.root / "leases").iterdir():
            os.utime(lease, (now + GRACE,) * 2)
        gone.extend(one.name for one in remove(shelf.settings, (name,)) if one.what == "untagged")
        handler.refuse(404, "BLOB_UNKNOWN", "not here")

    return fault, gone


@pytest.mark.parametrize("all_tags", [False, True])
def test_a_push_has_its_image_until_it_ends(shelf: Shelf, server: FaultyRegistry, all_tags: bool) -> None:
    pointer = put(shelf, "one")
    name = f"{server.host}/team/one"
    tag(shelf.settings, "one", name)
    remove(shelf.settings, ("one",))
    put(shelf, "other")
    fault, gone = removing(shelf, name)
    server.on("HEAD .*/blobs/", fault)
    (pushed,) = push(shelf.settings, name, lambda _: None, all_tags=all_tags)
    assert gone == [f"{name}:latest"]
    assert pushed.digest == pointer.digest == digest_at(server, "latest")


def test_a_copy_has_its_image_until_it_ends(shelf: Shelf, server: FaultyRegistry) -> None:
    pointer = put(shelf, "one")
    fault, gone = removing(shelf, "one")
    server.on("HEAD .*/blobs/", fault)
    copy_image(shelf.settings, CopyRequest("store:one", f"docker://{server.host}/team/one:1"), lambda _: None)
    assert gone == ["one:latest"]
    assert pointer.digest == digest_at(server, "1")


def digest_at(server: FaultyRegistry, name: str) -> str:
    return digest_of(server.documents[f"manifests/{name}"][1])


def test_a_tag_uses_the_image_that_it_names(shelf: Shelf) -> None:
    pointer = put(shelf, "one")
    manifest = shelf.document(pointer.digest)
    put(shelf, "other")
    time.sleep(0.02)
    now = time.time()
    time.sleep(0.02)
    tag(shelf.settings, "one", "two")
    blobs = shelf.root / "blobs" / "sha256"
    assert {f"sha256:{path.name}" for path in blobs.iterdir() if path.stat().st_ctime > now} == {
        pointer.digest,
        manifest["config"]["digest"],
        *(layer["digest"] for layer in manifest["layers"]),
    }
    assert shelf.names()["two"] == pointer.digest
