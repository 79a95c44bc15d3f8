"""Compilers and what they leave behind, in the image that runs."""

from collections.abc import Iterator

from kezuri.check.course import Course, Courses, courses
from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.rules.production import BUILDS, modules, said_by
from kezuri.check.subject import Subject

_COMPILERS = frozenset(
    (
        "build-essential",
        "gcc",
        "g++",
        "make",
        "cmake",
        "build-base",
        "clang",
        "musl-dev",
        "libc6-dev",
        "python3-dev",
        "gcc-c++",
    )
)
_REMOVES = (("purge",), ("remove",), ("del",), ("autoremove",), ("erase",))


class BuildToolsShipped(Rule):
    """The image that runs is the one that was built in."""

    name = "BuildToolsShipped"
    summary = "The stage that runs should not be the stage that builds"
    why = (
        "An image in which the program was built holds compiler, development dependencies, source and what the build "
        "left behind. With a second stage only the result is shipped: for a Go program that is 10 MB in place "
        "of 900. "
        "It is `info` for a compiler that was installed by a package manager, which some programs need when they run."
    )
    japanese = (
        "ビルドするステージと動かすステージを分ける",
        "ビルドしたイメージには、コンパイラ、開発用の依存関係、ソース、ビルドの残りが入っています。"
        "ステージを分ければ成果物だけが出荷されます。"
        "Go のプログラムなら 900 MB が 10 MB になります。",
    )
    severity = "warning"
    bad = Example(
        "FROM golang:1.24\nWORKDIR /src\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\n"
        'RUN CGO_ENABLED=0 go build -o /server .\nUSER 65532\nCMD ["/server"]\n'
    )
    good = Example(
        "FROM golang:1.24 AS builder\nWORKDIR /src\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\n"
        "RUN CGO_ENABLED=0 go build -o /server .\n\nFROM gcr.io/distroless/static-debian12:nonroot\n"
        'COPY --from=builder /server /server\nCMD ["/server"]\n'
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        course = walked.image()
        if course is None or _started_by_tool(course):
            return
        node = course.stage.start.node
        copied = any(isinstance(step.origin, int) for step in course.copies())
        for step in walked.whole(course):
            for act in step.acts:
                use = act.use
                if use is None or act.command.within[:1] == ("function",):
                    continue
                said, text = said_by(act), ""
                if use.deed == "build" and course.ground.compiler:
                    text = f"`{said}` runs in the image that is shipped: it holds the compiler and the source"
                elif use.deed == "script" and use.words[0].split(":")[0] in BUILDS and not copied:
                    shipped = course.ground.full or any(m[2] for m in modules(walked, course).values())
                    text = (
                        f"`{said}` runs in the image that is shipped, with the development dependencies and the source"
                    )
                    text = text if shipped else ""
                if text:
                    hint = "build in a stage of its own (AS builder) and COPY --from=builder what is needed to run"
                    yield Finding(self, text, node, course.stage.start.image_span, hint=hint)
                    return
        yield from self._installed(walked, course)

    def _installed(self, walked: Courses, course: Course) -> Iterator[Finding]:
        """Compilers that a package manager installed and nothing removed."""
        acts = [(step, act) for step in walked.whole(course) for act in step.acts]
        if any(
            a.command.program in ("apt-get", "apt", "apk", "dnf", "yum") and a.command.plain[:1] in _REMOVES
            for _, a in acts
        ):
            return
        for step, act in acts:
            if act.use is None or act.use.deed != "add" or act.use.manager.ecosystem or step.stage != course.number:
                continue
            tools = [word for word in act.use.words if word.split("=")[0] in _COMPILERS]
            if tools:
                text = f"shipped with what was built, and only for building: {', '.join(tools[:3])}"
                hint = "install and build in a stage of its own, and copy the result"
                yield Finding(
                    self, text, step.instruction.node, act.text.span(act.command.span), hint=hint, level="info"
                )
                return


def _started_by_tool(course: Course) -> bool:
    """Whether what the image starts is the tool that builds, as in an image for development."""
    for instruction in (course.entrypoint, course.cmd):
        if instruction is not None and instruction.command.argv:
            words = " ".join(instruction.command.argv).split()
            if words[:1] == ["exec"]:
                words = words[1:]
            program = words[0].rsplit("/", 1)[-1] if words else ""
            if program in ("go", "cargo", "mvn", "mvnw", "gradle", "gradlew", "dotnet", "air", "sbt", "make"):
                return program != "dotnet" or "run" in words or "watch" in words
            if program in ("npm", "yarn", "pnpm", "bun") and any(
                w in ("dev", "start:dev", "test", "watch") for w in words
            ):
                return True
            if program in ("bash", "sh", "zsh") and len(words) == 1:
                return True
    return False


RULES = (BuildToolsShipped(),)
