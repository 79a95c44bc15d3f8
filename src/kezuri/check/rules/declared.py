"""What the image is told about itself: ports, directories, variables, health."""

import re
from collections.abc import Iterator

from kezuri.check.course import courses
from kezuri.check.editing import bare, cased, newline, without, word_at
from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.standing import related, shipped
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg, Env, Expose, Healthcheck, Volume, Workdir

_SYSTEM = re.compile(r"/(?:bin|boot|dev|etc|lib|lib64|proc|run|sbin|sys)(?:/|\Z)")
_KERNEL = re.compile(r"/(?:dev|proc|sys)(?:/|\Z)")


_SERVERS = frozenset(
    (
        "nginx", "httpd", "apache2-foreground", "caddy", "uvicorn", "gunicorn", "flask", "hypercorn", "daphne", "puma",
        "rails", "streamlit", "next", "redis-server", "postgres", "mysqld", "mongod", "memcached",
    )
)  # fmt: skip


class PortTooLarge(Rule):
    """hadolint's DL3011."""

    name = "PortTooLarge"
    aliases = ("DL3011", "DS-0008")
    severity = "error"
    summary = "EXPOSE names ports from 0 to 65535"
    why = "A port is a number of 16 bits: there is none above 65535, and nothing can listen on it."
    japanese = (
        "EXPOSE に書けるポートは 0 から 65535 まで",
        "ポートは 16 ビットの数です。65535 より大きいポートはなく、そこで待ち受けることはできません。",
    )
    bad = Example("FROM debian:12\nEXPOSE 80000\n")
    good = Example("FROM debian:12\nEXPOSE 8000\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3011"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, instruction in subject.placed(Expose):
            for word in instruction.ports:
                numbers = re.findall(r"\d+", bare(word).partition("/")[0])
                if "$" not in word and any(len(n.lstrip("0")) > 5 or int(n) > 65535 for n in numbers):
                    span = word_at(instruction.node, word)
                    text = f"there is no port {bare(word)}: they end at 65535"
                    yield Finding(self, text, instruction.node, span, hint="write the port that is meant")


class SshPortExposed(Rule):
    """Trivy's DS-0004."""

    name = "SshPortExposed"
    aliases = ("DS-0004",)
    severity = "info"
    summary = "Port 22 is not exposed"
    why = (
        "A container is entered with `exec`, by those who may. An SSH server in it is one more program to keep up to "
        "date, with keys that every copy of the image shares. An image whose very purpose is SSH may have it: hence an "
        "info."
    )
    japanese = (
        "ポート 22 を EXPOSE しない",
        "コンテナには、権限のある人が `exec` で入れます。中に SSH サーバーを置けば、更新すべきプログラムが一つ増え、"
        "鍵はイメージのすべてのコピーで共有されます。SSH そのものが目的のイメージもあるため、情報として報告します。",
    )
    bad = Example("FROM debian:12\nEXPOSE 22\n")
    good = Example("FROM debian:12\nEXPOSE 8022\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, instruction in subject.placed(Expose):
            for word in instruction.ports:
                if bare(word).lower() in ("22", "22/tcp"):
                    span = word_at(instruction.node, word)
                    text = "port 22 is for SSH, which a container does not need"
                    yield Finding(self, text, instruction.node, span, hint="enter the container with `exec`")


class SystemDirectoryAsWorkdir(Rule):
    """Trivy's DS-0030."""

    name = "SystemDirectoryAsWorkdir"
    aliases = ("DS-0030",)
    summary = "WORKDIR is no directory of the system"
    why = (
        "What is copied and run below `/etc`, `/bin` or `/lib` mixes with the system's own files and can replace them; "
        "`/proc`, `/sys` and `/dev` are the kernel's when the container runs, and what was put there is hidden. Have a "
        "directory of your own: `/app`, `/srv`, `/opt/…`. On scratch and distroless there is next to nothing to mix "
        "with: nothing is said there. `/bin` and `/sbin`, where a program may well be started from, are an info."
    )
    japanese = (
        "WORKDIR にシステムのディレクトリを使わない",
        "`/etc`、`/bin`、`/lib` の下でコピーや実行をすると、システムのファイルと混ざり、置き換えてしまうこともありま"
        "す。`/proc`、`/sys`、`/dev` はコンテナの実行中はカーネルのもので、そこに置いたファイルは隠れま"
        "す。`/app`、`/srv`、`/opt/…` のような専用のディレクトリを使ってください。scratch と distroless には混ざる相"
        "手がほとんどないため、報告しません。プログラムの置き場所でもある `/bin` と `/sbin` は情報として報告します。",
    )
    bad = Example("FROM debian:12\nWORKDIR /etc\n")
    good = Example("FROM debian:12\nWORKDIR /etc-editor\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for part, instruction in subject.placed(Workdir):
            path = bare(instruction.path)
            # Somebody who works in /etc/nginx edits that program's files: only the directories themselves.
            found = _SYSTEM.match(path)
            if found and (_KERNEL.match(path) or not path[found.end() :].strip("/")):
                walked = courses(subject).all
                stage = walked[part.number] if 0 <= part.number < len(walked) else None
                bare_root = stage is not None and stage.ground.family in ("scratch", "distroless")
                if bare_root and not _KERNEL.match(path):
                    continue
                text = f"{path} is the system's own directory"
                hint = "work in a directory of your own: `/app`"
                level: Level | None = "info" if path.strip("/") in ("bin", "sbin") else None
                yield Finding(self, text, instruction.node, hint=hint, level=level)


class SystemDirectoryAsVolume(Rule):
    """dockle's DKL-DI-0002."""

    name = "SystemDirectoryAsVolume"
    aliases = ("DKL-DI-0002",)
    fix_class = "A"
    summary = "VOLUME is no directory of the kernel"
    why = (
        "`/dev`, `/proc` and `/sys` are mounted by whoever starts the container. A volume on top of them hides what "
        "programs look for there, or shows a container more of the host than it should see. `/sys/fs/cgroup` is not "
        "reported: an image that starts systemd says so that it wants it."
    )
    japanese = (
        "VOLUME にカーネルのディレクトリを指定しない",
        "`/dev`、`/proc`、`/sys` は、コンテナを起動する側がマウントします。その上にボリュームを重ねると、プログラムが"
        "必要とするものが隠れたり、見せるべきでないホストの情報がコンテナから見えたりします。systemd を"
        "起動するイメージに要る `/sys/fs/cgroup` は報告しません。",
    )
    bad = Example("FROM debian:12\nVOLUME /proc\n")
    good = Example("FROM debian:12\nVOLUME /data\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, instruction in subject.placed(Volume):
            for path in instruction.paths:
                if not _KERNEL.match(path) or path.rstrip("/") == "/sys/fs/cgroup":
                    continue
                node, fix = instruction.node, None
                if len(instruction.paths) == 1:
                    changes = frozenset((f"config.Volumes {path}",))
                    fix = Fix("remove it", (without(node),), "A", changes)
                text = f"{path} belongs to the kernel: no volume may cover it"
                yield Finding(self, text, node, word_at(node, path), fix, hint="remove it")


class VariableOfSameEnv(Rule):
    """hadolint's DL3044."""

    name = "VariableOfSameEnv"
    aliases = ("DL3044",)
    severity = "error"
    fix_class = "A"
    summary = "A variable is not used in the ENV that sets it"
    why = (
        "All values of one ENV are expanded with the variables as they were before it: `ENV A=1 B=$A` sets B to "
        "nothing. Two instructions do what was meant. In single quotes, and behind a backslash, the dollar sign is "
        "none: these are not reported."
    )
    japanese = (
        "同じ ENV で設定する変数を使わない",
        "一つの ENV の値は、その命令より前の変数で展開されます。`ENV A=1 B=$A` では B は空になります。二つの命令に分"
        "ければ意図どおりになります。単一引用符の中やバックスラッシュの後の `$` は変数ではないため報告しません。",
    )
    bad = Example("FROM debian:12\nENV HOME_DIR=/srv BIN_DIR=$HOME_DIR/bin\n")
    good = Example("FROM debian:12\nENV HOME_DIR=/srv\nENV BIN_DIR=$HOME_DIR/bin\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3044"

    def look(self, subject: Subject) -> Iterator[Finding]:
        known: set[str] = set()
        for part in subject.parts:
            for piece in part.pieces:
                instruction = piece.instruction
                if piece.trigger or not isinstance(instruction, (Env, Arg)):
                    continue
                if isinstance(instruction, Env) and not instruction.legacy:
                    new = {name: i for i, (name, _) in enumerate(instruction.pairs) if name not in known}
                    for i, (name, value) in enumerate(instruction.pairs):
                        used = [n for n in _variables(value) if n in new and (n != name or new[n] != i)]
                        if used:
                            yield self._finding(instruction, name, used[0])
                            break
                known |= {name for name, _ in instruction.pairs}

    def _finding(self, env: Env, name: str, used: str) -> Finding:
        text = f"{name} is made of ${used}, which is set in the same instruction: here it has no value yet"
        return Finding(self, text, env.node, fix=_split(env, name, used), hint="set it in an ENV of its own")


class HealthcheckMissing(Rule):
    """hadolint's DL3057."""

    name = "HealthcheckMissing"
    aliases = ("DL3057", "DS-0026", "CIS-DI-0006")
    fix_class = "V"
    severity = "info"
    file_wide = True
    summary = "The image says how to ask whether it is well"
    why = (
        "A process that is there may hang all the same. With HEALTHCHECK Docker, Compose and Swarm ask it, and "
        "restart or replace it. Kubernetes has probes of its own and ignores HEALTHCHECK: hence an info. An image "
        "that says of no port that it listens there may run a command and end: a matter of style. Stages that are not "
        "what the image becomes are asked only by name."
    )
    japanese = (
        "コンテナの状態を調べる方法をイメージに書く",
        "プロセスは存在していても止まっていることがあります。HEALTHCHECK があれば、Docker、Compose、Swarm が状態を調"
        "べ、再起動や入れ替えができます。Kubernetes は独自のプローブを使い、HEALTHCHECK を見ないため、情報として報"
        "告します。ポートを開かないイメージは、コマンドを実行して終わるだけかもしれないので、スタイルの問題とします。"
        "最終イメージにならないステージは、名前を指定したときだけ報告します。",
    )
    bad = Example('FROM debian:12\nEXPOSE 80\nCMD ["httpd"]\n')
    good = Example('FROM debian:12\nEXPOSE 80\nHEALTHCHECK CMD ["curl", "-f", "http://localhost"]\nCMD ["httpd"]\n')
    url = "https://github.com/hadolint/hadolint/wiki/DL3057"

    def look(self, subject: Subject) -> Iterator[Finding]:
        has = {part.number for part, _ in subject.placed(Healthcheck)}
        last = shipped(subject)[:1]
        well = related(subject, (number for number in has if number >= 0))
        for written in subject.stages:
            stage, start = written.number, written.start
            if stage in well:
                continue
            text = "nothing says how to ask whether it is well"
            fix = None
            if stage in last and subject.surroundings is not None:
                from kezuri.check.repairs.health import healthcheck

                fix = healthcheck(subject)
            yield Finding(
                self,
                text,
                start.node,
                fix=fix,
                hint="write HEALTHCHECK with a command that asks it; `HEALTHCHECK NONE` says that there is none",
                aliases=None if stage in last else ("DL3057",),
                level=("info" if _listens(subject) else "style") if stage in last else "ignore",
            )


def _listens(subject: Subject) -> bool:
    """Whether what the image starts is known to answer: it has a port, or is a server by its name."""
    walked = courses(subject)
    course = walked.last
    if course is None:
        return False
    if any(isinstance(step.instruction, Expose) for step in walked.whole(course)):
        return True
    started = " ".join(" ".join(i.command.argv) for i in (course.entrypoint, course.cmd) if i is not None)
    return any(word.rsplit("/", 1)[-1] in _SERVERS for word in started.split())


def _variables(value: str) -> list[str]:
    """The variables in a value that the builder expands, as `$NAME` or `${NAME}`."""
    outside = re.sub(r"""\\.|"(?:\\.|[^"\\])*"|'[^']*'""", lambda m: _kept(m[0]), value, flags=re.DOTALL)
    return [a or b for a, b in re.findall(r"\$(?:(\w+)|\{(\w+)\})", outside)]


def _kept(part: str) -> str:
    if part[0] == '"':
        return re.sub(r"\\.", "", part, flags=re.DOTALL)
    return ""


def _split(env: Env, name: str, used: str) -> Fix | None:
    """The pair moved into an ENV of its own, below, where everything is on one line."""
    node = env.node
    text = node.source.text[node.span.start : node.span.end]
    pair = next((f"{n}={v}" for n, v in env.pairs if n == name), "")
    if "\n" in text or text.count(f" {pair}") != 1 or sum(n == name for n, _ in env.pairs) > 1:
        return None
    if any(name in _variables(value) for other, value in env.pairs if other != name):
        return None
    at = node.span.start + text.index(f" {pair}")
    below = f"{newline(node.source.text)}{cased(node, 'ENV')} {pair}"
    edits = (Edit(Span(at, at + len(pair) + 1), ""), Edit(Span(node.span.end, node.span.end), below))
    return Fix(f"set {name} in an ENV of its own", edits, "A", frozenset((f"config.Env {name}", f"env {name}")))


RULES = (
    PortTooLarge(),
    SshPortExposed(),
    SystemDirectoryAsWorkdir(),
    SystemDirectoryAsVolume(),
    VariableOfSameEnv(),
    HealthcheckMissing(),
)
