"""Why steps ran, said to people: root causes first, then step by step."""

import json
from collections.abc import Iterator, Sequence

from kezuri.cli.quantities import age
from kezuri.cli.screen_text import clip, one_line, plain, width
from kezuri.diagnostics import visible
from kezuri.explain.answers import Because, Explanation, RootCause, StepAnswer
from kezuri.explain.changes import Change

_MOST_FILES = 6
_WIDTH = 60


class WhyText:
    """Says one explanation."""

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation
        self._answers = {answer.step.number: answer for answer in explanation.steps}

    def heading(self, now: float) -> str:
        """Which build it is, when it was, and what it came to."""
        found = self._explanation
        asked = found.heading.asked
        file = asked.dockerfile.removeprefix(f"{asked.context}/")
        details = [file, *([f"target {asked.target}"] if asked.target else ()), *asked.platforms]
        last = max(0.0, now - (found.heading.last if found.quiet else found.heading.began))
        said = f"Build {found.heading.number} of {asked.context} ({', '.join(details)}), {age(last).lower()} ago"
        steps = [answer.step for answer in found.steps]
        if found.quiet:
            origins = list(dict.fromkeys(step.origin for step in steps if step.origin))
            where = ""
            if origins:
                where = f", {sum(bool(s.origin) for s in steps)} of them in {_and(list(map(visible, origins)))}"
            return f"{said}\nNothing ran: {_found(len(steps))}{where}."
        ran = sum(step.outcome in ("ran", "failed", "canceled") for step in steps)
        called_off = any(step.outcome == "canceled" for step in steps) and all(s.outcome != "failed" for s in steps)
        result = "" if not found.error else ", then it was called off" if called_off else ", and it failed"
        return f"{said}: {ran} of {_count(len(steps))} ran, {_seconds(found.seconds)}{result}"

    def roots(self) -> Iterator[str]:
        """What began it, the most costly first."""
        for root in self._explanation.roots:
            spent = _seconds(root.seconds)
            if root.seconds <= self._explanation.seconds:
                yield f"{spent} of this build's {_seconds(self._explanation.seconds)} {self._follow(root)}"
            else:
                yield f"{spent} of work {self._follow(root)}"

    def step(self, answer: StepAnswer) -> Iterator[str]:
        """A step, and why it ran."""
        step = answer.step
        outcome: str = step.outcome
        if outcome in ("ran", "failed", "canceled"):
            outcome = f"{outcome}, {_seconds(step.seconds)}"
        yield f"#{step.number} [{step.place}] {clip(one_line(step.title), _WIDTH)}   {outcome}"
        if step.outcome == "cached":
            where = f", in the imported cache {visible(step.origin)}" if step.origin else ""
            yield f"   found: key {step.key[:12]}{where}" + (", made by another build meanwhile" if step.made else "")
        elif step.outcome == "shared":
            yield f"   key {step.key[:12]}: an equal step of this build made it"
        if step.outcome not in ("cached", "not reached"):
            because = [b for b in answer.because if b.kind != "nearest"]
            word = "because: "
            for reason in because:
                for i, line in enumerate(self._reason(reason, answer)):
                    yield f"   {word if i == 0 else ' ' * len(word)}{line}"
                word = "    and: "
            nearest = [b for b in answer.because if b.kind == "nearest"]
            if nearest:
                parts = _and([self._part(b) for b in nearest])
                yield f"            the nearest result of another build differs in {parts}"
        if step.message and step.outcome == "failed":
            yield f"   it failed: {plain(step.message)}"

    # reasons

    def _reason(self, because: Because, answer: StepAnswer) -> list[str]:
        match because.kind:
            case "step":
                return [self._earlier(because, answer)]
            case "inserted":
                return [f"{self._named(because.step)} was not there before it"]
            case "removed":
                return [f"an instruction before it was taken out: {_short(because.before)}"]
            case "base":
                return [_base(because)]
            case "files":
                return self._files(because, answer)
            case "component":
                return [self._part(because)]
            case "text":
                before, after = _apart(because.before, because.after)
                if len(before) + len(after) < _WIDTH:
                    return [f'the instruction changed: "{before}" -> "{after}"']
                return ["the instruction changed", f"from {before}", f"  to {after}"]
            case "new step" if answer.step.trigger:
                return ["an ONBUILD instruction of the base image, which is new"]
            case "new stage":
                return ["the stage is new"]
            case _:
                return [_PLAIN[because.kind]]

    def _earlier(self, because: Because, answer: StepAnswer) -> str:
        """A step that comes before has another result than it had."""
        other = self._answers[because.step]
        if because.via:
            own = "; ".join(line for reason in because.via for line in self._reason(reason, other))
            return f"{self._named(because.step)} has another result than in build {answer.since}: {own}"
        did = "ran again" if other.step.kind == "RUN" else "gave other files"
        return f"{self._named(because.step)} {did}"

    def _files(self, because: Because, answer: StepAnswer) -> list[str]:
        words = "files differ"
        if because.name.startswith("files bound at "):
            words = f"files at {because.name.removeprefix('files bound at ')} differ"
        elif because.name.startswith("files seeding "):
            words = f"files that seed {because.name.removeprefix('files seeding ')} differ"
        source = because.source
        if source is not None and source.kind == "image":
            words += f" in the image {source.name}"
        elif source is not None and source.kind == "context" and source.name:
            words += f" in the context {source.name}"
        elif source is not None and source.kind == "stage":
            label = next((a.step.name.where for a in self._explanation.steps if a.step.stage == source.stage), "")
            words += f" in the stage {label}" if label else ""
        lines = [f"{words}: {_changes(because.files)}"]
        return lines + [f"where {line}" for reason in because.via for line in self._reason(reason, answer)]

    def _named(self, number: int) -> str:
        step = self._answers[number].step
        return f"step {number} ({clip(one_line(step.title), _WIDTH)})"

    def _part(self, because: Because) -> str:
        """A component that differs."""
        name, before, after = because.name, because.before, because.after
        if name == "state before":
            return "the files before it"
        if name.startswith("files"):
            return f"files: {_changes(because.files)}"
        if name == "command" or name.startswith("heredoc ") or name == "script":
            return _text_change(name, before, after)
        label = {"working directory": "WORKDIR", "user": "USER", "version": "how kezuri computes keys"}.get(name, name)
        if name == "version":
            return label
        if before is None:
            return f"{label} is new: {_value(after)}"
        if after is None:
            return f"{label} is gone, it was {_value(before)}"
        if before == after:
            return f"{label} has another value"
        return '{}: "{}" -> "{}"'.format(label, *_apart(before, after))

    # root causes

    def _follow(self, root: RootCause) -> str:
        because = root.because
        what = self._what(because, root.step)
        if what:
            return f"follow from {what}"
        return {
            "new build": "are for steps that were never built before, as far as the journal goes back",
            "new stage": "are for stages that are new",
            "pruned": "are for results that were pruned",
            "lost": "are for layers that are not in the store any more",
            "no key": "went into a step that could not begin",
        }[because.kind]

    def _what(self, because: Because, number: int) -> str:
        match because.kind:
            case "no-cache" | "no-cache-filter":
                return f"--{because.kind}"
            case "files" if because.files:
                names = list(dict.fromkeys(plain(change.path) for change in because.files))
                more = len(names) - 3
                return _and([*names[:3], *([f"{more} more files"] if more > 0 else ())])
            case "files":
                return f"the files of {self._named(number)}"
            case "component":
                name = because.name.removeprefix("env ")
                return f"{name}" if name.startswith(("ARG ", "ENV ")) else f"the {name} of {self._named(number)}"
            case "base":
                return "the base image " + _split(because.after)[0]
            case "removed":
                return f"an instruction that was taken out: {_short(because.before)}"
            case "text":
                return f"the changed instruction of {self._named(number)}"
            case "new step":
                return f"the new {self._named(number)}"
            case "failed" | "canceled" | "unbelieved":
                return f"{self._named(number)}, which gave no result the last time"
            case "elsewhere":
                return f"{self._named(number)}, which another build ran again"
        return ""


_PLAIN = {
    "no-cache": "earlier results were not to be used (--no-cache)",
    "no-cache-filter": "earlier results of its stage were not to be used (--no-cache-filter)",
    "lost": "it was built before with the same key, but its layer is not in the store any more",
    "pruned": "it was built before with the same key, but the result was pruned",
    "unbelieved": "it ran before with the same key, but was not believed: a program in it had given up on the network",
    "failed": "it ran before with the same key and failed; only what succeeds is kept",
    "canceled": "it ran before with the same key and was called off",
    "elsewhere": "another build ran it again since",
    "no key": "it could not begin",
    "new build": "it was never built before, as far as the journal goes back",
    "new step": "the instruction is new",
}


def _changes(files: Sequence[Change] | None) -> str:
    if files is None:
        return "which ones is not known any more"
    if not files:
        return "the same ones in another order or under other names"
    said: dict[str, list[str]] = {}
    for change in files:
        said.setdefault(change.path, []).append(_change(change))
    words = [f"{plain(path)} ({', '.join(whats)})" for path, whats in said.items()]
    more = len(words) - _MOST_FILES
    return ", ".join([*words[:_MOST_FILES], *([f"and {more} more"] if more > 0 else ())])


def _change(change: Change) -> str:
    match change.what:
        case "renamed":
            return f"renamed from {plain(change.before)}"
        case "mode" | "owner" | "link" | "kind":
            word = {"link": "target", "kind": "was"}.get(change.what, change.what)
            if change.what == "kind":
                return f"{change.before} -> {change.after}"
            return f"{word} {plain(change.before)} -> {plain(change.after)}"
        case "attributes":
            return "extended attributes"
    return change.what


def _base(because: Because) -> str:
    (was, old), (now, new) = _split(because.before), _split(because.after)
    if was != now:
        return f"it stands on {now}, which was {was}"
    return f"the image {now} is another one: {old[7:19] or '?'} -> {new[7:19] or '?'}"


def _split(image: str | None) -> tuple[str, str]:
    name, _, digest = (image or "").rpartition("@")
    return name, digest


def _text_change(name: str, before: str | None, after: str | None) -> str:
    """The first line in which two commands or here-documents differ."""
    label = f"here-document {name.removeprefix('heredoc ')}" if name.startswith("heredoc ") else name
    if before is None or after is None:
        return f"{label} is {'new' if before is None else 'gone'}"
    if name == "command":
        old, new = json.loads(before), json.loads(after)
        if old[:-1] != new[:-1]:
            return "SHELL: {} -> {}".format(*_apart(" ".join(old[:-1]), " ".join(new[:-1])))
        before, after = old[-1], new[-1]
        label = "here-document"
    for number, (one, two) in enumerate(zip(f"{before}\n".split("\n"), f"{after}\n".split("\n")), 1):
        if one != two:
            return '{}, line {}: "{}" -> "{}"'.format(label, number, *_apart(one, two))
    return f"{label} has another length"


def _value(text: str | None) -> str:
    return f'"{_short(text)}"'


def _short(text: str | None) -> str:
    return clip(one_line(text or ""), _WIDTH)


def _apart(before: str | None, after: str | None) -> tuple[str, str]:
    """Two texts that differ, each cut to where they do."""
    one, two = one_line(before or ""), one_line(after or "")
    if one == two:  # but for blanks
        one, two = visible(before or ""), visible(after or "")
    same = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
    start = same - _WIDTH // 3 if max(width(one), width(two)) > _WIDTH and same > _WIDTH // 2 else 0
    return _from(one, start), _from(two, start)


def _from(text: str, start: int) -> str:
    return clip("…" + text[start + 1 :] if start else text, _WIDTH)


def _seconds(seconds: float) -> str:
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _count(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"


def _found(count: int) -> str:
    if not count:
        return "it has no steps"
    return ("the one step was" if count == 1 else f"all {count} steps were") + " found in the cache"


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
