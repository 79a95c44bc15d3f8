"""What belongs to development and ends in production, and what production lacks while it is built."""

from collections.abc import Iterator, Mapping
from typing import Any

from kezuri.check.course import Act, Course, Courses, Step, courses, joined
from kezuri.check.managers import NPM, PNPM, YARN, Manager, Scope
from kezuri.check.rule import Example, Finding, Level, Rule
from kezuri.check.stack import package_json, section
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Copy

_PROVIDES = {
    "tsc": ("typescript",), "next": ("next",), "vite": ("vite",), "webpack": ("webpack", "webpack-cli"),
    "ng": ("@angular/cli",), "nest": ("@nestjs/cli",), "rollup": ("rollup",), "esbuild": ("esbuild",),
    "parcel": ("parcel",), "react-scripts": ("react-scripts",), "vue-cli-service": ("@vue/cli-service",),
    "gulp": ("gulp", "gulp-cli"), "babel": ("@babel/cli",), "nuxt": ("nuxt",), "tsup": ("tsup",),
    "ncc": ("@vercel/ncc",), "jest": ("jest",), "eslint": ("eslint",), "vitest": ("vitest",),
    "swc": ("@swc/cli",), "turbo": ("turbo",), "remix": ("@remix-run/dev",), "astro": ("astro",),
    "svelte-kit": ("@sveltejs/kit",), "nx": ("nx",), "mocha": ("mocha",),
}  # fmt: skip
BUILDS = ("build", "compile", "tsc", "bundle", "dist", "webpack", "prod")


class ProductionInstallBeforeBuild(Rule):
    """The build runs without its tools."""

    name = "ProductionInstallBeforeBuild"
    summary = "A build needs the development dependencies"
    why = (
        "Compilers and bundlers are development dependencies. Installed with `--omit=dev`, `--production`, or under "
        "`NODE_ENV=production`, they are not there, and `npm run build` ends with `tsc: not found`. Install "
        "everything "
        "where the program is built, and leave the development dependencies out of the stage that runs "
        "it.\n\nIt is an "
        "`error` where package.json says that the build's tool is a development dependency, and `info` where nothing "
        "tells: some projects have their tools among the dependencies."
    )
    japanese = (
        "ビルドには開発用の依存関係が要る",
        "コンパイラやバンドラーは開発用の依存関係です。`--omit=dev` や `--production`、`NODE_ENV=production` "
        "でインストールすると入らず、"
        "`npm run build` は `tsc: not found` で終わります。ビルドするステージではすべてをインストールし、"
        "動かすステージで開発用のものを除きます。",
    )
    severity = "warning"
    fix_class = "V"
    bad = Example(
        "FROM node:22-slim AS builder\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci --omit=dev\nCOPY . .\n"
        "RUN npm run build\n",
        files={
            "package.json": '{"scripts": {"build": "tsc"}, "devDependencies": {"typescript": "5"}}',
            "package-lock.json": "{}",
        },
    )
    good = Example(
        "FROM node:22-slim AS builder\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build\n",
        files={
            "package.json": '{"scripts": {"build": "tsc"}, "devDependencies": {"typescript": "5"}}',
            "package-lock.json": "{}",
        },
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        document = package_json(subject.surroundings)
        for course in walked.all:
            installed: dict[str, tuple[Step, Act, str]] = {}
            for step in walked.whole(course):
                if isinstance(step.instruction, Copy):
                    words = (*step.sources, step.to)
                    if step.origin is not None and any("node_modules" in w or w == "/" for w in words):
                        installed.clear()
                    continue
                for act in step.acts:
                    use = act.use
                    if use is None or use.manager.ecosystem != "node":
                        continue
                    place = place_of(act)
                    if use.deed == "install":
                        cause = _production(use.scope, use.manager, step, act)
                        installed.pop(place, None)
                        if cause:
                            installed[place] = (step, act, cause)
                    elif use.deed == "add" and not use.everywhere:
                        installed.pop(place, None)
                    elif use.deed == "script" and use.words[0].split(":")[0] in BUILDS:
                        found = installed.pop(place, None)
                        if found is not None and step.stage == course.number:
                            yield from self._found(subject, walked, course, found, use.words[0], document)

    def _found(
        self,
        subject: Subject,
        walked: Courses,
        course: Course,
        installed: tuple[Step, Act, str],
        script: str,
        document: Mapping[str, Any] | None,
    ) -> Iterator[Finding]:
        step, act, cause = installed
        tool = _tool(document, script)
        level: Level = "info"
        if tool is not None and tool[1] == "development":
            level = "error"
        elif tool is not None and tool[1] == "production":
            return
        elif document is None and _useless(walked, course):
            level = "warning"
        text = f"{cause} leaves the development dependencies out, and `{script}` needs its tools"
        if tool is not None:
            text = f"{cause} leaves the development dependencies out, and `{script}` needs `{tool[0]}`"
        hint = "install everything in the stage that builds; leave development dependencies out where the program runs"
        node = step.instruction.node
        span = act.text.span(act.command.span)
        fix = None
        if subject.surroundings is not None and level != "info":
            from kezuri.check.repairs.smaller import with_tools

            fix = with_tools(act)
        yield Finding(self, text, node, span, fix, hint, level=level)


class DevelopmentDependenciesShipped(Rule):
    """node_modules with development dependencies in the image."""

    name = "DevelopmentDependenciesShipped"
    summary = "Development dependencies should not be in the image that runs"
    why = (
        "`npm ci` installs compilers, test runners and linters as well: hundreds of megabytes that the program never "
        "loads, each a reason for a finding of a scanner. Install with `--omit=dev` in the final stage, or "
        "`npm prune --omit=dev` before the modules are copied.\n\nThree Dockerfiles of kezuri's own examples "
        "have it as "
        "the articles that they come from do: `express/Dockerfile.001`, `targets/Dockerfile` and "
        "`copy-link/Dockerfile`; "
        "`examples/broken` says so of each."
    )
    japanese = (
        "開発用の依存関係を実行用のイメージに入れない",
        "`npm ci` はコンパイラ、テスト、リンターもインストールします。プログラムが決して読み込まない数百 MB "
        "で、一つ一つが脆弱性スキャンで"
        "検出される原因になります。最終ステージで `--omit=dev` を付けてインストールするか、コピーする前に "
        "`npm prune --omit=dev` を実行します。",
    )
    severity = "warning"
    fix_class = "V"
    bad = Example(
        "FROM node:22-slim AS builder\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\n\n"
        "FROM node:22-slim\nWORKDIR /app\nCOPY --from=builder /app/node_modules ./node_modules\nCOPY main.js ./\n"
        'USER node\nCMD ["node", "main.js"]\n'
    )
    good = Example(
        "FROM node:22-slim AS builder\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci --omit=dev\n\n"
        "FROM node:22-slim\nWORKDIR /app\nCOPY --from=builder /app/node_modules ./node_modules\nCOPY main.js ./\n"
        'USER node\nCMD ["node", "main.js"]\n'
    )

    def look(self, subject: Subject) -> Iterator[Finding]:
        walked = courses(subject)
        last = walked.last
        if last is None or not _for_production(walked, last):
            return
        document = package_json(subject.surroundings)
        if document is not None and not section(document, "devDependencies"):
            return
        if any(a.use is not None and a.use.deed == "prune" for s in last.runs() for a in s.acts):
            return
        for step in last.copies():
            if not isinstance(step.origin, int):
                continue
            source = walked.all[step.origin]
            for word in step.sources:
                path = word.rstrip("/")
                if not path.endswith("node_modules"):
                    continue
                found = modules(walked, source).get(path.rpartition("/")[0] or "/")
                if found is not None and found[2]:
                    install = found[1]
                    text = f"`{path}` holds the development dependencies that `{said_by(install)}` installed"
                    hint = "run `npm prune --omit=dev` before, or install with --omit=dev in this stage"
                    fix = None
                    if subject.surroundings is not None:
                        from kezuri.check.repairs.smaller import pruned

                        fix = pruned(subject, walked, source, step, path, install)
                    yield Finding(self, text, step.instruction.node, None, fix, hint)
        if last.under is None and document is not None and not any(isinstance(s.origin, int) for s in last.copies()):
            shipped = [m for m in modules(walked, last).values() if m[2]]
            if shipped and walked.image() is not None:
                step, act, _ = shipped[0]
                text = f"`{said_by(act)}` installs the development dependencies into the image that runs"
                hint = "add --omit=dev, or build in a stage of its own"
                span = act.text.span(act.command.span)
                yield Finding(self, text, step.instruction.node, span, hint=hint, level="info")


def modules(walked: Courses, course: Course, depth: int = 5) -> dict[str, tuple[Step, Act, bool]]:
    """By the directory in which they are: the last installation of Node modules in a stage and those under it, or in
    the one that they are copied from, and whether development dependencies are there in the end."""
    known = walked.notes.get(("modules", course.number, depth))
    if isinstance(known, dict):
        return known
    found: dict[str, tuple[Step, Act, bool]] = {}
    walked.notes["modules", course.number, depth] = found
    for step in walked.whole(course):
        if isinstance(step.origin, int) and depth:
            for word in step.sources:
                if word.rstrip("/").endswith("/node_modules"):
                    there = modules(walked, walked.all[step.origin], depth - 1).get(word.rstrip("/").rpartition("/")[0])
                    if there is not None:
                        found[step.to.removesuffix("/node_modules") or "/"] = there
        for act in step.acts:
            use = act.use
            place = place_of(act)
            if use is None:
                gone = [w for w in act.command.words if w.loose.rstrip("/").endswith("node_modules")]
                if act.command.program == "rm" and gone:
                    found.pop(place, None)
            elif use.manager.ecosystem == "node" and not use.everywhere:
                if use.deed == "install":
                    found[place] = (step, act, not _production(use.scope, use.manager, step, act))
                elif use.deed == "prune" and place in found:
                    found[place] = (*found[place][:2], False)
    return found


def place_of(act: Act) -> str:
    """The directory that a command of a package manager works in: where it is run, or what it is told."""
    words = [word.loose for word in act.command.words]
    for number, word in enumerate(words[:-1]):
        if word in ("--prefix", "--dir", "-C", "--cwd"):
            return joined(act.cwd, words[number + 1])
    for word in words:
        if word.startswith(("--prefix=", "--cwd=", "--dir=")):
            return joined(act.cwd, word.partition("=")[2])
    return act.cwd


def _production(scope: Scope, manager: Manager, step: Step, act: Act) -> str:
    """What makes an installation leave development dependencies out; empty for nothing."""
    if scope == "everything":
        return ""
    if scope == "production":
        flag = next(
            (
                w.loose
                for w in act.command.arguments
                if "prod" in w.loose or "omit" in w.loose or w.loose in ("-P", "-p")
            ),
            "",
        )
        return f"`{flag}`" if flag else f"`{said_by(act)}`"
    if manager not in (NPM, YARN, PNPM):
        return ""
    for assignment in act.command.assignments:
        if assignment.name == "NODE_ENV":
            return (
                "`NODE_ENV=production`"
                if assignment.value is not None and assignment.value.loose == "production"
                else ""
            )
    if step.known.get("NODE_ENV") == "production":
        return "`NODE_ENV=production`"
    for name in ("NPM_CONFIG_PRODUCTION", "npm_config_production", "YARN_PRODUCTION"):
        if step.known.get(name) == "true":
            return f"`{name}=true`"
    return ""


def _tool(document: Mapping[str, Any] | None, script: str) -> tuple[str, str] | None:
    """The program that a script begins with, and which dependencies have it: "development", "production" or empty for
    neither; None where that is not known."""
    command = section(document, "scripts").get(script)
    if not isinstance(command, str):
        return None
    from kezuri.shell.reader import read

    production, development = section(document, "dependencies"), section(document, "devDependencies")
    seen = None
    for one in read(command[:4096]).commands:
        words = [w.loose for w in one.words if w.loose not in ("npx", "cross-env") and "=" not in w.loose]
        if not words:
            continue
        program = words[0].rsplit("/", 1)[-1]
        packages = _PROVIDES.get(program, (program,))
        if any(p in production for p in packages):
            seen = seen or (program, "production")
        elif any(p in development for p in packages):
            return program, "development"
    return seen


def _useless(walked: Courses, course: Course) -> bool:
    """Whether what the stage installs is for nobody but the build: a stage that takes from it, and not its modules,
    installs for production itself."""
    users = walked.used_by(course.number)
    if any(walked.all[n].under == course.number for n in users):
        return False
    for number in users:
        user = walked.all[number]
        taken = [w for s in user.copies() if s.origin == course.number for w in s.sources]
        installs = modules(walked, user, 0).values()
        if installs and not any(m[2] for m in installs) and not any("node_modules" in w for w in taken):
            return True
    return False


def _for_production(walked: Courses, course: Course) -> bool:
    return walked.image() is course or (course.cmd is None and course.entrypoint is None)


def said_by(act: Act) -> str:
    """The first words of a command, for a message."""
    return " ".join(word.text for word in act.command.words[:3])[:60]


RULES = (ProductionInstallBeforeBuild(), DevelopmentDependenciesShipped())
