"""Where an image comes from that is asked for by name: the store, a layout on this machine, or a registry."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import INDEXES, Descriptor, Index, Manifest, read_document
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.progress.calling_off import CallOff
from kezuri.store.names import CHOSEN_FROM
from kezuri.store.store import Store

if TYPE_CHECKING:
    from kezuri.images.layout import Layout
    from kezuri.registry.client import Registry

Progress = Callable[[str, int, int], None]
"""Receives the digest of a blob that is being fetched, the bytes that have come and the bytes in all."""


class _Origin(NamedTuple):
    source: ImageSource
    reference: Reference | None


class Images:
    """Finds images and brings their layers.

    `registry` and `layout` make the collaborators when they are needed: most builds need neither. With `pull`,
    names are asked for anew even when the store knows them. `stand_in` is asked when no registry gives an image.
    """

    def __init__(
        self,
        store: Store,
        registry: "Callable[[], Registry]",
        layout: "Callable[[str], tuple[Layout, str]]",
        pull: bool = False,
        progress: Progress | None = None,
        stand_in: "Callable[[Reference, Platform], BaseImage | None] | None" = None,
        cancel: CallOff | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._layout = layout
        self._pull = pull
        self._progress = progress
        self._stand_in = stand_in
        self._cancel = cancel
        self._origins: dict[str, _Origin] = {}
        self._chosen_from: dict[str, str] = {}
        self._lock = threading.Lock()

    def resolve(self, source: ImageSource, platform: Platform) -> BaseImage:
        """The image for the platform; KezuriError when it cannot be had. Only its documents are fetched."""
        if source.kind == "layout":
            return self._from_layout(source, platform)
        reference = Reference.parse(source.text)
        known = None if self._pull else self._known(source, reference, platform)
        found = known if known is not None and made_for(known, platform) else None
        if found is None:
            try:
                found = self._from_registry(source, reference, platform)
            except KezuriError as error:
                found = self._stand_in(reference, platform) if self._stand_in is not None else None
                if found is None:
                    found = self._instead(reference, platform, known, error)
        with self._lock:
            for layer in found.layers:
                self._origins[layer.digest] = _Origin(source, reference)
        return found

    def _instead(
        self, reference: Reference, platform: Platform, known: BaseImage | None, error: KezuriError
    ) -> BaseImage:
        """What the store has for other platforms only, where no registry answers (the caller warns); what a registry
        did answer holds, also that there is no such image."""
        from kezuri.registry.failure import Unanswered

        if isinstance(error, Unanswered):
            if known is not None:
                return known
            named = self._store.names.get(str(reference))
            if named is not None and self._store.blobs.has(named.digest):
                # That the image is there for other platforms only is more to the point than that nobody answers.
                self.stored(self._store, ImageSource("registry", ""), reference.familiar, named.digest, platform)
        elif known is not None:
            have = f"the store has {reference.familiar} for {known.config.platform} only"
            hints = (f"{d.hint}\n{have}".lstrip() for d in error.diagnostics)
            raise KezuriError(
                *(d._replace(hint=hint) for d, hint in zip(error.diagnostics, hints)), exit_code=error.exit_code
            ) from error
        raise error

    def chosen_from(self, digest: str) -> str:
        """The digest of the index from which a registry's manifest with this digest was chosen; empty without one."""
        return self._chosen_from.get(digest, "")

    def _named(self, reference: Reference) -> Descriptor | None:
        # The tag beside a digest says nothing.
        return self._store.names.get(str(reference._replace(tag="") if reference.digest else reference))

    def _known(self, source: ImageSource, reference: Reference, platform: Platform) -> BaseImage | None:
        named = self._named(reference)
        digest = named.digest if named is not None else reference.digest
        if not self._store.blobs.has(digest):
            # An index that a reference names by its digest is not kept: the manifest that was chosen from it is.
            digest = self._store.database.facts.image(reference, platform)
        if not self._store.blobs.has(digest):
            return None
        try:
            return self.stored(self._store, source, reference.familiar, digest, platform)
        except KezuriError:
            # A damaged or partly removed image is one that has to be fetched again.
            return None

    @classmethod
    def stored(
        cls, store: Store, source: ImageSource, name: str, digest: str, platform: Platform, depth: int = 0
    ) -> BaseImage:
        """The image that a manifest or index of the store describes; KezuriError when parts of it are missing."""
        manifest = read_document(store.blobs.read(digest), name)
        if isinstance(manifest, Index):
            for wanted in platform.accepted() if depth < 4 else ():
                for entry in manifest.manifests:
                    if entry.platform == wanted or entry.media_type in INDEXES:
                        return cls.stored(store, source, name, entry.digest, platform, depth + 1)
            have = ", ".join(str(e.platform) for e in manifest.manifests if e.platform)
            raise KezuriError.of(f"image {name} is not there for {platform}", hint=f"there is: {have}")
        config = ImageConfig.parse(store.blobs.read(manifest.config.digest), name)
        return _image(name, digest, config, manifest, source)

    def _from_registry(self, source: ImageSource, reference: Reference, platform: Platform) -> BaseImage:
        registry, blobs = self._registry(), self._store.blobs
        kept = self._unchanged(registry, source, reference, platform) if self._pull else None
        if kept is not None:
            return kept
        resolved = registry.resolve(reference, platform)
        blobs.put(resolved.manifest_raw)
        blobs.put(resolved.config_raw)
        image = _image(reference.familiar, resolved.descriptor.digest, resolved.config, resolved.manifest, source)
        if resolved.index_digest:
            self._chosen_from[image.digest] = resolved.index_digest
        facts = self._store.database.facts
        facts.put_image(reference, platform, image.digest)
        content = (resolved.manifest.config, *resolved.manifest.layers)
        facts.put_sources((blob.digest for blob in content), reference.repository)
        return image

    def _unchanged(
        self, registry: "Registry", source: ImageSource, reference: Reference, platform: Platform
    ) -> BaseImage | None:
        """The image as the store has it, where the registry still means it by this name. The registry is asked for the
        digest alone, which takes one small request and counts against no pull limit."""
        from kezuri.registry.failure import Unanswered

        known, named = self._known(source, reference, platform), self._named(reference)
        if known is None or not made_for(known, platform):
            return None
        try:
            said = registry.head(reference)
        except Unanswered:
            raise
        except KezuriError:
            return None  # The answer to a GET says why.
        index = named.annotations.get(CHOSEN_FROM, "") if named is not None else ""
        if said is None or said.digest not in (known.digest, index, named.digest if named is not None else ""):
            return None
        self._store.blobs.touch(known.digest)
        if index:
            self._chosen_from[known.digest] = index
        return known

    def _from_layout(self, source: ImageSource, platform: Platform) -> BaseImage:
        layout, selector = self._layout(source.text)
        resolved = layout.resolve(selector, platform)
        name = source.text.rpartition("/")[2] or source.text
        image = _image(name, resolved.descriptor.digest, resolved.config, resolved.manifest, source)
        with self._lock:
            for layer in image.layers:
                self._origins[layer.digest] = _Origin(source, None)
        return image

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        """Bring a layer's blob into the store; KezuriError when nobody has it."""
        if self._store.blobs.has(descriptor.digest):
            return
        with self._lock:
            origin = self._origins.get(descriptor.digest)
        if origin is None:
            raise KezuriError.of(
                f"layer {descriptor.digest} is not in the store, and it is not known where it came from",
                hint="pull its image again: `kezuri pull NAME`",
                exit_code=125,
            )
        with self._store.lock(f"blob-{descriptor.digest[7:47]}", cancel=self._cancel):
            if self._store.blobs.has(descriptor.digest):
                return
            if origin.reference is None:
                self._layout(origin.source.text)[0].fetch(descriptor, self._store.blobs, self._copied)
                return
            told = self._progress

            def came(current: int, total: int) -> None:
                if told is not None:
                    told(descriptor.digest, current, total)

            self._registry().fetch(origin.reference, descriptor, self._store.blobs, came)

    def _copied(self, current: int, total: int) -> None:
        if self._cancel is not None:
            self._cancel.check()


def made_for(image: BaseImage, platform: Platform) -> bool:
    """Whether the image says that it is for the platform, or does not say."""
    have = image.config.platform
    return not have.architecture or have in platform.accepted()


def _image(name: str, digest: str, config: ImageConfig, manifest: Manifest, source: ImageSource) -> BaseImage:
    if len(config.diff_ids) != len(manifest.layers):
        raise KezuriError.of(
            f"image {name}: its config names {len(config.diff_ids)} layers, its manifest {len(manifest.layers)}",
            exit_code=125,
        )
    return BaseImage(name, digest, config, manifest.layers, source)
