"""The live picture, seen through a small model of a terminal and, slowly, through tmux."""

import io
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.cli_terminal import Terminal

from kezuri.cli.console import Console
from kezuri.cli.progress_terminal import TerminalProgress
from kezuri.cli.screen_text import clip, plain, width
from kezuri.progress import Event, StepCached, StepDone, StepFailed, StepOutput, StepStarted, StepStatus
from kezuri.progress.events import StepName
from kezuri.progress.expected import Expected


class Still(TerminalProgress):
    """Draws when it is told to, at a moment that stands still."""

    def __init__(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, doing: str = "building", **environ: str
    ) -> None:
        super().__init__(Console(io.StringIO(), terminal, environ), doing)
        self.terminal = terminal
        self.now = 100.0
        self._start = 100.0
        monkeypatch.setattr(TerminalProgress, "_size", lambda self: (terminal.columns, terminal.rows))
        monkeypatch.setattr("kezuri.cli.progress_terminal._FRAME", 1000.0)
        monkeypatch.setattr("kezuri.cli.progress_terminal.time.time", lambda: self.now)

    def frame(self, *events: Event) -> list[str]:
        for event in events:
            self(event)
        self._frame()
        return self.terminal.screen()


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> Still:
    return Still(Terminal(60, 16), monkeypatch)


def row(left: str, right: str, columns: int = 60) -> str:
    """A step's line: the note ends one cell before the edge."""
    return left + " " * (columns - 1 - width(left) - width(right)) + right


def out(step: int, text: str | bytes) -> StepOutput:
    return StepOutput(step, 101.0, 1, text.encode() if isinstance(text, str) else text)


def test_a_build_as_one_sees_it(still: Still) -> None:
    with still:
        still.now = 101.25
        assert still.frame(
            StepStarted(1, "[a 1/3] FROM node:20", 100.0),
            StepCached(1, 100.0),
            StepStarted(2, "[a 2/3] RUN npm ci", 100.0),
            out(2, "one\ntwo\nthr"),
        ) == [
            row(" ✔ [a 1/3] FROM node:20", "cached"),
            row(" ▸ [a 2/3] RUN npm ci", "1.2s"),
            "     one",
            "     two",
            "     thr",
            "[+] building 1.2s (1/2, 1 cached)",
        ]
        assert not still.terminal.cursor
        still.now = 102.0
        assert still.frame(
            out(2, "ee\n" + "".join(f"line {i}\n" for i in range(20))),
            StepStarted(3, "[b 1/1] RUN 日本語", 101.5),
            StepStatus(3, 101.5, "sha256:x", 1_000_000, 2_000_000),
        ) == [
            row(" ✔ [a 1/3] FROM node:20", "cached"),
            row(" ▸ [a 2/3] RUN npm ci", "2.0s"),
            *(f"     line {i}" for i in range(14, 20)),
            row(" ▸ [b 1/1] RUN 日本語", "0.5s"),
            "     sha256:x 1.00MB / 2.00MB",
            "[+] building 2.0s (1/3, 1 cached)",
        ]
        still(StepDone(2, 102.0, 2.0))
        still(StepFailed(3, 102.0, 0.5, "exit code: 1"))
    assert still.terminal.cursor
    assert still.terminal.screen() == [
        row(" ✔ [a 1/3] FROM node:20", "cached"),
        row(" ✔ [a 2/3] RUN npm ci", "2.0s"),
        row(" ✘ [b 1/1] RUN 日本語", "0.5s"),
        "[+] stopped 2.0s (3/3, 1 cached)",
    ]


def test_a_pull_is_no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still(Terminal(60, 16), monkeypatch, "pulling")
    with still:
        assert still.frame(StepStarted(1, "pull app:1", 100.0))[-1].startswith("[+] pulling 0.0s (0/1)")


def test_every_frame_fits_the_window_and_lasting_lines_scroll_away_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still(Terminal(40, 8), monkeypatch)
    with still:
        for i in range(1, 31):
            still.frame(StepStarted(i, f"step {i}", 100.0), out(i, "text\n" * 9))
            assert len(still.terminal.screen()) <= 7
        assert any("and 25 more steps" in line for line in still.terminal.screen())
        assert not still.terminal.history  # nothing drawn twice has left the window
        for i in range(1, 31):
            still.frame(StepDone(i, 101.0, 1.0))
    everything = still.terminal.everything()
    assert [line.split()[2] for line in everything[:-1]] == [str(i) for i in range(1, 31)]
    assert len(everything) == 31


def test_a_build_that_is_over_at_once_draws_once(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still(Terminal(), monkeypatch)
    with still:
        for i in range(1, 4):
            still(StepStarted(i, f"step {i}", 100.0))
            still(StepCached(i, 100.0))
    assert still.terminal.frames == 1
    assert "\x1b[?25l" not in still.terminal.raw
    assert len(still.terminal.screen()) == 4


def test_nothing_happened_nothing_shown(still: Still) -> None:
    with still:
        pass
    assert still.terminal.raw == ""


def test_an_exception_gives_the_cursor_back(still: Still) -> None:
    with pytest.raises(KeyboardInterrupt), still:
        still.frame(StepStarted(1, "RUN sleep", 100.0), out(1, "words\n"))
        raise KeyboardInterrupt
    assert still.terminal.cursor
    assert [line.split()[0] for line in still.terminal.screen()] == ["∎", "[+]"]
    still.close()
    assert len(still.terminal.screen()) == 2


def test_hostile_output_stays_in_its_lines(still: Still) -> None:
    with still:
        shown = still.frame(
            StepStarted(1, "RUN \x1b[2Jx\n\ty", 100.0),
            out(1, b"\x1b[5A\x1b[2Jgone\x1b]0;title\x07\x00\xff\r\n\x1b[?1049h" + "long 日本 ".encode() * 50 + b"\n"),
        )
        assert shown[0].startswith(" ▸ RUN x y")
        assert shown[1] == "     gone\ufffd"
        assert shown[2].endswith("…") and width(shown[2]) <= 59
        assert len(shown) == 4


def test_lines_of_result_stand_above_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still(Terminal(40, 8), monkeypatch)
    with still:
        still.frame(StepStarted(1, "RUN x", 100.0))
        still.say("hello")  # standard output is no terminal here: it gets the line
        assert still.console.out.getvalue() == "hello\n"  # type: ignore[attr-defined]
        still.console.out = still.terminal
        still.say("over\nthe picture")
        assert still.frame()[:3] == ["over", "the picture", row(" ▸ RUN x", "0.0s", 40)]


def test_a_narrower_window_is_redrawn_from_where_its_lines_begin_now(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still(Terminal(60, 20), monkeypatch)
    with still:
        still.frame(StepStarted(1, "RUN x", 100.0), out(1, "words\n"))
        still.terminal.columns = 30
        still.terminal.raw = ""
        still.frame()
        # The step's line of 59 cells takes two rows of 30 now, " words" one, the summary one: four in all.
        # Rows that were wrapped are cleared, or the terminal puts them behind each other when it widens again.
        assert "\r\x1b[4A\x1b[J" in still.terminal.raw
        still.terminal.raw = ""
        still.frame(out(1, "more\n"))
        assert "A\x1b[J" not in still.terminal.raw


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
def test_a_terminal_that_lacks_characters_shows_lines_that_fit(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setattr(Terminal, "encoding", encoding)
    still = Still(Terminal(40, 10), monkeypatch)
    with still:
        for i in range(1, 8):
            shown = still.frame(
                StepStarted(i, f"[1/{i}] RUN echo 日本語 … and so on, on and on", 100.0), out(i, "—" * 60)
            )
            assert len(shown) <= 9 and not still.terminal.history
        for i in range(1, 8):
            still.frame(StepDone(i, 101.0, 1.0))
    for line in still.terminal.everything():
        line.encode(encoding)
        assert width(line) < 40
    assert sum("\\u65e5" in line for line in still.terminal.everything()) == 7


def test_one_image_is_one_from(still: Still) -> None:
    def name(stage: str, title: str = "FROM node:20", platform: str = "") -> StepName:
        return StepName(title, 1, 3, stage, platform)

    with still:
        still.frame(StepStarted(1, name("a"), 100.0), StepDone(1, 100.0, 1.0))
        still.frame(StepStarted(2, name("b"), 100.0), StepCached(2, 100.0))
        still.frame(StepStarted(3, name("c", "FROM alpine"), 100.0), StepCached(3, 100.0))
        still.frame(StepStarted(4, name("a", platform="linux/arm64"), 100.0), StepCached(4, 100.0))
        still.frame(StepStarted(5, StepName("RUN FROM", 1, 1), 100.0), StepDone(5, 101.0, 1.0))
        still.frame(StepStarted(6, StepName("RUN FROM", 1, 1), 100.0), StepDone(6, 101.0, 1.0))
        still.frame(StepStarted(7, name("d"), 100.0), StepFailed(7, 101.0, 1.0, "no"))
    shown = "\n".join(still.terminal.everything())
    assert "[a 1/3] FROM node:20" in shown and "[b 1/3]" not in shown and "[c 1/3] FROM alpine" in shown
    assert "[linux/arm64 a 1/3]" in shown and shown.count("RUN FROM") == 2
    assert "[d 1/3] FROM node:20" in shown and "(6/6, 2 cached)" in shown


def test_a_terminal_that_is_gone_does_not_stop_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    still = Still(Terminal(), monkeypatch)

    def broken(text: str) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(still.terminal, "write", broken)
    with still:
        still.frame(StepStarted(1, "RUN x", 100.0))
        still.frame(StepDone(1, 100.0, 0.0))


def test_a_thread_draws_only_while_steps_run_in_other_threads() -> None:
    terminal = Terminal()
    progress = TerminalProgress(Console(io.StringIO(), terminal, {}))

    def other(event: Event) -> None:
        thread = threading.Thread(target=progress, args=(event,))
        thread.start()
        thread.join()

    def drawing() -> int:
        return sum(thread.name == "kezuri-progress" for thread in threading.enumerate())

    def shows(text: str) -> bool:
        with progress._lock:  # no frame is half drawn
            return any(text in line for line in terminal.screen())

    with progress:
        progress(StepStarted(1, "load metadata", time.time()))
        time.sleep(0.15)
        progress(StepStatus(1, time.time(), "x", 1, 2))
        assert shows("load metadata")
        assert drawing() == 0  # a user namespace can still be entered
        other(StepStarted(2, "RUN sleep", time.time()))
        while not shows("RUN sleep"):
            time.sleep(0.02)
        assert drawing() == 1
        other(StepDone(2, time.time(), 0.0))
        progress(StepDone(1, time.time(), 0.0))
        assert drawing() == 0
        other(StepStarted(3, "RUN again", time.time()))
        assert drawing() == 1
    assert drawing() == 0
    assert terminal.cursor
    assert [line.split()[0] for line in terminal.screen()] == ["✔", "✔", "∎", "[+]"]


class TestHowLongYet:
    NAME = StepName("RUN make", 2, 3, "build")
    LATER = StepName("RUN test", 3, 3, "build")

    def begun(self, low: float, high: float, steps: dict[StepName, tuple[float, float]]) -> list[str]:
        """What is shown of a build that began five seconds ago, whose first step began two seconds later."""
        now = time.time()
        terminal = Terminal()
        progress = TerminalProgress(Console(io.StringIO(), terminal, {}))
        progress(StepStarted(1, "load metadata", now - 5))
        progress(StepDone(1, now - 4, 1.0))
        expect = progress.expecting()
        assert expect is not None
        expect(Expected(now - 3, frozenset((self.NAME, self.LATER)), steps, low, high))
        progress(StepStarted(2, self.NAME, now - 3))
        with progress._lock:
            progress._frame()
        lines = [line.strip() for line in terminal.screen() if line.strip()]
        progress.close()
        return lines

    def test_a_step_and_the_whole_are_beside_what_they_took_before(self) -> None:
        *_, step, whole = self.begun(38.0, 52.0, {self.NAME: (4.0, 7.5), self.LATER: (30.0, 40.0)})
        assert re.fullmatch(r"▸ \[build 2/3\] RUN make +3\.\ds of 4\.0-7\.5s", step)
        assert re.fullmatch(r"\[\+\] building 5\.\ds of 40-54s \(1/3\)", whole), "two seconds had gone before"

    def test_nothing_is_said_of_what_never_ran_or_takes_longer_than_ever(self) -> None:
        *_, step, whole = self.begun(0.0, 0.0, {self.LATER: (1.0, 2.0)})
        assert re.fullmatch(r"▸ .* 3\.\ds", step) and re.fullmatch(r".* building 5\.\ds \(1/3\)", whole)
        *_, step, whole = self.begun(1.0, 2.0, {self.NAME: (1.0, 2.0)})
        assert re.fullmatch(r"▸ .* 3\.\ds", step) and re.fullmatch(r".* building 5\.\ds \(1/3\)", whole)
        *_, step, _ = self.begun(100.0, 130.0, {self.NAME: (70.0, 130.0)})
        assert step.endswith("s of 1min 10s to 2min 10s")


def test_widths() -> None:
    assert width("日本語") == 6 and width("é") == 1 and width("e\u0301") == 1 and width("ﾃｽﾄ") == 3
    assert width("👍") == 2 and width("a\u200bb") == 2
    assert clip("日本語", 6) == "日本語" and clip("日本語", 5) == "日本…" and clip("日本語", 4) == "日…"
    assert clip("abc", 3) == "abc" and clip("abcd", 3) == "ab…" and clip("abcd", 1) == "…" and clip("abcd", 0) == ""
    assert plain("a\tb\t\tc") == "a       b               c"
    assert plain("\u202eabc\u2066") == "abc"


@given(st.text(max_size=40), st.integers(0, 50))
def test_what_is_clipped_fits(text: str, cells: int) -> None:
    shown = clip(plain(text), cells)
    assert width(shown) <= cells
    assert shown == plain(text) or shown == "" or shown.endswith("…")


@given(st.text(alphabet=st.sampled_from("\x1b[]0;?ABmKJ\\\x07\x9b \tP^_日"), max_size=30))
def test_no_control_character_survives(text: str) -> None:
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in plain(text))


SCRIPT = """
import os, sys, threading, time
from kezuri.cli.console import Console
from kezuri.cli.progress import open_progress
from kezuri.progress import *
console = Console(sys.stdout, sys.stderr, os.environ)
try:
    with open_progress("auto", console) as progress:
        now = time.time
        progress(StepStarted(1, "[a 1/2] FROM scratch", now()))
        progress(StepCached(1, now()))
        progress(StepStarted(2, "[a 2/2] RUN sleep 日本語", now()))

        def step():
            for i in range(600):
                progress(StepOutput(2, now(), 1, f"line {i} テスト\\n".encode()))
                time.sleep(0.05)

        threading.Thread(target=step, daemon=True).start()
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_in_a_real_terminal(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    source = os.path.join(os.path.dirname(__file__), "..", "..", "src")
    environ = {k: v for k, v in os.environ.items() if k not in ("CI", "TMUX")}
    environ |= {"LC_ALL": "C.UTF-8", "TERM": "screen-256color", "PYTHONPATH": os.path.abspath(source)}
    tmux = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null"]

    def call(*words: str) -> str:
        return subprocess.run([*tmux, *words], env=environ, check=True, capture_output=True, text=True).stdout

    def wait(text: str) -> list[str]:
        for _ in range(100):
            shown = call("capture-pane", "-p")
            if text in shown:
                return [line.rstrip() for line in shown.rstrip().split("\n")]
            time.sleep(0.1)
        raise AssertionError(f"{text!r} never appeared:\n{shown}")

    call(
        "new-session",
        "-d",
        "-x",
        "60",
        "-y",
        "15",
        "sh",
        "-c",
        f"trap : INT; {sys.executable} {script}; echo END; sleep 60",
    )
    try:
        shown = wait("line 7 テスト")
        assert shown[0] == row(" ✔ [a 1/2] FROM scratch", "cached")
        assert shown[1].startswith(" ▸ [a 2/2] RUN sleep 日本語")
        assert all(line.startswith("     line ") for line in shown[2:8])
        assert shown[8].startswith("[+] building") and len(shown) == 9
        assert call("display-message", "-p", "#{cursor_flag}").strip() == "0"
        call("resize-window", "-x", "30", "-y", "15")
        time.sleep(0.5)
        call("resize-window", "-x", "60", "-y", "15")
        time.sleep(0.5)
        call("send-keys", "C-c")
        shown = wait("END")
        assert any(line.startswith(" ∎ [a 2/2] RUN sleep 日本語") for line in shown)
        assert shown[-3].startswith("[+] stopped") and shown[-2:] == ["interrupted", "END"]
        assert call("display-message", "-p", "#{cursor_flag}").strip() == "1"
    finally:
        call("kill-server")
