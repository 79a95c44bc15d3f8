"""Base images that kezuri assembles itself from packages, where no container registry answers."""

from kezuri.bases.assemble import Handed, assemble
from kezuri.bases.catalog import find, recipes
from kezuri.bases.layout import LayoutSink, write_layout
from kezuri.bases.recipe import STAND_IN, Assembled, BlobSink, Layer, Recipe

__all__ = [
    "STAND_IN",
    "Assembled",
    "BlobSink",
    "Handed",
    "Layer",
    "LayoutSink",
    "Recipe",
    "assemble",
    "find",
    "recipes",
    "write_layout",
]
