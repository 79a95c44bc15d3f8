"""What is written on the nodes of a plan's graph, whatever it is drawn as."""

from kezuri.cli.quantities import size, span
from kezuri.diagnostics import visible
from kezuri.forecast.expense import layer_bytes
from kezuri.forecast.foresight import ForecastStage
from kezuri.forecast.graph import Graph, Node

OUTCOMES = {"cached": "cached", "runs": "runs", "depends": "may run", "unknown": "cannot be told"}
"""What would become of a step, for people."""


def heading(stage: ForecastStage) -> str:
    """The name of a stage."""
    return visible(stage.label)


def title(node: Node, stage: ForecastStage | None = None) -> str:
    """The first line of a node: an instruction with its number, or a name with what it is."""
    text = visible(" ".join(node.text.split()))
    if node.step is not None and stage is not None:
        return f"{node.step.position + stage.first}/{stage.last} {text}"
    return f"{node.kind} {text}" if node.kind in ("image", "context") else text


def note(node: Node) -> str:
    """The second line of a step: what becomes of it, how long it takes, how large its layer is. Empty for others."""
    step = node.step
    if step is None:
        return ""
    words = [OUTCOMES[step.outcome]]
    if step.past is not None:
        words.append(span(step.past.low, step.past.high))
        if layer_bytes(step):
            words.append(size(layer_bytes(step)))
    elif step.outcome != "cached":
        words.append("never ran before")
    if node.critical:
        words.append("critical path")
    return ", ".join(words)


def reason(node: Node) -> str:
    """Why a step is not simply cached; empty for others."""
    return visible(node.step.reason) if node.step is not None else ""


def stage_of(graph: Graph) -> dict[str, str]:
    """The id of the group that each node of a stage is in, by the node's id."""
    return {node.id: group.id for group in graph.groups for node in group.nodes}
