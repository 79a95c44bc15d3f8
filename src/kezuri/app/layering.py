"""`append` and `flatten`: one layer more, and one layer of all. Nothing is unpacked: layers go from tar to tar."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from kezuri.app.altering import Wanted, alter
from kezuri.app.mutate import say_attested
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.edits.image import Documents, Image, Layer
from kezuri.edits.layers import Note, appended, squashed
from kezuri.export.image import ImageDocuments, Squash
from kezuri.forms.packing import Packing
from kezuri.forms.repacking import with_content
from kezuri.images.altered import Altered
from kezuri.layer.decompression import decompress
from kezuri.layer.entry import Entry
from kezuri.layer.placement import Placement
from kezuri.layer.tar_reader import read_tar
from kezuri.oci.descriptor import Descriptor
from kezuri.store.schema import FormRow
from kezuri.tree.checksum import verify_unchanged
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.extraction import taken_out
from kezuri.tree.recipe import CopyOptions, recipe
from kezuri.tree.selection import select

MOST_LAYERS = 127
"""The layers that docker can run an image with (overlayfs takes that many lower directories on one page)."""

_MOST_TOLD = 5
_OFTEN_LINKS = {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "var/run", "var/lock"}
"""Directories that are links in many images: where a tar has one, the image's files are looked at, which takes time."""

Warn = Callable[[str], None]


def append(
    settings: Settings,
    name: str,
    wanted: Wanted,
    files: Sequence[str],
    stdin: Callable[[], BinaryIO],
    packing: Packing,
    created: str = "",
    warn: Warn = lambda text: None,
) -> Altered:
    """Make an image of another one with a layer more for each of the files, in their order: a tar, compressed or not,
    `-` for one on standard input, or a directory, which is copied to the root as COPY does. A tar is taken as a layer:
    its whiteouts remove, and it is written anew in kezuri's own form. KezuriError for a tar that cannot be one."""
    with Session(settings, warn=warn) as session, alter(session, name, wanted, warn) as altering:
        source = altering.original
        altering.supply()
        images = [part.image.checked(name) for part in source.parts]
        for image in images:
            _know(session, image)
        for file in files:
            note = Note(
                f"kezuri append {os.path.basename(os.path.abspath(file)) if file != '-' else file}", "", created
            )
            layers: Sequence[Layer]
            if file != "-" and _is_directory(file):
                layers = [_of_directory(session, image, file, packing) for image in images]
            else:
                layers = [_of_tar(session, images, file, stdin, packing, warn)] * len(images)
            images = [appended(image, layer, note) for image, layer in zip(images, layers)]
            for layer in layers:
                session.forms.know_pulled(*layer)
        most = max(len(image.layers) for image in images)
        if most > MOST_LAYERS:
            warn(f"the image has {most} layers now; docker runs images of {MOST_LAYERS} and fewer")
        say_attested(source, warn)
        return altering.keep(images)


def flatten(
    settings: Settings,
    name: str,
    wanted: Wanted,
    packing: Packing,
    created: str = "",
    warn: Warn = lambda text: None,
) -> Altered:
    """Make an image of another one with the same files and settings, and one layer. What upper layers removed is not
    in it any more. KezuriError when a layer is not in the store, or is not what the image says."""
    with Session(settings, warn=warn) as session, alter(session, name, wanted, warn) as altering:
        source = altering.original
        altering.supply()
        images = []
        for part in source.parts:
            image = part.image.checked(name)
            note = Note("kezuri flatten", f"flattened from {part.descriptor.digest}", created)
            images.append(squash(session, image, 0, packing, note) if image.layers else part.image)
        say_attested(source, warn)
        return altering.keep(images)


def squash(session: Session, image: Image, kept: int, packing: Packing, note: Note) -> Image:
    """The image with one layer for all but the lowest `kept`."""
    _know(session, image)
    session.forms.fetch_named(image.layers)
    form = session.forms.squashed(image.config.diff_ids, kept, packing)
    layer = _layer(form)
    session.forms.know_pulled(*layer)
    return squashed(image, kept, layer, note)


def squasher(session: Session, packing: Packing, everything: bool) -> Squash:
    """What makes the new layers of an image that was built one, or `everything`: where there are several."""

    def squashed_documents(made: ImageDocuments, base: int) -> ImageDocuments:
        kept = 0 if everything else base
        count = len(made.layers) - kept
        if count < 2:
            return made
        before = Documents(made.manifest, made.config)
        note = Note("kezuri build --squash-all" if everything else "kezuri build --squash", f"{count} layers as one")
        documents = before.of(squash(session, before.image("the image"), kept, packing, note))
        image = documents.image("the image")
        return made._replace(
            manifest=documents.manifest,
            descriptor=documents.descriptor._replace(platform=made.descriptor.platform),
            config=documents.config,
            config_descriptor=image.manifest.config,
            layers=image.manifest.layers,
            image_config=image.config,
        )

    return squashed_documents


def _know(session: Session, image: Image) -> None:
    for layer in image.layers:
        session.forms.know_pulled(*layer)


def _layer(form: FormRow) -> Layer:
    return Layer(form.diff_id, Descriptor(form.media_type, form.digest, form.size))


def _new_id() -> str:
    """An id for a layer that is what it is made of now, and nothing else ever is."""
    return "sha256:" + os.urandom(32).hex()


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError as error:
        raise KezuriError.of(f"cannot read {path}: {error.strerror}") from None


def _of_directory(session: Session, image: Image, path: str, packing: Packing) -> Layer:
    """The layer of COPY PATH /: owned by root, laid where the links of the image lead."""
    tree = DirectoryTree(os.path.abspath(path), owner=(0, 0), name=path)
    with session.store.scratch("append") as scratch:
        selection = taken_out(select(tree, ["."], literal=True), scratch)
        items = recipe(selection, CopyOptions("/"), session.forms.view(image.config.diff_ids))
        return _layer(session.forms.pack(_new_id(), items, packing, lambda: verify_unchanged(selection)))


def _of_tar(
    session: Session,
    images: Sequence[Image],
    path: str,
    stdin: Callable[[], BinaryIO],
    packing: Packing,
    warn: Warn,
) -> Layer:
    where = "standard input" if path == "-" else path
    with session.store.scratch("append") as scratch:
        try:
            stream = stdin() if path == "-" else open(path, "rb", buffering=0)  # noqa: SIM115  # closed below
        except OSError as error:
            raise KezuriError.of(f"cannot read {path}: {error.strerror}") from None
        try:
            placed = Placement(where, _Below(session, images))
            entries = _placed(read_tar(decompress(stream, where), where), placed, where)
            form = session.forms.pack(_new_id(), with_content(entries, os.path.join(scratch, "content")), packing)
        finally:
            if path != "-":
                stream.close()
        if not _OFTEN_LINKS.isdisjoint(placed.names):
            told: dict[str, None] = {}
            for image in images:
                told.update(dict.fromkeys(_hidden(session, image, placed, where)))
            for text in list(told)[:_MOST_TOLD]:
                warn(text)
        return _layer(form)


def _hidden(session: Session, image: Image, placed: Placement, where: str) -> Iterator[str]:
    """Tells of directories of the tar that hide a link of the image."""
    hidden: list[str] = []
    try:
        below = session.forms.view(image.config.diff_ids)
        for path in placed.names:
            if any(path.startswith(f"{above}/") for above in hidden):
                continue
            found = below.lookup(path)
            if found is not None and found.kind == "symlink":
                hidden.append(path)
                yield f"/{path} is a link to {found.link} in the image; the directory in {where} hides what is there"
    except KezuriError:
        return  # A layer of the image is elsewhere: the new one can be put on it all the same.


def _placed(
    entries: Iterator[tuple[Entry, BinaryIO | None]], placed: Placement, where: str
) -> Iterator[tuple[Entry, BinaryIO | None]]:
    """The entries as they stand, of which every one was seen to have a place: who unpacks the layer will find that it
    can be. KezuriError where there is none at all: then it was no tar."""
    nothing = True
    for number, (entry, data) in enumerate(entries):
        nothing = False
        placed.put(placed.place(entry), number, entry.path)
        yield entry, data
    if nothing:
        raise KezuriError.of(f"{where} holds no files: it is no tar, or an empty one")


class _Below:
    """The files of all images together, which are looked at when a hard link leads to one of them: a View."""

    def __init__(self, session: Session, images: Sequence[Image]) -> None:
        self._session = session
        self._images = images

    def lookup(self, path: str) -> Entry | None:
        """What every one of the images has there, as the last one has it."""
        found: Entry | None = None
        for image in self._images:
            found = self._session.forms.view(image.config.diff_ids).lookup(path)
            if found is None:
                return None
        return found

    def resolve(self, path: str) -> str:
        """As `View.resolve`."""
        return self._session.forms.view(self._images[0].config.diff_ids).resolve(path)

    def read(self, path: str, limit: int = 10 << 20) -> bytes | None:
        """As `View.read`."""
        return self._session.forms.view(self._images[0].config.diff_ids).read(path, limit)
