"""`images`, `inspect`, `history`, `rmi` and `tag`: what the store has, and changing its names."""

from typing import Any

from kezuri.app.request import HistoryLine, ImageSummary, Removed, Settings
from kezuri.diagnostics import KezuriError, nearest
from kezuri.dockerfile.wildcard import match
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, Index, Manifest
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.store.collection import Collection
from kezuri.store.store import Store


def images(settings: Settings, filters: tuple[str, ...] = ()) -> tuple[ImageSummary, ...]:
    """The images of the store, newest first, one for each platform of an index. `filters` are docker's:
    `reference=PATTERN`, `label=KEY[=VALUE]`, `dangling=true`; KezuriError for others."""
    with Store(settings.root) as store:
        found: list[list[ImageSummary]] = []
        for name, descriptor in store.names.all().items():
            several = []
            for manifest_digest, manifest in manifests(store, descriptor):
                config = ImageConfig.parse(store.blobs.read(manifest.config.digest), name)
                if not all(_passes(name, config, f) for f in filters):
                    continue
                several.append(
                    ImageSummary(
                        name,
                        manifest_digest,
                        manifest.config.digest,
                        config.created,
                        sum(layer.size for layer in manifest.layers),
                        str(config.platform),
                    )
                )
            if several:
                found.append(several)
        # The images of one index stay together, in its order.
        found.sort(key=lambda images: max(image.created for image in images), reverse=True)
        return tuple(image for images in found for image in images)


def _passes(name: str, config: ImageConfig, text: str) -> bool:
    key, _, value = text.partition("=")
    if key == "reference":
        reference = Reference.parse(name)
        names = (name, reference.familiar, reference.repository, reference._replace(tag="").familiar)
        return any(match(value, n) for n in names)
    if key == "label":
        label, equals, wanted = value.partition("=")
        return label in config.labels and (not equals or config.labels[label] == wanted)
    if key == "dangling":
        return value.lower() in ("false", "0")
    raise KezuriError.of(
        f"unknown filter {text!r}", hint="reference=PATTERN, label=KEY[=VALUE], dangling=BOOL", exit_code=2
    )


def manifests(store: Store, descriptor: Descriptor) -> list[tuple[str, Manifest]]:
    """The images that a manifest or index stands for, as far as they are in the store, by digest; attestations are
    none."""
    data = store.blobs.read(descriptor.digest)
    if b'"manifests"' in data:
        found = []
        for entry in Index.parse(data, descriptor.digest).manifests:
            attests = entry.platform is not None and "unknown" in (entry.platform.os, entry.platform.architecture)
            if not attests and store.blobs.has(entry.digest):
                found += manifests(store, entry)
        return found
    return [(descriptor.digest, Manifest.parse(data, descriptor.digest))]


def choose(store: Store, name: str, platform: str) -> tuple[str, Manifest, ImageConfig]:
    """Of an image's manifests the one for the platform, else this machine's, else the first; an id or a digest names
    its own."""
    _, descriptor = find_image(store, name)
    found = []
    for digest, manifest in manifests(store, descriptor):
        found.append((digest, manifest, ImageConfig.parse(store.blobs.read(manifest.config.digest), name)))
    if not found:
        raise KezuriError.of(f"image {name}: nothing of it is in the store", exit_code=125)
    wanted = name.rpartition("@")[2].removeprefix("sha256:").lower()
    if not platform and len(wanted) >= 4:
        for digest, manifest, config in found:
            if digest[7:].startswith(wanted) or manifest.config.digest[7:].startswith(wanted):
                return digest, manifest, config
    for accepted in (Platform.parse(platform) if platform else Platform.host()).accepted():
        for one in found:
            if one[2].platform == accepted:
                return one
    if platform:
        raise KezuriError.of(
            f"image {name} is not there for {Platform.parse(platform)}",
            hint=f"there is: {', '.join(str(config.platform) for _, _, config in found)}",
        )
    return found[0]


def find_image(store: Store, name: str) -> tuple[str, Descriptor]:
    """The full name (empty when it has none) and descriptor of an image by name, id or digest; KezuriError with the
    nearest name when there is none."""
    names = store.names.all()
    try:
        full = str(Reference.parse(name))
    except KezuriError:
        full = ""
    if full in names:
        return full, names[full]
    wanted = name.removeprefix("sha256:").lower()
    if len(wanted) >= 4 and all(c in "0123456789abcdef" for c in wanted):
        hits: dict[str, tuple[str, Descriptor]] = {}
        for tag, descriptor in names.items():
            if descriptor.digest[7:].startswith(wanted):
                hits.setdefault(descriptor.digest, (tag, descriptor))
                continue
            for digest, manifest in manifests(store, descriptor):
                if digest[7:].startswith(wanted) or manifest.config.digest[7:].startswith(wanted):
                    hits.setdefault(digest, (tag, descriptor))
        if len(hits) == 1:
            return next(iter(hits.values()))
        if hits:
            raise KezuriError.of(f"{name} is the beginning of {len(hits)} image ids", hint="write more digits")
    near = nearest(name, [Reference.parse(n).familiar for n in names])
    raise KezuriError.of(
        f"no such image: {name}", hint=f"did you mean {near}?" if near else "`kezuri images` lists them"
    )


def inspect(settings: Settings, names: tuple[str, ...], platform: str = "") -> list[dict[str, Any]]:
    """What is to be known of each image, in the shape of `docker inspect`; of an image for several platforms that for
    `platform`, else for this machine."""
    with Store(settings.root) as store:
        return [_inspect(store, name, platform) for name in names]


def _inspect(store: Store, name: str, platform: str) -> dict[str, Any]:
    digest, manifest, config = choose(store, name, platform)
    named = {n: d for n, d in store.names.all().items() if any(m == digest for m, _ in manifests(store, d))}
    tags = [Reference.parse(n).familiar for n in named]
    described = Descriptor(manifest.media_type, digest, store.blobs.size(digest), platform=config.platform)
    document = config.to_json()
    return {
        "Id": manifest.config.digest,
        "RepoTags": tags,
        "RepoDigests": sorted(_by_digest(n, d) for n, d in named.items()),
        "Created": config.created,
        "Author": config.author,
        "Config": document["config"],
        "Architecture": config.platform.architecture,
        "Variant": config.platform.variant,
        "Os": config.platform.os,
        "Size": sum(layer.size for layer in manifest.layers),
        "RootFS": {"Type": "layers", "Layers": list(config.diff_ids)},
        "Descriptor": described.to_json(),
        "Manifest": manifest.to_json(),
        "Annotations": dict(manifest.annotations),
        "History": document["history"],
    }


def _by_digest(name: str, descriptor: Descriptor) -> str:
    return Reference.parse(name)._replace(tag="", digest=descriptor.digest).familiar


def history(settings: Settings, name: str, platform: str = "") -> tuple[HistoryLine, ...]:
    """The lines of an image's history, newest first; of several platforms, as `inspect` chooses."""
    with Store(settings.root) as store:
        _, manifest, config = choose(store, name, platform)
        layers = iter(manifest.layers)
        lines = []
        for entry in config.history:
            layer = None if entry.empty_layer else next(layers, None)
            lines.append(
                HistoryLine(
                    entry.created,
                    entry.created_by,
                    layer.size if layer else 0,
                    entry.comment,
                    layer.digest if layer else "",
                    entry.empty_layer,
                )
            )
        return tuple(reversed(lines))


def tag(settings: Settings, source: str, target: str) -> None:
    """Give an image another name."""
    with Store(settings.root) as store:
        _, descriptor = find_image(store, source)
        reference = Reference.parse(target)
        if reference.digest:
            raise KezuriError.of(f"a name cannot carry a digest: {target}", exit_code=2)
        store.names.put(str(reference), descriptor)


def remove(settings: Settings, names: tuple[str, ...], force: bool = False) -> tuple[Removed, ...]:
    """Take names away, and the blobs that no other image and no cached result needs. An id removes all names of its
    image, if there are several only with `force`. Nothing happens when one of the names is unknown."""
    with Store(settings.root) as store:
        doomed: dict[str, Descriptor] = {}
        for name in names:
            full, descriptor = find_image(store, name)
            known = store.names.all()
            try:
                by_name = str(Reference.parse(name)) == full
            except KezuriError:
                by_name = False
            if by_name:
                doomed[full] = descriptor
                continue
            same = {n: d for n, d in known.items() if d.digest == descriptor.digest}
            if len(same) > 1 and not force:
                raise KezuriError.of(
                    f"image {name} has {len(same)} names: {', '.join(Reference.parse(n).familiar for n in same)}",
                    hint="remove them by name, or use --force",
                )
            doomed.update(same)
        removed = []
        for full in doomed:
            store.names.delete(full)
            removed.append(Removed("untagged", Reference.parse(full).familiar))
        collection = Collection(store)
        swept = collection.collect(everything=False, before=None, keep_bytes=None)
        removed.extend(Removed("deleted", gone.name, gone.size) for gone in swept if gone.kind == "blob")
        return tuple(removed)
