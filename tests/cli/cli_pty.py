"""A command on a real pseudo-terminal: what it shows, and what somebody types."""

import os
import pty
import re
import select
import signal
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class OnTerminal:
    """Runs a command with a terminal of its own; a context, at whose end it is dead."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], directory: str) -> None:
        self.text = ""
        self._seen = 0
        self.code: int | None = None
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(argv[0], list(argv), dict(environ))

    def __enter__(self) -> "OnTerminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def _read(self, wait: float) -> bool:
        if not select.select([self._fd], [], [], wait)[0]:
            return True
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            return False
        self.text += _SEQUENCES.sub("", data.decode("utf-8", "replace")).replace("\r\n", "\n")
        return bool(data)

    def wait_for(self, text: str, seconds: float = 60.0) -> str:
        """Read until the text comes, after what was waited for before; what came up to there."""
        end = time.monotonic() + seconds
        while (at := self.text.find(text, self._seen)) < 0:
            assert time.monotonic() < end and self._read(0.2), f"{text!r} did not come:\n{self.text}"
        came, self._seen = self.text[self._seen : at], at + len(text)
        return came

    def type(self, text: str) -> None:
        """Type the text."""
        os.write(self._fd, text.encode())

    def end(self, seconds: float = 60.0) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + seconds
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            if not self._read(0.2):
                time.sleep(0.1)
        while select.select([self._fd], [], [], 0.1)[0] and self._read(0.1):
            pass
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code
