"""`bases`: base images assembled here from packages, for machines that reach no container registry."""

import os
from collections.abc import Callable

from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.images.origins import Images
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.store.store import Store


def names() -> tuple[tuple[str, str], ...]:
    """(name, what it is) of the images that can be made here."""
    from kezuri.bases import recipes

    return tuple((Reference.parse(recipe.name).familiar, recipe.stand_in) for recipe in recipes())


def is_offered(name: str) -> bool:
    """Whether an image of this name, written in any way that a reference may be, can be made here. KezuriError for
    what is no reference."""
    from kezuri.bases import find

    return find(Reference.parse(name)) is not None


def make(settings: Settings, wanted: tuple[str, ...], out_dir: str, say: Callable[[str], None]) -> None:
    """Assemble the images and put them into the store under their names, or into a layout directory."""
    from kezuri.bases import Handed, LayoutSink, assemble, find, write_layout

    handed: Handed = {}
    for name in wanted:
        reference = Reference.parse(name)
        recipe = find(reference)
        if recipe is None:
            raise KezuriError.of(
                f"there is no recipe for {name}", hint="`kezuri bases` lists those there are", exit_code=2
            )
        if out_dir:
            made = assemble(
                recipe,
                LayoutSink(out_dir),
                cache_directory(),
                ca_certificates=settings.ca_certificates,
                report=say,
                handed=handed,
            )
            write_layout(out_dir, str(reference), made)
            notes = made.notes
        else:
            with Store(settings.root) as store:
                made = assemble(
                    recipe,
                    StoreSink(store),
                    cache_directory(),
                    ca_certificates=settings.ca_certificates,
                    report=say,
                    handed=handed,
                )
                notes = made.notes
                store.names.put(str(reference), made.descriptor)
        say(f"{reference.familiar}: {recipe.stand_in}")
        for note in notes:
            say(f"  {note}")


def cache_directory() -> str:
    """Where downloaded packages are kept; made when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = os.path.join(base, "kezuri", "packages")
    os.makedirs(path, exist_ok=True)
    return path


class StoreSink:
    """Puts finished blobs into the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, path: str, digest: str, size: int) -> None:
        """Copy the file into the store, checked on the way."""
        from kezuri.oci.descriptor import Descriptor

        if self._store.blobs.has(digest):
            return
        with open(path, "rb") as file, self._store.blobs.writer(Descriptor("", digest, size)) as writer:
            writer.restart()
            while chunk := file.read(1 << 20):
                writer.write(chunk)
            writer.commit()


class StandIns:
    """Takes the place of a registry that does not answer, for the images that can be assembled; says so each time."""

    def __init__(self, store: Store, ca_certificates: str, say: Callable[[str], None]) -> None:
        self._store = store
        self._ca_certificates = ca_certificates
        self._say = say

    def find(self, reference: Reference, platform: Platform) -> BaseImage | None:
        """The stand-in for an image, assembled unless the store has it already; None when there is no recipe."""
        from kezuri.bases import assemble, find

        recipe = find(reference, platform)
        if recipe is None:
            return None
        digest = self._store.database.facts.stand_in(reference, platform)
        name = reference.familiar
        if not self._store.blobs.has(digest):
            self._say(f"no registry gave {name}: assembling a stand-in, which is {recipe.stand_in}")
            made = assemble(
                recipe,
                StoreSink(self._store),
                cache_directory(),
                ca_certificates=self._ca_certificates,
                report=lambda line: self._say(f"  {line}"),
            )
            for note in made.notes:
                self._say(f"  {note}")
            digest = made.descriptor.digest
            self._store.database.facts.put_stand_in(reference, platform, digest)
        else:
            self._say(f"no registry gave {name}: using the stand-in made before, which is {recipe.stand_in}")
        source = ImageSource("registry", f"{reference.repository}@{digest}")
        return Images.stored(self._store, source, name, digest, platform)
