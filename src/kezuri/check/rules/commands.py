"""What a container starts, and where."""

from collections.abc import Iterator

from kezuri.check.rule import Example, Finding, Rule, docker_page
from kezuri.check.subject import Subject
from kezuri.dockerfile.command import quote
from kezuri.dockerfile.instructions import Cmd, Entrypoint, Healthcheck, Node, Workdir


class JSONArgsRecommended(Rule):
    """BuildKit's check of that name."""

    name = "JSONArgsRecommended"
    aliases = ("DL3025",)
    fix_class = "A"
    summary = "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals"
    why = (
        "In the shell form the container's first process is `/bin/sh`, which does not pass SIGTERM on: `docker stop` "
        "waits ten seconds and then kills. In the JSON form it is the program itself. If a shell is what you "
        "want, say "
        'so with SHELL, or write `["/bin/sh", "-c", "exec …"]`.'
    )
    bad = Example("FROM alpine\nCMD my-server --port 80\n")
    good = Example('FROM alpine\nCMD ["my-server", "--port", "80"]\n')
    url = docker_page("json-args-recommended")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, met in subject.met(Cmd, Entrypoint):
            instruction = met.instruction
            if not isinstance(instruction, (Cmd, Entrypoint)) or met.own_shell or not instruction.command.shell:
                continue
            node = instruction.node
            text = f"JSON arguments recommended for {node.written} to prevent unintended behavior related to OS signals"
            yield Finding(self, text, node, hint=_json_hint(node, instruction.command.argv))

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.started import shell_forms

        return shell_forms(self, subject)


class MultipleInstructionsDisallowed(Rule):
    """BuildKit's check of that name."""

    name = "MultipleInstructionsDisallowed"
    aliases = ("DL4003", "DL4004", "DL3012", "DS-0016", "DS-0007", "DS-0023")
    fix_class = "A"
    summary = "Multiple instructions of the same type should not be used in the same stage"
    why = "Of several CMD, ENTRYPOINT or HEALTHCHECK only the last one counts: the others say something that is not so."
    bad = Example('FROM alpine\nCMD ["one"]\nCMD ["two"]\n')
    good = Example('FROM alpine\nCMD ["two"]\n')
    url = docker_page("multiple-instructions-disallowed")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for kind in (Cmd, Entrypoint, Healthcheck):
            last: dict[int, Node] = {}
            for facts, met in subject.met(kind):
                node = met.instruction.node
                earlier = last.get(facts.number)
                if earlier is not None:
                    text = (
                        f"Multiple {node.written} instructions should not be used in the same stage because only the "
                        "last one will be used"
                    )
                    line = node.place.line
                    hint = f"remove it: line {line} takes its place"
                    yield Finding(self, text, earlier, hint=hint, judged=node)
                last[facts.number] = node

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.started import doubled

        return doubled(self, subject)


class WorkdirRelativePath(Rule):
    """BuildKit's check of that name."""

    name = "WorkdirRelativePath"
    aliases = ("DL3000", "DS-0009")
    fix_class = "A"
    summary = (
        "Relative workdir without an absolute workdir declared within the build can have unexpected results if the "
        "base image changes"
    )
    why = (
        "A relative WORKDIR goes on from the one before it. If that is the base image's, another version of the base "
        "can move your files."
    )
    bad = Example("FROM alpine\nWORKDIR app\n")
    good = Example("FROM alpine\nWORKDIR /app\n")
    url = docker_page("workdir-relative-path")

    def look(self, subject: Subject) -> Iterator[Finding]:
        first: dict[int, Node] = {}
        for facts, met in subject.met(Workdir):
            if facts.number in first:
                continue
            node = first[facts.number] = met.instruction.node
            path = met.words[0] if met.words else "/"
            windows = facts.plan is not None and facts.plan.platform.os == "windows"
            if path.startswith("/") or (windows and (path.startswith("\\") or path[1:2] == ":")):
                continue
            if any(isinstance(m.instruction, Workdir) for f in [*subject.chain(facts.number)][1:] for m in f.met):
                continue
            text = f"Relative workdir {quote(path)} can have unexpected results if the base image changes"
            hint = "" if met.trigger or facts.plan is None else "write the whole path, from the root"
            yield Finding(self, text, node, hint=hint)

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.places import relative_workdirs

        return relative_workdirs(self, subject)


def _json_hint(node: Node, argv: tuple[str, ...]) -> str:
    """The same command in JSON, where no shell is needed to understand it."""
    import json

    line = argv[0] if argv else ""
    if not line or len(line) > 100 or any(c in "$&|;<>*?(){}[]`'\"\\~#!\n=" for c in line):
        return f'write `{node.written} ["program", "argument"]`, or name a SHELL if a shell is what you want'
    return f"write `{node.written} {json.dumps(line.split(), ensure_ascii=False)}`"
