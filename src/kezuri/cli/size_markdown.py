"""A gate's verdict as a comment below a change: budgets, figures, what grew and by which line; a history as a table."""

from collections.abc import Iterator, Sequence

from kezuri.app.growth import Gated
from kezuri.cli.phrase import Phrase
from kezuri.cli.size_text import package_words
from kezuri.cli.size_words import changed, figure, growth, judgement, when
from kezuri.growth.change import Change, StepChange
from kezuri.growth.values import METRICS, Measurement
from kezuri.report.cells import cell, code

_STEP = 100
_MOST = 10


def comment(result: Gated, phrase: Phrase) -> str:
    """The whole comment. Its first line is a mark that shows nowhere, by which a workflow finds its comment again."""
    return "\n".join(_comment(result, phrase))


def _comment(result: Gated, phrase: Phrase) -> Iterator[str]:
    now, compared = result.measurement, result.change
    mark = "".join(char if char.isalnum() or char in "._/:" else "." for char in now.name)
    yield f"<!-- kezuri size: {mark} -->"
    title = phrase("Size of {}", f"`{code(now.name)}`")
    verdict = phrase("within its budgets") if result.kept else phrase("over budget")
    yield f"### {title}{': ' + verdict if result.verdicts else ''}"
    yield ""
    if result.verdicts:
        yield f"| | {phrase('budget')} | {phrase('limit')} | {phrase('now')} | |"
        yield "|---|---|--:|--:|---|"
        for each in result.verdicts:
            sign = "❔" if not each.judged else "✅" if each.kept else "❌"
            metric = each.budget.metric
            cells = (figure(metric, each.limit), figure(metric, each.value), judgement(each, phrase))
            yield f"| {sign} | `{code(each.budget.text)}` | {' | '.join(cells)} |"
        yield ""
    yield from _figures(now, compared, phrase)
    if compared is None:
        yield ""
        yield phrase("There is nothing to compare with: {}", cell(result.missing))
        return
    if compared.steps:
        yield ""
        yield f"| {phrase('step')} | {phrase('place')} | {phrase('change')} | {phrase('now')} |"
        yield "|---|---|--:|--:|"
        yield from (_step(step, phrase) for step in compared.steps[:_MOST])
        yield from _rest(len(compared.steps) - _MOST, phrase)
    if compared.packages:
        yield ""
        yield f"| {phrase('package')} | | {phrase('change')} |"
        yield "|---|---|--:|"
        for package in compared.packages[:_MOST]:
            words = cell(package_words(package.before, package.after, package.name, phrase))
            yield f"| {words} | {cell(package.ecosystem)} | {growth('unpacked', package.more)} |"
        yield from _rest(len(compared.packages) - _MOST, phrase)
    yield ""
    yield f"<sub>{phrase('Compared with {}', cell(when(compared.before, phrase) or compared.before.name))}</sub>"


def _figures(now: Measurement, compared: Change | None, phrase: Phrase) -> Iterator[str]:
    if compared is None:
        yield f"| | {phrase('now')} |"
        yield "|---|--:|"
        for metric in METRICS:
            if metric in now.figures:
                yield f"| {metric} | {figure(metric, now.figures[metric])} |"
        return
    yield f"| | {phrase('before')} | {phrase('now')} | {phrase('change')} |"
    yield "|---|--:|--:|--:|"
    for each in compared.figures:
        before, after = figure(each.metric, each.before), figure(each.metric, each.after)
        more = changed(each)
        yield f"| {each.metric} | {before} | {after} | {f'**{more}**' if each.more > 0 else more} |"


def _step(step: StepChange, phrase: Phrase) -> str:
    text = " ".join(step.step.text.split()) or "?"
    text = text if len(text) <= _STEP else text[: _STEP - 1] + "…"
    said = f"`{code(text)}`"
    if step.before is None:
        said = phrase("{} (new)", said)
    elif step.after is None:
        said = phrase("{} (gone)", said)
    now = figure("unpacked", step.after.size) if step.after else "-"
    return f"| {said} | {cell(step.step.place)} | {growth('unpacked', step.more)} | {now} |"


def _rest(count: int, phrase: Phrase) -> Iterator[str]:
    if count > 0:
        yield ""
        yield phrase("and {} more", count)


def history_table(measurements: Sequence[Measurement], metrics: Sequence[str], phrase: Phrase) -> str:
    """A row for each measurement."""
    heads = (phrase("when"), phrase("branch"), phrase("commit"), *metrics)
    lines = [f"| {' | '.join(heads)} |", f"|---|---|---|{'--:|' * len(metrics)}"]
    for one in measurements:
        figures = (figure(metric, one.figures.get(metric)) for metric in metrics)
        cells = (cell(one.at[:16].replace("T", " ")), cell(one.branch), f"`{code(one.commit[:7])}`", *figures)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
