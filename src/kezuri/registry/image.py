"""From a manifest or an index to the one image that is wanted: reading documents, choosing the platform."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from kezuri import oci
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci import (
    CONFIG,
    DOCKER_CONFIG,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    Platform,
    digest_of,
)
from kezuri.oci.descriptor import DOCUMENTS, INDEXES, MOST_BYTES, MOST_DEEP, encoded, valid_digest

_NESTED = 32
_SHOWN = 30
"""How many platforms an error names."""
# Content types that say nothing about the content.
_VAGUE = ("", "application/json", "application/octet-stream", "binary/octet-stream", "text/plain")


class Resolved(NamedTuple):
    """An image, found: the descriptor of its manifest, manifest and config as bytes and parsed, the digest of the
    index that it was chosen from (empty without one), and who answered (a host, or a layout's path)."""

    descriptor: Descriptor
    manifest_raw: bytes
    manifest: Manifest
    config_raw: bytes
    config: ImageConfig
    index_digest: str
    host: str


class Document(NamedTuple):
    """A manifest or an index, with its descriptor and its bytes."""

    descriptor: Descriptor
    raw: bytes
    content: Manifest | Index


def read_document(raw: bytes, content_type: str, where: str) -> Document:
    """The manifest or index in `raw`. KezuriError naming `where` for anything else, and where content type, `mediaType`
    and fields disagree: another reader would see another image (CVE-2021-41190)."""
    if len(raw) > MOST_BYTES:
        raise _wrong(where, f"the manifest is larger than {MOST_BYTES >> 20} MiB")
    said = content_type.partition(";")[0].strip().lower()
    if said not in DOCUMENTS and said not in _VAGUE and not raw.lstrip().startswith(b"{"):
        raise _wrong(where, f"the answer is {_short(said)}, not a manifest", "is this host a registry?")
    if "+prettyjws" in said or "distribution.manifest.v1" in said:
        said = ""
    content = oci.read_document(raw, where, "" if said in _VAGUE else said)
    return Document(Descriptor(content.media_type, digest_of(raw), len(raw)), raw, content)


class NoImage(KezuriError):
    """What a name stands for is no image, or none for the platform that was asked for."""


def resolve_image(
    root: Document,
    platform: Platform,
    load: Callable[[Descriptor], Document],
    load_config: Callable[[Descriptor], bytes],
    where: str,
    host: str,
    warn: Callable[[Diagnostic], None],
) -> Resolved:
    """The image for a platform that a manifest or an index holds. `load` fetches a nested document, already verified.
    NoImage when there is none for the platform (naming those that there are), KezuriError when a document is wrong."""
    document, index_digest = root, ""
    if isinstance(root.content, Index):
        index_digest = root.descriptor.digest
        chosen = choose(flatten(root.content, load, where), platform, where)
        encoded(chosen.digest, where)
        document = load(chosen)
        document = document._replace(descriptor=chosen._replace(media_type=document.descriptor.media_type))
    manifest = document.content
    if not isinstance(manifest, Manifest):
        raise _wrong(where, "the index lists an index as a manifest")
    if manifest.config.media_type not in (CONFIG, DOCKER_CONFIG, ""):
        kind = _short(manifest.config.media_type)
        raise NoImage.of(f"{where}: not a container image: its config is {kind}", exit_code=125)
    if manifest.config.size > MOST_BYTES:
        raise _wrong(where, f"the config is larger than {MOST_BYTES >> 20} MiB")
    encoded(manifest.config.digest, where)
    config_raw = load_config(manifest.config)
    config = ImageConfig.parse(config_raw, where)
    if len(config.diff_ids) != len(manifest.layers):
        raise _wrong(
            where, f"its config names {len(config.diff_ids)} layers and its manifest {len(manifest.layers)}: damaged"
        )
    _compare(config.platform, platform, where, warn)
    return Resolved(document.descriptor, document.raw, manifest, config_raw, config, index_digest, host)


def flatten(index: Index, load: Callable[[Descriptor], Document], where: str) -> list[Descriptor]:
    """The image manifests of an index and of the indexes nested in it, in order; attestations are left out.
    KezuriError when the nesting is deeper than 4 or wider than 32."""
    loads = 0

    def walk(level: Index, depth: int) -> Iterator[Descriptor]:
        nonlocal loads
        for entry in level.manifests:
            if entry.media_type in INDEXES:
                if not valid_digest(entry.digest):
                    continue  # It cannot be looked into, which is no reason to refuse what stands beside it.
                loads += 1
                if depth >= MOST_DEEP or loads > _NESTED:
                    raise _wrong(where, f"indexes nested more than {MOST_DEEP} deep or {_NESTED} wide")
                nested = load(entry).content
                if not isinstance(nested, Index):
                    raise _wrong(where, f"{entry.digest} is listed as an index and is none")
                yield from walk(nested, depth + 1)
            elif entry.media_type in DOCUMENTS and not _is_attestation(entry):
                yield entry

    return list(walk(index, 1))


def choose(entries: Iterable[Descriptor], platform: Platform, where: str) -> Descriptor:
    """The best entry for a platform; the first of several equal ones. An entry that does not say its platform is taken
    only when it is alone. NoImage naming the platforms that there are."""
    found = list(entries)
    for accepted in platform.accepted():
        for entry in found:
            if entry.platform is not None and _runs(entry.platform, accepted):
                return entry
    if len(found) == 1 and found[0].platform is None:
        return found[0]
    there = list(dict.fromkeys(str(e.platform) if e.platform else "one that does not say" for e in found))
    named = ", ".join(there[:_SHOWN]) + ", …" * (len(there) > _SHOWN)
    raise NoImage.of(
        f"{where}: there is no image for {platform}",
        hint=f"there are images for: {named}" if there else "the index lists no images at all",
        exit_code=125,
    )


def _runs(there: Platform, wanted: Platform) -> bool:
    same = (there.os, there.architecture, there.variant) == (wanted.os, wanted.architecture, wanted.variant)
    return same and (not wanted.os_version or there.os_version == wanted.os_version)


def _is_attestation(entry: Descriptor) -> bool:
    platform = entry.platform
    return (platform is not None and "unknown" in (platform.os, platform.architecture)) or (
        entry.annotations.get("vnd.docker.reference.type") == "attestation-manifest"
    )


def _compare(there: Platform, wanted: Platform, where: str, warn: Callable[[Diagnostic], None]) -> None:
    if there.architecture and any(_runs(there, accepted) for accepted in wanted.accepted()):
        if there.architecture == wanted.architecture:
            return
        message = f"{where}: the image is for {there}; {wanted} may or may not run it"
    else:
        said = f"is for {there}, not" if there.architecture else "does not say that it is"
        message = f"{where}: the image {said} for {wanted}"
    hint = "name the platform with --platform, or take an image that was made for it"
    warn(Diagnostic("warning", message, hint=hint, code="InvalidBaseImagePlatform"))


def _short(media_type: str) -> str:
    return repr(media_type[:100])


def _wrong(where: str, message: str, hint: str = "") -> KezuriError:
    return KezuriError.of(f"{where}: {message}", hint=hint, exit_code=125)
