"""Programs and modules that are taken to a base with another C library, or without what they need."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from kezuri.check.course import Act, Course, Courses, Step, courses
from kezuri.check.ground import Ground
from kezuri.check.rule import Example, Finding, Level, Rule
from kezuri.check.rules.production import modules
from kezuri.check.subject import Subject

_MODULES = ("node_modules", ".venv", "venv", "virtualenv", "site-packages", "dist-packages", "bundle")
_PROGRAMS = ("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")
_BRIDGES = ("libc6-compat", "gcompat", "glibc")
_LIBRARY = {"glibc": "glibc (Debian)", "musl": "musl (Alpine)"}


class ModulesOfOtherLibc(Rule):
    """Installed modules that were copied to a base with another C library."""

    name = "ModulesOfOtherLibc"
    summary = "Modules should be installed on the kind of base that they run on"
    why = (
        "npm, pip and bundler install native parts for the C library that they find. Installed on Debian (glibc) and "
        "copied to Alpine (musl), or the other way, a module with a native part ends with `Cannot find native "
        "binding` or "
        "`Error relocating`, when it is first loaded. Install where they run, or build and run on the same kind of "
        "base.\n\nIt is `info` where the lock file shows that nothing is native today."
    )
    japanese = (
        "モジュールは動かすのと同じ種類のベースでインストールする",
        "npm、pip、bundler は、インストールする場所の C ライブラリに合わせてネイティブ部分を入れます。Debian（"
        "glibc）でインストールして Alpine"
        "（musl）へコピーすると、あるいはその逆でも、ネイティブ部分のあるモジュールは読み込まれたときに "
        "`Cannot find native binding` や "
        "`Error relocating` で終わります。動かす場所でインストールするか、同じ種類のベースでビルドします。",
    )
    severity = "warning"
    bad = Example(
        "FROM node:22 AS builder\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci --omit=dev\n\n"
        "FROM node:22-alpine\nCOPY --from=builder /app/node_modules /app/node_modules\n"
    )
    good = Example(
        "FROM node:22-alpine AS builder\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci --omit=dev\n\n"
        "FROM node:22-alpine\nCOPY --from=builder /app/node_modules /app/node_modules\n"
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            for step in course.copies():
                if not isinstance(step.origin, int):
                    continue
                source = walked.all[step.origin]
                if {source.ground.libc, course.ground.libc} != {"glibc", "musl"}:
                    continue
                path = next((w for w in step.sources if w.rstrip("/").rsplit("/", 1)[-1] in _MODULES), None)
                if path is None:
                    places = modules(walked, source)
                    path = next((w for w in step.sources if w.rstrip("/") in places), None)
                if path is None or _bridged(walked, course):
                    continue
                level: Level = "warning"
                if path.rstrip("/").endswith("node_modules") and _nothing_native(subject):
                    level = "info"
                text = (
                    f"`{path}` was installed on {_LIBRARY[source.ground.libc]} and is copied to "
                    f"{_LIBRARY[course.ground.libc]}: native modules do not load there"
                )
                hint = "install in a stage with the base of this one"
                yield Finding(self, text, step.instruction.node, hint=hint, level=level)


class ProgramOfOtherLibc(Rule):
    """A distribution's program that was copied to a base with another C library."""

    name = "ProgramOfOtherLibc"
    summary = "A program should be copied to a base with the C library that it was linked to"
    why = (
        "A program of a glibc image asks for /lib64/ld-linux-x86-64.so.2, which Alpine does not have: `not "
        "found`, though "
        "the file is there. Scratch and distroless/static have no loader at all. `busybox:latest` is such a "
        "program since "
        "December 2022; `busybox:musl` and `busybox:uclibc` are static. A Rust program that was built on "
        "Debian is, too: "
        "take `rust:alpine`, or a musl target.\n\nThe example `external-copy` of kezuri copies BusyBox's wget "
        "to Alpine "
        "as its article does; `examples/broken/004-glibc-wget-on-musl` says what happens."
    )
    japanese = (
        "プログラムはリンクされた C ライブラリのあるベースへコピーする",
        "glibc のイメージのプログラムは /lib64/ld-linux-x86-64.so.2 を求めますが、Alpine にはありません。"
        "ファイルがあるのに `not found` に"
        "なります。scratch と distroless/static にはローダーがまったくありません。`busybox:latest` は 2022 年 "
        "12 月からそうしたプログラム"
        "で、`busybox:musl` と `busybox:uclibc` は静的です。Debian の上でビルドした Rust のプログラムも同じです。",
    )
    severity = "warning"
    bad = Example("FROM node:22-alpine\nCOPY --from=busybox:1.37 /bin/wget /usr/local/bin/\n")
    good = Example("FROM node:22-alpine\nCOPY --from=busybox:1.37-musl /bin/wget /usr/local/bin/\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            if course.ground.libc not in ("musl", "none"):
                continue
            for step in course.copies():
                path = None
                if isinstance(step.origin, Ground):
                    image = step.origin
                    if image.libc == "glibc" and image.official:
                        path = next((w for w in step.sources if _is_program(image, w)), None)
                elif isinstance(step.origin, int):
                    source = walked.all[step.origin]
                    if source.ground.libc == "glibc" and _builds_with(walked, source, "cargo"):
                        path = next((w for w in step.sources if re.search(r"(^|/)target/(release|debug)/", w)), None)
                if path is None or _bridged(walked, course):
                    continue
                text = f"`{path}` is linked to glibc and does not start on a base without a loader"
                if course.ground.libc == "musl":
                    text = f"`{path}` is linked to glibc and does not start on musl (Alpine)"
                hint = "take it from an image of the same kind, or a static build"
                yield Finding(self, text, step.instruction.node, hint=hint)


class DynamicGoBinary(Rule):
    """A Go program that asks for a loader, on a base without one."""

    name = "DynamicGoBinary"
    summary = "A Go program for scratch, distroless/static or Alpine should be linked statically"
    why = (
        "Where Go finds a C compiler, or before Go 1.20 in any case, packages such as `net` and `os/user` are "
        "linked to "
        "the C library: the program asks for a dynamic loader, and on `scratch`, on `distroless/static`, and "
        "with glibc's "
        "on Alpine, there is none: `no such file or directory`. `CGO_ENABLED=0` makes it static."
    )
    japanese = (
        "scratch、distroless/static、Alpine で動かす Go のプログラムは静的にリンクする",
        "C コンパイラがあると、また Go 1.20 より前ではいつでも、`net` や `os/user` が C "
        "ライブラリにリンクされます。プログラムは動的ローダーを"
        "求めますが、`scratch` と `distroless/static` にはなく、Alpine には glibc のものがないので、`no such "
        "file or directory` になります。"
        "`CGO_ENABLED=0` を付ければ静的になります。",
    )
    severity = "warning"
    bad = Example(
        "FROM golang:1.24 AS builder\nWORKDIR /src\nCOPY . .\nRUN go build -o /server .\n\n"
        'FROM scratch\nCOPY --from=builder /server /server\nUSER 65532\nENTRYPOINT ["/server"]\n'
    )
    good = Example(
        "FROM golang:1.24 AS builder\nWORKDIR /src\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /server .\n\n"
        'FROM scratch\nCOPY --from=builder /server /server\nUSER 65532\nENTRYPOINT ["/server"]\n'
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            if course.ground.libc not in ("none", "musl") or _bridged(walked, course):
                continue
            if course.cmd is None and course.entrypoint is None and course.ground.family == "scratch":
                continue  # it starts nothing: files for another stage, or for whoever takes them out
            for step in course.copies():
                if not isinstance(step.origin, int):
                    continue
                source = walked.all[step.origin]
                act = _dynamic_build(walked, source, course.ground.libc == "musl")
                if act is None or not any(_may_be_program(w) for w in step.sources):
                    continue
                names = {"scratch": "scratch", "distroless": "distroless/static", "alpine": "Alpine"}
                where = names.get(course.ground.family, course.ground.text)
                said = " ".join(word.text for word in act[1].command.words[:2])
                text = f"`{said}` without CGO_ENABLED=0 makes a program that {where} may have no loader for"
                hint = "write `CGO_ENABLED=0 go build`"
                node = act[0].instruction.node
                yield Finding(self, text, node, act[1].text.span(act[1].command.span), hint=hint)
                break


class ZoneinfoMissing(Rule):
    """Time zones that are copied from where there are none."""

    name = "ZoneinfoMissing"
    summary = "Time zones can be copied from Alpine only where tzdata is installed"
    why = (
        "Alpine has no /usr/share/zoneinfo before `apk add tzdata`, and neither have `golang:alpine` and "
        "`node:alpine`: "
        "the COPY ends the build with `not found`.\n\nThe example `go-scratch` of kezuri has it as its article does: "
        "the bases that the tests assemble hold the zones, and `examples/broken/001-zoneinfo-that-is-not-there"
        "` is the "
        "same with official images."
    )
    japanese = (
        "Alpine からタイムゾーンをコピーするには tzdata が要る",
        "Alpine には、`apk add tzdata` をするまで /usr/share/zoneinfo がありません。`golang:alpine` と "
        "`node:alpine` にもありません。COPY は "
        "`not found` になり、ビルドが失敗します。",
    )
    severity = "warning"
    bad = Example(
        "FROM golang:1.24-alpine AS builder\n\nFROM scratch\n"
        "COPY --from=builder /usr/share/zoneinfo /usr/share/zoneinfo\n"
    )
    good = Example(
        "FROM golang:1.24-alpine AS builder\nRUN apk add --no-cache tzdata\n\nFROM scratch\n"
        "COPY --from=builder /usr/share/zoneinfo /usr/share/zoneinfo\n"
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            for step in course.copies():
                path = next((w for w in step.sources if w.rstrip("/").startswith("/usr/share/zoneinfo")), None)
                if path is None or step.origin is None:
                    continue
                if isinstance(step.origin, int):
                    source = walked.all[step.origin]
                    image, before = source.ground, walked.whole(source)
                else:
                    image, before = step.origin, []
                if image.family != "alpine" or image.name not in ("alpine", "golang", "node") or not image.official:
                    continue
                if any(_mentions(s, "tzdata", "zoneinfo") for s in before):
                    continue
                text = f"`{image.text}` has no {path}: the build ends here"
                hint = "add `RUN apk add --no-cache tzdata` to the stage that it is copied from"
                yield Finding(self, text, step.instruction.node, hint=hint)


def _is_program(image: Ground, path: str) -> bool:
    if image.name == "node" and path == "/usr/local/bin/node":
        return True
    return image.name in ("busybox", "debian", "ubuntu") and path.startswith(_PROGRAMS)


def _bridged(walked: Courses, course: Course) -> bool:
    """Whether the stage has something that lets glibc's programs run on musl."""
    known = walked.notes.get(("bridged", course.number, 0))
    if known is None:
        known = any(_bridges(walked, one) for one in walked.nearest(course))
        walked.notes["bridged", course.number, 0] = known
    return bool(known)


def _bridges(walked: Courses, course: Course) -> bool:
    known = walked.notes.get(("bridges", course.number))
    if known is None:
        known = walked.notes["bridges", course.number] = any(_mentions(step, *_BRIDGES) for step in course.steps)
    return bool(known)


def _mentions(step: Step, *names: str) -> bool:
    words = [*step.sources, step.to, *(w.loose for act in step.acts for w in act.command.words)]
    return any(name in word or ("$" in word and step.acts and "tzdata" in names) for word in words for name in names)


def _builds_with(walked: Courses, course: Course, manager: str) -> bool:
    acts = [a for s in walked.whole(course) for a in s.acts if a.use is not None]
    built = [a for a in acts if a.use is not None and a.use.manager.name == manager and a.use.deed == "build"]
    return any(not any("musl" in w.loose or "crt-static" in w.loose for w in a.command.words) for a in built)


def _dynamic_build(walked: Courses, course: Course, only_glibc: bool) -> tuple[Step, Act] | None:
    """A `go build` of the stage that is not static for certain."""
    image = course.ground
    if image.libc not in ("glibc", "musl") or (only_glibc and image.libc != "glibc") or image.language != "go":
        return None
    whole = walked.whole(course)
    for step in whole:
        for act in step.acts:
            use = act.use
            if use is None or use.manager.name != "go" or use.deed != "build":
                continue
            words = " ".join(w.loose for s in step.acts for w in (*s.command.words,))
            assigned = {a.name for s in step.acts for a in s.command.assignments}
            if (
                "CGO_ENABLED" in assigned
                or "CGO_ENABLED" in words
                or "CGO_ENABLED" in step.known
                or "GOFLAGS" in step.known
            ):
                continue
            if any(sign in words for sign in ("-static", "netgo", "osusergo", "linkmode", "go env -w")):
                continue
            version = image.version()
            compiler = any(_mentions(s, "gcc", "build-base", "musl-dev", "alpine-sdk") for s in whole)
            if image.libc == "musl" and not compiler and (not version or version >= (1, 20)):
                continue
            return step, act
    return None


def _may_be_program(path: str) -> bool:
    name = path.rstrip("/").rsplit("/", 1)[-1]
    if path.startswith(("/etc/", "/usr/share/", "/usr/lib/", "/lib/", "/tmp")):
        return False
    return not any(
        fnmatchcase(name, p) for p in ("*.crt", "*.pem", "*.json", "*.y*ml", "*.html", "static", "templates", "web")
    )


def _nothing_native(subject: Subject) -> bool:
    """Whether a lock file of npm shows that no module has native parts or a script that may build some."""
    around = subject.surroundings
    text = around.read("package-lock.json") if around is not None else None
    if text is None:
        return False
    return not any(f'"{sign}"' in text for sign in ("hasInstallScript", "libc", "gypfile", "cpu", "os"))


RULES = (ModulesOfOtherLibc(), ProgramOfOtherLibc(), DynamicGoBinary(), ZoneinfoMissing())
