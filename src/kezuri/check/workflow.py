"""What a workflow does, as rules ask for it: its jobs and steps, what they build, push and scan."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import Span
from kezuri.documents.value import Entry, Item, Lines, Mapping, Scalar, Sequence, Value, strings
from kezuri.shell.script import Script, SimpleCommand, Word

if TYPE_CHECKING:
    from kezuri.check.document import DocumentSubject

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
"""`${{ … }}`: what the runner puts in before a shell sees the text."""

_TRUST = re.compile(r"^[0-9a-f]{40}$|^[0-9a-f]{64}$")
_SCANNERS = frozenset(
    [
        "trivy",
        "grype",
        "scout",
        "snyk",
        "anchore",
        "clair",
        "kubescape",
        "sysdig",
        "wiz",
        "dockle",
        "prisma",
        "aqua",
        "twistlock",
        "neuvector",
        "jfrog",
        "xray",
        "inspector",
        "vulnerab",
        "scan",
        "security",
    ]
)


class Command(NamedTuple):
    """A command of a step's script, with the script that it stands in."""

    command: SimpleCommand
    text: "RunText"

    def span(self, span: Span | None = None) -> Span:
        """Where the command, or a part of the script, stands in the document."""
        return self.text.lines.span(span or self.command.span)

    def written(self, word: Word) -> str:
        """A word as the document has it, with its `${{ … }}`."""
        return self.text.original[word.span.start : word.span.end]

    def words(self) -> tuple[str, ...]:
        """The arguments without quotes; `${{ … }}` are `x`es in it."""
        return tuple(word.loose for word in self.command.arguments)


class RunText:
    """A script of a step: what a shell would read, with `x`es for `${{ … }}`."""

    def __init__(self, document: "DocumentSubject", scalar: Scalar) -> None:
        self.scalar = scalar
        self.original = scalar.text
        self.lines = Lines(document.source, scalar)

    @cached_property
    def script(self) -> Script:
        from kezuri.shell.reader import read

        return read(EXPRESSION.sub(lambda found: "x" * len(found[0]), self.original))

    @property
    def commands(self) -> tuple[Command, ...]:
        """Its commands in the order of the text, without `sudo` and its options."""
        return tuple(Command(_bare(command), self) for command in self.script.commands)


class Step:
    """One step of a job: an action that is used, or a script."""

    def __init__(self, job: "Job", value: Mapping, item: Item, number: int, scripts: tuple[RunText, ...]) -> None:
        self.job = job
        self.value = value
        self.item = item
        self.number = number
        self.scripts = scripts
        uses = value.get("uses")
        self.uses = uses if isinstance(uses, Scalar) and not uses.null else None
        action, _, ref = self.uses.text.partition("@") if self.uses is not None else ("", "", "")
        self.action = action.lower()
        self.ref = ref.strip()
        given = value.get("with")
        self.given = given if isinstance(given, Mapping) else None

    def input(self, name: str) -> str | None:
        """What is given to the action under a name; None where nothing is."""
        return self.given.text(name) if self.given is not None else None

    def is_true(self, name: str) -> bool:
        """Whether an input says true, without an expression."""
        return (self.input(name) or "").strip().lower() == "true"

    @property
    def id(self) -> str:
        return self.value.text("id") or ""

    @property
    def condition(self) -> str:
        """Its `if`, and that of its job."""
        return f"{self.value.text('if') or ''} {self.job.condition}".strip()

    @property
    def path(self) -> str:
        """Where it stands in the document, with dots."""
        return f"{self.job.path}.{self.number}".lstrip(".")

    @property
    def head(self) -> Span:
        """What of the step to show: its action, its name, or its first key."""
        if self.uses is not None:
            return self.uses.span
        named = self.value.own("name")
        first = named or (self.value.entries[0] if self.value.entries else None)
        return first.key.span if first is not None else self.item.span

    @cached_property
    def commands(self) -> tuple[Command, ...]:
        """The commands of its scripts."""
        return tuple(command for text in self.scripts for command in text.commands)

    def calls(self, *programs: str) -> Iterator[Command]:
        """The commands of these programs."""
        for command in self.commands:
            if command.command.program in programs:
                yield command

    @property
    def pinned(self) -> bool:
        """Whether the action is named by a commit."""
        return bool(_TRUST.match(self.ref)) or "@sha256:" in (self.uses.text if self.uses is not None else "")

    @property
    def builds(self) -> bool:
        """Whether it builds an image."""
        if self.action in ("docker/build-push-action", "docker/bake-action", "depot/build-push-action"):
            return True
        return any(_builds(command) for command in self.commands)

    @property
    def pushes(self) -> bool:
        """Whether it pushes an image for certain."""
        if self.action == "docker/build-push-action":
            outputs = self.input("outputs") or ""
            return self.is_true("push") or "type=registry" in outputs or "push=true" in outputs
        return any(_pushes(command) for command in self.commands)

    @property
    def may_push(self) -> bool:
        """Whether it pushes an image under some condition."""
        if self.action == "docker/build-push-action":
            said = (self.input("push") or "", self.input("outputs") or "")
            return self.pushes or "${{" in said[0] or "push=${{" in said[1]
        return self.pushes

    @property
    def scans(self) -> bool:
        """Whether it looks for known vulnerabilities, by the name of the action or of a program."""
        if self.uses is not None and any(word in self.action for word in _SCANNERS):
            return True
        return any(word in text.original.lower() for text in self.scripts for word in _SCANNERS)


class Job:
    """One job: its steps and what holds for them."""

    def __init__(
        self, workflow: "Workflow", name: str, entry: Entry | None, value: Mapping, steps: Value | None
    ) -> None:
        self.workflow = workflow
        self.name = name
        self.entry = entry
        self.value = value
        self.sequence = steps if isinstance(steps, Sequence) else None
        self.steps = tuple(
            Step(self, item.value, item, number, _scripts(workflow.document, item.value))
            for number, item in enumerate(self.sequence.items if self.sequence is not None else ())
            if isinstance(item.value, Mapping)
        )

    @property
    def condition(self) -> str:
        """Its `if`, and those of the jobs that it needs."""
        return self._condition(frozenset())

    def _condition(self, above: frozenset[str]) -> str:
        said = self.value.text("if") or ""
        for name in strings(self.value.get("needs")):
            other = self.workflow.job(name.text)
            if other is not None and other.name not in above and len(above) < 20:
                said += " " + other._condition(above | {self.name})
        return said

    @property
    def path(self) -> str:
        """Where its steps stand in the document, with dots."""
        if self.entry is not None:
            return f"jobs.{self.name}.steps"
        return "runs.steps" if self.workflow.root.own("runs") else ""

    def permission(self, name: str) -> str | None:
        """What its token may do: `write`, `read`, `none`; None where that is not said in the file."""
        for value in (self.value.get("permissions"), self.workflow.root.get("permissions")):
            if isinstance(value, Mapping):
                return value.text(name) or "none"
            if isinstance(value, Scalar) and not value.null:
                return {"write-all": "write", "read-all": "read"}.get(value.text, "none")
        return None

    def environment(self, step: Step | None = None) -> dict[str, str]:
        """The variables that the file gives a step, as written."""
        found: dict[str, str] = {}
        for value in (self.workflow.root.get("env"), self.value.get("env"), step and step.value.get("env")):
            for entry in value.all() if isinstance(value, Mapping) else ():
                if isinstance(entry.value, Scalar):
                    found[entry.key.text] = entry.value.text
        return found

    def expanded(self, text: str, step: Step | None = None) -> str:
        """The text with what `${{ env.NAME }}` stands for, where the file says it."""
        if "env." not in text:
            return text
        known = self.environment(step)

        def value(found: re.Match[str]) -> str:
            name = found[1].strip()
            return known.get(name.removeprefix("env."), found[0]) if name.startswith("env.") else found[0]

        return EXPRESSION.sub(value, text)

    @property
    def hosted(self) -> bool:
        """Whether it runs on a machine of GitHub's that nothing was prepared on."""
        machines = [scalar.text for scalar in strings(self.value.get("runs-on"))]
        usual = all(name.startswith(("ubuntu-", "windows-", "macos-")) for name in machines)
        return bool(machines) and usual and self.value.get("container") is None

    def before(self, step: Step) -> tuple[Step, ...]:
        """The steps of the job ahead of this one."""
        return tuple(other for other in self.steps if other.number < step.number)


class Workflow:
    """A workflow of GitHub's, a composite action, a list of steps, or a pipeline of GitLab's."""

    def __init__(self, document: "DocumentSubject") -> None:
        self.document = document
        value = document.value
        self.root = value if isinstance(value, Mapping) else Mapping((), Span(0, 0), False)
        self.jobs = tuple(self._jobs(value))

    def _jobs(self, value: Value | None) -> Iterator[Job]:
        if isinstance(value, Sequence):
            yield Job(self, "", None, self.root, value)
        if not isinstance(value, Mapping):
            return
        if self.document.kind == "gitlab":
            for entry in value.entries:
                if isinstance(entry.value, Mapping) and entry.value.entry("script"):
                    lone = Sequence((Item(entry.value, entry.value.span),), entry.value.span, False)
                    yield Job(self, entry.key.text, entry, entry.value, lone)
            return
        runs, jobs = value.get("runs"), value.get("jobs")
        if isinstance(runs, Mapping):
            yield Job(self, "", None, runs, runs.get("steps"))
        for entry in jobs.all() if isinstance(jobs, Mapping) else ():
            if isinstance(entry.value, Mapping):
                yield Job(self, entry.key.text, entry, entry.value, entry.value.get("steps"))

    def job(self, name: str) -> Job | None:
        """The job of that name."""
        return next((job for job in self.jobs if job.name == name), None)

    @property
    def steps(self) -> Iterator[Step]:
        """The steps of all jobs, in the order of the text."""
        for job in self.jobs:
            yield from job.steps

    @cached_property
    def of_images(self) -> bool:
        """Whether images are built, pushed or scanned in it: others are not this tool's business."""
        return any(step.builds or step.may_push or _of_docker(step) for step in self.steps)

    @cached_property
    def triggers(self) -> dict[str, Value | None]:
        """What starts it, with what is said of each; nothing for a part of a workflow."""
        value = self.root.get("on") or self.root.get("true")
        if isinstance(value, Mapping):
            return {entry.key.text: entry.value for entry in value.all()}
        return {scalar.text: None for scalar in strings(value)}

    def span(self) -> Span:
        """What to show where the whole is meant: its first key."""
        value = self.document.value
        if isinstance(value, Mapping) and value.entries:
            return value.entries[0].key.span
        return Span(value.span.start, value.span.start + 1) if value is not None else Span(0, 0)


def _scripts(document: "DocumentSubject", step: Mapping) -> tuple[RunText, ...]:
    shell = step.text("shell") or ""
    if shell and shell.split()[0].rpartition("/")[2] not in ("bash", "sh"):
        return ()
    found: list[Scalar] = []
    for key in ("before_script", "run", "script"):
        found += strings(step.get(key))
    return tuple(RunText(document, scalar) for scalar in found)


def _bare(command: SimpleCommand) -> SimpleCommand:
    words = command.words
    if command.program == "sudo":
        words = words[1:]
        while words and words[0].loose.startswith("-"):
            words = words[2:] if words[0].loose in ("-u", "-g") else words[1:]
    return command._replace(words=words)


def _of_docker(step: Step) -> bool:
    if step.action.startswith(("docker/", "aquasecurity/trivy", "anchore/", "redhat-actions/")):
        return True
    return any(step.calls("docker", "podman", "buildah", "docker-compose", "kezuri", "buildx"))


def _builds(found: Command) -> bool:
    command, plain = found.command, found.command.plain
    if command.program in ("docker", "podman", "kezuri", "nerdctl"):
        return plain[:1] == ("build",) or plain[:2] in (("buildx", "build"), ("image", "build"), ("buildx", "bake"))
    return command.program == "buildah" and plain[:1] in (("bud",), ("build",))


def _pushes(found: Command) -> bool:
    command, plain = found.command, found.command.plain
    if command.program not in ("docker", "podman", "kezuri", "nerdctl", "buildah", "crane", "skopeo"):
        return False
    return plain[:1] == ("push",) or plain[:2] == ("image", "push") or (_builds(found) and command.has("--push"))
