"""How dependencies are installed: before the source, from the lock file, with a cache."""

from collections.abc import Iterator

from kezuri.check.course import Act, Course, Step, courses, within
from kezuri.check.managers import APK, CARGO, COMPOSER, GO, GRADLE, MAVEN, NPM, NUGET, PIP, POETRY, UV
from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.stack import package_json, section, stack
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Copy, Run

EVERYTHING = frozenset((".", "./", "/", "*", "./*", "./.", "**"))
"""Sources of a COPY that mean the whole context."""
_IMPLIED = (GO, MAVEN, GRADLE, CARGO)
_WORKSPACES = ("--filter", "--recursive", "--workspace", "-r", "-w")
_SCRIPTS = ("preinstall", "install", "postinstall", "prepare")


class SourceBeforeDependencies(Rule):
    """The source is copied before the dependencies are installed."""

    name = "SourceBeforeDependencies"
    summary = "Dependencies should be installed before the source is copied"
    why = (
        "A step runs again when what was copied before it has changed. Below `COPY . .` that is every change of the "
        "source: all dependencies are downloaded and installed again for one line. Copied alone, manifest and "
        "lock file "
        "change seldom, and the installation stays in the cache.\n\nIt is `info` where the build tool "
        "downloads on its "
        "way (`go build`, `mvn package`), where a cache mount makes that cheap, and where the manifest needs the "
        "source: workspaces, scripts that run at installation."
    )
    japanese = (
        "依存関係はソースをコピーする前にインストールする",
        "ステップは、その前にコピーしたものが変わると再実行されます。`COPY . .` の後では、ソースを一行変えるたびに"
        "すべての依存関係がダウンロードし直されます。マニフェストとロックファイルだけを先にコピーすれば、"
        "めったに変わらないため"
        "インストールの結果がキャッシュに残ります。",
    )
    severity = "warning"
    fix_class = "V"
    bad = Example(
        'FROM node:22-slim\nWORKDIR /app\nCOPY . .\nRUN npm ci\nUSER node\nCMD ["node", "main.js"]\n',
        files={"package.json": "{}", "package-lock.json": "{}", "main.js": ""},
    )
    good = Example(
        "FROM node:22-slim\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\nUSER node\n"
        'CMD ["node", "main.js"]\n',
        files={"package.json": "{}", "package-lock.json": "{}", "main.js": ""},
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        for course in walked.all:
            broad: list[Step] = []
            done: set[str] = set()
            for step in walked.whole(course):
                if isinstance(step.instruction, Copy):
                    if step.origin is None and _is_broad(subject, step):
                        broad.append(step)
                    continue
                for act in step.acts:
                    use = act.use
                    if use is None or use.everywhere or use.manager.name in done:
                        continue
                    if use.deed not in ("install", "fetch") and not (use.deed == "build" and use.manager in _IMPLIED):
                        continue
                    done.add(use.manager.name)
                    over = next((c for c in broad if within(act.cwd, c.to) or within(c.to, act.cwd)), None)
                    if over is not None and step.stage == course.number:
                        yield from self._found(subject, course, over, step, act)

    def _found(self, subject: Subject, course: Course, over: Step, step: Step, act: Act) -> Iterator[Finding]:
        assert act.use is not None
        assert isinstance(step.instruction, Run)
        if act.use.deed == "build" and _vendored(subject, act):
            return
        command = " ".join(word.text for word in act.command.words[:3])[:60]
        level: Level = "warning"
        cheap = act.use.deed == "build" or has_cache(step.instruction) or act.use.manager in (NUGET, GRADLE, MAVEN)
        if cheap or entangled(subject, act):
            level = "info"
        fix = None
        if subject.surroundings is not None:
            from kezuri.check.repairs.order import dependencies_first

            fix = dependencies_first(subject, course, over, step, act)
        files = ", ".join((*act.use.manager.manifests[:1], *act.use.manager.locks[:1])).replace("*", "")
        text = f"the source is copied before `{command}`: every change of it installs all dependencies again"
        hint = f"copy {files} alone, install, then copy the source"
        if act.use.source and act.use.manager is POETRY:
            hint = "copy pyproject.toml and poetry.lock alone, run `poetry install --no-root`, then copy the source"
        elif act.use.source and act.use.manager is UV:
            hint = "copy pyproject.toml and uv.lock alone, run `uv sync --no-install-project`, then copy the source"
        elif act.use.source and act.use.manager is COMPOSER:
            hint = (
                "copy composer.json and composer.lock alone, install with --no-scripts --no-autoloader, copy the source"
            )
        elif act.use.manager is PIP and act.use.words:
            hint = f"copy {act.use.words[0]} alone, install, then copy the source"
        elif act.use.manager is GO:
            hint = "copy go.mod and go.sum alone, run `go mod download`, then copy the source"
        span = act.text.span(act.command.span)
        yield Finding(self, text, step.instruction.node, span, fix, hint, level=level)


class InstallWithoutCacheMount(Rule):
    """An installation without a cache mount."""

    name = "InstallWithoutCacheMount"
    summary = "What package managers download should be kept in a cache mount"
    why = (
        "When an installation has to run again, for one new dependency, it downloads all the others again "
        "too. A cache "
        "mount (`RUN --mount=type=cache,target=…`) outlives the build: what was downloaded once stays there, and "
        "nothing of it gets into the image, so that no cleaning is needed either."
    )
    japanese = (
        "パッケージマネージャーがダウンロードしたものはキャッシュマウントに残す",
        "依存関係が一つ増えただけでも、インストールのステップはほかのすべてをダウンロードし直します。"
        "キャッシュマウント"
        "（`RUN --mount=type=cache,target=…`）はビルドが終わっても残り、イメージには入らないので、"
        "後始末も要りません。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example("FROM python:3.12-slim\nCOPY requirements.txt ./\nRUN pip install -r requirements.txt\n")
    good = Example(
        "FROM python:3.12-slim\nCOPY requirements.txt ./\n"
        "RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt\n"
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            for step in course.runs():
                run = step.instruction
                assert isinstance(run, Run)
                if has_cache(run):
                    continue
                acts = [a for a in step.acts if _downloads(a)]
                if not acts:
                    continue
                names = list(dict.fromkeys(a.use.manager.name for a in acts if a.use is not None))
                fix = None
                if subject.surroundings is not None:
                    from kezuri.check.repairs.caches import cache_mounts

                    fix = cache_mounts(subject, course, step, acts)
                text = f"what {', '.join(names)} downloads is downloaded again whenever this step runs"
                caches = next(a.use.manager.caches for a in acts if a.use is not None)
                hint = f"keep the downloads: RUN --mount=type=cache,target={caches[0]}"
                span = acts[0].text.span(acts[0].command.span)
                yield Finding(self, text, run.node, span, fix, hint)


class DeprecatedInstallFlag(Rule):
    """Flags of package managers that have a new name."""

    name = "DeprecatedInstallFlag"
    summary = "Flags that package managers have given up should not be used"
    why = (
        "npm warns of `--only=production` and `--production` since version 7 and says `--omit=dev` instead; "
        "Poetry has "
        "removed `--no-dev` for `--only main`. One day they are ignored, and the image holds development "
        "dependencies."
    )
    japanese = (
        "廃止されたフラグは使わない",
        "npm はバージョン 7 から `--only=production` と `--production` に警告を出し、`--omit=dev` "
        "を使うように言います。Poetry は "
        "`--no-dev` をやめ、`--only main` にしました。いずれ無視されるようになると、"
        "開発用の依存関係がイメージに入ります。",
    )
    severity = "info"
    fix_class = "V"
    bad = Example("FROM node:22-slim\nCOPY package.json package-lock.json ./\nRUN npm ci --only=production\n")
    good = Example("FROM node:22-slim\nCOPY package.json package-lock.json ./\nRUN npm ci --omit=dev\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for course in courses(subject).all:
            version = course.ground.version() if course.ground.language == "node" else (99,)
            for step in course.runs():
                for act in step.acts:
                    use = act.use
                    if use is None or use.manager not in (NPM, POETRY) or (version and version < (16,)):
                        continue
                    for word in act.command.arguments:
                        new = _RENAMED.get((use.manager.name, word.loose))
                        if new is None or (use.manager is NPM and use.deed not in ("install", "prune", "add")):
                            continue
                        span = act.text.span(word.span)
                        fix = Fix(f"write `{new}`", (Edit(span, new),), "V")
                        text = f"`{word.loose}` is deprecated in favour of `{new}`"
                        yield Finding(self, text, step.instruction.node, span, fix)


_RENAMED = {
    ("npm", "--only=production"): "--omit=dev",
    ("npm", "--only=prod"): "--omit=dev",
    ("npm", "--production"): "--omit=dev",
    ("poetry", "--no-dev"): "--only main",
}


def has_cache(run: Run) -> bool:
    """Whether a RUN has a cache mount."""
    return any(("type", "cache") in mount.options for mount in run.mounts)


def entangled(subject: Subject, act: Act) -> bool:
    """Whether what is installed needs more of the project than manifest and lock file, as far as can be seen."""
    node = act.use is not None and act.use.manager.ecosystem == "node"
    if node and any(w.loose.startswith(_WORKSPACES) for w in act.command.arguments):
        return True
    around = subject.surroundings
    if around is None or act.use is None or act.use.manager.ecosystem != "node":
        return False
    document = package_json(around)
    if document is not None and ("workspaces" in document or any(s in section(document, "scripts") for s in _SCRIPTS)):
        return True
    return any(around.exists(name) for name in ("pnpm-workspace.yaml", "lerna.json", "patches"))


def _is_broad(subject: Subject, step: Step) -> bool:
    copy = step.instruction
    assert isinstance(copy, Copy)
    if copy.excludes:
        return False
    if any(word in EVERYTHING for word in step.sources):
        return True
    around = subject.surroundings
    if around is None or len(step.sources) != 1:
        return False
    directory = step.sources[0].removeprefix("./").strip("/")
    if not directory or "*" in directory or not list(around.names(directory)):
        return False
    names = list(around.names(directory))
    found = stack(around, directory).found
    # a directory that holds a manifest and other things is a project
    files = {name for f in found for name in (*f.manifests, *f.locks)}
    return bool(found) and bool(set(names) - files)


def _vendored(subject: Subject, act: Act) -> bool:
    """Whether a build downloads nothing: what it needs lies in the context, or it was told to."""
    said = [word.loose for word in act.command.words]
    maven = act.use is not None and act.use.manager is MAVEN
    if "-mod=vendor" in said or (maven and ("-o" in said or "--offline" in said)):
        return True
    around = subject.surroundings
    if around is None or act.use is None or act.use.manager is not GO:
        return False
    return around.exists("vendor") or not around.exists("go.sum")


def _downloads(act: Act) -> bool:
    use = act.use
    if use is None or use.manager is APK or not use.manager.caches:
        return False
    if use.deed in ("install", "fetch", "add"):
        return True
    return use.deed == "build" and use.manager in (GO, MAVEN, GRADLE, CARGO, NUGET, PIP)


RULES = (
    SourceBeforeDependencies(),
    InstallWithoutCacheMount(),
    DeprecatedInstallFlag(),
)
