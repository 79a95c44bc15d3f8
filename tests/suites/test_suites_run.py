"""The runner runs every suite, side by side, fails when one fails, and tells what took long and what was skipped."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.integration.integration_entries import examples, part
from tests.suites import suites_run
from tests.suites.suites_facts import Facts, together
from tests.suites.suites_list import PARTS, PROJECT, TESTS, Suite, suites
from tests.suites.suites_run import Ended, run, spoken, summary, with_known_times

PASSES = "def test_passes(): pass\n"


def suite(directory: Path, name: str, text: str, *arguments: str) -> Suite:
    """A suite of one file with this text."""
    room = directory / name
    room.mkdir()
    (room / f"test_{name}.py").write_text(text)
    return Suite(name, (str(room),), 1.0, ("-c", os.devnull, "--rootdir", str(room), *arguments))


@pytest.mark.slow
def test_all_that_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skips = 'import pytest\n@pytest.mark.parametrize("n", range(3))\ndef test_skips(n): pytest.skip("no moon")\n'
    slow = "import time\ndef test_slow(): time.sleep(0.4)\n"
    wanted = [suite(tmp_path, "one", PASSES), suite(tmp_path, "two", skips), suite(tmp_path, "three", slow)]
    wanted[0] = wanted[0]._replace(name="one of ../many")
    assert run(wanted, tmp_path / "out", 2) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("passed: 2 passed, 3 skipped in ")
    assert "      3  no moon" in said
    slowest = said[said.index("the slowest 30 tests:") + 1]
    assert slowest.endswith("test_three.py::test_slow  (three)") and float(slowest.split()[0]) >= 0.4
    assert sum("1 passed" in line for line in said[said.index("the suites:") :]) == 2


@pytest.mark.slow
def test_one_that_fails_fails_the_run_and_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = [suite(tmp_path, "one", PASSES), suite(tmp_path, "two", "def test_fails(): assert 40 + 2 == 43\n")]
    assert run(wanted, tmp_path / "out", 2) == 1
    said = capsys.readouterr().out
    assert "assert (40 + 2) == 43" in said
    assert said.splitlines()[-1].startswith("FAILED: two: 1 failed, 1 passed in ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["import os\ndef test_ends(): os._exit(0)\n", "raise ValueError\n", "import os\ndef test_ends(): os._exit(5)\n"],
)
def test_one_that_does_not_get_to_its_end_fails(text: str, tmp_path: Path) -> None:
    assert run([suite(tmp_path, "one", text)], tmp_path / "out", 2) == 1


@pytest.mark.slow
def test_none_where_there_should_be_some_fails_and_as_a_second_run_does_not(tmp_path: Path) -> None:
    none = suite(tmp_path, "one", "")
    assert run([none], tmp_path / "out", 2) == 1
    assert run([none._replace(again=True)], tmp_path / "out", 2) == 0


@pytest.mark.slow
def test_they_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for the other."""
    text = (
        "import os, time\ndef test_meets():\n    open({mine!r}, 'w').close()\n    end = time.monotonic() + 60\n"
        "    while not os.path.exists({other!r}):\n        assert time.monotonic() < end\n        time.sleep(0.05)\n"
    )
    marks = [str(tmp_path / "a"), str(tmp_path / "b")]
    wanted = [
        suite(tmp_path, name, text.format(mine=mine, other=other))
        for name, mine, other in (("one", *marks), ("two", *reversed(marks)))
    ]
    assert run(wanted, tmp_path / "out", 2) == 0


@pytest.mark.slow
def test_some_share_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEZURI_TEST_ROOT", raising=False)
    text = "import os\ndef test_tells(): open({!r}, 'w').write(os.environ.get('KEZURI_TEST_ROOT', ''))\n"
    names = ("one", "two", "other", "none")
    wanted = [suite(tmp_path, name, text.format(str(tmp_path / f"{name}-said"))) for name in names]
    stores = ("shared", "shared", "another", "")
    assert run([one._replace(store=store) for one, store in zip(wanted, stores, strict=True)], tmp_path / "out", 2) == 0
    one, two, other, none = ((tmp_path / f"{name}-said").read_text() for name in names)
    assert one == two != other
    assert one and other and not none
    assert not Path(one).parent.exists()


def test_the_longest_of_the_last_run_starts_first(tmp_path: Path) -> None:
    wanted = [Suite("new", (), 20), Suite("known to be long", (), 10), Suite("short", (), 15)]
    (tmp_path / "seconds").write_text('{"known to be long": 99}')
    assert [one.name for one in with_known_times(tmp_path / "seconds", wanted)] == ["known to be long", "new", "short"]


@pytest.mark.slow
def test_called_off_it_ends_what_it_started(tmp_path: Path) -> None:
    text = (
        "import time, pytest\n@pytest.fixture\ndef held():\n    open({0!r}, 'w').close()\n    yield\n"
        "    open({1!r}, 'w').close()\n    time.sleep(0.2)\ndef test_long(held): time.sleep(600)\n"
    )
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    one = suite(tmp_path, "one", text.format(str(begun), str(ended)))
    code = (
        "import sys; from pathlib import Path; from tests.suites.suites_run import run; "
        "from tests.suites.suites_list import Suite; "
        f"sys.exit(run([Suite('one', {one.paths!r}, 1.0, {one.arguments!r})], Path({str(tmp_path / 'out')!r}), 2))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not begun.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=suites_run.PATIENCE + 20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert ended.exists()
    assert "called off" in said


def test_every_room_is_in_a_suite() -> None:
    own = [one for one in suites() if not one.again]
    rooms = {f"tests/{path.name}" for path in TESTS.iterdir() if any(path.glob("test_*.py"))}
    for expression in ("slow", "not slow"):
        run_whole = [one for one in own if "-m" not in one.arguments]
        marked = [one for one in own if expression in one.arguments]
        held = {path for one in (*run_whole, *marked) for path in one.existing()}
        assert rooms <= held, f"tests that are {expression} of these rooms are in no suite: {rooms - held}"
        counted = Counter(path for one in marked for path in one.existing())
        assert max(counted.values()) == 1


@pytest.mark.parametrize("of", [1, 2, PARTS, 7])
def test_every_example_is_in_one_part(of: int) -> None:
    parts = [[entry.name for entry in part(examples(), number, of)] for number in range(1, of + 1)]
    assert [name for names in parts for name in names] == [entry.name for entry in examples()]
    assert all(parts)


def test_words() -> None:
    assert (spoken(59.4), spoken(60), spoken(605.0)) == ("59 s", "1 min  0 s", "10 min  5 s")
    facts = together([Facts({"passed": 2}, {"a": 1.0}, {"r": 1}), Facts({"failed": 1}, {"a": 3.0, "b": 2.0}, {"r": 2})])
    assert facts == Facts({"passed": 2, "failed": 1}, {"a": 3.0, "b": 2.0}, {"r": 3})
    assert facts.counted() == "1 failed, 2 passed"
    lines = summary([Ended(Suite("one", (), 1), 0, 61.0, facts)], 61.0)
    assert lines[-1] == "passed: 1 failed, 2 passed in 1 min  1 s"
