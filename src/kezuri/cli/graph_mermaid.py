"""A plan's graph in Mermaid's language, which GitHub, GitLab and many editors draw."""

from kezuri.cli.graph_words import heading, note, title
from kezuri.cli.screen_text import clip
from kezuri.forecast.foresight import ForecastStage
from kezuri.forecast.graph import Graph, Node

_LONGEST = 60
_PLAIN = frozenset(" ./:=,+@-_")
_CLASSES = {
    "cached": "fill:#e6f4ea,stroke:#2e7d32,color:#1b1f24",
    "runs": "fill:#fff1d6,stroke:#b26a00,color:#1b1f24",
    "depends": "fill:#e3edfc,stroke:#1a5fb4,color:#1b1f24",
    "unknown": "fill:#f3e8fd,stroke:#7b1fa2,color:#1b1f24",
    "critical": "stroke-width:3px",
}


def mermaid(graph: Graph) -> str:
    """The whole text, with a line's end."""
    lines = ["flowchart TB"]
    critical = [node.id for group in graph.groups for node in group.nodes if node.critical]
    lines += [f'  {node.id}(["{_label(node, None)}"])' for node in graph.outside]
    for group in graph.groups:
        lines.append(f'  subgraph {group.id}["{escaped(heading(group.stage))}"]')
        for node in group.nodes:
            kind = f":::{node.step.outcome}" if node.step is not None else ""
            lines.append(f'    {node.id}["{_label(node, group.stage)}"]{kind}')
        lines.append("  end")
    lines += [f"  {edge.before} {'-.->' if edge.files else '-->'} {edge.after}" for edge in graph.edges]
    used = {node.step.outcome for group in graph.groups for node in group.nodes if node.step is not None}
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES.items() if name in used]
    if critical:
        lines += [f"  classDef critical {_CLASSES['critical']}", f"  class {','.join(critical)} critical"]
    return "\n".join(lines) + "\n"


def _label(node: Node, stage: ForecastStage | None) -> str:
    said = note(node)
    return escaped(clip(title(node, stage), _LONGEST)) + (f"<br/>{escaped(said)}" if said else "")


def escaped(text: str) -> str:
    """The text for a quoted label: whatever could be markup there, in HTML or in Mermaid, by its number."""
    return "".join(c if c in _PLAIN or c.isalnum() else f"#{ord(c)};" for c in text)
