"""ARG and ENV: what has no value, and what should not be there."""

from collections.abc import Iterator, Mapping

from kezuri.check.rule import Example, Finding, Rule, docker_page
from kezuri.check.subject import Subject, used
from kezuri.diagnostics import KezuriError, Span
from kezuri.dockerfile.command import quote
from kezuri.dockerfile.expansion import expand
from kezuri.dockerfile.instructions import Arg, Env, Node
from kezuri.oci.reference import Reference

_NOT_EXPANDED = frozenset(("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"))
_SECRET = frozenset(
    ("apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token")
)
_HARMLESS = frozenset(("public", "file", "version"))


class UndefinedVar(Rule):
    """BuildKit's check of that name."""

    name = "UndefinedVar"
    summary = "Variables should be defined before their use"
    why = (
        "A variable that nobody has set is empty: `COPY $SRC /app` copies something else than was meant. An "
        "ARG of the "
        "file's head has to be declared again in each stage that uses it. Stages on a base image that cannot "
        "be asked "
        "for are left out, for the variable may come from there."
    )
    bad = Example("FROM alpine AS base\nCOPY $source .\n")
    good = Example("FROM alpine AS base\nARG source\nCOPY $source .\n")
    url = docker_page("undefined-var")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for facts in subject.survey.stages:
            for met in facts.met:
                if not met.unset or subject.guessed(facts):
                    continue
                node = met.instruction.node
                for name, known in dict(met.unset).items():
                    if name in _NOT_EXPANDED:
                        continue
                    from kezuri.check.suggest import suggest

                    near = suggest(name, known)
                    text = f"Usage of undefined variable '${name}'" + (f" (did you mean ${near}?)" if near else "")
                    span = None if met.trigger else _use(subject, node, name)
                    yield Finding(self, text, node, span, hint=_where(subject, name, near))


class UndefinedArgInFrom(Rule):
    """BuildKit's check of that name."""

    name = "UndefinedArgInFrom"
    fix_class = "V"
    summary = "FROM command must use declared ARGs"
    why = "FROM sees the ARGs that stand before the first FROM, and nothing else: any other variable is empty there."
    bad = Example("FROM alpine$VARIANT\nRUN echo hello\n")
    good = Example("ARG VARIANT=:3.20\nFROM alpine$VARIANT\nRUN echo hello\n")
    url = docker_page("undefined-arg-in-from")

    def look(self, subject: Subject) -> Iterator[Finding]:
        arguments, escape = subject.survey.arguments, subject.dockerfile.escape
        declared = [name for i in subject.head if isinstance(i, Arg) for name, _ in i.pairs]
        for stage in subject.stages:
            for word in (stage.start.image, stage.start.platform):
                value = used(word, arguments, escape)
                for name in value.unknown if value is not None else ():
                    if name in declared:
                        continue
                    from kezuri.check.suggest import suggest

                    near = suggest(name, [*declared, *arguments])
                    text = f"FROM argument '{name}' is not declared" + (f" (did you mean {near}?)" if near else "")
                    hint = f"write `ARG {name}=VALUE` before the first FROM" if not near else ""
                    node = stage.start.node
                    yield Finding(self, text, node, _use(subject, node, name), hint=hint)

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.places import undeclared_arguments

        return undeclared_arguments(self, subject)


class InvalidDefaultArgInFrom(Rule):
    """BuildKit's check of that name."""

    name = "InvalidDefaultArgInFrom"
    summary = "Default value for global ARG results in an empty or invalid base image name"
    why = (
        "Who builds without `--build-arg` gets an error, as do tools that only read the file. A default value "
        "for each "
        "ARG in a FROM lets it be built as it stands."
    )
    bad = Example("ARG TAG\nFROM busybox:${TAG}\nRUN echo hello\n")
    good = Example("ARG TAG=latest\nFROM busybox:${TAG}\nRUN echo hello\n")
    url = docker_page("invalid-default-arg-in-from")
    file_wide = True

    def look(self, subject: Subject) -> Iterator[Finding]:
        escape = subject.dockerfile.escape
        if not any("$" in stage.start.image for stage in subject.stages):
            defaults: Mapping[str, str] | None = {}
        else:
            defaults = _defaults(subject)
        if defaults is None:
            return
        for stage in subject.stages:
            try:
                name = expand(stage.start.image, defaults, escape)
            except KezuriError:
                return
            try:
                Reference.parse(name)
            except KezuriError:
                image = stage.start.image
                text = f"Default value for ARG {image} results in empty or invalid base image name"
                hint = f"it is `{name}`: give the ARG a default value that makes the name of an image"
                yield Finding(self, text, stage.start.node, stage.start.image_span, hint=hint)


class SecretsUsedInArgOrEnv(Rule):
    """BuildKit's check of that name."""

    name = "SecretsUsedInArgOrEnv"
    aliases = ("DL3064", "DS-0031", "CIS-DI-0010")
    summary = "Sensitive data should not be used in the ARG or ENV commands"
    fix_class = "V"
    why = (
        "What an ARG or an ENV holds can be read in the image's history and config by everyone who has the image. "
        "`RUN --mount=type=secret,id=…` lets a step see a secret that stays out of both."
    )
    bad = Example("FROM alpine\nARG AWS_SECRET_ACCESS_KEY\nRUN echo hello\n")
    good = Example("FROM alpine\nRUN --mount=type=secret,id=aws,env=AWS_SECRET_ACCESS_KEY echo hello\n")
    url = docker_page("secrets-used-in-arg-or-env")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, met in subject.met(Arg, Env):
            instruction = met.instruction
            if isinstance(instruction, Arg):
                word, names = "ARG", [name for name, _ in instruction.pairs]
            else:
                word, names = "ENV", list(met.words)
            for name in names:
                parts = set(name.lower().split("_"))
                if parts & _SECRET and not parts & _HARMLESS:
                    node = instruction.node
                    text = f"Do not use ARG or ENV instructions for sensitive data ({word} {quote(name)})"
                    span = None if met.trigger else _word(subject, node, name)
                    hint = f"give it to the step that needs it: RUN --mount=type=secret,id={name.lower()},env={name}"
                    fix = None
                    if subject.surroundings is not None and word == "ARG" and not met.trigger:
                        from kezuri.check.repairs.secrets import secret_mount

                        fix = secret_mount(subject, node, name)
                    yield Finding(self, text, node, span, fix, hint)

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.secrets import sounding

        return sounding(self, subject)


def _defaults(subject: Subject) -> dict[str, str] | None:
    """The global arguments as they are when no build argument is given; None when they cannot be known."""
    scope = dict(subject.survey.defaults)
    for instruction in subject.head:
        for name, default in instruction.pairs if isinstance(instruction, Arg) else ():
            if default is not None:
                try:
                    scope[name] = expand(default, scope, subject.dockerfile.escape)
                except KezuriError:
                    return None
    return scope


def _use(subject: Subject, node: Node, name: str) -> Span | None:
    """Where the instruction says `$name` or `${name`."""
    import re

    text = subject.dockerfile.source.text
    found = re.compile(rf"\$(?:{re.escape(name)}(?!\w)|\{{{re.escape(name)}(?!\w)[^}}]*\}}?)").search(
        text, node.span.start, node.span.end
    )
    return None if found is None else Span(*found.span())


def _word(subject: Subject, node: Node, name: str) -> Span | None:
    import re

    found = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)").search(
        subject.dockerfile.source.text, node.keyword_span.end, node.span.end
    )
    return None if found is None else Span(*found.span())


def _where(subject: Subject, name: str, near: str) -> str:
    if any(name == key for i in subject.head if isinstance(i, Arg) for key, _ in i.pairs):
        return f"the ARG before the first FROM is not seen here: write `ARG {name}` in this stage"
    return "" if near else f"write `ARG {name}` above it, or escape the dollar sign"
