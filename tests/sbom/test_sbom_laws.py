"""Laws of bills on random stacks of layers: what is there is what the root shows, and a layer is where it began."""

import json
import random
import re

from tests.sbom.test_sbom_collecting import APK, INFO, STATUS, apk, bill, status

from kezuri.check.image.rule import ExampleLayer, Made
from kezuri.sbom.values import Bill

NAMES = ("a", "b", "c")


def some(choice: random.Random) -> list[str]:
    return [f"{name}={choice.randint(1, 2)}" for name in NAMES if choice.random() < 0.6]


def layer(choice: random.Random, shown: set[str]) -> dict[str, Made]:
    """A random layer: databases, lists, records of languages, and whiteouts of what there is."""
    made: dict[str, Made] = {}
    if choice.random() < 0.6:
        made[STATUS] = status(*some(choice))
    if choice.random() < 0.4:
        made[APK] = apk(*some(choice))
    for name in NAMES:
        if choice.random() < 0.3:
            made[f"{INFO}/{name}.list"] = Made(f"/usr/bin/{name}\n/opt/node_modules/{name}/package.json\n".encode())
        if choice.random() < 0.3:
            about = f'{{"name": "{name}", "version": "{choice.randint(1, 2)}"}}'
            made[f"{choice.choice(('opt', 'srv'))}/node_modules/{name}/package.json"] = Made(about.encode())
        if choice.random() < 0.3:
            place = f"lib/python3/site-packages/{name}-1.dist-info"
            made[f"{place}/METADATA"] = Made(f"Name: {name}\nVersion: {choice.randint(1, 2)}\n".encode())
            made[f"{place}/RECORD"] = Made(f"{name}/__init__.py,,\n".encode())
    for path in sorted(shown - set(made)):
        if choice.random() < 0.15:
            made[path] = Made(kind="whiteout")
    return made


def there(found: Bill) -> set[tuple[str, str, str]]:
    return {(c.package.ecosystem, c.package.name, c.package.version) for c in found.components}


def test_random_stacks() -> None:
    choice = random.Random(66)
    for _ in range(40):
        layers: list[ExampleLayer] = []
        root: dict[str, Made] = {}
        roots: list[dict[str, Made]] = []
        for _ in range(choice.randint(1, 5)):
            made = layer(choice, set(root))
            layers.append(made)
            root = {path: file for path, file in {**root, **made}.items() if file.kind != "whiteout"}
            roots.append(root)
        found = bill(*layers)
        assert there(found) == there(bill(root))
        states = [told(each) for each in roots]
        for component in found.components:
            package = component.package
            starts = []
            for path in component.evidence:
                key = (package.name, package.version, path)
                if key in states[-1]:
                    first = len(layers) - 1
                    while first and key in states[first - 1]:
                        first -= 1
                    starts.append(first)
            assert starts and set(starts) == {component.layer}, package


def told(root: dict[str, Made]) -> set[tuple[str, str, str]]:
    """The names, versions and paths that records tell, read in another way than kezuri does."""
    found = set()
    for path, file in root.items():
        text = file.data.decode()
        if path.endswith("package.json"):
            about = json.loads(text)
            found.add((about["name"], about["version"], path))
        for block in text.split("\n\n"):
            lines = dict(re.findall(r"^(P|V|Package|Version|Name):\s*(.*)$", block, re.MULTILINE))
            name = lines.get("P") or lines.get("Package") or lines.get("Name")
            if name:
                found.add((name, lines.get("V") or lines.get("Version", ""), path))
    return found
