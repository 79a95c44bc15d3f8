"""The pipeline from tar bytes to a finished blob: hash, compress, hash again, write; in order, with bounded memory."""

import os
import queue
import threading
from collections.abc import Callable
from hashlib import sha256
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.layer.compression import (
    BLOCK,
    GZIP_HEADER,
    WINDOW,
    BlockEncoder,
    Compression,
    gzip_block_encoder,
    zstd_stream_encoder,
)

_MOST_ENCODERS = 4


class Written(NamedTuple):
    """A finished blob: the digest of its tar, its own digest, its size and the tar's, in bytes."""

    diff_id: str
    digest: str
    size: int
    uncompressed_size: int


class _Task:
    __slots__ = ("before", "block", "done", "last", "out")

    def __init__(self, block: bytes, before: bytes, last: bool) -> None:
        self.block = block
        self.before = before
        self.last = last
        self.out = b""
        self.done = threading.Event()


class BlobWriter:
    """Takes the bytes of a tar and writes the blob to `sink`; to be used in a `with`.

    Blobs of one block or less are made without threads. Above that, encoders (as many as there are cores, up to
    four) compress blocks and one more thread hashes and writes them in order; at most `encoders` + 3 blocks of 1 MiB
    are in flight. `sink` is neither flushed nor closed. An error of the sink comes out of `put` or `finish`; leaving
    the `with` before `finish` stops the threads and leaves an unfinished blob in the sink.
    """

    def __init__(
        self,
        sink: BinaryIO,
        compression: Compression,
        on_progress: Callable[[int], None] | None = None,
        encoders: int | None = None,
    ) -> None:
        self._sink = sink
        self._kind = compression.kind
        self._on_progress = on_progress
        self._tar_hash = sha256()
        self._blob_hash = sha256()
        self._tar_size = 0
        self._size = 0
        self._before = b""
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._stop = False
        self._closed = False
        count = encoders or max(1, min(_MOST_ENCODERS, len(os.sched_getaffinity(0))))
        self._encode: BlockEncoder | None = None
        self._crc32: Callable[[bytes, int], int] | None = None
        self._crc = 0
        if self._kind == "gzip":
            self._encode = gzip_block_encoder(compression)
            if compression.encoder.startswith("igzip/"):
                from isal import isal_zlib

                self._crc32 = isal_zlib.crc32
            else:
                import zlib

                self._crc32 = zlib.crc32
        elif self._kind == "zstd":
            self._encode = zstd_stream_encoder(compression, count)
            count = 1
        self._encoders = count if self._encode else 0
        self._work: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._ordered: queue.Queue[_Task | None] = queue.Queue(self._encoders + 2)

    def __enter__(self) -> "BlobWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(stop=True)

    def put(self, block: bytes) -> None:
        """Take the next part of the tar, of exactly BLOCK bytes."""
        assert len(block) == BLOCK
        if not self._threads:
            self._start()
        self._submit(block, False)

    def finish(self, rest: bytes) -> Written:
        """Take the last part of the tar, of fewer than BLOCK bytes or none, and wait until everything is written."""
        assert len(rest) < BLOCK
        if self._threads:
            self._submit(rest, True)
            self._close(stop=False)
            self._check()
        else:
            task = _Task(rest, b"", True)
            self._compress(task)
            try:
                self._account(task)
            except OSError as error:
                raise _cannot_write(error) from error
        tar_digest = "sha256:" + self._tar_hash.hexdigest()
        if self._kind == "none":
            return Written(tar_digest, tar_digest, self._size, self._tar_size)
        return Written(tar_digest, "sha256:" + self._blob_hash.hexdigest(), self._size, self._tar_size)

    def _submit(self, block: bytes, last: bool) -> None:
        self._check()
        task = _Task(block, self._before, last)
        if self._kind == "gzip":
            self._before = block[-WINDOW:]
        if self._encoders:
            self._work.put(task)
        self._ordered.put(task)

    def _check(self) -> None:
        if self._error is not None:
            if isinstance(self._error, OSError):
                raise _cannot_write(self._error) from self._error
            raise self._error

    def _start(self) -> None:
        loops = [self._encoder_loop] * self._encoders + [self._writer_loop]
        for number, loop in enumerate(loops):
            thread = threading.Thread(target=loop, name=f"kezuri-layer-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _close(self, stop: bool) -> None:
        if self._closed:
            return
        self._closed = True
        self._stop = stop
        if self._threads:
            for _ in range(self._encoders):
                self._work.put(None)
            self._ordered.put(None)
            for thread in self._threads:
                thread.join()

    def _encoder_loop(self) -> None:
        while (task := self._work.get()) is not None:
            if not self._stop and self._error is None:
                try:
                    self._compress(task)
                except BaseException as error:
                    self._error = error
            task.done.set()

    def _writer_loop(self) -> None:
        # After an error the queue is still emptied, so that nobody waits for ever.
        while (task := self._ordered.get()) is not None:
            if self._encoders and (self._stop or self._error is not None):
                task.done.wait()
                continue
            if self._stop or self._error is not None:
                continue
            try:
                self._account(task)
            except BaseException as error:
                self._error = error

    def _compress(self, task: _Task) -> None:
        if self._encode is not None:
            task.out = self._encode(task.block, task.before, task.last)
            task.done.set()

    def _account(self, task: _Task) -> None:
        """Hash the block, wait for its compressed form, hash and write that."""
        block = task.block
        self._tar_hash.update(block)
        self._tar_size += len(block)
        if self._encode is None:
            self._write(block)
        else:
            if self._crc32 is not None:
                if self._size == 0:
                    self._emit(GZIP_HEADER)
                self._crc = self._crc32(block, self._crc)
            task.done.wait()
            if self._error is not None:
                return
            self._emit(task.out)
            if task.last and self._crc32 is not None:
                self._emit(self._crc.to_bytes(4, "little") + (self._tar_size & 0xFFFFFFFF).to_bytes(4, "little"))
        if self._on_progress is not None:
            self._on_progress(self._tar_size)

    def _emit(self, out: bytes) -> None:
        if out:
            self._blob_hash.update(out)
            self._write(out)

    def _write(self, out: bytes) -> None:
        self._size += len(out)
        view: Any = out
        while view:
            written = self._sink.write(view)
            # A raw (unbuffered) file may take less than it is given.
            if written is None or written == len(view):
                break
            view = memoryview(view)[written:]


def _cannot_write(error: OSError) -> KezuriError | OSError:
    if isinstance(error, BrokenPipeError):
        # The reader of the blob has closed its end. The command line treats this error by itself: it ends quietly.
        return error
    return KezuriError.of(f"cannot write the layer: {error.strerror or error}", hint="is the disk full?")
