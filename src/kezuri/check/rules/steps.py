"""Single steps that make a build depend on the day, on the machine, or on what changes all the time."""

import re
from collections.abc import Iterator

from kezuri.check.course import Act, Step, courses
from kezuri.check.rule import Example, Finding, Level, Rule
from kezuri.check.sensitive import hidden, known_secret
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Arg, Env, Run

_VOLATILE = (
    "GIT_SHA", "GIT_COMMIT", "COMMIT_SHA", "COMMIT_HASH", "COMMIT", "VCS_REF", "REVISION", "BUILD_DATE", "BUILD_TIME",
    "BUILD_NUMBER", "BUILD_ID", "BUILD_TIMESTAMP", "TIMESTAMP", "GITHUB_SHA", "CI_COMMIT_SHA", "GIT_REV",
    "GIT_REVISION",
    "GIT_HASH", "SOURCE_COMMIT", "CACHEBUST", "CACHE_BUST", "CACHE_DATE",
)  # fmt: skip
_ARCHITECTURES = frozenset(("amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64"))
_UPGRADES = {
    "apt-get": ("upgrade",),
    "apt": ("upgrade",),
    "apk": ("upgrade",),
    "dnf": ("upgrade", "update"),
    "yum": ("upgrade", "update"),
    "microdnf": ("upgrade", "update"),
    "zypper": ("update", "up", "patch"),
}
_CREDENTIALS = re.compile(r"https?://[^/\s:@$]+:([^/\s@$]{8,})@")


class VolatileAboveInstall(Rule):
    """A value that changes with every build, above the installation."""

    name = "VolatileAboveInstall"
    summary = "Values that change with every build should stand below what takes long"
    why = (
        "A RUN sees every ARG and ENV above it, and runs again when one of them changes. A commit's hash or a "
        "date above "
        "the installation of the dependencies means that they are installed anew in every build. Declare it "
        "below, just "
        "before it is used."
    )
    japanese = (
        "ビルドのたびに変わる値は、時間のかかるステップより下に置く",
        "RUN からはそれより上の ARG と ENV がすべて見え、どれかが変わると再実行されます。"
        "コミットのハッシュや日付が依存関係のインストールより上に"
        "あると、ビルドのたびにインストールし直すことになります。使う直前で宣言します。",
    )
    severity = "info"
    bad = Example("FROM node:22-slim\nARG GIT_SHA\nCOPY package*.json ./\nRUN npm ci\nLABEL revision=$GIT_SHA\n")
    good = Example("FROM node:22-slim\nCOPY package*.json ./\nRUN npm ci\nARG GIT_SHA\nLABEL revision=$GIT_SHA\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            open_ones: list[tuple[Step, str]] = []
            for step in course.steps:
                said = step.instruction
                if isinstance(said, (Arg, Env)):
                    open_ones += [(step, name) for name, _ in said.pairs if name.upper() in _VOLATILE]
                elif isinstance(said, Run) and open_ones and any(_installs(a) for a in step.acts):
                    text = subject.dockerfile.source.text[said.node.span.start : said.node.span.end]
                    for declared, name in open_ones:
                        if name in text or "CACHE" in name.upper():
                            continue
                        node = declared.instruction.node
                        line = subject.dockerfile.source.text.count("\n", 0, said.node.span.start) + 1
                        message = f"`{name}` changes with every build, and line {line} installs again each time"
                        yield Finding(self, message, node, hint=f"move `{name}` below the installation")
                    open_ones = []


class FixedArchitecture(Rule):
    """A program that is compiled for one architecture, whatever is built for."""

    name = "FixedArchitecture"
    summary = "The architecture should follow the platform that is built for"
    why = (
        "`GOARCH=amd64` puts a program for amd64 into the image for arm64 as well: `exec format error` on the first "
        "Graviton or Apple machine. `ARG TARGETARCH` and `GOARCH=$TARGETARCH` follow `--platform`, and with `FROM "
        "--platform=$BUILDPLATFORM` the compiler runs without emulation.\n\nIt is a `warning` where another "
        "platform is "
        "asked for, or a workflow of the project builds for several, and `info` otherwise."
    )
    japanese = (
        "アーキテクチャはビルド対象のプラットフォームに合わせる",
        "`GOARCH=amd64` と書くと arm64 のイメージにも amd64 のプログラムが入り、Graviton や Apple のマシンで "
        "`exec format error` になります。"
        "`ARG TARGETARCH` と `GOARCH=$TARGETARCH` なら `--platform` に従い、`FROM --platform=$BUILDPLATFORM` "
        "を付ければ"
        "コンパイラはエミュレーションなしで動きます。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example(
        "FROM golang:1.24 AS builder\nCOPY . /src\nRUN CGO_ENABLED=0 GOARCH=amd64 go build -C /src -o /server .\n"
    )
    good = Example(
        "FROM --platform=$BUILDPLATFORM golang:1.24 AS builder\nCOPY . /src\nARG TARGETARCH\n"
        "RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -C /src -o /server .\n"
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            for step in course.steps:
                if isinstance(step.instruction, Env):
                    for name, value in step.instruction.pairs:
                        if name == "GOARCH" and value.strip("\"'") in _ARCHITECTURES:
                            yield self._found(subject, value.strip("\"'"), step, None)
                for act in step.acts:
                    said = [(a.name, a.value.loose) for a in act.command.assignments if a.value is not None]
                    for word in act.command.words:
                        name, equals, value = word.loose.partition("=")
                        if equals:
                            said.append((name, value))
                    for name, value in said:
                        if name == "GOARCH" and value in _ARCHITECTURES and "branch" not in act.command.within:
                            yield self._found(subject, value, step, act)

    def _found(self, subject: Subject, value: str, step: Step, act: Act | None) -> Finding:
        level: Level = "info"
        asked = subject.platform.architecture
        if (subject.explicit_platform and asked != value) or _several(subject, value):
            level = "warning"
        node = step.instruction.node
        text = f"`GOARCH={value}` is compiled for {value}, whatever the image is built for"
        span = act.text.span(act.command.span) if act is not None else None
        fix = None
        if act is not None and subject.surroundings is not None:
            from kezuri.check.repairs.smaller import following_platform

            fix = following_platform(subject, step, act, value)
        return Finding(self, text, node, span, fix, "write `ARG TARGETARCH` and `GOARCH=$TARGETARCH`", level=level)


class UpgradeInImage(Rule):
    """The distribution is upgraded while the image is built."""

    name = "UpgradeInImage"
    summary = "Security updates should come with a newer base image"
    why = (
        "`apt-get upgrade` replaces what the base holds: the old files stay in its layer, the new ones are shipped "
        "beside them, what comes out depends on the day, and the cache keeps the step for months. A base that "
        "is rebuilt "
        "often, taken by digest and brought up to date by a bot, gives the same updates once."
    )
    japanese = (
        "セキュリティ更新は新しいベースイメージで取り込む",
        "`apt-get upgrade` はベースの中のものを置き換えます。古いファイルはベースのレイヤーに残り、"
        "新しいファイルが加わり、結果はビルドした日によって"
        "変わり、しかもキャッシュのせいで何か月も実行されません。"
        "よく作り直されるベースをダイジェストで指定し、ボットで更新します。",
    )
    severity = "info"
    bad = Example("FROM debian:12-slim\nRUN apt-get update && apt-get upgrade -y && rm -rf /var/lib/apt/lists/*\n")
    good = Example("FROM debian:12-slim@sha256:" + "0" * 64 + "\nRUN echo ready\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            for step in course.runs():
                for act in step.acts:
                    verbs = _UPGRADES.get(act.command.program)
                    plain = act.command.plain
                    if verbs is None or plain[:1] not in [(verb,) for verb in verbs] or len(plain) > 1:
                        continue
                    said = f"{act.command.program} {plain[0]}"
                    text = f"`{said}` gives another image every day, and ships twice what it replaces"
                    span = act.text.span(act.command.span)
                    yield Finding(self, text, step.instruction.node, span, hint="take a newer base image")


class SecretInFile(Rule):
    """A token or password written in the Dockerfile."""

    name = "SecretInFile"
    summary = "A Dockerfile should not hold a token or a password"
    why = (
        "What stands in a Dockerfile stands in the repository, in the history of the image, and in every log "
        "of its build. "
        "A token that was there has to be revoked. `RUN --mount=type=secret` gives one to a step."
    )
    japanese = (
        "Dockerfile にトークンやパスワードを書かない",
        "Dockerfile に書いたものは、リポジトリにも、イメージの履歴にも、ビルドのログにも残ります。"
        "書いてしまったトークンは無効にしなければなりません。"
        "`RUN --mount=type=secret` を使えばステップに渡せます。",
    )
    severity = "error"
    bad = Example("FROM alpine:3.22\nRUN wget https://deploy:hunter2hunter2@example.com/app.tar.gz\n")
    good = Example(
        "FROM alpine:3.22\nRUN --mount=type=secret,id=netrc,target=/root/.netrc wget https://example.com/app.tar.gz\n"
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            for step in course.steps:
                if not isinstance(step.instruction, (Run, Env, Arg)):
                    continue
                node = step.instruction.node
                text = subject.dockerfile.source.text[node.span.start : node.span.end]
                token = known_secret(text)
                if token is not None:
                    said = f"a token ({hidden(token)}) stands in the file, and in the history of the image"
                    yield Finding(self, said, node, hint="revoke it, and give the new one by RUN --mount=type=secret")
                    continue
                found = _CREDENTIALS.search(text)
                if found is not None and not _made_up(found[1]):
                    said = "a password stands in an address, and so in the history of the image"
                    yield Finding(self, said, node, hint="revoke it, and give the new one by RUN --mount=type=secret")


class SecretCopiedInStep(Rule):
    """A secret mount that is written into another file."""

    name = "SecretCopiedInStep"
    summary = "A secret should be used where it is mounted"
    why = (
        "A step that writes its secret into a file has to remove the file again, also when it fails in between. "
        "`target=` mounts the file where the program looks for it, and `env=` gives the secret as a variable. "
        "It is given "
        "to the build by `--secret id=…,env=NAME` or `src=FILE`: `src=-` is a file of that name for `docker "
        "build`, not "
        "its standard input."
    )
    japanese = (
        "シークレットはマウントした場所で使う",
        "シークレットをファイルに書き出すステップは、途中で失敗した場合も含めて、"
        "そのファイルを消さなければなりません。`target=` を使えばプログラムが"
        "探す場所に直接マウントでき、`env=` なら変数として渡せます。ビルドには `--secret id=…,env=NAME` か "
        "`src=FILE` で渡します。`src=-` は "
        "`docker build` では標準入力ではなく、その名前のファイルです。",
    )
    severity = "info"
    bad = Example(
        "FROM node:22-slim\nRUN --mount=type=secret,id=token \\\n"
        '    echo "//registry.npmjs.org/:_authToken=$(cat /run/secrets/token)" > .npmrc && npm ci && rm .npmrc\n'
    )
    good = Example("FROM node:22-slim\nRUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            for step in course.runs():
                run = step.instruction
                assert isinstance(run, Run)
                secrets = [dict(m.options) for m in run.mounts if ("type", "secret") in m.options]
                names = {s.get("env") for s in secrets} - {None}
                for act in step.acts:
                    for made in act.command.assignments:
                        if made.value is not None and "/run/secrets/" in made.value.text:
                            names.add(made.name)
                if not secrets:
                    continue
                for act in step.acts:
                    target = next((r.target for r in act.command.redirects if r.operator in (">", ">>")), None)
                    if (
                        target is None
                        or target.loose.startswith("/dev/")
                        or act.command.program not in ("echo", "printf", "cat")
                    ):
                        continue
                    said = " ".join(w.text for w in act.command.words)
                    if "/run/secrets/" in said or any(f"${n}" in said or f"${{{n}" in said for n in names if n):
                        text = f"the secret is written into `{target.loose}`"
                        hint = "mount it there (target=) or give it as a variable (env=)"
                        yield Finding(self, text, run.node, act.text.span(act.command.span), hint=hint)


def _installs(act: Act) -> bool:
    return act.use is not None and act.use.deed in ("install", "add", "fetch")


def _several(subject: Subject, value: str) -> bool:
    """Whether a workflow of the project builds for another architecture."""
    around = subject.surroundings
    if around is None or value != "amd64":
        return False
    for name in list(around.names(".github/workflows"))[:50]:
        text = around.read(f".github/workflows/{name}") if name.endswith((".yml", ".yaml")) else None
        if text is not None and "platforms" in text and "linux/arm64" in text:
            return True
    return False


def _made_up(password: str) -> bool:
    low = password.lower()
    return any(
        word in low for word in ("password", "example", "secret", "token", "changeme", "{", "<", "x-oauth", "xxxx")
    )


RULES = (VolatileAboveInstall(), FixedArchitecture(), UpgradeInImage(), SecretInFile(), SecretCopiedInStep())
