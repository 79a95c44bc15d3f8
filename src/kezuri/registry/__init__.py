"""The distribution protocol: pure exchanges, one socket.

The names below are imported when they are first used: choosing an image of a layout needs nothing of the client.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kezuri.registry.client import Registry
    from kezuri.registry.config import Endpoint, RegistryConfig
    from kezuri.registry.image import Resolved
    from kezuri.registry.sink import BlobSink, BlobWriter, DirectorySink, MemorySink
    from kezuri.registry.upload import BlobSource, Uploaded

__all__ = [
    "BlobSink",
    "BlobSource",
    "BlobWriter",
    "DirectorySink",
    "Endpoint",
    "MemorySink",
    "Registry",
    "RegistryConfig",
    "Resolved",
    "Uploaded",
]

_HOMES = {
    "BlobSink": "sink",
    "BlobSource": "upload",
    "BlobWriter": "sink",
    "DirectorySink": "sink",
    "Endpoint": "config",
    "MemorySink": "sink",
    "Registry": "client",
    "RegistryConfig": "config",
    "Resolved": "image",
    "Uploaded": "upload",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"kezuri.registry.{home}"), name)
