"""`pull`: an image from a registry into the store, whole and with its name; or all that a repository has."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.images.origins import made_for
from kezuri.oci.descriptor import Descriptor, read_document
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.progress.events import Listener, WorkName, warning
from kezuri.progress.reporter import Reporter, Ticket
from kezuri.registry.image import NoImage
from kezuri.store.names import CHOSEN_FROM


class Pulled(NamedTuple):
    """An image that was pulled: its name, and the digest of its manifest."""

    name: Reference
    digest: str


def pull(
    settings: Settings,
    name: str,
    platform: str,
    listener: Listener,
    layers: Callable[[str, bool], None] = lambda digest, there: None,
) -> str:
    """Fetch the image with all its layers and give it its name; the digest of its manifest. `layers` hears of each
    layer's blob, and whether it was there already. KezuriError when it cannot be had whole."""
    reference = Reference.parse(name)
    with _Pulling(settings, platform, listener, layers) as pulling:
        return pulling.pull(reference)


def pull_all(
    settings: Settings,
    name: str,
    platform: str,
    listener: Listener,
    layers: Callable[[str, bool], None] = lambda digest, there: None,
) -> Iterator[Pulled]:
    """Pull every tag of a repository, one after the other, in the registry's order. What is no image for the platform
    (a cache, a signature, an image for other machines) is left out: a warning says so, unless the tag stands for a
    digest. KezuriError for the first that cannot be had, and when there is no image at all."""
    repository = Reference.parse(name.removeprefix("docker://"), default_tag=False)
    if repository.tag or repository.digest:
        bare = repository._replace(tag="", digest="").familiar
        raise KezuriError.of(
            f"--all-tags pulls every tag of a repository, and {name} names one image",
            hint=f"leave the {'tag' if repository.tag else 'digest'} out: {bare}",
            exit_code=2,
        )
    with _Pulling(settings, platform, listener, layers) as pulling:
        found = False
        for tag in pulling.tags(repository):
            reference = repository._replace(tag=tag)
            try:
                digest = pulling.pull(reference, alone=False)
            except NoImage as error:
                if not tag.startswith("sha256-"):
                    warning(listener)(f"left out: {error}")
                continue
            found = True
            yield Pulled(reference, digest)
        if not found:
            raise KezuriError.of(f"{repository.familiar} has no image for {pulling.platform}", exit_code=125)


class _Pulling:
    """Pulls images one after the other. Use it in a `with`."""

    def __init__(
        self, settings: Settings, platform: str, listener: Listener, layers: Callable[[str, bool], None]
    ) -> None:
        self.platform = Platform.parse(platform) if platform else Platform.host()
        self._reporter = Reporter(listener)
        self._layers = layers
        self._ticket: Ticket | None = None
        self._warn = warning(listener)
        self._session = Session(settings, pull=True, progress=self._told, warn=self._warn)

    def __enter__(self) -> Self:
        self._session.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.__exit__(kind, error, trace)

    def tags(self, repository: Reference) -> list[str]:
        """The tags of a repository, found out in a step."""
        with self._reporter.step(WorkName(f"list tags of {repository.familiar}")):
            return list(self._session.registry().tags(repository))

    def pull(self, reference: Reference, *, alone: bool = True) -> str:
        """Pull one image. NoImage, which is no failure of the step unless the image is pulled `alone`, when there is
        none for the platform."""
        session, missed = self._session, None
        with self._reporter.step(WorkName(f"load metadata for {reference}")):
            try:
                image = session.images.resolve(ImageSource("registry", reference.familiar), self.platform)
            except NoImage as error:
                if alone:
                    raise
                missed = error
        if missed is not None:
            raise missed
        if not made_for(image, self.platform):
            self._warn(f"{reference.familiar} is for {image.config.platform}, not for {self.platform}")
        if not all(session.store.blobs.has(layer.digest) for layer in image.layers):
            _clear_away(session)
        with self._reporter.step(WorkName(f"pull {reference.familiar}")) as ticket:
            self._ticket = ticket
            there = [session.store.blobs.has(layer.digest) for layer in image.layers]
            keep(session, reference, image)
        for layer, was_there in zip(image.layers, there):
            self._layers(layer.digest, was_there)
        return image.digest

    def _told(self, digest: str, done: int, total: int) -> None:
        if self._ticket is not None:
            self._ticket.status(digest[:19], done, total, done == total)


def _clear_away(session: Session) -> None:
    """Remove what a killed pull or build left behind, before this one needs the space."""
    from kezuri.upkeep.collector import Collector

    for _ in Collector(session.store, session.privilege).abandoned():
        pass


def keep(session: Session, reference: Reference, image: BaseImage) -> None:
    """Fetch every blob that the image's manifest names, then let the reference stand for it: by its digest where it has
    one, as docker does (the tag beside a digest says nothing), else by its tag."""
    for layer, descriptor in zip(image.config.diff_ids, image.layers):
        session.forms.know_pulled(layer, descriptor)
    session.forms.fetch_named(zip(image.config.diff_ids, image.layers))
    blobs = session.store.blobs
    index = session.images.chosen_from(image.digest)
    manifest = Descriptor(
        read_document(blobs.read(image.digest), image.name).media_type,
        image.digest,
        blobs.size(image.digest),
        {CHOSEN_FROM: index} if index else {},
        image.config.platform if image.config.platform.architecture else None,
    )
    session.store.names.put(str(reference._replace(tag="") if reference.digest else reference), manifest)
