"""Volumes: directories with a name that containers write into, and that stay until somebody removes them."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.linux.disk import disk_error
from kezuri.linux.usage import disk_use
from kezuri.store.store import Store, remove_tree

DIRECTORY = "volumes"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}\Z")
_NAMELESS = re.compile(r"[0-9a-f]{64}\Z")
_DATA, _FACTS = "_data", "volume.json"


class NoSuchVolume(KezuriError):
    """The store has no such volume."""


class VolumeInUse(KezuriError):
    """A container has the volume."""


class Volume(NamedTuple):
    """A volume: its name, when it was made (seconds since the epoch), the witness of the ids that its files belong to
    (`store/owners.py`), and its labels."""

    name: str
    created: float
    owners: str
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def is_nameless(self) -> bool:
        """Whether nobody chose its name."""
        return _NAMELESS.match(self.name) is not None


class Volumes:
    """The volumes of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> tuple[Volume, ...]:
        """Every volume, by name."""
        try:
            names = sorted(os.listdir(self._store.path(DIRECTORY)))
        except FileNotFoundError:
            return ()
        found = (self.find(name) for name in names)
        return tuple(volume for volume in found if volume is not None)

    def find(self, name: str) -> Volume | None:
        """The volume of this name; None when there is none. KezuriError for one whose facts cannot be read."""
        if _NAME.match(name) is None:
            return None  # it would be a path
        path = self._store.path(DIRECTORY, name, _FACTS)
        try:
            with open(path, "rb") as file:
                facts = json.loads(file.read(1 << 20))
            labels = tuple((str(key), str(value)) for key, value in facts["labels"].items())
            return Volume(name, float(facts["created"]), str(facts["owners"]), labels)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise KezuriError.of(
                f"{path} is damaged", hint=f"the files are in {self.data(name)}: save them", exit_code=125
            ) from None

    def get(self, name: str) -> Volume:
        """The volume of this name. NoSuchVolume, with the nearest name, when there is none."""
        volume = self.find(name)
        if volume is None:
            guess = nearest(name, [each.name for each in self.all()])
            hint = f"did you mean {guess}?" if guess else "`kezuri volume ls` lists them"
            raise NoSuchVolume.of(f"no such volume: {name}", hint=hint)
        return volume

    def data(self, name: str) -> str:
        """The directory that is shown to containers."""
        return self._store.path(DIRECTORY, name, _DATA)

    def size(self, name: str) -> int:
        """The bytes on the disk that its files take."""
        return disk_use(self.data(name))

    def make(self, name: str, owners: str, fill: Callable[[str], None], labels: dict[str, str]) -> Volume:
        """Make a volume, which must not be there. `fill` makes the directory of its files, at the path that it is
        given; a volume appears when that is done, or not at all."""
        place = self._store.path(DIRECTORY, name)
        created = time.time()
        try:
            with self._store.scratch("volume") as scratch:
                made = os.path.join(scratch, "made")
                os.mkdir(made, 0o700)
                fill(os.path.join(made, _DATA))
                with open(os.path.join(made, _FACTS), "w") as file:
                    json.dump({"created": created, "owners": owners, "labels": labels}, file)
                os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
                os.rename(made, place)
        except OSError as error:
            raise disk_error(error, place) from error
        return Volume(name, created, owners, tuple(labels.items()))

    @contextmanager
    def used(self, name: str) -> Iterator[None]:
        """While the block runs, nobody removes the volume of this name."""
        with self._store.lock(f"volume-{name}", shared=True):
            yield

    @contextmanager
    def making(self, name: str) -> Iterator[None]:
        """While the block runs, nobody else makes the volume, or fills it for the first time."""
        with self._store.lock(f"make-volume-{name}"):
            yield

    def is_used(self, name: str) -> bool:
        """Whether a container has the volume."""
        with self._store.lock(f"volume-{name}", wait=False) as free:
            return not free

    def remove(self, name: str) -> int:
        """Remove the volume and its files; the bytes that this freed. NoSuchVolume, or VolumeInUse."""
        self.get(name)
        with self._store.lock(f"volume-{name}", wait=False) as free:
            if not free:
                raise VolumeInUse.of(f"volume {name} is in use", hint="stop the container that has it")
            self.get(name)
            size = self.size(name)
            with self._store.scratch("volume") as scratch:
                aside = os.path.join(scratch, "gone")
                os.rename(self._store.path(DIRECTORY, name), aside)
                remove_tree(aside)
            return size


def check_name(name: str) -> None:
    """KezuriError, exit code 2, for what can be no volume's name."""
    if _NAME.match(name) is None:
        raise KezuriError.of(
            f"{name!r} is no name of a volume",
            hint="two to 128 letters or digits, after the first _ . - as well",
            exit_code=2,
        )
