"""Ends of life as findings: by the table's own values, on days around their ends."""

import pytest
from tests.scan.scan_samples import BILL

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.lifecycles import lifecycles
from kezuri.scan.ends import findings


def found(day: str, debian: str = "12") -> dict[str, tuple[str, str]]:
    """Severity and note of what has ended on a day in an image of Debian with Node.js 20."""
    bill = BILL._replace(distribution=Distribution("debian", debian))
    return {each.id: (each.severity, each.note) for each in findings(bill, lifecycles(), day)}


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("2026-01-29", None),
        ("2026-01-30", ("low", "supported")),
        ("2026-04-30", ("low", "supported")),
        ("2026-05-01", ("high", "ended")),
    ],
)
def test_a_runtime(day: str, told: tuple[str, str] | None) -> None:
    """Node.js 20 ends on 2026-04-30."""
    assert found(day).get("node:20") == told


def test_a_distribution() -> None:
    assert found("2024-01-01") == {}
    assert found("2027-01-01")["debian:12"] == ("medium", "extended")
    assert found("2031-01-01")["debian:12"] == ("high", "ended")
    assert "debian:9" in found("2024-01-01", "9")


def test_what_the_table_does_not_have_is_no_finding() -> None:
    bill = BILL._replace(distribution=Distribution("unheard-of", "1"), components=())
    assert findings(bill, lifecycles(), "2026-01-01") == ()


def test_what_to_move_to() -> None:
    bill = BILL._replace(distribution=Distribution("debian", "11", "Debian GNU/Linux 11"))
    distribution, runtime = findings(bill, lifecycles(), "2026-11-28")
    assert distribution.component == -1 and distribution.fixed[0].startswith("Debian ")
    assert runtime.component == 3 and runtime.installed == "20.11.1" and runtime.fixed[0].startswith("Node.js ")
