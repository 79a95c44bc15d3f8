"""Layers as overlay directories: found, and put in place."""

import os

from kezuri.linux.disk import disk_error
from kezuri.store.owners import Owners
from kezuri.store.store import Store, layer_name


class Directories:
    """The directories of layers in one store, as far as a build with this SOURCE_DATE_EPOCH (seconds, None for none)
    can use them. Threads may share it."""

    def __init__(self, store: Store, owners: Owners, epoch: int | None) -> None:
        self._store = store
        self._epoch = epoch
        self._found: dict[str, str] = {}
        self.owners = owners

    def keeps_times(self, epoch: int | None) -> bool:
        """Whether what was made with that epoch (None: with none) still has the times that this build asks for:
        times that were cut off at a later point can be cut off at an earlier one."""
        return epoch is None or (self._epoch is not None and epoch >= self._epoch)

    def known(self, layer: str) -> str:
        """The path of the layer's directory that this build can use, without reading it; empty when there is none."""
        row = self._store.database.directory(layer, self.owners.known())
        if row is None or not self.keeps_times(row.epoch):
            return ""
        path = self._store.layer_directory(row.name)
        return path if os.path.isdir(path) else ""

    def found(self, layer: str) -> str:
        """The path of the layer's directory for somebody who reads it now; empty when there is none."""
        # Found once is found for good: this process holds a lease on the store.
        path = self._found.get(layer)
        if path is not None:
            return path
        path = self.known(layer)
        if path:
            # Who finds it reads it, and only then are its owners those of the image.
            self.owners.enter()
            path = self.known(layer)
        if path:
            self._found[layer] = path
        return path

    def publish(self, layer: str, made: str, epoch: int | None) -> str:
        """Put a finished overlay directory of the store's scratch space in place as the layer's directory; its path.
        `epoch`: the SOURCE_DATE_EPOCH in seconds that its times were cut off at, None for none."""
        from kezuri.linux.usage import content_use

        name = layer_name(layer)
        size = content_use(made)
        if os.path.lexists(self._store.layer_directory(name)):
            # Another build may be running a step on the directory that has the name: it stays, until it is collected.
            name = f"{name}-{os.urandom(4).hex()}"
        target = self._store.layer_directory(name)
        try:
            os.rename(made, target)
        except OSError as error:
            raise disk_error(error, target) from error
        self._store.database.put_directory(layer, self.owners.settled(), name, size, epoch)
        return target
