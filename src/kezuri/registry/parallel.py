"""Blobs that are moved several at a time."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from kezuri.oci import Descriptor
from kezuri.registry.retry import Stopped
from kezuri.registry.sink import Progress

_T = TypeVar("_T")


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
    ordered = sorted({d.digest: d for d in descriptors}.values(), key=lambda d: -d.size)
    at_once(ordered, lambda d: work_on(d, _bound(progress, d)), parallel, stop, cut)


def at_once(
    items: Iterable[_T],
    work_on: Callable[[_T], None],
    parallel: int,
    stop: threading.Event,
    cut: Callable[[], None] = lambda: None,
) -> None:
    """Run `work_on` for every item, begun in their order. Errors, `stop` and `cut` as for `in_parallel`."""
    rest = deque(items)
    errors: list[BaseException] = []

    def work() -> None:
        while not stop.is_set():
            try:
                item = rest.popleft()
            except IndexError:
                return
            try:
                work_on(item)
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
