"""Packages of two images compared: what is there in the end counts, not what layers once had."""

from tests.anatomy.anatomy_images import dissected

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.naming import recorded_names
from kezuri.anatomy.summary import summarise
from kezuri.anatomy.values import Anatomy, Owner
from kezuri.check.image.rule import ExampleLayer, Made
from kezuri.comparison.packages import count_packages, package_changes


def figures(*layers: ExampleLayer) -> Anatomy:
    made = dissected(*layers)
    return summarise(Dissection(made.name, made.config, made.layers, naming=recorded_names))


def system(version: int, *names: str) -> ExampleLayer:
    said = [f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n" for name in names]
    layer: ExampleLayer = {"var/lib/dpkg/status": Made("\n".join(said).encode())}
    for name in names:
        layer[f"var/lib/dpkg/info/{name}.list"] = Made(f"/.\n/usr/{name}\n".encode())
        layer[f"usr/{name}"] = Made(f"{name} {version}".encode())
    return layer


GONE: ExampleLayer = {
    "var/lib/dpkg/status": system(1, "kept")["var/lib/dpkg/status"],
    "var/lib/dpkg/info/other.list": Made(kind="whiteout"),
    "usr/other": Made(kind="whiteout"),
}


def test_what_a_higher_layer_replaced_or_removed_is_no_package_of_the_image() -> None:
    old = figures(system(1, "kept", "other"))
    upgraded = figures(system(1, "kept", "other"), system(2, "kept", "other"))
    assert [(each.what, each.before, each.after) for each in package_changes(old, upgraded)] == [
        ("version", ("1",), ("2",)),
        ("version", ("1",), ("2",)),
    ]
    removed = figures(system(1, "kept", "other"), GONE)
    assert count_packages(removed, "system") == 1 and count_packages(old, "system") == 2
    assert [(each.what, each.owner.name) for each in package_changes(old, removed)] == [("gone", "other")]


def test_packages_without_files_of_their_own_count() -> None:
    plain = figures(system(1, "kept"))
    both = figures({**system(1, "kept"), "lib/apk/db/installed": Made(b"P:.build-deps\nV:3\n\n")})
    assert Owner("system", "apk", ".build-deps", "3") in both.packages
    assert [each.owner.name for each in package_changes(plain, both)] == [".build-deps"]
    assert count_packages(both, "system") == 2
