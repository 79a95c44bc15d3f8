"""Who the program runs as, and who owns its files."""

import posixpath
from collections.abc import Iterator

from kezuri.check.course import Course, Courses, Step, courses, within
from kezuri.check.rule import Example, Finding, Level, Rule
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Copy, Expose

_SETTINGS = frozenset(
    (
        "yml", "yaml", "conf", "cfg", "ini", "json", "toml", "xml", "properties", "sh", "sql", "txt", "md", "cnf",
        "env", "crt", "pem",
    )
)  # fmt: skip
_DROPS = frozenset(
    (
        "gosu",
        "su-exec",
        "setpriv",
        "setuidgid",
        "runuser",
        "s6-overlay",
        "supervisor",
        "supervisord",
        "fixuid",
        "chroot",
    )
)
"""Programs by which a container that starts as root gives that up."""
_SERVERS = frozenset(
    (
        "uvicorn", "gunicorn", "flask", "hypercorn", "daphne", "waitress-serve", "streamlit", "puma", "rails", "rackup",
        "granian", "next",
    )
)  # fmt: skip
_INTERPRETERS = frozenset(("node", "npm", "yarn", "pnpm", "bun", "deno", "dotnet", "java", "php", "python", "python3"))
"""Programs that run a service as often as a tool: a tool has an ENTRYPOINT that takes arguments."""


class MissingUser(Rule):
    """The image runs as root, because nobody said anything else."""

    name = "MissingUser"
    summary = "The image that runs should have a USER"
    why = (
        "Without USER the program is root: who gets into it may write every file of the image, install "
        "programs, and has "
        "more rights towards the kernel. Many bases have a user ready (`node`, `nobody`, 65532 of "
        "distroless).\n\nIt is a "
        "`warning` for a program that answers on a port above 1023, and `info` where root may be meant: an "
        "entry point "
        "that gives its rights up by itself, a tool that works on files of its caller, a base that nobody "
        "here knows. Nothing is said of a stage on scratch that starts nothing: it holds files for somebody else; of "
        "another one that starts nothing by itself it is a matter of style. "
        "BuildKit's and hadolint's checks say nothing of a file without any USER.\n\nTwo of kezuri's examples "
        "run as root as "
        "their articles do: `express/Dockerfile.001` and `targets/Dockerfile`; `examples/broken` says so of both."
    )
    japanese = (
        "動かすイメージには USER を書く",
        "USER がなければプログラムは root です。侵入されると、イメージのどのファイルも書き換えられ、"
        "プログラムを追加され、カーネルに対する権限も"
        "多くなります。多くのベースにはユーザーがあります（`node`、`nobody`、distroless の 65532）。",
    )
    aliases = ("DS-0002", "CIS-DI-0001")
    severity = "warning"
    fix_class = "V"
    bad = Example(
        'FROM node:22-slim\nWORKDIR /app\nCOPY main.js ./\nEXPOSE 3000\nCMD ["node", "main.js"]\n',
        files={"main.js": ""},
    )
    good = Example(
        'FROM node:22-slim\nWORKDIR /app\nCOPY main.js ./\nUSER node\nEXPOSE 3000\nCMD ["node", "main.js"]\n',
        files={"main.js": ""},
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            last = course is walked.last
            # Alternatives, one below the other: each of them is an image of its own.
            alone = not course.name and not walked.used_by(course.number) and course.cmd is not None
            if course.user or (not last and not alone) or course.ground.root is False:
                continue
            started = course.cmd is not None or course.entrypoint is not None
            if not started and course.ground.family == "scratch":
                continue
            level: Level = "warning" if self._serves(walked, course) else "info" if started else "style"
            fix = None
            if subject.surroundings is not None and last:
                from kezuri.check.repairs.accounts import user_fix

                fix = user_fix(subject, walked, course)
            node = (course.cmd or course.entrypoint or course.stage.start).node
            if node.number < course.stage.start.node.number:
                node = course.stage.start.node
            text = "the program runs as root: the stage has no USER"
            if course.ground.root is None:
                text = "the program runs as root, if the base says no other user: the stage has no USER"
            elif not started:
                text = "what is started here runs as root: the stage has no USER"
            hint = f"write `USER {_account(course)}` before it starts"
            yield Finding(self, text, node, None, fix, hint, level=level)

    def _serves(self, walked: Courses, course: Course) -> bool:
        if course is walked.last and walked.image() is None:
            return False
        if course.ground.root is None or (course.cmd is None and course.entrypoint is None):
            return False
        words = [w for i in (course.entrypoint, course.cmd) if i is not None for w in " ".join(i.command.argv).split()]
        first = words[0].rsplit("/", 1)[-1] if words else ""
        if first.endswith(".sh") or "entrypoint" in first or first in _DROPS:
            return False
        ports = []
        for step in walked.whole(course):
            if any("s6-overlay" in word for word in step.sources):
                return False
            if isinstance(step.instruction, Expose):
                ports += [p.split("/")[0] for p in step.instruction.ports]
            for act in step.acts:
                said = {act.command.program, *(act.use.words if act.use is not None else ())}
                if said & _DROPS:
                    return False
        if any(p.isdigit() and int(p) < 1024 for p in ports):
            return False
        return bool(ports) or first in _SERVERS or (first in _INTERPRETERS and course.entrypoint is None)


class ChownAfterCopy(Rule):
    """`chown -R` of what COPY brought."""

    name = "ChownAfterCopy"
    summary = "Files should get their owner when they are copied"
    why = (
        "A RUN that changes the owner of files that an earlier layer holds stores all of them a second time: "
        "the image "
        "grows by the size of the program. `COPY --chown=` gives the owner at once.\n\nIt is `info` where "
        "only files of "
        "settings are copied."
    )
    japanese = (
        "ファイルの所有者はコピーするときに決める",
        "前のレイヤーのファイルの所有者を RUN で変えると、すべてもう一度保存され、"
        "イメージはその分だけ大きくなります。`COPY --chown=` なら"
        "最初からその所有者になります。",
    )
    severity = "warning"
    fix_class = "V"
    bad = Example("FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN chown -R node:node /app\nUSER node\n")
    good = Example("FROM node:22-slim\nWORKDIR /app\nCOPY --chown=node:node . .\nUSER node\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            copies: list[Step] = []
            for step in course.steps:
                if isinstance(step.instruction, Copy):
                    copies.append(step)
                    continue
                for act in step.acts:
                    command = act.command
                    if command.program != "chown" or not command.has("-R", "--recursive") or "branch" in command.within:
                        continue
                    plain = command.plain
                    if len(plain) < 2 or plain[0].startswith("--"):
                        continue
                    owner = plain[0]
                    paths = [posixpath.normpath(posixpath.join(act.cwd, p)) for p in plain[1:]]
                    touched = [
                        c for c in copies if any(p != "/" and "*" not in p and within(_landed(c), p) for p in paths)
                    ]
                    touched = [c for c in touched if not _owned(c, owner)]
                    if not touched:
                        continue
                    fix = None
                    if subject.surroundings is not None:
                        from kezuri.check.repairs.owners import fold_chown

                        fix = fold_chown(subject, course, step, act, touched, paths)
                    lines = subject.dockerfile.source
                    at = lines.text.count("\n", 0, touched[0].instruction.node.span.start) + 1
                    text = f"`chown -R` stores a second time what line {at} copied"
                    hint = f"write `COPY --chown={owner}` and leave the chown out"
                    if _made_later(course, touched[0], owner):
                        hint = f"make the account above the COPY, write `COPY --chown={owner}`, and leave the chown out"
                    level: Level = "info" if all(_little(c) for c in touched) else "warning"
                    span = act.text.span(command.span)
                    yield Finding(self, text, step.instruction.node, span, fix, hint, level=level)
                    seen = {id(c) for c in touched}
                    copies = [c for c in copies if id(c) not in seen]


class CopyAfterUser(Rule):
    """COPY below USER without --chown."""

    name = "CopyAfterUser"
    summary = "COPY does not follow USER: files belong to root unless --chown says otherwise"
    why = (
        "After `USER app` one expects what is copied to belong to app. It belongs to root: the program can "
        "read it and "
        "not write it, which is safe if it is meant, and a `Permission denied` at run time if it is not."
    )
    japanese = (
        "COPY は USER に従わない。--chown がなければファイルは root のものになる",
        "`USER app` の後にコピーしたものは app のものになると思いがちですが、root のものです。"
        "読めても書けません。意図したことなら安全ですが、"
        "そうでなければ実行時に `Permission denied` になります。",
    )
    severity = "info"
    bad = Example("FROM node:22-slim\nUSER node\nWORKDIR /home/node/app\nCOPY . .\n")
    good = Example("FROM node:22-slim\nUSER node\nWORKDIR /home/node/app\nCOPY --chown=node:node . .\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            for step in course.copies():
                copy = step.instruction
                assert isinstance(copy, Copy)
                said = step.user.split(":")[0]
                if copy.chown is not None or said in ("", "root", "0") or "$" in said:
                    continue
                if all(w.startswith(("http://", "https://")) for w in step.sources):
                    continue
                if any(within(step.to, place) for place in _ROOTS):
                    continue  # programs and settings that are read: root is the right owner
                if course.entrypoint is not None and step.to in course.entrypoint.command.argv:
                    continue
                text = f"what is copied here belongs to root, not to `{said}`"
                hint = f"write {copy.node.keyword} --chown={step.user}, if the program writes to it"
                yield Finding(self, text, copy.node, hint=hint)


_ROOTS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/etc/ssl", "/usr/share")
"""Where programs and certificates lie, which nobody writes to."""


def _account(course: Course) -> str:
    """A user that the base has."""
    if course.ground.family in ("scratch", "distroless", "wolfi"):
        return "65532"
    return {"node": "node", "bun": "bun", "deno": "deno"}.get(course.ground.language, "nobody")


def _made_later(course: Course, copy: Step, owner: str) -> bool:
    """Whether an account is made below a COPY, which cannot know it by its name then."""
    name = owner.partition(":")[0]
    below = course.steps[next(n for n, step in enumerate(course.steps) if step is copy) :]
    return not name.isdigit() and any(
        act.command.program in ("useradd", "adduser") and name in act.command.plain for s in below for act in s.acts
    )


def _landed(step: Step) -> str:
    """The directory or file that a COPY made."""
    copy = step.instruction
    assert isinstance(copy, Copy)
    if copy.destination.endswith(("/", "/.")) or copy.destination == "." or len(step.sources) > 1:
        return step.to
    return step.to


def _little(step: Step) -> bool:
    """Whether a COPY brings nothing but a few files of settings, by their names."""
    return all(word.rsplit("/", 1)[-1].rpartition(".")[2].lower() in _SETTINGS for word in step.sources)


def _owned(step: Step, owner: str) -> bool:
    copy = step.instruction
    assert isinstance(copy, Copy)
    return copy.chown is not None and copy.chown.split(":")[0] == owner.split(":")[0]


RULES = (MissingUser(), ChownAfterCopy(), CopyAfterUser())
