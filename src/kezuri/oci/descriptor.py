"""Descriptors, manifests and indexes (OCI image spec: descriptor.md, manifest.md, image-index.md)."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from kezuri.diagnostics import KezuriError
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

_EMPTY: Mapping[str, str] = {}


def digest_of(data: bytes) -> str:
    """The sha256 digest of the bytes in its written form, `sha256:<64 hex digits>`."""
    from hashlib import sha256

    return "sha256:" + sha256(data).hexdigest()


def valid_digest(digest: str) -> bool:
    """Whether the text is a sha256 digest in its written form (the only algorithm that kezuri stores)."""
    return len(digest) == 71 and digest.startswith("sha256:") and all(c in "0123456789abcdef" for c in digest[7:])


def canonical(document: Mapping[str, Any]) -> bytes:
    """The document as the bytes that kezuri writes: compact JSON, keys in the order given, UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


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
    def parse(cls, raw: Any, where: str) -> "Descriptor":
        """From decoded JSON; KezuriError naming `where` when a field is missing or of the wrong kind."""
        try:
            size, digest = raw["size"], raw["digest"]
            if not isinstance(size, int) or size < 0 or not valid_digest(digest):
                raise ValueError
            return cls(
                str(raw.get("mediaType") or ""),
                digest,
                size,
                dict(raw.get("annotations") or _EMPTY),
                Platform.parse_json(raw["platform"]) if raw.get("platform") else None,
                str(raw.get("artifactType") or ""),
                tuple(raw.get("urls") or ()),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise KezuriError.of(f"{where}: not a descriptor: {str(raw)[:200]}", exit_code=125) from None

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


class Manifest(NamedTuple):
    """An image manifest: one config and the layers from the lowest upwards."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = MANIFEST
    annotations: Mapping[str, str] = _EMPTY
    subject: Descriptor | None = None

    @classmethod
    def parse(cls, data: bytes, where: str) -> "Manifest":
        """From the raw bytes; KezuriError naming `where` when they are no manifest."""
        raw = _document(data, where)
        if "manifests" in raw and ("layers" in raw or "config" in raw):
            raise KezuriError.of(f"{where}: claims to be both an index and a manifest", exit_code=125)
        if raw.get("schemaVersion") == 1:
            raise KezuriError.of(
                f"{where}: a schema 1 manifest, which has been retired since 2019",
                hint="push the image again with a current tool",
                exit_code=125,
            )
        if not isinstance(raw.get("layers"), list):
            raise KezuriError.of(f"{where}: not an image manifest", exit_code=125)
        return cls(
            Descriptor.parse(raw.get("config"), where),
            tuple(Descriptor.parse(layer, where) for layer in raw["layers"]),
            str(raw.get("mediaType") or MANIFEST),
            _annotations(raw, f"{where}: not an image manifest"),
            Descriptor.parse(raw["subject"], where) if raw.get("subject") else None,
        )

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        out: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
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
        raw = _document(data, where)
        if "layers" in raw or "config" in raw or not isinstance(raw.get("manifests"), list):
            raise KezuriError.of(f"{where}: not an image index", exit_code=125)
        return cls(
            tuple(Descriptor.parse(m, where) for m in raw["manifests"]),
            str(raw.get("mediaType") or INDEX),
            _annotations(raw, f"{where}: not an image index"),
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


def _annotations(raw: Mapping[str, Any], problem: str) -> Mapping[str, str]:
    found = raw.get("annotations") or _EMPTY
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise KezuriError.of(f"{problem}: its annotations are not texts by name", exit_code=125)
    return found


def _document(data: bytes, where: str) -> dict[str, Any]:
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise KezuriError.of(f"{where}: not a JSON document", exit_code=125)
    return raw
