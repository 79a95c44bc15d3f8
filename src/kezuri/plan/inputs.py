"""What operations take files from: other stages, contexts, images and addresses, and what is chosen there."""

from collections.abc import Callable
from typing import NamedTuple

from kezuri.diagnostics import Place
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor


class StageInput(NamedTuple):
    """The files of another stage."""

    stage: int


class ContextInput(NamedTuple):
    """The files of the build context (empty name) or of a named context that is a directory."""

    name: str = ""


class ImageSource(NamedTuple):
    """Where an image is asked for: `registry` with a reference, or `layout` with `directory[:tag|@digest]`."""

    kind: str
    text: str


class BaseImage(NamedTuple):
    """An image that was resolved: what it is and which layers it has; their bytes may still be elsewhere."""

    name: str
    digest: str
    config: ImageConfig
    layers: tuple[Descriptor, ...]
    source: ImageSource


class ImageInput(NamedTuple):
    """The files of an image."""

    image: BaseImage


Input = StageInput | ContextInput | ImageInput


class Choice(NamedTuple):
    """What an operation selects from an input; `whole`: with the metadata of the directories that it names, of which a
    copy takes nothing and which a mount shows; `literal`: the words are paths in which nothing is a wildcard."""

    input: Input
    sources: tuple[str, ...]
    parents: bool = False
    excludes: tuple[str, ...] = ()
    whole: bool = False
    literal: bool = False


Finder = Callable[[str, Place], Input]
"""Turns the name after `from=` into an input; KezuriError, at the place, when there is none."""


class UrlSource(NamedTuple):
    """A file to download: what it is called in the image, and the `sha256:` digest it must have, empty for any.

    `credentials` is the `user:password` that stood in the address, which is without them.
    """

    url: str
    name: str
    checksum: str = ""
    credentials: str = ""


class GitSource(NamedTuple):
    """Files of a git repository: those at `ref` (a full commit, a branch, a tag; empty for the default branch) below
    `subdir`. `checksum` is the beginning of the commit that it must be, empty for any; `mtime` is `commit` where files
    get the commit's time, else empty. `credentials` as in UrlSource, for http and https."""

    remote: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool = False
    submodules: bool = True
    mtime: str = ""
    fetch_by_commit: bool = False
    credentials: str = ""


Remote = UrlSource | GitSource

Piece = tuple[int, Choice | Remote]
"""Something that an operation takes, with its place: the index of its first source word (COPY, ADD) or of its mount."""
