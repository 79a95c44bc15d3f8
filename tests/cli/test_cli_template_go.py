"""Templates as Go's text/template renders them: what it made of each is recorded, and asked again where Go is.

`python -m tests.cli.test_cli_template_go` records what the installed Go answers.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kezuri.cli.options import UsageError
from kezuri.cli.template import Template

HERE = Path(__file__).parent / "templates"
RECORDED = HERE / "go.json"
VALUE: dict[str, Any] = {
    "Id": "sha256:abcdef0123",
    "Architecture": "amd64",
    "Os": "linux",
    "Size": 1234,
    "Ratio": 1.5,
    "Small": 0.00001,
    "Big": 1e21,
    "Zero": 0,
    "Yes": True,
    "No": False,
    "Null": None,
    "Empty": [],
    "Numbers": [1, 2],
    "Config": {"User": "app", "Env": ["A=1", "B=2"], "Labels": {"x.y": "z", "n": "m"}},
    "RootFS": {"Layers": ["sha256:l1", "sha256:l2"]},
    "History": [{"created_by": "ADD x", "empty_layer": False}, {"created_by": "CMD y", "empty_layer": True}],
    "Nested": {"b": [2, None, "x"], "a": [1.25, True]},
}
LENIENT = {
    "{{len .Null}}": "what is null in JSON was an empty list or mapping in docker",
    '{{printf "%t" .Yes}} {{printf "%T" 1}}': "a value of JSON has none of Go's types",
    "{{json .}}": "the fields of an image come in docker's order, which a mapping of Go's has not",
    "{{json .Config.Labels}}": "the same",
}
"""Templates that are rendered otherwise, and why."""


def templates() -> list[str]:
    return (HERE / "templates.txt").read_text().split("\n")[:-1]


def ask_go() -> dict[str, Any]:
    given = json.dumps({"value": VALUE, "templates": templates()})
    done = subprocess.run(
        ["go", "run", str(HERE / "render.go")], input=given, capture_output=True, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


ANSWERS = json.loads(RECORDED.read_text())["answers"] if RECORDED.exists() else []


@pytest.mark.parametrize("answer", ANSWERS, ids=[a["template"] for a in ANSWERS])
def test_as_go_renders_it(answer: dict[str, Any]) -> None:
    template, text = answer["template"], answer["text"]
    try:
        found: str | None = Template(template).render(VALUE)
    except UsageError:
        found = None
    if template in LENIENT:
        assert found != text, "it is rendered alike: the exception can go"
    else:
        assert found == text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("go") is None, reason="needs go")
def test_go_answers_so() -> None:
    assert ask_go()["answers"] == ANSWERS


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(ask_go(), indent=1, ensure_ascii=False) + "\n")
