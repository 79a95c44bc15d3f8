"""Stacks of layer directories, mounted read-only where this process can read them as one tree."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kezuri.diagnostics import KezuriError
from kezuri.linux import mounts, overlay


class Mounts:
    """Mounts merged views in this process's own mount namespace: they vanish with it, however it ends.

    `directory` is where a place for them is made (default: the system's directory for temporary files). Several
    threads may mount at once.
    """

    def __init__(self, directory: str = "") -> None:
        self._within = directory
        self._lock = threading.Lock()
        self._place = ""
        self._count = 0

    def __enter__(self) -> "Mounts":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take away every view that is still mounted."""
        with self._lock:
            place, self._place = self._place, ""
        if place:
            mounts.unmount(place, detach=True)
            os.rmdir(place)

    @contextmanager
    def mount(self, lowers: tuple[str, ...]) -> Iterator[str]:
        """A directory that shows the layer directories `lowers`, topmost first, as one tree, until the block ends.

        A stack of one is that directory itself. KezuriError when there is none, when they are more than the kernel
        merges, or when the kernel cannot mount them.
        """
        if not lowers:
            raise KezuriError.of("a stack of no layers cannot be mounted", exit_code=125)
        for path in lowers:
            if not os.path.isdir(path):
                raise KezuriError.of(f"the layer directory {path} is not there", exit_code=125)
        if len(lowers) == 1:
            yield lowers[0]
            return
        if len(lowers) > overlay.MOST_LOWERS:
            raise KezuriError.of(
                f"{len(lowers)} layers cannot be mounted at once: the kernel merges {overlay.MOST_LOWERS} at most",
                hint="squash some of the image's layers",
                exit_code=125,
            )
        view = self._new_view()
        try:
            overlay.mount(view, lowers, flags=mounts.MS_RDONLY | mounts.MS_NODEV | mounts.MS_NOSUID)
        except OSError as e:
            os.rmdir(view)
            raise KezuriError.of(
                f"cannot mount {len(lowers)} layers as an overlay: {e.strerror}",
                hint="`kezuri doctor` says what this machine lacks",
                exit_code=125,
            ) from None
        try:
            yield view
        finally:
            # Something may still read in it (a walk that an error cut short): then it goes when that is done.
            with self._lock:
                if self._place:
                    mounts.unmount(view, detach=True)
                    os.rmdir(view)

    def _new_view(self) -> str:
        with self._lock:
            if not self._place:
                import tempfile

                place = tempfile.mkdtemp(prefix="kezuri-", dir=self._within or None)
                try:
                    mounts.tmpfs(place, mode=0o700, flags=mounts.MS_NODEV | mounts.MS_NOSUID)
                except OSError as e:
                    os.rmdir(place)
                    raise KezuriError.of(
                        f"cannot mount at {place}: {e.strerror}",
                        hint="`kezuri doctor` says what this machine lacks",
                        exit_code=125,
                    ) from None
                self._place = place
            self._count += 1
            view = f"{self._place}/{self._count}"
            os.mkdir(view, 0o700)
            return view
