"""What an image starts: its first process, its health check, and whether there is a shell for them."""

from collections.abc import Iterator

from kezuri.check.course import Course, Courses, Step, courses
from kezuri.check.rule import Example, Finding, Level, Rule
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Cmd, Copy, Entrypoint, Healthcheck, Run

_RUNNERS = frozenset(("npm", "yarn", "pnpm"))
_INITS = frozenset(("tini", "dumb-init", "catatonit", "tini-static", "s6-svscan", "init", "my_init", "docker-init"))
_SHELLS = ("/bin/sh", "/bin/bash", "/busybox/sh", "/bin/busybox", "/busybox", "/bin/ash")
_ASKERS = ("curl", "wget")


class PackageManagerAsProcess(Rule):
    """`npm start` as the first process."""

    name = "PackageManagerAsProcess"
    summary = "A container should start its program, not the package manager"
    why = (
        "With `npm start` the first process is npm, below it a shell, below that the program. SIGTERM reaches npm; "
        "whether it gets through is a matter of versions, and often the container is killed after ten seconds "
        "with its "
        "requests open. It also costs 50 MB of memory. Write what the script says: `node dist/server.js`."
    )
    japanese = (
        "コンテナはパッケージマネージャーではなくプログラムを起動する",
        "`npm start` では最初のプロセスが npm、その下がシェル、その下がプログラムになります。SIGTERM は npm "
        "に届き、プログラムまで届くかは"
        "バージョンしだいで、十秒後に処理中のまま強制終了されることがよくあります。メモリも 50 MB "
        "余計に使います。スクリプトに書いてある"
        "コマンド（`node dist/server.js`）を書きます。",
    )
    severity = "warning"
    fix_class = "V"
    bad = Example(
        'FROM node:22-slim\nWORKDIR /app\nCOPY . .\nUSER node\nCMD ["npm", "start"]\n',
        files={"package.json": '{"scripts": {"start": "node main.js"}}'},
    )
    good = Example(
        'FROM node:22-slim\nWORKDIR /app\nCOPY . .\nUSER node\nCMD ["node", "main.js"]\n',
        files={"package.json": '{"scripts": {"start": "node main.js"}}'},
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        course = walked.image()
        if course is None:
            return
        started = course.entrypoint or course.cmd
        instruction = started
        words = started_words(started) if started is not None else []
        level: Level = "warning"
        if words and words[0].rsplit("/", 1)[-1] in _INITS and course.cmd is not None:
            instruction, level = course.cmd, "info"
            inner = words[words.index("--") + 1 :] if "--" in words else []
            words = inner or started_words(course.cmd)
            instruction = started if inner else course.cmd
        if instruction is None or len(words) < 2 or words[0] not in _RUNNERS:
            return
        script = words[2] if words[1] in ("run", "run-script") and len(words) > 2 else words[1]
        if script.startswith("-") or script in ("exec", "dlx", "install", "ci", "add"):
            return
        if any(part in ("dev", "develop", "development", "watch", "test", "storybook") for part in script.split(":")):
            level = "info"
        if instruction.node.number < course.stage.start.node.number:
            return
        fix = None
        if subject.surroundings is not None:
            from kezuri.check.repairs.starting import resolved_script

            fix = resolved_script(subject, walked, course, instruction, script)
        text = f"`{' '.join(words[:3])}` puts {words[0]} and a shell before the program: signals may not reach it"
        hint = f"write the command of the script `{script}` itself"
        yield Finding(self, text, instruction.node, None, fix, hint, level=level)


class UnreapedChildren(Rule):
    """Node as process 1 without an init."""

    name = "UnreapedChildren"
    summary = "Node.js should not be process 1 without an init"
    why = (
        "The kernel gives process 1 no default for signals and every orphan to look after. Node does neither: "
        "without a "
        "handler of its own it ignores SIGTERM, and processes that it starts stay as zombies. `docker run --init`, "
        "`init: true` in a Compose file, or `tini` in the image takes that over."
    )
    japanese = (
        "Node.js を init なしで PID 1 にしない",
        "カーネルはプロセス 1 にシグナルの既定の動作を与えず、親を失ったプロセスを任せます。Node "
        "はどちらもしません。ハンドラーがなければ SIGTERM を"
        "無視し、起動した子プロセスはゾンビになります。`docker run --init`、Compose の `init: true`、"
        "イメージの中の `tini` がそれを引き受けます。",
    )
    severity = "info"
    bad = Example('FROM node:22-slim\nCOPY main.js /\nUSER node\nCMD ["node", "/main.js"]\n')
    good = Example(
        "FROM node:22-slim\nRUN apt-get update && apt-get install -y --no-install-recommends tini && "
        'rm -rf /var/lib/apt/lists/*\nCOPY main.js /\nUSER node\nENTRYPOINT ["tini", "--"]\nCMD ["node", "/main.js"]\n'
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        course = walked.image()
        if course is None or course.ground.language != "node" or _has_init(walked, course):
            return
        started = course.entrypoint or course.cmd
        if started is None or started.node.number < course.stage.start.node.number:
            return
        words = started_words(started)
        if words and words[0].rsplit("/", 1)[-1] == "node":
            text = "node is process 1: it ignores signals that it has no handler for, and reaps no children"
            hint = "run with --init (Compose: `init: true`), or start it by tini"
            yield Finding(self, text, started.node, hint=hint)


class ShellFormWithoutShell(Rule):
    """The shell form on an image that has no shell."""

    name = "ShellFormWithoutShell"
    summary = "An image without a shell needs the exec form"
    why = (
        "`CMD node main.js` means `/bin/sh -c 'node main.js'`. On scratch and distroless there is no /bin/sh: the "
        'container does not start, the health check never succeeds, a RUN ends the build. Write `CMD ["…"]`.'
    )
    japanese = (
        "シェルのないイメージでは exec 形式を使う",
        "`CMD node main.js` は `/bin/sh -c 'node main.js'` の意味です。scratch と distroless には /bin/sh "
        "がないので、コンテナは起動せず、"
        'ヘルスチェックは成功せず、RUN ではビルドが失敗します。`CMD ["…"]` と書きます。',
    )
    severity = "error"
    bad = Example("FROM gcr.io/distroless/nodejs22-debian12:nonroot\nCOPY main.js /\nCMD node /main.js\n")
    good = Example('FROM gcr.io/distroless/nodejs22-debian12:nonroot\nCOPY main.js /\nCMD ["/main.js"]\n')

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            if course.ground.shell is not False:
                continue
            before: list[Step] = [s for s in walked.whole(course) if s.stage != course.number]
            for step in course.steps:
                before.append(step)
                instruction = step.instruction
                if not isinstance(instruction, (Run, Cmd, Entrypoint, Healthcheck)):
                    continue
                command = instruction.command
                if command is None or not command.shell or not command.argv or not command.argv[0].strip():
                    continue
                named = {word.rsplit("/", 1)[-1] for word in command.argv[0].split()}
                if _own_shell(subject, course) or any(_brings_shell(s, named) for s in before):
                    break
                what = "scratch" if course.ground.family == "scratch" else "distroless"
                text = f"{instruction.node.keyword} in shell form needs /bin/sh, and {what} has none"
                hint = "write it in exec form, as a JSON array"
                if isinstance(instruction, Run):
                    hint = "run it in the stage before, and copy the result"
                yield Finding(self, text, instruction.node, hint=hint)


class HealthcheckProgramMissing(Rule):
    """A health check that asks with a program that is not there."""

    name = "HealthcheckProgramMissing"
    summary = "The program of a health check should be in the image"
    why = (
        "Alpine, and the slim variants of the official images, have no curl; Debian's have no wget either. A health "
        "check with it fails every time, and the container is unhealthy for ever though the program is well. "
        "Install it, "
        "use what is there (Alpine's BusyBox has wget), or ask with the program's own language."
    )
    japanese = (
        "ヘルスチェックが使うプログラムはイメージの中にあること",
        "Alpine と公式イメージの slim には curl がありません。Debian には wget もありません。"
        "それを使うヘルスチェックは毎回失敗し、プログラムは"
        "動いているのにコンテナはずっと unhealthy になります。インストールするか、あるもの（Alpine の BusyBox "
        "には wget があります）を使うか、"
        "プログラムと同じ言語で問い合わせます。",
    )
    severity = "warning"
    bad = Example(
        "FROM node:22-alpine\nCOPY main.js /\nHEALTHCHECK CMD curl -f http://localhost:3000/ || exit 1\n"
        'USER node\nCMD ["node", "/main.js"]\n'
    )
    good = Example(
        "FROM node:22-alpine\nCOPY main.js /\nHEALTHCHECK CMD wget -qO /dev/null http://localhost:3000/ || exit 1\n"
        'USER node\nCMD ["node", "/main.js"]\n'
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            for step in course.steps:
                check = step.instruction
                if not isinstance(check, Healthcheck) or check.command is None:
                    continue
                for program in _asked(subject, check):
                    if lacks(walked, course, program):
                        text = f"`{program}` is not in this image: the health check never succeeds"
                        hint = other_way(course, program)
                        yield Finding(self, text, check.node, hint=hint)


def lacks(walked: Courses, course: Course, program: str) -> bool:
    """Whether an image surely has no program of that name: its base has none and no step brings it."""
    name = program.rsplit("/", 1)[-1]
    if not course.ground.lacks(name):
        return False
    known = walked.notes.get(("lacks", course.number, name))
    if known is None:
        known = walked.notes["lacks", course.number, name] = _brought_by_none(walked, course, name)
    return bool(known)


def _brought_by_none(walked: Courses, course: Course, name: str) -> bool:
    for step in walked.whole(course):
        if isinstance(step.instruction, Copy):
            if step.to.endswith(f"/{name}") or any(w.endswith(f"/{name}") for w in step.sources):
                return False
            if step.to in ("/", "/usr", "/usr/bin", "/bin", "/usr/local", "/usr/local/bin") and step.origin is not None:
                return False
        for act in step.acts:
            words = [w.loose for w in act.command.words]
            if any(name in w or "$" in w or w.endswith(".sh") for w in words[1:]) or words[:1] == ["make"]:
                return False
            if act.use is None and words and (words[0].endswith(".sh") or words[0].startswith((".", "$"))):
                return False
    return True


def other_way(course: Course, program: str) -> str:
    """What to ask with instead."""
    if course.ground.family == "alpine" and program == "curl":
        return "use BusyBox's `wget -qO /dev/null URL`, or `apk add --no-cache curl`"
    if course.ground.language == "node":
        return "ask with node: `node -e \"fetch('URL').then(r => process.exit(r.ok ? 0 : 1))\"`"
    if course.ground.language == "python":
        return "ask with python: `python -c \"import urllib.request as r; r.urlopen('URL')\"`"
    return "install it, or ask with a program that is there"


def started_words(instruction: Cmd | Entrypoint) -> list[str]:
    """The words of what is started, without `exec`; of the shell form those of its one command, or none."""
    command = instruction.command
    if not command.shell:
        words = list(command.argv)
        if len(words) == 3 and words[0].rsplit("/", 1)[-1] in ("sh", "bash", "ash") and words[1] == "-c":
            return _one(words[2])
        return words
    return _one(command.argv[0]) if command.argv else []


def _one(text: str) -> list[str]:
    from kezuri.shell.reader import read

    found = read(text)
    if found.broken or len(found.commands) != 1:
        return []
    words = [word.loose for word in found.commands[0].words]
    return words[1:] if words[:1] == ["exec"] else words


def _asked(subject: Subject, check: Healthcheck) -> list[str]:
    command = check.command
    assert command is not None
    if command.shell:
        commands = [c for text in subject.scripts(check) for c in text.script.commands]
        return [p for p in dict.fromkeys(c.program for c in commands) if p in _ASKERS]
    words = list(command.argv)
    if len(words) >= 3 and words[0].rsplit("/", 1)[-1] in ("sh", "bash", "ash") and words[1] == "-c":
        from kezuri.shell.reader import read

        return [p for p in dict.fromkeys(c.program for c in read(words[2]).commands) if p in _ASKERS]
    return [words[0]] if words and words[0] in _ASKERS else []


def _has_init(walked: Courses, course: Course) -> bool:
    for step in walked.whole(course):
        words = {w.rsplit("/", 1)[-1] for w in (*step.sources, step.to)}
        for act in step.acts:
            words |= {w.loose.rsplit("/", 1)[-1] for w in act.command.words}
        if words & _INITS or any("tini" in w or "dumb-init" in w or "s6-overlay" in w for w in words):
            return True
    return False


def _own_shell(subject: Subject, course: Course) -> bool:
    from kezuri.dockerfile.instructions import Shell

    return any(isinstance(i, Shell) for i in course.stage.instructions)


def _brings_shell(step: Step, named: set[str]) -> bool:
    """Whether a COPY or ADD may bring a shell: into a place of programs, or a whole tree. What the command names is
    none."""
    copy = step.instruction
    if not isinstance(copy, Copy):
        return False
    if step.to in _SHELLS or step.to in ("/bin", "/usr/bin", "/usr", "/sbin", "/usr/sbin", "/lib"):
        return True
    if step.to == "/":
        names = [word.rstrip("/").rsplit("/", 1)[-1] for word in step.sources]
        return copy.node.keyword == "ADD" or any(name not in named for name in names)
    return False


RULES = (PackageManagerAsProcess(), UnreapedChildren(), ShellFormWithoutShell(), HealthcheckProgramMissing())
