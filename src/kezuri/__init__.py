"""kezuri builds container images from Dockerfiles without a daemon, and will shave them thin and prove that they work."""

__version__ = "0.1.0"
