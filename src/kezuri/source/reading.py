"""Reading the text of a Dockerfile from this machine, and what is said where it cannot be read."""

import errno
import os
import stat
from typing import BinaryIO

from kezuri.diagnostics import KezuriError, SourceText, nearest

MOST_DOCKERFILE = 16 << 20
"""Bytes that a Dockerfile or an ignore file may have."""

USUAL = ("Dockerfile", "dockerfile", "Containerfile")
"""What a Dockerfile is called where nobody names it, the first one first; `.containerignore` goes with the last."""


def read_dockerfile(path: str, shown: str, context: str = "", written: str = "") -> bytes:
    """The bytes of a Dockerfile of this machine, which a user calls `shown`; `context` is the directory of the context
    if it lies in one (see `opened`), `written` what the user calls the build context. KezuriError when it is not
    there."""
    try:
        with opened(path, context) as file:
            return limited(file, shown)
    except IsADirectoryError:
        raise KezuriError.of(f'the Dockerfile "{shown}" is a directory', hint="Name the file in it.") from None
    except FileNotFoundError:
        if os.path.islink(path):
            raise stray(path, f'the Dockerfile "{shown}"', context) from None
        try:
            near = nearest(os.path.basename(path), sorted(os.listdir(os.path.dirname(path))))
        except OSError:
            near = None
        hint = "--file is relative to the current directory."
        if near:
            hint = f'Did you mean "{near}"?'
        elif written and os.path.isfile(inside := os.path.join(written, shown)):
            hint = f'It is in the context: --file is relative to the current directory, so write "{inside}".'
        raise KezuriError.of(f'the Dockerfile "{shown}" was not found', hint=hint) from None
    except OSError as error:
        raise KezuriError.of(f'cannot read the Dockerfile "{shown}": {error.strerror}') from None
    except ValueError:
        raise KezuriError.of(f"the path of the Dockerfile is not a path: {shown!r}") from None


def stray(path: str, named: str, context: str) -> KezuriError:
    """The error for a link that leads to nothing, or out of the context that it lies in (empty: it lies in none)."""
    return KezuriError.of(
        f'{named} is a link to "{os.readlink(path)}", which is not {"in the build context" if context else "there"}',
        hint="Make what it points at, or let it point elsewhere; a link of a context is followed within it only.",
    )


def opened(path: str, context: str) -> BinaryIO:
    """A file open for reading, or OSError.

    A file of a context is its author's: a link must not lead out of the context to a file that errors would then show,
    and a pipe would never end. What a user names outside may be a pipe, as `--file <(command)` gives one.
    """
    if not context:
        return open(path, "rb")
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    name = os.path.relpath(path, context)
    root = os.open(context, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = _beside(root, name, flags) if "/" not in name else -1
        if descriptor < 0:
            from kezuri.linux.inroot import open_in

            descriptor = open_in(root, name, flags)
    finally:
        os.close(root)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return open(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, "it is no regular file", path)


def _beside(root: int, name: str, flags: int) -> int:
    """A file directly in the context, opened without loading what follows links; -1 when it is a link."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=root)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return -1


def limited(stream: BinaryIO, shown: str) -> bytes:
    """The bytes of a Dockerfile or an ignore file; KezuriError when there are too many."""
    parts: list[bytes] = []
    left = MOST_DOCKERFILE + 1
    while left and (data := stream.read(min(left, 1 << 20))):
        parts.append(data)
        left -= len(data)
    if not left:
        raise KezuriError.of(f"{shown} is larger than {MOST_DOCKERFILE >> 20} MiB")
    return b"".join(parts)


def decode(name: str, data: bytes) -> SourceText:
    """The text of a file, whatever its bytes."""
    return SourceText(name, data.decode("utf-8", "surrogateescape"))
