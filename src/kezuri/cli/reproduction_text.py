"""What two builds differ in, as text and as JSON."""

from collections.abc import Callable, Iterator
from typing import Any

from kezuri.cli.phrase import Phrase
from kezuri.cli.screen_text import clip, one_line
from kezuri.diagnostics import visible
from kezuri.reproduction.values import Reproduction, StepUnlike, Unlike

_TITLE = 70


def report(
    found: Reproduction, passed: int, most: int, phrase: Phrase, words: Callable[[str], str] = str
) -> Iterator[str]:
    """The verdict, the causes with their files, what follows from them, and what was varied."""
    causes = [step for step in found.steps if not step.follows]
    following = [step for step in found.steps if step.follows]
    if found.same:
        yield phrase("Reproducible: both builds give {}", found.before)
    elif not found.steps:
        yield phrase("The images differ in nothing but what was let pass ({} differences).", passed)
    else:
        yield phrase("Not reproducible. Steps that differ by themselves: {}", len(causes))
    for step in causes:
        yield ""
        yield _heading(step, phrase)
        yield from _files(step, most, phrase, words)
    if following:
        yield ""
        yield phrase("What follows from it:")
        for step in following:
            yield f"  {_heading(step, phrase)}: {phrase('{} files, after {}', len(step.found), visible(step.follows))}"
    yield ""
    if found.varied:
        yield phrase("Varied: {}", ", ".join(found.varied))
    for each in found.unvaried:
        yield phrase("Not varied: {}: {}", each.aspect, visible(words(each.why)))
    if passed and found.steps:
        yield phrase("Let pass: {} differences", passed)


def _heading(step: StepUnlike, phrase: Phrase) -> str:
    if step.line == 0:
        return phrase("The image's config")
    return f"[{visible(step.name)}] {clip(one_line(step.text), _TITLE)} ({phrase('line {}', step.line)})"


def _files(step: StepUnlike, most: int, phrase: Phrase, words: Callable[[str], str]) -> Iterator[str]:
    """Files of one kind and mending together: there may be thousands that only have another time."""
    groups: dict[tuple[str, str, str], list[Unlike]] = {}
    for each in step.found:
        key = (each.kind, "mtime" if each.what == "mtime" else "", each.mending)
        groups.setdefault(key, []).append(each)
    for (kind, what, mending), members in sorted(groups.items(), key=lambda group: (group[0][1], group[0])):
        label = phrase("time of the file") if what else phrase(kind)
        shown = members[: most or len(members)]
        if what and len(members) > 3 and most:
            shown = members[:1]
        for each in shown:
            about = f": {words(each.about)}" if each.about and not what else ""
            values = (
                f" ({visible(each.before) or '-'} → {visible(each.after) or '-'})" if each.before != each.after else ""
            )
            yield f"  {label}: {visible(each.path) or '/'}: {each.what}{values}{about}"
        if len(members) > len(shown):
            yield "    " + phrase("and {} more of the same kind", len(members) - len(shown))
        if mending:
            yield "    " + phrase("mend: {}", words(mending))


def document(found: Reproduction, passed: int) -> dict[str, Any]:
    """The document that docs/reproduce.md describes."""
    return {
        "reproducible": found.same,
        "first": found.before,
        "second": found.after,
        "varied": list(found.varied),
        "notVaried": [each._asdict() for each in found.unvaried],
        "passed": passed,
        "steps": [
            {
                "step": step.name,
                "instruction": step.text,
                "line": step.line or None,
                "follows": step.follows or None,
                "differences": [each._asdict() for each in step.found],
            }
            for step in found.steps
        ],
    }
