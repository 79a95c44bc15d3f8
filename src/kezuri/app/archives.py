"""`save` and `load`: images of the store written into one archive, and read out of one."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.app.transfers import told
from kezuri.diagnostics import KezuriError
from kezuri.images.kept import config_of, find_image, kept, looks_like_id, manifests
from kezuri.oci.descriptor import CONTAINERD_NAME, REF_NAME, Descriptor
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.progress.events import Listener, WorkName
from kezuri.progress.reporter import Reporter
from kezuri.store.store import Store
from kezuri.transfer.copying import Wish, copy
from kezuri.transfer.doors import Destination, Source
from kezuri.transfer.layouts import LayoutDestination, LayoutSource
from kezuri.transfer.stored import StoreDestination, StoreSource

if TYPE_CHECKING:
    from kezuri.images.layout import Layout
    from kezuri.transfer.opening import ImageArchive

SaveForm = Literal["docker-archive", "oci-archive", "oci-dir"]


class Loaded(NamedTuple):
    """An image that `load` brought: its names as people write them, the id (the digest of its config), and the ids of
    images that had one of the names before and have none now, by that name."""

    names: tuple[str, ...]
    id: str
    displaced: tuple[tuple[str, str], ...] = ()


def save(
    settings: Settings, names: Sequence[str], output: str, form: SaveForm, platform: str, listener: Listener
) -> None:
    """Write images into one archive at `output` (`-`: standard output), or into a layout directory. A repository
    without a tag means all of its tags, as for docker. Shared layers are written once."""
    wish = Wish(Platform.parse(platform) if platform else None)
    reporter = Reporter(listener)
    with Session(settings, reading=True) as session:
        store = session.store
        images = [image for name in names for image in _meant(store, name)]
        with _saved_to(output, form) as called:
            for source, known in images:
                with reporter.step(WorkName(f"save {source}")) as ticket:
                    copy(StoreSource(store, source), called(known), wish, told(ticket))


@contextmanager
def _saved_to(output: str, form: SaveForm) -> Iterator[Callable[[str], Destination]]:
    """Where images are saved, by the name that each has there, empty for none."""
    if form == "oci-dir":
        yield lambda known: LayoutDestination(output, known)
        return
    from kezuri.export.destination import destination
    from kezuri.transfer.archives import ArchiveDestination, written

    with destination(output) as sink, written(sink, docker=form == "docker-archive") as writer:
        yield lambda known: ArchiveDestination(writer, (known,) if known else ())


def _meant(store: Store, text: str) -> Iterator[tuple[str, str]]:
    """What a name or id stands for: how the store is asked for it, and the name that it has in the archive."""
    try:
        bare = None if looks_like_id(text) else Reference.parse(text, default_tag=False)
    except KezuriError:
        bare = None
    if bare is not None and not bare.tag and not bare.digest:
        tags = [i.name for i in kept(store) if i.reference and not i.by_digest and i.place[0] == bare.repository]
        if tags:
            yield from ((name, name) for name in tags)
            return
    image = find_image(store, text)
    by_name = bare is not None and not bare.digest and image.name == str(Reference.parse(text))
    yield text, image.name if by_name else ""


def load(settings: Settings, input: str, platform: str, listener: Listener) -> tuple[Loaded, ...]:
    """Bring the images of an archive (`-`: standard input) or of a layout directory into the store, under the names
    that they have there. Of an index, what the archive has of it. KezuriError when it is no archive of images."""
    wish = Wish(Platform.parse(platform) if platform else None, partial=True)
    reporter = Reporter(listener)
    with Session(settings) as session, ExitStack() as held:
        store = session.store
        loaded = []
        for source, names in _held_in(input, held):
            with reporter.step(WorkName(f"load {names[0] if names else source.where}")) as ticket:
                before = store.names.all()
                displaced = [(Reference.parse(n).familiar, _id(store, before[n])) for n in names if n in before]
                copied = copy(source, StoreDestination(store, names), wish, told(ticket))
                familiar = tuple(Reference.parse(name).familiar for name in names)
                id = _id(store, copied.descriptor)
                loaded.append(Loaded(familiar, id, tuple(one for one in displaced if one[1] != id)))
        return tuple(loaded)


def _held_in(path: str, held: ExitStack) -> Iterator[tuple[Source, tuple[str, ...]]]:
    """The images of an archive or layout, each with its names in full."""
    if path != "-" and os.path.isdir(path):
        from kezuri.images.layout import open_layout

        yield from _of_layout(held.enter_context(open_layout(path)), None)
        return
    from kezuri.transfer.opening import open_archive

    archive = held.enter_context(open_archive(path))
    if archive.layout is not None:
        yield from _of_layout(archive.layout, archive)
        return
    assert archive.docker is not None
    for image in archive.docker.images:
        yield archive.docker.source(image), _full_names(image.tags, archive.docker.where)


def _of_layout(layout: "Layout", archive: "ImageArchive | None") -> Iterator[tuple[Source, tuple[str, ...]]]:
    """Each image of a layout once. Where its index has no names, docker's manifest.json beside it may."""
    named: dict[str, list[str]] = {}
    for entry in layout.entries():
        names = named.setdefault(entry.digest, [])
        name = _full_name(entry)
        if name and name not in names:
            names.append(name)
    if archive is not None and archive.docker is not None and not any(named.values()):
        for image in archive.docker.images:
            digest = archive.docker.source(image).root().descriptor.digest
            if digest in named:
                named[digest] += _full_names(image.tags, archive.docker.where)
    for digest, names in named.items():
        yield LayoutSource(layout, digest), tuple(names)


def _full_names(tags: Iterable[str], where: str) -> tuple[str, ...]:
    try:
        return tuple(str(Reference.parse(tag)) for tag in tags)
    except KezuriError as error:
        raise KezuriError.of(
            f"{where}: manifest.json: {str(error).partition(chr(10))[0]}",
            hint="`kezuri copy docker-archive:FILE:@0 NAME` takes the first image under another name",
            exit_code=125,
        ) from None


def _full_name(entry: Descriptor) -> str:
    """The reference that an entry's annotations give in full; a tag alone names no image here."""
    for key in (CONTAINERD_NAME, REF_NAME):
        text = entry.annotations.get(key, "")
        if "/" in text or ":" in text:
            with suppress(KezuriError):
                return str(Reference.parse(text)._replace(digest=""))
    return ""


def _id(store: Store, descriptor: Descriptor) -> str:
    """The image's id: its config's digest; of several platforms that of this machine's, else of the first."""
    found = manifests(store, descriptor)
    if not found:
        return descriptor.digest
    for accepted in Platform.host().accepted():
        for _, manifest in found:
            with suppress(KezuriError):
                if config_of(store, manifest, "").platform == accepted:
                    return manifest.config.digest
    return found[0][1].config.digest
