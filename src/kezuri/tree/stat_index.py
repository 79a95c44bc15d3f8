"""What the bytes of files were when they were last read, so that unchanged files need not be read again."""

import errno
import hashlib
import os
import stat as modes
import struct
import threading
import time
from contextlib import suppress
from types import TracebackType

from kezuri.diagnostics import KezuriError
from kezuri.tree.tree import Stamp

_MAGIC = b"kezuri stat index 1\n"
_RECORD = struct.Struct("<QQQqqB32s")
_COUNT = struct.Struct("<Q")
_MAX_AGE = 16
_SETTLED = 2_000_000_000
"""Nanoseconds after which another write to a file shows in its times, whatever their granularity."""
_DIRTY = "/proc/sys/vm/dirty_"
_WITHOUT_WRITEBACK = frozenset({"tmpfs", "ramfs"})
"""File systems that never clean a page: after the first write through a mapping no other one changes the times."""
_KERNEL_CLOCK = frozenset(
    {"bcachefs", "btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs"}
    | {"overlay", "ramfs", "rootfs", "squashfs", "tmpfs", "xfs", "zfs"}
)
_CHUNK = 1 << 20


class StatIndex:
    """SHA-256 of file contents by device, inode, size, mtime, ctime and path, kept in one file per root.

    `directory` is where index files live, `root` the directory whose files this one is
    about (files elsewhere are known by their whole path). A file is trusted to be unchanged only if its times lay far
    enough back, by the clock of its own file system, when it was read: a later write then shows in its ctime. Two
    seconds are enough for write(2). A write through a mapping (mmap) changes the times only where it makes a clean
    page dirty, and the page stays dirty until the kernel writes it back: a file of which a page was dirty when it was
    read could change again without showing it. So the time after which the kernel writes dirty pages back is added,
    35 seconds by default, and files on tmpfs, which never writes back, are read by every build.

    Records that 16 saves have not seen are dropped. A damaged index is an empty one; two builds at once may both save,
    the last one wins. Several threads may ask at once.
    """

    def __init__(self, directory: str, root: str) -> None:
        self._directory = directory
        self._prefix = root if root.endswith("/") else root + "/"
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
        self._file = os.path.join(directory, name + ".index")
        self._lock = threading.Lock()
        self._old: dict[str, tuple[int, int, int, int, int, int, bytes]] | None = None
        self._new: dict[str, tuple[Stamp, bytes]] = {}
        self._used: set[str] = set()
        self._unsettled: list[tuple[str, Stamp, bytes]] = []
        self._newest: dict[int, int] = {}
        self._began = time.time_ns()
        self.hits = 0
        self.misses = 0

    def __enter__(self) -> "StatIndex":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def sha256(self, path: str, stamp: Stamp) -> bytes:
        """The digest of the file at `path` of this machine, which had this stamp when it was listed.

        KezuriError when it cannot be read, or is not the same file any more.
        """
        key = path.removeprefix(self._prefix)
        old = self._old
        if old is None:
            with self._lock:
                if self._old is None:
                    self._old = self._load()
                old = self._old
        record = old.get(key)
        if record is not None and record[:5] == stamp:
            self._used.add(key)
            self.hits += 1
            return record[6]
        known = self._new.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        digest = hash_file(path, stamp)
        self._new[key] = (stamp, digest)
        self.misses += 1
        return digest

    def close(self) -> None:
        """Save what was learnt. An index that cannot be saved is no error: it only costs time."""
        with self._lock:
            if not self._new:
                return
            learnt = self._settled()
            if learnt:
                self._save(learnt)
            self._new = {}

    def _settled(self) -> dict[str, tuple[Stamp, bytes]]:
        """Those of the new records whose files cannot change any more without showing it."""
        limits: dict[int, float] = {}
        newest: dict[int, int] = {}
        for stamp, _ in self._new.values():
            newest[stamp[0]] = max(newest.get(stamp[0], stamp[4]), stamp[3], stamp[4])
        result = {}
        for key, (stamp, digest) in self._new.items():
            limit = limits.get(stamp[0])
            if limit is None:
                limit = limits[stamp[0]] = self._clock(stamp[0], newest[stamp[0]])
            if stamp[3] < limit and stamp[4] < limit:
                result[key] = (stamp, digest)
        return result

    def _clock(self, device: int, newest: int) -> float:
        """A time, by the clock of the file system `device`: what was last written before it was at rest when this
        index was opened.

        File systems of this machine stamp with the kernel's clock. Of others (NFS, 9p, FUSE) only the newest time
        seen is known: the clock had come at least that far.
        """
        kind = _file_system(device)
        if kind in _WITHOUT_WRITEBACK:
            return float("-inf")
        now = self._began if kind in _KERNEL_CLOCK else min(self._began, newest)
        return now - _SETTLED - _writeback()

    def _load(self) -> dict[str, tuple[int, int, int, int, int, int, bytes]]:
        try:
            with open(self._file, "rb") as file:
                data = file.read()
        except OSError:
            return {}
        head = len(_MAGIC) + 32
        body = memoryview(data)[head:]
        if data[: len(_MAGIC)] != _MAGIC or hashlib.sha256(body).digest() != data[len(_MAGIC) : head]:
            return {}
        (count,) = _COUNT.unpack_from(body)
        end = _COUNT.size + count * _RECORD.size
        names = os.fsdecode(bytes(body[end:])).split("\0")
        return dict(zip(names, _RECORD.iter_unpack(body[_COUNT.size : end])))

    def _save(self, learnt: dict[str, tuple[Stamp, bytes]]) -> None:
        names: list[str] = []
        packed: list[bytes] = []
        for key, record in (self._old or {}).items():
            if key in learnt:
                continue
            age = 0 if key in self._used else record[5] + 1
            if age <= _MAX_AGE:
                names.append(key)
                packed.append(_RECORD.pack(*record[:5], age, record[6]))
        for key, (stamp, digest) in learnt.items():
            try:
                packed.append(_RECORD.pack(*stamp, 0, digest))
            except struct.error:
                continue
            names.append(key)
        body = _COUNT.pack(len(packed)) + b"".join(packed) + os.fsencode("\0".join(names))
        from kezuri.linux.replacement import replacement

        # What cannot be written is computed again next time.
        with suppress(OSError):
            os.makedirs(self._directory, 0o700, exist_ok=True)
            with replacement(self._file, durable=False) as file:
                file.write(_MAGIC + hashlib.sha256(body).digest())
                file.write(body)


def hash_file(path: str, stamp: Stamp | None) -> bytes:
    """The SHA-256 of a regular file of this machine, links not followed.

    With a stamp, KezuriError when the file is not the one that had it, or changes while it is read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP) and stamp is not None:
            raise _changed(path) from None
        raise KezuriError.of(
            f'cannot read "{path}": {error.strerror}', hint="Make it readable, or leave it out with .dockerignore."
        ) from None
    try:
        if stamp is not None and _stamp(fd) != stamp:
            raise _changed(path)
        size = stamp[2] if stamp is not None else _CHUNK
        data = os.read(fd, min(size + 1, _CHUNK))
        if stamp is not None and len(data) == size:
            digest = hashlib.sha256(data).digest()
        else:
            sha = hashlib.sha256()
            while data:
                sha.update(data)
                data = os.read(fd, _CHUNK)
            digest = sha.digest()
        if stamp is not None and _stamp(fd) != stamp:
            raise _changed(path)
        return digest
    except OSError as error:
        raise KezuriError.of(f'cannot read "{path}": {error.strerror}') from None
    finally:
        os.close(fd)


def _stamp(fd: int) -> Stamp:
    status = os.fstat(fd)
    if not modes.S_ISREG(status.st_mode):
        return (0, 0, 0, 0, 0)
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _changed(path: str) -> KezuriError:
    return KezuriError.of(
        f'"{path}" changed while it was read',
        hint="Build again when it is left alone, or leave it out with .dockerignore.",
    )


def _writeback() -> float:
    """Nanoseconds after which what was written through a mapping is on the disk, and its page clean: the age at which
    the kernel writes it back, and how often it looks. Infinite where that is switched off."""
    try:
        with open(_DIRTY + "expire_centisecs") as expire, open(_DIRTY + "writeback_centisecs") as interval:
            age, often = int(expire.read()), int(interval.read())
    except (OSError, ValueError):
        return float("inf")
    return (age + often) * 10_000_000 if often else float("inf")


def _file_system(device: int) -> str:
    """The type of the mounted file system with this device number; empty when it is not known."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                fields = line.split(" ")
                if fields[2] == wanted:
                    return fields[fields.index("-") + 1]
    except (OSError, ValueError, IndexError):
        pass
    return ""
