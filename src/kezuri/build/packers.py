"""Layers compressed, and sent where they go, while the next steps run."""

import threading
from collections.abc import Callable

from kezuri.diagnostics import KezuriError
from kezuri.progress.calling_off import CalledOff
from kezuri.store.schema import FormRow


class Packers:
    """Packs layers, each in a thread of its own. What goes wrong here goes wrong again when the image is put together,
    and is told then."""

    def __init__(self, pack: Callable[[str], FormRow], then: Callable[[FormRow], object] | None = None) -> None:
        """`pack` makes the blob of a layer, unless there is one; `then` gets it, and is not waited for."""
        self._pack = pack
        self._then = then
        self._packed: list[threading.Event] = []

    def pack(self, layer: str) -> None:
        """Begin to pack a layer."""
        packed = threading.Event()
        self._packed.append(packed)
        threading.Thread(target=self._work, args=(layer, packed), name="pack", daemon=True).start()

    def wait(self) -> None:
        """Wait until all is packed that was begun."""
        for packed in self._packed:
            while not packed.wait(0.5):
                pass

    def _work(self, layer: str, packed: threading.Event) -> None:
        try:
            blob = self._pack(layer)
        except (CalledOff, KezuriError, OSError):
            return
        finally:
            packed.set()
        if self._then is not None:
            self._then(blob)
