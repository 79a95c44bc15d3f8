"""Progress as numbered lines, in the form that BuildKit made common and that people grep.

Only one step prints at a time: it has the floor. Lines of the other steps wait until that step ends, until it has
printed nothing for some seconds, or until too much is waiting.
"""

import threading

from kezuri.cli.console import Console
from kezuri.cli.progress_display import Progress
from kezuri.cli.screen_text import one_line
from kezuri.diagnostics import unsteered
from kezuri.progress import Event, StepCached, StepDone, StepFailed, StepOutput, StepStarted, StepStatus, Warned

_SILENCE = 5.0
"""Seconds without output after which a step loses the floor to one whose lines wait."""
_PATIENCE = 10.0
"""Seconds that a step's lines may wait for a step that goes on printing."""
_MOST_WAITING = 1 << 18
"""Characters that a step may have waiting before it gets the floor: memory is bounded, nothing is dropped."""
_LONGEST_LINE = 1 << 16
"""Bytes after which an unfinished line is shown as one."""


class _Step:
    __slots__ = (
        "announced",
        "name",
        "number",
        "partial",
        "redrawn",
        "size",
        "spoke",
        "started",
        "statuses",
        "waiting",
        "waits",
    )

    def __init__(self, number: int, name: str, time: float) -> None:
        self.number = number
        self.name = name
        self.started = time
        self.announced = False
        self.spoke = time
        self.redrawn = time
        self.partial: dict[int, bytes] = {}
        self.waiting: list[str] = []
        self.waits = time
        self.size = 0
        self.statuses: dict[str, tuple[float, float]] = {}


class PlainProgress(Progress):
    """Writes lines to standard error as soon as they are complete."""

    talks = True

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._colour = console.colour(console.err)
        self._lock = threading.Lock()
        self._open: dict[int, _Step] = {}
        self._floor: _Step | None = None
        self._first = True
        self._text: list[str] = []

    def show(self, event: Event) -> None:
        if isinstance(event, Warned):
            return
        with self._lock:
            if isinstance(event, StepStarted):
                step = _Step(event.step, one_line(str(event.name)), event.time)
                self._open[event.step] = step
                if self._floor is None:
                    self._give_floor(step)
            else:
                known = self._open.get(event.step)
                if known is None:
                    return
                if isinstance(event, StepOutput):
                    self._output(known, event)
                elif isinstance(event, StepStatus):
                    self._status(known, event)
                else:
                    self._end(known, event)
            self._flush()

    def close(self) -> None:
        """Whatever still runs was cancelled: print its waiting lines, and that it was cancelled."""
        with self._lock:
            for step in list(self._open.values()):
                if step.announced or step.waiting or step.partial:
                    self._rest(step, step.spoke)
                    self._give_floor(step)
                    self._line(f"#{step.number} CANCELED")
                    self._floor = None
            self._open.clear()
            self._flush()

    def _line(self, text: str) -> None:
        self._text.append(text + "\n")

    def _flush(self) -> None:
        if self._text:
            text = "".join(self._text)
            self._text.clear()
            self.console.err.write(text)
            self.console.err.flush()

    def _give_floor(self, step: _Step) -> None:
        if self._floor is not step:
            if self._floor is not None:
                self._line(f"#{self._floor.number} ...")
            if not self._first:
                self._line("")
            self._first = False
            self._line(f"#{step.number} {step.name}")
            self._floor = step
            step.announced = True
        if step.waiting:
            self._text += step.waiting
            step.waiting.clear()
            step.size = 0

    def _speak(self, step: _Step, time: float, lines: list[str]) -> None:
        """Print lines of a step when it has the floor or may take it; else keep them waiting."""
        if not lines:
            return
        step.spoke = time
        if not step.waiting:
            step.waits = time
        step.waiting += lines
        step.size += sum(map(len, lines))
        floor = self._floor
        if (
            floor is None
            or floor is step
            or step.size > _MOST_WAITING
            or time - floor.spoke > _SILENCE
            or time - step.waits > _PATIENCE
        ):
            self._give_floor(step)

    def _output(self, step: _Step, event: StepOutput) -> None:
        step.spoke = event.time
        data = step.partial.pop(event.stream, b"") + event.data
        *whole, rest = data.split(b"\n")
        lines = [self._said(step, event.time, line) for line in whole]
        if b"\r" in rest[:-1]:
            # A bar that redraws itself: only its newest state is kept, and shown now and then.
            drawn, _, newest = rest[:-1].rpartition(b"\r")
            rest = newest + rest[-1:]
            if event.time - step.redrawn > _SILENCE and drawn.strip():
                step.redrawn = event.time
                lines.append(self._said(step, event.time, drawn))
        while len(rest) > _LONGEST_LINE:
            lines.append(self._said(step, event.time, rest[:_LONGEST_LINE]))
            rest = rest[_LONGEST_LINE:]
        if rest:
            step.partial[event.stream] = rest
        self._speak(step, event.time, lines)

    def _said(self, step: _Step, time: float, line: bytes) -> str:
        words = self._words(line)
        return f"#{step.number} {max(0.0, time - step.started):.3f}{' ' if words else ''}{words}\n"

    def _words(self, line: bytes) -> str:
        """A line of output as text: of what a carriage return overwrote only the last state, no control characters."""
        line = line.rstrip(b"\r")
        if b"\r" in line:
            states = [state for state in line.split(b"\r") if state.strip()]
            line = states[-1] if states else b""
        text = line.decode("utf-8", "replace")
        return keep_colours(text) if self._colour else unsteered(text)

    def _status(self, step: _Step, event: StepStatus) -> None:
        first, last = step.statuses.get(event.what, (event.time, event.time))
        if event.done:
            step.statuses.pop(event.what, None)
        elif event.what in step.statuses and event.time - last < _SILENCE:
            return
        else:
            step.statuses[event.what] = (first, event.time)
            if event.time == first:
                return
        from kezuri.cli.quantities import amount

        text = f"#{step.number} {one_line(event.what)}"
        if event.total:
            text += f" {amount(event.current)} / {amount(event.total)}"
        elif event.current:
            text += f" {amount(event.current)}"
        if event.time - first > 0.01:
            text += f" {event.time - first:.1f}s"
        self._speak(step, event.time, [text + (" done" if event.done else "") + "\n"])

    def _rest(self, step: _Step, time: float) -> None:
        lines = [self._said(step, time, rest) for rest in step.partial.values() if rest.strip()]
        step.partial.clear()
        step.waiting += lines

    def _end(self, step: _Step, event: StepCached | StepDone | StepFailed) -> None:
        del self._open[step.number]
        self._rest(step, event.time)
        self._give_floor(step)
        if isinstance(event, StepCached):
            self._line(f"#{step.number} CACHED")
        elif isinstance(event, StepDone):
            self._line(f"#{step.number} DONE {event.seconds:.1f}s")
        else:
            self._line(f"#{step.number} ERROR: {one_line(event.message)}")
        self._floor = None
        others = self._open.values()
        heir = next((s for s in others if s.waiting), None) or next((s for s in others if not s.announced), None)
        if heir is not None:
            self._give_floor(heir)


def keep_colours(text: str) -> str:
    """The text without control sequences other than colours, which are ended at its end."""
    if text.isprintable():
        return text
    import re

    pieces = re.split(r"(\x1b\[[0-9;:]*m)", text)
    out = "".join(piece if i % 2 else unsteered(piece) for i, piece in enumerate(pieces))
    return out + "\x1b[0m" if len(pieces) > 1 else out
