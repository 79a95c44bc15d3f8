"""A plan's graph as Mermaid, DOT and SVG: whatever instructions say, it is text on a node and nothing else."""

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.cli.console import Console
from kezuri.cli.graph_dot import dot
from kezuri.cli.graph_mermaid import mermaid
from kezuri.cli.graph_svg import svg
from kezuri.cli.main import call
from kezuri.cli.screen_text import clip
from kezuri.diagnostics import visible
from kezuri.forecast.foresight import ForecastStage
from kezuri.forecast.graph import Edge, Graph, Group, Node
from kezuri.forecast.history import Past
from kezuri.forecast.step import ForecastOutcome, ForecastStep
from kezuri.plan.inputs import ContextInput

HOSTILE = st.text(max_size=30) | st.sampled_from(
    [
        '"]:::x; click s0 "javascript:alert(1)"',
        "</text><script>alert(1)</script>",
        "]]> <!-- &amp; -->",
        '\\"; s0 -> s9 [URL="javascript:x"]; \\N',
        "`markdown` **bold** #quot; %%{init: {}}%%",
        "\x1b]0;title\x07 \u202e rtl \udc80 \0 \ufffe",
        "end\nsubgraph x",
        "日本語" * 40,
    ]
)
OUTCOMES: st.SearchStrategy[ForecastOutcome] = st.sampled_from(["cached", "runs", "depends", "unknown"])


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Stages of steps with any text; each stage takes from the one before."""
    outside = tuple(Node(f"from{i}", "image", text) for i, text in enumerate(draw(st.lists(HOSTILE, max_size=2))))
    groups: list[Group] = []
    edges: list[Edge] = []
    for number in range(draw(st.integers(1, 3))):
        texts = draw(st.lists(HOSTILE, max_size=3))
        stage = ForecastStage(number, draw(HOSTILE), draw(HOSTILE), -1, 2, len(texts) + 1)
        nodes = [Node(f"s{number}base", "base", f"FROM {stage.base}")]
        for position, text in enumerate(texts):
            past = draw(st.none() | st.just(Past(1.0, 3, 4, 0.5, 2.0)))
            step = ForecastStep(
                number, position, "RUN", text, 1, draw(OUTCOMES), draw(HOSTILE), (), past, (ContextInput(),)
            )
            nodes.append(Node(f"s{number}step{position}", "step", text, step, draw(st.booleans())))
            edges.append(Edge(nodes[-2].id, nodes[-1].id, False))
            before = [node.id for node in outside] + [group.nodes[-1].id for group in groups]
            edges += [Edge(id, nodes[-1].id, True) for id in before]
        groups.append(Group(f"s{number}", stage, tuple(nodes)))
    return Graph(tuple(groups), outside, tuple(edges))


def said(node: Node) -> str:
    return visible(" ".join(node.text.split()))


SVG = "{http://www.w3.org/2000/svg}"


@given(graphs(), HOSTILE)
def test_svg_holds_texts_and_nothing_that_acts(graph: Graph, summary: str) -> None:
    root = ElementTree.fromstring(svg(graph, visible(summary)))
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert names <= {"svg", "title", "style", "defs", "marker", "path", "rect", "text", "g"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name for name in attributes)
    tips = [title.text or "" for title in root.iter(f"{SVG}title")][1:]
    nodes = [*graph.outside, *(node for group in graph.groups for node in group.nodes)]
    assert len(tips) == len(nodes)
    for tip, node in zip(tips, nodes, strict=True):
        assert said(node).replace("\ufffe", "\ufffd").strip() in tip
    assert len(list(root.iter(f"{SVG}path"))) == len(graph.edges) + 1


@given(graphs())
def test_svg_draws_within_its_frame_from_left_to_right(graph: Graph) -> None:
    root = ElementTree.fromstring(svg(graph, ""))
    width, height = int(root.attrib["width"]), int(root.attrib["height"])
    boxes = [
        [int(box.attrib.get(name, 0)) for name in ("x", "y", "width", "height")] for box in root.iter(f"{SVG}rect")
    ]
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)
    steps = [box for box in boxes if box[3] == 42]
    for index, (x, y, w, h) in enumerate(steps):
        for other_x, other_y, _, _ in steps[:index]:
            assert abs(x - other_x) >= w or abs(y - other_y) >= h, "no two boxes lie on each other"
    for path in root.iter(f"{SVG}path"):
        curve = re.fullmatch(r"M(-?\d+) -?\d+C.* (-?\d+) -?\d+", path.attrib["d"])
        assert curve is None or int(curve[1]) < int(curve[2])


def test_a_stage_stands_beside_the_first_that_needs_it() -> None:
    """And not at the far left, with a line past all that is between."""
    stages = [ForecastStage(number, name, "scratch", -1, 1, 0) for number, name in enumerate(("a", "b", "late", "end"))]
    groups = [Group(f"s{s.number}", s, (Node(f"s{s.number}base", "base", s.label),)) for s in stages]
    edges = (Edge("s0base", "s1base", False), Edge("s1base", "s3base", False), Edge("s2base", "s3base", True))
    root = ElementTree.fromstring(svg(Graph(tuple(groups), (), edges), ""))
    at = {text.text: int(text.attrib["x"]) for text in root.iter(f"{SVG}text") if text.get("class") == "h"}
    assert at["a"] < at["b"] == at["late"] < at["end"]


LABEL = re.compile(r'(?:\[|\(\[)"([^"]*)"(?:\]|\]\))(?=$|:::\w+$)')


@given(graphs())
def test_mermaid_holds_texts_by_number(graph: Graph) -> None:
    lines = mermaid(graph).removesuffix("\n").split("\n")
    labels = {}
    for line in lines:
        match = LABEL.search(line)
        if match:
            labels[line.split("[")[0].split("(")[0].strip()] = match[1]
        rest = LABEL.sub("", line)
        assert re.fullmatch(r"[\w .,:#>-]*", rest, re.ASCII), rest
    for label in labels.values():
        for part in label.split("<br/>"):
            plain = re.sub(r"#\d+;", "", part)
            assert all(c.isalnum() or c in " ./:=,+@-_" for c in plain)
    decoded = {
        id: re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label.split("<br/>")[0]) for id, label in labels.items()
    }
    for group in graph.groups:
        for node in group.nodes:
            stage = group.stage
            number = f"{node.step.position + stage.first}/{stage.last} " if node.step is not None else ""
            assert decoded[node.id] == clip(number + said(node), 60)


@given(graphs())
def test_dot_holds_texts_in_quotes(graph: Graph) -> None:
    text = dot(graph)
    assert visible(text, "\n") == text
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert re.fullmatch(r"[\w\s=\[\]{};,>-]*", bare, re.ASCII), bare
    strings = [string.replace("\\l", "\n") for string in re.findall(r'label="((?:[^"\\]|\\[^l]|\\l)*)"', text)]
    assert len(strings) == len(graph.outside) + sum(1 + len(group.nodes) for group in graph.groups)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "f").write_text("f")
    (directory / "Dockerfile").write_text("FROM scratch AS a\nCOPY f /f\nFROM scratch\nCOPY --from=a /f /\n")
    return directory


def plan(context: Path, *argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    root = str(context.parent / "store")
    code = call(("--root", root, "plan", *argv, str(context)), Console(out, err, {"HOME": "/nowhere"}))
    return code, out.getvalue(), err.getvalue()


def test_formats(context: Path) -> None:
    code, text, _ = plan(context, "--graph", "mermaid")
    assert code == 0 and text.startswith("flowchart TB\n") and "  s0step0 -.-> s1step0\n" in text
    assert plan(context, "--graph=dot")[1].startswith("digraph plan {\n")
    assert plan(context, "--graph=svg")[1].startswith("<svg ")
    assert plan(context, "--graph=svg", "-q")[:2] == (0, "")
    code, out, err = plan(context, "--graph=svgg")
    assert code == 2 and "did you mean svg?" in err and not out
    assert plan(context, "--graph=svg", "--format", "json")[0] == 2


def test_into_a_file_while_the_steps_are_listed(context: Path) -> None:
    file = context.parent / "p.svg"
    code, out, _ = plan(context, "--graph=svg", "-o", str(file))
    assert code == 0 and file.read_text().startswith("<svg ") and "2 of 2 steps would run" in out
    assert '"outcome"' in plan(context, "--graph=dot", "-o", str(file), "--format=json")[1]
    assert plan(context, "-q", "--graph=mermaid", "-o", str(file))[1] == "" and file.read_text().startswith("flow")
    code, _, err = plan(context, "--graph=svg", "-o", str(context / "f" / "x.svg"))
    assert code == 1 and "x.svg" in err


def test_without_a_graph_the_output_of_a_build_is_passed_over(context: Path) -> None:
    code, out, _ = plan(context, "-o", "type=oci,dest=x", "-o", "type=tar,dest=y")
    assert code == 0 and "2 of 2 steps would run" in out
    assert sorted(path.name for path in context.parent.iterdir()) == ["context", "store"]
