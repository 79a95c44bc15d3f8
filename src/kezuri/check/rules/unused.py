"""Stages and images that nobody chose on purpose."""

from collections.abc import Iterator

from kezuri.check.course import courses
from kezuri.check.ground import Ground, ground
from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Run

_ENDED = {
    "node": ((20,), True), "python": ((3, 9), False), "golang": ((1, 22), False), "ruby": ((3, 1), False),
    "php": ((8, 0), False), "alpine": ((3, 18), False), "debian": ((10,), False), "ubuntu": ((20, 4), False),
    "postgres": ((12,), False), "rust": ((0,), False), "openjdk": ((99,), False), "centos": ((99,), False),
}  # fmt: skip
"""The last version of each official image that gets no repairs any more at the end of 2025 (Node: 20 from April 2026),
and whether odd versions end early as well."""
_NAMED = frozenset(("stretch", "jessie", "buster", "wheezy", "xenial", "bionic", "trusty", "focal"))


class UnusedStage(Rule):
    """A stage that nothing can use."""

    name = "UnusedStage"
    summary = "Every stage should be used by another or have a name to be built by"
    why = (
        "A stage without a name that no other stage stands on or copies from never gets into an image: only "
        "the last one "
        "does. That is what alternatives written one below the other (`FROM node:22`, `FROM node:22-alpine`) "
        "become: all "
        "but the last do nothing. A stage with a name may be a `--target`, and is not reported."
    )
    japanese = (
        "どのステージも、ほかのステージから使われるか、名前を持つ",
        "名前がなく、ほかのステージの土台にもコピー元にもならないステージは、イメージになりません。"
        "イメージになるのは最後のステージだけです。"
        "候補を並べて書くと（`FROM node:22` の下に `FROM node:22-alpine`）、最後以外は何もしません。"
        "名前のあるステージは `--target` "
        "で作れるので報告しません。",
    )
    severity = "warning"
    bad = Example("FROM node:22-slim\n\nFROM node:22-alpine\nCOPY main.js /\n")
    good = Example("FROM node:22-alpine\nCOPY main.js /\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all[:-1]:
            if course.name or walked.used_by(course.number):
                continue
            text = "nothing uses this stage: only the last stage becomes the image"
            hint = "remove it, or give it a name (AS NAME) to build it with --target"
            yield Finding(self, text, course.stage.start.node, hint=hint)


class UnpinnedExternalImage(Rule):
    """COPY --from or a mount of an image without a version."""

    name = "UnpinnedExternalImage"
    summary = "An image that files are copied from should have a version"
    why = (
        "`COPY --from=ghcr.io/astral-sh/uv:latest` takes another program every week: two builds of the same commit "
        "differ, and nobody sees why. A tag with a version, or a digest, makes it a decision."
    )
    japanese = (
        "ファイルをコピーする元のイメージにはバージョンを書く",
        "`COPY --from=ghcr.io/astral-sh/uv:latest` は週ごとに違うプログラムを持ってきます。"
        "同じコミットのビルドが違う結果になり、理由が"
        "わかりません。バージョンのタグかダイジェストを書けば、更新は自分で決められます。",
    )
    severity = "info"
    bad = Example("FROM python:3.12-slim\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/\n")
    good = Example("FROM python:3.12-slim\nCOPY --from=ghcr.io/astral-sh/uv:0.9.11 /uv /bin/\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            for step in course.copies():
                if isinstance(step.origin, Ground) and _unpinned(step.origin):
                    yield self._found(step.origin.text, step.instruction)
            for step in course.runs():
                assert isinstance(step.instruction, Run)
                for mount in step.instruction.mounts:
                    for key, value in mount.options:
                        if key == "from" and value and "$" not in value and walked.called(value) is None:
                            image = ground(value)
                            if _unpinned(image):
                                yield self._found(value, step.instruction)

    def _found(self, image: str, instruction: object) -> Finding:
        node = instruction.node  # type: ignore[attr-defined]
        span = getattr(instruction, "from_span", None)
        text = f"`{image}` is another image whenever its owner wants it"
        return Finding(self, text, node, span, hint="write a version, or the digest of today's image")


class UnmaintainedBase(Rule):
    """A base image that gets no repairs any more."""

    name = "UnmaintainedBase"
    summary = "A base image should still get security updates"
    why = (
        "When a version has reached the end of its life nobody repairs it, and nobody rebuilds the image: "
        "what is found "
        "in it stays in it. kezuri knows the official images that have ended by the end of 2025."
    )
    japanese = (
        "ベースイメージはセキュリティ更新があるものを使う",
        "サポートが終わったバージョンは誰も直さず、イメージも作り直されません。"
        "見つかった脆弱性はそのまま残ります。kezuri は 2025 年末までに"
        "終わった公式イメージを知っています。",
    )
    severity = "info"
    bad = Example("FROM node:16-slim\nCOPY main.js /\n")
    good = Example("FROM node:22-slim\nCOPY main.js /\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            if course.under is not None or not course.ground.official or not _ended(course.ground):
                continue
            start = course.stage.start
            text = f"`{course.ground.name}:{course.ground.tag}` gets no security updates any more"
            yield Finding(self, text, start.node, start.image_span, hint="take a version that is maintained")


def _ended(image: Ground) -> bool:
    if any(word in _NAMED for word in image.tag.split("-")):
        return True
    known = _ENDED.get(image.name)
    version = image.version()
    if known is None or not version:
        return False
    last, odd = known
    if len(version) < len(last):
        return version < last[: len(version)] if len(last) > 1 else False
    return version[: len(last)] <= last or (odd and version[0] % 2 == 1 and version[0] < 25)


def _unpinned(image: Ground) -> bool:
    if not image.text or "$" in image.text or "@" in image.text or image.family == "scratch" or not image.name:
        return False
    return image.tag in ("", "latest")


RULES = (UnusedStage(), UnpinnedExternalImage(), UnmaintainedBase())
