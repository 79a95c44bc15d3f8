"""What COPY takes from other stages, and how."""

import posixpath
from collections.abc import Iterator

from kezuri.check.course import Course, Courses, Step, courses
from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy, Run

_LINKED = frozenset(("bin", "sbin", "lib", "lib64", "lib32", "libx32", "var", "run"))
"""What is a symbolic link on distributions with a merged /usr, or holds some."""


class CopyWithoutLink(Rule):
    """COPY --from without --link where it changes nothing but the cache."""

    name = "CopyWithoutLink"
    summary = "What is copied from another stage can be a layer of its own with --link"
    why = (
        "A linked layer does not depend on what is below it: when the base gets a new version, or a step "
        "above changes, "
        "it is taken over as it is, and several of them are copied at the same time. Without `--link` "
        "everything below "
        "a change is copied again."
    )
    japanese = (
        "ほかのステージからのコピーは --link で独立したレイヤーにできる",
        "--link を付けたレイヤーは下のレイヤーに依存しません。ベースが新しくなっても、"
        "上のステップが変わってもそのまま使われ、いくつかを"
        "同時にコピーできます。付けなければ、変更より下のものはすべてコピーし直されます。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example("FROM golang:1.24 AS builder\n\nFROM scratch\nCOPY --from=builder /server /server\n")
    good = Example("FROM golang:1.24 AS builder\n\nFROM scratch\nCOPY --link --from=builder /server /server\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        course = walked.last
        if course is None:
            return
        changed: set[str] = set()
        for step in course.steps:
            if isinstance(step.instruction, Run):
                changed |= {w.loose for a in step.acts for w in a.command.words if w.loose.startswith("/")}
                continue
            copy = step.instruction
            if (
                not isinstance(copy, Copy)
                or copy.link
                or not isinstance(step.origin, int)
                or copy.node.keyword != "COPY"
            ):
                continue
            owner = (copy.chown or "0").replace(":", "")
            first = step.to.strip("/").split("/")[0]
            if not owner.isdigit() or first in _LINKED or not copy.destination.startswith("/") or "$" in step.to:
                continue
            if any(c != "/" and (step.to.startswith(c) or c.startswith(step.to)) for c in changed):
                continue
            end = copy.node.keyword_span.end
            fix = Fix("add --link", (Edit(Span(end, end), " --link"),), "V")
            text = "this layer is copied again whenever something below it changes"
            yield Finding(self, text, copy.node, None, fix, "add --link: the layer stands by itself")


class RelativeCopySource(Rule):
    """COPY --from with a path that is not absolute."""

    name = "RelativeCopySource"
    summary = "A source of COPY --from should be written as an absolute path"
    why = (
        "What stands before the destination is looked for from the root of the other stage, whatever its WORKDIR is: "
        "`COPY --from=builder app ./` takes the whole directory /app, source and all, and not the program "
        "`app` in it. "
        "With a `/` in front everyone sees what is meant."
    )
    japanese = (
        "COPY --from のコピー元は絶対パスで書く",
        "コピー元は、相手のステージの WORKDIR がどこであっても、ルートから探されます。`COPY --from=builder "
        "app ./` がコピーするのは、その中の"
        "プログラム `app` ではなく、ソースも含むディレクトリ /app 全体です。先頭に `/` を書けば、"
        "誰にでも意味がわかります。",
    )
    severity = "info"
    fix_class = "A"
    bad = Example("FROM golang:1.24 AS builder\n\nFROM scratch\nCOPY --from=builder server /server\n")
    good = Example("FROM golang:1.24 AS builder\n\nFROM scratch\nCOPY --from=builder /server /server\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            for step in course.copies():
                copy = step.instruction
                assert isinstance(copy, Copy)
                if not isinstance(step.origin, int):
                    continue
                source = walked.all[step.origin]
                for number, word in enumerate(copy.sources):
                    if word.startswith(("/", "$", '"', "'")) or number >= len(copy.source_spans):
                        continue
                    path = "/" + posixpath.normpath(word).lstrip("/.") if word not in (".", "./") else "/"
                    text = f"`{word}` is taken from the root of `{source.stage.label}`: it means {path}"
                    if path == source.cwd and path != "/":
                        text = f"`{word}` is the whole working directory of `{source.stage.label}`: it means {path}"
                    span = copy.source_spans[number]
                    fix = Fix(f"write `/{word.removeprefix('./')}`", (Edit(span, "/" + word.removeprefix("./")),), "V")
                    yield Finding(self, text, copy.node, span, fix)


class BuilderDirectoryCopied(Rule):
    """The whole directory in which a program was built."""

    name = "BuilderDirectoryCopied"
    summary = "A compiled program should be copied without the directory that it was built in"
    why = (
        "The working directory of a builder holds the source, the modules and what the compiler left behind. "
        "Copied as a "
        "whole, all of it is shipped. Build into a place of its own (`go build -o /out/server`) and copy that."
    )
    japanese = (
        "コンパイルしたプログラムは、ビルドしたディレクトリごとコピーしない",
        "ビルダーの作業ディレクトリには、ソース、モジュール、コンパイラが残したものがあります。"
        "丸ごとコピーするとすべて出荷されます。別の場所へ"
        "ビルドし（`go build -o /out/server`）、それだけをコピーします。",
    )
    severity = "info"
    bad = Example(
        "FROM golang:1.24 AS builder\nWORKDIR /app\nCOPY . .\nRUN CGO_ENABLED=0 go build -o server .\n\n"
        "FROM scratch\nCOPY --from=builder /app /app\n"
    )
    good = Example(
        "FROM golang:1.24 AS builder\nWORKDIR /app\nCOPY . .\nRUN CGO_ENABLED=0 go build -o server .\n\n"
        "FROM scratch\nCOPY --from=builder /app/server /server\n"
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        course = walked.last
        if course is None:
            return
        for step in course.copies():
            if not isinstance(step.origin, int):
                continue
            source = walked.all[step.origin]
            place = _built_in(walked, source)
            if not place:
                continue
            for word in step.sources:
                path = "/" + word.strip("/") if not word.startswith("/") else word.rstrip("/") or "/"
                if path == place:
                    text = f"`{word}` is the directory that `{source.stage.label}` builds in: the source comes along"
                    hint = "copy the program alone"
                    yield Finding(self, text, step.instruction.node, hint=hint)


def _built_in(walked: Courses, course: Course) -> str:
    """The directory with the source that a compiler worked in; empty where none is seen."""
    sources = [s for s in walked.whole(course) if isinstance(s.instruction, Copy) and s.origin is None]
    for step in walked.whole(course):
        for act in step.acts:
            use = act.use
            compiled = (
                use is not None and use.deed == "build" and use.manager.name in ("go", "cargo", "maven", "gradle")
            )
            if compiled and act.cwd != "/" and any(_under(s, act.cwd) for s in sources):
                return act.cwd
    return ""


def _under(step: Step, directory: str) -> bool:
    return step.to == directory or step.to.startswith(f"{directory}/")


RULES = (CopyWithoutLink(), RelativeCopySource(), BuilderDirectoryCopied())
