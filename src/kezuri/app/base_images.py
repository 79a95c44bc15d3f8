"""Images that are looked at as bases: found in a registry, another place or the store, and read as streams."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import kezuri
from kezuri.alternatives.values import Contents, Source
from kezuri.app.anatomy_kept import code
from kezuri.app.layer_sources import InRegistry, InStore, Traffic
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.packages.package import SYSTEM, Package

if TYPE_CHECKING:
    from kezuri.alternatives.package_streams import LayerFindings, SystemPackages

Missing = Literal["", "gone", "unreachable", "refused"]
_MOST_KEPT = 64 << 20
_ROOMS = ("alternatives", "packages")
"""The rooms that tell what a layer has: with other code it may be something else."""


class FoundImage(NamedTuple):
    """An image of which only its documents were read. `digest` is its manifest's; `opened` opens a layer; `here` tells
    that nothing comes over a network; `reference` is how a registry knows it, None where it is elsewhere."""

    name: str
    digest: str
    config: ImageConfig
    layers: tuple[Descriptor, ...]
    opened: Callable[[Descriptor], BinaryIO]
    traffic: Traffic
    here: bool = False
    reference: Reference | None = None


class BaseImages:
    """Where bases are looked for: in `place` (a layout or an archive as `kezuri copy` names it) where one is given,
    else in registries. To be used in a `with`. Threads may share it, unless there is a place."""

    def __init__(self, session: Session, platform: Platform, place: str = "", attached: bool = False) -> None:
        """`attached`: what a bill that lies beside an image says of its packages is believed. KezuriError for a place
        that is neither."""
        if place:
            from kezuri.transfer.places import ArchivePlace, LayoutPlace, read_place

            if not isinstance(read_place(place), LayoutPlace | ArchivePlace):
                raise KezuriError.of(
                    f"bases cannot be looked for in {place}",
                    hint="name a layout or an archive: oci:DIRECTORY, oci-archive:FILE, docker-archive:FILE",
                    exit_code=2,
                )
        self._session = session
        self._platform = platform
        self._place = place
        self._attached = attached
        self._held = ExitStack()
        self._scratch = ""
        self._listed: dict[Reference, str] | None = None
        self._guard = Lock()
        self._reading: dict[str, Lock] = {}

    def __enter__(self) -> "BaseImages":
        self._scratch = self._held.enter_context(self._session.store.scratch("base"))
        return self

    def __exit__(self, *raised: object) -> None:
        self._held.close()

    def call_off(self) -> None:
        """End what is being read, in whichever thread."""
        if not self._place:
            self._session.registry().close()

    @property
    def apart(self) -> bool:
        """Whether images are looked for in a place, one after the other."""
        return bool(self._place)

    def find(self, reference: Reference) -> FoundImage:
        """The image by its tag, or by its digest where there is no tag. KezuriError when it is not there."""
        if self._place:
            return self._in_place(reference)
        traffic = Traffic()
        found = self._session.registry().resolve(reference, self._platform)
        source = InRegistry(self._session, reference, traffic)
        return FoundImage(
            reference.familiar,
            found.descriptor.digest,
            found.config,
            found.manifest.layers,
            source.open,
            traffic,
            reference=reference,
        )

    def stored(self, name: str, platform: str) -> FoundImage | None:
        """The store's image of that name, whose layers are here as blobs."""
        from kezuri.images.kept import NoSuchImage, choose

        try:
            kept = choose(self._session.store, name, platform)
        except NoSuchImage:
            return None
        layers = kept.manifest.layers
        if not all(self._session.store.blobs.has(layer.digest) for layer in layers):
            return None
        source = InStore(self._session)
        return FoundImage(name, kept.digest, kept.config, layers, source.open, Traffic(), True)

    def tags(self, reference: Reference) -> frozenset[str] | None:
        """The tags that there are. KezuriError where nobody tells."""
        if not self._place:
            return frozenset(self._session.registry().known_tags(reference))
        names = self._names()
        if names is None:
            return None
        return frozenset(each.tag for each in names if each.repository == reference.repository)

    def _names(self) -> dict[Reference, str] | None:
        """What the images of a layout are called, and how it has that; None for a place that has no list."""
        from kezuri.images.layout import open_layout
        from kezuri.transfer.places import LayoutPlace, read_place

        if self._listed is None:
            place = read_place(self._place)
            if not isinstance(place, LayoutPlace):
                return None
            with open_layout(place.directory) as layout:
                pairs = [(Reference.maybe(name), name) for name in layout.names()]
            self._listed = {reference: name for reference, name in pairs if reference is not None}
        return self._listed

    def missing(self, error: KezuriError) -> Missing:
        """What kind of answer an error is: `gone` where there is no such image. A place of this machine answers
        always."""
        return "gone" if self._place else missing(error)

    def within(self, name: str, platform: str) -> str:
        """How the image that a user calls so is called where it is looked for: in the place, unless its name says where
        it is, or the store has it."""
        from kezuri.app.image_files import ImagePath

        reference = Reference.maybe(name) if self._place and not ImagePath.parse(name).word else None
        if reference is None or self.stored(name, platform) is not None:
            return name
        return f"{self._place}:{(self._names() or {}).get(reference, str(reference))}"

    def _in_place(self, reference: Reference) -> FoundImage:
        from kezuri.app.distant_image import in_place

        name = f"{self._place}:{(self._names() or {}).get(reference, str(reference))}"
        image = self._held.enter_context(in_place(self._session, name, self._platform, self._scratch))
        config = image.config()
        opened: Callable[[Descriptor], BinaryIO] = lambda layer: image.files.opener(layer)()  # noqa: E731
        return FoundImage(reference.familiar, image.digest, config, image.layers, opened, Traffic(), True)

    def contents(self, image: FoundImage, layers: int = -1) -> Contents:
        """What is in the lowest `layers` of an image, in all of them where nothing is said. What was found out is kept
        in the store, by digest. KezuriError when a layer cannot be read."""
        from kezuri.alternatives.package_streams import runtimes, system_packages

        blobs = image.layers if layers < 0 else image.layers[:layers]
        whole = len(blobs) == len(image.layers)
        created = _created(image.config, len(blobs))
        size = sum(blob.size for blob in blobs)
        if self._attached and whole and image.reference is not None:
            found = self._by_bill(image)
            if found is not None:
                packages = (*found.packages, *runtimes(image.config.env_map()))
                return Contents(image.digest, created, size, found.distribution, packages, "sbom", 0, found.told)
        before = image.traffic.came
        seen: list[bool] = []
        found = system_packages(blobs, image.opened, image.name, partial(self._known, image, seen))
        packages = (*found.packages, *runtimes(image.config.env_map()))
        source: Source = "layers" if any(seen) else "kept"
        came = image.traffic.came - before
        return Contents(image.digest, created, size, found.distribution, packages, source, came, found.told)

    def _known(
        self, image: FoundImage, seen: list[bool], layer: Descriptor, read: "Callable[[], LayerFindings]"
    ) -> "LayerFindings":
        """What a layer tells: what the store has kept of it, or what is found by reading it, which one thread does.
        `seen` learns whether it was read. Of a layer that was not read to its end nothing proves the digest: it is kept
        for whoever gave it alone."""
        giver = image.reference.host if image.reference is not None else self._place or "here"
        name = sha256(f"{giver} {layer.digest}".encode()).hexdigest()[:40]
        with self._guard:
            lock = self._reading.setdefault(layer.digest, Lock())
        with lock:
            path = self._session.store.path("listings", f"base-{name}")
            stamp = [kezuri.__version__, code(_ROOMS)]
            known = _load(path, stamp)
            seen.append(known is None)
            if known is None:
                known = read()
                _save(path, stamp, known)
            return known

    def _by_bill(self, image: FoundImage) -> "SystemPackages | None":
        """The packages of the distribution by a bill beside the image; None where there is none that tells them."""
        from kezuri.alternatives.package_streams import SystemPackages
        from kezuri.app.attestations import BILLS, attached
        from kezuri.sbom.reading import read
        from kezuri.transfer.places import RegistryPlace

        assert image.reference is not None
        try:
            for document in attached(self._session, RegistryPlace(image.reference), BILLS, str(self._platform)):
                if document.subject != image.digest:
                    continue
                bill = read(document.data, document.where)
                packages = tuple(each.package for each in bill.components if each.package.ecosystem in SYSTEM)
                if packages and bill.distribution.id:
                    return SystemPackages(packages, bill.distribution, bill.told)
        except KezuriError:
            pass  # The layers say it, too.
        return None


def missing(error: KezuriError) -> Missing:
    """What kind of answer an error is: `gone` where a registry says that there is no such image."""
    from kezuri.registry.failure import Refused

    at: BaseException | None = error
    for _ in range(8):
        if at is None:
            break
        if isinstance(at, Refused):
            status = at.failure.status
            return "gone" if status == 404 else "refused" if status < 500 else "unreachable"
        at = at.__cause__ or at.__context__
    return "unreachable"


def _created(config: ImageConfig, layers: int) -> str:
    """When the lowest layers were made, by the history; that of the whole image is in its config."""
    made = [entry for entry in config.history if not entry.empty_layer]
    if 0 < layers < len(config.diff_ids) and len(made) == len(config.diff_ids):
        return made[layers - 1].created
    return config.created


def _load(path: str, stamp: object) -> "LayerFindings | None":
    from kezuri.alternatives.package_streams import LayerFindings

    try:
        with open(path, "rb") as file:
            of, whole, single, releases, hidden, links, cut = json.loads(file.read(_MOST_KEPT))
        if of != stamp:
            return None
        return LayerFindings(
            tuple((str(at), _packages(rows), str(trouble)) for at, rows, trouble in whole),
            tuple((str(at), _packages(rows)) for at, rows in single),
            tuple((str(at), str(text)) for at, text in releases),
            tuple(map(str, hidden)),
            tuple(map(str, links)),
            bool(cut),
        )
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _packages(rows: Sequence[Sequence[Any]]) -> tuple[Package, ...]:
    return tuple(Package._make(tuple(each) if isinstance(each, list) else each for each in row) for row in rows)


def _save(path: str, stamp: object, found: "LayerFindings") -> None:
    from kezuri.linux.replacement import replacement

    with suppress(OSError), replacement(path, durable=False) as file:
        file.write(json.dumps([stamp, *found]).encode())


def same_layers(image: Sequence[str], base: Sequence[str]) -> bool:
    """Whether an image stands on a base, by the diff ids of both."""
    return 0 < len(base) <= len(image) and tuple(image[: len(base)]) == tuple(base)
