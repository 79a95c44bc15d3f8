"""Steps that are shown another day, and their directories backwards."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sandbox.conftest import isolated, run

from kezuri.sandbox import backwards
from kezuri.sandbox.choice import choose
from kezuri.sandbox.disguise import Disguise, Disguised, clock, has_clock

RECORDS = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 1), st.binary(min_size=1, max_size=40)))


def record(inode: int, offset: int, name: bytes) -> bytes:
    name = name.replace(b"\0", b"x") + b"\0"
    size = -(-(19 + len(name)) // 8) * 8
    return (backwards._HEAD.pack(inode, offset, size, 8) + name).ljust(size, b"\0")


@given(RECORDS)
def test_directories_are_turned_around(entries: list[tuple[int, int, bytes]]) -> None:
    """Each entry once, the last first; whoever goes on from any of them goes on behind the last."""
    data = b"".join(record(*entry) for entry in entries)
    turned = backwards.turned(data)
    assert len(turned) == len(data)
    heads, at = [], 0
    while at < len(turned):
        inode, offset, size, _ = backwards._HEAD.unpack_from(turned, at)
        heads.append((inode, turned[at + 19 : at + size].partition(b"\0")[0]))
        assert offset == entries[-1][1]
        at += size
    assert heads == [(inode, name.replace(b"\0", b"x")) for inode, _, name in reversed(entries)]


@given(st.binary(max_size=100))
def test_what_is_no_directory_stays_as_long(data: bytes) -> None:
    assert len(backwards.turned(data)) <= max(len(data), 0)


needs_clock = pytest.mark.skipif(not has_clock(), reason="there is no other clock for this machine")


@needs_clock
@pytest.mark.slow
def test_programs_believe_in_another_day(tmp_path: Path) -> None:
    """And whoever waits for some moment waits no longer than before."""
    library = tmp_path / "clock.so"
    library.write_bytes(clock(90_061))
    program = (
        "import threading,time; e=threading.Condition(); e.acquire(); t=time.monotonic(); e.wait(0.05);"
        "print(int(time.time()), time.monotonic()-t < 20, time.clock_gettime(time.CLOCK_MONOTONIC) < 10**9)"
    )
    said = subprocess.run(
        ["python3", "-c", program],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()
    assert abs(int(said[0]) - time.time() - 90_061) < 60 and said[1:] == ["True", "True"]


@needs_clock
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_library_is_what_its_source_gives(tmp_path: Path) -> None:
    source = Path(backwards.__file__).parent / "clock" / "shifted_clock.c"
    text = source.read_text()
    words = text[text.index("gcc ") : text.index("*/")].replace("*", " ").replace("\\", " ").split()
    made = tmp_path / "made.so"
    subprocess.run([*words, "-o", str(made), str(source)], check=True, capture_output=True)

    def symbols(path: Path) -> list[str]:
        listed = subprocess.run(["readelf", "-W", "--dyn-syms", str(path)], capture_output=True, text=True, check=True)
        return sorted(line.split()[-1] for line in listed.stdout.splitlines() if " FUNC " in line)

    kept = source.with_name(f"shifted_clock.{os.uname().machine}.so")
    assert symbols(made) == symbols(kept) != []


@isolated
@pytest.mark.slow
def test_a_step_sees_what_it_is_shown(name: str, who: str, layers: tuple[str, ...], scratch: str) -> None:
    command = (
        "mkdir d; for i in 1 2 3 4 5 6 7 8 9; do echo > d/$i; done; ls -U d; date +%s; env | grep -c PRELOAD; rm -r d"
    )
    lists = []
    for turned in (False, True):
        with choose(name) as sandbox:
            shown = Disguised(sandbox, Disguise(has_clock(), 90_061, turned))
            ran = run(shown, layers, command, scratch)
        assert ran.code == 0, ran
        *names, now, _ = ran.out.split()
        assert not has_clock() or abs(int(now) - time.time() - 90_061) < 60
        lists.append(names)
    assert sorted(lists[0]) == sorted(lists[1]) == list("123456789")
    if name == "native" and who in ("root", "subordinate") and backwards.is_known(os.uname().machine):
        assert lists[0] == lists[1][::-1], "what the file system says, from its end"
    assert not os.path.exists(f"{scratch}/upper/.kezuri-clock.so")
