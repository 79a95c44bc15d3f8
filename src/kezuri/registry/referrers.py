"""What refers to an image: signatures, SBOMs, attestations; by the registry's own list, or by the tag that stands in
for it where the registry keeps none (distribution spec, "Referrers Tag Schema")."""

import json
from typing import Any

from kezuri.diagnostics import KezuriError
from kezuri.oci import INDEX, Descriptor, canonical, digest_of
from kezuri.oci.descriptor import encoded
from kezuri.oci.fields import Fields
from kezuri.registry.exchange import Ask
from kezuri.registry.failure import Refused
from kezuri.registry.manifests import publish
from kezuri.registry.pages import pages, whole
from kezuri.registry.place import Place

_WRITES = 5
"""How often the stand-in tag is written when others write it at the same time."""


def fallback_tag(digest: str) -> str:
    """The tag under which the list of what refers to a digest is kept."""
    return f"sha256-{encoded(digest)}"


def referrers(place: Place, digest: str, artifact_type: str, where: str) -> tuple[Descriptor, ...]:
    """What refers to a digest, of one artifact type or (empty) of all."""
    entries = listed(place, digest, artifact_type, where)
    if entries is None:
        entries = _kept(place, fallback_tag(digest), where)
    found = [Descriptor.parse(Fields.parse(canonical(entry), where)) for entry in entries]
    return tuple(d for d in found if not artifact_type or d.artifact_type == artifact_type)


def listed(place: Place, digest: str, artifact_type: str, where: str) -> list[dict[str, Any]] | None:
    """The registry's own list; None where it keeps none."""
    from urllib.parse import quote

    query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
    found: list[dict[str, Any]] = []
    try:
        for page, _ in pages(place, f"referrers/{digest}{query}", where, INDEX):
            found += _entries(page)
    except Refused as error:
        if error.failure.status in (404, 405, 501):
            return None
        raise
    return found


def subject_of(raw: bytes) -> str:
    """The digest that a manifest or an index refers to; empty for none."""
    subject = json.loads(raw).get("subject") if b'"subject"' in raw else None
    digest = subject.get("digest") if isinstance(subject, dict) else None
    return digest if isinstance(digest, str) else ""


def record(place: Place, raw: bytes, media_type: str, subject: str, where: str) -> None:
    """Have a document that was put without the registry taking note of its subject in the list of the stand-in tag.

    Two writers can overwrite each other, because registries offer no way to write on condition. So it is read again
    afterwards, and written again if our entry is gone."""
    if listed(place, subject, "", where) is not None:
        return
    tag, own = fallback_tag(subject), _entry(raw, media_type)
    for _ in range(_WRITES):
        entries = _kept(place, tag, where)
        if any(entry.get("digest") == own["digest"] for entry in entries):
            return
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*entries, own]}
        publish(place, tag, canonical(index), INDEX)
    if not any(entry.get("digest") == own["digest"] for entry in _kept(place, tag, where)):
        raise KezuriError.of(
            f"{where}: others write the list of referrers {tag} all the time, and drop our entry",
            hint="push it again when they are done",
            exit_code=125,
        )


def _entry(raw: bytes, media_type: str) -> dict[str, Any]:
    document = json.loads(raw)
    entry: dict[str, Any] = {"mediaType": media_type, "digest": digest_of(raw), "size": len(raw)}
    config = document.get("config")
    kind = document.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else "")
    if kind:
        entry["artifactType"] = kind
    if document.get("annotations"):
        entry["annotations"] = document["annotations"]
    return entry


def _kept(place: Place, tag: str, where: str) -> list[dict[str, Any]]:
    """The entries under the stand-in tag; none when there is no such tag."""
    ask = Ask(place.endpoint, f"manifests/{tag}", "GET", {"Accept": INDEX})
    try:
        page = json.loads(whole(place, ask, where)[0])
        return _entries(page) if isinstance(page, dict) else []
    except Refused as error:
        if error.failure.status == 404:
            return []
        raise
    except (ValueError, RecursionError):
        raise KezuriError.of(f"{where}: {tag} is no list of referrers", exit_code=125) from None


def _entries(page: dict[str, Any]) -> list[dict[str, Any]]:
    entries = page.get("manifests")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
