"""Manifest and lock file first, then the installation, then the source."""

from kezuri.check.course import Act, Course, Step, within
from kezuri.check.managers import BUN, BUNDLER, GO, NPM, PIP, PIPENV, PNPM, UV, YARN
from kezuri.check.repairs.writing import directly_above, ending, keyword, plain, removed
from kezuri.check.rule import Edit, Fix
from kezuri.check.stack import at, package_json, project_toml, section, stack
from kezuri.check.subject import Subject
from kezuri.check.surroundings import Surroundings
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg, Copy, Env, Label, Run, Workdir

_MOVABLE = (NPM, YARN, PNPM, BUN, PIP, PIPENV, UV, GO, BUNDLER)
_HARMLESS = frozenset(("set", "true", "cd", "corepack", "rm", "echo"))
_BESIDE = {
    NPM: (".npmrc",),
    YARN: (".npmrc", ".yarnrc", ".yarnrc.yml"),
    PNPM: (".npmrc", "pnpm-workspace.yaml"),
    BUN: ("bunfig.toml",),
    PIP: (),
    PIPENV: (),
    UV: (".python-version", "uv.toml"),
    GO: (),
    BUNDLER: (".ruby-version",),
}
"""Files beside the manifest that an installation reads where they are there."""


def dependencies_first(subject: Subject, course: Course, over: Step, step: Step, act: Act) -> Fix | None:
    """The fix, where everything that it needs is known: the installation is a RUN of its own that nothing between it
    and the COPY prepares, and the files that it reads are in the context."""
    around, use = subject.surroundings, act.use
    copy, run = over.instruction, step.instruction
    if around is None or use is None or use.manager not in _MOVABLE or use.deed not in ("install", "build"):
        return None
    if use.deed == "build" and use.manager is GO:
        return _modules_first(subject, around, course, over, act)
    if not isinstance(copy, Copy) or not isinstance(run, Run) or over.stage != course.number:
        return None
    if not _alone(step, act) or run.heredocs or copy.heredocs or len(over.sources) != 1 or copy.chmod or copy.parents:
        return None
    if not plain(copy.node) or not plain(run.node):
        return None
    start, stop = course.steps.index(over), course.steps.index(step)
    # What stands between may only say where and with which variables; the USER stays what it is.
    between = course.steps[start + 1 : stop]
    if any(not isinstance(s.instruction, (Workdir, Env, Arg, Label)) for s in between) or over.user != step.user:
        return None
    source = over.sources[0].removeprefix("./").strip("/").replace("*", "").rstrip("./")
    if act.cwd != over.to and not within(act.cwd, over.to):
        return None
    inner = act.cwd[len(over.to) :].strip("/") if over.to != "/" else act.cwd.strip("/")
    directory = at(source, inner) if inner else source
    files = _read(subject, around, directory, act)
    if not files:
        return None
    text = copy.node.source.text
    words = " ".join(at(directory, name) for name in files)
    owner = f"--chown={copy.chown} " if copy.chown is not None else ""
    place = "./" if act.cwd == over.cwd and not between else f"{act.cwd.rstrip('/')}/"
    flag = _flag(act)
    moved = text[run.node.span.start : run.node.span.end]
    if flag:
        inside = act.text.span(act.command.words[-1].span).end - run.node.span.start
        moved = f"{moved[:inside]} {flag}{moved[inside:]}"
    line = f"{keyword(subject, 'COPY')} {owner}{words} {place}"
    # The COPY goes below the installation: the text in between keeps its place.
    first, last = removed(copy.node), removed(run.node)
    again = text[copy.node.span.start : copy.node.span.end]
    newline = ending(text)
    tail = newline if last.span.end < len(text) or text.endswith("\n") else ""
    edits: list[Edit] = []
    if flag:
        # The project itself is installed once its source is there.
        again += newline + text[run.node.span.start : run.node.span.end]
    if between:
        edits = [
            Edit(first.span, ""),
            Edit(Span(last.span.start, last.span.end), f"{line}{newline}{moved}{newline}{again}{tail}"),
        ]
    else:
        edits = [
            Edit(first.span, f"{line}{newline}{moved}{newline}"),
            Edit(last.span, f"{again}{tail}"),
        ]
    said = ", ".join(files)
    return Fix(f"copy {said} first, install, and copy the rest below", tuple(edits), "V")


def _modules_first(subject: Subject, around: Surroundings, course: Course, over: Step, act: Act) -> Fix | None:
    """`go mod download` above the source that `go build` compiles: nothing has to move."""
    copy = over.instruction
    if not isinstance(copy, Copy) or over.stage != course.number or act.cwd != over.to or over.cwd != over.to:
        return None
    if over.sources[0] not in (".", "./") or not plain(copy.node):
        return None
    files = _read(subject, around, "", act)
    if len(files) < 2:
        return None
    word, newline = keyword(subject, "COPY"), ending(copy.node.source.text)
    lines = f"{word} {' '.join(files)} ./{newline}{keyword(subject, 'RUN')} go mod download"
    return Fix("download the modules before the source is copied", (directly_above(copy.node, lines),), "V")


def _alone(step: Step, act: Act) -> bool:
    """Whether the installation is all that its RUN does that could need the source."""
    for other in step.acts:
        if other is act or not other.command.words:
            continue
        use = other.use
        if use is None:
            harmless = other.command.program in _HARMLESS
        else:
            harmless = use.everywhere or (
                use.deed == "other" and use.words[:1] in (("cache",), ("config",), ("store",))
            )
        if not harmless:
            return False
    return not act.text.script.broken and not act.command.within


def _read(subject: Subject, around: Surroundings, directory: str, act: Act) -> tuple[str, ...]:
    """What the installation reads, as names in the directory; none where that cannot be said."""
    use = act.use
    assert use is not None
    if use.manager is PIP:
        files = []
        for word in use.words:
            name = word.removeprefix("./")
            text = around.read(at(directory, name))
            if text is None or "/" in name or any(_elsewhere(line) for line in text.splitlines()):
                return ()
            files.append(name)
        return tuple(files)
    found = stack(around, directory).of(use.manager)
    if found is None or not found.manifests:
        return ()
    if use.manager.ecosystem == "node":
        document = package_json(around, directory)
        if document is None or "workspaces" in document or "patchedDependencies" in section(document, "pnpm"):
            return ()
        scripts = section(document, "scripts")
        if any(name in scripts for name in ("preinstall", "install", "postinstall", "prepare", "prepublish")):
            return ()
        versions = {**section(document, "dependencies"), **section(document, "devDependencies")}
        if any(
            str(v).startswith(("file:", "link:", "workspace:", ".", "/", "portal:", "patch:"))
            for v in versions.values()
        ):
            return ()
        if around.exists(at(directory, ".yarn")) or around.exists(at(directory, "patches")):
            return ()
    if use.manager is UV:
        document = project_toml(around, directory)
        if document is None or "sources" in section(section(document, "tool"), "uv"):
            return ()
    if use.manager is BUNDLER and "gemspec" in (around.read(at(directory, "Gemfile")) or ""):
        return ()
    if use.manager is GO and "replace" in (around.read(at(directory, "go.mod")) or ""):
        return ()
    beside = [name for name in _BESIDE[use.manager] if around.exists(at(directory, name))]
    files = [*found.manifests, *found.locks, *(name for name in beside if name not in found.locks)]
    ignore = subject.ignore
    return tuple(name for name in files if ignore is None or not ignore.matches(at(directory, name)))


def _elsewhere(line: str) -> bool:
    """Whether a line of a requirements file names a file or a directory."""
    said = line.strip()
    return said.startswith(("-e", "-r", "-c", "--editable", "--requirement", "--constraint", ".", "/", "file:")) or (
        "@ file:" in said or "@ ." in said
    )


def _flag(act: Act) -> str:
    """What leaves the project itself out of its installation."""
    use = act.use
    return "--no-install-project" if use is not None and use.manager is UV and use.source else ""
