"""What lies in a store and belongs to nothing."""

import os

from kezuri.linux import cgroups
from kezuri.store.store import Store, layer_name, remove_tree


class Leftovers:
    """Finds work in progress of dead processes, and directories and listings of layers that are not known: of layers
    that went, of a layer that was made again, or of a process that was killed just then."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def dead(self) -> list[str]:
        """The names in `tmp` that a process left which is dead."""
        names = sorted(os.listdir(self._store.path("tmp")))
        # A process of another container is not to be seen from here, its lease is.
        living = {lease.partition("-")[0] for lease in self._store.leases()}
        return [
            name
            for name in names
            if (process := name.partition("-")[0]) not in living and not (process.isdigit() and _alive(int(process)))
        ]

    def clear(self) -> None:
        """Remove what killed processes left: their work in progress, their leases, their control groups."""
        for name in self.dead():
            remove_tree(self._store.path("tmp", name))
        cgroups.sweep_all()

    def directories(self) -> set[str]:
        """The names in `layers` that are of no layer."""
        return set(os.listdir(self._store.path("layers"))) - self._known_directories()

    def listings(self) -> set[str]:
        """The names in `listings` that are of no layer."""
        return set(os.listdir(self._store.path("listings"))) - self._known_listings()

    def is_directory(self, name: str) -> bool:
        """Whether the directory is of no layer now: a build may have written it down since it was found."""
        return name not in self._known_directories()

    def is_listing(self, name: str) -> bool:
        """Whether the listing is of no layer now."""
        return name not in self._known_listings()

    def _known_directories(self) -> set[str]:
        return {row.name for row in self._store.database.directories()}

    def _known_listings(self) -> set[str]:
        names = {layer_name(row.id) for row in self._store.database.layers()}
        return names | {f"records-{name}" for name in names}


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
