"""A HEALTHCHECK for an image whose port is known and that has a program to ask with."""

import re
from json import dumps

from kezuri.check.course import Course, courses
from kezuri.check.repairs.writing import directly_above, keyword, plain
from kezuri.check.rule import Fix
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Cmd, Entrypoint, Expose

_PATHS = re.compile(r"""["'](/(?:health|healthz|healthcheck|health/live|livez|live|ping|readyz|api/health))["'/]""")
_SOURCES = ("src", "app", "server", "lib", "cmd", "cmd/server", "")
_ENDINGS = (".js", ".ts", ".mjs", ".cjs", ".py", ".go", ".rb", ".java")
_MOST = 60


def healthcheck(subject: Subject) -> Fix | None:
    """The fix, where the last stage announces one port above 1023 and the source says a path for it: the program's
    own language asks, so that nothing has to be installed."""
    walked = courses(subject)
    course = walked.image()
    if course is None or subject.surroundings is None:
        return None
    announced = [s.instruction for s in walked.whole(course) if isinstance(s.instruction, Expose)]
    ports = {port.removesuffix("/tcp") for expose in announced for port in expose.ports}
    port = next(iter(ports)) if len(ports) == 1 else ""
    path = _path(subject)
    if not port.isdigit() or not path:
        return None
    argv = _asking(course, f"http://127.0.0.1:{port}{path}")
    started = [i for i in course.stage.instructions if isinstance(i, (Cmd, Entrypoint))]
    if not argv or not started or not plain(started[0].node):
        return None
    word, times = keyword(subject, "HEALTHCHECK"), "--interval=30s --timeout=3s --start-period=10s"
    line = f"{word} {times} {keyword(subject, 'CMD')} {dumps(argv)}"
    changes = frozenset(("config.Healthcheck", "probe.health"))
    return Fix(f"ask port {port} for {path}", (directly_above(started[0].node, line),), "V", changes)


def _asking(course: Course, url: str) -> list[str]:
    if course.ground.official and course.ground.language == "node":
        version = course.ground.version()
        if version and version < (18,):
            return []
        return ["node", "-e", f"fetch('{url}').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
    if course.ground.official and course.ground.language == "python":
        return ["python", "-c", f"import urllib.request; urllib.request.urlopen('{url}', timeout=2)"]
    if course.ground.family == "alpine":
        return ["wget", "-q", "-O", "/dev/null", url]
    return []


def _path(subject: Subject) -> str:
    """A path for health that the source of the program has; empty where none is seen."""
    around = subject.surroundings
    assert around is not None
    read = 0
    for directory in _SOURCES:
        for name in around.names(directory):
            if not name.endswith(_ENDINGS) or read >= _MOST:
                continue
            read += 1
            text = around.read(f"{directory}/{name}" if directory else name)
            found = _PATHS.search(text) if text is not None else None
            if found is not None:
                return found[1]
    return ""
