"""An image put onto another base: its own layers on those of the new one, its own settings over the new one's."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from kezuri.diagnostics import KezuriError
from kezuri.edits.image import Image
from kezuri.oci.config import HistoryEntry, ImageConfig

BASE_NAME = "org.opencontainers.image.base.name"
"""The annotation with the name of the image that an image stands on (annotations.md)."""
BASE_DIGEST = "org.opencontainers.image.base.digest"
"""The annotation with the digest of that image's manifest."""

_T = TypeVar("_T")


class Base(NamedTuple):
    """A base image: its name in full (empty for none), its image for the platform, the digest of its manifest, and
    what a user calls it."""

    name: str
    image: Image
    digest: str
    shown: str = "the base"


def rebased(image: Image, name: str, old: Base, new: Base, created: str = "") -> Image:
    """The image with the new base in the place of the old one, and with annotations that name it.

    Layers and history below are the new base's. A setting that the image has just as its old base had it is the new
    base's; one that the image gave itself, or took away, stays so. KezuriError, naming the image `name`, when the old
    base's layers are not its lowest layers, or the bases are for another system.
    """
    _check_layers(image, name, old)
    mine, theirs = image.config.platform, new.image.config.platform
    if theirs.architecture and mine.architecture and (mine.os, mine.architecture) != (theirs.os, theirs.architecture):
        raise KezuriError.of(
            f"{name} is for {mine}, and the new base {new.shown} for {theirs}",
            hint="its own layers hold programs for its own platform: take the base for that one",
        )
    count = len(old.image.layers)
    made = image.with_layers(
        (*new.image.layers, *image.layers[count:]),
        (*new.image.config.history, *own_history(image.config.history, old.image.config.history, count)),
    )
    config = _merged(made.config, image.config, old.image.config, new.image.config)
    if created:
        config = config._replace(created=created)
    notes = {BASE_DIGEST: new.digest}
    if new.name:
        notes[BASE_NAME] = new.name
    elif BASE_NAME in image.manifest.annotations:
        kept = {key: value for key, value in made.manifest.annotations.items() if key != BASE_NAME}
        made = made._replace(manifest=made.manifest._replace(annotations=kept))
    return made._replace(config=config).annotated(notes)


def own_history(
    history: tuple[HistoryEntry, ...], base: tuple[HistoryEntry, ...], layers: int
) -> tuple[HistoryEntry, ...]:
    """What of a history came after that of a base with so many layers. Where the base's does not stand at its beginning
    word for word, because somebody wrote it anew, the entry of the base's last layer is the last of the base's, and as
    many entries without a layer follow it as in the base's."""
    if history[: len(base)] == base:
        return history[len(base) :]
    tail = 0
    for entry in reversed(base):
        if not entry.empty_layer:
            break
        tail += 1
    seen = at = 0
    while at < len(history) and seen < layers:
        seen += not history[at].empty_layer
        at += 1
    while at < len(history) and history[at].empty_layer and tail:
        at, tail = at + 1, tail - 1
    return history[at:]


def _check_layers(image: Image, name: str, old: Base) -> None:
    mine, below = image.config.diff_ids, old.image.config.diff_ids
    if mine[: len(below)] == below:
        return
    hint = "name the version that it was built on: --old-base NAME@DIGEST"
    if len(mine) < len(below):
        raise KezuriError.of(
            f"{name} does not stand on {old.shown}: it has {len(mine)} layers, and {old.shown} has {len(below)}",
            hint=hint,
        )
    number = next(i for i, (one, other) in enumerate(zip(mine, below)) if one != other)
    raise KezuriError.of(
        f"{name} does not stand on {old.shown}: layer {number + 1} of {old.shown} is {below[number]}, "
        f"and {name} has {mine[number]} there",
        hint=hint,
    )


def _merged(made: ImageConfig, mine: ImageConfig, old: ImageConfig, new: ImageConfig) -> ImageConfig:
    # Who declares an entry point has said what the command is, too, even by saying nothing.
    entrypoint = mine.entrypoint != old.entrypoint
    health = _chosen(mine.healthcheck, old.healthcheck, new.healthcheck)
    return made._replace(
        author=_chosen(mine.author, old.author, new.author),
        user=_chosen(mine.user, old.user, new.user),
        exposed_ports=tuple(sorted(_set(mine.exposed_ports, old.exposed_ports, new.exposed_ports))),
        env=_environment(mine.env, old.env, new.env),
        entrypoint=_chosen(mine.entrypoint, old.entrypoint, new.entrypoint),
        cmd=mine.cmd if entrypoint else _chosen(mine.cmd, old.cmd, new.cmd),
        volumes=tuple(sorted(_set(mine.volumes, old.volumes, new.volumes))),
        working_dir=_chosen(mine.working_dir, old.working_dir, new.working_dir),
        labels=_keyed(mine.labels, old.labels, new.labels),
        stop_signal=_chosen(mine.stop_signal, old.stop_signal, new.stop_signal),
        args_escaped=_chosen(mine.args_escaped, old.args_escaped, new.args_escaped),
        healthcheck=health,
        shell=_chosen(mine.shell, old.shell, new.shell),
    )


def _chosen(mine: _T, old: _T, new: _T) -> _T:
    return new if mine == old else mine


def _keyed(mine: Mapping[str, _T], old: Mapping[str, _T], new: Mapping[str, _T]) -> dict[str, _T]:
    """Key by key, the new base's first."""
    made: dict[str, _T] = {}
    for key in dict.fromkeys((*new, *mine)):
        value = _chosen(mine.get(key), old.get(key), new.get(key))
        if value is not None:
            made[key] = value
    return made


def _set(mine: Iterable[str], old: Iterable[str], new: Iterable[str]) -> Iterable[str]:
    return _keyed(dict.fromkeys(mine, True), dict.fromkeys(old, True), dict.fromkeys(new, True))


def _environment(mine: tuple[str, ...], old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    before, after = _variables(old), _variables(new)
    own = {}
    for name, entry in _variables(mine).items():
        own[name] = _relaid(entry, before.get(name), after.get(name), name)
    return tuple(_keyed(own, before, after).values())


def _variables(env: tuple[str, ...]) -> dict[str, Any]:
    """The entries by the names of their variables; of two for one name the last counts."""
    return {entry.partition("=")[0]: entry for entry in env}


def _relaid(entry: str, old: str | None, new: str | None, name: str) -> str:
    """A list of directories that the image made of its base's (`PATH=/app/bin:$PATH`) made of the new base's."""
    if old is None or new is None or entry == old:
        return entry
    value, below, above = (text.partition("=")[2] for text in (entry, old, new))
    if below and value.endswith(f":{below}"):
        value = value.removesuffix(below) + above
    elif below and value.startswith(f"{below}:"):
        value = above + value.removeprefix(below)
    return f"{name}={value}"
