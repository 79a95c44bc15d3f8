"""kezuri builds container images from Dockerfiles: no daemon, no root needed."""

__version__ = "0.1.0"
