"""A stream read, and decompressed, by a thread of its own, a few pieces ahead of its reader."""

import queue
import threading
from types import TracebackType
from typing import Any

from kezuri.layer.decompression import Decompressed

_PIECES = 4


class ReadAhead:
    """Pieces of a decompressed stream, made while the reader does something else; to be used in a `with`.

    At most five pieces of 1 MiB are held. An error of the stream comes out of `read1`. `hasher`, if any, has every byte
    that was read: the thread gives them to it, or, with `even`, the reader, which then has about as much to do.
    """

    def __init__(self, stream: Decompressed, hasher: Any = None, even: bool = False) -> None:
        self._stream = stream
        self._hasher = None if even else hasher
        self._late = hasher if even else None
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(_PIECES)
        self._stop = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="kezuri-read-ahead", daemon=True)

    def __enter__(self) -> "ReadAhead":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop = True
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                pass
        self._thread.join()

    def read1(self, size: int = -1) -> bytes:
        """The next piece, of whatever size; none at the end."""
        if self._ended:
            return b""
        data = self._queue.get()
        if isinstance(data, BaseException):
            self._ended = True
            raise data
        if not data:
            self._ended = True
        elif self._late is not None:
            self._late.update(data)
        return data

    read = read1

    def _run(self) -> None:
        try:
            while not self._stop:
                data = self._stream.piece()
                if self._hasher is not None:
                    self._hasher.update(data)
                self._queue.put(data)
                if not data:
                    return
        except BaseException as error:
            self._queue.put(error)
