"""Bills beside images: attached by a build, attached afterwards, and found again wherever the image was copied to."""

import io
import json
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.registry.registry_servers import RegistryServer, needs_registry

from kezuri.app.attestations import BILLS, VEX, attach_document, attached, attached_bill
from kezuri.app.build import build
from kezuri.app.outputs import LayoutDirectory, PushedImage
from kezuri.app.request import BuildRequest, SecretSource, Settings
from kezuri.app.session import Session
from kezuri.app.stored_image import StoredImage
from kezuri.app.transfers import CopyRequest, at_registry, copy_image
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.edits.artifact import NOTHING
from kezuri.edits.attestation import IN_TOTO, PROVENANCE, Statement
from kezuri.oci.descriptor import INDEX, Descriptor, Manifest, digest_of
from kezuri.oci.reference import Reference
from kezuri.sbom import cyclonedx, reading
from kezuri.sbom.values import Bill
from kezuri.sbom.wording import encoded
from kezuri.transfer.artifact_files import ArtifactFiles
from kezuri.transfer.copying import Wish, copy
from kezuri.transfer.places import read_place

STATUS = """Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl
Version: 3.0.11-1~deb12u2

"""


class Workshop:
    """A store, and a context in which a root file system lies."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = Settings(str(directory / "store"))
        context = directory / "context"
        (context / "var/lib/dpkg").mkdir(parents=True)
        (context / "var/lib/dpkg/status").write_text(STATUS)
        (context / "os-release").write_text('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n')
        (context / "Dockerfile").write_text("FROM scratch\nCOPY var /var\nCOPY os-release /etc/os-release\n")
        self.context = str(context)

    def build(self, *outputs: Any, platforms: tuple[str, ...] = (), sbom: bool = True) -> str:
        request = BuildRequest(
            self.context,
            tags=("app:1",),
            platforms=platforms,
            outputs=outputs or (StoredImage(),),
            build_args=(("SOURCE_DATE_EPOCH", "1700000000"),),
            sbom=sbom,
        )
        return build(request, self.settings, lambda event: None).digest

    def found(self, place: str, kinds: tuple[str, ...] = BILLS, platform: str = "") -> list[Bill]:
        with Session(self.settings, reading=True) as session:
            documents = attached(session, read_place(place), kinds, platform)
        return [reading.read(each.data, each.where) for each in documents]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_a_build_attaches_the_bill(workshop: Workshop, tmp_path: Path) -> None:
    first = workshop.build()
    assert workshop.build() == first  # The same image has the same bill.
    assert workshop.build(sbom=False) != first
    workshop.build(StoredImage(), LayoutDirectory(str(tmp_path / "layout")))
    for place in ("app:1", f"oci:{tmp_path / 'layout'}:1"):
        (bill,) = workshop.found(place)
        assert (bill.name, bill.kind, bill.distribution.version) == ("docker.io/library/app:1", "image", "12")
        (component,) = bill.components
        assert (component.package.name, component.package.source) == ("libssl3", "openssl")
        layer = bill.layers[component.layer]
        assert (layer.text, layer.dockerfile, layer.line) == ("COPY var /var", "Dockerfile", 2)
    assert workshop.found("app:1", VEX) == []


def test_each_platform_has_its_own(workshop: Workshop, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    digest = workshop.build(LayoutDirectory(str(layout)), platforms=("linux/amd64", "linux/arm64"))
    index = json.loads((layout / "blobs/sha256" / digest[7:]).read_bytes())
    assert index["mediaType"] == INDEX
    platforms = [entry["platform"]["architecture"] for entry in index["manifests"]]
    assert platforms == ["amd64", "arm64", "unknown", "unknown"]
    about = [entry["annotations"]["vnd.docker.reference.digest"] for entry in index["manifests"][2:]]
    assert about == [entry["digest"] for entry in index["manifests"][:2]]
    for platform, of in zip(("linux/amd64", "linux/arm64"), about):
        (bill,) = workshop.found(f"oci:{layout}:1", platform=platform)
        assert (bill.platform, bill.digest) == (platform, of)


def test_a_bill_attached_afterwards(workshop: Workshop) -> None:
    workshop.build(sbom=False)
    assert workshop.found("app:1") == []
    bill = Bill("app", "image", "", "", "", workshop_distribution(), (), ())
    data = encoded(cyclonedx.document(bill))
    made = [attach_document(workshop.settings, "app:1", cyclonedx.MEDIA_TYPE, "bom.json", data) for _ in range(2)]
    assert made[0] == made[1]
    assert [each.name for each in workshop.found("app:1")] == ["app"]


def workshop_distribution() -> Any:
    from kezuri.advisories.coordinates import Distribution

    return Distribution()


def test_a_bill_of_an_image_without_a_name_is_called_as_it_was_asked_for(workshop: Workshop) -> None:
    document = json.dumps({"bomFormat": "CycloneDX", "components": []}).encode()
    workshop.build(sbom=False)
    attach_document(workshop.settings, "app:1", "application/vnd.cyclonedx+json", "x.json", document)
    assert attached_bill(workshop.settings, "app:1").name == "app:1"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--sbom=maybe",), "runs no generator"),
        (("--sbom=generator=docker/x",), "generator=docker/x"),
        (("--attest", "type=sbom,generator=x"), "generator=x"),
        (("--attest", "type=sbom,other=x"), "unknown key 'other'"),
        (("--attest", "type=vex"), "no such type"),
        (("--attest", "type=provenance,mode=all"), "there are min and max"),
        (("--provenance", "version=v0.2"), "v1 of SLSA"),
        (("--provenance", "mode=max,other=1"), "unknown key 'other'"),
        (("--provenance", "reproducible=maybe"), "true or false"),
        (("--attest", "type=sbom,disabled=perhaps"), "true or false"),
        (("--sbom=true", "--output", "type=docker,dest=x.tar"), "image index"),
        (("--sbom=true", "--output", "out"), "without an image"),
        (("--sbom=true", "--output", "type=image,oci-mediatypes=false"), "oci-mediatypes=false"),
    ],
)
def test_what_cannot_be_attached_is_known_before(workshop: Workshop, argv: tuple[str, ...], told: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    environ = {"HOME": "/nowhere", "KEZURI_ROOT": workshop.settings.root}
    assert call(("build", workshop.context, *argv), Console(out, err, environ)) == 2
    assert told in err.getvalue()


class _Files(BaseHTTPRequestHandler):
    """Answers whatever is asked for with one of two files."""

    def do_GET(self) -> None:
        data = b"FROM scratch\nLABEL a=b\n" if self.path.endswith("Dockerfile") else b"file"
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *told: object) -> None:
        """Nothing."""


def _provenance(workshop: Workshop, place: str) -> list[dict[str, Any]]:
    with Session(workshop.settings, reading=True) as session:
        return [json.loads(each.data) for each in attached(session, read_place(place), (PROVENANCE,))]


@pytest.mark.usefixtures("entered")
def test_how_it_was_built(workshop: Workshop) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/file"
    try:
        workshop.build(sbom=False)
        (Path(workshop.context) / "Dockerfile").write_text(
            f"FROM app:1 AS one\nADD {url} /f\nFROM unused AS two\nFROM scratch\nCOPY --from=one /f /f\n"
        )
        request = BuildRequest(
            workshop.context,
            tags=("made:1",),
            build_args=(("SOURCE_DATE_EPOCH", "1700000000"), ("API_TOKEN", "hunter2"), ("V", "1")),
            secrets=(SecretSource("key", "env", "HOME"),),
            builder_id="https://ci.example/7",
        )
        digests = []
        for mode in ("min", "max", "max"):
            asked = request._replace(provenance=mode)
            digests.append(build(asked, workshop.settings, lambda event: None).digest)
        remote = f"http://127.0.0.1:{server.server_port}/Dockerfile"
        build(BuildRequest(remote, tags=("far:1",), provenance="min"), workshop.settings, lambda event: None)
    finally:
        server.shutdown()
        server.server_close()
    assert digests[0] != digests[1] == digests[2]  # With an epoch there are no times in it.
    (said,) = _provenance(workshop, "far:1")
    source = {"uri": remote, "digest": {"sha256": sha256(b"FROM scratch\nLABEL a=b\n").hexdigest()}}
    assert said["buildDefinition"]["externalParameters"]["configSource"].items() >= source.items()
    assert said["buildDefinition"]["resolvedDependencies"] == [source]
    assert said["runDetails"]["metadata"]["buildkit_completeness"]["resolvedDependencies"]
    (said,) = _provenance(workshop, "made:1")
    definition, details = said["buildDefinition"], said["runDetails"]
    assert definition["externalParameters"]["configSource"] == {"path": "Dockerfile"}
    asked_for = definition["externalParameters"]["request"]
    assert asked_for["args"] == {
        "build-arg:API_TOKEN": "(hidden)",
        "build-arg:SOURCE_DATE_EPOCH": "1700000000",
        "build-arg:V": "1",
    }
    assert asked_for["secrets"] == [{"id": "key"}]
    base, file = definition["resolvedDependencies"]
    assert base["uri"].startswith("pkg:docker/app@1?platform=linux%2F") and len(base["digest"]["sha256"]) == 64
    assert file == {"uri": url, "digest": {"sha256": sha256(b"file").hexdigest()}}
    assert details["builder"]["id"] == "https://ci.example/7"
    assert set(details["metadata"]) == {"buildkit_completeness", "buildkit_metadata"}
    assert str(workshop.directory) not in json.dumps(said)


def test_the_least_that_is_said(workshop: Workshop) -> None:
    request = BuildRequest(
        workshop.context, tags=("made:1",), build_args=(("V", "1"),), labels=(("a", "b"),), provenance="min", sbom=True
    )
    build(request, workshop.settings, lambda event: None)
    (said,) = _provenance(workshop, "made:1")
    assert said["buildDefinition"]["externalParameters"]["request"]["args"] == {}
    assert set(said["runDetails"]["metadata"]) == {"startedOn", "finishedOn", "buildkit_completeness"}
    assert len(workshop.found("made:1")) == 1


@needs_registry
@pytest.mark.slow
def test_through_a_registry(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build()
    with RegistryServer(tmp_path) as server:
        place = f"docker://{server.host}/app:1"
        copy_image(workshop.settings, CopyRequest("app:1", place), lambda event: None)
        (bill,) = workshop.found(place)
        assert [each.package.name for each in bill.components] == ["libssl3"]
        data = encoded(cyclonedx.document(bill._replace(name="afterwards")))
        attach_document(workshop.settings, place, cyclonedx.MEDIA_TYPE, "bom.json", data)
        assert sorted(each.name for each in workshop.found(place)) == ["afterwards", "docker.io/library/app:1"]


@needs_registry
@pytest.mark.slow
def test_what_cosign_keeps_under_a_tag(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build(sbom=False)
    with RegistryServer(tmp_path) as server, Session(workshop.settings) as session:
        copy_image(workshop.settings, CopyRequest("app:1", f"docker://{server.host}/app:1"), lambda event: None)
        document = session.registry().document(Reference.parse(f"{server.host}/app:1"))
        digest = document.descriptor.digest
        vex = {"@context": "https://openvex.dev/ns/v0.2.0", "statements": []}
        statement = Statement.made("https://openvex.dev/ns/v0.2.0", vex, digest, ["app"]).data
        envelope = {"payloadType": IN_TOTO, "payload": b64encode(statement).decode(), "signatures": []}
        data = json.dumps(envelope).encode()
        notes = {"predicateType": "https://openvex.dev/ns/v0.2.0"}
        blob = Descriptor("application/vnd.dsse.envelope.v1+json", digest_of(data), len(data), notes)
        made = ArtifactFiles(Manifest(NOTHING, (blob,)), {}, {blob.digest: data})
        tag = Reference.parse(f"{server.host}/app:{digest.replace(':', '-')}.att")
        copy(made, at_registry(session, tag), Wish(), lambda descriptor, current, total: None)
        found = attached(session, read_place(f"docker://{server.host}/app:1"), VEX)
        assert [json.loads(each.data) for each in found] == [vex]
        assert attached(session, read_place(f"docker://{server.host}/app:1"), BILLS) == ()


@needs_registry
@pytest.mark.slow
def test_a_push_that_keeps_nothing_has_the_bill(workshop: Workshop, tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        name = f"{server.host}/app:1"
        request = BuildRequest(workshop.context, tags=(name,), outputs=(PushedImage(kept=False),), sbom=True)
        build(request, workshop.settings, lambda event: None)
        assert [each.name for each in workshop.found(f"docker://{name}")] == [name]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_copies_the_image_with_its_bill_and_without(workshop: Workshop, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    workshop.build(LayoutDirectory(str(layout)))
    for options, several in ((["--all"], True), ([], False)):
        target = tmp_path / ("all" if several else "one")
        argv = ["skopeo", "copy", "--insecure-policy", *options, f"oci:{layout}:1", f"oci:{target}:1"]
        subprocess.run(argv, check=True, capture_output=True)
        assert len(workshop.found(f"oci:{target}:1")) == several


def _kezuri(workshop: Workshop, *argv: str, code: int = 0) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    environ = {"HOME": "/nowhere", "KEZURI_ROOT": workshop.settings.root, "NO_COLOR": "1"}
    assert call(argv, Console(out, err, environ)) == code, err.getvalue()
    return out.getvalue(), err.getvalue()


def test_sbom_attaches_and_shows_what_is_attached(workshop: Workshop) -> None:
    workshop.build(sbom=False)
    _, told = _kezuri(workshop, "sbom", "app:1", "--attached", code=1)
    assert "no SBOM is attached to app:1" in told
    digest, _ = _kezuri(workshop, "sbom", "app:1", "--attach", "--format", "spdx")
    assert digest == _kezuri(workshop, "sbom", "app:1", "--attach", "--format", "spdx-json")[0]
    assert digest.strip() in _kezuri(workshop, "discover", "app:1", "--format", "json")[0]
    ours = json.loads(_kezuri(workshop, "sbom", "app:1", "--format", "json")[0])
    shown = json.loads(_kezuri(workshop, "sbom", "app:1", "--attached", "--format", "json")[0])
    assert [each["name"] for each in shown["components"]] == ["libssl3"]
    assert shown["components"] == ours["components"]
    _kezuri(workshop, "sbom", "app:1", "--attach")
    assert "2 SBOMs are attached" in _kezuri(workshop, "sbom", "app:1", "--attached")[1]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("app:1", "--attach", "--attached"), "do not go with it"),
        (("app:1", "--attached", "--base", "x"), "do not go with it"),
        (("app:1", "--attach", "--format", "json"), "no form that others read"),
        (("app:1", "--attach", "--output", "x"), "do not go together"),
        (("CONTEXT", "--attach"), "is no image"),
    ],
)
def test_what_sbom_does_not_attach(workshop: Workshop, argv: tuple[str, ...], told: str) -> None:
    workshop.build(sbom=False)
    argv = tuple(workshop.context if word == "CONTEXT" else word for word in argv)
    assert told in _kezuri(workshop, "sbom", *argv, code=2)[1]
