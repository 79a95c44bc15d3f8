"""The files of an image opened: from the store where it has the image, else straight from where the image is."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from kezuri.app.distant_image import DistantImage, in_place, in_registry
from kezuri.app.layer_sources import InStore, Traffic
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.platform import Platform
from kezuri.tree.stack import StackView
from kezuri.tree.tree import Found, Tree

if TYPE_CHECKING:
    from kezuri.images.kept import Found as Kept

_WORDS = re.compile(
    r"docker://|store:|oci-layout:(//)?|(oci|oci-archive|docker-archive|docker-daemon|containers-storage):"
)
"""How the name of an image begins that says where it is: see `kezuri.transfer.places`."""


class ImagePath(NamedTuple):
    """`IMAGE:/path`: the image as the user names it, and a path in it as written; empty when none was. `word` is how
    the image's name begins where that says where the image is."""

    image: str
    path: str
    word: str = ""

    @classmethod
    def parse(cls, text: str) -> "ImagePath":
        """From what a user writes: the path begins at the first `:/` after `docker://`, `oci:` and the like, which may
        be followed by an absolute path themselves."""
        found = _WORDS.match(text)
        word = found[0] if found else ""
        at = text.find(":/", len(word))
        return cls(text, "", word) if at < 0 else cls(text[:at], text[at + 1 :], word)


class ImageFiles(Protocol):
    """An image's files, wherever it is. Paths are as in Entry. `scratch` is a directory that is there as long as they
    are open, for whoever works with them."""

    @property
    def scratch(self) -> str: ...
    def resolve(self, path: str, last: bool = True) -> str:
        """The path with its links followed within the image, the one at its end only if `last`; missing components stay
        as they are."""
        ...

    def stat(self, path: str) -> Found | None:
        """What is at exactly this path, of which no parent is a link."""
        ...

    def tree(self, path: str, contents: bool) -> Tree:
        """A tree that shows what the directory at this path has; `contents`: somebody is going to read its files."""
        ...

    def prove(self) -> None:
        """KezuriError when a layer that something was read from is not what its digest says."""
        ...


@contextmanager
def opened(settings: Settings, image: str, platform: str, traffic: Traffic) -> Iterator[ImageFiles]:
    """The files of an image by the name that a user gives it: of the store's image, else of the one that its registry
    has, of which nothing is kept. What `kezuri copy` knows as a place is that place only: `docker://NAME` the
    registry's image, `store:NAME` the store's, `oci:DIR[:NAME]` a layout's. KezuriError when there is no such image."""
    with (
        Session(settings, reading=True, warn=traffic.warn) as session,
        session.store.scratch("files") as place,
        located(session, image, platform, traffic, place) as found,
    ):
        if isinstance(found, DistantImage):
            yield found.files
        else:
            with _KeptFiles(session, found.name, found.kept, place) as files:
                yield files


class StoredImage(NamedTuple):
    """An image of the store; `name` is what a user calls it, without the word for the store."""

    name: str
    kept: "Kept"


@contextmanager
def located(
    session: Session, image: str, platform: str, traffic: Traffic, scratch: str
) -> "Iterator[StoredImage | DistantImage]":
    """An image by the name that a user gives it, where it is: see `opened`. Of its layers nothing is read. KezuriError
    when there is no such image."""
    word = ImagePath.parse(image).word
    wanted = Platform.parse(platform) if platform else Platform.host()
    if word not in ("", "docker://", "store:"):
        with in_place(session, image, wanted, scratch) as distant:
            yield distant
        return
    name = image.removeprefix(word)
    if word != "docker://":
        kept = kept_image(session, name, platform, only=bool(word))
        if kept is not None:
            yield StoredImage(name, kept)
            return
    with ExitStack() as held:
        try:
            distant = held.enter_context(in_registry(session, name, wanted, traffic, scratch))
        except KezuriError as error:
            from kezuri.images.kept import likely

            # A slip in the name of an image of the store is the likeliest cause, before the network is.
            meant = "" if word else likely(session.store, name)
            raise (error.hinted(meant) if meant else error) from error.__cause__
        yield distant


def kept_image(session: Session, name: str, platform: str, only: bool) -> "Kept | None":
    """The store's image of that name; None, unless it can be in the store `only`, when there is none."""
    from kezuri.images.kept import NoSuchImage, choose, looks_like_id

    try:
        found = choose(session.store, name, platform)
    except NoSuchImage:
        if only or looks_like_id(name):
            raise
        return None
    session.store.blobs.touch(found.digest)
    for layer, descriptor in zip(found.config.diff_ids, found.manifest.layers):
        session.forms.know_pulled(layer, descriptor)
    return found


class _KeptFiles:
    """The files of an image of the store; to be used in a `with`. They are looked up in what the store knows of the
    layers' contents. Where it does not know that yet, a single file is found as that of a distant image is, and only a
    directory has the layers listed, once."""

    def __init__(self, session: Session, name: str, image: "Kept", scratch: str) -> None:
        from kezuri.images.distant import DistantFiles

        self.scratch = scratch
        self._name = name
        self._forms = session.forms
        self._layers = image.config.diff_ids
        self._view: StackView | None = None
        blobs = session.store.blobs
        if all(map(self._forms.is_listed, self._layers)) or not all(blobs.has(d.digest) for d in image.manifest.layers):
            self._view = self._listed()
        self._streams = DistantFiles(name, image.manifest.layers, InStore(session), scratch)

    def __enter__(self) -> Self:
        self._streams.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._streams.__exit__(None, None, None)

    def resolve(self, path: str, last: bool = True) -> str:
        if self._view is None:
            return self._streams.resolve(path, last)
        if last:
            return self._view.resolve(path)
        parent, _, base = path.rstrip("/").rpartition("/")
        if base in ("", ".", ".."):
            return self._view.resolve(path)
        above = self._view.resolve(parent)
        return f"{above}/{base}" if above else base

    def stat(self, path: str) -> Found | None:
        return self._streams.stat(path) if self._view is None else self._view.stat(path)

    def tree(self, path: str, contents: bool) -> Tree:
        self._view = self._view or self._listed()
        return self._view

    def prove(self) -> None:
        """The store proved its blobs when it took them; those that were read just now are proved again."""
        self._streams.prove()

    def _listed(self) -> StackView:
        return self._forms.view(self._layers).named(self._name)


def require(files: ImageFiles, path: str, name: str, last: bool = True) -> Found:
    """What is at the path of an image, its links followed, the one at its end only if `last`; KezuriError naming the
    image when nothing is."""
    from kezuri.tree.tree import clean

    if "\0" in path:
        raise KezuriError.of(f"{path!r} is no path", exit_code=2)
    at = files.resolve(path, last)
    found = files.stat(at)
    if found is None:
        shown = "/" + clean(path)
        hint = "" if "/" + at == shown else f"it leads to /{at}, which is not there"
        raise KezuriError.of(f"{name} has no {shown}", hint=hint or f"`kezuri ls {name}:/` shows what it has")
    return found
