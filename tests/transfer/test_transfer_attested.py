"""Documents about an image, in each of the forms in which tools put them beside it."""

import io
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import IO, Any

import pytest

from kezuri.edits.artifact import EMPTY, NOTHING, artifact
from kezuri.edits.attestation import (
    CYCLONEDX,
    IN_TOTO,
    OPENVEX,
    REFERENCE_DIGEST,
    SPDX,
    Attestation,
    Statement,
    attestation,
)
from kezuri.oci.descriptor import INDEX, MANIFEST, Descriptor, Index, Manifest, canonical, digest_of, read_document
from kezuri.registry.image import Document
from kezuri.registry.sink import BlobSink
from kezuri.transfer.attested import MOST_BYTES, Finder
from kezuri.transfer.doors import Absent, Progress

BILL = {"spdxVersion": "SPDX-2.3", "name": "bill"}
VEX = {"@context": "https://openvex.dev/ns/v0.2.0", "statements": []}
DSSE = "application/vnd.dsse.envelope.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class Memory:
    """An image of one manifest in an index, and what was put beside it: a Source."""

    where = "memory"

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {NOTHING.digest: EMPTY}
        self.referring: dict[str, list[Descriptor]] = {}
        self.opened: list[str] = []
        self.image = self.put(canonical(Manifest(NOTHING, ()).to_json()), MANIFEST)
        self.index = self.of_index(())

    def put(self, data: bytes, media_type: str, notes: Mapping[str, str] | None = None) -> Descriptor:
        digest = digest_of(data)
        self.blobs[digest] = data
        return Descriptor(media_type, digest, len(data), notes or {})

    def of_index(self, more: Iterable[Descriptor]) -> Descriptor:
        self.index = self.put(canonical(Index((self.image, *more)).to_json()), INDEX)
        return self.index

    def attach(self, data: bytes, media_type: str, kind: str = "", notes: Mapping[str, str] | None = None) -> None:
        made = artifact(self.image, kind or media_type, [self.put(data, media_type, notes)], {})
        entry = self.put(canonical(made.to_json()), MANIFEST)._replace(artifact_type=made.artifact_type)
        self.referring.setdefault(self.image.digest, []).append(entry)

    def attest(self, made: Attestation) -> None:
        self.blobs.update(made.blobs)
        self.of_index((made.entry,))

    def find(self, *kinds: str) -> list[tuple[str, Any]]:
        self.finder = Finder(self, kinds or (SPDX, CYCLONEDX, OPENVEX))
        found = self.finder.about(self.document(self.index), self.document(self.image))
        return [(each.kind, json.loads(each.data)) for each in found]

    def root(self) -> Document:
        return self.document(self.index)

    def document(self, descriptor: Descriptor) -> Document:
        if descriptor.digest not in self.blobs:
            raise Absent.of(f"no {descriptor.digest}")
        raw = self.blobs[descriptor.digest]
        return Document(descriptor, raw, read_document(raw, descriptor.digest))

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        self.opened.append(descriptor.digest)
        return io.BytesIO(self.blobs[descriptor.digest])

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Nothing."""

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Nothing."""

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        return tuple(self.referring.get(digest, ()))


def _statement(memory: Memory, kind: str, predicate: Mapping[str, Any]) -> bytes:
    return Statement.made(kind, predicate, memory.image.digest, ["app"]).data


def _enveloped(data: bytes) -> dict[str, Any]:
    return {"payloadType": IN_TOTO, "payload": b64encode(data).decode(), "signatures": []}


def test_what_buildkit_attaches() -> None:
    memory = Memory()
    provenance = Statement.made("https://slsa.dev/provenance/v1", {}, memory.image.digest, [])
    memory.attest(attestation(memory.image, [provenance, Statement.made(SPDX, BILL, memory.image.digest, ["a", "b"])]))
    assert memory.find() == [(SPDX, BILL)]
    assert digest_of(provenance.data) not in memory.opened  # Its annotation says what it is.
    assert memory.find(OPENVEX) == []


def test_the_manifest_is_as_buildkit_writes_it() -> None:
    image = Descriptor(MANIFEST, "sha256:" + "ab" * 32, 7, {"note": "x"})
    made = attestation(image, [Statement.made(SPDX, BILL, image.digest, ["pkg:docker/app@1?platform=linux%2Famd64"])])
    assert made.entry.to_json() | {"digest": "", "size": 0} == {
        "mediaType": MANIFEST,
        "digest": "",
        "size": 0,
        "annotations": {
            "vnd.docker.reference.digest": image.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        },
        "platform": {"architecture": "unknown", "os": "unknown"},
    }
    manifest = json.loads(made.blobs[made.entry.digest])
    assert manifest["artifactType"] == "application/vnd.docker.attestation.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert manifest["subject"] == {"mediaType": MANIFEST, "digest": image.digest, "size": 7}
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == IN_TOTO and layer["annotations"] == {"in-toto.io/predicate-type": SPDX}
    assert json.loads(made.blobs[layer["digest"]]) == {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": SPDX,
        "subject": [{"name": "pkg:docker/app@1?platform=linux%2Famd64", "digest": {"sha256": "ab" * 32}}],
        "predicate": BILL,
    }
    assert set(made.blobs) == {made.entry.digest, layer["digest"], manifest["config"]["digest"]}


def test_of_several_platforms_that_of_the_image() -> None:
    memory = Memory()
    made = attestation(memory.image, [Statement.made(SPDX, BILL, memory.image.digest, [])])
    other = {**made.entry.annotations, REFERENCE_DIGEST: "sha256:" + "00" * 32}
    memory.blobs.update(made.blobs)
    memory.of_index((made.entry._replace(annotations=other),))
    assert memory.find() == []


def test_a_statement_about_another_image_is_left_out_and_told() -> None:
    memory = Memory()
    memory.attest(attestation(memory.image, [Statement.made(SPDX, BILL, "sha256:" + "00" * 32, [])]))
    assert memory.find() == []
    assert "about another image" in memory.finder.told[0]


@pytest.mark.parametrize("version", ["", "/v2.3"])
@pytest.mark.parametrize("form", ["plain", "statement", "envelope", "bundle", "cosign"])
def test_forms_of_referrers(form: str, version: str) -> None:
    memory = Memory()
    statement = _statement(memory, SPDX + version, BILL)
    if form == "plain":
        memory.attach(json.dumps(BILL).encode(), "application/spdx+json")
        version = ""
    elif form == "statement":
        memory.attach(statement, IN_TOTO)
    elif form == "envelope":
        memory.attach(json.dumps(_enveloped(statement)).encode(), DSSE)
    elif form == "bundle":
        memory.attach(json.dumps({"mediaType": BUNDLE, "dsseEnvelope": _enveloped(statement)}).encode(), BUNDLE)
    else:
        data = _statement(memory, SPDX + version, {"Data": json.dumps(BILL), "Timestamp": "2024-01-01T00:00:00Z"})
        memory.attach(json.dumps(_enveloped(data)).encode(), DSSE)
    assert memory.find() == [(SPDX + version, BILL)]
    assert memory.find(OPENVEX) == []


def test_other_documents_by_what_they_say() -> None:
    memory = Memory()
    memory.attach(json.dumps(VEX).encode(), "application/json", "application/vnd.openvex+json")
    memory.attach(
        json.dumps({"bomFormat": "CycloneDX"}).encode(), "application/vnd.cyclonedx+json; version=1.6", "x/sbom"
    )
    memory.attach(json.dumps({"some": "thing"}).encode(), "application/json", "application/vnd.example.sbom")
    memory.attach(b"\x00\x01", "application/vnd.dev.cosign.simplesigning.v1+json")
    assert sorted(kind for kind, _ in memory.find()) == [CYCLONEDX, "https://openvex.dev/ns/v0.2.0"]
    assert memory.find(OPENVEX) == [("https://openvex.dev/ns/v0.2.0", VEX)]
    assert not memory.finder.told


@pytest.mark.parametrize("media_type", ["application/octet-stream", "application/vnd.oci.image.layer.v1.tar"])
def test_a_file_without_a_type_is_what_its_artifact_is(media_type: str) -> None:
    memory = Memory()
    memory.attach(json.dumps(VEX).encode(), media_type, "application/vnd.openvex+json")
    memory.attach(json.dumps(BILL).encode(), media_type, "application/vnd.example.report")
    assert memory.find(OPENVEX, SPDX) == [("https://openvex.dev/ns/v0.2.0", VEX)]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"not json", "not a JSON document"),
        (b"[" * 100_000, "not a JSON document"),
        (b"\xff{}", "not a JSON document"),
        (b'{"payload": "%"}', "not a JSON document"),
    ],
)
def test_what_cannot_be_read_is_told(data: bytes, told: str) -> None:
    memory = Memory()
    memory.attach(data, "application/spdx+json")
    memory.attach(json.dumps(BILL).encode(), "application/spdx+json")
    assert memory.find() == [(SPDX, BILL)]
    assert told in memory.finder.told[0]


@pytest.mark.parametrize("data", [b"[]", b"7", b"{}", b'{"_type": 7}', b'{"dsseEnvelope": {"payload": 7}}'])
def test_what_is_none_is_nothing(data: bytes) -> None:
    memory = Memory()
    memory.attach(data, "application/spdx+json")
    assert memory.find() == []


def test_damage_and_size() -> None:
    memory = Memory()
    memory.attach(json.dumps(BILL).encode(), "application/spdx+json")
    digest = digest_of(json.dumps(BILL).encode())
    memory.blobs[digest] = b"{}" + b" " * (len(memory.blobs[digest]) - 2)
    assert memory.find() == []
    assert "damaged" in memory.finder.told[0]
    large = Descriptor("application/spdx+json", digest, MOST_BYTES + 1)
    made = memory.put(canonical(artifact(memory.image, "application/spdx+json", [large], {}).to_json()), MANIFEST)
    memory.referring[memory.image.digest] = [made._replace(artifact_type="application/spdx+json")]
    memory.opened.clear()
    assert memory.find() == [] and not memory.opened
    assert "too large" in memory.finder.told[0]
