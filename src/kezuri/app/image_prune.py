"""`image prune`: images without a name go, or all images, with what only they need."""

from builtins import all as every
from collections.abc import Callable

from kezuri.app.answers import Removed
from kezuri.app.image_filters import PRUNING, read_filters
from kezuri.app.removing import Leaving
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.images.kept import config_of, kept, manifests
from kezuri.scalars import parse_bool
from kezuri.store.store import Store
from kezuri.upkeep.relief import is_full


def prune_images(
    settings: Settings,
    filters: tuple[str, ...] = (),
    warn: Callable[[str], None] = lambda _: None,
    *,
    all: bool = False,
    dry_run: bool = False,
) -> tuple[Removed, ...]:
    """Remove images without a name, with `all` (or the filter `dangling=false`) those with one too, as far as the
    filters choose them; an index goes if all of its images are chosen. The cache stays: what results or running builds
    need is not removed. `warn` hears of images that cannot be read, which stay. With `dry_run` nothing is removed, and
    only names and ids are told."""
    with Store(settings.root, frugal=is_full(settings.root)) as store:
        read_filters(store, filters, PRUNING)
        all = all or any(parse_bool(text[9:]) is False for text in filters if text.startswith("dangling="))
        wanted = read_filters(store, [text for text in filters if not text.startswith("dangling=")])
        gone = []
        for image in kept(store):
            if image.name and not all:
                continue
            try:
                of = [(m.config.digest, config_of(store, m, image.name)) for _, m in manifests(store, image.descriptor)]
            except KezuriError as error:
                warn(f"image {image.name or image.descriptor.digest} stays: {error}")
                continue
            # An image of which nothing is left is nothing that a filter could choose.
            if (of or not filters) and every(wanted.meet(image, identity, config) for identity, config in of):
                gone.append(image)
        removed = [
            Removed("untagged", image.familiar) if image.name else Removed("deleted", image.descriptor.digest)
            for image in gone
        ]
        if dry_run:
            return tuple(removed)
        leaving = Leaving(store, gone)
        for image in gone:
            if image.name:
                store.names.delete(image.name)
            else:
                store.names.drop(image.descriptor.digest)
        if not gone:
            return ()
        deleted = [Removed("deleted", one.name, one.size) for one in leaving.collect() if one.kind == "blob"]
        return (*(one for one in removed if one.what == "untagged"), *deleted)
