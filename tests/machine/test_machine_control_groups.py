"""What an engine leaves of its control groups goes with it."""

from pathlib import Path

from benchmarks.control_groups import ControlGroups


def test_new_groups_go_and_others_stay(tmp_path: Path) -> None:
    for name in ("docker/theirs", "cpu/docker", "cpu/system.slice"):
        (tmp_path / name).mkdir(parents=True)
    with ControlGroups("docker", str(tmp_path)):
        for name in ("docker/buildkit/step", "cpu/docker/buildkit", "memory/docker/buildkit", "cpu/other"):
            (tmp_path / name).mkdir(parents=True)
        # Somebody is in it: the kernel refuses to remove such a group as it does this directory.
        (tmp_path / "cpu/docker/buildkit/busy").write_text("")
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_dir())
    assert left == [
        "cpu",
        "cpu/docker",
        "cpu/docker/buildkit",
        "cpu/other",
        "cpu/system.slice",
        "docker",
        "docker/theirs",
        "memory",
    ]
