"""Health checks: what an image and its user say, what results mean, and real ones in real containers."""

from typing import Any

import pytest
from tests.build.build_busybox import RUNS_STEPS
from tests.containers.containers_place import Place

from kezuri.containers.health import Health, Healthcheck, HealthOptions, healthcheck

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("image", "options", "found"),
    [
        (None, HealthOptions(), None),
        ({"Test": ["NONE"]}, HealthOptions(), None),
        ({"Test": []}, HealthOptions(), None),
        ({"Test": ["CMD"]}, HealthOptions(), None),
        ({"Test": ["CMD", "a", "b"]}, HealthOptions(), Healthcheck(("a", "b"))),
        ({"Test": ["CMD-SHELL", "a b"]}, HealthOptions(), Healthcheck(("/bin/sh", "-c", "a b"))),
        ({"Test": ["CMD", "a"]}, HealthOptions(disabled=True), None),
        (
            {"Test": ["CMD", "a"], "Interval": 2 * SECOND, "Timeout": SECOND, "StartPeriod": SECOND, "Retries": 5},
            HealthOptions(retries=2, timeout=3 * SECOND, start_interval=SECOND // 2),
            Healthcheck(("a",), 2.0, 3.0, 1.0, 0.5, 2),
        ),
        ({"Test": ["CMD", "a"], "Interval": 2 * SECOND, "Retries": 9}, HealthOptions(interval=0, retries=0),
         Healthcheck(("a",))),
        (None, HealthOptions(command="x"), Healthcheck(("/bin/sh", "-c", "x"))),
    ],
)  # fmt: skip
def test_what_is_checked(image: dict[str, Any] | None, options: HealthOptions, found: Healthcheck | None) -> None:
    assert healthcheck(image, options, None) == found


def test_the_shell_of_the_image_runs_it() -> None:
    found = healthcheck({"Test": ["CMD-SHELL", "x"]}, HealthOptions(), ("/bin/bash", "-ec"))
    assert found is not None and found.argv == ("/bin/bash", "-ec", "x")


def course(check: Healthcheck, *results: tuple[float, int]) -> list[tuple[float, str]]:
    """When each probe began, and what its result changed; each takes the seconds and ends with the code given."""
    health = Health(check)
    now = 0.0
    health.start(now)
    seen = []
    for takes, code in results:
        while health.probe(now) is None:
            now += 0.25
        began = now
        now += takes
        seen.append((began, health.ended(now, code, b"first\nlast\n")))
        assert health.probe(now) is None, "the next one waits"
    return seen


def test_failures_in_a_row_make_it_unhealthy_and_one_success_healthy() -> None:
    check = Healthcheck(("a",), interval=10, retries=2)
    assert course(check, (1, 1), (1, 1), (1, 1), (1, 0), (1, 0), (1, 3), (1, 0), (1, 3), (1, -1)) == [
        (10, ""),
        (21, "unhealthy after 2 failures: exit code 1: last"),
        (32, ""),
        (43, "healthy"),
        (54, ""),
        (65, ""),
        (76, ""),
        (87, ""),
        (98, "unhealthy after 2 failures: it took more than 30 s: last"),
    ]


def test_failures_of_the_start_period_do_not_count_until_it_was_well() -> None:
    check = Healthcheck(("a",), interval=10, start_period=4, start_interval=1, retries=1)
    assert course(check, (0, 1), (0, 1), (0, 0), (0, 1)) == [
        (1, ""),
        (2, ""),
        (3, "healthy"),
        (13, "unhealthy after 1 failure: exit code 1: last"),
    ]
    late = course(check, (0, 1), (0, 1), (0, 1), (0, 1))
    assert [began for began, _ in late] == [1, 2, 3, 4]
    assert late[-1][1].startswith("unhealthy")


class TestContainers:
    """With real ones."""

    pytestmark = RUNS_STEPS

    @pytest.mark.parametrize("runtime", ["kezuri", "crun", "runc"])
    def test_a_change_is_told(self, place: Place, runtime: str, programs: set[str]) -> None:
        if runtime not in programs:
            pytest.skip(f"{runtime} is not installed")
        check = "test -e /ok || { echo it is missing; exit 3; }"
        options = ("--runtime", runtime, "--health-cmd", check, "--health-interval", "100ms", "--health-retries", "1")
        with place.running(*options, "plain", "sh", "-c", "sleep 1000") as container:
            container.wait_for("the container is unhealthy after 1 failure: exit code 3: it is missing")
        with place.running(*options, "plain", "sh", "-c", "touch /ok; sleep 1000") as container:
            container.wait_for("the container is healthy")

    def test_a_check_is_what_the_container_is(self, place: Place) -> None:
        tell = "id -u; pwd; echo $A; grep -E 'Cap(Eff|Bnd|Prm)|Seccomp:|NoNewPrivs' /proc/self/status; ls /proc/self/fd"
        options = ("-e", "A=7", "-w", "/tmp", "-u", "1000", "--security-opt", "no-new-privileges")
        said = place.run(
            *options,
            *("--health-cmd", f"({tell}) > /tmp/check 2>&1; touch /tmp/done", "--health-interval", "100ms"),
            *("plain", "sh", "-c"),
            f"while ! test -e /tmp/done; do sleep 0.1; done; ({tell}) > out; cat check; cmp out check",
        )
        assert said.returncode == 0, said
        assert said.stdout.startswith("1000\n/tmp\n7\n") and "NoNewPrivs:\t1" in said.stdout

    def test_one_that_takes_too_long_is_killed_and_no_other_is_seen(self, place: Place) -> None:
        options = ("--health-interval", "100ms", "--health-timeout", "200ms", "--health-retries", "1")
        with place.running(
            *options, "--health-cmd", "sleep 77", "plain", "sh", "-c", "sleep 1; ps; sleep 50"
        ) as container:
            container.wait_for("unhealthy after 1 failure: it took more than 0.2 s")
            assert "python" not in container.wait_for("sleep 1; ps")

    def test_the_images_own_and_none(self, place: Place) -> None:
        place.image("checked", "HEALTHCHECK --interval=100ms CMD true", 'CMD ["sleep", "1"]')
        assert "the container is healthy" in place.run("checked").stderr
        assert place.run("--no-healthcheck", "checked").stderr == ""
        said = place.run("--no-healthcheck", "--health-cmd", "x", "checked")
        assert said.returncode == 2 and "contradict each other" in said.stderr
