"""`kezuri profile` and what made layers, after builds that are typed: figures, how often steps ran and why."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_cli_why import Desk

from kezuri.app.anatomy import Named, anatomy
from kezuri.app.layer_makers import makers
from kezuri.app.profile import profile
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.images.kept import choose

DOCKERFILE = """\
FROM scratch AS one
COPY a b /d/
COPY --chmod=600 a /d/
FROM scratch
COPY --from=one /d /e
COPY b /e/a
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path)
    (found.context / "a").write_text("a" * 1000)
    (found.context / "b").write_text("b" * 10)
    found.build(DOCKERFILE)
    return found


def document(desk: Desk, *words: str) -> Any:
    code, out, err = desk("profile", "--format", "json", *words)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_what_instructions_cost(desk: Desk) -> None:
    steps = document(desk, str(desk.context))["steps"]
    assert [(s["line"], s["added"], s["wasted"], s["hides"], s["inImage"]) for s in steps] == [
        (2, 1010, 1000, 0, False),
        (3, 1000, 0, 1000, False),
        (5, 1010, 1000, 0, True),
        (6, 10, 0, 1000, True),
    ]
    assert all(step["start"] is not None and step["seconds"] >= 0 for step in steps)
    assert [step["start"] for step in steps] == sorted(step["start"] for step in steps)
    assert [(step["ran"], len(step["builds"])) for step in steps] == [(1, 1)] * 4
    # A file changes, then an instruction, then nothing.
    (desk.context / "b").write_text("b" * 20)
    desk.build(DOCKERFILE)
    desk.build(DOCKERFILE.replace("--chmod=600", "--chmod=640"))
    desk.build(DOCKERFILE.replace("--chmod=600", "--chmod=640"))
    found = document(desk, str(desk.context))
    assert found["nothingRan"] and found["builds"] == [3, 2, 1]
    assert [(step["ran"], step["outcome"]) for step in found["steps"]] == [
        (2, "cached"), (3, "ran"), (3, "ran"), (3, "ran"),
    ]  # fmt: skip
    assert [[each["because"] for each in step["builds"]] for step in found["steps"][:2]] == [
        [[], ["files"], ["new build"]],
        [["text"], ["step"], ["new build"]],
    ]
    assert found["steps"][1]["why"][0].strip() == (
        'because: the instruction changed: "COPY --chmod=600 a /d/" -> "COPY --chmod=640 a /d/"'
    )
    assert document(desk, "--build", "2", "--last", "1")["builds"] == [2]
    for step in document(desk, "--build", "1")["steps"]:
        assert step["totalSeconds"] == step["seconds"]


@pytest.mark.slow
def test_waste_is_what_the_anatomy_says(desk: Desk) -> None:
    """What an image's own instructions waste, and hide of its base, is the waste of the image."""
    assert desk("build", "--quiet", "-t", "lower", str(desk.context))[0] == 0
    (desk.context / "Dockerfile").write_text("FROM lower\nCOPY a /e/b\nCOPY b /e/b\nCOPY --chmod=700 b /e/b\n")
    assert desk("build", "--quiet", "-t", "upper", str(desk.context))[0] == 0
    settings = Settings(str(desk.root))
    found = profile(settings, 0, str(desk.context))
    parts = anatomy(settings, Named("upper"))
    assert sum(step.wasted for step in found.steps) == sum(layer.wasted for layer in parts.layers[2:]) == 1010
    assert sum(step.hides for step in found.steps) == sum(w.heap.size for w in parts.waste if w.by >= 2)
    assert [step.added for step in found.steps] == [layer.useful + layer.wasted for layer in parts.layers[2:]]
    assert found.bases[0].size == sum(layer.useful + layer.wasted for layer in parts.layers[:2])


def test_it_is_said(desk: Desk) -> None:
    code, out, err = desk("profile", str(desk.context))
    assert (code, err) == (0, "")
    lines = re.sub(r" +[\d.]+ s", " TIME", out).splitlines()
    assert lines[2].split() == [*("LINE", "INSTRUCTION", "THIS", "TIME", "USUALLY", "RAN", "ADDED", "WASTED", "HIDES")]
    assert [line.split()[-4:] for line in lines if re.match(r" +\d ", line)] == [
        ["1/1", "1.01kB", "1kB", "-"],
        ["1/1", "1kB", "-", "1kB"],
        ["1/1", "1.01kB", "1kB", "-"],
        ["1/1", "10B", "-", "1kB"],
    ]
    assert "The image's own layers hold 1.02kB, of which it does not show 1kB." in out
    assert "Line 6 hides most of what is below it: 1kB." in out
    _, out, _ = desk("profile", str(desk.context), "--sort", "wasted")
    assert [line.split()[0] for line in out.splitlines() if re.match(r" +\d ", line)] == ["2", "3", "5", "6"]
    assert desk("profile", "--build", "0")[0] == desk("profile", "--last", "21")[0] == 2
    assert desk("profile", "--build", "9")[0] == 1
    code, out, err = desk("profile", "nowhere")
    assert (code, out) == (1, "") and "no build of" in err, "another project's build is not shown in its place"
    # In Japanese, and where layers are gone.
    desk("prune", "--all", "--force")
    profiled = profile(Settings(str(desk.root)), 0, str(desk.context))
    assert {step.added for step in profiled.steps} <= {-1, 1010, 1000, 10}


@pytest.mark.slow
def test_layers_know_their_lines(desk: Desk) -> None:
    desk("build", "--quiet", "-t", "made", str(desk.context))
    desk("mutate", "made", "-t", "changed", "--label", "a=b")
    for name in ("made", "changed"):
        with Session(Settings(str(desk.root)), reading=True) as session:
            found = choose(session.store, name, "")
            dockerfile = str(desk.context / "Dockerfile")
            assert [(m.text, m.dockerfile, m.line, m.of_base) for m in makers(session, name, found.config)] == [
                ("COPY --from=one /d /e", dockerfile, 5, False),
                ("COPY b /e/a", dockerfile, 6, False),
            ]
    # Another image on top of it, in a store that has forgotten the build: its base is found by its layers.
    (desk.context / "Dockerfile").write_text("FROM made\nCOPY a /x\nCOPY b /y\n")
    assert desk("build", "--quiet", "-t", "upper", str(desk.context))[0] == 0
    for forgotten in (False, True):
        with Session(Settings(str(desk.root))) as session:
            if forgotten:
                session.store.database.run("DELETE FROM build")
            found = choose(session.store, "upper", "")
            told = makers(session, "upper", found.config)
            assert [(m.of_base, m.base) for m in told] == [
                (True, "made:latest"),
                (True, "made:latest"),
                *[(False, "")] * 2,
            ]
            assert [m.line for m in told] == ([0, 0, 0, 0] if forgotten else [0, 0, 2, 3])
            assert [m.text for m in told][2:] == ["COPY a /x", "COPY b /y"]
            # An image of the same name is no base of itself.
            assert not any(m.of_base for m in makers(session, "made", choose(session.store, "made", "").config))


@pytest.mark.slow
def test_a_new_base_that_begins_like_the_old_one_is_the_base_as_a_whole(desk: Desk) -> None:
    for name, text in (
        ("lower", "FROM scratch\nCOPY a /a\n"),
        ("middle", "FROM lower\nCOPY b /b\n"),
        ("upper", "FROM lower\nCOPY a /x\n"),
    ):
        (desk.context / "Dockerfile").write_text(text)
        assert desk("build", "--quiet", "-t", name, str(desk.context))[0] == 0
    code, _, err = desk("rebase", "upper", "--old-base", "lower", "--new-base", "middle", "-t", "moved")
    assert code == 0, err
    shown = anatomy(Settings(str(desk.root)), Named("moved"))
    assert [layer.maker.base for layer in shown.layers] == ["middle:latest", "middle:latest", ""]
    assert [layer.maker.line for layer in shown.layers] == [0, 0, 2]
