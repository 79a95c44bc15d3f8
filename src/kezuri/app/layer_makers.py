"""What made the layers of an image: the instructions of a Dockerfile as the journal has them, or a base image."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from kezuri.anatomy.history import History
from kezuri.anatomy.values import Maker
from kezuri.app.session import Session
from kezuri.cache.journal import Journal, JournalBuild
from kezuri.check.image.blotting import blotted
from kezuri.diagnostics import KezuriError
from kezuri.edits.rebase import BASE_DIGEST, BASE_NAME
from kezuri.explain.discretion import discreet
from kezuri.explain.makers import Made, made_by
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Manifest
from kezuri.oci.reference import Reference
from kezuri.store.store import Store


class _Base(NamedTuple):
    """An image below another one: so many of its layers, and what it is called."""

    layers: int
    name: str


def makers(
    session: Session, name: str, config: ImageConfig, annotations: Mapping[str, str] | None = None
) -> tuple[Maker, ...]:
    """What made each layer of the image, the lowest first. The journal knows those that were built here, with the line;
    of others the image's history says the instruction. Where the base ends is known from the journal, from images of
    the store that begin alike, or from what the image's `annotations` name. `name` is what a user calls the image."""
    history = History(name, config.history, len(config.diff_ids))
    made = _in_journal(session.store, config.diff_ids)
    said = {**config.labels, **(annotations or {})}
    base = _base(session.store, name, config.diff_ids, made, said)
    found = []
    for number in range(len(config.diff_ids)):
        line = history.of_layer(number)
        text = blotted(line.text) if line is not None else ""
        if made is not None and number in made.steps:
            step = discreet(made.steps[number])
            found.append(Maker(blotted(step.title) or text, made.build.heading.asked.dockerfile, step.line))
        elif number < base.layers:
            found.append(Maker(text, of_base=True, base=base.name))
        else:
            found.append(Maker(text))
    return tuple(found)


def build_of(session: Session, config: ImageConfig) -> int:
    """The number of the build that made the image's own layers, as far as the journal knows it; 0 for none."""
    made = _in_journal(session.store, config.diff_ids)
    return made.build.heading.number if made is not None else 0


def _in_journal(store: Store, diff_ids: Sequence[str]) -> Made | None:
    """What the journal says of layers that were made here; it is not read for an image that was made elsewhere."""
    known = _layers(store, diff_ids)
    if not known:
        return None
    journal = Journal(store.database)

    def builds() -> Iterator[JournalBuild]:
        for heading in journal.headings():
            build = journal.read(heading)
            if build is not None:
                yield build

    return made_by(builds(), diff_ids, known)


def _layers(store: Store, diff_ids: Sequence[str]) -> dict[str, set[str]]:
    """By diff id the layers that a build made: one that came from elsewhere is called by its diff id."""
    wanted = set(diff_ids)
    found: dict[str, set[str]] = {}
    for row in store.database.layers():
        if row.diff_id in wanted and row.id != row.diff_id:
            found.setdefault(row.diff_id, set()).add(row.id)
    for form in store.database.forms():
        if form.diff_id in wanted and form.layer != form.diff_id:
            found.setdefault(form.diff_id, set()).add(form.layer)
    return found


def _base(store: Store, name: str, diff_ids: Sequence[str], made: Made | None, said: Mapping[str, str]) -> _Base:
    """The image below, as well as it can be known; no layers of it where it cannot."""
    named = _familiar(said.get(BASE_NAME, ""))
    below = min(made.steps) if made is not None else -1
    digest = said.get(BASE_DIGEST, "")
    layers = layers_of(store, digest) if digest else ()
    if not layers or len(layers) >= len(diff_ids) or tuple(diff_ids[: len(layers)]) != layers:
        layers = ()
    # Where `kezuri rebase` has put what was built here on an image that begins like its old base, it has more layers.
    if made is not None and made.base_layers >= 0 and not made.base_layers < len(layers) <= below:
        return _Base(made.base_layers, named or _familiar(made.base))
    if layers:
        return _Base(len(layers), named or digest)
    if below >= 0:
        # What was built here stands on other layers than those that it was built on: `kezuri rebase` has changed them.
        return _Base(below, named)
    found = _longest(store, name, diff_ids)
    return found._replace(name=named or found.name) if found.layers else found


def _longest(store: Store, name: str, diff_ids: Sequence[str]) -> _Base:
    """Of the store's images the one that has most of the layers, from the lowest on, and no other ones. An earlier
    image of the same repository is none to stand on."""
    from kezuri.images.kept import kept, manifests

    own = _repository(name)
    candidates: dict[str, str] = {}
    for reference, digest in store.database.facts.images():
        candidates.setdefault(digest, reference)
    for image in kept(store):
        try:
            several = manifests(store, image.descriptor)
        except KezuriError:
            continue
        for digest, _ in several:
            if image.name and not image.by_digest:
                candidates[digest] = image.name
    known = {form.digest: form.diff_id for form in store.database.forms() if form.verified}
    best = _Base(0, "")
    for digest, called in candidates.items():
        if own and _repository(called) == own:
            continue
        layers = layers_of(store, digest, known, len(diff_ids) - 1)
        if len(layers) > best.layers and tuple(diff_ids[: len(layers)]) == layers:
            best = _Base(len(layers), _familiar(called))
    return best


def layers_of(
    store: Store, digest: str, known: Mapping[str, str] | None = None, most: int = 1 << 20
) -> tuple[str, ...]:
    """The diff ids of an image by its manifest's digest; none where it is not here, is damaged, or has more than
    `most`. Where it is `known` which blob is which layer, its config is not read."""
    from kezuri.images.kept import config_of
    from kezuri.oci.descriptor import read_document

    try:
        if not store.blobs.has(digest):
            return ()
        manifest = read_document(store.blobs.read(digest), digest)
        if not isinstance(manifest, Manifest) or len(manifest.layers) > most:
            return ()
        layers = tuple((known or {}).get(layer.digest, "") for layer in manifest.layers)
        return layers if all(layers) else config_of(store, manifest, digest).diff_ids
    except (KezuriError, OSError):
        return ()


def _repository(name: str) -> str:
    reference = Reference.maybe(name)
    return "" if reference is None else reference.repository


def _familiar(name: str) -> str:
    """The name as people write it, with its tag."""
    reference = Reference.maybe(name) if name else None
    return name if reference is None else reference.familiar
