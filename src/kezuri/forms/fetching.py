"""Several blobs are brought at a time."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from kezuri.diagnostics import KezuriError
from kezuri.forms.supply import Fetcher, Supply
from kezuri.oci.descriptor import Descriptor
from kezuri.store.store import Store

_DOWNLOADS = 4
"""How many layers are fetched at a time."""


class Fetching:
    """Brings the blobs of layers. Threads may share it: together they bring no more than so many at a time."""

    def __init__(self, store: Store, supply: Supply, fetcher: Fetcher) -> None:
        self._store = store
        self._supply = supply
        self._fetcher = fetcher
        self._downloads = threading.Semaphore(_DOWNLOADS)

    def missing(self, layers: Sequence[str]) -> None:
        """Bring the blobs of layers that have no form here; the first failure is raised."""
        lacking = dict.fromkeys(layer for layer in layers if not self._supply.usable(layer))
        self._at_once([partial(self._supply.some, layer) for layer in lacking])

    def named(self, layers: Iterable[tuple[str, Descriptor]]) -> None:
        """Bring the very blobs that an image's manifest names for its layers; the first failure is raised. A layer that
        is here in another form is no substitute: its blob has another digest."""
        lacking = []
        for digest, one in {descriptor.digest: (layer, descriptor) for layer, descriptor in layers}.items():
            if not self._store.blobs.has(digest):
                lacking.append(partial(self._fetcher.fetch, *one))
            elif (size := self._store.blobs.size(digest)) != one[1].size:
                raise KezuriError.of(
                    f"blob {digest} has {size} bytes, but the image that names it says {one[1].size}",
                    hint="the image is damaged: push or export it again",
                    exit_code=125,
                )
        self._at_once(lacking)

    def _at_once(self, jobs: Sequence[Callable[[], object]]) -> None:
        if len(jobs) < 2:
            for job in jobs:
                job()
            return
        errors: list[BaseException] = []
        ended = []
        for job in jobs:
            done = threading.Event()
            ended.append(done)

            def bring(job: Callable[[], object] = job, done: threading.Event = done) -> None:
                try:
                    with self._downloads:
                        if not errors:
                            job()
                except BaseException as error:
                    errors.append(error)
                finally:
                    done.set()

            threading.Thread(target=bring, name="fetch", daemon=True).start()
        for done in ended:
            while not done.wait(0.5):
                pass
        if errors:
            raise errors[0]
