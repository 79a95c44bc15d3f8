"""What the numbers of owners on the disk mean to this process, where overlay's marks are, and the right to both."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kezuri.linux import idmaps
from kezuri.linux.idmaps import IdRange, IdRanges


class Ownership(NamedTuple):
    """How this process sees the owners of files, once it can mount.

    `uids` and `gids` are the ids that its user namespace has: of each range the first id, what stat(2) shows of it now,
    and how many there are. The two are different as long as an ordinary user has not entered its user namespace
    (`userns.enter`); `entered` says that they are the same. `user_marks`: overlay keeps its marks in `user.` attributes
    and not in `trusted.` ones.
    """

    uids: IdRanges
    gids: IdRanges
    user_marks: bool
    entered: bool

    def extents(self) -> str:
        """Which ids there are and where marks and owners are kept, as a text. Processes whose texts differ cannot use
        each other's directories; processes with the same text may still have other ids on the disk, which a process in
        a nested user namespace cannot find out."""
        ranges = ("".join(f"{first}+{count}," for first, _, count in ids) for ids in (self.uids, self.gids))
        kind = f"{'user' if self.user_marks else 'trusted'}{' recorded' if self.recorded else ''}"
        return f"{kind} {' '.join(ranges)}"

    @property
    def recorded(self) -> bool:
        """Whether there is one id only, so that owners are recorded beside the files (`recorded.py`)."""
        return any(sum(count for _, _, count in ids) == 1 for ids in (self.uids, self.gids))

    def seen(self, uid: int, gid: int) -> tuple[int, int]:
        """What stat shows now of a file of these owners; -1 for an id that there is not."""
        return _seen(uid, self.uids), _seen(gid, self.gids)


def _seen(number: int, ranges: IdRanges) -> int:
    return next((shown + number - first for first, shown, count in ranges if first <= number < first + count), -1)


def ownership() -> Ownership:
    """The ownership of this process. For an ordinary user who has not entered a user namespace yet it is computed from
    the subordinate ids that are granted; `userns.enter` may get fewer of them."""
    uid = os.geteuid()
    if uid == 0:
        # Where root may not mount, `userns.enter` makes a namespace with the same ids. There overlay keeps its marks in
        # `user.` attributes, and nothing else differs.
        uids, gids = map(_as_they_are, map(idmaps.id_map, ("/proc/self/uid_map", "/proc/self/gid_map")))
        return Ownership(uids, gids, not (idmaps.is_initial_user() and idmaps.may_mount()), True)
    from kezuri.linux import userns

    gid = os.getegid()
    uids, gids, _ = userns.ranges(uid, gid)
    return Ownership(uids or ((0, uid, 1),), gids or ((0, gid, 1),), True, False)


def _as_they_are(ranges: Iterable[IdRange]) -> IdRanges:
    return tuple((first, first, count) for first, _, count in ranges)


def _enter() -> None:
    from kezuri.linux.userns import enter

    enter()


class Privilege:
    """The right of this process to own files of other ids, and to mount: taken once, when somebody needs it.

    An ordinary user gets it by entering a user namespace, and the kernel lets a process enter one only while it has a
    single thread. So who needs the right asks for it at that moment (`own`, `mount`), and who starts threads that do
    more than fetch does so within `threads`, which settles before they start whether they have it.
    """

    def __init__(self, enter: Callable[[], None] = _enter, seen: Callable[[], Ownership] = ownership) -> None:
        """`enter` does what `userns.enter` does, and `seen` what `ownership` does."""
        self._enter = enter
        self._look = seen
        self._mounts = False
        self.seen = seen()
        """How this process sees owners now."""
        self.forgone = False
        """Whether threads run that do without the right: nothing may be used that needs it."""

    def own(self) -> None:
        """From now on this process can read, make and remove files of all ids that it has. KezuriError when the
        machine does not give that to this user."""
        if not self.seen.entered:
            self._take()

    def mount(self) -> None:
        """From now on this process can mount, and nobody else sees what it mounts. KezuriError as with `own`."""
        if not self._mounts:
            self._take()

    def _take(self) -> None:
        if self.forgone:
            raise RuntimeError("threads were started that do without a user namespace, and one of them needs it")
        self._enter()
        self._mounts = True
        self.seen = self._look()

    @contextmanager
    def threads(self, needed: bool) -> Iterator[None]:
        """Threads are started and end within the block. Those that may own files of other ids, or read them, need the
        right, and have it; the others do without, whatever happens meanwhile. KezuriError as with `own`."""
        if needed:
            self.own()
        self.forgone = not self.seen.entered
        try:
            yield
        finally:
            self.forgone = False
