"""The distribution protocol: pure exchanges, one socket."""

from kezuri.registry.client import Registry
from kezuri.registry.config import Endpoint, RegistryConfig
from kezuri.registry.image import Resolved
from kezuri.registry.layout import Layout, LayoutAddress, open_layout
from kezuri.registry.sink import BlobSink, BlobWriter, DirectorySink, MemorySink

__all__ = [
    "BlobSink",
    "BlobWriter",
    "DirectorySink",
    "Endpoint",
    "Layout",
    "LayoutAddress",
    "MemorySink",
    "Registry",
    "RegistryConfig",
    "Resolved",
    "open_layout",
]
