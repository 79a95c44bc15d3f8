"""One call of kezuri: the command, its arguments, the console, and the settings."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from kezuri.cli.console import Console
from kezuri.cli.options import Command, Parsed

if TYPE_CHECKING:
    from kezuri.app.request import Settings


class Invocation:
    """A command with its parsed argv. `settings` are read when first asked for, so that `version` needs no file."""

    __slots__ = ("_settings", "command", "console", "parsed")

    def __init__(self, command: Command, parsed: Parsed, console: Console) -> None:
        self.command = command
        self.parsed = parsed
        self.console = console
        self._settings: Settings | None = None

    @property
    def settings(self) -> "Settings":
        """The settings of this call; KezuriError when one of them is wrong."""
        if self._settings is None:
            from kezuri.cli.settings import settings

            self._settings = settings(self.parsed, self.console.environ)
        return self._settings


Execute = Callable[[Invocation], int]
