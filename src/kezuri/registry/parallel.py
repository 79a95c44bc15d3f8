"""Blobs that are moved several at a time."""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from kezuri.oci import Descriptor
from kezuri.registry.retry import Stopped
from kezuri.registry.sink import Progress


def in_parallel(
    descriptors: Iterable[Descriptor],
    work_on: Callable[[Descriptor, Progress | None], None],
    progress: Callable[[Descriptor, int, int], None] | None,
    parallel: int,
    stop: threading.Event,
    cut: Callable[[], None] = lambda: None,
) -> None:
    """Run `work_on` for every descriptor, once per digest, largest first. The first error sets `stop`, which
    ends the rest, and is raised when all have ended. Where this thread is interrupted, `cut` ends what the others wait
    for: a peer that does nothing more would keep the user waiting."""
    rest = deque(sorted({d.digest: d for d in descriptors}.values(), key=lambda d: -d.size))
    errors: list[BaseException] = []

    def work() -> None:
        while not stop.is_set():
            try:
                descriptor = rest.popleft()
            except IndexError:
                return
            try:
                work_on(descriptor, _bound(progress, descriptor))
            except Stopped:
                return
            except BaseException as error:  # handed to the caller's thread
                errors.append(error)
                stop.set()

    if len(rest) < 2:
        work()
    else:
        threads = [threading.Thread(target=work, name=f"blob-{i}") for i in range(min(parallel, len(rest)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            stop.set()
            cut()
            raise
        finally:
            stop.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
    if errors:
        raise errors[0]


def _bound(progress: Callable[[Descriptor, int, int], None] | None, descriptor: Descriptor) -> Progress | None:
    return None if progress is None else lambda current, total: progress(descriptor, current, total)
