"""Lock files: that there is one, and that the installation keeps to it."""

from collections.abc import Iterator

from kezuri.check.course import Act, Step, courses
from kezuri.check.managers import NPM, PNPM, UV, YARN
from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.rules.dependencies import EVERYTHING
from kezuri.check.stack import at
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Copy


class LockFileIgnored(Rule):
    """A lock file that the installation may change."""

    name = "LockFileIgnored"
    summary = "Images should be built from what the lock file says"
    why = (
        "`npm install` brings the lock file up to date when it does not fit the manifest, and then builds an "
        "image from "
        "versions that nobody has tried. `npm ci` (`yarn install --frozen-lockfile`, `pnpm install "
        "--frozen-lockfile`) "
        "takes exactly what is written there, or fails."
    )
    japanese = (
        "イメージはロックファイルのとおりに作る",
        "`npm install` はロックファイルがマニフェストと合わないとき書き換えてしまい、"
        "誰も試していないバージョンでイメージができます。"
        "`npm ci`（`yarn install --frozen-lockfile`、`pnpm install --frozen-lockfile`）"
        "は書かれたものだけを使い、合わなければ失敗します。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example("FROM node:22-slim\nCOPY package.json package-lock.json ./\nRUN npm install\n")
    good = Example("FROM node:22-slim\nCOPY package.json package-lock.json ./\nRUN npm ci\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            steps = walked.whole(course)
            copied = {n.rsplit("/", 1)[-1] for s in steps for n in s.sources if isinstance(s.instruction, Copy)}
            for step in course.runs():
                for act in step.acts:
                    use = act.use
                    if use is None or use.deed != "install" or use.manager not in (NPM, YARN, PNPM):
                        continue
                    said = [word.loose for word in act.command.words]
                    if "workspaces" in said:
                        continue  # `yarn workspaces focus` knows no such option
                    frozen = any("frozen-lockfile" in w or w in ("ci", "clean-install", "--immutable") for w in said)
                    if frozen or not _lock_at_hand(subject, copied, use.manager.locks, act):
                        continue
                    node = step.instruction.node
                    edit = None
                    if use.manager is NPM:
                        verb = next((w for w in act.command.words if w.loose in ("install", "i")), None)
                        hint = "write `npm ci`"
                        edit = Edit(act.text.span(verb.span), "ci") if verb is not None else None
                    else:
                        hint = "add --frozen-lockfile"
                    changes = frozenset(("file.content **/package-lock.json", "file **/node_modules"))
                    title = "install what the lock file says: `npm ci`"
                    fix = Fix(title, (edit,), "V", changes) if edit is not None else None
                    text = f"`{use.manager.name} install` may change the lock file and install other versions"
                    yield Finding(self, text, node, act.text.span(act.command.span), fix, hint)


class LockFileMissing(Rule):
    """A lock file that an installation needs and the context does not have."""

    name = "LockFileMissing"
    summary = "An installation from the lock file needs a lock file in the build context"
    why = (
        "`npm ci`, `pnpm install --frozen-lockfile` and `uv sync --frozen` end with an error where there is no lock "
        "file. `COPY package*.json ./` does not notice: the pattern fits the manifest alone as well."
    )
    japanese = (
        "ロックファイルからインストールするには、コンテキストにロックファイルが要る",
        "`npm ci`、`pnpm install --frozen-lockfile`、`uv sync --frozen` はロックファイルがないと失敗します。"
        "`COPY package*.json ./` はマニフェストだけでも当てはまるので、気づきません。",
    )
    severity = "error"
    bad = Example("FROM node:22-slim\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\n", files={"package.json": "{}"})
    good = Example(
        "FROM node:22-slim\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\n",
        files={"package.json": "{}", "package-lock.json": "{}"},
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        around = subject.surroundings
        if around is None:
            return
        walked = courses(subject)
        for course in walked.all:
            places: dict[str, str] = {}
            for step in walked.whole(course):
                if isinstance(step.instruction, Copy):
                    for word in step.sources if step.origin is None else ():
                        name = word.rstrip("/").rsplit("/", 1)[-1]
                        if word in EVERYTHING:
                            places[step.to] = ""
                        elif name in ("package.json", "package*.json", "pyproject.toml"):
                            places[step.to] = word.removeprefix("./").rpartition("/")[0].strip("/")
                    if step.origin is not None or step.instruction.heredocs:
                        places.clear()
                    continue
                for act in step.acts if step.stage == course.number else ():
                    use = act.use
                    directory = places.get(act.cwd)
                    if use is None or use.deed != "install" or directory is None or act.text.script.broken:
                        continue
                    said = [word.loose for word in act.command.words]
                    strict = {
                        NPM: "ci" in said or "clean-install" in said,
                        PNPM: "--frozen-lockfile" in said,
                        UV: "--frozen" in said or "--locked" in said,
                    }.get(use.manager, False)
                    manifest = use.manager.manifests[0]
                    if not strict or act.command.within or not around.exists(at(directory, manifest)):
                        continue
                    if _made(step) or any(around.exists(at(directory, lock)) for lock in use.manager.locks):
                        continue
                    command = " ".join(word.text for word in act.command.words[:2])
                    text = f"`{command}` fails: {at(directory, use.manager.locks[0])} is not in the build context"
                    hint = "make the lock file and commit it"
                    yield Finding(self, text, step.instruction.node, act.text.span(act.command.span), hint=hint)


def _lock_at_hand(subject: Subject, names: set[str], locks: tuple[str, ...], act: Act) -> bool:
    if names & {*locks} or any(lock.startswith("package-") and "package*.json" in names for lock in locks):
        around = subject.surroundings
        return around is None or not around.exists("package.json") or any(around.exists(lock) for lock in locks)
    around = subject.surroundings
    return around is not None and any(around.exists(lock) for lock in locks)


def _made(step: Step) -> bool:
    """Whether a command before makes the lock file (`npm i --package-lock-only`, `uv lock`)."""
    said = [word.loose for act in step.acts for word in act.command.words]
    return "lock" in said or "--package-lock-only" in said


RULES = (LockFileIgnored(), LockFileMissing())
