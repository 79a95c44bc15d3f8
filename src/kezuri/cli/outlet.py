"""Standard output and standard error as streams that never raise: a failed write must not stop the work."""

import codecs
import io
import os
import sys

from kezuri.linux.descriptors import write_all

_HELD = 1 << 16
"""Characters that may wait before they are written, where the stream is no terminal."""
VISIBLE = "kezuri-visible"


class Outlet(io.TextIOBase):
    """Text to a descriptor of the caller's. Nothing raises: the first failure is kept in `lost`, later text is dropped.

    Characters that the encoding lacks, and bytes that were no text, are shown as escapes. `prompt` streams hold nothing
    back.
    """

    def __init__(self, descriptor: int, encoding: str, *, prompt: bool) -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._prompt = prompt or self.isatty()
        self._held: list[str] = []
        self._size = 0
        self.lost: OSError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The name of the encoding."""
        return self._encoding

    def write(self, text: str, /) -> int:
        """Take text; its length."""
        self._held.append(text)
        self._size += len(text)
        if self._prompt or self._size > _HELD:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Write what is held."""
        if not self._held:
            return
        data = "".join(self._held).encode(self._encoding, VISIBLE)
        self._held.clear()
        self._size = 0
        self._pour(data)

    def write_bytes(self, data: bytes) -> None:
        """Take bytes that are to arrive as they are, whatever the encoding."""
        self.flush()
        self._pour(data)

    def _pour(self, data: bytes) -> None:
        if self.lost is None:
            try:
                write_all(self._descriptor, data)
            except OSError as error:
                self.lost = error

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)


def standard_outlets() -> tuple[Outlet, Outlet]:
    """Standard output and standard error."""
    out, err = sys.stdout, sys.stderr
    return (
        Outlet(1, out.encoding if out is not None else "utf-8", prompt=False),
        Outlet(2, err.encoding if err is not None else "utf-8", prompt=True),
    )


def conclude(code: int, out: Outlet, err: Outlet) -> int:
    """Write what is left; the exit code that tells whether the result was taken.

    Text that standard error did not take changes no exit code: it is no result.
    """
    out.flush()
    if out.lost is not None:
        from kezuri.app.standard import lost_output

        meaning = lost_output(out.lost)
        if meaning is not None:
            for diagnostic in meaning.diagnostics:
                err.write(f"error: {diagnostic.message}\n")
            code = code or meaning.exit_code
    err.flush()
    return code


def _visible(error: UnicodeError) -> tuple[str, int]:
    r"""Bytes that were no text as `\xe9`, characters that the encoding lacks as `\u00e9`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    out = []
    for char in error.object[error.start : error.end]:
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        else:
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join(out), error.end


codecs.register_error(VISIBLE, _visible)
