"""`rebase`: an image put onto another base; the blobs of its layers stay as they are."""

from collections.abc import Callable
from typing import NamedTuple

from kezuri.app.altering import Altering, Wanted, alter, place_of
from kezuri.app.mutate import say_attested
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.edits.image import Image
from kezuri.edits.rebase import BASE_DIGEST, BASE_NAME, Base, rebased
from kezuri.images.altered import Altered
from kezuri.images.held import in_use
from kezuri.images.kept import NoSuchImage, choose, config_of, kept, manifests
from kezuri.oci.descriptor import valid_digest
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.store.store import Store
from kezuri.transfer.places import RegistryPlace, StorePlace
from kezuri.tree.stack import StackView

Warn = Callable[[str], None]


def rebase(
    settings: Settings,
    name: str,
    wanted: Wanted,
    new_base: str = "",
    old_base: str = "",
    created: str = "",
    warn: Warn = lambda text: None,
) -> Altered:
    """Make an image of another one that stands on the new base, and has what the image added to its old base. Without
    `old_base`, the image's own annotations say it; without `new_base`, the name in them is meant, whatever image has
    it now. `warn` hears where the bases are of different systems. KezuriError where the image does not stand on the
    old base, or a base is not to be had."""
    with Session(settings, warn=warn) as session, alter(session, name, wanted, warn) as altering:
        source = altering.original
        bases = _Bases(session.store, altering)
        images = []
        told: dict[str, None] = {}
        for part in source.parts:
            image = part.image.checked(name)
            old = _old_base(bases, name, image, old_base)
            new = _new_base(bases, name, image, new_base)
            images.append(rebased(image, name, old, new, created))
            told.update(dict.fromkeys(_differences(session, old, new)))
        for text in told:
            warn(text)
        say_attested(source, warn)
        return altering.keep(images)


def _old_base(bases: "_Bases", name: str, image: Image, asked: str) -> Base:
    if asked:
        return bases.find(asked, image.config.platform)
    called = image.manifest.annotations.get(BASE_NAME, "")
    digest = image.manifest.annotations.get(BASE_DIGEST, "")
    if not called and not digest:
        likely = _likely_base(bases.store, image)
        raise KezuriError.of(
            f"{name} does not say which base it stands on",
            hint=f"its lowest layers are those of {likely}: --old-base {likely}"
            if likely
            else "name the image that it was built on: --old-base NAME",
        )
    pinned = f"{_repository(called)}@{digest}" if called and digest else called or digest
    tries = [pinned, digest] if called and digest else [pinned]
    for text in tries:
        try:
            return bases.named(text, image.config.platform)
        except NoSuchImage:
            continue
    raise NoSuchImage.of(
        f"{name} stands on {pinned}, which is not in the store",
        hint=f"fetch it: kezuri pull {pinned}" if called else "name the image that it was built on: --old-base NAME",
    )


def _new_base(bases: "_Bases", name: str, image: Image, asked: str) -> Base:
    called = image.manifest.annotations.get(BASE_NAME, "")
    if not asked and not called:
        raise KezuriError.of(f"{name} does not say which base it stands on", hint="name the new one: --new-base NAME")
    platform = image.config.platform
    return bases.find(asked, platform) if asked else bases.named(called, platform)


class _Bases:
    """Where bases are looked for: in the place that is written, and what an image says of itself where the image is."""

    def __init__(self, store: Store, altering: Altering) -> None:
        self.store = store
        self._altering = altering

    def find(self, text: str, platform: Platform) -> Base:
        """The base in a place. KezuriError when it is not there, or not for the platform."""
        place = place_of(text)
        if isinstance(place, StorePlace):
            return _base(self.store, place.name, platform)
        found = self._altering.base(text, platform)
        (part,) = found.parts
        called = ""
        if isinstance(place, RegistryPlace):
            pinned = place.reference.digest
            called = str(place.reference._replace(tag="", digest="") if pinned else place.reference)
        return Base(called, part.image.checked(text), part.descriptor.digest, text)

    def named(self, text: str, platform: Platform) -> Base:
        """The base that an image says it stands on. What has a digest is the same wherever it is; a name that is not
        an image's of the store is the registry's. NoSuchImage when it is not in the store, where the image is in it."""
        if self._altering.in_store:
            return _base(self.store, text, platform)
        _, pinned, _ = text.partition("@")
        try:
            if pinned or valid_digest(text):
                return _base(self.store, text, platform)
        except NoSuchImage:
            if not pinned:
                raise
        return self.find(f"docker://{text}", platform)


def _base(store: Store, text: str, platform: Platform) -> Base:
    """The base with this name, for a platform; KezuriError when it is not there, or not for the platform."""
    image = in_use(store, text)
    found = choose(store, text, str(platform) if platform.architecture else "")
    reference = image.reference
    if reference is not None and reference.digest:
        reference = reference._replace(tag="", digest="")
    called = "" if reference is None else str(reference)
    sound = Image(found.config, found.manifest).checked(text)
    return Base(called, sound, found.digest, text)


def _repository(name: str) -> str:
    try:
        return Reference.parse(name).repository
    except KezuriError:
        return name


def _likely_base(store: Store, image: Image) -> str:
    """The image of the store whose layers are the most of the image's lowest ones; its name, empty for none."""
    best, name = 0, ""
    for one in kept(store):
        if not one.name:
            continue
        try:
            configs = [config_of(store, manifest, one.name) for _, manifest in manifests(store, one.descriptor)]
        except KezuriError:
            continue  # A damaged image is no base.
        for config in configs:
            count = len(config.diff_ids)
            if best < count < len(image.layers) and image.config.diff_ids[:count] == config.diff_ids:
                best, name = count, one.familiar
    return name


class _System(NamedTuple):
    """What a base is made of: its distribution (the ID of os-release), and its C library."""

    distribution: str
    library: str


def _differences(session: Session, old: Base, new: Base) -> list[str]:
    """What programs that were built on the old base may miss on the new one; nothing where it cannot be seen."""
    if old.image.config.diff_ids == new.image.config.diff_ids:
        return []
    try:
        before, after = (_system(_view(session, base)) for base in (old, new))
    except KezuriError:
        return []
    told = []
    if before.library and after.library and before.library != after.library:
        told.append(
            f"{old.shown} has {before.library}, {new.shown} has {after.library}: "
            "programs that were built for the one do not start on the other"
        )
    elif before.distribution and after.distribution and before.distribution != after.distribution:
        told.append(
            f"{old.shown} is {before.distribution}, {new.shown} is "
            f"{after.distribution}: packages and libraries of the one are not those of the other"
        )
    elif (before.distribution or before.library) and not (after.distribution or after.library):
        told.append(f"{new.shown} has neither a distribution's files nor a C library")
    return told


def _view(session: Session, base: Base) -> StackView:
    for layer in base.image.layers:
        session.forms.know_pulled(*layer)
    return session.forms.view(base.image.config.diff_ids)


def _system(view: StackView) -> _System:
    distribution = ""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        text = view.read(path, 1 << 16)
        if text is not None:
            lines = [line.partition("=") for line in text.decode("utf-8", "replace").splitlines()]
            distribution = next((value.strip().strip("\"'") for key, _, value in lines if key == "ID"), "")
            break
    library = ""
    for directory in ("/lib", "/lib64"):
        for found in view.scan(view.resolve(directory)):
            base = found.entry.path.rpartition("/")[2]
            if base.startswith("ld-musl-"):
                library = "musl"
            elif base.startswith("ld-linux"):
                library = "glibc"
    return _System(distribution[:40], library)
