"""Bases that are larger than what runs on them needs."""

from collections.abc import Iterator

from kezuri.check.course import courses
from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.subject import Subject

_ONLY_FULL = frozenset(
    ("git", "hg", "svn", "curl", "wget", "make", "gcc", "g++", "cc", "autoconf", "unzip", "patch", "file")
)
"""Programs that the full variants have, and the small ones do not."""


class FullBase(Rule):
    """The full variant of an official image where a small one would do."""

    name = "FullBase"
    summary = "The image that runs should stand on a small variant of its base"
    why = (
        "`node:22` holds a Debian with compilers, Python and Mercurial, a gigabyte in all; `node:22-slim` is "
        "the same "
        "Node on the same Debian with a fifth of it. Take `slim` first: `alpine` has another C library, and "
        "modules with "
        "native parts have to be installed there."
    )
    japanese = (
        "動かすイメージは小さなベースの上に作る",
        "`node:22` にはコンパイラ、Python、Mercurial を含む Debian が入っていて、全部で 1 GB あります。"
        "`node:22-slim` は同じ Debian の上の"
        "同じ Node で、大きさは 5 分の 1 です。まず `slim` を選びます。`alpine` は C ライブラリが違い、"
        "ネイティブモジュールはその上で"
        "インストールする必要があります。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example('FROM node:22\nCOPY main.js /\nUSER node\nCMD ["node", "/main.js"]\n')
    good = Example('FROM node:22-slim\nCOPY main.js /\nUSER node\nCMD ["node", "/main.js"]\n')

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        course = walked.image()
        if course is None or course.under is not None or not course.ground.full or course.ground.compiler:
            return
        smaller = course.ground.smaller
        acts = [act for step in walked.whole(course) for act in step.acts]
        if not smaller or any(act.command.program in _ONLY_FULL for act in acts):
            return
        start = course.stage.start
        text = f"`{course.ground.text}` brings compilers and headers that nothing here needs to run"
        version = course.ground.tag.split("-")[0]
        hint = f"stand on `{course.ground.name}:{f'{version}-' if version and version != 'latest' else ''}{smaller[0]}`"
        fix = None
        if subject.surroundings is not None:
            from kezuri.check.repairs.smaller import slim_base

            fix = slim_base(course)
        yield Finding(self, text, start.node, start.image_span, fix, hint)


class GoOnLargeBase(Rule):
    """A Go program on a distribution."""

    name = "GoOnLargeBase"
    summary = "A Go program needs no distribution"
    why = (
        "With `CGO_ENABLED=0` a Go program needs nothing but itself: on `scratch` or `gcr.io/distroless/static` the "
        "image is as large as the program, and there is no shell and no package to find fault with. "
        "`distroless` also "
        "has certificates, time zones and a user `nonroot`."
    )
    japanese = (
        "Go のプログラムにディストリビューションは要らない",
        "`CGO_ENABLED=0` でビルドした Go のプログラムはそれだけで動きます。`scratch` や "
        "`gcr.io/distroless/static` の上ではイメージの"
        "大きさはプログラムと同じで、シェルもパッケージもありません。`distroless` には証明書、タイムゾーン、"
        "ユーザー `nonroot` も入っています。",
    )
    severity = "info"
    bad = Example(
        "FROM golang:1.24 AS builder\nCOPY . /src\nRUN CGO_ENABLED=0 go build -C /src -o /server .\n\n"
        'FROM debian:12-slim\nCOPY --from=builder /server /server\nUSER nobody\nCMD ["/server"]\n'
    )
    good = Example(
        "FROM golang:1.24 AS builder\nCOPY . /src\nRUN CGO_ENABLED=0 go build -C /src -o /server .\n\n"
        'FROM gcr.io/distroless/static-debian12:nonroot\nCOPY --from=builder /server /server\nCMD ["/server"]\n'
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        course = walked.image()
        if course is None or course.ground.family not in ("debian", "rpm") or course.ground.language:
            return
        if any(act.use is not None and act.use.deed == "add" for s in walked.whole(course) for act in s.acts):
            return
        for step in course.copies():
            if isinstance(step.origin, int) and any(
                act.use is not None and act.use.manager.name == "go" and act.use.deed == "build"
                for s in walked.whole(walked.all[step.origin])
                for act in s.acts
            ):
                start = course.stage.start
                text = f"a Go program stands on `{course.ground.text}`"
                hint = "build with CGO_ENABLED=0 and take gcr.io/distroless/static-debian12:nonroot, or scratch"
                yield Finding(self, text, start.node, start.image_span, hint=hint)
                return


RULES = (FullBase(), GoOnLargeBase())
