"""OCI image layouts, as directories or tar archives, as a source of images (image spec: image-layout.md)."""

import os
import stat
import threading
from collections.abc import Callable, Iterable
from hashlib import sha256
from types import TracebackType
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol, Self

from kezuri.diagnostics import Diagnostic, KezuriError, nearest
from kezuri.oci import INDEX, Descriptor, Index, Platform, Reference, digest_of
from kezuri.oci.descriptor import CONTAINERD_NAME, REF_NAME, encoded, valid_digest
from kezuri.registry.image import MOST_BYTES, Document, Resolved, read_document, resolve_image

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


class _Files(Protocol):
    """The files of a layout by their path in it."""

    def size(self, name: str) -> int | None: ...
    def open(self, name: str) -> IO[bytes]: ...
    def close(self) -> None: ...


class _Directory:
    def __init__(self, path: str) -> None:
        self._path = path

    def size(self, name: str) -> int | None:
        try:
            found = os.stat(os.path.join(self._path, name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open(self, name: str) -> IO[bytes]:
        # A blob that was replaced by a pipe must not hang us.
        fd = os.open(os.path.join(self._path, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        return os.fdopen(fd, "rb", buffering=0)

    def close(self) -> None:
        pass


class _Archive:
    """An uncompressed tar: its members are indexed once and read where they stand."""

    def __init__(self, path: str) -> None:
        import tarfile

        self._path = path
        self._members: dict[str, tuple[int, int]] = {}
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                name = os.path.normpath(member.name).lstrip("/")
                if member.isreg() and not member.issparse():
                    self._members[name] = (member.offset_data, member.size)

    def size(self, name: str) -> int | None:
        found = self._members.get(name)
        return found[1] if found else None

    def open(self, name: str) -> IO[bytes]:
        file = open(self._path, "rb", buffering=0)  # noqa: SIM115  # the caller's `with` holds it
        file.seek(self._members[name][0])
        return file

    def close(self) -> None:
        self._members.clear()


class Layout:
    """An OCI image layout. Use it in a `with`; threads may share it. Errors are KezuriError with exit code 125 that
    name the layout's path."""

    def __init__(self, path: str, files: _Files, index: Index, warn: Callable[[Diagnostic], None]) -> None:
        self.path = path
        self._files = files
        self._index = index
        self._warn = warn
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Lock] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def names(self) -> list[str]:
        """The names that the images have, in the layout's order, the fullest where one has two."""
        return list(dict.fromkeys(n for e in self._index.manifests if (n := _full_name(e) or _bare_name(e))))

    def resolve(self, selector: str, platform: Platform) -> Resolved:
        """The image of that name, tag or digest for a platform. Without a selector the layout's only image, or the one
        that is tagged `latest`."""
        where = f"{self.path}: {selector}" if selector else self.path
        if valid_digest(selector):
            root = self._by_digest(selector, where)
        else:
            found = self._named(selector)
            if len(found) == 1:
                root = self._document(found[0], where)
            else:  # one entry for each platform, all of the same name
                raw = digest_of(b"")
                root = Document(Descriptor(INDEX, raw, 0), b"", Index(tuple(found)))
        resolved = resolve_image(
            root,
            platform,
            lambda child: self._document(child, where),
            lambda config: self._read(config, where),
            where,
            self.path,
            self._warn,
        )
        return resolved if root.raw else resolved._replace(index_digest="")

    def fetch(self, descriptor: Descriptor, sink: "BlobSink", progress: "Progress | None" = None) -> None:
        """Copy one blob into a sink that does not have it, checked on the way."""
        with self._lock:
            busy = self._busy.setdefault(descriptor.digest, threading.Lock())
        with busy:
            if not sink.has(descriptor.digest):
                with self._open(descriptor, self.path) as file, sink.writer(descriptor) as writer:
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
        while rest and (piece := self._piece(file, min(_CHUNK, rest))):
            hashed.update(piece)
            writer.write(piece)
            rest -= len(piece)
            if progress is not None:
                progress(descriptor.size - rest, descriptor.size)
        if rest or "sha256:" + hashed.hexdigest() != descriptor.digest:
            raise self._damaged(descriptor, f"its digest is sha256:{hashed.hexdigest()}", self.path)
        writer.commit()

    def fetch_all(
        self,
        descriptors: Iterable[Descriptor],
        sink: "BlobSink",
        progress: Callable[[Descriptor, int, int], None] | None = None,
    ) -> None:
        """Copy blobs, two at a time, the largest first; the first error ends the others and is raised."""
        from kezuri.registry.client import fetch_in_parallel

        fetch_in_parallel(descriptors, lambda d, p: self.fetch(d, sink, p), progress, 2, threading.Event())

    def _named(self, selector: str) -> list[Descriptor]:
        entries = self._index.manifests
        if not entries:
            raise self._wrong(self.path, "the layout holds no images")
        if not selector:
            if len({e.digest for e in entries}) == 1:
                return [entries[0]]
            if len({_full_name(e) or _bare_name(e) for e in entries}) == 1:
                return list(entries)
            selector = "latest"
            found = [e for e in entries if selector == _bare_name(e)]
            if not found:
                raise self._wrong(
                    self.path, f"the layout holds {len(entries)} images, and none was named", self._choices("")
                )
            return _distinct(found)
        found = [e for e in entries if selector in (e.annotations.get(REF_NAME), e.annotations.get(CONTAINERD_NAME))]
        if not found and (wanted := _reference(selector)) is not None:
            found = [e for e in entries if (n := _full_name(e)) and _reference(n) == wanted]
        if not found:  # a bare tag of images that carry full names: good if it can mean only one of them
            found = [e for e in entries if _full_name(e).rpartition("/")[2].partition(":")[2] == selector]
            if len({_full_name(e) for e in found}) > 1:
                raise self._wrong(self.path, f"several images are tagged {selector!r}", self._choices(selector))
        if not found:
            raise self._wrong(self.path, f"the layout holds no image {selector!r}", self._choices(selector))
        return _distinct(found)

    def _choices(self, selector: str) -> str:
        names = self.names()
        short = {reference.familiar: n for n in names if (reference := _reference(n)) is not None}
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
        size = self._files.size(_blob(digest))
        if size is None:
            raise self._wrong(self.path, f"the layout holds no image with digest {digest}", self._choices(""))
        return self._document(Descriptor("", digest, size), where)

    def _document(self, descriptor: Descriptor, where: str) -> Document:
        raw = self._read(descriptor, where)
        document = read_document(raw, descriptor.media_type, f"{where}: {descriptor.digest}")
        return document._replace(descriptor=descriptor._replace(media_type=document.descriptor.media_type))

    def _read(self, descriptor: Descriptor, where: str) -> bytes:
        if descriptor.size > MOST_BYTES:
            raise self._wrong(where, f"{descriptor.digest}: larger than {MOST_BYTES >> 20} MiB")
        with self._open(descriptor, where) as file:
            raw = b""
            while len(raw) < descriptor.size and (piece := self._piece(file, descriptor.size - len(raw))):
                raw += piece
        if digest_of(raw) != descriptor.digest:
            raise self._damaged(descriptor, f"its digest is {digest_of(raw)}", where)
        return raw

    def _open(self, descriptor: Descriptor, where: str) -> IO[bytes]:
        name = _blob(descriptor.digest, where)
        size = self._files.size(name)
        if size is None:
            raise self._wrong(
                where, f"the blob {descriptor.digest} is missing", f"the layout is incomplete: there is no {name} in it"
            )
        if size != descriptor.size:
            raise self._damaged(descriptor, f"{size} bytes instead of {descriptor.size}", where)
        try:
            return self._files.open(name)
        except OSError as error:
            raise self._wrong(where, f"cannot read {name}: {error.strerror}") from None

    def _piece(self, file: IO[bytes], most: int) -> bytes:
        try:
            return file.read(most)
        except OSError as error:
            raise self._wrong(self.path, f"cannot be read: {error.strerror}") from None

    def _damaged(self, descriptor: Descriptor, how: str, where: str) -> KezuriError:
        return self._wrong(where, f"the blob {descriptor.digest} is damaged: {how}", "make the layout anew")

    @staticmethod
    def _wrong(where: str, message: str, hint: str = "") -> KezuriError:
        return KezuriError.of(f"{where}: {message}", hint=hint, exit_code=125)


def open_layout(path: str, warn: Callable[[Diagnostic], None] = lambda _: None) -> Layout:
    """The layout at a path, a directory or an uncompressed tar of one. KezuriError when it is none, saying why."""
    import json

    def wrong(message: str, hint: str = "") -> KezuriError:
        return KezuriError.of(f"{path}: {message}", hint=hint, exit_code=125)

    files: _Files
    if os.path.isdir(path):
        files = _Directory(path)
    else:
        import tarfile

        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise wrong("not an OCI image layout: neither a directory nor a file")
            files = _Archive(path)
        except FileNotFoundError:
            raise wrong("there is no such OCI image layout") from None
        except OSError as error:
            raise wrong(f"cannot be read: {error.strerror}") from None
        except (tarfile.TarError, ValueError, OverflowError, RecursionError):
            with open(path, "rb") as file:
                packed = (
                    file.read(4)[:2] in (b"\x1f\x8b", b"BZ", b"\xfd7") or file.seek(0) or file.read(4) == b"(\xb5/\xfd"
                )
            raise wrong(
                "not an OCI image layout: neither a directory nor a tar archive",
                "it is compressed: decompress it first" if packed else "",
            ) from None

    def read(name: str) -> bytes | None:
        size = files.size(name)
        if size is None:
            return None
        if size > MOST_BYTES:
            raise wrong(f"not an OCI image layout: {name} is larger than {MOST_BYTES >> 20} MiB")
        try:
            with files.open(name) as file:
                return file.read(size)
        except OSError as error:
            raise wrong(f"cannot read {name}: {error.strerror}") from None

    marker, index = read("oci-layout"), read("index.json")
    if marker is None or index is None:
        old = files.size("manifest.json") is not None
        raise wrong(
            f"not an OCI image layout: it has no {'oci-layout' if marker is None else 'index.json'}",
            "it is a `docker save` archive of the older form: convert it with "
            "`skopeo copy docker-archive:FILE oci:DIR`" if old else "",
        )  # fmt: skip
    try:
        version = json.loads(marker)["imageLayoutVersion"]
    except (ValueError, KeyError, TypeError, RecursionError):
        version = None
    if not isinstance(version, str) or version.partition(".")[0] != "1":
        raise wrong(f"not an OCI image layout of version 1: {version!r}")
    return Layout(path, files, Index.parse(index, f"{path}: index.json"), warn)


def _blob(digest: str, where: str = "") -> str:
    return f"blobs/sha256/{encoded(digest, where)}"


def _full_name(entry: Descriptor) -> str:
    """The entry's name with its repository, or an empty text."""
    full = entry.annotations.get(CONTAINERD_NAME, "")
    name = entry.annotations.get(REF_NAME, "")
    return full or (name if "/" in name or ":" in name else "")


def _bare_name(entry: Descriptor) -> str:
    return entry.annotations.get(REF_NAME, "")


def _distinct(entries: list[Descriptor]) -> list[Descriptor]:
    return list({e.digest: e for e in entries}.values())


def _reference(text: str) -> Reference | None:
    try:
        return Reference.parse(text)
    except KezuriError:
        return None
