"""What is said of a command that failed, beside its exit code."""

from kezuri.step.failure import step_failed
from kezuri.step.task import Failure


def hint(failure: Failure) -> str:
    return step_failed("x", failure).diagnostics[0].hint


def test_a_program_that_the_kernel_does_not_start_for_its_capability() -> None:
    """What the files say is beside the point then."""
    said = hint(
        Failure(126, output="/bin/sh: 1: ping: Operation not permitted\n", cause="somebody may not write there")
    )
    assert "names a capability" in said and "no-new-privileges" in said and "somebody" not in said
    assert "somebody" in hint(Failure(126, output="sh: x: Permission denied", cause="somebody may not write there"))


def test_memory() -> None:
    said = hint(Failure(137, 9, True, peak=64 << 20, memory=64 << 20))
    assert "its peak was 64 MiB" in said and "limit (--memory) is 64 MiB" in said
    said = hint(Failure(137, 9, True, memory=2 << 30))
    assert "2048 MiB can be had here" in said and "peak" not in said
    assert "memory ran out:" in hint(Failure(137, 9, True))


def test_the_network() -> None:
    assert "--retry-network N" in hint(Failure(1, network="curl: (6) x"))
    assert "failed this step 4 times: curl: (6) x" in hint(Failure(1, network="curl: (6) x", tries=4))
    assert "retry" not in hint(Failure(1, network="curl: (60) x", intercepted=True))
