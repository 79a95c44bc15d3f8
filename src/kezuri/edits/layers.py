"""Layers put on an image, and layers made one: the config, history and manifest that the image then has."""

from typing import NamedTuple

from kezuri.edits.image import Image, Layer
from kezuri.oci.config import HistoryEntry


class Note(NamedTuple):
    """What the history says of a change: who made it, with what, and when (RFC 3339 text; empty: as the image)."""

    created_by: str
    comment: str = ""
    created: str = ""


def appended(image: Image, layer: Layer, note: Note) -> Image:
    """The image with one layer more on top. It is as old as the note says."""
    entry = HistoryEntry(note.created or image.config.created, note.created_by, note.comment)
    made = image.with_layers((*image.layers, layer), (*image.config.history, entry))
    return _dated(made, note.created)


def squashed(image: Image, kept: int, layer: Layer, note: Note) -> Image:
    """The image with its lowest `kept` layers, and one for all those above. The history of these stays, without layers,
    and an entry for the new one follows, as docker's --squash has it."""
    history, seen = [], 0
    for entry in image.config.history:
        seen += not entry.empty_layer
        history.append(entry._replace(empty_layer=True) if seen > kept else entry)
    history.append(HistoryEntry(note.created or image.config.created, note.created_by, note.comment))
    return _dated(image.with_layers((*image.layers[:kept], layer), history), note.created)


def _dated(image: Image, created: str) -> Image:
    return image._replace(config=image.config._replace(created=created)) if created else image
