"""The images that a store keeps: found by name, by digest or by id, and for a platform."""

from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, Manifest, read_document, valid_digest
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.store.names import CHOSEN_FROM
from kezuri.store.store import Store

_HEX = frozenset("0123456789abcdef")
_FEWEST = 4
"""Digits of an id that are enough."""


class NoSuchImage(KezuriError):
    """The store has no such image."""


class NoSuchPlatform(NoSuchImage):
    """The store has the image, but not for the platform that was asked for."""


class Kept(NamedTuple):
    """An image that the store keeps: its name in full, empty for none, and the descriptor of its manifest or index.
    What another tool wrote into the store's layout may have a name that is no reference."""

    name: str
    descriptor: Descriptor

    @property
    def reference(self) -> Reference | None:
        """The name as a reference; None for an image without one."""
        return Reference.maybe(self.name) if self.name else None

    @property
    def familiar(self) -> str:
        """The name as people write it."""
        reference = self.reference
        return self.name if reference is None else reference.familiar

    @property
    def place(self) -> tuple[str, str]:
        """The repository that the name is of, empty for none, and the digest that it stands for."""
        reference = self.reference
        return "" if reference is None else reference.repository, self.descriptor.digest

    @property
    def by_digest(self) -> bool:
        """Whether the name is no tag but a digest."""
        return "@" in self.name


class Found(NamedTuple):
    """The image of one platform, by the digest of its manifest."""

    digest: str
    manifest: Manifest
    config: ImageConfig


def kept(store: Store) -> list[Kept]:
    """Every image of the store, those without a name last."""
    named = [Kept(name, descriptor) for name, descriptor in store.names.all().items()]
    return named + [Kept("", descriptor) for descriptor in store.names.untagged()]


def manifests(store: Store, descriptor: Descriptor) -> list[tuple[str, Manifest]]:
    """The images that a manifest or index stands for, as far as they are in the store, by digest; attestations are
    none. KezuriError for a document that is damaged or none."""
    document = read_document(store.blobs.read(descriptor.digest), descriptor.digest)
    if isinstance(document, Manifest):
        return [(descriptor.digest, document)]
    found = []
    for entry in document.manifests:
        if not attests(entry) and store.blobs.has(entry.digest):
            found += manifests(store, entry)
    return found


def attests(entry: Descriptor) -> bool:
    """Whether an entry of an index is no image but says something about one (BuildKit's attestations)."""
    return entry.platform is not None and "unknown" in (entry.platform.os, entry.platform.architecture)


def config_of(store: Store, manifest: Manifest, name: str) -> ImageConfig:
    """The config that a manifest names; KezuriError naming the image when it is missing or wrong."""
    return ImageConfig.parse(store.blobs.read(manifest.config.digest), f"image {name}")


def looks_like_id(text: str) -> bool:
    """Whether the text can only be an id, written out: `sha256:…` or all 64 digits."""
    digits = text.removeprefix("sha256:")
    return valid_digest(f"sha256:{digits}") or (digits != text and len(digits) >= _FEWEST and _HEX.issuperset(digits))


def find_all(store: Store, text: str) -> list[Kept]:
    """What a name, a name at a digest, an id or the beginning of one stands for: one image, under each of its names
    that is meant. NoSuchImage with the nearest name when there is none; KezuriError when an id is too short."""
    images = kept(store)
    wanted = Reference.maybe(text)
    found = [image for image in images if image.name in (text, str(wanted)) and text]
    if not found and wanted is not None and wanted.digest:
        found = [image for image in images if _is_at(store, image, wanted)]
    found = found or _by_id(store, images, text) or _referring(store, text)
    if found:
        return found
    raise NoSuchImage.of(f"no such image: {text}", hint=_meant(images, text, wanted))


def likely(store: Store, text: str) -> str:
    """A question whether another name was meant, which the store has; empty where none is near."""
    near = _near(kept(store), text, Reference.maybe(text))
    return f"did you mean {near}?" if near else ""


def _near(images: list[Kept], text: str, wanted: Reference | None) -> str | None:
    """The only other tag of the repository, or a name like it."""
    named = [image for image in images if image.name]
    others = _others(named, wanted)
    # Of names of one or two letters any two are near each other.
    names = [n if ":" in text else n.removesuffix(":latest") for n in (image.familiar for image in named)]
    return others[0] if len(others) == 1 else nearest(text, names) if len(text) > 2 else None


def _others(images: list[Kept], wanted: Reference | None) -> list[str]:
    """The names of images of the same repository."""
    return [i.familiar for i in images if i.reference and wanted and i.reference.repository == wanted.repository]


def _meant(images: list[Kept], text: str, wanted: Reference | None) -> str:
    """What to write in the place of a name that no image has: another tag of the repository, or a name like it."""
    near = _near(images, text, wanted)
    if near:
        return f"did you mean {near}?"
    others = _others(images, wanted)
    return f"the store has {', '.join(sorted(others)[:5])}" if others else "`kezuri images` lists them"


def find_image(store: Store, text: str) -> Kept:
    """The first of what `find_all` finds."""
    return find_all(store, text)[0]


def _is_at(store: Store, image: Kept, wanted: Reference) -> bool:
    """Whether the image is the one that its repository has under the digest: of its manifest, of the index that holds
    it, or of the index that it was chosen from."""
    reference = image.reference
    if reference is None or reference.repository != wanted.repository:
        return False
    if wanted.digest in (image.descriptor.digest, image.descriptor.annotations.get(CHOSEN_FROM)):
        return True
    return any(digest == wanted.digest for digest, _ in _readable(store, image.descriptor))


def _by_id(store: Store, images: list[Kept], text: str) -> list[Kept]:
    digits = text.removeprefix("sha256:").lower()
    if len(digits) < _FEWEST or not _HEX.issuperset(digits):
        return []
    hits: dict[str, list[Kept]] = {}
    for image in images:
        if image.descriptor.digest[7:].startswith(digits):
            hits.setdefault(image.descriptor.digest, []).append(image)
            continue
        for digest, manifest in _readable(store, image.descriptor):
            # Two manifests with one config, which differ in annotations or compression, have one id.
            identity = manifest.config.digest if manifest.config.digest[7:].startswith(digits) else digest
            if identity[7:].startswith(digits):
                hits.setdefault(identity, []).append(image)
                break
    if len(hits) > 1:
        raise KezuriError.of(f"{text} is the beginning of {len(hits)} image ids", hint="write more digits")
    return next(iter(hits.values()), [])


def _referring(store: Store, text: str) -> list[Kept]:
    """What refers to an image, which is found by its whole digest only."""
    digest = text if text.startswith("sha256:") else f"sha256:{text}"
    return [Kept("", entry) for entry in store.names.referring() if entry.digest == digest]


def _readable(store: Store, descriptor: Descriptor) -> list[tuple[str, Manifest]]:
    """The manifests of an image; none when it is damaged, so that others are found nevertheless."""
    try:
        return manifests(store, descriptor)
    except KezuriError:
        return []


def choose(store: Store, text: str, platform: str) -> Found:
    """Of an image's manifests the one for the platform, else this machine's, else the first; an id or a digest names
    its own. NoSuchImage when the image, or the image for that platform, is not there."""
    image = find_image(store, text)
    found = [
        Found(digest, manifest, config_of(store, manifest, text))
        for digest, manifest in manifests(store, image.descriptor)
    ]
    if not found:
        raise KezuriError.of(f"image {text}: nothing of it is in the store", exit_code=125)
    digits = text.rpartition("@")[2].removeprefix("sha256:").lower()
    if not platform and len(digits) >= _FEWEST:
        for one in found:
            if one.digest[7:].startswith(digits) or one.manifest.config.digest[7:].startswith(digits):
                return one
    for accepted in (Platform.parse(platform) if platform else Platform.host()).accepted():
        for one in found:
            if one.config.platform in (accepted, _SILENT):
                return one
    if platform:
        raise NoSuchPlatform.of(
            f"image {text} is not there for {Platform.parse(platform)}",
            hint=f"there is: {', '.join(str(one.config.platform) for one in found)}",
        )
    return found[0]


_SILENT = Platform("linux", "")
"""The platform of a config that does not say one."""
