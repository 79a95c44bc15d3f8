"""`manifest inspect`, `digest` and `imagetools`: the documents of images in registries, and indexes made of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.app.transfers import Places, at_registry, told
from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor, Index, Manifest
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.progress.events import Listener, WorkName, warning
from kezuri.progress.reporter import Reporter
from kezuri.registry.image import Document
from kezuri.transfer.composing import Part, compose, parts_of, publish
from kezuri.transfer.doors import Absent, Source
from kezuri.transfer.places import RegistryPlace, in_registry, read_place
from kezuri.transfer.walking import image_for, read_small


class Shown(NamedTuple):
    """A manifest or index: the name that it was asked for by, its document, and each manifest with its descriptor and,
    where these were wanted, the config."""

    name: str
    document: Document
    manifests: tuple[tuple[Descriptor, Document, bytes], ...] = ()


@contextmanager
def found(
    settings: Settings,
    text: str,
    platform: str = "",
    warn: Callable[[str], None] = lambda text: None,
    *,
    remote: bool = False,
) -> Iterator[tuple[Source, Document]]:
    """An image by its place. A name alone is the store's image if it has one of that name, else the registry's; the
    registry's at once if it is `remote`. With a platform, of an index that one's manifest. `warn` hears of credentials
    that cannot be asked for."""
    place = in_registry(read_place(text)) if remote else read_place(text)
    with Session(settings, reading=True, warn=warn) as session, Places(session) as places:
        _, source, root = places.find(place)
        yield source, image_for(source, root, Platform.parse(platform)) if platform else root


def show(
    settings: Settings,
    text: str,
    platform: str = "",
    warn: Callable[[str], None] = lambda text: None,
    *,
    remote: bool = False,
    deep: bool = False,
) -> Shown:
    """The document of an image; `deep`: with its manifests and their configs, as far as they are there. `warn` as in
    `found`."""
    with found(settings, text, platform, warn, remote=remote) as (source, root):
        if not deep:
            return Shown(_name(text), root)
        several = []
        for part in parts_of(source, root):
            try:
                document = source.document(part.descriptor)
            except Absent:
                continue
            config = b""
            if isinstance(document.content, Manifest):
                config = read_small(source.open, document.content.config, source.where)
            several.append((part.descriptor, document, config))
        return Shown(_name(text), root, tuple(several))


def digest(settings: Settings, text: str, platform: str = "", warn: Callable[[str], None] = lambda text: None) -> str:
    """The digest of a manifest or index. Of a registry's tag only its head is asked for. `warn` as in `found`."""
    place = read_place(text)
    if isinstance(place, RegistryPlace) and not platform:
        with Session(settings, reading=True, warn=warn) as session:
            head = session.registry().head(place.reference)
        if head is None:
            raise KezuriError.of(f"{place.reference}: there is no such tag, or no such repository")
        return head.digest
    with found(settings, text, platform, warn) as (_, root):
        return root.descriptor.digest


class Making(NamedTuple):
    """What `imagetools create` is asked for: the names to give, the images in order, whether those that the first name
    has now stay, whether one image alone becomes an index too, annotations of the index, and platforms to keep of the
    images, none for all."""

    names: tuple[str, ...]
    sources: tuple[str, ...]
    append: bool = False
    prefer_index: bool = True
    annotations: tuple[tuple[str, str], ...] = ()
    platforms: tuple[str, ...] = ()


def make_index(settings: Settings, making: Making, listener: Listener, *, dry_run: bool = False) -> Document:
    """Put an index together and push it under all the names, or, with `dry_run`, nothing. KezuriError when a source is
    not there or a registry does not take something; then no name was changed."""
    names = [Reference.parse(name.removeprefix("docker://")) for name in making.names]
    wanted = [Platform.parse(text) for text in making.platforms]
    reporter = Reporter(listener)
    with Session(settings, reading=True, warn=warning(listener)) as session, Places(session) as places:
        with reporter.step(WorkName("load metadata")):
            roots = [_root(places, text) for text in making.sources]
            if making.append:
                roots.insert(0, _root(places, f"docker://{names[0]}"))
        parts = [part for source, root in roots for part in parts_of(source, root)]
        if wanted:
            parts = [part for part in parts if part.descriptor.platform in wanted]
            if not parts:
                raise KezuriError.of(f"none of the images is for {', '.join(map(str, wanted))}", exit_code=125)
        source, root = roots[0]
        single = len(roots) == 1 and not making.annotations and not wanted
        if single and (isinstance(root.content, Index) or not making.prefer_index):
            index = root
        else:
            index = compose((part.descriptor for part in parts), dict(making.annotations))
        if dry_run:
            return index
        for repository in dict.fromkeys(name.repository for name in names):
            same = [name for name in names if name.repository == repository]
            with reporter.step(WorkName(f"push {', '.join(name.familiar for name in same)}")) as ticket:
                destinations = [at_registry(session, name) for name in same]
                if isinstance(index.content, Index):
                    publish(index, parts, destinations, told(ticket))
                else:
                    from kezuri.transfer.copying import Wish, copy

                    for destination in destinations:
                        copy(source, destination, Wish(), told(ticket))
        return index


def push_index(session: Session, index: Document, parts: Sequence[Part], name: Reference, reporter: Reporter) -> None:
    """Push an index, with what it lists, under one name."""
    with reporter.step(WorkName(f"push {name.familiar}")) as ticket:
        publish(index, parts, [at_registry(session, name)], told(ticket))


def _root(places: Places, text: str) -> tuple[Source, Document]:
    """An image by its place; a name alone is a registry's."""
    source = places.source(in_registry(read_place(text)))
    return source, source.root()


def _name(text: str) -> str:
    """The name in full where it is one."""
    try:
        return str(Reference.parse(text.removeprefix("docker://")))
    except KezuriError:
        return text
