"""Documents about an image, found where it is: what its index attests, and what refers to it."""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.edits.attestation import (
    ARTIFACT_TYPE,
    ATTESTATION,
    CYCLONEDX,
    OPENVEX,
    PREDICATE_TYPE,
    REFERENCE_DIGEST,
    REFERENCE_TYPE,
    SPDX,
    STATEMENTS,
)
from kezuri.oci.descriptor import MANIFESTS, Descriptor, Index, Manifest, digest_of
from kezuri.registry.image import Document
from kezuri.transfer.doors import Absent, Source

MOST_BYTES: Final = 80 << 20
"""Bytes of a document that is read; BuildKit writes none of more."""
_MOST_IN_ALL: Final = 160 << 20
_MOST_VALUES: Final = 3_000_000
"""Objects, lists and values in them that a document has at most."""
_MOST: Final = 100
"""How many manifests are looked into."""

_TOLD: Final = (PREDICATE_TYPE, "predicateType", "dev.sigstore.bundle.predicateType")
"""The annotations in which BuildKit, cosign and GitHub's `actions/attest` say which predicate it is."""
_HOLDS: Final = ("in-toto", "dsse", "sigstore.bundle", "spdx", "cyclonedx", "vex", "sbom", "attestation")
"""Words in the media types of what may be, or hold, such a document."""
_PLAIN: Final = (
    "application/json",
    "text/json",
    "application/octet-stream",
    "application/vnd.oci.image.layer.v1.tar",
)
"""What `kezuri attach`, ORAS and others call a file of which they are not told what it is."""


class Attested(NamedTuple):
    """A document about an image: `kind` is the predicate type that it has, or would have in a statement; `data` the
    document itself, out of the statement around it; `where` names it for people; `subject` is the digest of what it was
    found with: the image's manifest, or the index around it."""

    kind: str
    data: bytes
    where: str
    subject: str


class Finder:
    """Looks for documents of some kinds: beginnings of predicate types. Digests are verified, nobody's signature is."""

    def __init__(self, source: Source, kinds: Sequence[str]) -> None:
        self._source = source
        self._kinds = tuple(kinds)
        self._seen: set[str] = set()
        self._bytes = 0
        self.told: list[str] = []
        """What was there and could not be read."""

    def about(self, root: Document, image: Document) -> Iterator[Attested]:
        """What is said about an image: in the index `root` around it, then by what refers to either."""
        subjects = tuple(dict.fromkeys((image.descriptor.digest, root.descriptor.digest)))
        if isinstance(root.content, Index):
            for entry in root.content.manifests:
                notes = entry.annotations
                if notes.get(REFERENCE_TYPE) == ATTESTATION and notes.get(REFERENCE_DIGEST) == subjects[0]:
                    yield from self.within(entry, subjects)
        for subject in subjects:
            for entry in self._source.referrers(subject):
                kind = entry.artifact_type
                if entry.media_type in MANIFESTS and (not kind or _may_hold(kind)) and not self._other(entry):
                    yield from self.within(entry, (subject, *subjects))

    def within(self, entry: Descriptor, subjects: Sequence[str]) -> Iterator[Attested]:
        """The documents of a manifest, as far as they are about one of the subjects."""
        if entry.digest in self._seen or len(self._seen) >= _MOST:
            return
        self._seen.add(entry.digest)
        try:
            manifest = self._source.document(entry).content
        except Absent:
            return  # The index was copied without it.
        if not isinstance(manifest, Manifest):
            return
        artifact = manifest.kind
        for layer in manifest.layers:
            plain = layer.media_type in _PLAIN and (artifact == ARTIFACT_TYPE or _may_hold(artifact))
            if not (plain or _may_hold(layer.media_type)) or self._other(layer):
                continue
            where = f"{self._source.where}: {layer.digest}"
            try:
                opened = _opened(self._read(layer, where))
            except (KezuriError, ValueError, RecursionError) as error:
                self.told.append(str(error) if isinstance(error, KezuriError) else f"{where}: not a JSON document")
                continue
            if opened is None or not opened.kind.startswith(self._kinds):
                continue
            if opened.digests and not opened.digests.intersection(subjects):
                self.told.append(f"{where}: says that it is about another image, and is left out")
                continue
            yield Attested(opened.kind, opened.data, where, subjects[0])

    def _other(self, descriptor: Descriptor) -> bool:
        """Whether the annotations say that it is of another kind."""
        said = [descriptor.annotations[key] for key in _TOLD if key in descriptor.annotations]
        return any(not kind.startswith(self._kinds) for kind in said)

    def _read(self, descriptor: Descriptor, where: str) -> bytes:
        if descriptor.size > MOST_BYTES or self._bytes + descriptor.size > _MOST_IN_ALL:
            raise KezuriError.of(f"{where}: too large for a document about an image", exit_code=125)
        self._bytes += descriptor.size
        raw = bytearray()
        with self._source.open(descriptor) as file:
            while len(raw) <= descriptor.size and (piece := file.read(min(1 << 20, descriptor.size + 1 - len(raw)))):
                raw += piece
        data = bytes(raw)
        if len(data) != descriptor.size or digest_of(data) != descriptor.digest:
            raise KezuriError.of(f"{where}: the blob is damaged", exit_code=125)
        return data


class _Opened(NamedTuple):
    kind: str
    data: bytes
    digests: frozenset[str]


def _may_hold(media_type: str) -> bool:
    return any(word in media_type for word in _HOLDS)


def _document(data: bytes) -> Any:
    """A document; ValueError for what is none, or would take far more memory than bytes."""
    if sum(map(data.count, (b"{", b"[", b","))) > _MOST_VALUES:
        raise ValueError(_MOST_VALUES)
    return json.loads(data.decode("utf-8-sig"))


def _opened(data: bytes) -> _Opened | None:
    """The document in a statement, in an envelope, in a bundle, or alone; None for what is none of these."""
    document = _document(data)
    alone = True
    for _ in range(3):
        if not isinstance(document, dict):
            return None
        inner = document.get("dsseEnvelope")
        if isinstance(inner, dict):
            document, alone = inner, False
        elif isinstance(document.get("payload"), str):
            document, alone = _document(b64decode(document["payload"], validate=True)), False
        else:
            break
    if not isinstance(document, dict):
        return None
    kind = document.get("_type")
    if isinstance(kind, str) and kind.startswith(STATEMENTS):
        predicate, named = document.get("predicate"), document.get("predicateType")
        if isinstance(predicate, dict) and set(predicate) <= {"Data", "Timestamp"} and "Data" in predicate:
            # cosign's, of a predicate that it does not look into.
            held = predicate["Data"]
            predicate = _document(held.encode("utf-8", "replace")) if isinstance(held, str) else held
        if not isinstance(predicate, dict) or not isinstance(named, str):
            return None
        return _Opened(named, _bytes(predicate), _digests(document.get("subject")))
    kind = _kind_of(document)
    return _Opened(kind, data if alone else _bytes(document), frozenset()) if kind else None


def _kind_of(document: Mapping[str, Any]) -> str:
    """The predicate type that a document would have."""
    if document.get("bomFormat") == "CycloneDX":
        return CYCLONEDX
    if isinstance(document.get("spdxVersion"), str):
        return SPDX
    context = document.get("@context")
    return context if isinstance(context, str) and context.startswith(OPENVEX) else ""


def _digests(subjects: object) -> frozenset[str]:
    found = set()
    for each in subjects if isinstance(subjects, list) else ():
        digest = each.get("digest") if isinstance(each, dict) else None
        if isinstance(digest, dict) and isinstance(digest.get("sha256"), str):
            found.add(f"sha256:{digest['sha256']}")
    return frozenset(found)


def _bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
