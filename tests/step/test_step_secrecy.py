"""What a task does not hold: paths of this machine, values of secrets, sockets of agents, credentials of addresses."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop

from kezuri.app import performing
from kezuri.app.request import AgentSource, SecretSource
from kezuri.diagnostics import KezuriError
from kezuri.plan.inputs import UrlSource
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox.step import Output
from kezuri.step import encoding, local
from kezuri.step.task import Outcome, Task
from kezuri.step.tasks import without_credentials

pytestmark = RUNS_STEPS
IN_FILE, IN_ENVIRONMENT = "the-value-in-a-file", "the-value-in-a-variable"
TEXT = """\
FROM base AS one
COPY --from=more --chown=7:7 f /more/
WORKDIR /w
RUN --mount=type=secret,id=file --mount=type=secret,id=variable,env=V --mount=type=ssh true
FROM base
COPY --from=one /more /more
COPY d /d
RUN --mount=from=more,target=/m --mount=source=d,target=/d2 --mount=type=cache,target=/c,from=more true
RUN --mount=type=secret,id=file false
"""


@pytest.fixture
def agent() -> Iterator[str]:
    """The path of a socket, short enough to be one."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listening:
        path = f"{directory}/some-agent"
        listening.bind(path)
        listening.listen()
        yield path


def test_a_task_holds_no_path_of_this_machine_and_no_secret(
    tmp_path: Path, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[str] = []
    outcomes: list[str] = []

    class Recording(local.LocalPerformer):
        def perform(self, task: Task, output: Output, cancel: CallOff) -> Outcome:
            tasks.append(encoding.encode(task))
            # What is performed is what came through JSON.
            outcome = super().perform(encoding.task(tasks[-1]), output, cancel)
            outcomes.append(encoding.encode(outcome))
            return outcome

    monkeypatch.setattr(performing, "LocalPerformer", Recording)
    odd = tmp_path / "an odd\\place é"
    shop = Workshop(odd, store=tmp_path / "the store")
    more = tmp_path / "more's files"
    more.mkdir()
    (more / "f").write_text("f")
    shop.write(d__f="f")
    secret = tmp_path / "secret file"
    secret.write_text(IN_FILE)
    monkeypatch.setenv("A_VARIABLE", IN_ENVIRONMENT)
    layout = busybox_layout(tmp_path / "base layout", busybox_tar())
    with pytest.raises(KezuriError, match="exit code: 1"):
        shop.build(
            TEXT,
            build_contexts=(("base", f"oci-layout://{layout}"), ("more", str(more))),
            secrets=(SecretSource("file", "file", str(secret)), SecretSource("variable", "env", "A_VARIABLE")),
            agents=(AgentSource("default", socket=agent),),
        )
    assert len(tasks) == 7 and len(outcomes) == 7
    gone = [str(tmp_path), tmp_path.name, "odd", "the store", "more's files", "secret file", "base layout"]
    gone += [IN_FILE, IN_ENVIRONMENT, "A_VARIABLE", "some-agent", "Dockerfile"]
    for text in (*tasks, *outcomes):
        assert [word for word in gone if word in text] == []


def test_an_address_goes_without_its_credentials() -> None:
    source = UrlSource("https://example.org/f", "f", "", "user:password")
    assert without_credentials(source) == UrlSource("https://example.org/f", "f")
