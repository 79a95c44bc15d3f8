"""Files of other ids that a store may hold: layers and cache mounts of an ordinary user have such files."""

import os

from kezuri.linux.ownership import Privilege
from kezuri.store.store import Store


def own_files(store: Store, privilege: Privilege) -> None:
    """Take the right to look into all directories of the store and to remove them, where there are any that need it.
    KezuriError when the machine does not give that to this user."""
    if any(os.listdir(store.path(name)) for name in ("owners", "layers", "mounts")):
        privilege.own()
