"""A recipe becomes an image: packages are fetched, layers written, and everything handed to a sink."""

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

from kezuri.bases import linking
from kezuri.bases.deb import Deb
from kezuri.bases.elf import Linkage
from kezuri.bases.layer_writer import LayerWriter, Placed
from kezuri.bases.mirror import DEFAULT, VARIABLE, Mirror
from kezuri.bases.recipe import CREATED, NOTICE, STAND_IN, Assembled, BlobSink, Layer, Recipe
from kezuri.layer.blob_writer import Written
from kezuri.oci import (
    CONFIG,
    LAYER_GZIP,
    MANIFEST,
    Descriptor,
    HistoryEntry,
    ImageConfig,
    Manifest,
    canonical,
    digest_of,
)
from kezuri.registry.config import RegistryConfig
from kezuri.registry.transport import SocketTransport


class _Blob(NamedTuple):
    path: str
    digest: str
    size: int


def assemble(
    recipe: Recipe,
    out: BlobSink,
    cache_dir: str,
    *,
    mirror: str = "",
    ca_certificates: str = "",
    allow_unsigned: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Assembled:
    """Makes the image and hands its blobs to `out`: the layers, the config, last the manifest.

    `mirror` is a Debian mirror's address; empty means $KEZURI_DEBIAN_MIRROR, or else deb.debian.org over HTTPS.
    `cache_dir` keeps the downloaded packages (about 60 MB for golang) and is made when missing; the layers are
    written there too before they are handed over, and removed. `ca_certificates` is a PEM file that is trusted in
    addition, or empty. `report` gets a line of text for each thing that takes time. Nothing is handed over unless
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
        report(f"reading the package index of Debian {recipe.suite} from {at.host}")
        packages = at.packages(recipe.suite, recipe.platform.architecture, recipe.packages)
        debs = at.fetch(packages[name] for name in recipe.packages)
    with TemporaryDirectory(prefix=".assembly-", dir=cache_dir) as work:
        return _assembled(recipe, debs, out, work, report, tuple(at.notes))


def _assembled(
    recipe: Recipe,
    debs: Mapping[str, Deb],
    out: BlobSink,
    work: str,
    report: Callable[[str], None],
    notes: tuple[str, ...],
) -> Assembled:
    tree: dict[str, Placed] = {}
    programs: dict[str, Linkage] = {}
    finished: list[tuple[Layer, Written]] = []
    blobs: list[_Blob] = []
    layers = (*recipe.layers, Layer("kezuri-standin", (), _notice(recipe, debs)))
    for number, layer in enumerate(layers):
        if layer.packages:
            report(f"assembling the layer {layer.name} from {', '.join(layer.packages)}")
        path = os.path.join(work, f"layer-{number}")
        with open(path, "wb") as file, LayerWriter(file, tree) as writer:
            layer.write(writer, debs, recipe.platform)
            done = writer.finish()
        tree.update(writer.placed)
        programs.update(writer.programs)
        finished.append((layer, done))
        blobs.append(_Blob(path, done.digest, done.size))
    linking.check(programs, tree, recipe.platform, recipe.name)
    config = _config(recipe, debs, finished)
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
    described = Descriptor(MANIFEST, digest_of(manifest), len(manifest), {STAND_IN: recipe.stand_in}, recipe.platform)
    return Assembled(manifest, described, config, notes)


def _notice(recipe: Recipe, debs: Mapping[str, Deb]) -> Callable[[LayerWriter, Mapping[str, Deb], object], None]:
    """The last, tiny layer: what this is. It stands alone so that images share the layers below it."""
    lines = [
        f"This is kezuri's stand-in for {recipe.name}: {recipe.stand_in}.",
        "",
        f"Made from Debian {recipe.suite}:",
    ]
    for name in recipe.packages:
        package = debs[name].package
        lines.append(f"{package.name} {package.version} {package.architecture} sha256:{package.sha256}")

    def write(layer: LayerWriter, debs: Mapping[str, Deb], platform: object) -> None:
        layer.file(NOTICE, "\n".join(lines) + "\n")

    return write


def _config(recipe: Recipe, debs: Mapping[str, Deb], finished: list[tuple[Layer, Written]]) -> ImageConfig:
    versions = tuple(f"{variable}={debs[package].package.upstream}" for variable, package in recipe.versions)
    return recipe.config._replace(
        created=CREATED,
        env=recipe.config.env + versions,
        diff_ids=tuple(done.diff_id for _, done in finished),
        history=tuple(
            HistoryEntry(CREATED, f"kezuri bases: {layer.name}", f"stand-in for {recipe.name}") for layer, _ in finished
        ),
    )


def _written(work: str, name: str, data: bytes) -> _Blob:
    path = os.path.join(work, name)
    with open(path, "wb") as file:
        file.write(data)
    return _Blob(path, digest_of(data), len(data))
