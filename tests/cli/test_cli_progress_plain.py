"""Plain progress: scripted events, and the very lines that come out."""

import io
import threading

import pytest

from kezuri.cli.console import Console
from kezuri.cli.progress import open_progress
from kezuri.cli.progress_display import Progress
from kezuri.cli.progress_plain import PlainProgress, keep_colours
from kezuri.diagnostics import Diagnostic
from kezuri.progress import Event, StepCached, StepDone, StepFailed, StepOutput, StepStarted, StepStatus, Warned


def plain(*events: Event, close: bool = True, **environ: str) -> str:
    err = io.StringIO()
    progress = PlainProgress(Console(io.StringIO(), err, environ))
    for event in events:
        progress(event)
    if close:
        progress.close()
    return err.getvalue()


def out(step: int, time: float, text: str | bytes, stream: int = 1) -> StepOutput:
    return StepOutput(step, time, stream, text.encode() if isinstance(text, str) else text)


def test_one_step_after_the_other() -> None:
    assert plain(
        StepStarted(1, "[internal] load Dockerfile", 10.0),
        StepDone(1, 10.02, 0.02),
        StepStarted(2, "[builder 1/5] FROM node:20", 10.1),
        StepCached(2, 10.1),
        StepStarted(3, "[builder 3/5] RUN npm ci", 11.0),
        out(3, 11.412, "added 1 package\nand "),
        out(3, 12.0, "another\n\nlast"),
        StepDone(3, 12.2, 1.2),
        StepStarted(4, "[builder 4/5] RUN <<EOF\nfalse\nEOF", 13.0),
        out(4, 13.5, "no\n", 2),
        StepFailed(4, 13.5, 0.5, "exit code: 1"),
    ) == (
        "#1 [internal] load Dockerfile\n"
        "#1 DONE 0.0s\n"
        "\n"
        "#2 [builder 1/5] FROM node:20\n"
        "#2 CACHED\n"
        "\n"
        "#3 [builder 3/5] RUN npm ci\n"
        "#3 0.412 added 1 package\n"
        "#3 1.000 and another\n"
        "#3 1.000\n"
        "#3 1.200 last\n"
        "#3 DONE 1.2s\n"
        "\n"
        "#4 [builder 4/5] RUN <<EOF false EOF\n"
        "#4 0.500 no\n"
        "#4 ERROR: exit code: 1\n"
    )


def test_one_step_has_the_floor_and_the_others_wait() -> None:
    assert plain(
        StepStarted(7, "[a 1/1] RUN a", 0.0),
        StepStarted(8, "[b 1/1] RUN b", 0.0),
        out(8, 0.1, "b one\n"),
        out(7, 0.2, "a one\n"),
        out(8, 0.3, "b two\n"),
        StepStarted(9, "[c 1/1] COPY c c", 0.3),
        StepCached(9, 0.4),
        out(7, 0.5, "a two\n"),
        StepDone(7, 0.6, 0.6),
        out(8, 0.7, "b three\n"),
        StepDone(8, 0.8, 0.8),
    ) == (
        "#7 [a 1/1] RUN a\n"
        "#7 0.200 a one\n"
        "#7 ...\n"
        "\n"
        "#9 [c 1/1] COPY c c\n"
        "#9 CACHED\n"
        "\n"
        "#8 [b 1/1] RUN b\n"
        "#8 0.100 b one\n"
        "#8 0.300 b two\n"
        "#8 ...\n"
        "\n"
        "#7 [a 1/1] RUN a\n"
        "#7 0.500 a two\n"
        "#7 DONE 0.6s\n"
        "\n"
        "#8 [b 1/1] RUN b\n"
        "#8 0.700 b three\n"
        "#8 DONE 0.8s\n"
    )


@pytest.mark.parametrize(
    ("moments", "switched"),
    [
        ((0.1, 3.0), False),
        ((0.1, 5.2), True),  # the floor has been silent for five seconds
    ],
)
def test_a_silent_step_loses_the_floor(moments: tuple[float, float], switched: bool) -> None:
    text = plain(
        StepStarted(1, "a", 0.0),
        StepStarted(2, "b", 0.0),
        out(1, moments[0], "a\n"),
        out(2, moments[1], "b\n"),
        close=False,
    )
    assert ("#2 b" in text) is switched


def test_a_step_that_never_falls_silent_loses_it_too() -> None:
    events: list[Event] = [StepStarted(1, "a", 0.0), StepStarted(2, "b", 0.0)]
    for second in range(12):
        events += [out(1, second, f"a{second}\n"), out(2, second + 0.5, f"b{second}\n")]
    text = plain(*events, close=False)
    assert "#1 ...\n\n#2 b\n#2 0.500 b0\n" in text
    assert text.index("a10") < text.index("#2 b\n")


def test_much_output_is_neither_kept_back_nor_lost() -> None:
    line = "x" * 99 + "\n"
    text = plain(StepStarted(1, "a", 0.0), StepStarted(2, "b", 0.0), out(2, 0.0, line * 5000), close=False)
    assert text.count(line) == 5000


def test_a_line_without_end_is_cut_not_kept() -> None:
    text = plain(StepStarted(1, "a", 0.0), *(out(1, 0.0, "y" * 1000) for _ in range(1000)), close=False)
    assert 900_000 < text.count("y") <= 1_000_000
    assert max(map(len, text.split("\n"))) < 70_000


def test_progress_bars_show_their_last_state() -> None:
    assert (
        plain(
            StepStarted(1, "RUN curl", 0.0),
            out(1, 0.1, "  0%\r"),
            out(1, 0.2, " 50%\r 60%"),
            out(1, 0.3, "\r100%\r"),
            out(1, 0.4, "\nnext\r\n"),
            out(1, 0.5, "\r\r\n"),
            out(1, 0.6, " 10%\r 20%\r"),
            StepDone(1, 1.0, 1.0),
        )
        == "#1 RUN curl\n#1 0.400 100%\n#1 0.400 next\n#1 0.500\n#1 1.000  20%\n#1 DONE 1.0s\n"
    )


def test_a_long_progress_bar_is_shown_now_and_then() -> None:
    events = [out(1, moment / 2, f"{moment}%\r") for moment in range(1, 41)]
    text = plain(StepStarted(1, "RUN", 0.0), *events, StepDone(1, 20.5, 20.5))
    bars = [line for line in text.split("\n") if line.endswith("%")]
    assert 3 <= len(bars) <= 5 and bars[-1] == "#1 20.500 40%"


def test_characters_that_were_cut_in_two_are_joined_and_streams_are_kept_apart() -> None:
    data = "日本\n".encode()
    assert (
        plain(
            StepStarted(1, "RUN", 0.0),
            out(1, 0.0, data[:2]),
            out(1, 0.0, "err", 2),
            out(1, 0.0, data[2:]),
            out(1, 0.0, b"\xff\n"),
            StepDone(1, 0.0, 0.0),
        )
        == "#1 RUN\n#1 0.000 日本\n#1 0.000 �\n#1 0.000 err\n#1 DONE 0.0s\n"
    )


def test_control_sequences_do_not_reach_the_log_but_colours_may() -> None:
    nasty = "\x1b[31mred\x1b[0m \x1b[2J\x1b]0;title\x07\x1bP1$r\x1b\\done\x08\x00\tx\n"
    assert "#1 0.000 red done\tx\n" in plain(StepStarted(1, "R", 0.0), out(1, 0.0, nasty))
    coloured = plain(StepStarted(1, "R", 0.0), out(1, 0.0, nasty), CLICOLOR_FORCE="1")
    assert "\x1b[31mred\x1b[0m done" in coloured and "\x1b[2J" not in coloured and "title" not in coloured
    assert keep_colours("a\x1b[1mb") == "a\x1b[1mb\x1b[0m"
    assert "\x1b" not in plain(StepStarted(1, "RUN \x1b]0;x\x07echo", 0.0))


def test_pulls_say_how_far_they_are() -> None:
    mb = 1_000_000
    assert plain(
        StepStarted(1, "pull", 0.0),
        StepStatus(1, 0.0, "sha256:a", 0, 20 * mb),
        StepStatus(1, 1.0, "sha256:a", 5 * mb, 20 * mb),
        StepStatus(1, 6.0, "sha256:a", 10 * mb, 20 * mb),
        StepStatus(1, 7.0, "sha256:a", 12 * mb, 20 * mb),
        StepStatus(1, 8.0, "sha256:a", 20 * mb, 20 * mb, True),
        StepStatus(1, 8.0, "extract", 512, 0),
        StepStatus(1, 8.1, "extract", 999_999, 0, True),
        StepDone(1, 8.2, 8.2),
    ) == (
        "#1 pull\n"
        "#1 sha256:a 10.00MB / 20.00MB 6.0s\n"
        "#1 sha256:a 20.00MB / 20.00MB 8.0s done\n"
        "#1 extract 1.00MB 0.1s done\n"
        "#1 DONE 8.2s\n"
    )


def test_what_still_ran_was_cancelled() -> None:
    assert (
        plain(
            StepStarted(1, "a", 0.0),
            StepStarted(2, "b", 0.0),
            StepStarted(3, "never announced", 0.0),
            out(2, 0.5, "half"),
            StepFailed(1, 1.0, 1.0, "exit code: 1"),
        )
        == "#1 a\n#1 ERROR: exit code: 1\n\n#2 b\n#2 0.500 half\n#2 CANCELED\n"
    )


def test_events_of_a_step_that_is_not_open_are_ignored() -> None:
    assert plain(out(1, 0.0, "x\n"), StepDone(1, 0.0, 0.0), StepStatus(1, 0.0, "x", 1, 2)) == ""


def test_threads_do_not_mix_lines() -> None:
    err = io.StringIO()
    progress = PlainProgress(Console(io.StringIO(), err, {}))

    def work(step: int) -> None:
        progress(StepStarted(step, f"step {step}", 0.0))
        for number in range(200):
            progress(out(step, 0.0, f"{step}:{number}\n"))
        progress(StepDone(step, 1.0, 1.0))

    threads = [threading.Thread(target=work, args=(step,)) for step in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress.close()
    lines = err.getvalue().split("\n")
    for step in range(1, 5):
        assert [line for line in lines if line.startswith(f"#{step} 0.000")] == [
            f"#{step} 0.000 {step}:{number}" for number in range(200)
        ]
        assert lines.count(f"#{step} DONE 1.0s") == 1


def test_warnings_come_at_the_end_once_each() -> None:
    err = io.StringIO()
    with PlainProgress(Console(io.StringIO(), err, {})) as progress:
        progress(StepStarted(1, "a", 0.0))
        for _ in range(3):
            progress(Warned(0.0, Diagnostic("warning", "odd casing", hint="write AS", code="FromAsCasing")))
            progress(Warned(0.0, Diagnostic("warning", "odd", hint="mend it")))
        progress(StepDone(1, 0.0, 0.0))
    assert err.getvalue() == (
        "#1 a\n#1 DONE 0.0s\n\nwarning: odd\n  help: mend it\n"
        " 1 warning found (use --check to expand):\n - FromAsCasing: odd casing\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("mode", "terminal", "environ", "kind"),
    [
        ("", False, {}, "PlainProgress"),
        ("auto", False, {"TERM": "xterm"}, "PlainProgress"),
        ("auto", True, {"TERM": "xterm"}, "TerminalProgress"),
        ("auto", True, {"TERM": "dumb"}, "PlainProgress"),
        ("auto", True, {}, "PlainProgress"),
        ("auto", True, {"TERM": "xterm", "CI": "true"}, "PlainProgress"),
        ("plain", True, {"TERM": "xterm"}, "PlainProgress"),
        ("tty", True, {"TERM": "xterm", "CI": "1"}, "TerminalProgress"),
        ("rawjson", True, {"TERM": "xterm"}, "RawProgress"),
        ("quiet", True, {"TERM": "xterm"}, "Progress"),
        ("none", False, {}, "Progress"),
        ("", True, {"TERM": "xterm", "BUILDKIT_PROGRESS": "plain"}, "PlainProgress"),
        ("tty", True, {"TERM": "xterm", "BUILDKIT_PROGRESS": "plain"}, "TerminalProgress"),
    ],
)
def test_which_listener(mode: str, terminal: bool, environ: dict[str, str], kind: str) -> None:
    err = Terminal() if terminal else io.StringIO()
    assert type(open_progress(mode, Console(io.StringIO(), err, environ))).__name__ == kind


def test_quiet_says_nothing_at_all() -> None:
    console = Console(io.StringIO(), io.StringIO(), {})
    with Progress(console) as progress:
        progress(StepStarted(1, "a", 0.0))
        progress(Warned(0.0, Diagnostic("warning", "x")))
    assert console.err.getvalue() == console.out.getvalue() == ""  # type: ignore[attr-defined]


def test_tabs_and_trailing_blanks_are_kept() -> None:
    assert plain(StepStarted(1, "R", 0.0), out(1, 0.0, "t\tab\ntrail   \n  \n\n"), StepDone(1, 0.0, 0.0)) == (
        "#1 R\n#1 0.000 t\tab\n#1 0.000 trail   \n#1 0.000   \n#1 0.000\n#1 DONE 0.0s\n"
    )
