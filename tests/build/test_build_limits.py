"""Limits of steps: they hold, a step that was killed for memory is told with its peak, and limits are in no key."""

from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop
from tests.linux.test_linux_cgroups import is_owner

from kezuri.app.limits import foretell
from kezuri.diagnostics import KezuriError
from kezuri.linux.cgroups import Limits
from kezuri.progress.events import Warned

pytestmark = RUNS_STEPS

EATER = "FROM base\nRUN echo before; x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo ${#x}"
owner = pytest.mark.skipif(not is_owner(), reason="needs control groups that this user may divide")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    busybox_layout(tmp_path / "base", busybox_tar(), "", {})
    return Workshop(tmp_path)


def build(shop: Workshop, text: str, limits: Limits | None, **more: object) -> str:
    shop.build(text, build_contexts=(("base", f"oci-layout://{shop.directory / 'base'}"),), limits=limits, **more)
    return shop.said.output.decode()


@owner
@pytest.mark.parametrize("runtime", ["kezuri", "runc", "crun"])
def test_a_step_that_is_killed_for_memory_says_so(shop: Workshop, runtime: str) -> None:
    from kezuri.sandbox.runtime import find

    if runtime != "kezuri" and not find(runtime):
        pytest.skip(f"{runtime} is not installed")
    with pytest.raises(KezuriError) as caught:
        build(shop, EATER, Limits(memory=32 << 20), runtime=runtime)
    hint = caught.value.diagnostics[0].hint
    assert "killed a process of the step for memory" in hint and "32 MiB" in hint and "--memory" in hint


@owner
def test_a_process_below_the_command_that_is_killed_for_memory(shop: Workshop) -> None:
    text = "FROM base\nRUN (x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo $x) || exit 2"
    with pytest.raises(KezuriError, match="exit code: 2") as caught:
        build(shop, text, Limits(memory=32 << 20))
    assert "for memory" in caught.value.diagnostics[0].hint


@owner
def test_they_are_in_no_key(shop: Workshop) -> None:
    text = "FROM base\nRUN nproc"
    assert build(shop, text, Limits(cpus="0")) == "1\n"
    build(shop, text, None)
    assert shop.said.cached == ["RUN nproc"]


@owner
def test_steps_at_the_same_time_have_groups_of_their_own(shop: Workshop) -> None:
    text = "".join(f"FROM base AS s{n}\nRUN cat /proc/self/cgroup; sleep 0.3; touch /{n}\n" for n in range(3))
    text += "FROM base\n" + "".join(f"COPY --from=s{n} /{n} /\n" for n in range(3))
    said = build(shop, text, Limits(pids=20), parallelism=3)
    groups = {line for line in said.splitlines() if "kezuri-step-" in line}
    assert len(groups) == 3, said


@owner
def test_what_cannot_be_is_refused_before_a_step_runs(shop: Workshop) -> None:
    with pytest.raises(KezuriError, match="--cpuset-cpus") as caught:
        build(shop, "FROM base\nRUN nproc", Limits(cpus="4095"))
    assert caught.value.exit_code == 2 and "processors" in caught.value.diagnostics[0].hint
    assert shop.said.output == b""


@pytest.mark.skipif(is_owner(), reason="as a user who may not make control groups")
def test_a_limit_without_effect_is_told_before_the_build_which_goes_on(shop: Workshop) -> None:
    told: list[str] = []
    limits = Limits(memory=64 << 20, pids=100)
    foretell(limits, told.append)
    assert len(told) == 1 and "--memory, --pids-limit" in told[0], told
    build(shop, "FROM base\nRUN true", limits)
    assert shop.said.ran == ["RUN true"]
    assert not [event for event in shop.said.events if isinstance(event, Warned)]
