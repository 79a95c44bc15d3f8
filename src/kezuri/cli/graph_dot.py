"""A plan's graph in the language of Graphviz."""

from kezuri.cli.graph_words import heading, note, reason, title
from kezuri.cli.screen_text import clip
from kezuri.forecast.foresight import ForecastStage
from kezuri.forecast.graph import Graph, Node

_LONGEST = 60
_COLOURS = {
    "cached": ("#e6f4ea", "#2e7d32"),
    "runs": ("#fff1d6", "#b26a00"),
    "depends": ("#e3edfc", "#1a5fb4"),
    "unknown": ("#f3e8fd", "#7b1fa2"),
}


def dot(graph: Graph) -> str:
    """The whole text, with a line's end."""
    lines = [
        "digraph plan {",
        "  rankdir=TB;",
        '  node [shape=box, style="rounded,filled", fillcolor="#ffffff", color="#8a919a", fontname="Courier"];',
        '  graph [fontname="Helvetica", style="rounded", color="#c3c8ce"];',
    ]
    lines += [f"  {node.id} [{_attributes(node, None)}];" for node in graph.outside]
    for group in graph.groups:
        lines.append(f"  subgraph cluster_{group.id} {{")
        lines.append(f"    label={quoted(heading(group.stage))};")
        lines += [f"    {node.id} [{_attributes(node, group.stage)}];" for node in group.nodes]
        lines.append("  }")
    for edge in graph.edges:
        style = " [style=dashed]" if edge.files else ""
        lines.append(f"  {edge.before} -> {edge.after}{style};")
    return "\n".join([*lines, "}"]) + "\n"


def _attributes(node: Node, stage: ForecastStage | None) -> str:
    said = note(node)
    lines = [clip(title(node, stage), _LONGEST), *([said] if said else [])]
    parts = [f"label={quoted(*lines)}"]
    if node.step is not None:
        fill, line = _COLOURS[node.step.outcome]
        parts += [f'fillcolor="{fill}"', f'color="{line}"', f"tooltip={quoted(title(node, stage), reason(node))}"]
    if node.critical:
        parts.append("penwidth=3")
    return ", ".join(parts)


def quoted(*lines: str) -> str:
    """The lines as one string of DOT, each set to the left. A backslash begins what Graphviz replaces."""
    texts = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines if line)
    return '"' + "".join(f"{text}\\l" for text in texts) + '"'
