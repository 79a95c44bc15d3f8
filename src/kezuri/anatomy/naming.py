"""Whose the files of an image are: the packages that its records name, the application, nobody."""

from collections.abc import Callable, Sequence

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.leftovers import leftover_of
from kezuri.anatomy.reading import Peek, read_all
from kezuri.anatomy.records import Room
from kezuri.anatomy.values import APPLICATION, NOBODY, Owner, OwnerKind
from kezuri.anatomy.walk import Item
from kezuri.linux.links import TooManyLinks, follow
from kezuri.packages.inventory import ALWAYS, SYSTEM, Inventory
from kezuri.packages.package import Package, Record
from kezuri.packages.records import kind_of, parse
from kezuri.packages.runtimes import declared

_NOBODY, _APPLICATION = 0, 1


class RecordedNames:
    """The owners and leftovers of an image's files, by the records of packages that are in it."""

    def __init__(self, image: Dissection, inventory: Inventory, base_layers: int) -> None:
        self.inventory = inventory
        self.base_layers = base_layers
        owners: dict[Owner, int] = {NOBODY: _NOBODY, APPLICATION: _APPLICATION}
        self._numbers: list[int] = []
        self._built_here: list[bool] = []
        for installed in inventory.installed:
            owner = owner_of(installed.package)
            self._numbers.append(owners.setdefault(owner, len(owners)))
            self._built_here.append(installed.package.built_here)
        self._owners = tuple(owners)

    @property
    def owners(self) -> Sequence[Owner]:
        """As Naming says: nobody, the application, then packages."""
        return self._owners

    def owner(self, item: Item) -> int:
        """As Naming says."""
        number = self.inventory.owner(item.entry.path, item.layer)
        own = item.layer >= self.base_layers
        if number >= 0 and not (own and self._built_here[number]):
            return self._numbers[number]
        return _APPLICATION if own else _NOBODY

    def leftover(self, item: Item) -> str:
        """As Naming says."""
        return leftover_of(item.entry.path)


def owner_of(package: Package) -> Owner:
    """The owner that the files of a package have."""
    kind: OwnerKind = "system" if package.ecosystem in SYSTEM else "language"
    if package.ecosystem == "generic":
        kind = "runtime"
    return Owner(kind, package.ecosystem, package.full_name, package.version)


def recorded_names(
    image: Dissection, scratch: str = "", told: Callable[[str], None] = lambda text: None
) -> RecordedNames:
    """Read the records of all layers that nobody has read yet, each layer once. What could not be read is `told`.
    KezuriError where a layer cannot be listed."""
    wanted: list[Item] = []
    kinds: dict[int, str] = {}
    links: dict[str, str] = {}
    inventory, room, left_out = Inventory(), Room(), 0

    def take(item: Item, record: Record | None) -> None:
        if record is not None:
            inventory.add(item.path, record, item.layer, item.hidden if item.hidden >= 0 else ALWAYS)

    known = [layer.records for layer in image.layers]
    for item in image.items():
        entry = item.entry
        if entry.kind == "symlink":
            if item.hidden < 0:
                links[entry.path] = entry.link
            continue
        if entry.kind != "file" or not entry.size:
            continue
        kind = kind_of(entry.path, entry.size, entry.mode)
        if not kind:
            continue
        if not room.take(kind, entry.size):
            left_out += 1
        elif entry.path in known[item.layer]:
            take(item, known[item.layer][entry.path])
        else:
            kinds[id(item)] = kind
            wanted.append(item)

    def read(item: Item, data: Peek) -> None:
        take(item, parse(kinds[id(item)], item.path, item.entry.size, data))

    def unread(item: Item | None, why: str) -> None:
        told(why if item is None else f"/{item.path} could not be read: {why}")

    read_all(wanted, read, scratch, unread)
    if left_out:
        told(f"{left_out:,} records of packages were not read: there are too many")
    for package in declared(image.config.env_map()):
        inventory.declare(package)
    inventory.settle(_following(links))
    for trouble in inventory.troubles:
        told(trouble)
    return RecordedNames(image, inventory, base_layers(image))


def base_layers(image: Dissection) -> int:
    """How many of the lowest layers came with a base. Where nothing is known about that, it is the lowest layer alone,
    if it holds a system of its own."""
    known = 0
    for number, layer in enumerate(image.layers):
        if layer.maker.of_base:
            known = number + 1
    if known or not image.layers:
        return known
    lowest = image.layers[0].listing
    return int(any(path in lowest for path in ("etc/os-release", "usr/lib/os-release", "lib/apk/db/installed")))


def _following(links: dict[str, str]) -> Callable[[str], str]:
    """Where a directory is whose path may lead over links, by the links that the image shows."""

    def place(path: str) -> str:
        try:
            return follow(path, lambda at, more: links.get(at))
        except TooManyLinks:
            return path

    return place
