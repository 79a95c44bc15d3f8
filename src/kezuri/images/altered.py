"""An image of the store, changed for each of its platforms, and kept as another image."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.edits.image import Documents, Image, index_of
from kezuri.images.held import in_use
from kezuri.images.kept import Kept, attests, choose
from kezuri.oci.descriptor import Descriptor, Index, canonical, digest_of, read_document
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.store.names import CHOSEN_FROM
from kezuri.store.store import Store

Notes = Callable[[str, Platform | None], Mapping[str, str]]
Unnoted = Callable[[Mapping[str, str]], Mapping[str, str]]

_EMPTY: Mapping[str, str] = {}


class Part(NamedTuple):
    """The image of one platform, and what points at its manifest."""

    descriptor: Descriptor
    documents: Documents
    image: Image

    @property
    def platform(self) -> Platform:
        """The platform that the index says, else the config."""
        return self.descriptor.platform or self.image.config.platform


class Original(NamedTuple):
    """An image as it is found. `whole` is its index and `raw` the bytes of that, None and nothing for the image of one
    platform, or of one that was chosen; `attested` tells of documents about the images in the index, which hold for
    these images only. `tag` is the name in full by which it was found in the store, if that could go over to another
    image; elsewhere `digest` is what the name stood for."""

    name: str
    parts: tuple[Part, ...]
    whole: Index | None = None
    raw: bytes = b""
    attested: bool = False
    tag: str = ""
    digest: str = ""


class Remade(NamedTuple):
    """The documents of a changed image: what points at its root, the root's bytes, those of each platform's image, and
    whether it is another image at all."""

    root: Descriptor
    raw: bytes
    parts: tuple[Documents, ...]
    changed: bool


class Altered(NamedTuple):
    """What became of an image: what points at its manifest or index, the names that it has now, in full, and whether
    it is another image at all."""

    descriptor: Descriptor
    names: tuple[str, ...]
    changed: bool


def original(store: Store, name: str, platform: str = "") -> Original:
    """The image with a name or an id: all platforms of an index, or the one that is asked for, or that has the id. The
    histories account for the layers. KezuriError when it is not there, or not all of it is."""
    kept = in_use(store, name)
    raw = store.blobs.read(kept.descriptor.digest)
    document = read_document(raw, name)
    tag = "" if kept.by_digest or _names_one(name, kept) else kept.name
    if not isinstance(document, Index) or platform or _names_one(name, kept):
        digest = choose(store, name, platform).digest
        return Original(name, (_part(store, name, _described(kept, document, digest)),), tag=tag)
    parts = []
    for entry in document.manifests:
        if attests(entry):
            continue
        if not store.blobs.has(entry.digest):
            raise KezuriError.of(
                f"image {name}: the store has nothing of it for {entry.platform or entry.digest}",
                hint="choose what is there with --platform OS/ARCH",
                exit_code=125,
            )
        parts.append(_part(store, name, entry))
    attested = len(parts) < len(document.manifests)
    return Original(name, tuple(parts), document, raw, attested, tag)


def remade(
    source: Original,
    images: Sequence[Image],
    notes: Notes = lambda level, platform: _EMPTY,
    unnoted: Unnoted = lambda notes: notes,
) -> Remade:
    """The documents of the changed images, in the order of the source's parts, and of their index. `notes` gives
    annotations for an index and for what points at something, by level and platform; `unnoted` takes some away from an
    index."""
    made = [part.documents.of(image) for part, image in zip(source.parts, images)]
    pointers = []
    for part, documents, image in zip(source.parts, made, images):
        platform = part.platform
        if image.config.platform != part.image.config.platform:
            platform = image.config.platform
        pointer = documents.descriptor._replace(
            platform=platform if platform.architecture else None,
            annotations={**part.descriptor.annotations, **notes("manifest-descriptor", platform)},
        )
        pointers.append(pointer)
    if source.whole is None:
        (root,), raw = pointers, made[0].manifest
        before = source.parts[0].descriptor.digest
    else:
        index = index_of(
            pointers,
            source.whole._replace(
                annotations=dict(sorted({**unnoted(source.whole.annotations), **notes("index", None)}.items()))
            ),
        )
        raw = source.raw
        if index != source.whole:
            raw = canonical(index.to_json())
        root = Descriptor(index.media_type, digest_of(raw), len(raw), notes("index-descriptor", None))
        before = digest_of(source.raw)
    return Remade(root, raw, tuple(made), root.digest != before)


def keep_altered(
    store: Store,
    source: Original,
    images: Sequence[Image],
    names: Sequence[str],
    notes: Notes = lambda level, platform: _EMPTY,
    unnoted: Unnoted = lambda notes: notes,
) -> Altered:
    """Write the documents that `remade` gives, and let the names stand for the image; without any, it is found by its
    digest. Layers are not touched."""
    made = remade(source, images, notes, unnoted)
    for documents in made.parts:
        store.blobs.put(documents.config)
        store.blobs.put(documents.manifest)
    store.blobs.put(made.raw)
    store.sync_new()
    store.names.put_all(names, made.root)
    if not names:
        store.names.keep(made.root)
    return Altered(made.root, tuple(names), made.changed)


def new_names(source: Original, tags: Sequence[str], in_place: bool) -> tuple[str, ...]:
    """The names in full that the changed image gets: those given, and with `in_place` the one that it was found by.
    KezuriError for what is no tag."""
    names = []
    for text in tags:
        reference = Reference.parse(text)
        if reference.digest:
            raise KezuriError.of(f"a name cannot carry a digest: {text}", exit_code=2)
        names.append(str(reference))
    if in_place:
        if not source.tag:
            raise KezuriError.of(
                f"{source.name} is no tag that could go over to the changed image",
                hint="give the new image a name: -t NAME[:TAG]",
                exit_code=2,
            )
        names.append(source.tag)
    return tuple(dict.fromkeys(names))


def _names_one(text: str, kept: Kept) -> bool:
    """Whether the text names something by a digest or an id that is not the index's own."""
    if kept.name and not kept.by_digest:
        reference = Reference.maybe(text)
        if reference is not None and not reference.digest and str(reference) == kept.name:
            return False
        if text == kept.name:
            return False
    digits = text.rpartition("@")[2].removeprefix("sha256:").lower()
    return not kept.descriptor.digest[7:].startswith(digits)


def _described(kept: Kept, document: object, digest: str) -> Descriptor:
    """What points at the manifest with this digest: the store's entry, or the one of the index; not its names, nor the
    index that it was chosen from, which are the old image's."""
    if isinstance(document, Index):
        return next((e for e in document.manifests if e.digest == digest), Descriptor("", digest, 0))
    known = kept.descriptor.unnamed()
    return known._replace(annotations={k: v for k, v in known.annotations.items() if k != CHOSEN_FROM})


def _part(store: Store, name: str, descriptor: Descriptor) -> Part:
    return part_of(
        name, descriptor, store.blobs.read(descriptor.digest), lambda config: store.blobs.read(config.digest)
    )


def part_of(name: str, descriptor: Descriptor, raw: bytes, read: Callable[[Descriptor], bytes]) -> Part:
    """The image of the manifest `raw`, whose config `read` gives. KezuriError, naming the image `name`, for an index
    or an artifact."""
    manifest = read_document(raw, name)
    if isinstance(manifest, Index):
        raise KezuriError.of(
            f"image {name}: its index holds another index, {descriptor.digest}",
            hint="choose one image with --platform OS/ARCH",
            exit_code=125,
        )
    if manifest.artifact_type:
        raise KezuriError.of(f"{name} is no image but an artifact: {manifest.artifact_type[:100]}", exit_code=125)
    documents = Documents(raw, read(manifest.config))
    return Part(descriptor, documents, documents.image(f"image {name}"))
