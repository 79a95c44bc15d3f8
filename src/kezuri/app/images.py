"""`images`, `inspect`, `history`, `rmi` and `tag`: what the store has, and changing its names."""

from collections.abc import Callable
from typing import Any

from kezuri.app.answers import HistoryLine, ImageSummary, Removed
from kezuri.app.image_filters import read_filters
from kezuri.app.removing import Leaving
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.forms.unpacked import Unpacked
from kezuri.images.held import held
from kezuri.images.kept import Kept, choose, config_of, find_all, kept, manifests
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.reference import Reference
from kezuri.store.names import CHOSEN_FROM
from kezuri.store.store import Store
from kezuri.upkeep.relief import is_full


def images(
    settings: Settings,
    filters: tuple[str, ...] = (),
    warn: Callable[[str], None] = lambda _: None,
    *,
    measured: bool = False,
) -> tuple[ImageSummary, ...]:
    """The images of the store, newest first, one for each platform of an index. `filters` are docker's
    (`image_filters`); KezuriError for others. `warn` hears of images that cannot be read, which are left out.
    `measured`: their sizes are found out, which may mean to read layers, once."""
    with Store(settings.root, is_full(settings.root), reading=True) as store:
        wanted = read_filters(store, filters)
        found: list[list[ImageSummary]] = []
        unpacked = Unpacked(store)
        everything = kept(store)
        tagged = {image.place for image in everything if image.name and not image.by_digest}
        for image in everything:
            if image.by_digest and image.place in tagged:
                continue
            several = []
            try:
                for digest, manifest in manifests(store, image.descriptor):
                    config = config_of(store, manifest, image.name or image.descriptor.digest)
                    if not wanted.meet(image, manifest.config.digest, config):
                        continue
                    several.append(
                        ImageSummary(
                            image.name,
                            digest,
                            manifest.config.digest,
                            config.created,
                            unpacked.total(config.diff_ids, manifest.layers) if measured else None,
                            str(config.platform),
                            sum(layer.size for layer in manifest.layers),
                        )
                    )
            except KezuriError as error:
                warn(f"image {image.name or image.descriptor.digest} is left out: {error}")
            if several:
                found.append(several)
        # The images of one index stay together, in its order.
        found.sort(key=lambda images: max(image.created for image in images), reverse=True)
        return tuple(image for images in found for image in images)


def _give_up(error: KezuriError) -> None:
    raise error


def inspect(
    settings: Settings,
    names: tuple[str, ...],
    platform: str = "",
    missed: Callable[[KezuriError], None] = _give_up,
) -> list[dict[str, Any]]:
    """What is to be known of each image, in the shape of `docker inspect`; of an image for several platforms that for
    `platform`, else for this machine. `missed` hears of each that is not there; where it does not raise, the others are
    told nevertheless."""
    with Store(settings.root, is_full(settings.root), reading=True) as store:
        told = []
        for name in names:
            try:
                told.append(_inspect(store, name, platform))
            except KezuriError as error:
                missed(error)
        return told


def _inspect(store: Store, name: str, platform: str) -> dict[str, Any]:
    digest, manifest, config = choose(store, name, platform)
    same = [image for image in find_all(store, digest) if image.name]
    tags = [image.familiar for image in same if not image.by_digest]
    described = Descriptor(manifest.media_type, digest, store.blobs.size(digest), platform=config.platform)
    document = config.to_json()
    settings = {key: dict(sorted(v.items())) if isinstance(v, dict) else v for key, v in document["config"].items()}
    return {
        "Id": manifest.config.digest,
        "RepoTags": tags,
        "RepoDigests": sorted({_by_digest(image, image.reference) for image in same if image.reference}),
        "Digest": digest,
        "Parent": "",
        "Comment": config.history[-1].comment if config.history else "",
        "Created": config.created,
        "DockerVersion": "",
        "Author": config.author,
        "Config": settings,
        "Architecture": config.platform.architecture,
        "Variant": config.platform.variant,
        "Os": config.platform.os,
        "Size": Unpacked(store).total(config.diff_ids, manifest.layers),
        "CompressedSize": sum(layer.size for layer in manifest.layers),
        "RootFS": {"Type": "layers", "Layers": list(config.diff_ids)},
        "Descriptor": described.to_json(),
        "Manifest": manifest.to_json(),
        "Annotations": dict(manifest.annotations),
        "History": document["history"],
    }


def _by_digest(image: Kept, reference: Reference) -> str:
    """The name by which the image's registry knows it whatever its tags say; that of the index that it came from."""
    digest = image.descriptor.annotations.get(CHOSEN_FROM, image.descriptor.digest)
    return reference._replace(tag="", digest=digest).familiar


def history(settings: Settings, name: str, platform: str = "") -> tuple[HistoryLine, ...]:
    """The lines of an image's history, newest first; of several platforms, as `inspect` chooses."""
    with Store(settings.root, is_full(settings.root), reading=True) as store:
        _, manifest, config = choose(store, name, platform)
        layers = iter(zip(manifest.layers, Unpacked(store).sizes(config.diff_ids, manifest.layers)))
        lines = []
        for entry in config.history:
            layer, size = (None, 0) if entry.empty_layer else next(layers, (None, None))
            lines.append(
                HistoryLine(
                    entry.created,
                    entry.created_by,
                    size,
                    entry.comment,
                    layer.digest if layer else "",
                    entry.empty_layer,
                    layer.size if layer else 0,
                )
            )
        return tuple(reversed(lines))


def tag(settings: Settings, source: str, target: str) -> None:
    """Give an image another name."""
    with Store(settings.root) as store:
        image = held(store, source)
        reference = Reference.parse(target)
        if reference.digest:
            raise KezuriError.of(f"a name cannot carry a digest: {target}", exit_code=2)
        descriptor = image.descriptor
        if image.place[0] != reference.repository:
            # The index that a pulled image was chosen from is nothing that the other repository has.
            notes = {key: value for key, value in descriptor.annotations.items() if key != CHOSEN_FROM}
            descriptor = descriptor._replace(annotations=notes)
        store.names.put(str(reference), descriptor)


def remove(
    settings: Settings,
    names: tuple[str, ...],
    force: bool = False,
    missed: Callable[[KezuriError], None] = _give_up,
) -> tuple[Removed, ...]:
    """Take names away, and the blobs that no other image and no cached result needs. An id removes all names of its
    image, if there are several only with `force`; the last tag takes the digests of its repository along. `missed`
    hears of each that cannot go; where it does not raise, the others go nevertheless."""
    with Store(settings.root, frugal=is_full(settings.root)) as store:
        doomed: dict[tuple[str, str], Kept] = {}
        for name in names:
            try:
                doomed.update({(i.name, i.descriptor.digest): i for i in _doomed(store, name, force)})
            except KezuriError as error:
                missed(error)
        if not doomed:
            return ()
        removed, leaving = [], Leaving(store, doomed.values())
        for image in doomed.values():
            if image.name:
                store.names.delete(image.name)
                removed.append(Removed("untagged", image.familiar))
            else:
                store.names.drop(image.descriptor.digest)
        for image in _left_digests(kept(store), list(doomed.values())):
            store.names.delete(image.name)
            removed.append(Removed("untagged", image.familiar))
        removed.extend(Removed("deleted", gone.name, gone.size) for gone in leaving.collect() if gone.kind == "blob")
        return tuple(removed)


def _doomed(store: Store, name: str, force: bool) -> list[Kept]:
    """What a name or an id removes; KezuriError when it is nothing, or more than one would think."""
    found = find_all(store, name)
    tags = [image.familiar for image in found if image.name and not image.by_digest]
    if len(tags) > 1 and not force:
        raise KezuriError.of(
            f"image {name} has {len(tags)} names: {', '.join(tags)}", hint="remove them by name, or use --force"
        )
    return found


def _left_digests(images: list[Kept], gone: list[Kept]) -> list[Kept]:
    """The names by digest of which the last tag of the same repository went."""
    went = {image.place for image in gone if image.name}
    stay = {image.place for image in images if image.name and not image.by_digest}
    return [image for image in images if image.by_digest and image.place in went - stay]
