"""References to images, descriptors to blobs: read from a registry or its mirrors, written to the registry."""

import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci import Descriptor, Platform, Reference
from kezuri.oci.descriptor import DOCUMENTS, encoded, valid_digest
from kezuri.registry.challenge import Anonymous, Credentials
from kezuri.registry.config import Endpoint, RegistryConfig
from kezuri.registry.exchange import Ask, Exchanges
from kezuri.registry.failure import Refused, WrongBytes, explain
from kezuri.registry.retry import Backoff, Clock, Patience, Stopped, passing
from kezuri.registry.wire import Answer, Transport, TransportError

if TYPE_CHECKING:
    from kezuri.registry.image import Document, Resolved
    from kezuri.registry.place import Place
    from kezuri.registry.sink import BlobSink, Progress
    from kezuri.registry.stream import BlobStream
    from kezuri.registry.upload import BlobSource, Uploaded

_ACCEPT = ",".join(DOCUMENTS)
_PARALLEL = 4
_T = TypeVar("_T")


def _sockets(config: RegistryConfig) -> Transport:
    from kezuri.registry.transport import SocketTransport

    return SocketTransport(config)


def _silent(_: Diagnostic) -> None:
    return None


class Registry:
    """Every registry that references name. Use it in a `with`; threads may share it.

    Errors are KezuriError with exit code 125 that name the reference; `warn` hears of what is odd but no error.
    """

    def __init__(
        self,
        config: RegistryConfig | None = None,
        transport: Callable[[RegistryConfig], Transport] = _sockets,
        credentials: Credentials | None = None,
        warn: Callable[[Diagnostic], None] = _silent,
        clock: Clock | None = None,
    ) -> None:
        self._config = config if config is not None else RegistryConfig()
        self._factory = transport
        self._credentials: Credentials = credentials if credentials is not None else Anonymous()
        self._warn = warn
        self._backoff = Backoff(clock if clock is not None else Clock())
        self._stop = threading.Event()
        self._stops: set[threading.Event] = set()
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._exchanges: Exchanges | None = None
        self._served: dict[str, Endpoint] = {}
        self._troubled: set[str] = set()
        self._busy: dict[str, threading.Lock] = {}
        self._sending = threading.Semaphore(_PARALLEL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Call off what is under way and close the connections."""
        self._stop.set()
        with self._lock:
            for stop in self._stops:
                stop.set()
            if self._transport is not None:
                self._transport.close()

    def resolve(self, reference: Reference, platform: Platform) -> "Resolved":
        """The image for a platform that a reference names, with manifest and config; its layers are not fetched.

        Asked for by digest, the bytes must have it; asked for by tag, what came is hashed here. Memory: at most three
        documents of 8 MiB.
        """
        from kezuri.registry.image import resolve_image

        def at(endpoint: Endpoint) -> "Resolved":
            root = self._document(reference, endpoint, reference.digest or reference.tag, None)
            resolved = resolve_image(
                root,
                platform,
                lambda child: self._document(reference, endpoint, child.digest, child),
                lambda config: self._small(reference, endpoint, config),
                str(reference),
                endpoint.host,
                self._warn,
            )
            with self._lock:
                self._served[reference.repository] = endpoint._replace(patient=True)
            return resolved

        return self._unless_stopped(reference, lambda: self._anywhere(reference, str(reference), at))

    def head(self, reference: Reference) -> Descriptor | None:
        """What the reference names now, without fetching it (this does not count against pull limits); None when there
        is no such tag. A registry that does not say a digest is asked for the document itself."""

        def at(endpoint: Endpoint) -> Descriptor | None:
            name = reference.digest or reference.tag
            ask = Ask(endpoint, f"manifests/{name}", "HEAD", {"Accept": _ACCEPT})
            try:
                with self._open(ask, self._patience(self._stop, endpoint)) as answer:
                    digest = answer.headers.get("docker-content-digest").strip()
                    size = answer.headers.length()
                    media_type = answer.headers.get("content-type").partition(";")[0].strip()
            except Refused as error:
                if error.failure.status == 404 and not endpoint.mirror_of:
                    return None
                raise
            if media_type in DOCUMENTS and size is not None and valid_digest(digest):
                return Descriptor(media_type, digest, size)
            return self._document(reference, endpoint, name, None).descriptor

        return self._unless_stopped(reference, lambda: self._anywhere(reference, str(reference), at))

    def fetch(
        self, reference: Reference, descriptor: Descriptor, sink: "BlobSink", progress: "Progress | None" = None
    ) -> None:
        """Bring one blob into a sink that does not have it. `progress` hears (bytes there, size), also of fewer than
        before when a blob has to be begun anew. KezuriError when it cannot be had whole and right."""
        self._unless_stopped(reference, lambda: self._fetch(reference, descriptor, sink, progress, self._stop))

    def fetch_all(
        self,
        reference: Reference,
        descriptors: Iterable[Descriptor],
        sink: "BlobSink",
        progress: Callable[[Descriptor, int, int], None] | None = None,
    ) -> None:
        """Bring blobs into a sink, four at a time, the largest first. The first error ends the others and is raised;
        `progress` hears (descriptor, bytes there, size) from several threads."""

        def one(descriptor: Descriptor, hear: "Progress | None", stop: threading.Event) -> None:
            self._fetch(reference, descriptor, sink, hear, stop)

        self._together(descriptors, one, progress, f"{reference}: the pull was called off")

    def document(self, reference: Reference) -> "Document":
        """The manifest or the index that the reference names, as it is: no platform is chosen."""

        def at(endpoint: Endpoint) -> "Document":
            return self._document(reference, endpoint, reference.digest or reference.tag, None)

        return self._unless_stopped(reference, lambda: self._anywhere(reference, str(reference), at))

    def upload(
        self,
        reference: Reference,
        descriptor: Descriptor,
        source: "BlobSource",
        progress: "Progress | None" = None,
        known_in: Iterable[str] = (),
    ) -> "Uploaded":
        """Have one blob in the repository of the reference, and how that came about. It is looked for there, then taken
        over from a repository of the same registry that `known_in` names as having it (by its path), then sent.
        `progress` hears (bytes sent, size), also of fewer than before when it is sent anew. KezuriError when the blob
        cannot be read, or the registry does not take it."""
        what = f"{reference.repository}: blob {descriptor.digest}"
        return self._writing(
            reference,
            what,
            self._stop,
            lambda place: self._upload(place, reference, descriptor, source, progress, known_in),
        )

    def upload_all(
        self,
        reference: Reference,
        descriptors: Iterable[Descriptor],
        source: "BlobSource",
        progress: Callable[[Descriptor, int, int], None] | None = None,
        known_in: Iterable[str] = (),
    ) -> dict[str, "Uploaded"]:
        """Have blobs in the repository of the reference, four at a time, the largest first; how each of them (by its
        digest) came to be there. `known_in` as in `upload`. The first error ends the others and is raised; `progress`
        hears (descriptor, bytes sent, size) from several threads."""
        sources = tuple(known_in)
        how = self.upload_each(
            [(reference, descriptor) for descriptor in descriptors],
            source,
            None if progress is None else lambda _, *heard: progress(*heard),
            lambda _, digest: sources,
        )
        return {digest: one for (_, digest), one in how.items()}

    def upload_each(
        self,
        wanted: Iterable[tuple[Reference, Descriptor]],
        source: "BlobSource",
        progress: Callable[[Reference, Descriptor, int, int], None] | None = None,
        known_in: Callable[[Reference, str], Iterable[str]] = lambda reference, digest: (),
    ) -> dict[tuple[Reference, str], "Uploaded"]:
        """As `upload_all`, of blobs for several repositories: four at a time in all, whoever calls. `progress` and
        `known_in` are told the repository first."""
        pairs = {(reference, descriptor.digest): descriptor for reference, descriptor in wanted}
        how: dict[tuple[Reference, str], Uploaded] = {}

        def one(pair: tuple[Reference, str], stop: threading.Event) -> None:
            reference, descriptor = pair[0], pairs[pair]
            hear = None if progress is None else lambda now, whole: progress(reference, descriptor, now, whole)
            how[pair] = self._writing(
                reference,
                f"{reference.repository}: blob {descriptor.digest}",
                stop,
                lambda place: self._upload(
                    place, reference, descriptor, source, hear, known_in(reference, descriptor.digest)
                ),
            )

        if pairs:
            from kezuri.registry.parallel import at_once

            ordered = sorted(pairs, key=lambda pair: -pairs[pair].size)
            self._stoppable(
                lambda stop: at_once(ordered, lambda pair: one(pair, stop), _PARALLEL, stop, self.close),
                f"{ordered[0][0]}: the push was called off",
            )
        return how

    def put(self, reference: Reference, raw: bytes, media_type: str) -> Descriptor:
        """Put a manifest or an index whose content is in the repository, by the reference's tag; by its digest where
        the reference has no tag. What it refers to (`subject`) is noted by the registry, or by the tag that stands in
        for its list. KezuriError when the registry does not take it."""
        from kezuri.registry import publication

        return self._writing(
            reference,
            str(reference),
            self._stop,
            lambda place: publication.put(place, reference, raw, media_type, self._warn),
        )

    def named(self, reference: Reference) -> str:
        """The digest of what the reference's tag names at the registry itself, not at a mirror; empty for nothing."""
        from kezuri.registry import manifests

        return self._writing(
            reference,
            str(reference),
            self._stop,
            lambda place: manifests.named(place, reference.digest or reference.tag, place.patience()),
        )

    def writable(self, reference: Reference) -> None:
        """Find out whether the repository may be written to, by beginning an upload and calling it off: KezuriError
        when not."""
        from kezuri.registry.upload import probe

        self._writing(reference, reference.repository, self._stop, probe)

    def tags(self, reference: Reference) -> Iterator[str]:
        """The tags of the reference's repository, in the registry's order, asked for a page at a time."""
        from kezuri.registry import pages

        where = reference.repository
        found = self._writing(reference, where, self._stop, lambda place: pages.tags(place, where))
        while (tag := self._writing(reference, where, self._stop, lambda _: next(found, ""))) != "":
            yield tag

    def referrers(self, reference: Reference, digest: str, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """What refers to a digest of the reference's repository: all of it, or what is of one artifact type."""
        from kezuri.registry import referrers

        return self._writing(
            reference,
            f"{reference.repository}@{digest}",
            self._stop,
            lambda place: referrers.referrers(place, digest, artifact_type, f"{reference.repository}@{digest}"),
        )

    def delete(self, reference: Reference) -> None:
        """Delete what the reference names: by a digest the manifest with all its tags, by a tag the tag alone, which
        not every registry can."""
        from kezuri.registry import manifests

        self._writing(
            reference,
            str(reference),
            self._stop,
            lambda place: manifests.delete(place, reference.digest or reference.tag, place.patience()),
        )

    def _upload(
        self,
        place: "Place",
        reference: Reference,
        descriptor: Descriptor,
        source: "BlobSource",
        progress: "Progress | None",
        known_in: Iterable[str],
    ) -> "Uploaded":
        from kezuri.registry.upload import Upload

        with self._lock:
            busy = self._busy.setdefault(f"{reference.repository}@{descriptor.digest}", threading.Lock())
        with busy, self._sending:  # of two images with the same layer one sends it, the other finds it there
            return Upload(place, source).bring(descriptor, known_in, progress)

    def _writing(self, reference: Reference, what: str, stop: threading.Event, work: "Callable[[Place], _T]") -> _T:
        """Do something at the registry that the reference names itself."""
        from kezuri.registry.place import Place

        place = Place(self._config.home(reference), self._exchange(), self._backoff, self._config.tries, stop)
        try:
            return work(place)
        except Stopped:
            if stop is not self._stop and not self._stop.is_set():
                raise
            raise KezuriError.of(f"{reference}: the push was called off", exit_code=125) from None
        except (TransportError, Refused) as error:
            raise explain(what, place.host, error, writing=True) from None

    def _together(
        self,
        descriptors: Iterable[Descriptor],
        work: "Callable[[Descriptor, Progress | None, threading.Event], None]",
        progress: Callable[[Descriptor, int, int], None] | None,
        called_off: str,
    ) -> None:
        """Do something with several blobs at the same time, until the first error or until it is called off: then
        `called_off` is what is said."""
        from kezuri.registry.parallel import in_parallel

        self._stoppable(
            lambda stop: in_parallel(descriptors, lambda d, p: work(d, p, stop), progress, _PARALLEL, stop, self.close),
            called_off,
        )

    def _stoppable(self, work: Callable[[threading.Event], None], called_off: str) -> None:
        """Do work that ends when the event is set that it is given; with this text when everything is called off."""
        stop = threading.Event()
        with self._lock:
            self._stops.add(stop)
        try:
            if self._stop.is_set():
                stop.set()
            work(stop)
            if self._stop.is_set():
                raise KezuriError.of(called_off, exit_code=125)
        finally:
            with self._lock:
                self._stops.discard(stop)

    def stream(
        self, reference: Reference, descriptor: Descriptor, count: Callable[[int], None] = lambda _: None
    ) -> "BlobStream":
        """The bytes of one blob as they come, to be used in a `with`; they are kept nowhere. `count` hears how many
        came. Read to its end it is the blob or KezuriError; ended before, nothing is proved of what was read. A mirror
        that fails once it has begun is not replaced by another endpoint: what is read is of one origin."""
        from kezuri.registry.stream import BlobStream

        encoded(descriptor.digest, str(reference))
        what = f"{reference}: blob {descriptor.digest}"

        def at(endpoint: Endpoint) -> BlobStream:
            patience = self._patience(self._stop, endpoint)
            ask = Ask(endpoint, f"blobs/{descriptor.digest}", document=False)

            def failed(error: TransportError | Refused | WrongBytes | Stopped) -> KezuriError:
                if isinstance(error, Stopped):
                    return KezuriError.of(f"{reference}: the pull was called off", exit_code=125)
                return explain(what, endpoint.host, error)

            stream = BlobStream(
                lambda headers: self._open(ask._replace(headers=headers), patience),
                descriptor,
                endpoint.host,
                patience,
                failed,
                count,
            )
            stream.dial()
            return stream

        return self._unless_stopped(reference, lambda: self._anywhere(reference, what, at))

    def _fetch(
        self,
        reference: Reference,
        descriptor: Descriptor,
        sink: "BlobSink",
        progress: "Progress | None",
        stop: threading.Event,
    ) -> None:
        with self._lock:
            busy = self._busy.setdefault(descriptor.digest, threading.Lock())
        with busy:  # of two stages with the same base one fetches, the other finds it there
            if not sink.has(descriptor.digest):
                encoded(descriptor.digest, str(reference))
                what = f"{reference}: blob {descriptor.digest}"

                def at(endpoint: Endpoint) -> None:
                    self._blob(endpoint, descriptor, sink, stop, progress)

                self._anywhere(reference, what, at)
        if progress is not None:
            progress(descriptor.size, descriptor.size)

    def _document(self, reference: Reference, endpoint: Endpoint, name: str, expected: Descriptor | None) -> "Document":
        from kezuri.registry.documents import fetched

        wanted = expected.digest if expected is not None else reference.digest
        where = str(reference) if expected is None else f"{reference}: {expected.digest}"
        patience = self._patience(self._stop, endpoint)
        return fetched(self._open, endpoint, name, wanted, expected, where, patience, self._warn)

    def _small(self, reference: Reference, endpoint: Endpoint, descriptor: Descriptor) -> bytes:
        from kezuri.registry.sink import MemorySink

        sink = MemorySink()
        self._blob(endpoint, descriptor, sink, self._stop, None, document=True)
        return sink.blobs[descriptor.digest]

    def _blob(
        self,
        endpoint: Endpoint,
        descriptor: Descriptor,
        sink: "BlobSink",
        stop: threading.Event,
        progress: "Progress | None",
        document: bool = False,
    ) -> None:
        from kezuri.registry.blob import download

        patience = self._patience(stop, endpoint)
        path = f"blobs/{descriptor.digest}"
        with sink.writer(descriptor) as writer:
            download(
                lambda headers: self._open(Ask(endpoint, path, headers=headers, document=document), patience),
                descriptor,
                writer,
                endpoint.host,
                patience,
                progress,
            )

    def _unless_stopped(self, reference: Reference, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except Stopped:
            raise KezuriError.of(f"{reference}: the pull was called off", exit_code=125) from None

    def _anywhere(self, reference: Reference, what: str, at: Callable[[Endpoint], _T]) -> _T:
        """Do something at the first endpoint that can; the one that served the repository before is asked first.

        A mirror gets one try and a short time as long as there is another endpoint, and is not asked again once it was
        in trouble. Requests are repeated only where no other endpoint is left.
        """
        endpoints = list(self._config.endpoints(reference))
        served = self._served.get(reference.repository)
        if served in endpoints:
            endpoints.remove(served)
            endpoints.insert(0, served)
        failed: list[str] = []
        answered: KezuriError | None = None
        *others, last = endpoints
        for endpoint in others:
            if endpoint.host in self._troubled:
                continue
            try:
                return at(endpoint._replace(patient=not endpoint.mirror_of))
            except (TransportError, Refused, WrongBytes, KezuriError) as error:
                if isinstance(error, KezuriError) and error.__cause__ is not None:
                    raise  # a full disk is no better at the next endpoint
                answered = answered or (error if isinstance(error, KezuriError) else None)
                kind = "mirror" if endpoint.mirror_of else "registry"
                failed.append(f"the {kind} {endpoint.host} did not have it: {error}")
                if endpoint.mirror_of and _is_trouble(error):
                    self._troubled.add(endpoint.host)
        try:
            return at(last)
        except (TransportError, Refused, WrongBytes) as error:
            if isinstance(error, TransportError) and answered is not None:
                raise answered from None  # What a mirror says of the image holds where nobody can be asked further.
            raise explain(what, last.host, error, tuple(failed)) from None

    def _open(self, ask: Ask, patience: Patience) -> Answer:
        return self._exchange().open(ask, patience)

    def _exchange(self) -> Exchanges:
        with self._lock:
            if self._exchanges is None:
                self._transport = self._factory(self._config)
                self._exchanges = Exchanges(self._transport, self._config, self._credentials)
            return self._exchanges

    def _patience(self, stop: threading.Event, endpoint: Endpoint) -> Patience:
        return Patience(self._backoff, self._config.tries, stop, endpoint.patient)


def _is_trouble(error: Exception) -> bool:
    """Whether this is an endpoint's own trouble, rather than that it lacks one image or does not give it out."""
    return isinstance(error, TransportError) or (
        isinstance(error, Refused) and passing(error.failure.status, error.failure.codes)
    )
