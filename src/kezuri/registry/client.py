"""References to images, descriptors to blobs: read from a registry or its mirrors, written to the registry."""

import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci import Descriptor, Platform, Reference
from kezuri.oci.descriptor import encoded
from kezuri.registry.challenge import Anonymous, Credentials
from kezuri.registry.config import RegistryConfig
from kezuri.registry.endpoints import Endpoints
from kezuri.registry.failure import Refused, WrongBytes
from kezuri.registry.home import Home
from kezuri.registry.places import Places
from kezuri.registry.retry import Clock, Stopped
from kezuri.registry.wire import Transport, TransportError

if TYPE_CHECKING:
    from kezuri.registry.image import Document, Resolved
    from kezuri.registry.place import Place
    from kezuri.registry.sink import BlobSink, Progress
    from kezuri.registry.stream import BlobStream
    from kezuri.registry.upload import BlobSource, Uploaded

_PARALLEL = 4


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
        self._places = Places(
            config if config is not None else RegistryConfig(),
            transport,
            credentials if credentials is not None else Anonymous(),
            clock if clock is not None else Clock(),
        )
        self._endpoints = Endpoints(self._places)
        self._home = Home(self._places)
        self._warn = warn
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
        self._places.close()

    def resolve(self, reference: Reference, platform: Platform) -> "Resolved":
        """The image for a platform that a reference names, with manifest and config; its layers are not fetched.

        Asked for by digest, the bytes must have it; asked for by tag, what came is hashed here. Memory: at most three
        documents of 8 MiB.
        """
        from kezuri.registry.blob import read_small
        from kezuri.registry.documents import fetched
        from kezuri.registry.image import resolve_image

        def at(place: "Place") -> "Resolved":
            resolved = resolve_image(
                fetched(place, reference, self._warn),
                platform,
                lambda child: fetched(place, reference, self._warn, child),
                lambda config: read_small(place, config),
                str(reference),
                place.host,
                self._warn,
            )
            self._endpoints.served(reference, place.endpoint)
            return resolved

        return self._endpoints.read(reference, str(reference), at)

    def head(self, reference: Reference) -> Descriptor | None:
        """What the reference names now, without fetching it (this does not count against pull limits); None when there
        is no such tag. A registry that does not say a digest is asked for the document itself."""
        from kezuri.registry.documents import described

        return self._endpoints.read(reference, str(reference), lambda place: described(place, reference, self._warn))

    def fetch(
        self, reference: Reference, descriptor: Descriptor, sink: "BlobSink", progress: "Progress | None" = None
    ) -> None:
        """Bring one blob into a sink that does not have it. `progress` hears (bytes there, size), also of fewer than
        before when a blob has to be begun anew. KezuriError when it cannot be had whole and right."""
        self._fetch(reference, descriptor, sink, progress, None)

    def fetch_all(
        self,
        reference: Reference,
        descriptors: Iterable[Descriptor],
        sink: "BlobSink",
        progress: Callable[[Descriptor, int, int], None] | None = None,
    ) -> None:
        """Bring blobs into a sink, four at a time, the largest first. The first error ends the others and is raised;
        `progress` hears (descriptor, bytes there, size) from several threads."""
        from kezuri.registry.parallel import in_parallel

        def work(stop: threading.Event) -> None:
            def one(descriptor: Descriptor, hear: "Progress | None") -> None:
                self._fetch(reference, descriptor, sink, hear, stop)

            in_parallel(descriptors, one, progress, _PARALLEL, stop, self.close)

        self._places.together(work, f"{reference}: the pull was called off")

    def stream(
        self, reference: Reference, descriptor: Descriptor, count: Callable[[int], None] = lambda _: None
    ) -> "BlobStream":
        """The bytes of one blob as they come, to be used in a `with`; they are kept nowhere. `count` hears how many
        came. Read to its end it is the blob or KezuriError; ended before, nothing is proved of what was read. A mirror
        that fails once it has begun is not replaced by another endpoint: what is read is of one origin."""
        from kezuri.registry.stream import BlobStream

        encoded(descriptor.digest, str(reference))
        what = f"{reference}: blob {descriptor.digest}"

        def at(place: "Place") -> BlobStream:
            def failed(error: TransportError | Refused | WrongBytes | Stopped) -> KezuriError:
                if isinstance(error, Stopped):
                    return KezuriError.of(f"{reference}: the pull was called off", exit_code=125)
                from kezuri.registry.explanation import explain

                return explain(what, place.host, error)

            stream = BlobStream(place, descriptor, failed, count)
            stream.dial()
            return stream

        return self._endpoints.read(reference, what, at)

    def document(self, reference: Reference) -> "Document":
        """The manifest or the index that the reference names, as it is: no platform is chosen."""
        from kezuri.registry.documents import fetched

        return self._endpoints.read(reference, str(reference), lambda place: fetched(place, reference, self._warn))

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
        return self._upload(reference, descriptor, source, progress, known_in, None)

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
            sources = known_in(reference, descriptor.digest)
            how[pair] = self._upload(reference, descriptor, source, hear, sources, stop)

        if pairs:
            from kezuri.registry.parallel import at_once

            ordered = sorted(pairs, key=lambda pair: -pairs[pair].size)
            self._places.together(
                lambda stop: at_once(ordered, lambda pair: one(pair, stop), _PARALLEL, stop, self.close),
                f"{ordered[0][0]}: the push was called off",
            )
        return how

    def put(self, reference: Reference, raw: bytes, media_type: str) -> Descriptor:
        """Put a manifest or an index whose content is in the repository, by the reference's tag; by its digest where
        the reference has no tag. What it refers to (`subject`) is noted by the registry, or by the tag that stands in
        for its list. KezuriError when the registry does not take it."""
        from kezuri.registry import publication

        return self._home.do(
            reference,
            str(reference),
            lambda place: publication.put(place, reference, raw, media_type, self._warn),
        )

    def named(self, reference: Reference) -> str:
        """The digest of what the reference's tag names at the registry itself, not at a mirror; empty for nothing."""
        from kezuri.registry import manifests

        return self._home.do(
            reference,
            str(reference),
            lambda place: manifests.named(place, reference.digest or reference.tag, place.patience()),
        )

    def writable(self, reference: Reference) -> None:
        """Find out whether the repository may be written to, by beginning an upload and calling it off: KezuriError
        when not."""
        from kezuri.registry.upload import probe

        self._home.do(reference, reference.repository, probe)

    def tags(self, reference: Reference) -> Iterator[str]:
        """The tags of the reference's repository, in the registry's order, asked for a page at a time."""
        from kezuri.registry import pages

        where = reference.repository
        found = self._home.do(reference, where, lambda place: pages.tags(place, where))
        while (tag := self._home.do(reference, where, lambda _: next(found, ""))) != "":
            yield tag

    def known_tags(self, reference: Reference, most: int = 50_000) -> tuple[str, ...]:
        """The tags as whoever images are read from knows them, a mirror before the registry: it may know fewer. At most
        so many of them."""
        from itertools import islice

        from kezuri.registry import pages

        where = reference.repository
        return self._endpoints.read(reference, where, lambda place: tuple(islice(pages.tags(place, where), most)))

    def referrers(self, reference: Reference, digest: str, artifact_type: str = "") -> tuple[Descriptor, ...]:
        """What refers to a digest of the reference's repository: all of it, or what is of one artifact type."""
        from kezuri.registry import referrers

        return self._home.do(
            reference,
            f"{reference.repository}@{digest}",
            lambda place: referrers.referrers(place, digest, artifact_type, f"{reference.repository}@{digest}"),
        )

    def delete(self, reference: Reference) -> None:
        """Delete what the reference names: by a digest the manifest with all its tags, by a tag the tag alone, which
        not every registry can."""
        from kezuri.registry import manifests

        self._home.do(
            reference,
            str(reference),
            lambda place: manifests.delete(place, reference.digest or reference.tag),
        )

    def _fetch(
        self,
        reference: Reference,
        descriptor: Descriptor,
        sink: "BlobSink",
        progress: "Progress | None",
        stop: threading.Event | None,
    ) -> None:
        from kezuri.registry.blob import download

        # Of two stages with the same base one fetches, the other finds it there.
        with self._busy.setdefault(descriptor.digest, threading.Lock()):
            if not sink.has(descriptor.digest):
                encoded(descriptor.digest, str(reference))
                what = f"{reference}: blob {descriptor.digest}"

                def at(place: "Place") -> None:
                    with sink.writer(descriptor) as writer:
                        download(place, descriptor, writer, progress)

                self._endpoints.read(reference, what, at, stop)
        if progress is not None:
            progress(descriptor.size, descriptor.size)

    def _upload(
        self,
        reference: Reference,
        descriptor: Descriptor,
        source: "BlobSource",
        progress: "Progress | None",
        known_in: Iterable[str],
        stop: threading.Event | None,
    ) -> "Uploaded":
        from kezuri.registry.upload import Upload

        def at(place: "Place") -> "Uploaded":
            busy = self._busy.setdefault(f"{reference.repository}@{descriptor.digest}", threading.Lock())
            with busy, self._sending:  # of two images with the same layer one sends it, the other finds it there
                return Upload(place, source).bring(descriptor, known_in, progress)

        return self._home.do(reference, f"{reference.repository}: blob {descriptor.digest}", at, stop)
