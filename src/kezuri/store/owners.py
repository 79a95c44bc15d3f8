"""Under whose ids the directories of layers and the cache mounts of a store were made.

The owner that a file has on the disk is a number, and which owner of the image that is depends on the user namespace:
on the subordinate ids of the user and, within a container, on a map that no process in it can see. Overlay's marks of
what was deleted depend on it, too. A directory that was made under one map and mounted under another one has owners
that nobody meant, and files that were deleted are there again.

So each map that directories were made under has a witness in the store: a directory of empty files, each named after
the owner that it was given. A process that sees every witness as its name says reads all other files rightly, too.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import zip_longest

from kezuri.linux.disk import disk_error
from kezuri.linux.idmaps import IdRanges
from kezuri.linux.ownership import Privilege
from kezuri.store.store import Store


class Owners:
    """Which of a store's directories this process can use.

    Who reads or makes a directory calls `enter` before: it makes this process see the ids that are meant. Threads that
    do so are started within `threads`.
    """

    def __init__(self, store: Store, privilege: Privilege) -> None:
        self._store = store
        self._privilege = privilege
        self._seen = privilege.seen
        self._name = ""

    @property
    def user_marks(self) -> bool:
        """Whether overlay's marks are in `user.` attributes."""
        self._look()
        return self._seen.user_marks

    @property
    def recorded(self) -> bool:
        """Whether owners are recorded in attributes, because there is one id only."""
        self._look()
        return self._seen.recorded

    def known(self) -> str:
        """The name of the witness that agrees with how this process sees owners; empty when there is none, or when
        threads run that do without a user namespace: then no directory can be used."""
        if self._privilege.forgone:
            return ""
        self._look()
        if not self._name and (self._seen.entered or not self._store.database.facts.is_misjudged(self._kind())):
            directory = self._store.path("owners")
            kind = self._kind() + "-"
            for name in sorted(os.listdir(directory)):
                if name.startswith(kind) and self._agrees(os.path.join(directory, name)):
                    self._name = name
                    break
        return self._name

    def enter(self) -> None:
        """Make this process see the ids that are meant. KezuriError when the machine does not let it."""
        self._privilege.own()
        self._look()

    @contextmanager
    def threads(self, directories: bool) -> Iterator[None]:
        """Threads are started and end within the block; `directories` says whether they make or mount directories of
        layers. Otherwise they may still read those that the store has. When it has none either, nothing needs a user
        namespace: then what other processes make meanwhile is not used."""
        with self._privilege.threads(directories or self._store.database.has_directories(self.known())):
            self._look()
            yield

    def _look(self) -> None:
        """Notice that this process has entered a user namespace."""
        if self._privilege.seen is self._seen:
            return
        foretold, extents = self._seen, self._kind()
        self._seen = self._privilege.seen
        self._name = ""
        if self._seen.entered and not foretold.entered:
            # Where the ids are others than were foretold, nothing is said to be known before they are entered again.
            self._store.database.facts.put_misjudged(extents, self._seen.extents() != foretold.extents())

    def settled(self) -> str:
        """The name of the witness that agrees, made if there is none. KezuriError when the disk does not take it."""
        self.enter()
        if not self.known():
            # One process at a time: two witnesses of one map would divide the directories among them.
            with self._store.lock("owners"):
                if not self.known():
                    self._name = self._make()
        return self._name

    def _kind(self) -> str:
        """What the names of witnesses begin with that see the ids of this process."""
        return sha256(self._seen.extents().encode()).hexdigest()[:16]

    def _agrees(self, directory: str) -> bool:
        names = os.listdir(directory)
        for name in names:
            uid, _, gid = name.partition("-")
            status = os.lstat(os.path.join(directory, name))
            shown = (status.st_uid, status.st_gid)
            if not (uid.isdecimal() and gid.isdecimal()) or shown != self._seen.seen(int(uid), int(gid)):
                return False
        return bool(names)

    def _make(self) -> str:
        from kezuri.linux.directory import make_plain

        name = f"{self._kind()}-{os.urandom(4).hex()}"
        path = self._store.path("owners", name)
        try:
            with self._store.scratch("owners") as scratch:
                made = os.path.join(scratch, "made")
                make_plain(made)
                for uid, gid in zip_longest(_ends(self._seen.uids), _ends(self._seen.gids), fillvalue=0):
                    witness = os.path.join(made, f"{uid}-{gid}")
                    os.close(os.open(witness, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
                    try:
                        os.chown(witness, *self._seen.seen(uid, gid))
                    except OSError:
                        # A file system that gives no file to this id has none that belongs to it.
                        os.unlink(witness)
                if not os.listdir(made):
                    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
                os.rename(made, path)
        except OSError as error:
            raise disk_error(error, path) from error
        return name


def _ends(ranges: IdRanges) -> list[int]:
    """The first, middle and last id of each range, once each."""
    found = (n for first, _, count in ranges for n in (first, first + count // 2, first + count - 1))
    return list(dict.fromkeys(found))
