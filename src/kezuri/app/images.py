"""`images`, `inspect`, `history`, `rmi` and `tag`: what the store has, and changing its names."""

from typing import Any

from kezuri.app.request import HistoryLine, ImageSummary, Removed, Settings
from kezuri.diagnostics import KezuriError, nearest
from kezuri.dockerfile.wildcard import match
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, Index, Manifest
from kezuri.oci.reference import Reference
from kezuri.store.collection import Collection
from kezuri.store.store import Store


def images(settings: Settings, filters: tuple[str, ...] = ()) -> tuple[ImageSummary, ...]:
    """The images of the store, newest first. `filters` are docker's: `reference=PATTERN`, `label=KEY[=VALUE]`,
    `dangling=true`; KezuriError for others."""
    with Store(settings.root) as store:
        found = []
        for name, descriptor in store.names.all().items():
            for manifest_digest, manifest in _manifests(store, descriptor):
                config = ImageConfig.parse(store.blobs.read(manifest.config.digest), name)
                if not all(_passes(name, config, f) for f in filters):
                    continue
                found.append(
                    ImageSummary(
                        name,
                        manifest_digest,
                        manifest.config.digest,
                        config.created,
                        sum(layer.size for layer in manifest.layers),
                        str(config.platform),
                    )
                )
        found.sort(key=lambda image: image.created, reverse=True)
        return tuple(found)


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


def _manifests(store: Store, descriptor: Descriptor) -> list[tuple[str, Manifest]]:
    data = store.blobs.read(descriptor.digest)
    if b'"manifests"' in data:
        found = []
        for entry in Index.parse(data, descriptor.digest).manifests:
            if store.blobs.has(entry.digest):
                found += _manifests(store, entry)
        return found
    return [(descriptor.digest, Manifest.parse(data, descriptor.digest))]


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
            for digest, manifest in _manifests(store, descriptor):
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


def inspect(settings: Settings, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """What is to be known of each image, in the shape of `docker inspect`."""
    with Store(settings.root) as store:
        return [_inspect(store, name) for name in names]


def _inspect(store: Store, name: str) -> dict[str, Any]:
    _, descriptor = find_image(store, name)
    digest, manifest = _manifests(store, descriptor)[0]
    config = ImageConfig.parse(store.blobs.read(manifest.config.digest), name)
    tags = [
        Reference.parse(n).familiar
        for n, d in store.names.all().items()
        if any(m == digest for m, _ in _manifests(store, d))
    ]
    document = config.to_json()
    return {
        "Id": manifest.config.digest,
        "RepoTags": tags,
        "RepoDigests": sorted({Reference.parse(t)._replace(tag="", digest=digest).familiar for t in tags}),
        "Created": config.created,
        "Author": config.author,
        "Config": document["config"],
        "Architecture": config.platform.architecture,
        "Variant": config.platform.variant,
        "Os": config.platform.os,
        "Size": sum(layer.size for layer in manifest.layers),
        "RootFS": {"Type": "layers", "Layers": list(config.diff_ids)},
        "Descriptor": descriptor._replace(annotations={}, digest=digest).to_json(),
        "Manifest": manifest.to_json(),
        "Annotations": dict(manifest.annotations),
        "History": document["history"],
    }


def history(settings: Settings, name: str) -> tuple[HistoryLine, ...]:
    """The lines of an image's history, newest first."""
    with Store(settings.root) as store:
        _, descriptor = find_image(store, name)
        _, manifest = _manifests(store, descriptor)[0]
        config = ImageConfig.parse(store.blobs.read(manifest.config.digest), name)
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
