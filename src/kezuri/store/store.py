"""The store: an OCI image layout with a memory, shared by every build of a user on a machine."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import disk_error, owner_of, user
from kezuri.linux.filenames import must_be_utf8
from kezuri.progress.calling_off import CalledOff
from kezuri.store.blobs import PARTIAL, Blobs
from kezuri.store.database import Database, boot_id
from kezuri.store.names import Names, publish

_LOCK_POLL = 0.05
"""Seconds between two looks at a lock, where waiting for it can be called off."""

_DIRECTORIES = (
    "blobs",
    "layers",
    "listings",
    "tmp",
    "mounts",
    "locks",
    "leases",
    "contexts",
    "owners",
    "volumes",
    PARTIAL,
)


class Store:
    """Where blobs, layer directories, names and results live. Use it in a `with`.

    A store that is open holds a lease: collection leaves alone what an open store has used since it was opened.
    `frugal` is for who removes things from a full disk (see `Connection`). `reading` is for who only looks: where the
    store cannot be written (a read-only mount), it is opened nevertheless, without a lease and without locks, and what
    would be noted in its database is forgotten.
    """

    def __init__(self, root: str, frugal: bool = False, reading: bool = False) -> None:
        self.root = os.path.abspath(root)
        self._frugal = frugal
        self._reading = reading
        self._fixed = False
        self._lease = -1
        self._lease_path = ""
        try:
            self.opened = time.time()
        except OverflowError:
            raise KezuriError.of(
                "this machine's clock shows a time after the year 2262, which programs cannot count with",
                hint="set the clock",
                exit_code=125,
            ) from None

    def __enter__(self) -> Self:
        must_be_utf8()
        self._fixed = self._reading and self._cannot_be_written()
        if not self._fixed:
            self._create_what_lacks()
        self.blobs = Blobs(self.root, self._fixed)
        self.names = Names(self.root)
        if not self._fixed:
            self._take_lease()
        try:
            self.database = self._opened()
            self._forget_unsynced()
        except BaseException:
            self._drop_lease()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()
        self._drop_lease()
        if isinstance(error, OSError) and f"{error.filename}".startswith(self.root + os.sep):
            # Whatever was done in the store just then: it is the store's disk that did not do it.
            raise disk_error(error, str(error.filename)) from error

    def _opened(self) -> Database:
        path = os.path.join(self.root, "kezuri.db")
        try:
            return Database(path, self._frugal, self._fixed)
        except KezuriError as error:
            if self._reading and not self._fixed and os.path.exists(path):
                # A full disk has no room for what SQLite writes beside a database that is only read.
                with suppress(KezuriError):
                    return Database(path, fixed=True)
            raise error

    def _cannot_be_written(self) -> bool:
        """Whether this is a store that its owner could read but not write. A file beside its leases cannot be made on
        a read-only file system, or in directories whose modes were taken away."""
        if not os.path.exists(os.path.join(self.root, "oci-layout")):
            return False
        self._check_owner(set(os.listdir(self.root)))
        leases = os.path.join(self.root, "leases")
        return os.path.isdir(leases) and not os.access(leases, os.W_OK)

    def _create_what_lacks(self) -> None:
        """Make the store, or what somebody removed of it. KezuriError for the store of another user, before anything
        is written: what this process makes there its owner could not use."""
        try:
            there = set(os.listdir(self.root)) if os.path.isdir(self.root) else set()
            if "oci-layout" in there:
                self._check_owner(there)
                self._keep_others_out()
            if there.issuperset(("oci-layout", *_DIRECTORIES)):
                return
            from kezuri.linux.directory import make_plain
            from kezuri.oci.layout import MARKER

            self._check_place(there)
            os.makedirs(self.root, exist_ok=True)
            # A directory of somebody else in which this user may write (a volume) can become a store: what is private
            # then are the directories in it.
            if os.stat(self.root).st_uid == os.geteuid():
                os.chmod(self.root, 0o700)
            for directory in _DIRECTORIES:
                with suppress(FileExistsError):
                    make_plain(os.path.join(self.root, directory), 0o700)
            with suppress(FileExistsError):
                make_plain(os.path.join(self.root, "blobs", "sha256"))
            if "oci-layout" not in there:
                publish(os.path.join(self.root, "oci-layout"), MARKER + b"\n")
        except PermissionError as error:
            raise KezuriError.of(
                f"the store {self.root} cannot be used: {error.filename}: {error.strerror}",
                hint="choose another place with --root or KEZURI_ROOT",
                exit_code=125,
            ) from error
        except OSError as error:
            raise disk_error(error, self.root) from error

    def _keep_others_out(self) -> None:
        """Close a store to other users that was restored with other modes: set-user-id files lie in its layers."""
        for path in (self.root, *(os.path.join(self.root, name) for name in _DIRECTORIES)):
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            if status.st_uid != os.geteuid():
                continue  # A volume of somebody else: the directories in it are ours.
            if status.st_mode & 0o077:
                os.chmod(path, 0o700)
            if path == self.root:
                return

    def _check_place(self, names: set[str]) -> None:
        """KezuriError for a directory with other files and nothing of a store: it would be closed to everybody else,
        and `--root /tmp` closes the machine's /tmp."""
        # Another process may be making the store just now: `oci-layout.….part` becomes its marker.
        ours = {*_DIRECTORIES, "lost+found", *(name for name in names if name.endswith(".part"))}
        others = sorted(names - ours)
        if others and not names & {"oci-layout", "kezuri.db"}:
            raise KezuriError.of(
                f"the directory {self.root} is no store: it holds {others[0]}",
                hint="choose a new or an empty directory with --root or KEZURI_ROOT",
                exit_code=125,
            )

    def _check_owner(self, names: set[str]) -> None:
        """The store belongs to whom its `oci-layout` belongs to. KezuriError when that is somebody else, or when
        something in the store belongs to somebody else."""
        own = os.geteuid()
        path = os.path.join(self.root, "oci-layout")
        if os.lstat(path).st_uid != own:
            raise KezuriError.of(
                f"the store {self.root} belongs to {owner_of(path)}, and this is {user(own)}",
                hint="run kezuri as its owner, or choose another store with --root or KEZURI_ROOT"
                + (" (sudo -H takes root's own)" if own == 0 else ""),
                exit_code=125,
            )
        for name in sorted(names):
            path = os.path.join(self.root, name)
            if name not in _DIRECTORIES and not name.startswith("kezuri.db"):
                continue
            try:
                number = os.lstat(path).st_uid
            except FileNotFoundError:
                continue  # A file that SQLite keeps as long as somebody needs it.
            if number != own:
                raise KezuriError.of(
                    f"{path} belongs to {user(number)}, and the store to {user(own)}",
                    hint=f"give it back: sudo chown -R --from={number} {own} {self.root}",
                    exit_code=125,
                )

    def _take_lease(self) -> None:
        path = os.path.join(self.root, "leases", f"{os.getpid()}-{os.urandom(4).hex()}")
        self._lease_path = path
        while True:
            try:
                self._lease = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise disk_error(error, path) from error
            try:
                fcntl.flock(self._lease, fcntl.LOCK_EX)
            except OSError as error:
                self._drop_lease()
                raise disk_error(error, path) from error
            if _names(path, self._lease):
                break
            # Somebody who looked for dead leases came between.
            os.close(self._lease)
        # A collection looks at the leases before it takes anything away, and holds this lock meanwhile: from here on
        # it knows of this one, and what it took away before is gone before anybody here looks.
        with self.lock("sweep"):
            pass

    def _drop_lease(self) -> None:
        if self._lease >= 0:
            try:
                os.unlink(self._lease_path)
            except OSError:
                pass
            os.close(self._lease)
            self._lease = -1

    def oldest_lease(self) -> float | None:
        """When the longest-open store of a living process was opened (seconds since the epoch), this one left out;
        None when there is none. Leases of dead processes are cleared away."""
        return min(self.leases().values(), default=None)

    def leases(self) -> dict[str, float]:
        """The leases that other open stores hold, by name (process id, a dash, random digits), with the times at
        which they were opened."""
        found: dict[str, float] = {}
        directory = os.path.join(self.root, "leases")
        for name in os.listdir(directory):
            path = os.path.join(directory, name)
            if path == self._lease_path:
                continue
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            except BlockingIOError:
                found[name] = os.fstat(descriptor).st_mtime
            except FileNotFoundError:
                pass
            finally:
                os.close(descriptor)
        return found

    def _forget_unsynced(self) -> None:
        """Drop what a crash of the machine may have left half-written: directories of an earlier boot that were
        never known to be on the disk, with every result that gives them."""
        boot = boot_id()
        for lost in self.database.unsynced(boot):
            self.database.drop_directory(lost.layer, lost.name)
            if not self.database.forms(lost.layer) and not self.database.directories(lost.layer):
                self.database.drop_layer(lost.layer)

    def path(self, *parts: str) -> str:
        """A path within the store."""
        return os.path.join(self.root, *parts)

    def partials(self) -> list[str]:
        """The paths of blobs whose fetching was interrupted, or is under way."""
        try:
            return sorted(entry.path for entry in os.scandir(self.path(PARTIAL)))
        except FileNotFoundError:
            return []

    def layer_directory(self, name: str) -> str:
        """The path of a layer's directory form."""
        return os.path.join(self.root, "layers", name)

    @contextmanager
    def scratch(self, kind: str) -> Iterator[str]:
        """A directory of one's own on the store's file system, gone afterwards. What is made in it inherits neither a
        default ACL nor a group from the directories above. For a store that cannot be written it lies where temporary
        files do."""
        from kezuri.linux.directory import make_plain

        if self._fixed:
            from tempfile import TemporaryDirectory

            with TemporaryDirectory(prefix="kezuri-") as directory:
                yield directory
            return
        path = self.blobs.scratch(kind)
        try:
            make_plain(path)
        except OSError as error:
            raise disk_error(error, path) from error
        try:
            yield path
        finally:
            remove_tree(path)

    @contextmanager
    def lock(
        self, name: str, wait: bool = True, cancel: threading.Event | None = None, shared: bool = False
    ) -> Iterator[bool]:
        """Hold a lock that all processes on this store share; yields whether it was free at once.

        Without `wait` it may not be held. Waiting ends with CalledOff when `cancel` is set. A `shared` one is held
        beside other shared ones.
        """
        if self._fixed:
            yield True
            return
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        path = os.path.join(self.root, "locks", name)
        free = True
        while True:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise disk_error(error, path) from error
            try:
                held = _locked(path, descriptor, kind)
                free = free and held
                while wait and not held:
                    if cancel is not None and cancel.wait(_LOCK_POLL):
                        raise CalledOff
                    if cancel is None:
                        fcntl.flock(descriptor, kind)
                    held = cancel is None or _locked(path, descriptor, kind)
                # Collection removes lock files that nobody holds: one that is gone excludes nobody any more.
                if not held or _names(path, descriptor):
                    yield free
                    return
            finally:
                os.close(descriptor)

    def sync_new(self) -> None:
        """Write to the disk what was made since the last time, if anything was: before a name is given to it."""
        if self.database.has_unsynced():
            self.sync()

    def sync(self) -> None:
        """Write everything to the disk and remember that it is there."""
        import ctypes

        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) == 0:
                self.database.mark_synced()
        finally:
            os.close(descriptor)


def layer_name(layer: str) -> str:
    """What a layer's listing is called, and its directory unless that name is taken."""
    return layer.removeprefix("sha256:")[:40]


def _locked(path: str, descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise disk_error(error, path) from error
    return True


def _names(path: str, descriptor: int) -> bool:
    """Whether the path still names the open file."""
    try:
        there, here = os.stat(path), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def remove_tree(path: str) -> int:
    """Remove a directory tree, whatever its modes and however deep; the bytes that its files held. Nothing happens if
    it is gone; what cannot be removed stays."""
    try:
        top = _open_directory(path)
    except FileNotFoundError:
        return 0
    freed, number, mark = 0, 0, os.urandom(8).hex()
    # A step makes trees that are deeper than a path can say and than functions can call themselves. So what lies in a
    # directory below is moved up to the top before that directory goes: one name leads everywhere.
    waiting = ["."]
    try:
        while waiting:
            name = waiting.pop()
            with suppress(OSError):
                here = _open_directory(name, top)
                try:
                    for entry in list(os.scandir(here)):
                        number += 1
                        new = entry.name if name == "." else f"{mark}-{number}"
                        with suppress(OSError):
                            if entry.is_dir(follow_symlinks=False):
                                if name != ".":
                                    _lift(entry.name, here, new, top)
                                waiting.append(new)
                            else:
                                held = entry.stat(follow_symlinks=False).st_blocks * 512
                                os.unlink(entry.name, dir_fd=here)
                                freed += held
                finally:
                    os.close(here)
            if name != ".":
                with suppress(OSError):
                    os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    with suppress(OSError):
        os.rmdir(path)
    return freed


def _open_directory(name: str, above: int | None = None) -> int:
    """Open a directory, so that its entries can be removed where this process can see to that."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        opened = os.open(name, flags, dir_fd=above)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=above)
        opened = os.open(name, flags, dir_fd=above)
    with suppress(OSError):
        os.fchmod(opened, 0o700)
    return opened


def _lift(name: str, here: int, new: str, top: int) -> None:
    try:
        os.rename(name, new, src_dir_fd=here, dst_dir_fd=top)
    except PermissionError:  # to be moved, a directory must be writable itself: its `..` changes
        os.chmod(name, 0o700, dir_fd=here)
        os.rename(name, new, src_dir_fd=here, dst_dir_fd=top)
