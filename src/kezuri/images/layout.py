"""The images of a layout on this machine: found by name, tag or digest, and copied out."""

import os
import threading
from collections.abc import Callable, Iterable
from hashlib import sha256
from types import TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from kezuri.diagnostics import Diagnostic, KezuriError, nearest
from kezuri.oci import INDEX, Descriptor, Index, Platform, Reference, canonical, digest_of
from kezuri.oci.descriptor import CONTAINERD_NAME, REF_NAME, valid_digest
from kezuri.registry.image import Document, Resolved, read_document, resolve_image
from kezuri.store.layout_reader import LayoutReader, damaged, read_layout, wrong

if TYPE_CHECKING:
    from kezuri.registry.sink import BlobSink, BlobWriter, Progress

_CHUNK = 1 << 20


class LayoutAddress(NamedTuple):
    """`oci-layout://PATH[:TAG|@DIGEST]`; `selector` is the tag (or full image name) or the digest, or empty."""

    path: str
    selector: str = ""

    @classmethod
    def parse(cls, text: str, exists: Callable[[str], bool] = os.path.exists) -> "LayoutAddress":
        """From what a user writes, with or without `oci-layout://`. The tag may be a full image name, which has colons
        and slashes of its own: the longest path that exists ends where the tag begins. Nothing is opened."""
        rest = text.removeprefix("oci-layout://")
        head, at, digest = rest.rpartition("@")
        if at and valid_digest(digest):
            path = head if exists(head) else cls.parse(head, exists).path
            return cls(path, digest)
        if at and (digest.startswith("sha256:") or (":" in digest and exists(head))):
            raise KezuriError.of(f"{text}: {digest!r} is not a digest (of sha256)", exit_code=2)
        colons = [i for i, c in enumerate(rest) if c == ":"]
        for end in (len(rest), *reversed(colons)):
            if exists(rest[:end]) and rest[:end]:
                return cls(rest[:end], rest[end + 1 :])
        end = colons[0] if colons else len(rest)
        return cls(rest[:end], rest[end + 1 :])


class Layout:
    """An OCI image layout. Use it in a `with`; threads may share it. Errors are KezuriError with exit code 125 that
    name the layout's path."""

    def __init__(self, reader: LayoutReader, warn: Callable[[Diagnostic], None]) -> None:
        self.path = reader.path
        self._reader = reader
        self._index = reader.index
        self._warn = warn
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)

    def names(self) -> list[str]:
        """The names that the images have, in the layout's order, the fullest where one has two."""
        return list(dict.fromkeys(n for e in self._index.manifests if (n := _full_name(e) or _bare_name(e))))

    def resolve(self, selector: str, platform: Platform) -> Resolved:
        """The image of that name, tag or digest for a platform. Without a selector the layout's only image, or the one
        that is tagged `latest`."""
        where = self._where(selector)
        root = self.root(selector)
        resolved = resolve_image(
            root,
            platform,
            lambda child: self._document(child, where),
            lambda config: self._reader.read(config, where),
            where,
            self.path,
            self._warn,
        )
        # An index that was put together here is none that somebody else knows.
        known = self._reader.size(root.descriptor.digest) is not None
        return resolved if known else resolved._replace(index_digest="")

    def root(self, selector: str) -> Document:
        """The manifest or index of that name, tag or digest, with its entry's annotations; without a selector the
        layout's only image, or the one that is tagged `latest`. Where a name has one entry for each platform, an index
        of them."""
        where = self._where(selector)
        if valid_digest(selector):
            return self._by_digest(selector, where)
        found = self._named(selector)
        if len(found) == 1:
            return self._document(found[0], where)
        content = Index(tuple(e.unnamed() for e in found))
        raw = canonical(content.to_json())
        return Document(Descriptor(INDEX, digest_of(raw), len(raw), found[0].annotations), raw, content)

    def entries(self) -> tuple[Descriptor, ...]:
        """What the layout's index lists."""
        return self._index.manifests

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return valid_digest(digest) and self._reader.size(digest) is not None

    def document(self, descriptor: Descriptor) -> Document:
        """The manifest or index that a descriptor names, verified."""
        return self._document(descriptor, self.path)

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob, which has the size that its descriptor says; its bytes are for the caller to verify."""
        return self._reader.open(descriptor, self.path)

    def _where(self, selector: str) -> str:
        return f"{self.path}: {selector}" if selector else self.path

    def fetch(self, descriptor: Descriptor, sink: "BlobSink", progress: "Progress | None" = None) -> None:
        """Copy one blob into a sink that does not have it, checked on the way."""
        with self._lock:
            busy = self._busy.setdefault(descriptor.digest, threading.Lock())
        with busy:
            if not sink.has(descriptor.digest):
                with self._reader.open(descriptor, self.path) as file, sink.writer(descriptor) as writer:
                    writer.restart()
                    try:
                        self._copy(file, descriptor, writer, progress)
                    except BaseException:
                        writer.restart()  # half a copy of a local file is not worth keeping
                        raise
        if progress is not None:
            progress(descriptor.size, descriptor.size)

    def _copy(self, file: IO[bytes], descriptor: Descriptor, writer: "BlobWriter", progress: "Progress | None") -> None:
        hashed, rest = sha256(), descriptor.size
        while rest and (piece := self._reader.piece(file, min(_CHUNK, rest))):
            hashed.update(piece)
            writer.write(piece)
            rest -= len(piece)
            if progress is not None:
                progress(descriptor.size - rest, descriptor.size)
        if rest or "sha256:" + hashed.hexdigest() != descriptor.digest:
            raise damaged(descriptor, f"its digest is sha256:{hashed.hexdigest()}", self.path)
        writer.commit()

    def fetch_all(
        self,
        descriptors: Iterable[Descriptor],
        sink: "BlobSink",
        progress: Callable[[Descriptor, int, int], None] | None = None,
    ) -> None:
        """Copy blobs, two at a time, the largest first; the first error ends the others and is raised."""
        from kezuri.registry.parallel import in_parallel

        in_parallel(descriptors, lambda d, p: self.fetch(d, sink, p), progress, 2, threading.Event())

    def _named(self, selector: str) -> list[Descriptor]:
        # What refers to an image, and is told apart by its type, is not what is meant without a name.
        entries = tuple(e for e in self._index.manifests if selector or not e.artifact_type or _bare_name(e))
        if not entries:
            raise wrong(self.path, "the layout holds no images")
        if not selector:
            if len({e.digest for e in entries}) == 1:
                return [entries[0]]
            if len({_full_name(e) or _bare_name(e) for e in entries}) == 1:
                return list(entries)
            selector = "latest"
            found = [e for e in entries if selector == _bare_name(e)]
            if not found:
                raise wrong(self.path, f"the layout holds {len(entries)} images, and none was named", self._choices(""))
            return _distinct(found)
        found = [e for e in entries if selector in (e.annotations.get(REF_NAME), e.annotations.get(CONTAINERD_NAME))]
        if not found and (wanted := Reference.maybe(selector)) is not None:
            found = [e for e in entries if (n := _full_name(e)) and Reference.maybe(n) == wanted]
        if not found:  # a bare tag of images that carry full names: good if it can mean only one of them
            found = [e for e in entries if _full_name(e).rpartition("/")[2].partition(":")[2] == selector]
            if len({_full_name(e) for e in found}) > 1:
                raise wrong(self.path, f"several images are tagged {selector!r}", self._choices(selector))
        if not found:
            raise wrong(self.path, f"the layout holds no image {selector!r}", self._choices(selector))
        return _distinct(found)

    def _choices(self, selector: str) -> str:
        names = self.names()
        short = {reference.familiar: n for n in names if (reference := Reference.maybe(n)) is not None}
        near = nearest(selector, [*names, *short]) if selector else None
        if near:
            return f"did you mean {near!r}?"
        alike = [n for n in names if selector and selector.rpartition("/")[2].partition(":")[0] in n]
        names = alike or names
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return f"it holds: {', '.join(names[:20])}{more}" if names else "none of its images has a name: use @DIGEST"

    def _by_digest(self, digest: str, where: str) -> Document:
        for entry in self._index.manifests:
            if entry.digest == digest:
                return self._document(entry, where)
        size = self._reader.size(digest)
        if size is None:
            raise wrong(self.path, f"the layout holds no image with digest {digest}", self._choices(""))
        return self._document(Descriptor("", digest, size), where)

    def _document(self, descriptor: Descriptor, where: str) -> Document:
        raw = self._reader.read(descriptor, where)
        document = read_document(raw, descriptor.media_type, f"{where}: {descriptor.digest}")
        return document._replace(descriptor=descriptor._replace(media_type=document.descriptor.media_type))


def open_layout(path: str, warn: Callable[[Diagnostic], None] = lambda _: None) -> Layout:
    """The images of the layout at a path, a directory or an uncompressed tar of one. KezuriError when it is none."""
    return Layout(read_layout(path), warn)


def _full_name(entry: Descriptor) -> str:
    """The entry's name with its repository, or an empty text."""
    full = entry.annotations.get(CONTAINERD_NAME, "")
    name = entry.annotations.get(REF_NAME, "")
    return full or (name if "/" in name or ":" in name else "")


def _bare_name(entry: Descriptor) -> str:
    return entry.annotations.get(REF_NAME, "")


def _distinct(entries: list[Descriptor]) -> list[Descriptor]:
    return list({e.digest: e for e in entries}.values())
