"""Why steps ran, said to people: root causes first, then step by step."""

import json
from collections.abc import Iterator, Sequence

from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import age
from kezuri.cli.screen_text import clip, one_line, plain, width
from kezuri.diagnostics import visible
from kezuri.explain.answers import Because, Explanation, RootCause, StepAnswer
from kezuri.explain.changes import Change

_MOST_FILES = 6
_WIDTH = 60


def ago(seconds: float, phrase: Phrase) -> str:
    """How long it is since, roughly: `3 weeks ago`."""
    number, _, unit = age(seconds).lower().partition(" ")
    return {
        "seconds": phrase("{} seconds ago", number),
        "minutes": phrase("{} minutes ago", number),
        "hours": phrase("{} hours ago", number),
        "days": phrase("{} days ago", number),
        "weeks": phrase("{} weeks ago", number),
        "months": phrase("{} months ago", number),
        "years": phrase("{} years ago", number),
        "second": phrase("1 second ago"),
        "than a second": phrase("less than a second ago"),
        "a minute": phrase("about a minute ago"),
        "an hour": phrase("about an hour ago"),
    }[unit]


class WhyText:
    """Says one explanation, in the language that `phrase` speaks."""

    def __init__(self, explanation: Explanation, phrase: Phrase = plainly) -> None:
        self._explanation = explanation
        self.phrase = phrase
        self._answers = {answer.step.number: answer for answer in explanation.steps}

    def heading(self, now: float) -> str:
        """Which build it is, when it was, and what it came to."""
        found = self._explanation
        asked = found.heading.asked
        file = asked.dockerfile.removeprefix(f"{asked.context}/")
        phrase = self.phrase
        details = [file, *([phrase("target {}", asked.target)] if asked.target else ()), *asked.platforms]
        last = max(0.0, now - (found.heading.last if found.quiet else found.heading.began))
        since = ago(last, self.phrase)
        said = phrase("Build {} of {} ({}), {}", found.heading.number, asked.context, ", ".join(details), since)
        steps = [answer.step for answer in found.steps]
        if found.quiet:
            origins = list(dict.fromkeys(step.origin for step in steps if step.origin))
            nothing = self._nothing_ran(len(steps))
            if not origins:
                return f"{said}\n{phrase('{}.', nothing)}"
            imported, where = sum(bool(s.origin) for s in steps), self._and(list(map(visible, origins)))
            return f"{said}\n{phrase('{}.', phrase('{}, {} of them in {}', nothing, imported, where))}"
        ran = sum(step.outcome in ("ran", "failed", "canceled") for step in steps)
        called_off = any(step.outcome == "canceled" for step in steps) and all(s.outcome != "failed" for s in steps)
        spent = self.seconds(found.seconds)
        many = phrase("{} of {} steps ran, {}", ran, len(steps), spent)
        did = phrase("{} of 1 step ran, {}", ran, spent) if len(steps) == 1 else many
        if found.error:
            did = phrase("{}, then it was called off", did) if called_off else phrase("{}, and it failed", did)
        return f"{said}: {did}"

    def roots(self) -> Iterator[str]:
        """What began it, the most costly first."""
        for root in self._explanation.roots:
            spent, follow = self.seconds(root.seconds), self._follow(root)
            if root.seconds <= self._explanation.seconds:
                yield self.phrase("{} of this build's {} {}", spent, self.seconds(self._explanation.seconds), follow)
            else:
                yield self.phrase("{} of work {}", spent, follow)

    def step(self, answer: StepAnswer) -> Iterator[str]:
        """A step, and why it ran."""
        step, phrase = answer.step, self.phrase
        outcome = self._outcome(step.outcome)
        if step.outcome in ("ran", "failed", "canceled"):
            outcome = phrase("{}, {}", outcome, self.seconds(step.seconds))
        yield f"#{step.number} [{step.place}] {clip(one_line(step.title), _WIDTH)}   {outcome}"
        if step.outcome == "cached":
            found = phrase("key {}", step.key[:12])
            if step.origin:
                found = phrase("{}, in the imported cache {}", found, visible(step.origin))
            if step.made:
                found = phrase("{}, made by another build meanwhile", found)
            yield f"   {phrase('found')}: {found}"
        elif step.outcome == "shared":
            yield f"   {phrase('key {}: an equal step of this build made it', step.key[:12])}"
        if step.outcome not in ("cached", "not reached"):
            yield from self.because(answer)
        if step.message and step.outcome == "failed":
            yield f"   {phrase('it failed')}: {plain(step.message)}"

    # reasons

    def because(self, answer: StepAnswer) -> Iterator[str]:
        """Why a step ran, as indented lines."""
        phrase = self.phrase
        because = [b for b in answer.because if b.kind != "nearest"]
        word = f"{phrase('because')}: "
        for reason in because:
            for i, line in enumerate(self._reason(reason, answer)):
                yield f"   {word if i == 0 else ' ' * width(word)}{line}"
            again = f"{phrase('and')}: "
            word = " " * (width(word) - width(again)) + again
        nearest = [b for b in answer.because if b.kind == "nearest"]
        if nearest:
            parts = self._and([self._part(b) for b in nearest])
            differs = phrase("the nearest result of another build differs in {}", parts)
            yield f"            {differs}"

    def _reason(self, because: Because, answer: StepAnswer) -> list[str]:
        phrase = self.phrase
        match because.kind:
            case "step":
                return [self._earlier(because, answer)]
            case "inserted":
                return [phrase("{} was not there before it", self._named(because.step))]
            case "removed":
                return [phrase("an instruction before it was taken out: {}", _short(because.before))]
            case "base":
                return [self._base(because)]
            case "files":
                return self._files(because, answer)
            case "component":
                return [self._part(because)]
            case "text":
                before, after = _apart(because.before, because.after)
                if len(before) + len(after) < _WIDTH:
                    return [f'{phrase("the instruction changed")}: "{before}" -> "{after}"']
                return [phrase("the instruction changed"), phrase("from {}", before), phrase("  to {}", after)]
            case "new step" if answer.step.trigger:
                return [phrase("an ONBUILD instruction of the base image, which is new")]
            case "new stage":
                return [phrase("the stage is new")]
            case _:
                return [self._plain(because.kind)]

    def _earlier(self, because: Because, answer: StepAnswer) -> str:
        """A step that comes before has another result than it had."""
        other = self._answers[because.step]
        if because.via:
            own = "; ".join(line for reason in because.via for line in self._reason(reason, other))
            return self.phrase(
                "{} has another result than in build {}: {}", self._named(because.step), answer.since, own
            )
        if other.step.kind == "RUN":
            return self.phrase("{} ran again", self._named(because.step))
        return self.phrase("{} gave other files", self._named(because.step))

    def _files(self, because: Because, answer: StepAnswer) -> list[str]:
        phrase, source = self.phrase, because.source
        words = phrase("files differ")
        if because.name.startswith("files bound at "):
            words = phrase("files at {} differ", because.name.removeprefix("files bound at "))
        elif because.name.startswith("files seeding "):
            words = phrase("files that seed {} differ", because.name.removeprefix("files seeding "))
        if source is not None and source.kind == "image":
            words = phrase("{} in the image {}", words, source.name)
        elif source is not None and source.kind == "context" and source.name:
            words = phrase("{} in the context {}", words, source.name)
        elif source is not None and source.kind == "stage":
            label = next((a.step.name.where for a in self._explanation.steps if a.step.stage == source.stage), "")
            words = phrase("{} in the stage {}", words, label) if label else words
        lines = [f"{words}: {self._changes(because.files)}"]
        return lines + [phrase("where {}", line) for reason in because.via for line in self._reason(reason, answer)]

    def _named(self, number: int) -> str:
        step = self._answers[number].step
        return self.phrase("step {} ({})", number, clip(one_line(step.title), _WIDTH))

    def _part(self, because: Because) -> str:
        """A component that differs."""
        phrase, name, before, after = self.phrase, because.name, because.before, because.after
        if name == "state before":
            return phrase("the files before it")
        if name.startswith("files"):
            return f"{phrase('files')}: {self._changes(because.files)}"
        if name == "command" or name.startswith("heredoc ") or name == "script":
            return self._text_change(name, before, after)
        if name == "version":
            return phrase("how kezuri computes keys")
        label = {"working directory": "WORKDIR", "user": "USER"}.get(name, name)
        if before is None:
            return phrase("{} is new: {}", label, _value(after))
        if after is None:
            return phrase("{} is gone, it was {}", label, _value(before))
        if before == after:
            return phrase("{} has another value", label)
        return '{}: "{}" -> "{}"'.format(label, *_apart(before, after))

    # root causes

    def _follow(self, root: RootCause) -> str:
        because, phrase = root.because, self.phrase
        what = self._what(because, root.step)
        if what:
            return phrase("follow from {}", what)
        return {
            "new build": phrase("are for steps that were never built before, as far as the journal goes back"),
            "new stage": phrase("are for stages that are new"),
            "pruned": phrase("are for results that were pruned"),
            "lost": phrase("are for layers that are not in the store any more"),
            "no key": phrase("went into a step that could not begin"),
        }[because.kind]

    def _what(self, because: Because, number: int) -> str:
        phrase = self.phrase
        match because.kind:
            case "no-cache" | "no-cache-filter":
                return f"--{because.kind}"
            case "files" if because.files:
                names = list(dict.fromkeys(plain(change.path) for change in because.files))
                more = len(names) - 3
                return self._and([*names[:3], *([phrase("{} more files", more)] if more > 0 else ())])
            case "files":
                return phrase("the files of {}", self._named(number))
            case "component":
                name = because.name.removeprefix("env ")
                return (
                    f"{name}"
                    if name.startswith(("ARG ", "ENV "))
                    else phrase("the {} of {}", name, self._named(number))
                )
            case "base":
                return phrase("the base image {}", _split(because.after)[0])
            case "removed":
                return phrase("an instruction that was taken out: {}", _short(because.before))
            case "text":
                return phrase("the changed instruction of {}", self._named(number))
            case "new step":
                return phrase("the new {}", self._named(number))
            case "failed" | "canceled" | "unbelieved":
                return phrase("{}, which gave no result the last time", self._named(number))
            case "elsewhere":
                return phrase("{}, which another build ran again", self._named(number))
        return ""

    def _plain(self, kind: str) -> str:
        phrase = self.phrase
        return {
            "no-cache": phrase("earlier results were not to be used (--no-cache)"),
            "no-cache-filter": phrase("earlier results of its stage were not to be used (--no-cache-filter)"),
            "lost": phrase("it was built before with the same key, but its layer is not in the store any more"),
            "pruned": phrase("it was built before with the same key, but the result was pruned"),
            "unbelieved": phrase(
                "it ran before with the same key, but was not believed: a program in it had given up on the network"
            ),
            "failed": phrase("it ran before with the same key and failed; only what succeeds is kept"),
            "canceled": phrase("it ran before with the same key and was called off"),
            "elsewhere": phrase("another build ran it again since"),
            "no key": phrase("it could not begin"),
            "new build": phrase("it was never built before, as far as the journal goes back"),
            "new step": phrase("the instruction is new"),
        }[kind]

    def _changes(self, files: Sequence[Change] | None) -> str:
        phrase = self.phrase
        if files is None:
            return phrase("which ones is not known any more")
        if not files:
            return phrase("the same ones in another order or under other names")
        said: dict[str, list[str]] = {}
        for change in files:
            said.setdefault(change.path, []).append(self._change(change))
        named = [f"{plain(path)} ({', '.join(whats)})" for path, whats in said.items()]
        more = len(named) - _MOST_FILES
        return ", ".join([*named[:_MOST_FILES], *([phrase("and {} more", more)] if more > 0 else ())])

    def _change(self, change: Change) -> str:
        match change.what:
            case "renamed":
                return self.phrase("renamed from {}", plain(change.before))
            case "kind":
                return f"{self._kind(change.before)} -> {self._kind(change.after)}"
            case "mode" | "owner" | "link":
                return f"{self._what_changed(change.what)} {plain(change.before)} -> {plain(change.after)}"
        return self._what_changed(change.what)

    def _base(self, because: Because) -> str:
        (was, old), (now, new) = _split(because.before), _split(because.after)
        if was != now:
            return self.phrase("it stands on {}, which was {}", now, was)
        return self.phrase("the image {} is another one: {} -> {}", now, old[7:19] or "?", new[7:19] or "?")

    def _text_change(self, name: str, before: str | None, after: str | None) -> str:
        """The first line in which two commands or here-documents differ."""
        phrase = self.phrase
        label = name
        if name.startswith("heredoc "):
            label = phrase("here-document {}", name.removeprefix("heredoc "))
        if before is None:
            return phrase("{} is new", label)
        if after is None:
            return phrase("{} is gone", label)
        if name == "command":
            old, new = json.loads(before), json.loads(after)
            if old[:-1] != new[:-1]:
                return "SHELL: {} -> {}".format(*_apart(" ".join(old[:-1]), " ".join(new[:-1])))
            before, after = old[-1], new[-1]
            label = phrase("here-document")
        for number, (one, two) in enumerate(zip(f"{before}\n".split("\n"), f"{after}\n".split("\n")), 1):
            if one != two:
                place = phrase("{}, line {}", label, number)
                return '{}: "{}" -> "{}"'.format(place, *_apart(one, two))
        return phrase("{} has another length", label)

    def _nothing_ran(self, count: int) -> str:
        if not count:
            return self.phrase("Nothing ran: it has no steps")
        if count == 1:
            return self.phrase("Nothing ran: the one step was found in the cache")
        return self.phrase("Nothing ran: all {} steps were found in the cache", count)

    def seconds(self, seconds: float) -> str:
        """How long, as explanations say it."""
        if seconds < 99.95:
            return self.phrase("{} s", f"{seconds:.1f}")
        minutes, rest = divmod(round(seconds), 60)
        if minutes < 60:
            return self.phrase("{} min {} s", minutes, f"{rest:02}")
        return self.phrase("{} h {} min", minutes // 60, f"{minutes % 60:02}")

    def _outcome(self, outcome: str) -> str:
        phrase = self.phrase
        words = {
            "ran": phrase("ran"),
            "cached": phrase("cached"),
            "shared": phrase("shared"),
            "failed": phrase("failed"),
            "canceled": phrase("canceled"),
            "not reached": phrase("not reached"),
        }
        return words.get(outcome, outcome)

    def _kind(self, kind: str) -> str:
        """A kind of file."""
        phrase = self.phrase
        words = {
            "file": phrase("file"),
            "directory": phrase("directory"),
            "link": phrase("link"),
            "pipe": phrase("pipe"),
            "character device": phrase("character device"),
            "block device": phrase("block device"),
        }
        return words.get(kind, kind)

    def _what_changed(self, what: str) -> str:
        phrase = self.phrase
        words = {
            "new": phrase("new"),
            "gone": phrase("gone"),
            "content": phrase("content"),
            "mode": phrase("mode"),
            "owner": phrase("owner"),
            "link": phrase("target"),
            "attributes": phrase("extended attributes"),
        }
        return words.get(what, what)

    def _and(self, items: Sequence[str]) -> str:
        if len(items) < 2:
            return "".join(items)
        return self.phrase("{} and {}", ", ".join(items[:-1]), items[-1])


def _split(image: str | None) -> tuple[str, str]:
    name, _, digest = (image or "").rpartition("@")
    return name, digest


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
