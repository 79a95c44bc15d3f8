"""Places as users write them."""

from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.oci import Reference
from kezuri.transfer.places import (
    ArchivePlace,
    DirectoryPlace,
    EnginePlace,
    LayoutPlace,
    Place,
    RegistryPlace,
    StorePlace,
    read_place,
)

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("alpine", StorePlace("alpine", alone=True)),
        ("alpine:3.20", StorePlace("alpine:3.20", alone=True)),
        ("registry:2", StorePlace("registry:2", alone=True)),
        ("localhost:5000/a/b:1", StorePlace("localhost:5000/a/b:1", alone=True)),
        ("store:docker:27", StorePlace("docker:27")),
        (f"a@{DIGEST}", StorePlace(f"a@{DIGEST}", alone=True)),
        ("docker://alpine", RegistryPlace(Reference.parse("alpine"))),
        (f"docker://localhost:5000/a@{DIGEST}", RegistryPlace(Reference.parse(f"localhost:5000/a@{DIGEST}"))),
        ("oci:dir", LayoutPlace("dir", "")),
        ("oci:dir:tag", LayoutPlace("dir", "tag")),
        ("oci:dir:example.org/a/b:1", LayoutPlace("dir", "example.org/a/b:1")),
        (f"oci:dir@{DIGEST}", LayoutPlace("dir", DIGEST)),
        ("oci-layout://dir:tag", LayoutPlace("dir", "tag")),
        ("dir:/tmp/x", DirectoryPlace("/tmp/x")),
        ("oci-archive:a.tar", ArchivePlace("oci", "a.tar", "")),
        ("oci-archive:-", ArchivePlace("oci", "-", "")),
        ("docker-archive:a.tar:example.org/a:1", ArchivePlace("docker", "a.tar", "example.org/a:1")),
        ("docker-archive:a.tar:@1", ArchivePlace("docker", "a.tar", "@1")),
        ("docker-daemon:a:1", EnginePlace("docker", "a:1")),
        ("containers-storage:a", EnginePlace("podman", "a")),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert read_place(text) == place


def test_a_file_with_colons(tmp_path: Path) -> None:
    file = tmp_path / "a:b"
    file.write_text("")
    assert read_place(f"oci-archive:{file}:x:1") == ArchivePlace("oci", str(file), "x:1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("docker:27", "store:docker:27"),
        ("docker://", "docker://NAME"),
        ("oci:", "nothing after oci:"),
        ("tarball:/tmp/x", "neither from nor to tarball:"),
        ("https://example.org/a", "does not know https://"),
        ("docker-archiv:a.tar", "did you mean docker-archive:a.tar?"),
        ("docker://UPPER", "lower-case"),
        ("containers-storage:[overlay@/x]a", "by its name alone"),
    ],
)
def test_what_is_no_place(text: str, words: str) -> None:
    with pytest.raises(KezuriError) as caught:
        read_place(text)
    assert words in "".join(d.message + d.hint for d in caught.value.diagnostics)
    assert caught.value.exit_code == 2
