"""A recipe becomes an image: packages are fetched, layers written, and everything handed to a sink."""

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

from kezuri.bases import linking, tarball, wheel
from kezuri.bases.deb import Deb
from kezuri.bases.download import Downloads
from kezuri.bases.elf import Linkage
from kezuri.bases.layer_writer import Files, LayerWriter, Placed
from kezuri.bases.mirror import DEFAULT, VARIABLE, Mirror
from kezuri.bases.recipe import CREATED, NOTICE, STAND_IN, Assembled, BlobSink, Layer, PinnedLayer, Recipe
from kezuri.bases.tarball import Pin, Tarball
from kezuri.bases.wheel import Wheel, WheelPin
from kezuri.layer.blob_writer import Written
from kezuri.oci import (
    CONFIG,
    LAYER_GZIP,
    MANIFEST,
    Descriptor,
    HistoryEntry,
    ImageConfig,
    Manifest,
    Platform,
    canonical,
    digest_of,
)
from kezuri.registry.config import RegistryConfig
from kezuri.registry.transport import SocketTransport


class _Blob(NamedTuple):
    path: str
    digest: str
    size: int


class Packages(NamedTuple):
    """What a recipe is made from: Debian packages by suite and name, others by name."""

    debs: Mapping[str, Mapping[str, Deb]]
    tarballs: Mapping[str, Files]


class Made(NamedTuple):
    """A layer that was written: what came of it, what is where, and the programs in it."""

    written: Written
    placed: Mapping[str, Placed]
    programs: Mapping[str, Linkage]


Handed = dict[tuple[object, ...], Made]
"""The layers that a sink was given, by what they were made from and lie on: several images share most of theirs."""


def assemble(
    recipe: Recipe,
    out: BlobSink,
    cache_dir: str,
    *,
    mirror: str = "",
    ca_certificates: str = "",
    allow_unsigned: bool = False,
    report: Callable[[str], None] = lambda line: None,
    handed: Handed | None = None,
) -> Assembled:
    """Makes the image and hands its blobs to `out`: the layers, the config, last the manifest.

    `mirror` is a Debian mirror's address; empty means $KEZURI_DEBIAN_MIRROR, or else deb.debian.org over HTTPS.
    Tarballs come from $KEZURI_NPM_REGISTRY, or else registry.npmjs.org; wheels from $KEZURI_PYPI_FILES, or else
    files.pythonhosted.org.
    `cache_dir` keeps the downloaded packages (about 60 MB for golang) and is made when missing; the layers are
    written there too before they are handed over, and removed. `ca_certificates` is a PEM file that is trusted in
    addition, or empty. `report` gets a line of text for each thing that takes time. `handed` are layers that the same
    sink was given before, which are not made again; this image's are added. Nothing is handed over unless
    all of it could be made. KezuriError naming the host and the file when a download fails or is not what Debian has
    published, when nothing proves where packages come from and `allow_unsigned` is not set, or when the image would
    lack a library.
    """
    from tempfile import TemporaryDirectory

    with closing(SocketTransport(RegistryConfig.of_machine(ca_certificates=ca_certificates))) as transport:
        at = Mirror(
            mirror or os.environ.get(VARIABLE, "") or DEFAULT,
            cache_dir,
            transport,
            allow_unsigned=allow_unsigned,
            report=report,
        )
        debs: dict[str, dict[str, Deb]] = {}
        for suite, names in recipe.packages.items():
            report(f"reading the package index of Debian {suite} from {at.host}")
            packages = at.packages(suite, recipe.platform.architecture, names)
            debs[suite] = at.fetch(packages[name] for name in names)
        tarballs = _pinned(recipe.pins, cache_dir, transport, report)
    with TemporaryDirectory(prefix=".assembly-", dir=cache_dir) as work:
        notes = tuple(dict.fromkeys(at.notes))
        return _assembled(recipe, Packages(debs, tarballs), out, work, report, notes, {} if handed is None else handed)


def _assembled(
    recipe: Recipe,
    packages: Packages,
    out: BlobSink,
    work: str,
    report: Callable[[str], None],
    notes: tuple[str, ...],
    handed: Handed,
) -> Assembled:
    tree: dict[str, Placed] = {}
    programs: dict[str, Linkage] = {}
    finished: list[tuple[str, Written]] = []
    blobs: list[_Blob] = []
    made: Handed = {}
    layers = (*recipe.layers, Layer("kezuri-standin", (), _notice(recipe, packages)))
    for number, layer in enumerate(layers):
        below = tuple(done.diff_id for _, done in finished)
        key = (below, layer.name, recipe.platform, *_ingredients(layer, packages))
        known = handed.get(key)
        if known is None or not _parts(layer):
            path = os.path.join(work, f"layer-{number}")
            known = made[key] = _write(layer, packages, recipe.platform, tree, path, report)
            blobs.append(_Blob(path, known.written.digest, known.written.size))
        tree.update(known.placed)
        programs.update(known.programs)
        finished.append((layer.name, known.written))
    linking.check(programs, tree, recipe.platform, recipe.name, recipe.libraries)
    config = _config(recipe, packages, finished)
    config_blob = _written(work, "config", canonical(config.to_json()))
    manifest = canonical(
        Manifest(
            Descriptor(CONFIG, config_blob.digest, config_blob.size),
            tuple(Descriptor(LAYER_GZIP, done.digest, done.size) for _, done in finished),
            annotations={STAND_IN: recipe.stand_in},
        ).to_json()
    )
    manifest_blob = _written(work, "manifest", manifest)
    for blob in (*blobs, config_blob, manifest_blob):
        out.put(*blob)
    handed.update(made)
    described = Descriptor(MANIFEST, digest_of(manifest), len(manifest), {STAND_IN: recipe.stand_in}, recipe.platform)
    return Assembled(manifest, described, config, notes)


def _parts(layer: Layer | PinnedLayer) -> tuple[str, ...]:
    """What a layer is made from, as people read it."""
    return layer.packages if isinstance(layer, Layer) else tuple(f"{pin.name} {pin.version}" for pin in layer.pins)


def _ingredients(layer: Layer | PinnedLayer, packages: Packages) -> list[str]:
    """The digests of what a layer is made from."""
    if isinstance(layer, Layer):
        return [packages.debs[layer.suite][name].package.sha256 for name in layer.packages]
    return [pin.sha256 for pin in layer.pins]


def _write(
    layer: Layer | PinnedLayer,
    packages: Packages,
    platform: Platform,
    tree: Mapping[str, Placed],
    path: str,
    report: Callable[[str], None],
) -> Made:
    if parts := _parts(layer):
        report(f"assembling the layer {layer.name} from {', '.join(parts)}")
    with open(path, "wb") as file, LayerWriter(file, tree) as writer:
        if isinstance(layer, Layer):
            layer.write(writer, packages.debs.get(layer.suite, {}), platform)
        else:
            layer.write(writer, packages.tarballs)
        return Made(writer.finish(), writer.placed, writer.programs)


def _pinned(
    pins: tuple[Pin | WheelPin, ...], cache_dir: str, transport: SocketTransport, report: Callable[[str], None]
) -> dict[str, Files]:
    """The packages by name, from their index or its mirror; the digests in the recipe say what they must be."""
    found: dict[str, Files] = {}
    for pin in pins:
        home, variable, where = _home(pin)
        downloads = Downloads(
            cache_dir, transport, f"is there a mirror of {where} that this machine reaches? Name it with {variable}"
        )
        report(f"fetching {pin.name} {pin.version} from {where}")
        path = downloads.file(f"{os.environ.get(variable, '').rstrip('/') or home}/{pin.path}", pin.sha256, pin.size)
        found[pin.name] = Wheel(pin, path) if isinstance(pin, WheelPin) else Tarball(pin, path)
    return found


def _home(pin: Pin | WheelPin) -> tuple[str, str, str]:
    """Where a package comes from: the address, the variable that names another one, and what it is called."""
    if isinstance(pin, WheelPin):
        return wheel.REGISTRY, wheel.VARIABLE, "the Python Package Index"
    return tarball.REGISTRY, tarball.VARIABLE, "the npm registry"


def _notice(recipe: Recipe, packages: Packages) -> Callable[[LayerWriter, Mapping[str, Deb], object], None]:
    """The last, tiny layer: what this is. It stands alone so that images share the layers below it."""
    lines = [f"This is kezuri's stand-in for {recipe.name}: {recipe.stand_in}."]
    for suite, names in recipe.packages.items():
        lines += ["", f"Made from Debian {suite}:"]
        for name in names:
            package = packages.debs[suite][name].package
            lines.append(f"{package.name} {package.version} {package.architecture} sha256:{package.sha256}")
    for where in dict.fromkeys(_home(pin)[2] for pin in recipe.pins):
        lines += ["", f"Made from {where}:"]
        lines += [f"{pin.name} {pin.version} sha256:{pin.sha256}" for pin in recipe.pins if _home(pin)[2] == where]

    def write(layer: LayerWriter, debs: Mapping[str, Deb], platform: object) -> None:
        layer.file(NOTICE, "\n".join(lines) + "\n")

    return write


def _config(recipe: Recipe, packages: Packages, finished: list[tuple[str, Written]]) -> ImageConfig:
    versions = tuple(
        f"{variable}={debs[name].package.upstream}"
        for variable, name in recipe.versions
        for debs in packages.debs.values()
        if name in debs
    )
    return recipe.config._replace(
        created=CREATED,
        env=recipe.config.env + versions,
        diff_ids=tuple(done.diff_id for _, done in finished),
        history=tuple(
            HistoryEntry(CREATED, f"kezuri bases: {name}", f"stand-in for {recipe.name}") for name, _ in finished
        ),
    )


def _written(work: str, name: str, data: bytes) -> _Blob:
    path = os.path.join(work, name)
    with open(path, "wb") as file:
        file.write(data)
    return _Blob(path, digest_of(data), len(data))
