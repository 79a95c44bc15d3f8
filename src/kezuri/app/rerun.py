"""A container of the last good build, in a process of its own: started, ended and started anew."""

import os
import signal
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from subprocess import Popen

_PATIENCE = 15.0
"""Seconds for `kezuri run` to end the container by its stop signal, or after ten seconds by SIGKILL."""


class Rerun:
    """Runs `kezuri run` with these options, one container at a time. Use it in a `with`: at its end none runs."""

    def __init__(self, settings: Sequence[str], options: Sequence[str]) -> None:
        """`settings` are options that every command has, `options` those of `run`."""
        self._settings = tuple(settings)
        self._options = tuple(options)
        self._process: Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, image: str) -> None:
        """Run the image with this id in the place of what runs now."""
        import subprocess

        self.stop()
        # -P: a directory kezuri where the user works is not this program. Without the proxy, SIGTERM is the container's
        # own stop signal and its grace. A session of its own: Ctrl-C at the terminal is for the build.
        command = [sys.executable, "-P", "-m", "kezuri", *self._settings, "run", "--sig-proxy=false", "--pull=never"]
        self._process = subprocess.Popen(
            [*command, *self._options, image],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    def stop(self) -> None:
        """End what runs: it is asked to, and killed when it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise

    def ended(self) -> int | None:
        """The exit code of a container that has ended by itself, once; None while it runs, or when there is none."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            self._process = None
        return code


def _die_with_parent() -> None:
    from kezuri.linux.privileges import die_with_parent

    die_with_parent(signal.SIGTERM)
