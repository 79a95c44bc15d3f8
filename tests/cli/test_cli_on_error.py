"""`build --on-error=shell`, typed by somebody at a real pseudo-terminal."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.build.build_busybox import BUSYBOX, RUNS_STEPS
from tests.build.build_workshop import Workshop, tar_of, write_layout
from tests.cli.cli_pty import OnTerminal

SOURCES = str(Path(__file__).parents[2] / "src")
PROGRAMS = ("sh", "cat", "echo", "ls", "id", "touch", "sleep", "false", "rm")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def command(shop: Workshop, *words: str) -> list[str]:
    layout = shop.directory / "base"
    return [
        *(sys.executable, "-m", "kezuri", "build", "--root", str(shop.root), "--on-error=shell"),
        *("--build-context", f"base=oci-layout://{layout}", *words, str(shop.context)),
    ]


def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SOURCES, "TERM": "xterm", "NO_COLOR": "1", "CI": ""}


def base(shop: Workshop, *programs: str) -> None:
    busybox = Path(BUSYBOX).read_bytes()
    passwd = b"root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"
    members = (("etc", None), ("etc/passwd", passwd), ("etc/old", b"old"), ("bin", None), ("tmp", None))
    write_layout(shop.directory / "base", [tar_of(*members, *((f"bin/{p}", busybox) for p in programs))])


class TestShell:
    pytestmark = RUNS_STEPS

    def test_the_state_in_which_the_step_failed(self, shop: Workshop) -> None:
        base(shop, *PROGRAMS)
        shop.write(
            data="from the context",
            Dockerfile="FROM base\nENV COLOUR=blue\nWORKDIR /w\nRUN --mount=type=secret,id=s "
            "--mount=type=cache,target=/c --mount=type=bind,target=/b --mount=type=tmpfs,target=/t "
            "echo made > file; echo kept > /c/f; rm /etc/old; false\n",
        )
        (shop.directory / "secret").write_text("s3cret")
        secret = ("--secret", f"id=s,src={shop.directory}/secret")
        with OnTerminal(command(shop, *secret), environ(), str(shop.directory)) as terminal:
            shown = terminal.wait_for("/w # ")
            # The display has ended before the failure is told, and that is told before the shell has the terminal.
            assert re.search(r"stopped .*\n(.*\n)*error: process .*did not complete.*\n(.*\n)*.*Dockerfile:4", shown)
            terminal.type("cat file /run/secrets/s /b/data; echo; echo $COLOUR $PWD $(id -u)\n")
            assert "made\ns3cretfrom the context\nblue /w 0\n" in terminal.wait_for("/w # ")
            terminal.type("ls -d /etc/old /t /c/f | cat\n")
            came = terminal.wait_for("/w # ")
            assert "/etc/old: No such file" in came and "/c/f\n/t\n" in came
            terminal.type('touch new; eval "$KEZURI_COMMAND"; echo code $?\n')
            assert "code 1\n" in terminal.wait_for("/w # ")
            terminal.type("exit 7\n")
            assert terminal.end() == 1
            assert terminal.text.count("did not complete successfully") == 1
        assert shop.leftovers() == [] and shop.check() == []
        assert not list((shop.root / "layers").glob("run-*"))

    def test_another_user_and_set_e(self, shop: Workshop) -> None:
        base(shop, *PROGRAMS)
        shop.write(Dockerfile='FROM base\nUSER app\nSHELL ["/bin/sh", "-ec"]\nRUN false; echo never\n')
        with OnTerminal(command(shop), environ(), str(shop.directory)) as terminal:
            terminal.wait_for("~ $ ")
            terminal.type('id -u; eval "$KEZURI_COMMAND"; echo code $?\n')
            came = terminal.wait_for("code 1\n")
            assert "1000\n" in came and "never\n" not in came.replace("echo never\n", "")
            terminal.wait_for("~ $ ")
            terminal.type("\x04")
            assert terminal.end() == 1

    def test_other_stages_are_called_off_first(self, shop: Workshop) -> None:
        base(shop, *PROGRAMS)
        shop.write(
            Dockerfile="FROM base AS slow\nRUN echo slow; sleep 600\nFROM base AS bad\nRUN sleep 1; false\n"
            "FROM scratch\nCOPY --from=slow /etc /1\nCOPY --from=bad /etc /2\n"
        )
        with OnTerminal(command(shop), environ(), str(shop.directory)) as terminal:
            terminal.wait_for("/ # ")
            running = subprocess.run(["pgrep", "-f", "sleep 600"], capture_output=True, text=True).stdout.split()
            assert not [p for p in running if _is_below(int(p), terminal.pid)]
            terminal.type("exit\n")
            assert terminal.end() == 1

    def test_an_image_without_a_shell(self, shop: Workshop) -> None:
        base(shop, "touch", "false")
        shop.write(Dockerfile='FROM base\nRUN ["/bin/touch", "/made"]\nRUN ["/bin/touch", "/made2", "/no/such/x"]\n')
        with OnTerminal(command(shop), environ(), str(shop.directory)) as terminal:
            told = terminal.wait_for("press Enter here.")
            found = re.search(r"changed is in (\S+)", told)
            assert found is not None and "The image has no shell to open" in told
            assert os.listdir(found[1]) == ["made2"]
            terminal.type("\n")
            assert terminal.end() == 1
        assert not os.path.exists(found[1]) and shop.leftovers() == []

    def test_being_stopped_leaves_nothing(self, shop: Workshop) -> None:
        base(shop, *PROGRAMS)
        shop.write(Dockerfile="FROM base\nRUN false\n")
        with OnTerminal(command(shop), environ(), str(shop.directory)) as terminal:
            terminal.wait_for("/ # ")
            os.kill(terminal.pid, signal.SIGTERM)
            assert terminal.end() == 143
        assert shop.leftovers() == [] and shop.check() == []

    def test_a_build_that_succeeds_or_fails_elsewhere_opens_nothing(self, shop: Workshop) -> None:
        base(shop, *PROGRAMS)
        shop.write(Dockerfile="FROM base\nRUN touch /x\n")
        with OnTerminal(command(shop), environ(), str(shop.directory)) as terminal:
            assert terminal.end() == 0, terminal.text
            assert "KEZURI_COMMAND" not in terminal.text
        shop.write(Dockerfile="FROM base\nCOPY nothere /\n")
        with OnTerminal(command(shop), environ(), str(shop.directory)) as terminal:
            assert terminal.end() == 1 and "nothere" in terminal.text and "KEZURI_COMMAND" not in terminal.text


def _is_below(process: int, ancestor: int) -> bool:
    while process > 1:
        if process == ancestor:
            return True
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return False
    return False


def test_without_a_terminal_it_is_a_usage_error(shop: Workshop) -> None:
    shop.write(Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    done = subprocess.run(command(shop), env=environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "needs a terminal" in done.stderr and not shop.root.exists()


def test_with_a_runtime_it_is_a_usage_error(shop: Workshop) -> None:
    shop.write(Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    argv = command(shop, "--runtime", "crun")
    done = subprocess.run(argv, env=environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "crun is given no terminal" in done.stderr


@pytest.mark.parametrize("name", ["kezuri", "native"])
def test_both_names_of_our_own_sandbox_are_known(shop: Workshop, name: str) -> None:
    shop.write(Dockerfile="FROM scratch\nCOPY Dockerfile /\n")
    argv = command(shop, "--runtime", name)
    done = subprocess.run(argv, env=environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2 and "needs a terminal" in done.stderr
