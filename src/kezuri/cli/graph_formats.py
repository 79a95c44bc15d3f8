"""A plan's graph in the format that was asked for."""

from kezuri.cli.forecast_text import counted
from kezuri.forecast.foresight import Foresight
from kezuri.forecast.graph import graph


def drawn(foresight: Foresight, format: str) -> str:
    """The whole text, with a line's end. `format` is mermaid, dot or svg."""
    found = graph(foresight)
    if format == "dot":
        from kezuri.cli.graph_dot import dot

        return dot(found)
    if format == "svg":
        from kezuri.cli.graph_svg import svg

        steps = foresight.steps if foresight.change is None else foresight.change.steps
        return svg(found, f"{foresight.target}: {counted(steps)}")
    from kezuri.cli.graph_mermaid import mermaid

    return mermaid(found)
