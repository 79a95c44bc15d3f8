"""Where text goes: standard output for results, standard error for everything said about them.

What others wrote (images, registries, file names, Dockerfiles) is in many of these texts: it is made safe here, at the
edge, whatever was done before.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TextIO

from kezuri.diagnostics import shown, visible

if TYPE_CHECKING:
    from kezuri.cli.language import Language


class Console:
    """The two streams and what they can show. `out` and `err` are text streams; nothing is closed here."""

    __slots__ = ("_language", "environ", "err", "out")

    def __init__(self, out: TextIO, err: TextIO, environ: Mapping[str, str]) -> None:
        self.out = out
        self.err = err
        self.environ = environ
        self._language: Language | Literal["unknown"] | None = "unknown"

    def words(self, text: str) -> str:
        """A sentence of ours in the language of the reader's locale, in English where there is no translation."""
        if self._language == "unknown":
            self._language = self._readers()
        return text if self._language is None else self._language(text)

    def phrase(self, sentence: str, /, *gaps: object) -> str:
        """A sentence of ours in the reader's language, with its gaps filled (`phrase.py`)."""
        if self._language == "unknown":
            self._language = self._readers()
        if self._language is None:
            from kezuri.cli.phrase import filled

            return filled(sentence, gaps)
        return self._language.phrase(sentence, gaps)

    def _readers(self) -> "Language | None":
        # Most locales are told apart without the catalogue's room.
        named = [self.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE")]
        if "ja" not in ":".join(named).lower():
            return None
        from kezuri.cli.language import language_of

        return language_of(self.environ, getattr(self.err, "encoding", None) or "utf-8")

    def say(self, text: str, *, styled: bool = False) -> None:
        """One line (or several) of result, on standard output. `styled` text may have styles of ours: what others wrote
        in it was made visible before."""
        self.out.write(shown(text, styled) + "\n")

    def exactly(self, text: str) -> None:
        """The text of a file as it is, byte for byte, unless it would reach a terminal."""
        if self.out.isatty():
            self.say(text.removesuffix("\n"))
            return
        data = text.encode("utf-8", "surrogateescape")
        pour = getattr(self.out, "write_bytes", None)
        if pour is not None:
            pour(data)
        else:
            self.out.write(data.decode("utf-8", "replace"))

    def data(self, text: str) -> None:
        """One line of result for another program: exact, unless it would reach a terminal."""
        self.out.write((shown(text, False) if self.out.isatty() else text) + "\n")

    def note(self, text: str, *, styled: bool = False) -> None:
        """One line (or several) about what happens, on standard error; `styled` as in `say`. Text without styles is
        said in the reader's language."""
        self.err.write(shown(text if styled else self.words(text), styled) + "\n")

    def warn(self, text: str) -> None:
        """A warning, on standard error, where it is no part of a longer report: one line, whatever names are in it. The
        runners of workflows take lines that begin with `::` for orders."""
        self.err.write(visible(self.words(f"warning: {text}"), "\t") + "\n")

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
