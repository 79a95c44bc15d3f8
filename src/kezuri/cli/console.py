"""Where text goes: standard output for results, standard error for everything said about them.

What others wrote (images, registries, file names, Dockerfiles) is in many of these texts: it is made safe here, at the
edge, whatever was done before.
"""

import os
from collections.abc import Mapping
from typing import TextIO

from kezuri.diagnostics import shown


class Console:
    """The two streams and what they can show. `out` and `err` are text streams; nothing is closed here."""

    __slots__ = ("environ", "err", "out")

    def __init__(self, out: TextIO, err: TextIO, environ: Mapping[str, str]) -> None:
        self.out = out
        self.err = err
        self.environ = environ

    def say(self, text: str, *, styled: bool = False) -> None:
        """One line (or several) of result, on standard output. `styled` text may have styles of ours: what others wrote
        in it was made visible before."""
        self.out.write(shown(text, styled) + "\n")

    def data(self, text: str) -> None:
        """One line of result for another program: exact, unless it would reach a terminal."""
        self.out.write((shown(text, False) if self.out.isatty() else text) + "\n")

    def note(self, text: str, *, styled: bool = False) -> None:
        """One line (or several) about what happens, on standard error; `styled` as in `say`."""
        self.err.write(shown(text, styled) + "\n")

    def colour(self, stream: TextIO) -> bool:
        """Whether colours may be used there (no-color.org; CLICOLOR_FORCE; TERM=dumb)."""
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
            return True
        return stream.isatty() and self.environ.get("TERM", "") not in ("", "dumb")

    def columns(self, stream: TextIO) -> int:
        """How wide the terminal is; 0 where the stream is none."""
        if not stream.isatty():
            return 0
        try:
            return os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):
            return 0

    def live(self, stream: TextIO) -> bool:
        """Whether the stream is a terminal that can be drawn upon: not in CI, not TERM=dumb."""
        if self.environ.get("CI", "") not in ("", "0", "false") or self.environ.get("TERM", "") in ("", "dumb"):
            return False
        return stream.isatty()
