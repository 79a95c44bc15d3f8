"""`manifest create`, `add`, `annotate`, `push`, `rm`: lists of images that are put together by and by, then pushed."""

import json
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from kezuri.app.manifests import push_index
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.app.transfers import Places
from kezuri.diagnostics import KezuriError, nearest
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.fields import Fields
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.progress.events import Listener, warning
from kezuri.progress.reporter import Reporter
from kezuri.registry.image import Document
from kezuri.store.names import locked, publish
from kezuri.store.store import Store
from kezuri.transfer.composing import Part, compose, parts_of
from kezuri.transfer.places import Place, RegistryPlace, StorePlace, read_place


class Entry(NamedTuple):
    """One image of a list: its descriptor there, and the place that it is copied from."""

    descriptor: Descriptor
    place: str


class Notes(NamedTuple):
    """What `annotate` and `add` say of an image: parts of its platform, empty for those that stay, and annotations."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    annotations: tuple[tuple[str, str], ...] = ()

    def on(self, descriptor: Descriptor) -> Descriptor:
        """The descriptor with them."""
        old = descriptor.platform or Platform("linux", "")
        if any(self[:4]):
            platform = Platform.normal(
                self.os or old.os,
                self.architecture or old.architecture,
                self.variant or ("" if self.architecture else old.variant),
                self.os_version or old.os_version,
            )
            descriptor = descriptor._replace(platform=platform)
        return descriptor._replace(annotations={**descriptor.annotations, **dict(self.annotations)})


class Lists:
    """The lists of one store that are not pushed yet: a file for each, below `lists`."""

    def __init__(self, store: Store) -> None:
        self._directory = store.path("lists")
        self._lock = store.path(os.path.join("locks", "lists"))

    def names(self) -> list[str]:
        """Their names in full."""
        try:
            files = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        from urllib.parse import unquote

        return sorted(unquote(name.removesuffix(".json")) for name in files if name.endswith(".json"))

    def has(self, name: Reference) -> bool:
        """Whether there is a list of the name."""
        return os.path.exists(self._path(name))

    def read(self, name: Reference) -> list[Entry]:
        """The images of a list; KezuriError when there is none of the name."""
        path = self._path(name)
        try:
            with open(path, "rb") as file:
                fields = Fields.parse(file.read(), path)
        except FileNotFoundError:
            near = nearest(name.familiar, [Reference.parse(n).familiar for n in self.names()])
            raise NoSuchList.of(
                f"no such manifest list: {name.familiar}",
                hint=f"did you mean {near}?" if near else "`kezuri manifest create` makes one",
            ) from None
        return [Entry(Descriptor.parse(e.object("descriptor")), e.text("place")) for e in fields.objects("manifests")]

    def write(self, name: Reference, entries: Sequence[Entry]) -> None:
        """Put the images in the place of those that the list had."""
        os.makedirs(self._directory, exist_ok=True)
        listed: list[Any] = [{"descriptor": e.descriptor.to_json(), "place": e.place} for e in entries]
        with locked(self._lock):
            publish(self._path(name), json.dumps({"manifests": listed}, indent=1, ensure_ascii=False).encode() + b"\n")

    def delete(self, name: Reference) -> None:
        """Forget the list; KezuriError when there is none of the name."""
        self.read(name)
        os.unlink(self._path(name))

    def _path(self, name: Reference) -> str:
        return os.path.join(self._directory, quote(str(name), safe="") + ".json")


class NoSuchList(KezuriError):
    """There is no list of that name."""


def create(
    settings: Settings,
    name: str,
    images: Sequence[str],
    warn: Callable[[str], None] = lambda text: None,
    *,
    amend: bool = False,
) -> str:
    """Make a list of images, which may be none yet; its name in full. With `amend` they are added to one that is
    there. `warn` hears of credentials that cannot be asked for."""
    reference = _named(name)
    with Session(settings, warn=warn) as session, Places(session) as places:
        lists = Lists(session.store)
        if lists.has(reference) and not amend:
            raise KezuriError.of(
                f"the manifest list {reference.familiar} is there already",
                hint="add to it with --amend, or remove it: `kezuri manifest rm`",
            )
        entries = lists.read(reference) if lists.has(reference) else []
        for image in images:
            entries = _with(entries, _entries(places, image, Notes(), whole=True))
        lists.write(reference, entries)
        return str(reference)


def add(
    settings: Settings,
    name: str,
    image: str,
    notes: Notes,
    warn: Callable[[str], None] = lambda text: None,
    *,
    whole: bool,
) -> str:
    """Add an image to a list: of an index that for this machine, or for the platform that the notes say, unless
    `whole`. The digest of the first that was added. `warn` as in `create`."""
    reference = _named(name)
    with Session(settings, warn=warn) as session, Places(session) as places:
        lists = Lists(session.store)
        entries = lists.read(reference)
        new = _entries(places, image, notes, whole=whole)
        lists.write(reference, _with(entries, new))
        return new[0].descriptor.digest


def annotate(settings: Settings, name: str, image: str, notes: Notes) -> None:
    """Change what a list says of one of its images, which is named by its digest or as it was added."""
    reference = _named(name)
    with Store(settings.root) as store:
        lists = Lists(store)
        entries = lists.read(reference)
        chosen = _chosen(entries, image, reference)
        lists.write(reference, [e._replace(descriptor=notes.on(e.descriptor)) if e in chosen else e for e in entries])


def remove(settings: Settings, name: str, image: str) -> None:
    """Take an image out of a list."""
    reference = _named(name)
    with Store(settings.root) as store:
        lists = Lists(store)
        entries = lists.read(reference)
        chosen = _chosen(entries, image, reference)
        lists.write(reference, [e for e in entries if e not in chosen])


def forget(settings: Settings, names: Sequence[str]) -> None:
    """Remove lists; KezuriError for the first that is not there."""
    with Store(settings.root) as store:
        for name in names:
            Lists(store).delete(_named(name))


def listed(settings: Settings, name: str) -> Document | None:
    """The index that a list would be pushed as; None when there is no list of the name."""
    try:
        reference = _named(name)
    except KezuriError:
        return None
    if not os.path.isdir(settings.root):
        return None
    with Store(settings.root, reading=True) as store:
        lists = Lists(store)
        if not lists.has(reference):
            return None
        return compose(entry.descriptor for entry in lists.read(reference))


def push(settings: Settings, name: str, target: str, listener: Listener, *, purge: bool = False) -> str:
    """Push a list under its own name, or another, with all the images that the registry does not have; the index's
    digest. With `purge` the list is forgotten afterwards."""
    reference = _named(name)
    wanted = _named(target.removeprefix("docker://")) if target else reference
    with Session(settings, warn=warning(listener)) as session, Places(session) as places:
        lists = Lists(session.store)
        entries = lists.read(reference)
        index = compose(entry.descriptor for entry in entries)
        sources = {place: places.source(read_place(place)) for place in dict.fromkeys(entry.place for entry in entries)}
        parts = [Part(entry.descriptor, sources[entry.place]) for entry in entries]
        push_index(session, index, parts, wanted, Reporter(listener))
        if purge:
            lists.delete(reference)
        return index.descriptor.digest


def _named(name: str) -> Reference:
    reference = Reference.parse(name)
    if reference.digest:
        raise KezuriError.of(f"a manifest list has a name, and no digest: {name}", exit_code=2)
    return reference


def _entries(places: Places, image: str, notes: Notes, *, whole: bool) -> list[Entry]:
    place, source, root = places.find(read_place(image))
    if not whole:
        from kezuri.transfer.walking import image_for

        asked = Platform.normal(notes.os, notes.architecture, notes.variant) if notes.architecture else Platform.host()
        root = image_for(source, root, asked)
    parts = parts_of(source, root)
    only = len(parts) == 1
    return [Entry(notes.on(p.descriptor) if only else p.descriptor, _pinned(place, image, p.descriptor)) for p in parts]


def _pinned(place: Place, text: str, descriptor: Descriptor) -> str:
    """The place of one manifest, by its digest: a tag may move before the list is pushed."""
    if isinstance(place, RegistryPlace):
        return f"docker://{place.reference._replace(tag='', digest=descriptor.digest)}"
    return f"store:{place.name}" if isinstance(place, StorePlace) else text


def _with(entries: list[Entry], new: list[Entry]) -> list[Entry]:
    digests = {entry.descriptor.digest for entry in new}
    return [e for e in entries if e.descriptor.digest not in digests] + new


def _chosen(entries: list[Entry], image: str, name: Reference) -> list[Entry]:
    digest = image.rpartition("@")[2] if "@" in image else image
    found = [e for e in entries if e.descriptor.digest == digest]
    if not found and not image.startswith("sha256:"):
        for candidate in (image, f"store:{image}"):
            found = found or [e for e in entries if e.place == candidate]
        if not found:
            wanted = Reference.parse(image.removeprefix("docker://"))
            places = [(e, e.place.removeprefix("docker://").partition("@")[0]) for e in entries]
            found = [e for e, place in places if place == wanted.repository]
            if len(found) > 1:
                raise KezuriError.of(
                    f"{image} stands for {len(found)} images of {name.familiar}",
                    hint=f"name one by its digest: {', '.join(e.descriptor.digest for e in found[:8])}",
                )
    if not found:
        raise KezuriError.of(
            f"{name.familiar} has no image {image}",
            hint=f"it has: {', '.join(e.descriptor.digest for e in entries[:8]) or 'none'}",
        )
    return found
