"""Whose the files of an image are: the packages that its records name, the application, nobody."""

from collections.abc import Callable, Sequence

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.leftovers import leftover_of
from kezuri.anatomy.reading import read_all
from kezuri.anatomy.records import LayerRecords
from kezuri.anatomy.values import APPLICATION, NOBODY, Owner, OwnerKind
from kezuri.anatomy.walk import Item
from kezuri.linux.links import TooManyLinks, follow
from kezuri.packages.inventory import ALWAYS, Inventory
from kezuri.packages.package import SYSTEM, Package
from kezuri.packages.runtimes import declared

_LONGEST = 200
_NOBODY, _APPLICATION = 0, 1


class RecordedNames:
    """The owners and leftovers of an image's files, by the records of packages that are in it."""

    def __init__(self, inventory: Inventory, base_layers: int, told: Sequence[str] = (), whole: bool = True) -> None:
        self.inventory = inventory
        self.told = tuple(told)
        self.whole = whole
        self.base_layers = base_layers
        owners: dict[Owner, int] = {NOBODY: _NOBODY, APPLICATION: _APPLICATION}
        self._numbers: list[int] = []
        self._built_here: list[bool] = []
        for installed in inventory.installed:
            owner = owner_of(installed.package) if installed.package.name else NOBODY
            self._numbers.append(owners.setdefault(owner, len(owners)))
            self._built_here.append(installed.package.built_here)
        self._owners = tuple(owners)

    @property
    def owners(self) -> Sequence[Owner]:
        """As Naming says: nobody, the application, then packages."""
        return self._owners

    @property
    def packages(self) -> Sequence[Owner]:
        """As Naming says. What the image's maker built is none, though what is in it are some."""
        found = set()
        for number, each in enumerate(self.inventory.installed):
            package = each.package
            if not each.shown or not package.name or package.built_here:
                continue
            if package.ecosystem == "generic" and self.inventory.owner(each.record) != number:
                continue  # a package of the system brought it, and is told already
            found.add(owner_of(package))
        return sorted(found)

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
    return Owner(kind, package.ecosystem, _shown(package.full_name), _shown(package.version))


def _shown(text: str) -> str:
    """A word of a record that anybody can have written, for people: short, and without orders to a terminal."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return (
        text
        if text.isprintable()
        else "".join([each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text])
    )


def recorded_names(
    image: Dissection,
    scratch: str = "",
    known: Sequence[LayerRecords | None] = (),
    keep: Callable[[int, LayerRecords], None] = lambda layer, records: None,
) -> RecordedNames:
    """The owners by the records of all layers. Of layers whose records are not `known` they are read, each layer once,
    and handed to `keep`. KezuriError where a layer cannot be listed."""
    layers = [known[number] if number < len(known) else None for number in range(len(image.layers))]
    reading = [LayerRecords() if found is None else found for found in layers]
    wanted: list[Item] = []
    spans: list[tuple[str, int, int]] = []
    links: dict[str, str] = {}
    for item in image.items():
        entry, number = item.entry, item.layer
        if entry.kind == "symlink":
            if item.hidden < 0:
                links[entry.path] = entry.link
        elif entry.kind == "file" and entry.size:
            if layers[number] is not None:
                if entry.path in reading[number].found:
                    spans.append((entry.path, number, item.hidden if item.hidden >= 0 else ALWAYS))
            elif reading[number].wants(entry):
                wanted.append(item)
                spans.append((entry.path, number, item.hidden if item.hidden >= 0 else ALWAYS))
    told: list[str] = []
    damaged = not all(records.whole for records in reading)

    def unread(item: Item | None, why: str) -> None:
        nonlocal damaged
        damaged = True
        told.append(why if item is None else f"/{item.path} could not be read: {why}")

    read_all(wanted, lambda item, data: reading[item.layer].read(item.entry, data), scratch, unread)
    inventory = Inventory()
    for path, number, until in spans:
        record = reading[number].found.get(path)
        if record is not None:
            inventory.add(path, record, number, until)
    for number, records in enumerate(reading):
        if layers[number] is None and not damaged:
            keep(number, records)
    left_out = sum(records.left_out for records in reading)
    if left_out:
        told.append(f"{left_out:,} records of packages were not read: there are too many")
    for package in declared(image.config.env_map()):
        inventory.declare(package)
    inventory.settle(_following(links))
    return RecordedNames(inventory, base_layers(image), (*told, *inventory.troubles), not damaged)


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
