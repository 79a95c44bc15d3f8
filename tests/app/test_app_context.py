"""The build context: every file is accounted for, and an ignore file that is written changes no key."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezuri.app.context import context_use
from kezuri.app.context_ignore import Written, write_ignore
from kezuri.app.definition import Definition
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.forecast.context_use import ContextUse
from kezuri.forecast.ignore_text import LITTER, MARKER
from kezuri.keys.state import SCRATCH, State
from kezuri.plan.inputs import StageInput
from kezuri.plan.key import digest
from kezuri.progress.events import Event
from kezuri.progress.reporter import Reporter

_NUMBERS = count()


class Site:
    """A context and a store."""

    def __init__(self, directory: Path) -> None:
        self.context = directory / f"context-{next(_NUMBERS)}"
        self.context.mkdir(parents=True)
        self.root = directory / "store"

    def put(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def request(self, **more: object) -> BuildRequest:
        return BuildRequest(context=str(self.context))._replace(**more)  # type: ignore[arg-type]

    def use(self, **more: object) -> ContextUse:
        return context_use(self.request(**more), Settings(str(self.root)), _unheard)

    def write(self, **how: bool) -> Written:
        return write_ignore(self.request(), Settings(str(self.root)), _unheard, **how)

    def keys(self) -> list[tuple[str, str]]:
        """The keys of the target's instructions that take nothing from other stages, each as if it were the first."""
        with ExitStack() as held:
            session = held.enter_context(Session(Settings(str(self.root)), reading=True))
            definition = Definition(self.request(), session, Reporter(_unheard), _unheard, held)
            plan = definition.plan()
            keys = definition.workbench(plan, 1).keys
            operations = [operation for stage in plan.stages for operation in stage.operations]
            mine = [o for o in operations if not any(isinstance(source, StageInput) for source in o.inputs)]
            return [(o.title, digest(keys.components(o, SCRATCH, _no_state))) for o in mine]

    def ignore(self) -> str:
        return (self.context / ".dockerignore").read_text()


def _no_state(source: StageInput) -> State:
    raise AssertionError("nothing is built")


def _unheard(event: Event) -> None:
    pass


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_each_file_is_hidden_read_or_idle(site: Site) -> None:
    site.put(
        {
            "Dockerfile": "FROM scratch AS one\nCOPY package.json src/*.js /app/\n"
            "FROM scratch\nCOPY --from=one /app /\nCOPY docs /docs\nFROM scratch AS three\nCOPY src /src\n",
            ".dockerignore": "# none\nnode_modules\n**/*.log\n!docs/keep.log\n",
            "package.json": "12345",
            "src/a.js": "123",
            "src/b.js": "1234",
            "src/c.css": "12",
            "docs/keep.log": "1234567",
            "docs/other.log": "12345678",
            "node_modules/x/y": "0" * 1000,
            "node_modules/x/z.log": "0" * 100,
            "tests/t": "0" * 50,
            "tests/u/v": "0" * 5,
        }
    )
    use = site.use(target="")
    assert [(r.line, r.heap.files, r.heap.size, r.alone, r.wanted) for r in use.readings] == [
        (2, 3, 12, 5, False),
        (5, 1, 7, 7, False),
        (7, 3, 9, 2, True),
    ]
    assert [(h.line, h.written, h.heap.files, h.heap.size) for h in use.hidden] == [
        (2, "node_modules", 2, 1100),
        (3, "**/*.log", 1, 8),
    ]
    assert use.idle == (("tests/", 2, 55),)
    assert (use.read.files, use.read.size) == (5, 21)
    assert use.whole.size == use.shown.size + 1108
    assert {r.wanted for r in site.use(target="one").readings} == {True, False}
    assert use.needless == () and use.told == ()


def test_what_is_copied_with_everything_and_hardly_needed(site: Site) -> None:
    site.put(
        {
            "Dockerfile": "FROM scratch\nCOPY . /app\n",
            "main.js": "1",
            ".git/HEAD": "123",
            "a/node_modules/x": "12",
            "b/node_modules/y": "12",
            ".env": "KEY=1",
        }
    )
    assert [(n.path, n.files, n.size, n.lines) for n in site.use().needless] == [
        (".env", 1, 5, (2,)),
        (".git", 1, 3, (2,)),
        ("a/node_modules", 1, 2, (2,)),
        ("b/node_modules", 1, 2, (2,)),
    ]
    # The Dockerfile itself is copied, so there is nothing idle; nothing is written, and nothing would change.
    assert site.write().lines == () and not (site.context / ".dockerignore").exists()
    before = site.keys()
    found = site.write(litter=True)
    assert found.written and [line.text for line in found.lines] == [
        ".env", ".git", "**/node_modules", ".dockerignore",
    ]  # fmt: skip
    assert [(r.line, r.files, r.size) for r in found.reruns] == [(2, 4, 12)] and found.proved == 0
    assert site.ignore().splitlines()[:2] == [MARKER, ".dockerignore"] and site.ignore().splitlines()[3] == LITTER
    assert site.keys() != before and site.use().needless == ()
    # What is named is wanted, wherever it lies.
    site.put({"Dockerfile": "FROM scratch\nCOPY a/node_modules /m\nCOPY .env /\n", ".dockerignore": ""})
    assert site.use().needless == ()


def test_an_ignore_file_in_the_context_hides_itself(site: Site) -> None:
    site.put({"Dockerfile": "FROM scratch\nCOPY --exclude=docs . /\n", "docs/a": "1", "b": "2"})
    before = site.keys()
    assert [line.text for line in site.write().lines] == ["docs", ".dockerignore"]
    assert site.keys() == before
    # One that is copied cannot be changed: one beside the Dockerfile takes its place.
    (site.context / ".dockerignore").write_text("x\n")
    before = site.keys()
    found = site.write()
    assert found.path.endswith("/Dockerfile.dockerignore") and found.text.startswith("x\n")
    assert site.keys() == before and site.ignore() == "x\n"


@pytest.mark.slow
def test_other_dockerfiles_keep_their_files(site: Site) -> None:
    dockerfile = "FROM scratch\nCOPY a /\n"
    site.put({"Dockerfile": dockerfile, "Dockerfile.dev": "FROM scratch\nCOPY b /\n", "a": "1", "b": "2"})
    found = site.write()
    assert found.shared == ("Dockerfile.dev",) and found.path.endswith("/Dockerfile.dockerignore")
    assert not (site.context / ".dockerignore").exists()
    site.put({"Dockerfile.dev.dockerignore": ""})
    os.unlink(found.path)
    assert site.write().path.endswith("/.dockerignore")


def test_a_named_context_that_the_ignore_file_lies_in_reads_what_it_did(site: Site) -> None:
    site.put({"Dockerfile": "FROM scratch\nCOPY a /\nCOPY --from=here b /\n", "a": "1", "b": "2"})
    link = site.context.parent / f"{site.context.name}-link"
    link.symlink_to(site.context)
    settings = Settings(str(site.root))
    for place in (site.context, link):
        request = site.request(build_contexts=(("here", str(place)),))
        found = write_ignore(request, settings, _unheard, dry=True)
        assert found.path.endswith("/Dockerfile.dockerignore") and "b" in found.text.split("\n")
    site.put({"Dockerfile": "FROM scratch\nCOPY a /\nCOPY --from=here . /\n"})
    for place in (site.context, site.context.parent):
        with pytest.raises(KezuriError, match="ignore is read from the build context"):
            write_ignore(site.request(build_contexts=(("here", str(place)),)), settings, _unheard)
    assert not list(site.context.glob("*ignore"))


def test_lines_stay_right_when_files_come(site: Site) -> None:
    """What a wildcard or a variable could select tomorrow is not hidden with the directory that it would lie in."""
    site.put(
        {
            "Dockerfile": "ARG APP=web\nFROM scratch\nARG APP\nCOPY packages/*/package.json /p/\nCOPY apps/$APP /a\n",
            "packages/a/package.json": "1",
            "packages/a/README": "1",
            "packages/b/README": "1",
            "apps/web/x": "1",
            "apps/cli/y": "1",
            "old/z": "1",
        }
    )
    site.write()
    assert site.ignore().split("\n")[1:-1] == ["old", "packages/a/README", "packages/b/README"]
    site.put({"packages/b/package.json": "2"})
    assert site.use(build_args=(("APP", "cli"),)).read.files == 3


def test_mounts_links_and_words_that_begin_with_a_variable(site: Site) -> None:
    site.put(
        {
            "Dockerfile": "FROM scratch\nARG JAR=target/*.jar\nARG DIR=lib\nCOPY $JAR <<X /\nx\nX\n"
            "RUN --mount=type=bind,source=$DIR,target=/l --mount=type=bind,source=link/a,target=/a ls\n",
            ".dockerignore": "docs\r\n",
            "target/app.jar": "123",
            "target/app.jar.original": "123",
            "lib/x": "12",
            "src/a": "1",
            "src/b": "1",
            "docs/x": "1",
            "idle": "1",
        }
    )
    os.symlink("src", site.context / "link")
    assert [(r.line, r.heap.files, r.alone) for r in site.use().readings] == [(4, 1, 3), (7, 2, 3)]
    before = site.keys()
    found = site.write()
    assert found.guessed == ("$JAR", "$DIR") and site.keys() == before
    # Anything may be called *.jar one day; the file has the line ends that it had.
    new = (site.context / ".dockerignore").read_bytes().split(b"\r\n")
    assert new[3:] == [b"idle", b"src/b", b"target/app.jar.original", b""]


def test_of_many_the_few_are_named(site: Site) -> None:
    files = {f"data/{number}": "1" for number in range(40)}
    site.put({"Dockerfile": "FROM scratch\nCOPY data/7 data/8 /\n", **files, "data/sub/x": "1"})
    before = site.keys()
    site.write()
    assert site.ignore().split("\n")[1:-1] == ["data/*", "!data/7", "!data/8"]
    assert site.keys() == before
    # Where a line above hides something of what would be brought back, each is named.
    site.put({"Dockerfile": "FROM scratch\nCOPY data/sub /\n", ".dockerignore": "**/*.log\n", "data/sub/a.log": "1"})
    before = site.keys()
    site.write()
    assert len(site.ignore().split("\n")) == 44 and site.keys() == before


@pytest.mark.slow
def test_what_cannot_be_proved_is_not_written(site: Site) -> None:
    site.put({"Dockerfile": "FROM scratch\nCOPY a /\nFROM nowhere.invalid/x\nCOPY b /\n", "a": "1", "b": "2", "c": "3"})
    with pytest.raises(KezuriError, match="ONBUILD"):
        site.write()
    assert site.use().told
    site.put({"Dockerfile": "FROM scratch\nCOPY nothing /\n"})
    with pytest.raises(KezuriError, match="nothing"):
        site.use()
    assert not (site.context / ".dockerignore").exists()


def test_a_file_that_is_written_meanwhile_is_taken_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What instructions read is looked at again when the file is in its place."""
    site.put({"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "1", "b": "2"})
    from kezuri.app import context_ignore

    put = context_ignore._put

    def meddling(*given: object) -> None:
        put(*given)  # type: ignore[arg-type]
        (site.context / "a").write_text("other")

    monkeypatch.setattr(context_ignore, "_put", meddling)
    with pytest.raises(KezuriError, match="as it was"):
        site.write()
    assert not (site.context / ".dockerignore").exists()
    site.put({".dockerignore": "old\n"})
    with pytest.raises(KezuriError, match="as it was"):
        site.put({"a": "1"})
        site.write()
    assert site.ignore() == "old\n"


NAMES = st.sampled_from(["a", "b", "*", "#c", "!d", "e f", " g", "h\\", "[i]", "é", "j.log", ".k", "\udcff"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
RULES = st.lists(st.sampled_from(["a", "**/b", "*/a", "!a/b", "**/*.log", "!**/.k", "b/*", "*"]), max_size=3)
WORDS = st.sampled_from([".", "a", "a/", "*/a", "b", "*.log", "a/*", ".k", "[i]", "e*", "a/b"])


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATHS, min_size=1, max_size=14, unique=True), RULES, st.lists(WORDS, min_size=1, max_size=4), PATHS)
def test_no_key_changes(tmp_path: Path, paths: list[str], rules: list[str], words: list[str], link: str) -> None:
    site = Site(tmp_path)
    site.put(dict(_possible(paths)))
    if not os.path.lexists(site.context / link) and (site.context / link).parent.is_dir():
        os.symlink("a", site.context / link)
    excluded = "--exclude=b "
    copies = [f"COPY {excluded if n % 2 else ''}{word} /{n}/" for n, word in enumerate(words)]
    (site.context / "Dockerfile").write_text("\n".join(("FROM scratch", *copies, "")))
    if rules:
        (site.context / ".dockerignore").write_text("\n".join(rules))
    try:
        use, before = site.use(), site.keys()
    except KezuriError:
        return  # a word that names nothing
    assert use.whole.size == use.shown.size + sum(hidden.heap.size for hidden in use.hidden)
    read = {path for reading in use.readings for _, path in reading.heap.largest}
    own = [path for path in ("Dockerfile", ".dockerignore") if path not in read]
    assert use.shown.size >= use.read.size + sum(idle.size for idle in use.idle)
    rest = use.shown.size - use.read.size - sum(idle.size for idle in use.idle)
    assert rest <= sum((site.context / path).stat().st_size for path in own if (site.context / path).exists())
    try:
        found = site.write()
    except KezuriError as error:
        assert "cannot be changed" in str(error)
        return
    assert site.keys() == before
    again = site.use()
    assert again.read == use.read
    if found.lines:
        hidden = sum(idle.size for idle in use.idle) - sum(idle.size for idle in again.idle)
        assert hidden <= sum(line.size for line in found.lines)
        assert site.write().lines == ()


def _possible(paths: list[str]) -> Iterator[tuple[str, str]]:
    """The paths of which none is a directory of another one."""
    for path in paths:
        if not any(other.startswith(f"{path}/") for other in paths):
            yield path, "x" * (len(path) + 1)
