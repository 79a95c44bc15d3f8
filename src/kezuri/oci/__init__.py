"""The words of the image spec, as frozen values."""

from kezuri.oci.config import HistoryEntry, ImageConfig, chain_id
from kezuri.oci.descriptor import (
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    INDEX,
    LAYER,
    LAYER_GZIP,
    LAYER_ZSTD,
    MANIFEST,
    Descriptor,
    Index,
    Manifest,
    canonical,
    digest_of,
    read_document,
)
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference

__all__ = [
    "CONFIG",
    "DOCKER_CONFIG",
    "DOCKER_INDEX",
    "DOCKER_LAYER",
    "DOCKER_MANIFEST",
    "INDEX",
    "LAYER",
    "LAYER_GZIP",
    "LAYER_ZSTD",
    "MANIFEST",
    "Descriptor",
    "HistoryEntry",
    "ImageConfig",
    "Index",
    "Manifest",
    "Platform",
    "Reference",
    "canonical",
    "chain_id",
    "digest_of",
    "read_document",
]
