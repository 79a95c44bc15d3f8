"""What an organisation asks of its Dockerfiles: registries, labels, instructions, bases."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from kezuri.check.editing import bare
from kezuri.check.policy import Policy
from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.standing import shipped
from kezuri.check.subject import Subject, used
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy, From, Instruction, Label, Node, Run

_TWO_REGISTRIES = Policy(trusted_registries=("docker.io", "*.example.com"))


class UntrustedRegistry(Rule):
    """hadolint's DL3026."""

    name = "UntrustedRegistry"
    aliases = ("DL3026",)
    severity = "error"
    summary = "Images come from the registries that are trusted"
    why = (
        "Whoever runs a registry decides what is in the images that come from it. `trusted-registries` in the table "
        '`[check]` of `kezuri.toml` (`["docker.io", "*.example.com"]`), or `trustedRegistries` in `.hadolint.yaml`, '
        "says which may be used: by FROM, by `COPY --from` and by `RUN --mount=from=`. An image without a registry in "
        "its name is one of `docker.io`. A variable is looked up among the ARGs; where it has no value, nothing is "
        "said of it."
    )
    japanese = (
        "信頼したレジストリのイメージだけを使う",
        "イメージの中身は、レジストリを運営する側が決めます。使ってよいレジストリは、`kezuri.toml` の表 `[check]` の "
        '`trusted-registries`(`["docker.io", "*.example.com"]`)か、`.hadolint.yaml` の `trustedRegistries` で決めます。'
        "FROM、`COPY --from`、`RUN --mount=from=` が対象です。名前にレジストリのないイメージは `docker.io` のものです。"
        "変数の値は ARG から求め、値がなければ何も報告しません。",
    )
    bad = Example("FROM registry.example.org/debian:12\nRUN make\n", policy=_TWO_REGISTRIES)
    good = Example("FROM debian:12\nCOPY --from=registry.example.com/tools:1 /tool /usr/bin/\n", policy=_TWO_REGISTRIES)
    url = "https://github.com/hadolint/hadolint/wiki/DL3026"

    def look(self, subject: Subject) -> Iterator[Finding]:
        trusted = subject.policy.trusted_registries if subject.policy is not None else ()
        for node, span, said in _images(subject) if trusted else ():
            image = _expanded(subject, said)
            registry = _registry(image)
            if not image or "$" in registry or any(fnmatchcase(registry, pattern) for pattern in trusted):
                continue
            yield Finding(
                self,
                f"{registry} is no trusted registry: {image}",
                node,
                span,
                hint=f"trusted are {', '.join(trusted)}",
                aliases=None if "." in registry and registry == _registry(said) else (),
            )


_NO_CENTOS = Policy(forbidden_bases=("centos",))


class ForbiddenBase(Rule):
    """An image that the organisation does not want."""

    name = "ForbiddenBase"
    severity = "error"
    summary = "Images that the organisation forbids are not used"
    why = (
        "`forbidden-bases` in the table `[check]` of `kezuri.toml` names images that may not be used, with wildcards: "
        '`["centos", "*:latest", "docker.io/library/node:1[0-6]*"]`. A pattern is compared with the name as written, '
        "without its tag, and in full with registry and tag. FROM, `COPY --from` and `RUN --mount=from=` are looked at."
    )
    japanese = (
        "組織が禁じたイメージを使わない",
        "`kezuri.toml` の表 `[check]` の `forbidden-bases` に、使ってはならないイメージを並べます"
        '(`["centos", "*:latest", "docker.io/library/node:1[0-6]*"]`、ワイルドカード可)。書かれたままの名前、'
        "タグを除いた名前、レジストリとタグを補った名前のそれぞれと比べます。FROM、`COPY --from`、"
        "`RUN --mount=from=` が対象です。",
    )
    bad = Example("FROM centos:7\nRUN make\n", policy=_NO_CENTOS)
    good = Example("FROM debian:12\nRUN make\n", policy=_NO_CENTOS)

    def look(self, subject: Subject) -> Iterator[Finding]:
        forbidden = subject.policy.forbidden_bases if subject.policy is not None else ()
        for node, span, said in _images(subject) if forbidden else ():
            image = _expanded(subject, said)
            pattern = next((p for p in forbidden if any(fnmatchcase(form, p) for form in _forms(image))), None)
            if pattern is not None:
                yield Finding(self, f"{image} is a forbidden image", node, span, hint=f"it is forbidden by {pattern}")


_NO_VOLUME = Policy(forbidden_instructions=("VOLUME",))


class ForbiddenInstruction(Rule):
    """An instruction that the organisation does not want."""

    name = "ForbiddenInstruction"
    severity = "error"
    summary = "Instructions that the organisation forbids are not used"
    why = (
        "`forbidden-instructions` in the table `[check]` of `kezuri.toml` names instructions that may not be used "
        '(`["ADD", "VOLUME"]`), wherever they stand, behind ONBUILD too.'
    )
    japanese = (
        "組織が禁じた命令を使わない",
        "`kezuri.toml` の表 `[check]` の `forbidden-instructions` に、使ってはならない命令を並べます"
        '(`["ADD", "VOLUME"]`)。ONBUILD の後にあるものも含め、どこにあっても報告します。',
    )
    bad = Example("FROM debian:12\nVOLUME /data\n", policy=_NO_VOLUME)
    good = Example("FROM debian:12\nRUN mkdir /data\n", policy=_NO_VOLUME)

    def look(self, subject: Subject) -> Iterator[Finding]:
        forbidden = {word.upper() for word in subject.policy.forbidden_instructions} if subject.policy else set()
        if not forbidden:
            return
        for instruction in _everything(subject, "ONBUILD" in forbidden):
            node = instruction.node
            if any(fnmatchcase(node.keyword, word) for word in forbidden):
                yield Finding(self, f"{node.keyword} is forbidden here", node, node.keyword_span, hint="remove it")


_WITH_SOURCE = Policy(required_labels=("org.opencontainers.image.source",))


class RequiredLabelMissing(Rule):
    """A label that the organisation asks for."""

    name = "RequiredLabelMissing"
    severity = "error"
    file_wide = True
    summary = "The labels that the organisation requires are there"
    why = (
        "`required-labels` in the table `[check]` of `kezuri.toml` names labels that every image must have, with any "
        "value. What counts are the labels of the last stage, of the stages that it stands on, and of the base image "
        "where that is known."
    )
    japanese = (
        "組織が求めるラベルがそろっている",
        "`kezuri.toml` の表 `[check]` の `required-labels` に、すべてのイメージに必要なラベルを並べます。値は問いませ"
        "ん。最後のステージ、その土台になったステージ、分かる場合はベースイメージのラベルも数えます。",
    )
    bad = Example("FROM debian:12\nRUN make\n", policy=_WITH_SOURCE)
    good = Example("FROM debian:12\nLABEL org.opencontainers.image.source=https://example.com\n", policy=_WITH_SOURCE)

    def look(self, subject: Subject) -> Iterator[Finding]:
        required = subject.policy.required_labels if subject.policy is not None else ()
        stages = shipped(subject)
        if not required or not stages:
            return
        facts = subject.evaluated.get(stages[0])
        has = set(facts.plan.config.labels) if facts is not None and facts.plan is not None else set()
        for part, label in subject.placed(Label):
            if part.number in stages:
                has |= {bare(name) for name, _ in label.pairs}
        start = subject.stages[stages[0]].start
        for name in required:
            if name not in has:
                yield Finding(self, f"the label {name} is missing", start.node, hint=f"write `LABEL {name}=…`")


def _images(subject: Subject) -> Iterator[tuple[Node, Span | None, str]]:
    """The images that the file asks for by name, and where."""
    names: set[str] = {"scratch"}
    for part in subject.parts:
        start = part.start
        if start is not None:
            if start.image not in names:
                yield start.node, start.image_span, start.image
            names |= {start.name or "", start.written_name or ""}
        for piece in part.pieces:
            instruction = piece.instruction
            if isinstance(instruction, Copy) and instruction.source_image and not piece.trigger:
                said = [(instruction.source_image, instruction.from_span)]
            elif isinstance(instruction, Run):
                said = [(v, m.span) for m in instruction.mounts for k, v in m.options if k == "from" and v]
            else:
                continue
            later = {stage.start.name for stage in subject.stages}
            for name, span in said:
                if name.lower() not in later and name not in names and not name.isdigit():
                    yield instruction.node, span, name


def _expanded(subject: Subject, said: str) -> str:
    """The name with the values that ARGs have, where they have some."""
    value = used(said, subject.survey.arguments, subject.dockerfile.escape) if "$" in said else None
    return said if value is None or value.unknown else value.text


def _registry(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and (any(c in first for c in ".:$") or first == "localhost") else "docker.io"


def _forms(image: str) -> tuple[str, ...]:
    from kezuri.check.rules.bases import NamedImage
    from kezuri.diagnostics import KezuriError
    from kezuri.oci.reference import Reference

    name = NamedImage.read(image).name
    try:
        return image, name, str(Reference.parse(image))
    except KezuriError:
        return image, name


def _everything(subject: Subject, onbuild: bool) -> Iterator[Instruction]:
    for part in subject.parts:
        if isinstance(part.start, From):
            yield part.start
        yield from (piece.instruction for piece in part.pieces)
    if onbuild:
        for instruction in subject.dockerfile.instructions:
            if instruction.node.keyword == "ONBUILD":
                yield instruction


RULES = (UntrustedRegistry(), ForbiddenBase(), ForbiddenInstruction(), RequiredLabelMissing())
