"""`manifest` and `imagetools`: lists put together, pushed to a real registry, and indexes made there."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.registry.registry_servers import RegistryServer, needs_registry, needs_skopeo
from tests.transfer.transfer_images import layout_of_two, several

from kezuri.app import lists
from kezuri.app.images import tag
from kezuri.app.lists import Notes
from kezuri.app.manifests import Making, digest, make_index, show
from kezuri.app.request import Settings
from kezuri.app.tags import repository, tags
from kezuri.app.transfers import CopyRequest, copy_image
from kezuri.diagnostics import KezuriError
from kezuri.oci import Index, digest_of


def silent(event: object) -> None:
    pass


OUTER, AMD, ARM, SAID = several()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A store with an image for amd64, one for arm64, and an index of both."""
    settings = Settings(str(tmp_path / "store"))
    where, _ = layout_of_two(tmp_path / "from")
    for name in ("amd", "arm", "two"):
        copy_image(settings, CopyRequest(f"oci:{where}:{name}", f"{name}:1"), silent)
    return settings


def entries(settings: Settings, name: str = "list") -> list[tuple[str, str]]:
    found = lists.listed(settings, name)
    assert found is not None and isinstance(found.content, Index)
    return [(entry.digest, str(entry.platform)) for entry in found.content.manifests]


def test_a_list(settings: Settings) -> None:
    assert lists.create(settings, "list", ("arm:1",)) == "docker.io/library/list:latest"
    assert entries(settings) == [(ARM.digest, "linux/arm64")]
    with pytest.raises(KezuriError, match="list:latest is there already"):
        lists.create(settings, "list", ())
    lists.create(settings, "list", ("two:1",), amend=True)
    assert entries(settings) == [(AMD.digest, "linux/amd64"), (ARM.digest, "linux/arm64")]
    lists.annotate(settings, "list", ARM.digest, Notes(variant="v9", annotations=(("k", "v"),)))
    lists.annotate(settings, "list", AMD.digest, Notes(os="plan9", os_version="4"))
    assert entries(settings) == [(AMD.digest, "plan9/amd64"), (ARM.digest, "linux/arm64/v9")]
    lists.remove(settings, "list", AMD.digest)
    with pytest.raises(KezuriError, match="list:latest has no image sha256:"):
        lists.remove(settings, "list", AMD.digest)
    tag(settings, "two:1", "other:1")
    assert lists.add(settings, "list", "other:1", Notes(architecture="amd64"), whole=False) == AMD.digest
    assert entries(settings) == [(ARM.digest, "linux/arm64/v9"), (AMD.digest, "linux/amd64")]
    lists.forget(settings, ("list",))
    assert lists.listed(settings, "list") is None
    with pytest.raises(KezuriError, match="no such manifest list: list:latest"):
        lists.forget(settings, ("list",))


def test_a_list_that_is_misspelt(settings: Settings) -> None:
    lists.create(settings, "example.org/team/app:1", ())
    with pytest.raises(KezuriError) as caught:
        lists.add(settings, "example.org/team/ap:1", "amd:1", Notes(), whole=True)
    assert caught.value.diagnostics[0].hint == "did you mean example.org/team/app:1?"
    with pytest.raises(KezuriError, match="at least one image"):
        lists.listed(settings, "example.org/team/app:1")


def test_documents_of_the_store(settings: Settings) -> None:
    shown = show(settings, "two:1", deep=True)
    assert [descriptor.digest for descriptor, _, _ in shown.manifests] == [AMD.digest, ARM.digest]
    assert [json.loads(config)["architecture"] for _, _, config in shown.manifests] == ["amd64", "arm64"]
    assert show(settings, "two:1", "linux/arm64").document.raw == ARM.manifest
    assert digest(settings, "arm:1") == digest(settings, "two:1", "linux/arm64") == ARM.digest
    with pytest.raises(KezuriError, match="names one image"):
        repository("example.org/a:1")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    directory = tmp_path / "registry"
    directory.mkdir()
    with RegistryServer(directory) as server:
        yield server.host


@needs_registry
@needs_skopeo
@pytest.mark.slow
class TestRegistry:
    def test_a_list_is_pushed_with_its_images(self, settings: Settings, registry: str, tmp_path: Path) -> None:
        copy_image(settings, CopyRequest("amd:1", f"docker://{registry}/elsewhere:1"), silent)
        lists.create(settings, f"{registry}/app:1", ("arm:1", f"{registry}/elsewhere:1"))
        lists.annotate(settings, f"{registry}/app:1", "arm:1", Notes(variant="v9"))
        # A tag that moves before the list is pushed changes nothing.
        copy_image(settings, CopyRequest("arm:1", f"docker://{registry}/elsewhere:1"), silent)
        pushed = lists.push(settings, f"{registry}/app:1", f"docker://{registry}/other:2", silent, purge=True)
        assert lists.listed(settings, f"{registry}/app:1") is None
        subprocess.run(
            ["skopeo", "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{registry}/other:2",
             f"dir:{tmp_path / 'copied'}"],
            check=True,
        )  # fmt: skip
        raw = (tmp_path / "copied" / "manifest.json").read_bytes()
        assert digest_of(raw) == pushed == digest(settings, f"docker://{registry}/other:2")
        assert [m["digest"] for m in json.loads(raw)["manifests"]] == [ARM.digest, AMD.digest]
        assert json.loads(raw)["manifests"][0]["platform"]["variant"] == "v9"

    def test_an_index_is_made(self, settings: Settings, registry: str) -> None:
        for name in ("amd", "arm"):
            copy_image(settings, CopyRequest(f"{name}:1", f"docker://{registry}/{name}:1"), silent)
        making = Making(
            (f"{registry}/app:1", f"{registry}/app:2", f"{registry}/copy:1"),
            (f"{registry}/amd:1", f"{registry}/arm:1"),
            annotations=(("k", "v"),),
        )
        dry = make_index(settings, making, silent, dry_run=True)
        with pytest.raises(KezuriError, match="404 NAME_UNKNOWN"):
            list(tags(settings, f"{registry}/app"))
        made = make_index(settings, making, silent)
        assert made.raw == dry.raw and json.loads(made.raw)["annotations"] == {"k": "v"}
        assert sorted(tags(settings, f"{registry}/app")) == ["1", "2"]
        for name in ("app:1", "app:2", "copy:1"):
            shown = show(settings, f"{registry}/{name}", remote=True, deep=True)
            assert shown.document.raw == made.raw
            assert [str(d.platform) for d, _, _ in shown.manifests] == ["linux/amd64", "linux/arm64"]
        lone = make_index(settings, Making((f"{registry}/lone:1",), (f"{registry}/arm:1",), prefer_index=False), silent)
        assert lone.descriptor.digest == ARM.digest
        more = Making((f"{registry}/lone:2",), ("store:two:1",), platforms=("linux/amd64",))
        assert [m["digest"] for m in json.loads(make_index(settings, more, silent).raw)["manifests"]] == [AMD.digest]
        more = Making((f"{registry}/lone:2",), (f"{registry}/arm:1",), append=True)
        assert len(json.loads(make_index(settings, more, silent).raw)["manifests"]) == 2

    def test_nothing_is_named_when_an_image_is_missing(self, settings: Settings, registry: str) -> None:
        making = Making((f"{registry}/app:1",), (f"{registry}/nope:1", "store:amd:1"))
        with pytest.raises(KezuriError, match="404"):
            make_index(settings, making, silent)
        with pytest.raises(KezuriError, match="there is no such tag") as caught:
            digest(settings, f"docker://{registry}/app:1")
        assert caught.value.exit_code == 1
