"""`build --watch`: what wakes it, what does not, and that failures, copies of files and Ctrl-C are no trouble."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop

from kezuri.app.build import build
from kezuri.app.outputs import RootDirectory
from kezuri.app.request import BuildRequest, SecretSource, Settings
from kezuri.app.watch import Watch
from kezuri.diagnostics import KezuriError

pytestmark = pytest.mark.slow

SOURCES = str(Path(__file__).parents[2] / "src")
BOTH = ["COPY src/*.py /app/", "COPY lib /lib"]
TEXT = "FROM scratch\nCOPY src/*.py /app/\nCOPY lib /lib\n"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(**{"Dockerfile": TEXT, "src__a.py": "a", "src__b.txt": "b", "lib__deep__c": "c", "docs__d": "d"})
    shop.write(**{".dockerignore": "lib/ignored\n"})
    return shop


@contextmanager
def watching(shop: Workshop, **more: Any) -> Iterator[Watch]:
    """A watch after its first build."""
    request = BuildRequest(context=str(shop.context), **more)
    with Watch(request, Settings(str(shop.root))) as watch:
        watch.look()
        shop.build(**more)
        yield watch


def woken(watch: Watch, *acts: Callable[[], object], good: bool = True) -> tuple[list[str], list[str]]:
    """The names of the files, and the steps, with which the watch wakes up; the acts are done one after the other."""

    def act() -> None:
        for each in acts:
            time.sleep(0.4)
            each()

    thread = threading.Thread(target=act)
    thread.start()
    end = time.monotonic() + 20 + len(acts)

    def idle() -> None:
        assert time.monotonic() < end, "nothing wakes it"

    try:
        awaited = watch.wait(good, idle)
    finally:
        thread.join()
    return [os.path.basename(path) for path in awaited.paths], [step.split("] ", 1)[1] for step in awaited.steps]


def test_only_what_steps_read_wakes_it(shop: Workshop) -> None:
    context = shop.context
    with watching(shop) as watch:
        said = woken(
            watch,
            lambda: (context / "docs/d").write_text("other"),
            lambda: (context / "src/b.txt").write_text("other"),
            lambda: (context / "lib/ignored").write_text("other"),
            lambda: (context / "src/a.py").touch(),  # the same content
            lambda: (context / "src/a.py~").write_text("an editor's"),
            lambda: (context / "src/a.py").write_text("other"),
        )
        assert said == (["a.py"], BOTH)


@pytest.mark.parametrize(
    ("act", "path", "runs"),
    [
        (lambda c: (c / "src/new.py").write_text("n"), "new.py", BOTH),
        (lambda c: (c / "src/a.py").rename(c / "src/z.py"), "", BOTH),
        (lambda c: (c / "lib/deep/c").unlink(), "c", ["COPY lib /lib"]),
        (lambda c: (c / "lib/deep/c").chmod(0o700), "c", ["COPY lib /lib"]),
        (lambda c: (c / "lib/more/below").mkdir(parents=True), "more", ["COPY lib /lib"]),
        (lambda c: os.replace(c / "docs/d", c / "lib/deep/c"), "c", ["COPY lib /lib"]),
    ],
    ids=["new", "renamed", "removed", "mode", "directory", "replaced"],
)
def test_every_kind_of_change(shop: Workshop, act: Callable[[Path], object], path: str, runs: list[str]) -> None:
    with watching(shop) as watch:
        paths, steps = woken(watch, lambda: act(shop.context))
        assert steps == runs and (path in paths or not path)


def test_a_new_directory_is_watched_too(shop: Workshop) -> None:
    with watching(shop) as watch:
        woken(watch, lambda: (shop.context / "lib/new").mkdir())
        shop.build()
        assert woken(watch, lambda: (shop.context / "lib/new/f").write_text("x")) == (["f"], ["COPY lib /lib"])


def test_the_dockerfile_and_the_ignore_file(shop: Workshop) -> None:
    with watching(shop) as watch:
        assert woken(watch, lambda: shop.write(Dockerfile=TEXT + "ENV A=1\n")) == (["Dockerfile"], [])
        shop.build()
        assert woken(watch, lambda: shop.write(**{".dockerignore": "docs\n"}))[0] == [".dockerignore"]


def test_what_changes_during_a_build_counts(shop: Workshop) -> None:
    with watching(shop) as watch:
        (shop.context / "src/a.py").write_text("while it was built")
        assert woken(watch) == (["a.py"], BOTH)


def test_an_older_result_is_another_one_too(shop: Workshop) -> None:
    """Nothing runs, but the image is not what it was."""
    with watching(shop) as watch:
        woken(watch, lambda: (shop.context / "src/a.py").write_text("2"))
        shop.build()
        assert woken(watch, lambda: (shop.context / "src/a.py").write_text("a")) == (["a.py"], [])


def test_a_dockerfile_that_is_wrong_is_waited_for(shop: Workshop) -> None:
    shop.write(Dockerfile="FORM x\n")
    request = BuildRequest(context=str(shop.context))
    with Watch(request, Settings(str(shop.root))) as watch:
        watch.look()
        with pytest.raises(KezuriError):
            shop.build()
        assert woken(watch, lambda: shop.write(Dockerfile=TEXT), good=False)[0] == ["Dockerfile"]


def test_what_the_build_writes_does_not_wake_it(shop: Workshop) -> None:
    shop.write(Dockerfile="FROM scratch\nCOPY . /\n")
    request = BuildRequest(
        context=str(shop.context),
        outputs=(RootDirectory(str(shop.context / "out")),),
        iidfile=str(shop.context / "iid"),
    )
    with Watch(request, Settings(str(shop.root))) as watch:
        watch.look()
        build(request, Settings(str(shop.root)), lambda event: None)
        said = woken(
            watch,
            lambda: (shop.context / "out/more").write_text("x"),
            lambda: (shop.context / "iid").write_text("x"),
            lambda: (shop.context / "docs/d").write_text("x"),
        )
        assert said == (["d"], ["COPY . /"])


def test_a_named_context(shop: Workshop, tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.mkdir()
    (named / "n").write_text("n")
    shop.write(Dockerfile="FROM scratch\nCOPY --from=other n /n\n")
    with watching(shop, build_contexts=(("other", str(named)),)) as watch:
        assert woken(watch, lambda: (named / "n").write_text("m")) == (["n"], ["COPY --from=other n /n"])
        assert watch.unwatched() == ()


def test_named_contexts_that_are_no_directories_are_told() -> None:
    contexts = (
        ("a", "docker-image://alpine"),
        ("b", "https://github.com/x/y.git"),
        ("c", "."),
        ("d", "oci-layout://x"),
    )
    with Watch(BuildRequest(build_contexts=contexts), Settings("/r")) as watch:
        assert [text.partition("=")[0] for text in watch.unwatched()] == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (BuildRequest("-"), "the context comes from standard input"),
        (BuildRequest("https://github.com/x/y.git"), "is not on this machine"),
        (BuildRequest("git@github.com:x/y"), "is not on this machine"),
        (BuildRequest(".", "-"), "the Dockerfile comes from standard input"),
        (BuildRequest(".", secrets=(SecretSource("s", "stdin", "-"),)), "a secret comes from standard input"),
    ],
)
def test_what_cannot_be_watched(tmp_path: Path, request_: BuildRequest, words: str) -> None:
    with pytest.raises(KezuriError, match=words) as caught:
        Watch(request_, Settings(str(tmp_path)))
    assert caught.value.exit_code == 2


class Typed:
    """`kezuri build --watch` as a process of its own, and what it has said."""

    def __init__(self, shop: Workshop, *words: str) -> None:
        contexts = ("--build-context", f"base=oci-layout://{shop.directory}/base")
        command = [sys.executable, "-m", "kezuri", "build", "--root", str(shop.root), "--progress", "plain", "--watch"]
        self._process = subprocess.Popen(
            [*command, *words, *contexts, str(shop.context)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": SOURCES},
        )
        self._said = ""

    def wait_for(self, words: str) -> str:
        """What it says until these words, which it has to say within a while."""
        end = time.monotonic() + 60
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        while words not in self._said:
            assert time.monotonic() < end and self._process.poll() is None, self._said
            self._said += (self._process.stdout.read() or b"").decode()
            time.sleep(0.05)
        before, _, self._said = self._said.partition(words)
        return before

    def end(self, number: int) -> tuple[int, str]:
        """Its exit code after the signal, and the rest."""
        self._process.send_signal(number)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), True)
        rest = self._process.communicate(timeout=60)[0].decode()
        return self._process.returncode, self._said + rest

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_one_directory_is_said_in_the_singular(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write(Dockerfile="FROM scratch\nCOPY a /\n", a="a")
    typed = Typed(shop)
    try:
        typed.wait_for("kezuri: watching 1 directory (Ctrl-C ends)")
        assert typed.end(signal.SIGINT)[0] == 0
    finally:
        typed.kill()


CONTAINER = """FROM base
STOPSIGNAL SIGUSR1
COPY src/a.py /a
RUN ! grep bad /a
CMD ["sh", "-c", "trap 'echo stopped; exit' USR1; echo started $(cat /a); while :; do sleep 0.05; done"]
"""


class TestRun:
    pytestmark = RUNS_STEPS

    @pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
    def test_the_container_is_run_after_each_good_build(self, shop: Workshop, ending: int) -> None:
        busybox_layout(shop.directory / "base", busybox_tar(), "", {})
        shop.write(Dockerfile=CONTAINER)
        typed = Typed(shop, "--run=--network=none")
        try:
            typed.wait_for("started a")
            (shop.context / "src/a.py").write_text("bad")
            said = typed.wait_for("kezuri: watching")
            while "did not complete" not in said:
                said += typed.wait_for("kezuri: watching")
            assert "stopped" not in said
            (shop.context / "src/a.py").write_text("good")
            assert "stopped" in typed.wait_for("started good")
            code, rest = typed.end(ending)
            assert "stopped" in rest
            assert code == (0 if ending == signal.SIGINT else 143)
        finally:
            typed.kill()
        assert shop.leftovers() == [] and shop.check() == []

    def test_a_container_that_ends_by_itself_is_told(self, shop: Workshop) -> None:
        busybox_layout(shop.directory / "base", busybox_tar(), "", {})
        shop.write(Dockerfile='FROM base\nCMD ["sh", "-c", "exit 7"]\n')
        typed = Typed(shop, "--run")
        try:
            typed.wait_for("the container has ended with exit code 7")
            assert typed.end(signal.SIGINT)[0] == 0
        finally:
            typed.kill()

    def test_nothing_outlives_a_watch_that_is_killed(self, shop: Workshop) -> None:
        busybox_layout(shop.directory / "base", busybox_tar(), "", {})
        shop.write(Dockerfile='FROM base\nCMD ["sh", "-c", "echo mark-$PPID; sleep 1234567"]\n')
        typed = Typed(shop, "--run")
        try:
            typed.wait_for("mark-")
        finally:
            typed.kill()
        end = time.monotonic() + 30
        while b"1234567" in subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, check=True).stdout:
            assert time.monotonic() < end, "the container is still there"
            time.sleep(0.1)
