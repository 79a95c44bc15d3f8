"""The names of images: the index.json of the store's image layout, which other tools can read as it stands."""

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from kezuri.diagnostics import KezuriError
from kezuri.linux.descriptors import write_all
from kezuri.oci.descriptor import CONTAINERD_NAME, REF_NAME, Descriptor, Index, valid_digest

_OURS = "dev.kezuri."
CHOSEN_FROM = "dev.kezuri.chosen-from"
"""The annotation with the digest of the index that a pulled image was chosen from, which its registry knows it by."""

SUBJECT = "dev.kezuri.subject"
"""The annotation with the digest of what an entry without a name refers to: such an entry is no image by itself."""


class Names:
    """Which name stands for which manifest or index. Names are references in full (`docker.io/library/app:v1`, or
    `docker.io/library/app@sha256:…` for what was pulled by its digest). An image without a name has one entry, and so
    has what refers to an image (a signature, an SBOM)."""

    def __init__(self, root: str) -> None:
        self._path = os.path.join(root, "index.json")
        self._lock = os.path.join(root, "locks", "index")

    def all(self) -> dict[str, Descriptor]:
        """Every name with its descriptor, in the order of the file."""
        return {d.annotations[REF_NAME]: d for d in self._read() if REF_NAME in d.annotations}

    def get(self, name: str) -> Descriptor | None:
        """The descriptor that a full name stands for."""
        for descriptor in self._read():
            if descriptor.annotations.get(REF_NAME) == name:
                return descriptor
        return None

    def untagged(self) -> list[Descriptor]:
        """The images without a name: built without one, or left behind by a name that went to another image. What
        another tool entered under a digest of another algorithm is none that the store can hold."""
        return [d for d in self._nameless() if SUBJECT not in d.annotations]

    def referring(self) -> list[Descriptor]:
        """What refers to images, each with the SUBJECT annotation."""
        return [d for d in self._nameless() if SUBJECT in d.annotations]

    def refer(self, descriptor: Descriptor, subject: str) -> None:
        """Keep what refers to the image with this digest, for as long as that is kept. Nothing is written when it is
        there already, by whatever name."""
        self.keep(descriptor._replace(annotations={SUBJECT: subject}))

    def _nameless(self) -> list[Descriptor]:
        return [d for d in self._read() if REF_NAME not in d.annotations and valid_digest(d.digest)]

    def version(self) -> tuple[int, int]:
        """What changes with every change of a name."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return (0, 0)
        return (status.st_ino, status.st_ctime_ns)

    def put(self, name: str, descriptor: Descriptor) -> None:
        """Let the name stand for the descriptor from now on. The image that had the name stays, without one if it has
        no other."""
        self.put_all((name,), descriptor)

    def put_all(self, names: Iterable[str], descriptor: Descriptor) -> None:
        """Let all the names stand for the descriptor, at once. The images that had them stay."""
        known = self.all()
        new = {name: None for name in names if name not in known or not _alike(known[name], descriptor)}
        if not new:
            return

        def change(entries: list[Descriptor]) -> list[Descriptor]:
            kept = [e for e in entries if e.annotations.get(REF_NAME) not in new]
            named = {descriptor.digest, *(e.digest for e in kept)}
            for displaced in (e for e in entries if e.annotations.get(REF_NAME) in new):
                if displaced.digest not in named:
                    named.add(displaced.digest)
                    kept.append(displaced.unnamed())
            kept = [e for e in kept if REF_NAME in e.annotations or e.digest != descriptor.digest]
            notes = descriptor.unnamed().annotations
            for name in new:
                kept.append(descriptor._replace(annotations={**notes, REF_NAME: name, CONTAINERD_NAME: name}))
            return kept

        self._change(change)

    def keep(self, descriptor: Descriptor) -> None:
        """Keep an image that has no name. Nothing is written when it is there already, by whatever name."""
        if any(e.digest == descriptor.digest for e in self._read()):
            return

        def change(entries: list[Descriptor]) -> list[Descriptor]:
            there = any(e.digest == descriptor.digest for e in entries)
            return entries if there else [*entries, descriptor.unnamed()]

        self._change(change)

    def drop(self, digest: str) -> None:
        """Keep the image without a name no longer."""
        self._change(lambda entries: [e for e in entries if e.digest != digest or REF_NAME in e.annotations])

    def delete(self, name: str) -> Descriptor | None:
        """Forget the name; its descriptor, or None when there was none."""
        found: list[Descriptor] = []

        def change(entries: list[Descriptor]) -> list[Descriptor]:
            found.extend(e for e in entries if e.annotations.get(REF_NAME) == name)
            return [e for e in entries if e.annotations.get(REF_NAME) != name]

        self._change(change)
        return found[0] if found else None

    def _read(self) -> list[Descriptor]:
        try:
            with open(self._path, "rb") as file:
                return list(Index.parse(file.read(), self._path).manifests)
        except FileNotFoundError:
            return []
        except KezuriError:
            raise KezuriError.of(
                f"{self._path} is damaged", hint="`kezuri store check --repair` makes a new one", exit_code=125
            ) from None

    def _change(self, change: Callable[[list[Descriptor]], list[Descriptor]]) -> None:
        with locked(self._lock):
            before = self._read()
            entries = change(before)
            data = json.dumps(Index(tuple(entries)).to_json(), indent=1, ensure_ascii=False).encode() + b"\n"
            try:
                publish(self._path, data)
            except KezuriError:
                if len(entries) >= len(before) or not _overwritten(self._path, data):
                    raise


def _overwritten(path: str, data: bytes) -> bool:
    """Put a shorter text in the place of a longer one, without taking any room: names that go make room on a full
    disk. Whether that was possible. Should the machine stop in the middle, the file is damaged, and `store check
    --repair` makes a new one."""
    try:
        with open(path, "r+b", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if len(data) > size:
                return False
            write_all(file.fileno(), data.ljust(size, b"\n"))
            file.truncate(len(data))
            os.fsync(file.fileno())
            return True
    except OSError:
        return False


def elsewhere(descriptor: Descriptor) -> Descriptor:
    """The descriptor without the annotations that only mean something in the place that it comes from: its names
    there, and what a store notes of an entry."""
    bare = descriptor.unnamed()
    notes = {key: value for key, value in bare.annotations.items() if not key.startswith(_OURS)}
    return bare._replace(annotations=notes)


def _alike(one: Descriptor, other: Descriptor) -> bool:
    """Whether two entries stand for the same image, which was found in the same way."""
    return (one.digest, one.size, one.annotations.get(CHOSEN_FROM)) == (
        other.digest,
        other.size,
        other.annotations.get(CHOSEN_FROM),
    )


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock that a file stands for; the kernel releases it when the process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def publish(path: str, data: bytes) -> None:
    """Put a small file in place: written aside, synced, renamed. KezuriError when the disk does not take it."""
    from kezuri.linux.disk import disk_error
    from kezuri.linux.replacement import replacement

    try:
        with replacement(path) as file:
            file.write(data)
    except OSError as error:
        raise disk_error(error, path) from error
