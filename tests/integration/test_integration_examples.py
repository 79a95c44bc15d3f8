"""The brief's own Dockerfiles: built, started, asked, measured, built again, changed and built again."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.integration_bases import Bases
from tests.integration.integration_built import Built, layer_path, uncompressed
from tests.integration.integration_command import Kezuri, Steps
from tests.integration.integration_entries import Copier, Entry, examples

from kezuri.linux import binfmt

pytestmark = pytest.mark.slow

EXAMPLES = examples()
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "arm"}
TAGS = ("first", "again", "touched", "edited")
BODY = re.MULTILINE | re.DOTALL


@pytest.fixture(scope="module", params=EXAMPLES, ids=[e.name for e in EXAMPLES])
def built(request: pytest.FixtureRequest, bases: Bases, kezuri: Kezuri, copied: Copier) -> Iterator[Built]:
    """The example, built; its images are gone afterwards."""
    entry: Entry = request.param
    bases.require(entry.bases)
    made = Built(entry, copied(entry), f"examples/{entry.name.lower()}:first", bases, kezuri)
    made.build(made.image)
    yield made
    kezuri("rmi", "--force", *(f"examples/{entry.name.lower()}:{tag}" for tag in TAGS))


def test_program_answers(built: Built) -> None:
    data = built.entry.data
    if "port" not in data:
        said = built.answer(built.image)
        assert re.search(data["expect_output"], said, BODY), said
        return
    with built.kezuri.running(built.image, *data.get("command", ()), container_port=data["port"]) as container:
        body = container.ask(data["path"])
        assert re.search(data["expect_body"], body, BODY), body
        for path, expected in data.get("more", {}).items():
            body = container.ask(path)
            assert re.search(expected, body, BODY), f"GET {path}: {body}"


def test_config_says_what_the_dockerfile_says(built: Built) -> None:
    data, config = built.entry.data, built.inspect(built.image)["Config"]
    if data.get("user") is not None:
        assert config.get("User", "") == data["user"]
    if data.get("entrypoint") is not None:
        assert config.get("Entrypoint") == data["entrypoint"]
    if data.get("cmd") is not None:
        assert config.get("Cmd") == data["cmd"]


def test_layers_are_the_bases_and_one_for_each_change(built: Built) -> None:
    data, found = built.entry.data, built.inspect(built.image)
    below = [] if data["base"] == "scratch" else built.bases.diff_ids(data["base"])
    layers = found["RootFS"]["Layers"]
    assert layers[: len(below)] == below
    assert len(layers) - len(below) == data["new_layers"]
    assert len([line for line in found["History"] if not line.get("empty_layer")]) >= data["new_layers"]


def test_size_is_within_bounds(built: Built) -> None:
    """`max_size_mb` counts the layers above the base, uncompressed: bases differ from place to place."""
    data = built.entry.data
    above = built.inspect(built.image)["Manifest"]["layers"][-data["new_layers"] :]
    sizes = [uncompressed(layer_path(built.kezuri, layer["digest"])) for layer in above]
    assert sum(sizes) <= data["max_size_mb"] * 1_000_000, [f"{size / 1e6:.1f} MB" for size in sizes]


def test_every_platform_has_a_program_of_its_own(built: Built, tmp_path: Path) -> None:
    data = built.entry.data
    if "platforms" not in data:
        return
    built.build(built.image, "--output", f"type=local,dest={tmp_path}")
    for name in data["platforms"]:
        program = tmp_path / name.replace("/", "_") / data["program"].lstrip("/")
        machine = binfmt.MACHINES[MACHINES[name.split("/")[1]]]
        assert program.read_bytes()[18:20] == machine.number.to_bytes(2, "little"), name


def test_second_build_runs_nothing_and_gives_the_same_image(built: Built) -> None:
    image = built.image.replace(":first", ":again")
    steps = Steps.read(built.build(image).err)
    assert steps.ran == ()
    assert steps.cached
    assert built.inspect(image)["Id"] == built.inspect(built.image)["Id"]


def test_times_and_ignored_files_do_not_count(built: Built) -> None:
    for path in built.context.rglob("*"):
        if path.is_file():
            os.utime(path, (1_700_000_000, 1_700_000_000))
    ignored = built.context / ".git"
    ignored.mkdir()
    (ignored / "HEAD").write_text("ref: refs/heads/main\n")
    steps = Steps.read(built.build(built.image.replace(":first", ":touched")).err)
    assert steps.ran == ()


def test_change_runs_only_what_depends_on_it(built: Built) -> None:
    edit = built.entry.data["edit"]
    path = built.context / edit["file"]
    before = path.read_text(encoding="utf-8")
    assert before.count(edit["replace"]) == 1
    # The store is shared, and examples share applications: the line says whose edit it is, so that no other's
    # result fits.
    comment = "#" if path.suffix in (".py", ".sh") else "//"
    after = before.replace(edit["replace"], edit["with"]) + f"\n{comment} {built.entry.name}\n"
    path.write_text(after, encoding="utf-8")
    image = built.image.replace(":first", ":edited")
    try:
        steps = Steps.read(built.build(image).err)
        said = built.answer(image)
    finally:
        path.write_text(before, encoding="utf-8")
    assert re.search(edit["body_after"], said, BODY), said
    must, may = edit["runs"], edit.get("may", [])
    missing = [pattern for pattern in must if not any(re.search(pattern, name) for name in steps.ran)]
    needless = [name for name in steps.ran if not any(re.search(pattern, name) for pattern in (*must, *may))]
    assert not missing and not needless, f"ran {steps.ran}, cached {steps.cached}"
