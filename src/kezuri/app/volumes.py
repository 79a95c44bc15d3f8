"""Volumes: made, listed, told of and removed."""

import os
from collections.abc import Callable
from typing import Any

from kezuri.app.answers import Removed
from kezuri.app.request import Settings
from kezuri.containers.volumes import make
from kezuri.diagnostics import KezuriError, nearest
from kezuri.linux.ownership import Privilege
from kezuri.oci.dates import timestamp
from kezuri.store.owners import Owners
from kezuri.store.store import Store
from kezuri.store.volumes import NoSuchVolume, Volume, VolumeInUse, Volumes
from kezuri.upkeep.relief import is_full

_FILTERS = ("name", "label", "dangling", "driver")


def create(settings: Settings, name: str = "", labels: dict[str, str] | None = None) -> str:
    """Make a volume, unless it is there; its name, which is made up where none is given."""
    name = name or os.urandom(32).hex()
    with Store(settings.root) as store:
        return make(name, Volumes(store), Owners(store, Privilege()), labels or {}).name


def volumes(settings: Settings, filters: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Every volume that passes the filters (docker's `name`, `label`, `dangling` and `driver`), as docker tells it.
    KezuriError for other filters."""
    tests = [_filter(text) for text in filters]
    with Store(settings.root, is_full(settings.root), reading=True) as store:
        known = Volumes(store)
        return [_told(known, volume) for volume in known.all() if all(test(known, volume) for test in tests)]


def inspect(settings: Settings, names: tuple[str, ...], missed: Callable[[KezuriError], None]) -> list[dict[str, Any]]:
    """What is to be known of each volume; `missed` hears of each that is not there."""
    told = []
    with Store(settings.root, is_full(settings.root), reading=True) as store:
        known = Volumes(store)
        for name in names:
            try:
                told.append(_told(known, known.get(name)))
            except NoSuchVolume as error:
                missed(error)
    return told


def remove(settings: Settings, names: tuple[str, ...], missed: Callable[[KezuriError], None]) -> tuple[Removed, ...]:
    """Remove volumes; `missed` hears of each that is not there, or that a container has."""
    removed = []
    with Store(settings.root, is_full(settings.root)) as store:
        known, privilege = Volumes(store), Privilege()
        privilege.own()
        for name in names:
            try:
                removed.append(Removed("volume", name, known.remove(name)))
            except (NoSuchVolume, VolumeInUse) as error:
                missed(error)
    return tuple(removed)


def prune(settings: Settings, everything: bool = False, filters: tuple[str, ...] = ()) -> tuple[Removed, ...]:
    """Remove the volumes that no container has: those without a name of their own, or `everything`."""
    tests = [_filter(text) for text in filters]
    removed = []
    with Store(settings.root, is_full(settings.root)) as store:
        known, privilege = Volumes(store), Privilege()
        for volume in known.all():
            if (everything or volume.is_nameless) and all(test(known, volume) for test in tests):
                privilege.own()
                try:
                    removed.append(Removed("volume", volume.name, known.remove(volume.name)))
                except VolumeInUse:
                    continue
    return tuple(removed)


def _told(known: Volumes, volume: Volume) -> dict[str, Any]:
    return {
        "Name": volume.name,
        "Driver": "local",
        "Scope": "local",
        "Mountpoint": known.data(volume.name),
        "CreatedAt": timestamp(int(volume.created)),
        "Labels": dict(volume.labels),
        "Options": {},
    }


def _filter(text: str) -> Callable[[Volumes, Volume], bool]:
    key, equals, value = text.partition("=")
    if key == "label" and equals:
        name, has_value, wanted = value.partition("=")
        return lambda known, volume: (
            name in dict(volume.labels) and (not has_value or dict(volume.labels)[name] == wanted)
        )
    if key == "name" and equals:
        return lambda known, volume: value in volume.name
    if key == "driver" and equals:
        return lambda known, volume: value == "local"
    if key == "dangling" and value in ("true", "false", "1", "0"):
        return lambda known, volume: known.is_used(volume.name) != (value in ("true", "1"))
    guess = nearest(key, _FILTERS)
    raise KezuriError.of(
        f"--filter {text!r} is not known",
        hint=f"did you mean {guess}=...?" if guess and guess != key else "name=, label=, dangling=true, driver=local",
        exit_code=2,
    )
