"""What a killed `kezuri run` leaves: the next one clears it away."""

import os
from pathlib import Path

from tests.build.build_busybox import RUNS_STEPS
from tests.containers.containers_place import Place

from kezuri.linux.cgroup_files import hierarchies

pytestmark = RUNS_STEPS


def _groups() -> set[str]:
    places = {hierarchy.own for hierarchy in hierarchies().values()}
    places |= {os.path.dirname(h.own) for h in hierarchies().values() if h.version == 2 and h.own != h.top}
    return {f"{place}/{name}" for place in places for name in os.listdir(place) if name.startswith("kezuri-step-")}


def test_work_leases_and_control_groups_of_a_killed_one_go_with_the_next(place: Place) -> None:
    before = _groups()
    limits = ("--pids-limit", "50", "--memory", "64m")
    with place.running(*limits, "plain", "sh", "-c", "echo up; sleep 1000") as container:
        container.wait_for("up\n")
        made = _groups() - before
    store = Path(place.environ["KEZURI_ROOT"])
    assert os.listdir(store / "tmp") and os.listdir(store / "leases") and made <= _groups()
    assert place.run("plain", "true").returncode == 0
    assert os.listdir(store / "tmp") == os.listdir(store / "leases") == []
    assert not made & _groups()
