"""The demonstration's container: it is asked for an answer, and is gone afterwards."""

from pathlib import Path

from tests.build.build_busybox import BUSYBOX, RUNS_STEPS
from tests.users.users_child import in_child

from kezuri.app import demo
from kezuri.app.build import build
from kezuri.app.request import BuildRequest, Settings
from kezuri.diagnostics import KezuriError
from kezuri.progress.events import Event

pytestmark = RUNS_STEPS

SERVES = "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 8080 -h /w"


def asked(directory: Path, command: str) -> tuple[str, int]:
    """The answer of a container that runs this shell command under the demonstration's name, and its port."""
    context = directory / "context"
    context.mkdir()
    (context / "busybox").write_bytes(Path(BUSYBOX).read_bytes())
    (context / "script").write_text(command)
    (context / "Dockerfile").write_text(
        "FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nCOPY script /script\n"
        'ENV PATH=/bin\nCMD ["/bin/busybox", "sh", "/script"]\n'
    )
    settings = Settings(str(directory / "store"))

    def quiet(event: Event) -> None:
        pass

    build(BuildRequest(context=str(context), tags=(demo.NAME,)), settings, quiet)
    try:
        return demo._ask(settings)
    except KezuriError as error:
        return f"{error}; {error.diagnostics[0].hint}", 0


def test_the_container_answers_and_is_stopped(tmp_path: Path) -> None:
    answer, port = in_child(
        lambda: asked(tmp_path, SERVES.replace("mkdir", "busybox mkdir").replace("exec", "exec busybox"))
    )
    assert answer == "hello\n" and port > 0


def test_a_container_that_ends_is_told(tmp_path: Path) -> None:
    words, port = in_child(lambda: asked(tmp_path, "exit 7"))
    assert "did not answer" in words and "exit code 7" in words and port == 0
