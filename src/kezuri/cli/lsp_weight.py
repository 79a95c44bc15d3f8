"""What a step took and what a change runs again, as Markdown."""

from kezuri.app.editing import Spent, Weight
from kezuri.cli.phrase import Phrase
from kezuri.cli.quantities import duration, span
from kezuri.cli.why_text import ago
from kezuri.editor.consequences import Follower
from kezuri.editor.pages import code, listed
from kezuri.forecast.durations import spread


def weight_text(weight: Weight, now: float, phrase: Phrase) -> str:
    """The text for an instruction; empty where there is nothing to say."""
    parts: list[str] = []
    if weight.operation is not None:
        parts.append(_own(weight.of(weight.operation), weight.last, now, phrase))
    if weight.followers:
        parts.append(_again(weight, phrase))
    elif weight.operation is not None:
        parts.append(phrase("Nothing else runs again when this changes."))
    return "\n\n".join(part for part in parts if part)


def _own(spent: Spent, last: float, now: float, phrase: Phrase) -> str:
    if not spent.seconds and not spent.outcome:
        return phrase("No build of this file has run this step yet.")
    when = ago(max(0.0, now - last), phrase)
    if not spent.seconds:
        return phrase("The last build ({}) did not run it.", when)
    took = duration(spent.seconds[0])
    if spent.outcome in ("cached", "shared"):
        said = phrase("Found in the cache by the last build ({}); its last run took **{}**.", when, took)
    elif spent.outcome == "ran":
        said = phrase("Took **{}** in the last build ({}).", took, when)
    else:
        said = phrase("Its last run took **{}**.", took)
    if len(spent.seconds) > 2:
        said += " " + phrase("Most of {} runs took {}.", len(spent.seconds), span(*spread(spent.seconds)))
    return said


def _again(weight: Weight, phrase: Phrase) -> str:
    known = [spent.seconds[0] for f in weight.followers if (spent := weight.of(f.operation)).seconds]
    count = len(weight.followers)
    head = phrase("A change here runs 1 later step again")
    if count > 1:
        head = phrase("A change here runs {} later steps again", count)
    head = phrase("{} ({} the last time):", head, duration(sum(known))) if known else phrase("{}:", head)
    return f"{head}\n\n{listed([_line(weight, follower, phrase) for follower in weight.followers])}"


def _line(weight: Weight, follower: Follower, phrase: Phrase) -> str:
    spent = weight.of(follower.operation)
    line = f"{follower.stage}: {code(follower.operation.title)}"
    if spent.seconds:
        line += f" {duration(spent.seconds[0])}"
    if follower.perhaps:
        line += " " + phrase("(if what it takes is different)")
    return line
