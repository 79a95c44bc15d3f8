"""The image stores of docker and podman, reached through their own programs: `docker load`, `podman save`."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, TYPE_CHECKING, BinaryIO, Literal, Self, cast

from kezuri.diagnostics import KezuriError

if TYPE_CHECKING:
    from subprocess import Popen

Engine = Literal["docker", "podman"]
_MOST_SAID = 64 << 10
_PATIENCE = 5.0


@contextmanager
def loading(engine: Engine) -> Iterator[BinaryIO]:
    """A sink for an archive, which the engine loads when the block ends. KezuriError with the engine's own words when
    it does not take it, or when the program is not there."""
    process = _started(engine, "load", reads=True)
    with _ended(process), _Said(cast(IO[bytes], process.stderr)) as said:
        pipe = cast(IO[bytes], process.stdin)
        try:
            yield cast(BinaryIO, pipe)
            pipe.close()
        except BrokenPipeError:
            pass  # It ended before it had read everything, and says why.
        _conclude(process, said, f"{engine} load")


@contextmanager
def saving(engine: Engine, name: str) -> Iterator[BinaryIO]:
    """The archive of an image that the engine has, as it writes it."""
    extra = ("--format", "oci-archive") if engine == "podman" else ()
    process = _started(engine, "save", *extra, name, reads=False)
    with _ended(process), _Said(cast(IO[bytes], process.stderr)) as said:
        pipe = cast(IO[bytes], process.stdout)
        try:
            yield cast(BinaryIO, pipe)
        except KezuriError:
            # What came was no archive, perhaps because the program had none to give: its own words say why.
            pipe.close()
            _conclude(process, said, f"{engine} save {name}")
            raise
        _conclude(process, said, f"{engine} save {name}")


@contextmanager
def _ended(process: "Popen[bytes]") -> Iterator[None]:
    """The process does not outlive the block."""
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()


def _started(engine: Engine, *arguments: str, reads: bool) -> "Popen[bytes]":
    import subprocess

    try:
        return subprocess.Popen(
            (engine, *arguments),
            stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if reads else subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise KezuriError.of(
            f"{engine} is not installed here, or not on PATH",
            hint=f"write an archive: `kezuri save -o image.tar NAME`, then `{engine} load -i image.tar` where it is",
            exit_code=125,
        ) from None
    except OSError as error:
        raise KezuriError.of(f"cannot start {engine}: {error.strerror}", exit_code=125) from None


class _Said:
    """What a program says of errors, read while it works: one that says much would otherwise wait for us for ever. Its
    last 64 KiB are kept."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = b""
        self._reader = threading.Thread(target=self._read, name="engine", daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass  # It ends with the program.

    def words(self) -> str:
        """All of it, when the program has ended. What it leaves running may hold the pipe open: that is not waited for
        for long."""
        self._reader.join(_PATIENCE)
        return self._kept.decode("utf-8", "replace").strip()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            while piece := os.read(self._pipe.fileno(), _MOST_SAID):
                self._kept = (self._kept + piece)[-_MOST_SAID:]


def _conclude(process: "Popen[bytes]", said: _Said, what: str) -> None:
    if process.wait() != 0:
        words = said.words().rpartition("\n")[2]
        raise KezuriError.of(f"{what} failed: {words[:500] or 'without a word'}", exit_code=125)
