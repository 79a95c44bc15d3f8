"""Images changed where they are: the image of any place found, and what it becomes put into the store or elsewhere."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.edits.image import Image
from kezuri.images.altered import Altered, Original, keep_altered, new_names, original, remade
from kezuri.images.kept import NoSuchImage
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.transfer.doors import Source
from kezuri.transfer.places import LayoutPlace, Place, RegistryPlace, StorePlace, read_place

Warn = Callable[[str], None]


class Wanted(NamedTuple):
    """Of which platform's image something is made, empty for all, and the names that it gets, which may be places;
    with `in_place` that of the image itself."""

    platform: str = ""
    tags: tuple[str, ...] = ()
    in_place: bool = False


@contextmanager
def alter(session: Session, name: str, wanted: Wanted, warn: Warn) -> Iterator["Altering"]:
    """The image of that name, for as long as it is changed. Names and places are checked before anything is made."""
    with ExitStack() as held:
        yield Altering(session, held, name, wanted, warn)


class Altering:
    """One image that is changed. `original` is the image; `keep` says where the new one goes. Layers stay where they
    are until somebody reads them. What is opened is let go of by `held`."""

    def __init__(self, session: Session, held: ExitStack, name: str, wanted: Wanted, warn: Warn) -> None:
        self._session = session
        self._held = held
        self._name = name
        self._warn = warn
        self._origins: dict[str, Source] = {}
        self._place = place_of(name)
        self._source: Source | None = None
        self._names: tuple[str, ...] = ()
        self._moving: Place | None = None
        self._elsewhere: tuple[Place, ...] = ()
        self.original = self._found(wanted)

    @property
    def in_store(self) -> bool:
        """Whether the image is one of the store."""
        return isinstance(self._place, StorePlace)

    def supply(self) -> None:
        """Have a layer that is not in the store brought there when its files are read, and not before."""
        blobs = self._session.store.blobs
        for digest, source in self._origins.items():
            self._session.know_blobs((digest,), lambda layer, source=source: source.bring((layer,), blobs, _untold))  # type: ignore[misc]

    def base(self, text: str, platform: Platform) -> Original:
        """The image of one platform in another place than the store, whose layers the new image may have. KezuriError
        when it is not there."""
        return self._read(place_of(text), text, str(platform) if platform.architecture else "")[1]

    def keep(
        self,
        images: Sequence[Image],
        notes: Callable[[str, Platform | None], Mapping[str, str]] = lambda level, platform: {},
        unnoted: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda notes: notes,
    ) -> Altered:
        """Put the image, changed for each platform, under its names; without any, beside the one that was changed,
        where its digest finds it. Only what a place lacks is copied to it."""
        session = self._session
        if self.in_store and not self._elsewhere and not self._origins:
            return keep_altered(session.store, self.original, images, self._names, notes, unnoted)
        from kezuri.app.transfers import Places, beside
        from kezuri.transfer.altered import AlteredSource
        from kezuri.transfer.copying import Wish, copy

        made = remade(self.original, images, notes, unnoted)
        source = AlteredSource(self._source or self._open(self._place), made, session.store, self._origins)
        with Places(session) as places:
            for place in self._elsewhere:
                if place == self._moving:
                    self._check_unmoved()
                with places.destination(place) as destination:
                    copy(source, destination, Wish(), _untold)
        if self._names and self.in_store and not self._origins:
            keep_altered(session.store, self.original, images, self._names, notes, unnoted)
        elif self._names:
            from kezuri.transfer.stored import StoreDestination

            copy(source, StoreDestination(session.store, self._names), Wish(), _untold)
        elif not self._elsewhere:
            copy(source, beside(session, self._place), Wish(), _untold)
        return Altered(made.root, (*map(shown, self._elsewhere), *self._names), made.changed)

    def _found(self, wanted: Wanted) -> Original:
        places = tuple(_target(text) for text in wanted.tags)
        for text, place in zip(wanted.tags, places):
            if isinstance(self._place, RegistryPlace) and isinstance(place, StorePlace) and _has_host(text):
                self._warn(f"{text} is a name of the store: the registry's image is docker://{text}")
        elsewhere: list[Place] = [place for place in places if not isinstance(place, StorePlace)]
        tags = [place.name for place in places if isinstance(place, StorePlace)]
        in_place = wanted.in_place
        if isinstance(self._place, StorePlace):
            try:
                found = original(self._session.store, self._place.name, wanted.platform)
            except NoSuchImage as error:
                raise _or_in_registry(error, self._place.name) from None
        else:
            if in_place:
                self._moving = _tag_of(self._place, self._name)
                elsewhere.append(self._moving)
                in_place = False
            elif not places and not isinstance(self._place, RegistryPlace | LayoutPlace):
                raise KezuriError.of(
                    f"nothing is written to {self._name}",
                    hint="say where the changed image goes: -t NAME[:TAG], -t docker://NAME or -t oci:DIRECTORY:NAME",
                    exit_code=2,
                )
            self._source, found = self._read(self._place, self._name, wanted.platform)
        self._names = new_names(found, tags, in_place)
        self._elsewhere = tuple(dict.fromkeys(elsewhere))
        return found

    def _check_unmoved(self) -> None:
        """KezuriError where the name stands for another image by now, which nobody means to replace."""
        assert self._source is not None
        digest = self._source.root().descriptor.digest
        if digest != self.original.digest:
            raise KezuriError.of(
                f"{self._name} became another image while it was changed: {digest}",
                hint="nothing was replaced; give the command once more, for that image",
            )

    def _open(self, place: Place) -> Source:
        from kezuri.app.transfers import Places

        return self._held.enter_context(Places(self._session)).source(place)

    def _read(self, place: Place, name: str, platform: str) -> tuple[Source, Original]:
        """An image that is not in the store, and where it is; noted is that its layers can be had there: they are
        mounted from there, or copied."""
        from kezuri.transfer.altered import original_of

        source = self._open(place)
        found = original_of(source, name, platform)
        layers = {layer.digest: layer for part in found.parts for layer in part.image.manifest.layers}
        for digest in layers:
            self._origins.setdefault(digest, source)
        if isinstance(place, RegistryPlace):
            self._session.store.database.facts.put_sources(layers, place.reference.repository)
        return source, found


def place_of(text: str) -> Place:
    """The place that the text names, as `copy` reads it; but an image of the store may be called `docker:TAG`."""
    if text.startswith("docker:") and not text.startswith("docker://"):
        return StorePlace(text, alone=True)
    return read_place(text)


def shown(place: Place) -> str:
    """The place as a user writes it."""
    match place:
        case RegistryPlace():
            return f"docker://{place.reference}"
        case LayoutPlace():
            return f"oci:{place.directory}:{place.selector}" if place.selector else f"oci:{place.directory}"
        case StorePlace():
            return place.name
        case _:
            return str(place)


def _target(text: str) -> Place:
    place = place_of(text)
    if isinstance(place, RegistryPlace | LayoutPlace | StorePlace):
        digest = isinstance(place, RegistryPlace) and place.reference.digest
        if digest or (isinstance(place, LayoutPlace) and place.selector.startswith("sha256:")):
            raise KezuriError.of(f"a name cannot carry a digest: {text}", exit_code=2)
        return place
    raise KezuriError.of(
        f"-t {text}: a changed image is put into a registry, a layout or the store",
        hint=f"change it in the store, then copy it: kezuri copy NAME {text}",
        exit_code=2,
    )


def _tag_of(place: Place, name: str) -> Place:
    """The place, if a changed image can have its name."""
    if isinstance(place, RegistryPlace) and not place.reference.digest:
        return place
    if isinstance(place, LayoutPlace) and place.selector and not place.selector.startswith("sha256:"):
        return place
    forms = {RegistryPlace: "-t docker://NAME[:TAG]", LayoutPlace: "-t oci:DIRECTORY:NAME"}
    raise KezuriError.of(
        f"{name} is no tag that could go over to the changed image",
        hint=f"give the new image a name: {forms.get(type(place), '-t NAME[:TAG]')}",
        exit_code=2,
    )


def _has_host(text: str) -> bool:
    host, slash, _ = text.partition("/")
    return bool(slash) and (":" in host or "." in host)


def _or_in_registry(error: NoSuchImage, name: str) -> KezuriError:
    """The error, with the other way that there is where the image could be one of a registry."""
    told = error.diagnostics[0]
    if not told.hint.startswith("fetch it first"):
        return error
    return NoSuchImage.of(
        told.message, hint=f"fetch it first: kezuri pull {name}, or change it in its registry: docker://{name}"
    )


def _untold(descriptor: Descriptor, current: int, total: int) -> None:
    pass
