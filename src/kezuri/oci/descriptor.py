"""Descriptors, manifests and indexes (OCI image spec: descriptor.md, manifest.md, image-index.md)."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.fields import Fields
from kezuri.oci.platform import Platform

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

OCI_OF: Mapping[str, str] = {
    DOCKER_MANIFEST: MANIFEST,
    DOCKER_CONFIG: CONFIG,
    DOCKER_LAYER: LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    ),
}
"""Docker's words for an image's manifest, config and layers, and those of the image spec for the same."""
DOCKER_OF: Mapping[str, str] = {oci: docker for docker, oci in OCI_OF.items()}
"""The words of the image spec, and docker's for the same."""

REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation with the name that an image has in a layout (annotations.md): a tag, or a name in full."""
CONTAINERD_NAME = "io.containerd.image.name"
"""The annotation with the image's name in full, as containerd writes and reads it."""

INDEXES = (INDEX, DOCKER_INDEX)
MANIFESTS = (MANIFEST, DOCKER_MANIFEST)
DOCUMENTS = (INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST)
"""Media types of manifests and indexes, in the order in which registries are asked for them."""

MOST_BYTES = 8 << 20
"""Bytes of a document (an index, a manifest, a config) that is read: registries take half as many."""
MOST_DEEP = 4
"""How deep indexes may be nested that are followed."""

_EMPTY: Mapping[str, str] = {}

_SHA256 = re.compile("sha256:[0-9a-f]{64}")
_ANY_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{1,512}\Z")
"""Digests of all algorithms (descriptor.md); the longest that are registered have 128 digits."""


def digest_of(data: bytes) -> str:
    """The sha256 digest of the bytes in its written form, `sha256:<64 hex digits>`."""
    from hashlib import sha256

    return "sha256:" + sha256(data).hexdigest()


def valid_digest(digest: str) -> bool:
    """Whether the text is a sha256 digest in its written form (the only algorithm that kezuri stores)."""
    return _SHA256.fullmatch(digest) is not None


def is_foreign(layer: "Descriptor") -> bool:
    """Whether a layer may not be distributed: it stays where its `urls` say, and only its descriptor is copied."""
    return ".nondistributable." in layer.media_type or ".foreign.diff." in layer.media_type


def encoded(digest: str, where: str = "") -> str:
    """The 64 hex digits of a sha256 digest, which are a safe file name; KezuriError, naming `where`, for anything else:
    a document may name content by an algorithm that kezuri does not store."""
    if not valid_digest(digest):
        raise KezuriError.of(f"{where}: not a sha256 digest: {digest!r}".removeprefix(": "), exit_code=125)
    return digest[7:]


def canonical(document: Mapping[str, Any]) -> bytes:
    """The document as the bytes that kezuri writes: compact JSON, keys in the order given, UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


_MOST_SIZE = (1 << 63) - 1
"""The largest size that the OCI specification has: an int64, as the kernel's and SQLite's."""


class Descriptor(NamedTuple):
    """What a piece of content is, how large, and under which digest it is found. `size` is in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = _EMPTY
    platform: Platform | None = None
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    @classmethod
    def parse(cls, fields: Fields) -> "Descriptor":
        """From a JSON object; KezuriError naming the document and the field that is missing or of the wrong kind. A
        digest of an algorithm that kezuri does not know is no error here: reading the content fails later."""
        size, digest = fields.number("size"), fields.text("digest")
        if "size" not in fields or not 0 <= size <= _MOST_SIZE:
            raise fields.wrong("size", "is no number of bytes: not a descriptor")
        if not (valid_digest(digest) or (_ANY_DIGEST.match(digest) and not digest.startswith("sha256:"))):
            raise fields.wrong("digest", f"is no digest: not a descriptor: {digest[:100]!r}")
        return cls(
            fields.text("mediaType"),
            digest,
            size,
            fields.map("annotations"),
            Platform.parse_json(fields.object("platform")) if fields.raw("platform") else None,
            fields.text("artifactType"),
            fields.texts("urls"),
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON document, fields in the order of the specification, empty ones left out."""
        out: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.urls:
            out["urls"] = list(self.urls)
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        if self.platform is not None:
            out["platform"] = self.platform.to_json()
        if self.artifact_type:
            out["artifactType"] = self.artifact_type
        return out

    def unnamed(self) -> "Descriptor":
        """The entry of a layout's index without the names that it has there."""
        notes = {key: value for key, value in self.annotations.items() if key not in (REF_NAME, CONTAINERD_NAME)}
        return self._replace(annotations=notes)

    def worded(self, words: Mapping[str, str]) -> "Descriptor":
        """The same content in other words: `DOCKER_OF` or `OCI_OF`. A media type that they have no word for stays."""
        return self._replace(media_type=words.get(self.media_type, self.media_type))


class Manifest(NamedTuple):
    """An image manifest: one config and the layers from the lowest upwards. `artifact_type` says what it is that is no
    image; `subject` is the manifest that it belongs to."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = MANIFEST
    annotations: Mapping[str, str] = _EMPTY
    subject: Descriptor | None = None
    artifact_type: str = ""

    @property
    def kind(self) -> str:
        """What an artifact is: what it says itself, else the media type of its config (manifest.md); empty for an
        image."""
        if self.artifact_type or self.config.media_type in (CONFIG, DOCKER_CONFIG):
            return self.artifact_type
        return self.config.media_type

    @classmethod
    def parse(cls, data: bytes, where: str) -> "Manifest":
        """From the raw bytes; KezuriError naming `where` when they are no manifest."""
        return cls.of(Fields.parse(data, where))

    @classmethod
    def of(cls, fields: Fields) -> "Manifest":
        """From the JSON object; KezuriError naming the document when it is no manifest."""
        _check(fields)
        if not isinstance(fields.raw("layers"), list):
            raise fields.wrong("layers", "is no list: not an image manifest")
        return cls(
            Descriptor.parse(fields.object("config")),
            tuple(Descriptor.parse(layer) for layer in fields.objects("layers")),
            fields.text("mediaType") or MANIFEST,
            fields.map("annotations"),
            Descriptor.parse(fields.object("subject")) if fields.raw("subject") else None,
            fields.text("artifactType"),
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        out: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            **({"artifactType": self.artifact_type} if self.artifact_type else {}),
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.subject is not None:
            out["subject"] = self.subject.to_json()
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        return out


class Index(NamedTuple):
    """An image index: manifests for several platforms, or named ones in a layout."""

    manifests: tuple[Descriptor, ...]
    media_type: str = INDEX
    annotations: Mapping[str, str] = _EMPTY

    @classmethod
    def parse(cls, data: bytes, where: str) -> "Index":
        """From the raw bytes; KezuriError naming `where` when they are no index."""
        return cls.of(Fields.parse(data, where))

    @classmethod
    def of(cls, fields: Fields) -> "Index":
        """From the JSON object; KezuriError naming the document when it is no index."""
        _check(fields)
        if "layers" in fields or "config" in fields or not isinstance(fields.raw("manifests"), list):
            raise fields.wrong("manifests", "is no list: not an image index")
        return cls(
            tuple(Descriptor.parse(manifest) for manifest in fields.objects("manifests")),
            fields.text("mediaType") or INDEX,
            fields.map("annotations"),
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        out: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "manifests": [m.to_json() for m in self.manifests],
        }
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        return out


def read_document(data: bytes, where: str, said: str = "") -> Manifest | Index:
    """The manifest or the index that the bytes are. The media type that the document itself names decides; if it
    names none, `said` does, which a descriptor or a registry gave; if there is none either, the document's top-level
    fields do. What stands deeper within the document never counts.

    KezuriError naming `where` where these disagree, because another reader would see another image (CVE-2021-41190),
    and for everything that is neither.
    """
    fields = Fields.parse(data, where)
    _check(fields)
    claimed = fields.text("mediaType")
    if claimed and said and claimed != said:
        raise fields.wrong("", f"was announced as {said[:100]!r}, but says of itself that it is {claimed[:100]!r}")
    media_type = claimed or said or (INDEX if "manifests" in fields else MANIFEST)
    if media_type in INDEXES:
        return Index.of(fields)
    if media_type in MANIFESTS:
        return Manifest.of(fields)
    raise fields.wrong("", f"is not a container image but {media_type[:100]!r}")


def _check(fields: Fields) -> None:
    if "manifests" in fields and ("layers" in fields or "config" in fields):
        raise fields.wrong("", "claims to be both an index and a manifest")
    if fields.raw("schemaVersion") == 1:
        raise fields.wrong(
            "", "is a schema 1 manifest, a form retired since 2019", "push the image again with a current tool"
        )
