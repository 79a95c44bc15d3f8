"""The bill of an image or a directory: the packages that its records and its config tell of, each with its layer."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from kezuri.advisories.coordinates import Distribution, distribution_of
from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.naming import RecordedNames
from kezuri.packages.inventory import Inventory
from kezuri.packages.package import SYSTEM
from kezuri.packages.presence import Present, merged, present
from kezuri.packages.runtimes import VARIABLES, declared
from kezuri.sbom.foreign import Origins
from kezuri.sbom.values import Bill, BillLayer, Component

_MOST_RELEASE = 64 << 10
_DATABASES = frozenset(("dpkg", "dpkg one", "apk", "rpm sqlite", "rpm ndb", "rpm bdb", "rpm list"))


def bill_of(image: Dissection, kind: str = "image") -> Bill:
    """The bill of an image whose layers can be read. What could not be found out is told in it. KezuriError where a
    layer cannot be listed."""
    naming = image.naming
    assert isinstance(naming, RecordedNames)
    inventory, config = naming.inventory, image.config
    distribution = _distribution(image, inventory)
    told = list(image.told)
    found = present(inventory.records, inventory.resolved)
    variables = config.env_map()
    components = [_witnessed(each, variables) for each in _components(found, inventory, Origins(distribution))]
    components += _declared(image, found, variables, told)
    told += _lacking(inventory, distribution, components)
    layers = tuple(
        BillLayer(
            layer.diff_id, layer.maker.text, layer.maker.dockerfile, layer.maker.line, number < naming.base_layers
        )
        for number, layer in enumerate(image.layers)
    )
    if kind == "directory":
        components = [each._replace(layer=-1) for each in components]
        layers = ()
    bases = [layer.maker.base for layer in image.layers if layer.maker.of_base and layer.maker.base]
    return Bill(
        image.name,
        kind,
        image.digest,
        str(config.platform) if kind == "image" else "",
        config.created,
        distribution,
        layers,
        ordered(components),
        bases[-1] if bases else "",
        tuple(dict.fromkeys(told)),
    )


def ordered(components: Iterable[Component]) -> tuple[Component, ...]:
    """Components in the order that a bill has them in."""
    return tuple(sorted(components, key=_order))


def _order(component: Component) -> tuple[str, str, str, tuple[str, ...], str, int]:
    package = component.package
    return (
        package.ecosystem,
        package.full_name,
        package.version,
        component.evidence,
        package.architecture,
        component.layer,
    )


def _distribution(image: Dissection, inventory: Inventory) -> Distribution:
    """By the os-release that the image shows: the one in /etc comes first, as os-release(5) has it."""
    texts = {each.path: each.record.text for each in inventory.records if each.shown and each.record.text}
    for path in ("etc/os-release", "usr/lib/os-release"):
        if path in texts:
            return distribution_of(texts[path])
    # It can be a link to anywhere.
    data = image.tree.read("etc/os-release", _MOST_RELEASE)
    return distribution_of(data.decode("utf-8", "replace")) if data else Distribution()


def _lacking(inventory: Inventory, distribution: Distribution, components: Sequence[Component]) -> list[str]:
    """What is to be said of a system without a single package: nobody is to take it for one without faults."""
    if any(each.package.ecosystem in SYSTEM for each in components):
        return []
    gone = [each for each in inventory.records if each.record.kind in _DATABASES and not each.shown]
    if gone:
        last = max(gone, key=lambda each: each.until)
        return [f"layer {last.until + 1} removes /{last.path}: which packages of the system are there is not known"]
    if any(each.record.kind == "dpkg files" for each in inventory.records):
        return ["/var/lib/dpkg/info has lists of files, and there is no status: packages of the system are not known"]
    if distribution.id:
        name = distribution.title or distribution.id
        return [f"{name}: no database of its packages is there: packages of the system are not known"]
    return []


def _components(found: Sequence[Present], inventory: Inventory, origins: Origins) -> list[Component]:
    """What is there in the end, but for what a package of the distribution brought: that one stands for it, since its
    distribution mends it."""
    brought = _brought(found, inventory.resolved, origins)
    kept = [each for each in found if each.package.ecosystem in SYSTEM or each.evidence[0] not in brought]
    return [
        Component(
            each.package,
            each.since,
            each.evidence,
            each.package.ecosystem in SYSTEM and origins.foreign(each.package),
        )
        for each in merged(kept)
    ]


def _brought(found: Sequence[Present], resolved: Callable[[str], str], origins: Origins) -> set[str]:
    """The records that packages of the distribution name among their files."""
    records = {each.evidence[0] for each in found if each.package.ecosystem not in SYSTEM}
    names = {path[path.rfind("/") + 1 :] for path in records}
    brought = set()
    for each in found:
        if each.package.ecosystem in SYSTEM and not origins.foreign(each.package):
            for path in each.package.files:
                directory, _, name = path.rpartition("/")
                if name in names:
                    at = f"{resolved(directory)}/{name}" if directory else name
                    if at in records:
                        brought.add(at)
    return brought


def _witnessed(component: Component, variables: Mapping[str, str]) -> Component:
    """A runtime with the variable that tells the same version of it."""
    package = component.package
    if package.ecosystem != "generic" or package.name not in VARIABLES:
        return component
    variable = VARIABLES[package.name]
    said = variables.get(variable, "").strip().removeprefix("jdk-").lstrip("v")
    if not package.version or not said.startswith(package.version):
        return component
    return component._replace(evidence=(*component.evidence, f"env:{variable}"))


def _declared(
    image: Dissection, found: Sequence[Present], variables: Mapping[str, str], told: list[str]
) -> list[Component]:
    """The runtimes of which only a variable of the config tells, if there is something of them."""
    known = {each.package.name for each in found if each.package.ecosystem == "generic"}
    # The `redis-server` of the system is the redis that a variable tells of.
    known |= {each.package.name.partition("-")[0] for each in found if each.package.ecosystem in SYSTEM}
    components = []
    for package in declared(variables):
        if package.name in known:
            continue
        variable = VARIABLES[package.name]
        places = [path for path in (*package.files, *package.directories) if image.tree.lookup(path) is not None]
        if not places:
            told.append(f"{variable} says {package.version}, and nothing of it is where official images have it")
            continue
        components.append(Component(package, _layer(image, places[0]), (f"env:{variable}", places[0])))
    return components


def _layer(image: Dissection, path: str) -> int:
    """The lowest layer that has something at a path, which is where what is there began."""
    for number, layer in enumerate(image.layers):
        if layer.form.find(path) is not None:
            return number
    return -1
