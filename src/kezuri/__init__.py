"""kezuri builds container images from Dockerfiles without a daemon, shaves them thin, and proves that they still work."""

__version__ = "0.1.0"
