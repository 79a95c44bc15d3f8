"""Artifacts beside images: attached and discovered in the store, in layouts and in registries; kept as long as they
should be."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any, cast

import pytest
from tests.app.app_shelf import Shelf
from tests.build.build_workshop import tar_of
from tests.registry.registry_servers import RegistryServer, needs_registry

from kezuri.app.artifacts import referring
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.images.referrers import referrers
from kezuri.oci.descriptor import Descriptor
from kezuri.store.store import Store
from kezuri.transfer.doors import Source

pytestmark = pytest.mark.slow
"""Whole commands, or many made-up images: together they take longer than the quick tests may."""

SBOM = "application/spdx+json"
SIGNATURE = "application/vnd.example.signature"


class Place:
    """A store, and files to attach."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.shelf = Shelf(directory / "store")
        self.image = self.shelf.put("app", [tar_of(("f", b"1"))])

    def file(self, name: str = "sbom.json", data: bytes = b"{}\n") -> str:
        (self.directory / name).write_bytes(data)
        return str(self.directory / name)

    def kezuri(self, *argv: str, code: int = 0) -> str:
        out, err = io.StringIO(), io.StringIO()
        environ = {"HOME": "/nowhere", "KEZURI_ROOT": str(self.shelf.root), "XDG_RUNTIME_DIR": str(self.directory)}
        assert call(argv, Console(out, err, environ)) == code, err.getvalue()
        return out.getvalue().strip() if not code else err.getvalue()

    def attach(self, image: str, kind: str = SBOM, *more: str) -> str:
        return self.kezuri("attach", image, "--artifact-type", kind, *more)

    def found(self, image: str, *more: str) -> dict[str, Any]:
        return dict(json.loads(self.kezuri("discover", image, "--format", "json", *more)))

    def tree(self, image: str) -> dict[str, Any]:
        """The digests of what refers to an image, of what refers to that, and so on."""

        def below(found: dict[str, Any]) -> dict[str, Any]:
            return {one["digest"]: below(one) for one in found["referrers"]}

        return below(self.found(image))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class TestStore:
    def test_a_manifest_as_the_specification_has_it(self, place: Place) -> None:
        made = place.attach("app", SBOM, "-f", f"{place.file()}:application/json", "--annotation", "b=2", "-a", "a=1")
        assert place.shelf.document(made) == {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": SBOM,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
                "size": 2,
            },
            "layers": [
                {
                    "mediaType": "application/json",
                    "digest": f"sha256:{hashlib.sha256(b'{}' + bytes([10])).hexdigest()}",
                    "size": 3,
                    "annotations": {"org.opencontainers.image.title": "sbom.json"},
                }
            ],
            "subject": {
                "mediaType": place.image.media_type,
                "digest": place.image.digest,
                "size": place.image.size,
            },
            "annotations": {"a": "1", "b": "2"},
        }
        assert place.attach("app", SBOM, "-f", f"{place.file()}:application/json", "-a", "a=1", "-a", "b=2") == made

    def test_what_refers_to_it_and_to_that(self, place: Place) -> None:
        sbom = place.attach("app", SBOM, place.file())
        signature = place.attach(sbom, SIGNATURE)
        other = place.attach("app", SIGNATURE)
        assert place.tree("app") == {sbom: {signature: {}}, other: {}}
        assert [one["digest"] for one in place.found("app", "--artifact-type", SBOM)["referrers"]] == [sbom]
        drawn = place.kezuri("discover", "app").splitlines()
        assert drawn[0] == f"app@{place.image.digest}"
        assert f"├── {SBOM}" in drawn
        assert f"│           └── {signature}" in drawn
        with Store(str(place.shelf.root)) as store:
            assert [one.digest for one in referrers(store, place.image.digest, SIGNATURE)] == [other]

    def test_it_is_no_image(self, place: Place) -> None:
        made = place.attach("app", SBOM, place.file())
        assert place.kezuri("images", "-q", "-a").count("\n") == 0
        assert "no image but an artifact" in place.kezuri("mutate", made, "--user", "1", code=125)
        assert place.kezuri("mutate", "app").startswith(place.image.digest)

    def test_it_stays_with_its_image_and_goes_with_it(self, place: Place) -> None:
        sbom = place.attach("app", SBOM, place.file())
        signature = place.attach(sbom, SIGNATURE)
        place.kezuri("prune", "-f")
        assert place.tree("app") == {sbom: {signature: {}}}
        place.kezuri("tag", "app", "other")
        place.kezuri("rmi", "app")
        assert place.tree("other") == {sbom: {signature: {}}}
        place.kezuri("rmi", "other")
        assert list((place.shelf.root / "blobs" / "sha256").iterdir()) == []
        assert json.loads((place.shelf.root / "index.json").read_text())["manifests"] == []
        assert place.shelf.check() == []

    def test_it_goes_alone(self, place: Place) -> None:
        sbom = place.attach("app", SBOM, place.file())
        place.attach(sbom, SIGNATURE)
        place.kezuri("rmi", sbom)
        assert place.tree("app") == {}
        assert len(place.shelf.names()) == 1
        assert place.shelf.check() == []

    def test_of_an_index_the_whole_or_one_platform(self, place: Place) -> None:
        other = place.shelf.put("", [tar_of(("f", b"2"))], architecture="s390x")
        index = place.shelf.put_index("both", [place.image, other])
        whole = place.attach("both")
        one = place.attach("both", SBOM, "--platform", "linux/s390x")
        assert place.shelf.document(whole)["subject"]["digest"] == index
        assert place.shelf.document(one)["subject"]["digest"] == other.digest
        assert place.tree("both") == {whole: {}}
        assert place.found("both", "--platform", "linux/s390x")["referrers"][0]["digest"] == one

    @pytest.mark.parametrize(
        ("words", "code", "why"),
        [
            (["app"], 2, "what type of artifact"),
            (["app", "--artifact-type", "sbom"], 2, "not an artifact type"),
            (["nosuch", "--artifact-type", SBOM], 1, "no such image"),
            (["r.example/app:1", "--artifact-type", SBOM], 1, "the registry's image is docker://r.example/app:1"),
            (["app", "--artifact-type", SBOM, "nofile"], 1, "cannot read nofile"),
            (["app", "--artifact-type", SBOM, "/etc"], 1, "/etc"),
            (["app", "--artifact-type", SBOM, "/etc/passwd:json"], 2, "no media type"),
            (["app", "--artifact-type", SBOM, "/etc/passwd", "/etc/passwd"], 2, "twice"),
            (["app", "--artifact-type", SBOM, "-a", "x"], 2, "KEY=VALUE"),
            (["oci-archive:x.tar", "--artifact-type", SBOM], 2, "nothing can be attached"),
        ],
    )
    def test_mistakes(self, place: Place, words: list[str], code: int, why: str) -> None:
        assert why in place.kezuri("attach", *words, code=code)
        assert place.tree("app") == {}

    def test_a_file_that_is_damaged_in_the_store_is_left_out(self, place: Place) -> None:
        made = place.attach("app")
        (place.shelf.root / "blobs" / "sha256" / made[7:]).write_bytes(b"x")
        assert place.tree("app") == {}


class TestLayouts:
    def test_it_goes_along_and_comes_back(self, place: Place) -> None:
        sbom = place.attach("app", SBOM, place.file())
        signature = place.attach(sbom, SIGNATURE)
        layout = f"oci:{place.directory / 'layout'}"
        place.kezuri("copy", "-q", "--referrers", "app", layout)
        assert place.tree(layout) == {sbom: {signature: {}}}
        third = place.attach(layout, "a/b")
        assert place.tree(layout) == {sbom: {signature: {}}, third: {}}
        place.kezuri("rmi", "app")
        place.kezuri("copy", "-q", "--referrers", layout, "store:back")
        assert place.tree("back") == {sbom: {signature: {}}, third: {}}
        assert place.kezuri("images", "-q").count("\n") == 0

    def test_what_lists_itself_ends(self) -> None:
        """A registry of somebody else's may say that two things refer to each other, and to themselves."""
        one, two = (Descriptor("a/b", f"sha256:{n * 64}", 1, artifact_type="a/b") for n in "12")

        class Circle:
            def referrers(self, digest: str) -> tuple[Descriptor, ...]:
                return (two, one) if digest == one.digest else (one, two)

        (found,) = referring(cast(Source, Circle()), one.digest)
        assert (found.descriptor, found.referrers) == (two, ())


@pytest.mark.slow
@needs_registry
class TestRegistry:
    def test_beside_an_image_there(self, place: Place, tmp_path: Path) -> None:
        with RegistryServer(tmp_path) as registry:
            name = f"docker://{registry.host}/team/app:1"
            place.kezuri("copy", "-q", "app", name)
            sbom = place.attach(name, SBOM, place.file())
            signature = place.attach(f"docker://{registry.host}/team/app@{sbom}", SIGNATURE)
            assert place.tree(name) == {sbom: {signature: {}}}
            assert place.kezuri("digest", f"{registry.host}/team/app:1") == place.image.digest
            again = place.attach(name, SBOM, place.file())
            assert again == sbom
            assert place.tree(name) == {sbom: {signature: {}}}
            place.kezuri("rmi", "app")
            place.kezuri("copy", "-q", "--referrers", name, "store:back")
            assert place.tree("back") == {sbom: {signature: {}}}
