"""Cache mounts for the steps that install, and away with the cleaning that would empty them."""

from kezuri.check.course import Act, Course, Step, courses, within
from kezuri.check.managers import (
    APK,
    APT,
    BUNDLER,
    CARGO,
    COMPOSER,
    DNF,
    GO,
    GRADLE,
    MAVEN,
    NPM,
    NUGET,
    PIP,
    PNPM,
    POETRY,
    UV,
    YARN,
    Manager,
)
from kezuri.check.repairs.writing import flag
from kezuri.check.rule import Edit, Fix
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Run

_VARIABLES: dict[Manager, tuple[tuple[str, str], ...]] = {
    NPM: (("NPM_CONFIG_CACHE", ""),),
    YARN: (("YARN_CACHE_FOLDER", ""),),
    PIP: (("PIP_CACHE_DIR", ""),),
    UV: (("UV_CACHE_DIR", ""),),
    POETRY: (("POETRY_CACHE_DIR", ""),),
    CARGO: (("CARGO_HOME", "/registry"),),
    GRADLE: (("GRADLE_USER_HOME", ""),),
    COMPOSER: (("COMPOSER_CACHE_DIR", ""),),
    BUNDLER: (("GEM_HOME", "/cache"),),
}
"""Variables that say where the cache is, and what is below that."""
_TOGETHER = (GO, MAVEN, GRADLE, NUGET)
"""Managers whose later steps need what an earlier one downloaded: all of them get the mount, or none."""
_OFF = ("PIP_NO_CACHE_DIR", "UV_NO_CACHE")
_FLAGS = {PIP: "--no-cache-dir", UV: "--no-cache"}
_CLEANING = {
    "npm": ("cache",),
    "yarn": ("cache",),
    "pnpm": ("store", "cache"),
    "pip": ("cache",),
    "pip3": ("cache",),
    "apt-get": ("clean", "autoclean"),
    "apt": ("clean", "autoclean"),
    "dnf": ("clean",),
    "yum": ("clean",),
    "microdnf": ("clean",),
    "uv": ("cache",),
    "composer": ("clear-cache", "clearcache"),
}
_KEPT_PATHS = (
    "/var/lib/apt",
    "/var/cache/apt",
    "/var/cache/dnf",
    "/var/cache/yum",
    "/root/.npm",
    "/root/.cache",
    "~/.cache",
    "~/.npm",
)
_DOCKER_CLEAN = "/etc/apt/apt.conf.d/docker-clean"


def cache_mounts(subject: Subject, course: Course, step: Step, acts: list[Act]) -> Fix | None:
    """The fix, where the directories are known and everything that cleans them can be taken out."""
    managers = list(dict.fromkeys(a.use.manager for a in acts if a.use is not None))
    edits: list[Edit] = []
    changes: set[str] = set()
    steps = [step]
    if any(m in _TOGETHER for m in managers):
        steps = _with(subject, course, step, [m for m in managers if m in _TOGETHER])
        if not steps:
            return None
    for one in steps:
        made = _one(course, one, managers)
        if made is None or any(_takes(subject, target) for target in made[1]):
            return None
        edits += made[0]
        changes.update(f"file.gone {target.strip('/')}" for target in made[1])
        if APT in managers:
            changes |= {f"file.gone {_DOCKER_CLEAN.strip('/')}", "file var/lib/apt", "file var/cache/apt"}
    names = ", ".join(m.name for m in managers)
    return Fix(f"keep what {names} downloads in a cache mount", tuple(edits), "V", frozenset(changes))


def _with(subject: Subject, course: Course, step: Step, managers: list[Manager]) -> list[Step]:
    """The steps of the stage that use one of the managers, if this is the first; none where others may, unseen."""
    key = f"first of {course.number} {' '.join(m.name for m in managers)}"
    if subject.notes.get(key, step) is not step:
        return []
    found: list[Step] = []
    for other in course.runs():
        run = other.instruction
        assert isinstance(run, Run)
        if any(a.use is not None and a.use.manager in managers for a in other.acts):
            if not any(("type", "cache") in m.options for m in run.mounts):
                if not found:
                    subject.notes[key] = other
                    if other is not step:
                        return []
                found.append(other)
        elif run.node.number > step.instruction.node.number and GO not in managers and _unseen(other):
            return []
    return found


def _unseen(step: Step) -> bool:
    """Whether the step runs scripts that may call a package manager."""
    commands = [a.command for a in step.acts if a.use is None]
    return any(c.program in ("make", "sh", "bash") or "/" in c.name for c in commands)


def _one(course: Course, step: Step, managers: list[Manager]) -> tuple[list[Edit], list[str]] | None:
    run = step.instruction
    if not isinstance(run, Run) or step.user not in ("", "root", "0", "0:0") or any(o in step.known for o in _OFF):
        return None
    if course.base is not None and course.base.config.user not in ("", "root", "0", "0:0") and not step.user:
        return None
    if not step.acts or any(a.text.script.broken for a in step.acts):
        return None
    targets: list[str] = []
    mounts: list[str] = []
    edits: list[Edit] = []
    here = [a for a in step.acts if a.use is not None and a.use.manager in managers]
    ours = {id(act) for act in here}
    for manager in dict.fromkeys(a.use.manager for a in here if a.use is not None):
        if manager is APK or (manager is DNF and "dnf" not in {a.command.program for a in here}):
            return None
        if manager in (YARN, PNPM) and course.ground.language != "node":
            return None
        if manager is APT and (course.ground.family != "debian" or not _updates(step)):
            return None
        for target in _caches(manager, step):
            if not target.startswith("/") or "$" in target:
                return None
            targets.append(target)
            mounts.append(f"--mount=type=cache,target={target}{',sharing=locked' if manager.locked else ''}")
    if not mounts:
        return None
    for act in step.acts:
        unwanted = _FLAGS.get(act.use.manager) if act.use is not None and id(act) in ours else None
        for before, word in zip(act.command.words, act.command.words[1:]):
            if unwanted is not None and word.loose == unwanted:
                edits.append(Edit(act.text.span(Span(before.span.end, word.span.end)), ""))
        if _cleans(act):
            cut = _cut(step, act)
            if cut is None:
                return None
            edits.append(cut)
    if APT in managers:
        first = step.acts[0]
        if first.command.within or first.text.heredoc is not None:
            return None
        at = first.text.span(first.command.span).start
        edits.append(Edit(Span(at, at), f"rm -f {_DOCKER_CLEAN} && "))
    return [flag(run.node, " ".join(mounts)), *edits], targets


def _caches(manager: Manager, step: Step) -> tuple[str, ...]:
    for variable, below in _VARIABLES.get(manager, ()):
        if variable in step.known:
            return (step.known[variable].rstrip("/") + below,)
    if manager is GO:
        modules = step.known.get("GOMODCACHE") or f"{step.known.get('GOPATH', '/go').split(':')[0]}/pkg/mod"
        return (modules, step.known.get("GOCACHE", "/root/.cache/go-build"))
    home = step.known.get("HOME", "/root")
    return tuple(home + c.removeprefix("/root") if c.startswith("/root/") else c for c in manager.caches)


def _updates(step: Step) -> bool:
    """Whether the lists are brought up to date in the step, before anything is installed."""
    for act in step.acts:
        if act.use is not None and act.use.manager is APT:
            return act.use.words[:1] == ("update",) and not act.command.within
    return False


def _cleans(act: Act) -> bool:
    verbs = _CLEANING.get(act.command.program)
    plain = act.command.plain
    if verbs is not None and plain[:1] and plain[0] in verbs:
        return True
    return act.command.program == "rm" and any(p.startswith(_KEPT_PATHS) for p in plain)


def _cut(step: Step, act: Act) -> Edit | None:
    """The edit that takes a command out of its `&&` chain; None where that cannot be said."""
    command = act.command
    if command.program == "rm" and not all(p.startswith(_KEPT_PATHS) for p in command.plain):
        gone = [w for w in command.arguments if w.loose.startswith(_KEPT_PATHS)]
        if len(gone) != 1:
            return None
        at = command.words.index(gone[0])
        return Edit(act.text.span(Span(command.words[at - 1].span.end, gone[0].span.end)), "")
    if command.joint != "&&" or command.within or command.follows not in ("", "&&"):
        return None
    before = None
    for other in step.acts:
        if other is act:
            break
        if not other.command.within and other.text is act.text:
            before = other
    if before is None or command.redirects:
        return None
    span = act.text.span(Span(before.command.span.end, command.span.end))
    removed = step.instruction.node.source.text[span.start : span.end]
    return None if "#" in removed else Edit(span, "")


def _takes(subject: Subject, target: str) -> bool:
    """Whether a COPY takes what would be in the mount."""
    known = subject.notes.get(f"taken {target}")
    if known is None:
        stages = courses(subject).all
        steps = (step for course in stages for step in course.copies() if isinstance(step.origin, int))
        known = any(within(word.rstrip("/") or "/", target) for step in steps for word in step.sources)
        subject.notes[f"taken {target}"] = known
    return bool(known)
