"""The places that images are copied between, as users write them: skopeo's words, and a bare name for the store."""

import os
from typing import Literal, NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.images.layout import LayoutAddress
from kezuri.oci.reference import Reference


class RegistryPlace(NamedTuple):
    """`docker://NAME`: an image of a registry."""

    reference: Reference


class StorePlace(NamedTuple):
    """`store:NAME`, or a name `alone`: an image of the local store. Some commands look for a name alone elsewhere."""

    name: str
    alone: bool = False


class LayoutPlace(NamedTuple):
    """`oci:DIRECTORY[:NAME]`: an image in a layout directory; `selector` is a tag, a full name, a digest, or empty."""

    directory: str
    selector: str


class DirectoryPlace(NamedTuple):
    """`dir:DIRECTORY`: one image in a directory, as skopeo has it."""

    directory: str


class ArchivePlace(NamedTuple):
    """`oci-archive:FILE[:NAME]` or `docker-archive:FILE[:NAME]`; `-` is standard input or output."""

    form: Literal["oci", "docker"]
    file: str
    selector: str


class EnginePlace(NamedTuple):
    """`docker-daemon:NAME` or `containers-storage:NAME`: an image that docker or podman has."""

    engine: Literal["docker", "podman"]
    name: str


Place = RegistryPlace | StorePlace | LayoutPlace | DirectoryPlace | ArchivePlace | EnginePlace

_WORDS = (
    "docker",
    "store",
    "oci",
    "dir",
    "oci-archive",
    "docker-archive",
    "docker-daemon",
    "containers-storage",
    "oci-layout",
)
FORMS = (
    "docker://NAME, oci:DIRECTORY[:NAME], oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME, NAME (the store)"
)


def read_place(text: str) -> Place:
    """The place that the text names. KezuriError, exit code 2, for one that is none."""
    word, colon, rest = text.partition(":")
    if not colon or word not in _WORDS:
        return _unnamed(text, word, rest)
    if word == "docker":
        if not rest.startswith("//") or rest == "//":
            raise _wrong(text, f"a registry's image is written docker://NAME, an image of the store store:{text}")
        return RegistryPlace(Reference.parse(rest[2:]))
    if not rest:
        raise _wrong(text, f"there is nothing after {word}:")
    if word in ("oci", "oci-layout"):
        address = LayoutAddress.parse(rest.removeprefix("//") if word == "oci-layout" else rest)
        return LayoutPlace(address.path, address.selector)
    if word == "dir":
        return DirectoryPlace(rest)
    if word in ("oci-archive", "docker-archive"):
        file, selector = _file(rest)
        return ArchivePlace("oci" if word == "oci-archive" else "docker", file, selector)
    if word == "docker-daemon":
        return EnginePlace("docker", rest)
    if word == "containers-storage":
        if rest.startswith("["):
            raise _wrong(text, "podman's own store is meant by its name alone: containers-storage:NAME")
        return EnginePlace("podman", rest)
    return StorePlace(rest)


def in_registry(place: Place) -> Place:
    """The place, where a name alone is a registry's. KezuriError for one that cannot be a registry's."""
    if isinstance(place, StorePlace) and place.alone:
        return RegistryPlace(Reference.parse(place.name))
    return place


def _unnamed(text: str, word: str, rest: str) -> Place:
    """A name of the store. Words of other programs, and words that are misspelt, are told apart from names."""
    if rest.startswith("//"):
        raise _wrong(text, f"kezuri does not know {word}://")
    if word in ("tarball", "ostree", "sif", "atomic"):
        raise _wrong(text, f"kezuri copies neither from nor to {word}:")
    near = nearest(word, _WORDS) if rest else None
    if near and near != word and "-" in word:
        raise _wrong(text, f"did you mean {near}:{rest}?")
    return StorePlace(text, alone=True)


def _file(rest: str) -> tuple[str, str]:
    """A file and what is meant in it. The longest path that exists ends where the name begins, else the first colon
    does."""
    colons = [i for i, char in enumerate(rest) if char == ":"]
    for end in (len(rest), *reversed(colons)):
        if end and os.path.exists(rest[:end]):
            return rest[:end], rest[end + 1 :]
    file, _, selector = rest.partition(":")
    return file, selector


def _wrong(text: str, why: str) -> KezuriError:
    return KezuriError.of(f"not a place for images: {text!r}: {why}", hint=FORMS, exit_code=2)
