"""The same thing built twice: what is the same, what is not and why, and what is left behind: nothing."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar

from kezuri.app.reproduction import Wish, _Twice, reproduce
from kezuri.app.request import BuildRequest, BuiltinArguments, SecretSource, Settings
from kezuri.diagnostics import KezuriError
from kezuri.reproduction.values import ASPECTS, Reproduction

pytestmark = RUNS_STEPS
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(busybox_layout(tmp_path_factory.mktemp("base") / "base", busybox_tar()))


class Bench:
    """A context that is built twice, with what is left of it."""

    def __init__(self, place: Path, layout: Path) -> None:
        self.context = place / "context"
        self.context.mkdir()
        (self.context / "sub").mkdir()
        for name in ("one", "two", "sub/three"):
            (self.context / name).write_text(name)
            (self.context / name).chmod(0o644)
        (self.context / ".dockerignore").write_text("two\n")
        self.temporary = place / "temporary"
        self.temporary.mkdir()
        self.settings = Settings(str(place / "root"))
        self.layout = layout

    def build(
        self, dockerfile: str, *, epoch: int | None = None, wish: Wish | None = None, **more: Any
    ) -> Reproduction:
        (self.context / "Dockerfile").write_text(f"FROM base\n{dockerfile}")
        request = BuildRequest(
            str(self.context),
            build_contexts=(("base", f"oci-layout://{self.layout}"),),
            builtin=BuiltinArguments(epoch=epoch),
            build_args=() if epoch is None else (("SOURCE_DATE_EPOCH", str(epoch)),),
        )._replace(**more)
        try:
            return reproduce(request, self.settings, wish or Wish(), lambda event: None)
        finally:
            assert os.listdir(self.temporary) == []


@pytest.fixture
def bench(tmp_path: Path, layout: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path, layout)
    monkeypatch.setattr("tempfile.tempdir", str(bench.temporary))
    return bench


def test_what_is_made_with_care_is_the_same(bench: Bench) -> None:
    found = bench.build(
        "COPY --chmod=755 . /app/\nWORKDIR /app\nRUN ls | sort > /list && gzip -c one > one.gz\n",
        epoch=EPOCH,
    )
    assert found.same and not found.steps, found
    assert {"umask", "locale"} <= set(found.varied)


def test_what_is_not_is_told_by_step_and_file(bench: Bench) -> None:
    found = bench.build(
        "COPY one /app/\nRUN head -c 16 /dev/urandom | od -x | head -1 > /random\n"
        "RUN date -u > /now; mkdir /d; for i in 1 2 3 4 5 6 7 8 9; do touch /d/$i; done; find /d > /list\n",
        epoch=EPOCH,
        wish=Wish(tuple(aspect for aspect in ASPECTS if aspect != "user")),
    )
    told = {(step.line, each.path): (each.what, each.kind) for step in found.steps for each in step.found}
    assert not found.same
    assert told[2, "app/one"] == ("mode", "mode")
    assert told[3, "random"] == ("bytes", "random")
    assert told[4, "now"] == ("bytes", "time")
    if "order" in found.varied:
        assert told[4, "list"] == ("bytes", "order")


def test_times_without_an_epoch(bench: Bench) -> None:
    found = bench.build("RUN echo > /file\n", wish=Wish(()))
    assert {(each.path, each.kind) for step in found.steps for each in step.found} >= {
        *(("file", "time"), ("created", "time"), ("history", "time")),
    }
    assert found.varied == ()


def test_what_cannot_be_varied_is_said(bench: Bench) -> None:
    secret = bench.context.parent / "secret"
    secret.write_text("s")
    found = bench.build("COPY one /\n", epoch=EPOCH, secrets=(SecretSource("s", "file", str(secret)),))
    assert "user" in {each.aspect for each in found.unvaried} and "user" not in found.varied


@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [("RUN exit 3\n", "exit code: 3"), ("RUN [ $(nproc) -gt 1 ]\n", "not a second time"), ("COPY none /\n", "none")],
)
def test_what_does_not_build(bench: Bench, dockerfile: str, said: str) -> None:
    if "nproc" in dockerfile and len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two processors")
    with pytest.raises(KezuriError) as caught:
        bench.build(dockerfile)
    assert said in str(caught.value.diagnostics), caught.value.diagnostics


def test_standard_input_is_not_read_twice(bench: Bench) -> None:
    with pytest.raises(KezuriError, match="cannot be read twice"):
        bench.build("", file="-")


def test_a_machine_without_another_clock_is_not_ahead(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kezuri.sandbox.disguise.has_clock", lambda: False)
    twice = _Twice(BuildRequest(str(bench.context)), bench.settings, Wish(), lambda event: None, str(bench.temporary))
    assert [around.shift for around in twice._surroundings()] == [0, 0]


def test_a_stopped_worker_ends_without_a_word(tmp_path: Path) -> None:
    """A signal that comes when everything was left, as the interpreter waits for its threads, is nothing any more."""
    ending = "from kezuri.app.reproduction_worker import serve; serve(); import os; os.kill(os.getpid(), 15)"
    ended = subprocess.run(
        [sys.executable, "-P", "-c", ending],
        input=pickle.dumps(Settings(root=str(tmp_path))),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
