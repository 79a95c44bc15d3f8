"""What signals to `kezuri run` do to its container."""

import signal
import time

import pytest
from tests.build.build_busybox import RUNS_STEPS
from tests.containers.containers_place import Place

pytestmark = RUNS_STEPS

DEAF = 'trap "" TERM HUP INT; echo up; sleep 1000'


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGTERM, 8, "got-term"),
        (signal.SIGINT, 9, "got-int"),
        (signal.SIGUSR1, 7, "got-usr1"),
        (signal.SIGHUP, 7, "got-usr1"),  # no handler: the image's stop signal
    ],
)
def test_a_signal_reaches_the_program(place: Place, number: signal.Signals, code: int, word: str) -> None:
    with place.running("traps") as container:
        container.wait_for("up\n")
        container.signal(number)
        assert container.end() == code
        assert word in container.text


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_a_signal_reaches_the_program_of_an_oci_runtime(place: Place, runtime: str, programs: set[str]) -> None:
    if runtime not in programs:
        pytest.skip(f"{runtime} is not installed")
    with place.running("--runtime", runtime, "traps") as container:
        container.wait_for("up\n")
        container.signal(signal.SIGTERM)
        assert (container.end(), "got-term" in container.text) == (8, True)


@pytest.mark.parametrize(
    ("number", "code", "runtime"),
    [
        (signal.SIGTERM, 143, "kezuri"),
        (signal.SIGINT, 130, "kezuri"),
        (signal.SIGHUP, 129, "kezuri"),
        (signal.SIGTERM, 143, "crun"),
        (signal.SIGINT, 130, "runc"),
    ],
)
def test_a_program_without_handlers_ends_as_any_other(
    place: Place, number: signal.Signals, code: int, runtime: str, programs: set[str]
) -> None:
    if runtime not in programs:
        pytest.skip(f"{runtime} is not installed")
    with place.running("--runtime", runtime, "plain", "sh", "-c", "echo up; exec sleep 1000") as container:
        container.wait_for("up\n")
        container.signal(number)
        assert container.end() == code


def test_other_signals_without_a_handler_do_nothing(place: Place) -> None:
    with place.running("plain", "sh", "-c", "trap 'exit 4' USR1; echo up; while :; do sleep 0.1; done") as container:
        container.wait_for("up\n")
        container.signal(signal.SIGUSR2)
        container.signal(signal.SIGUSR1)
        assert container.end() == 4


def test_what_does_not_end_is_killed_when_its_grace_is_over(place: Place) -> None:
    with place.running("--stop-timeout", "1", "plain", "sh", "-c", DEAF) as container:
        container.wait_for("up\n")
        container.signal(signal.SIGTERM)
        assert container.end() == 137
        assert "still runs 1 s after SIGTERM: it is killed" in container.text


def test_the_third_interrupt_kills(place: Place) -> None:
    with place.running("plain", "sh", "-c", DEAF) as container:
        container.wait_for("up\n")
        container.signal(signal.SIGINT)
        time.sleep(0.3)  # two at the same time are one
        container.signal(signal.SIGINT)
        container.wait_for("one more kills it")
        container.signal(signal.SIGINT)
        assert container.end() == 137


def test_without_the_proxy_we_end_and_stop_the_container(place: Place) -> None:
    with place.running("--sig-proxy=false", "traps") as container:
        container.wait_for("up\n")
        container.signal(signal.SIGTERM)
        assert container.end() == 143
        assert "got-usr1" in container.text and "got-term" not in container.text


def test_the_stop_signal_may_be_another(place: Place) -> None:
    with place.running("--sig-proxy=false", "--stop-signal", "INT", "traps") as container:
        container.wait_for("up\n")
        container.signal(signal.SIGTERM)
        assert container.end() == 143
        assert "got-int" in container.text
    said = place.run("--stop-signal", "SIGTREM", "traps")
    assert said.returncode == 2 and "did you mean SIGTERM" in said.stderr


def test_a_program_that_waits_for_signals_gets_them(place: Place) -> None:
    # Within sigwait(3) no mask shows that a signal is minded; the sandbox's own init waits in this way, too.
    with place.running("--init", "traps") as container:
        container.wait_for("up\n")
        container.signal(signal.SIGTERM)
        assert container.end() == 8


def test_init_is_first_and_waits_for_orphans(place: Place) -> None:
    script = "echo $$; (sleep 0.1 &); sleep 0.5; grep -l zombie /proc/[0-9]*/status; kill -9 $$"
    said = place.run("--init", "plain", "sh", "-c", script)
    assert (said.returncode, said.stdout) == (137, "2\n")
    assert place.run("--init", "plain", "sh", "-c", "exit 5").returncode == 5
    assert place.run("--init", "plain", "nothing").returncode == 127


def test_init_ends_what_the_program_leaves(place: Place) -> None:
    # The stream that the orphan holds would keep us waiting for it.
    said = place.run("--init", "plain", "sh", "-c", "sleep 1000 & echo done")
    assert (said.returncode, said.stdout) == (0, "done\n")
