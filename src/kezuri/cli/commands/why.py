"""`kezuri why`: what made the steps of the last build run."""

from typing import TYPE_CHECKING, Any

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

if TYPE_CHECKING:
    from kezuri.explain.answers import Because, Explanation, StepAnswer

COMMAND = Command(
    "why",
    "Show why the steps of the last build ran",
    (
        Option(("--all", "-a"), "flag", "Show the steps that were found in the cache too"),
        Option(("--build",), "text", "Another build than the last one, by its number", "N"),
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json")),
    ),
    operands="[STEP]",
    most=1,
    description="STEP is a number, a stage, a line (Dockerfile:12) or the beginning of an instruction. Without\n"
    "--build it is about the last build of the current directory, else about the last build.",
)


def execute(invocation: Invocation) -> int:
    """Print the explanation."""
    from time import time

    from kezuri.app.why import why

    parsed, console = invocation.parsed, invocation.console
    number = parsed.text("--build")
    if number and not (number.isascii() and number.isdigit() and int(number)):
        raise UsageError.because(f"--build {number!r} is not the number of a build")
    found = why(invocation.settings, int(number or 0))
    asked = parsed.operands[0] if parsed.operands else ""
    chosen = _choose(found, asked)
    if parsed.text("--format") == "json":
        from kezuri.cli.template import as_json

        console.say(as_json(_document(found, chosen)))
        return 0
    from kezuri.cli.why_text import WhyText

    text = WhyText(found, console.phrase)
    blocks = [[text.heading(time())]]
    if not asked and not found.quiet:
        blocks.append(list(text.roots()))
    shown = [a for a in chosen if asked or parsed.flag("--all") or _is_news(a)]
    if not found.quiet or asked or parsed.flag("--all"):
        blocks.append([line for answer in shown for line in text.step(answer)])
    if not asked:
        blocks.append([f"{console.phrase('Advice')}: {console.words(advice)}" for advice in found.advice])
    if found.quiet and any(a.step.outcome == "ran" for a in found.steps):
        blocks.append([console.phrase("What ran before that: kezuri why --build {}", found.heading.number)])
    console.say("\n\n".join("\n".join(lines) for lines in blocks if lines))
    return 0


def _is_news(answer: "StepAnswer") -> bool:
    """Whether a step ran, or one of the same build ran in its place that it was not equal to before."""
    outcome = answer.step.outcome
    return outcome in ("ran", "failed", "canceled") or (outcome == "shared" and bool(answer.because))


def _choose(found: "Explanation", asked: str) -> "tuple[StepAnswer, ...]":
    """The steps that the operand means; all without one. UsageError when it means none."""
    if not asked:
        return found.steps
    steps = found.steps
    file, _, line = asked.rpartition(":")
    number = asked.removeprefix("#")
    if number.isascii() and number.isdigit():
        chosen = [a for a in steps if a.step.number == int(number)]
    elif line.isascii() and line.isdigit() and (not file or found.heading.asked.dockerfile.endswith(file)):
        # A step begins at its line and goes on until the next one begins.
        begins = max((a.step.line for a in steps if a.step.line <= int(line)), default=0)
        chosen = [a for a in steps if a.step.line == begins]
    else:
        wanted = " ".join(asked.lower().split())
        chosen = [a for a in steps if a.step.place == asked or a.step.name.where.lower() == wanted]
        chosen = chosen or [a for a in steps if " ".join(a.step.title.lower().split()).startswith(wanted)]
    if not chosen:
        from kezuri.diagnostics import nearest

        near = nearest(asked, [a.step.title for a in steps])
        raise UsageError.because(
            f"build {found.heading.number} has no step {asked!r}",
            f"did you mean {near!r}?" if near else f"it has {len(steps)}; `kezuri why --all` shows them",
        )
    return tuple(chosen)


def _document(found: "Explanation", chosen: "tuple[StepAnswer, ...]") -> dict[str, Any]:
    asked = found.heading.asked
    return {
        "build": found.heading.number,
        "comparedWith": found.before or None,
        "context": asked.context,
        "dockerfile": asked.dockerfile,
        "target": asked.target,
        "platforms": list(asked.platforms),
        "began": found.heading.began,
        "last": found.heading.last,
        "seconds": round(found.seconds, 3),
        "error": found.error,
        "nothingRan": found.quiet,
        "rootCauses": [
            {
                "step": root.step or None,
                "because": _because(root.because),
                "steps": list(root.steps),
                "seconds": round(root.seconds, 3),
            }
            for root in found.roots
        ],
        "steps": [_step(answer) for answer in chosen],
        "advice": list(found.advice),
    }


def _step(answer: "StepAnswer") -> dict[str, Any]:
    step = answer.step
    return {
        "step": step.number,
        "place": step.place,
        "line": step.line,
        "kind": step.kind,
        "instruction": step.title,
        "outcome": step.outcome,
        "seconds": round(step.seconds, 3),
        "key": step.key,
        "layer": step.layer,
        "error": step.message,
        "comparedWith": answer.since or None,
        "rootCause": answer.root if answer.root >= 0 else None,
        "because": [_because(because) for because in answer.because],
        "cache": step.origin or None,
    }


def _because(because: "Because") -> dict[str, Any]:
    said: dict[str, Any] = {"kind": because.kind}
    if because.name:
        said["component"] = because.name
    if because.kind not in ("step", "inserted") and because.name[:5] != "files":
        said |= {"before": because.before, "after": because.after}
    if because.step:
        said["step"] = because.step
    if because.source is not None:
        source = because.source
        said["source"] = {"kind": source.kind, "name": source.name, "stage": source.stage}
    if because.name[:5] == "files":
        said["files"] = None if because.files is None else [c._asdict() for c in because.files]
    if because.via:
        said["via"] = [_because(b) for b in because.via]
    return said
