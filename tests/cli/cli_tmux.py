"""A program in a terminal of tmux: what it draws, what is typed, and how it leaves the terminal."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pytest

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Tmux:
    """Runs a program with a terminal of its own, of so many columns and lines; a context, at whose end the terminal is
    gone. When the program has ended, its exit code stands on the screen."""

    def __init__(
        self, directory: Path, argv: Sequence[str], environ: Mapping[str, str], columns: int = 100, lines: int = 30
    ) -> None:
        self._tmux = ("tmux", "-u", "-S", str(directory / "socket"), "-f", "/dev/null")
        self.pidfile = directory / "pid"
        script = directory / "script"
        script.write_text(f'#!/bin/sh\necho $$ >{self.pidfile}\nexec "$@"\n')
        script.chmod(0o755)
        command = ["sh", "-c", '"$@"; code=$?; stty -a | tr "\\n;" "  " >$0; echo "code=$code"; exec sleep 1000']
        command += [str(directory / "stty"), str(script), *argv]
        self._stty = directory / "stty"
        given = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8", **environ}
        words = [f"{name}={value}" for name, value in given.items()]
        size = ("-x", str(columns), "-y", str(lines))
        self._call("new-session", "-d", *size, "env", "-i", *words, "TERM=screen-256color", *command)

    def __enter__(self) -> "Tmux":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)

    def _call(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], check=True, capture_output=True, text=True).stdout

    @property
    def pid(self) -> int:
        """The program's process."""
        return int(self.pidfile.read_text())

    def screen(self, styles: bool = False) -> str:
        """What the terminal shows; with `styles` as escape sequences that draw it."""
        return self._call("capture-pane", "-p", *(("-e",) if styles else ()))

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names for them."""
        self._call("send-keys", *names)

    def type(self, text: str) -> None:
        """Type letters as they are."""
        self._call("send-keys", "-l", text)

    def resize(self, *sizes: tuple[int, int]) -> None:
        """Give the terminal another size, or several so quickly after each other that the program may see the last one
        only."""
        words: list[str] = []
        for columns, lines in sizes:
            words += [*([";"] if words else []), "resize-window", "-x", str(columns), "-y", str(lines)]
        self._call(*words)

    def wait(self, *texts: str, without: str = "", seconds: float = 60.0) -> str:
        """The screen as soon as all these texts are on it, and the other one is not."""
        end = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if all(text in screen for text in texts) and (not without or without not in screen):
                return screen
            assert time.monotonic() < end, f"{texts} did not come, or {without!r} stayed:\n{screen}"
            time.sleep(0.05)

    def code(self) -> int:
        """The program's exit code, when it has ended; the terminal must be as it was then."""
        screen = self.wait("code=")
        settings = set(self._stty.read_text().split())
        assert {"icanon", "echo", "isig", "icrnl"} <= settings, settings
        flags = self._call("display-message", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}").split()
        assert flags == ["0", "0", "1"], flags
        return int(screen.rpartition("code=")[2].split()[0])
