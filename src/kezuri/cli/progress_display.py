"""What every display of progress does: it collects warnings, and leaves the terminal as it was."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kezuri.cli.console import Console
from kezuri.diagnostics import Diagnostic, visible
from kezuri.progress import Event, Warned

if TYPE_CHECKING:
    from kezuri.progress.expected import Expected

_MOST_WARNINGS = 50


class Progress:
    """Shows nothing but the warnings, which are kept until the end. A context: leaving it ends the display.

    `talks`: whether a closing line fits into what was shown. Subclasses show events in `show` and end in `close`;
    each does its own locking, for events come from several threads.
    """

    talks = False

    def __init__(self, console: Console) -> None:
        self.console = console
        self._warnings: list[Diagnostic] = []
        self._more = 0

    def __call__(self, event: Event) -> None:
        """The listener."""
        if isinstance(event, Warned):
            if len(self._warnings) < _MOST_WARNINGS:
                if event.diagnostic not in self._warnings:
                    self._warnings.append(event.diagnostic)
            else:
                self._more += 1
        self.show(event)

    def show(self, event: Event) -> None:
        """Show one event, from any thread."""

    def expecting(self) -> "Callable[[Expected], None] | None":
        """What hears how long a build may take; None where that is not shown."""
        return None

    def say(self, text: str) -> None:
        """A line of result while things are shown, on standard output."""
        self.console.say(text)

    def close(self) -> None:
        """End the display."""

    def warn(self) -> None:
        """Print the warnings, once."""
        warnings, self._warnings = self._warnings, []
        if not warnings:
            return
        from kezuri.diagnostics.render import render

        colour = self.console.colour(self.console.err)
        lines = [render(diagnostic, colour, words=self.console.words) for diagnostic in warnings if not diagnostic.code]
        lines += _checks([diagnostic for diagnostic in warnings if diagnostic.code], colour)
        if self._more:
            lines.append(f"(and {self._more} more warnings)")
        self.console.note("\n" + "\n".join(lines), styled=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self.talks:
            self.warn()


def _checks(warnings: list[Diagnostic], colour: bool) -> list[str]:
    """What the checks found, a line each, in the form that docker made common: they come with every build."""
    if not warnings:
        return []
    many = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    head = f" {many} found (use --check to expand):"
    lines = [f"\x1b[33m{head}\x1b[0m" if colour else head]
    for found in warnings:
        line = f" (line {found.line})" if found.line else ""
        lines.append(f" - {found.code}: {visible(found.message)}{line}")
    return lines
