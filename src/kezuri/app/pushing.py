"""What a build sends to registries: layers while it still runs, the image when it is finished."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kezuri.app.outputs import PushedImage
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.export.image import Exported
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.reference import Reference
from kezuri.progress.events import WorkName
from kezuri.progress.reporter import Reporter, Ticket, reason
from kezuri.transfer.shipment import Shipment
from kezuri.transfer.stock import Stock
from kezuri.transfer.walking import Walk

_AT_ONCE = 4
"""How many layers are sent at a time while steps run."""


class Pushing:
    """Sends the images of one build. Use it in a `with`: a build that fails leaves blobs without a name at most, which
    registries forget."""

    def __init__(
        self,
        outputs: tuple[PushedImage, ...],
        tags: tuple[str, ...],
        session: Session,
        reporter: Reporter,
        bring: Callable[[Descriptor], bool] | None = None,
    ) -> None:
        """`tags` are the names that every output of the build gets; `bring`: see Stock."""
        self._targets = {output: _references(output, tags) for output in outputs}
        self._references = tuple(dict.fromkeys(r for targets in self._targets.values() for r in targets))
        self._several = len({reference.host for reference in self._references}) > 1
        self._session = session
        self._reporter = reporter
        self._documents: dict[str, bytes] = {}
        name = self._references[0].familiar
        self._stock = Stock(session.store, name, session.registry, self._documents, bring)
        self._shipment = Shipment(session.store.database.facts, session.registry, self._stock, self)
        self._places = threading.Semaphore(_AT_ONCE)
        self._ticket: Ticket | None = None
        self._lock = threading.Lock()
        self._under_way: list[threading.Event] = []
        self._ended = False

    def __enter__(self) -> "Pushing":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._lock:
            self._ended = True
        if error is not None:
            self._session.registry().close()
        for sent in self._under_way:
            while not sent.wait(0.5):
                pass
        if self._ticket is not None and error is not None:
            self._ticket.failed(reason(error) if isinstance(error, KezuriError) else "canceled")
            self._ticket = None

    def check(self) -> None:
        """KezuriError when one of the repositories may not be written to: known before anything is built."""
        repositories = dict.fromkeys(reference.repository for reference in self._references)
        with self._reporter.step(WorkName(f"check access to {', '.join(repositories)}", internal=True)):
            self._shipment.check(self._references)

    def ahead(self, layer: Descriptor) -> None:
        """Send a finished layer while other steps run."""
        sent = threading.Event()
        with self._lock:
            if self._ended:
                return
            self._under_way.append(sent)
        try:
            with self._places:
                if not self._ended:
                    self._shipment.ahead(self._references, layer)
        finally:
            sent.set()

    def push(self, output: PushedImage, image: Exported) -> None:
        """Send the image, and let its names stand for it at the very end."""
        self._documents.update(image.documents)
        load = Walk(self._stock).load(self._stock.document(image.descriptor))
        references = self._targets[output]
        with self._sending():
            self._shipment.carry(load, references)
        digest = image.descriptor.digest
        shown = ", ".join(f"{reference.familiar}@{digest}" for reference in references)
        with self._reporter.step(WorkName(f"pushing manifest for {shown}")):
            self._shipment.publish(load, references)

    def names(self, output: PushedImage, digest: str) -> tuple[str, ...]:
        """What the image is called at registries, beside its tags."""
        if output.canonical:
            return tuple(str(reference._replace(tag="", digest=digest)) for reference in self._targets[output])
        return tuple(str(reference) for reference in self._targets[output] if not reference.tag)

    def moved(self, repository: Reference, descriptor: Descriptor, current: int, total: int) -> None:
        """See Told."""
        where = f" {repository.host}" if self._several else ""
        self._begun().status(descriptor.digest[:19] + where, current, total, current >= total)

    def arrived(self, repository: Reference, descriptor: Descriptor, how: str, source: str) -> None:
        """See Told."""

    def _begun(self) -> Ticket:
        with self._lock:
            if self._ticket is None:
                self._ticket = self._reporter.start(WorkName("pushing layers"))
            return self._ticket

    @contextmanager
    def _sending(self) -> Iterator[None]:
        ticket = self._begun()
        try:
            yield
        except BaseException as error:
            self._ticket = None
            ticket.failed(reason(error))
            raise
        self._ticket = None
        ticket.done()


def _references(output: PushedImage, tags: tuple[str, ...]) -> tuple[Reference, ...]:
    names = tuple(dict.fromkeys((*output.options.names, *tags)))
    if not names:
        raise KezuriError.of(
            "an image that is pushed needs a name", hint="give it one: -t REGISTRY/NAME:TAG", exit_code=2
        )
    found = []
    for name in names:
        reference = Reference.parse(name, default_tag=not output.by_digest)
        if output.by_digest and reference.tag:
            raise KezuriError.of(
                f"push-by-digest: {name} has a tag, and an image that is pushed by its digest gets none",
                hint=f"write name={reference._replace(tag='').familiar}",
                exit_code=2,
            )
        found.append(reference)
    return tuple(found)
