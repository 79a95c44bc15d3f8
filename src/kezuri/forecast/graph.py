"""A forecast as a graph: steps and what they stand on or take files from, as values; nothing of how it is drawn."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from kezuri.forecast.foresight import ForecastStage, Foresight
from kezuri.forecast.step import ForecastStep
from kezuri.plan.inputs import ContextInput, ImageInput, StageInput

NodeKind = Literal["base", "step", "image", "context"]
"""`base`: what a stage stands on. `step`: a step of it. `image` and `context`: what steps take files from that is no
stage. The build's own context is in no graph: most COPY steps take from it, and say so by naming nothing else."""


class Node(NamedTuple):
    """One thing in the graph. `id` is unique, of ASCII letters and digits; `text` is an instruction, or a name. `step`
    is None for what is no step; `critical` says that it is on the chain of steps that takes longest."""

    id: str
    kind: NodeKind
    text: str
    step: ForecastStep | None = None
    critical: bool = False


class Group(NamedTuple):
    """A stage: what it stands on, then its steps in their order."""

    id: str
    stage: ForecastStage
    nodes: tuple[Node, ...]


class Edge(NamedTuple):
    """`after` cannot begin before `before` is there. `files`: because it takes files from it; else it stands on it."""

    before: str
    after: str
    files: bool


class Graph(NamedTuple):
    """Stages, each after those that it needs; what else files are taken from; and who waits for whom."""

    groups: tuple[Group, ...]
    outside: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph(foresight: Foresight) -> Graph:
    """The graph of a forecast; of one about changed files, with the steps as they would be after the change."""
    change = foresight.change
    steps = foresight.steps if change is None else change.steps
    critical = set((foresight.expense if change is None else change.expense).critical)
    groups: dict[int, Group] = {}
    outside: dict[str, Node] = {}
    edges: list[Edge] = []
    for stage in foresight.stages:
        id = f"s{stage.number}"
        nodes = [Node(f"{id}base", "base", f"FROM {stage.base}")]
        if stage.base_stage >= 0:
            edges.append(Edge(groups[stage.base_stage].nodes[-1].id, nodes[0].id, False))
        for step in steps:
            if step.stage == stage.number:
                place = (step.stage, step.position)
                node = Node(f"{id}step{step.position}", "step", step.title, step, place in critical)
                edges.append(Edge(nodes[-1].id, node.id, False))
                edges += (Edge(before, node.id, True) for before in _sources(step, groups, outside))
                nodes.append(node)
        groups[stage.number] = Group(id, stage, tuple(nodes))
    return Graph(tuple(groups.values()), tuple(outside.values()), tuple(dict.fromkeys(edges)))


def _sources(step: ForecastStep, groups: dict[int, Group], outside: dict[str, Node]) -> Iterator[str]:
    """The ids of what a step takes files from. What is no stage is added to `outside`."""
    for source in step.takes:
        match source:
            case StageInput(number):
                yield groups[number].nodes[-1].id
            case ImageInput(image):
                key = f"image {image.name}@{image.digest}"
                yield outside.setdefault(key, Node(f"from{len(outside)}", "image", image.name)).id
            case ContextInput(name) if name:
                key = f"context {name}"
                yield outside.setdefault(key, Node(f"from{len(outside)}", "context", name)).id
