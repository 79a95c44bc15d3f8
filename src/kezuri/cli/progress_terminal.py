"""Progress as a live picture on a terminal.

Steps that ended become lasting lines above; below them a few lines are drawn over and over: one for each running step
with the last lines that it printed, and a summary. A frame is one write, at most ten a second.

A process with a second thread cannot enter a user namespace, and a build enters one before its first thread. So the
thread that draws is started only when an event comes from another thread than the one that made the display: then the
build has threads already. Before that, frames are drawn when events come.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from kezuri.cli.console import Console
from kezuri.cli.outlet import VISIBLE
from kezuri.cli.progress_display import Progress
from kezuri.cli.quantities import amount, span
from kezuri.cli.screen_text import clip, one_line, plain, width
from kezuri.progress import Event, StepCached, StepDone, StepFailed, StepOutput, StepStarted, StepStatus, Warned
from kezuri.progress.events import StepName

if TYPE_CHECKING:
    from kezuri.progress.expected import Expected

_FRAME = 0.1
_LINES = 6
_LONGEST_LINE = 4096
_DIM, _BLUE, _GREEN, _RED, _YELLOW, _RESET = "\x1b[2m", "\x1b[34m", "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
_MARKS = {"done": "✔", "cached": "✔", "failed": "✘", "running": "▸", "cancelled": "∎"}
_ASCII_MARKS = {"done": "+", "cached": "+", "failed": "x", "running": ">", "cancelled": "-"}
_COLOURS = {"done": _GREEN, "cached": _BLUE, "failed": _RED, "running": _YELLOW, "cancelled": _YELLOW}


class _Step:
    __slots__ = ("expected", "name", "parts", "rests", "started", "tail", "unfinished")

    def __init__(self, name: str, started: float, expected: tuple[float, float] | None = None) -> None:
        self.name = name
        self.started = started
        self.expected = expected
        self.tail: deque[str] = deque(maxlen=_LINES)
        self.rests: dict[int, bytes] = {}
        self.unfinished: dict[int, str] = {}
        self.parts: dict[str, str] = {}

    @property
    def said(self) -> list[str]:
        """What to show under the step: how far its parts have come, its last lines, a line that has no end yet."""
        return [*self.parts.values(), *self.tail, *self.unfinished.values()][-_LINES:]


class TerminalProgress(Progress):
    """Draws on standard error. The cursor is hidden while it draws and comes back when the context is left."""

    talks = True

    def __init__(self, console: Console, doing: str = "building") -> None:
        super().__init__(console)
        self._doing = doing
        self._lock = threading.Lock()
        self._colour = console.colour(console.err)
        encoding = (console.err.encoding or "").lower()
        self._encoding = "" if "utf" in encoding else encoding or "ascii"
        self._marks = _ASCII_MARKS if self._encoding else _MARKS
        self._open: dict[int, _Step] = {}
        self._bases: set[StepName] = set()
        self._again: dict[int, str] = {}
        self._lasting: list[tuple[str, str, str]] = []
        self._drawn: list[int] = []
        self._columns = 0
        self._begun = self._ended = self._cached = 0
        self._failed = False
        self._start = 0.0
        self._expected: Expected | None = None
        self._ahead: set[StepName] = set()
        self._hidden = False
        self._broken = False
        self._closed = False
        self._owner = threading.get_ident()
        self._drew = time.monotonic()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def show(self, event: Event) -> None:
        idle = None
        with self._lock:
            self._take(event)
            if not self._open:
                idle, self._thread = self._thread, None
                self._stop.set()
            elif self._thread is None and not self._closed:
                if threading.get_ident() != self._owner:
                    self._stop = threading.Event()
                    self._thread = threading.Thread(
                        target=self._draw_on, args=(self._stop,), name="kezuri-progress", daemon=True
                    )
                    self._thread.start()
                elif time.monotonic() - self._drew >= _FRAME:
                    self._frame()
        if idle is not None:
            idle.join()

    def _take(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            if self._is_told(event):
                return
            self._begun += 1
            self._start = self._start or event.time
            expected = None
            if self._expected is not None and isinstance(event.name, StepName):
                self._ahead.discard(event.name)
                expected = self._expected.steps.get(event.name)
            self._open[event.step] = _Step(one_line(str(event.name)), event.time, expected)
            return
        if isinstance(event, Warned):
            return
        step = self._open.get(event.step)
        if step is None:
            name = self._again.pop(event.step, "") if isinstance(event, StepFailed) else ""
            if name and isinstance(event, StepFailed):
                self._begun += 1
                self._end(_Step(name, event.time), event)
            return
        if isinstance(event, StepOutput):
            _hear(step, event)
        elif isinstance(event, StepStatus):
            _note(step, event)
        else:
            del self._open[event.step]
            self._end(step, event)

    def _is_told(self, event: StepStarted) -> bool:
        """Whether the step is the FROM of a stage on the image of another one: that is one and the same work, of which
        more is only heard when it fails."""
        name = event.name
        if not isinstance(name, StepName) or name.number != 1 or not name.title.startswith("FROM "):
            return False
        image = StepName(name.title, 1, 1, "", name.platform, name.target)
        if image not in self._bases:
            self._bases.add(image)
            return False
        self._again[event.step] = one_line(str(name))
        return True

    def expecting(self) -> "Callable[[Expected], None]":
        """It is shown beside what is running, and beside the whole."""

        def expect(expected: "Expected") -> None:
            with self._lock:
                self._expected, self._ahead = expected, set(expected.ahead)

        return expect

    def say(self, text: str) -> None:
        """On the terminal a line above the picture; elsewhere standard output."""
        if not self.console.out.isatty():
            super().say(text)
            return
        with self._lock:
            self._lasting.append(("text", text, ""))

    def close(self) -> None:
        """Draw the last picture and give the cursor back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._stop.set()
            thread = self._thread
        if thread is not None:
            thread.join()
        with self._lock:
            self._failed = self._failed or bool(self._open)
            for step in self._open.values():
                self._lasting.append(("cancelled", step.name, "cancelled"))
            self._open.clear()
            self._frame(last=True)

    def _end(self, step: _Step, event: StepCached | StepDone | StepFailed) -> None:
        self._ended += 1
        if isinstance(event, StepCached):
            self._cached += 1
            self._lasting.append(("cached", step.name, "cached"))
        elif isinstance(event, StepDone):
            self._lasting.append(("done", step.name, f"{event.seconds:.1f}s"))
        else:
            self._failed = True
            self._lasting.append(("failed", step.name, f"{event.seconds:.1f}s"))

    def _draw_on(self, stop: threading.Event) -> None:
        while not stop.wait(_FRAME):
            with self._lock:
                self._frame()

    def _frame(self, last: bool = False) -> None:
        """One write: up to the picture's first line, lasting lines, the new picture, nothing below."""
        self._drew = time.monotonic()
        columns, rows = self._size()
        room = columns - 1
        lasting = [line for entry in self._lasting for line in self._lines_of(entry, room)]
        self._lasting.clear()
        picture = [] if last else self._picture(room, rows - 1)
        if last and self._begun:
            lasting.append(self._summary(room, "stopped" if self._failed else "finished"))
        if not lasting and not picture and not self._drawn:
            return
        # A terminal that became narrower has wrapped what was drawn: go up by what it takes now.
        up = sum(max(1, -(-cells // columns)) for cells in self._drawn)
        out = ["\x1b[?2026h"]
        if not self._hidden and not last:
            out.append("\x1b[?25l")
            self._hidden = True
        out.append("\r" + (f"\x1b[{up}A" if up else ""))
        if columns != self._columns:
            # Rows that the terminal has wrapped count as one line for it, even with other text in them: when the window
            # widens again it would put them behind each other. Rows that were cleared do not.
            out.append("\x1b[J")
            self._columns = columns
        out += [f"{line}\x1b[K\n" for line in (*lasting, *picture)]
        out.append("\x1b[J")
        if last and self._hidden:
            out.append("\x1b[?25h")
            self._hidden = False
        out.append("\x1b[?2026l")
        self._drawn = [width(plain(line)) for line in picture]
        self._write("".join(out))

    def _write(self, text: str) -> None:
        """A terminal that has gone away ends the drawing, not the build."""
        if self._broken:
            return
        try:
            self.console.err.write(text)
            self.console.err.flush()
        except (OSError, ValueError):
            self._broken = True

    def _size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self.console.err.fileno())
        except (OSError, ValueError):
            columns = rows = 0
        return max(20, columns or 80), max(4, rows or 24)

    def _picture(self, room: int, rows: int) -> list[str]:
        """The summary and the running steps, oldest first, in at most so many rows."""
        if not self._open:
            return []
        now = time.time()
        steps = list(self._open.values())
        most = max(1, rows - 1)
        shown = steps if len(steps) <= most else steps[: most - 1]
        spare = most - len(shown) - (len(shown) < len(steps))
        each = [0] * len(shown)
        said = [step.said for step in shown]
        wanted = [len(lines) for lines in said]
        while spare > 0 and each != wanted:
            for i, want in enumerate(wanted):
                if want > each[i] and spare > 0:
                    each[i] += 1
                    spare -= 1
        lines = []
        for step, texts, count in zip(shown, said, each):
            spent = _spent(max(0.0, now - step.started), step.expected)
            lines.append(self._step_line("running", step.name, spent, room))
            lines += [self._paint(_DIM, self._fit(f"     {text}", room)) for text in texts[len(texts) - count :]]
        if len(shown) < len(steps):
            lines.append(self._paint(_DIM, self._fit(f"     and {len(steps) - len(shown)} more steps", room)))
        lines.append(self._summary(room, self._doing))
        return lines

    def _summary(self, room: int, word: str) -> str:
        seconds = max(0.0, time.time() - self._start)
        cached = f", {self._cached} cached" if self._cached else ""
        expected, whole, ahead = self._expected, None, 0
        if expected is not None and word == self._doing:
            ahead = len(self._ahead)
            before = max(0.0, expected.time - self._start)
            whole = (before + expected.low, before + expected.high) if expected.high > 0 else None
        return self._fit(
            f"[+] {word} {_spent(seconds, whole)} ({self._ended}/{self._begun + ahead}{cached})",
            room,
        )

    def _lines_of(self, entry: tuple[str, str, str], room: int) -> list[str]:
        state, text, note = entry
        if state == "text":
            return [plain(line) for line in text.split("\n")]
        return [self._step_line(state, text, note, room)]

    def _step_line(self, state: str, name: str, note: str, room: int) -> str:
        """` ✔ [builder 3/5] RUN npm ci      1.2s`, the note at the right edge."""
        name = self._fit(name, room - len(note) - 5)
        gap = " " * max(1, room - width(name) - len(note) - 3)
        mark = self._paint(_COLOURS[state], self._marks[state])
        if state in ("cached", "done"):
            note = self._paint(_DIM, note)
        return f" {mark} {name}{gap}{note}"

    def _fit(self, text: str, cells: int) -> str:
        """The text in so many cells at most, as the terminal shows it: characters that it lacks are written out, and
        take more room."""
        if not self._encoding or text.isascii():
            return clip(text, cells, "..." if self._encoding else "…")
        return clip(text.encode(self._encoding, VISIBLE).decode(self._encoding), cells, "...")

    def _paint(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self._colour else text


def _spent(seconds: float, expected: tuple[float, float] | None) -> str:
    """`12.3s`, or `12.3s of 38-52s`. What takes longer than ever, or hardly any time, is not compared."""
    if expected is None or seconds > expected[1] or expected[1] < 1:
        return f"{seconds:.1f}s"
    return f"{seconds:.1f}s of {span(*expected).replace(' s', 's').replace(' min', 'min')}"


def _hear(step: _Step, event: StepOutput) -> None:
    """Keep the last lines; an unfinished line shows too, as far as it has come."""
    data = step.rests.pop(event.stream, b"") + event.data
    *lines, rest = data.split(b"\n")
    for line in lines[-_LINES:]:
        text = _state(line)
        if text:
            step.tail.append(text)
    if len(rest) > _LONGEST_LINE:
        rest = rest[-_LONGEST_LINE:]
    text = _state(rest)
    if rest:
        step.rests[event.stream] = rest
    if text:
        step.unfinished[event.stream] = text
    else:
        step.unfinished.pop(event.stream, None)


def _state(line: bytes) -> str:
    """What a terminal would show of a line: after a carriage return, what was drawn last."""
    states = [state for state in line[-_LONGEST_LINE:].split(b"\r") if state.strip()]
    return plain(states[-1].decode("utf-8", "replace")).rstrip() if states else ""


def _note(step: _Step, event: StepStatus) -> None:
    if event.done:
        step.parts.pop(event.what, None)
        return
    text = amount(event.current) + (f" / {amount(event.total)}" if event.total else "")
    step.parts[event.what] = f"{one_line(event.what)} {text}"
