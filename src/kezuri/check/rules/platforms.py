"""FROM --platform."""

from collections.abc import Iterator

from kezuri.check.rule import Example, Finding, Rule, docker_page
from kezuri.check.subject import Subject, used
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.instructions import Node
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ImageInput
from kezuri.plan.operation import CopyOperation

_SYSTEMS = ("linux", "windows", "darwin", "macos", "freebsd")
_ARCHITECTURES = (
    *("386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "ppc64", "ppc64le", "loong64", "mips", "mipsle"),
    *("mips64", "mips64le", "mips64p32", "mips64p32le", "ppc", "riscv", "riscv64", "s390", "s390x", "sparc", "sparc64"),
    *("wasm", "i386", "i686", "x86_64", "x86-64", "aarch64", "armhf", "armel"),
)


class FromPlatformFlagConstDisallowed(Rule):
    """BuildKit's check of that name."""

    name = "FromPlatformFlagConstDisallowed"
    aliases = ("DL3029",)
    summary = "FROM --platform flag should not use a constant value"
    why = (
        "A platform written into the file makes an image of that platform whatever is asked for. Ask with "
        "`--platform`, or use `$BUILDPLATFORM` for stages that shall run where the build runs. A stage whose "
        "name says "
        "its platform is not reported."
    )
    bad = Example("FROM --platform=linux/amd64 alpine\nRUN echo hello\n", base="linux/amd64")
    good = Example("FROM --platform=$BUILDPLATFORM alpine\nRUN echo hello\n")
    url = docker_page("from-platform-flag-const-disallowed")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for stage in subject.stages:
            start = stage.start
            value = used(start.platform, subject.survey.arguments, subject.dockerfile.escape)
            if value is None or value.known or value.unknown:
                continue
            platform = _parse(value.text)
            name = start.name or ""
            if platform is None or platform.os in name or platform.architecture in name:
                continue
            text = f'FROM --platform flag should not use constant value "{value.text}"'
            hint = "remove the flag and build with `--platform`, or write `--platform=$BUILDPLATFORM`"
            yield Finding(self, text, start.node, hint=hint)

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.places import constant_platforms

        return constant_platforms(self, subject)


class RedundantTargetPlatform(Rule):
    """BuildKit's check of that name."""

    name = "RedundantTargetPlatform"
    aliases = ("DL3065",)
    fix_class = "A"
    summary = "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior"
    why = "Without the flag a stage is for the platform that is built for: `$TARGETPLATFORM` says the same again."
    bad = Example("FROM --platform=$TARGETPLATFORM alpine\nRUN echo hello\n")
    good = Example("FROM alpine\nRUN echo hello\n")
    url = docker_page("redundant-target-platform")

    def look(self, subject: Subject) -> Iterator[Finding]:
        arguments = subject.survey.arguments
        for stage in subject.stages:
            start = stage.start
            value = used(start.platform, arguments, subject.dockerfile.escape)
            if value is None or value.unknown or value.known != {"TARGETPLATFORM"}:
                continue
            if value.text == arguments.get("TARGETPLATFORM"):
                text = (
                    f"Setting platform to predefined {start.platform} in FROM is redundant as this is the default "
                    "behavior"
                )
                yield Finding(self, text, start.node, hint="remove the flag")

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.places import redundant_platforms

        return redundant_platforms(self, subject)


class InvalidBaseImagePlatform(Rule):
    """BuildKit's check of that name."""

    name = "InvalidBaseImagePlatform"
    summary = "Base image platform does not match expected target platform"
    why = (
        "The registry, or the store, gave an image of another platform than was asked for: its programs will "
        "not run, "
        "or only in an emulator."
    )
    bad = Example("FROM alpine\nRUN echo hello\n", base="linux/s390x")
    good = Example("FROM alpine\nRUN echo hello\n")
    file_wide = True

    def look(self, subject: Subject) -> Iterator[Finding]:
        target, asked = subject.platform, subject.explicit_platform
        for facts in subject.survey.stages:
            plan = facts.plan
            if plan is None:
                continue
            if isinstance(plan.base, BaseImage) and plan.base.source.text == plan.base_title:
                start = subject.stage(facts).start
                explicit = asked or start.platform is not None
                yield from self._compare(plan.base, plan.base_title, plan.platform, explicit, start.node)
            for operation in plan.operations:
                if isinstance(operation, CopyOperation) and isinstance(operation.input, ImageInput):
                    image = operation.input.image
                    yield from self._compare(image, image.source.text, target, asked, operation.node)

    def _compare(
        self, image: BaseImage, name: str, expected: Platform, explicit: bool, node: Node
    ) -> Iterator[Finding]:
        have = image.config.platform
        if not have.architecture or not image.layers or have[:2] == expected[:2]:
            return
        if not explicit and have in expected.accepted():
            return  # the machine runs it
        text = f'Base image {name} was pulled with platform "{have}", expected "{expected}" for current build'
        yield Finding(self, text, node, hint=f"build with `--platform={have}`, or name an image for {expected}")


def _parse(text: str) -> Platform | None:
    """The platform, None for what containerd does not know as one."""
    if "/" not in text and text.lower() not in (*_SYSTEMS, *_ARCHITECTURES):
        return None
    try:
        return Platform.parse(text)
    except KezuriError:
        return None
