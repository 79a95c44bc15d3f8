"""Measurements as a chart: bars of block characters for a terminal, an SVG image for a page."""

from collections.abc import Sequence

from kezuri.cli.size_words import figure
from kezuri.growth.records import moment
from kezuri.growth.values import Measurement

_ROWS = 8
_BLOCKS = " ▁▂▃▄▅▆▇█"
_ASCII = " ......##"
_WIDTH, _PANEL, _LEFT, _RIGHT, _TOP = 760, 170, 78, 24, 34
_STYLE = (
    "svg{font:12px system-ui,sans-serif;background:#fff}text{fill:#59636e}.name{fill:#1f2328;font-weight:600}"
    ".rule{stroke:#d1d9e0}.line{fill:none;stroke:#0969da;stroke-width:2}.dot{fill:#0969da}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#9198a1}.name{fill:#f0f6fc}"
    ".rule{stroke:#3d444d}.line{stroke:#4493f8}.dot{fill:#4493f8}}"
)


def bars(measurements: Sequence[Measurement], metric: str, columns: int, plain: bool = False) -> list[str]:
    """A bar for each measurement, the oldest on the left, at most as many as `columns` have room for: the last ones.
    The axis says where it begins, which is at nothing only where it has to: growth of a hundredth shall be seen. With
    `plain` no block characters are used."""
    label = 10
    values = [one.figures[metric] for one in measurements if metric in one.figures][-max(1, columns - label - 3) :]
    if len(values) < 2:
        return []
    low, high = axis(values)
    blocks = _ASCII if plain else _BLOCKS
    wide = 2 if 2 * len(values) <= columns - label - 3 else 1
    lines = []
    for row in range(_ROWS - 1, -1, -1):
        mark = figure(metric, high) if row == _ROWS - 1 else figure(metric, low) if row == 0 else ""
        cells = []
        for value in values:
            filled = (value - low) / (high - low) * _ROWS - row
            eighth = max(0, min(8, round(filled * 8)))
            # The least value is still a bar.
            cells.append(blocks[max(1, eighth) if row == 0 else eighth] * wide)
        lines.append(f"{mark:>{label}} {'|' if plain else '│'}{''.join(cells)}")
    return lines


def axis(values: Sequence[int]) -> tuple[int, int]:
    """Where an axis begins and ends that shows these values: at round numbers around them, or at 0."""
    least, most = min(values), max(values)
    if least == most:
        return (0, most or 1)
    span = most - least
    step = 1
    while step * 10 <= span:
        step *= 10
    step = next(step * factor for factor in (1, 2, 5, 10) if step * factor * 4 >= span)
    low = 0 if least <= span else (least - 1) // step * step
    return max(0, low), -(-most // step) * step


def svg(measurements: Sequence[Measurement], metrics: Sequence[str], title: str) -> str:
    """A panel for each metric, over the same times, light or dark as the reader has it. Every point says what it is
    when it is pointed at."""
    shown = [metric for metric in metrics if sum(metric in one.figures for one in measurements) > 0]
    height = _TOP + _PANEL * max(1, len(shown)) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' role="img" aria-labelledby="t">',
        f'<title id="t">{_escaped(title)}</title>',
        f"<style>{_STYLE}</style>",
        f'<text class="name" x="12" y="22">{_escaped(title)}</text>',
    ]
    for number, metric in enumerate(shown):
        lines += _panel([one for one in measurements if metric in one.figures], metric, _TOP + _PANEL * number)
    return "\n".join([*lines, "</svg>", ""]).encode("ascii", "xmlcharrefreplace").decode("ascii")


def _panel(measurements: Sequence[Measurement], metric: str, top: int) -> list[str]:
    values = [one.figures[metric] for one in measurements]
    times = [moment(one) for one in measurements]
    low, high = axis(values)
    first, last = times[0], times[-1]
    above, below = top + 28, top + _PANEL - 30

    def across(time: float) -> float:
        return round(_LEFT + (time - first) / ((last - first) or 1) * (_WIDTH - _LEFT - _RIGHT), 1)

    def up(value: int) -> float:
        return round(below - (value - low) / (high - low) * (below - above), 1)

    lines = [f'<text class="name" x="{_LEFT}" y="{top + 16}">{metric}</text>']
    for value in (low, (low + high) // 2, high):
        y = up(value)
        lines.append(f'<path class="rule" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{_escaped(figure(metric, value))}</text>')
    for one, anchor, at in ((measurements[0], "start", _LEFT), (measurements[-1], "end", _WIDTH - _RIGHT)):
        lines.append(f'<text x="{at}" y="{below + 18}" text-anchor="{anchor}">{_escaped(one.at[:10])}</text>')
    points = [(across(time), up(value)) for time, value in zip(times, values)]
    lines.append(f'<polyline class="line" points="{" ".join(f"{x},{y}" for x, y in points)}"/>')
    for (x, y), one in zip(points, measurements):
        said = " ".join(filter(None, (one.at[:16].replace("T", " "), one.branch, one.commit[:7])))
        told = f"{said}: {figure(metric, one.figures[metric])}"
        lines.append(f'<circle class="dot" cx="{x}" cy="{y}" r="3"><title>{_escaped(told)}</title></circle>')
    return lines


def _escaped(text: str) -> str:
    from html import escape

    from kezuri.diagnostics import visible

    return escape(visible(text)[:300])
