"""An image of busybox in a store of its own, and `kezuri run` as its user runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.build.build_busybox import busybox_layout, busybox_tar

SOURCE = Path(__file__).parents[2] / "src"


class Place:
    """A store with images, and a directory where commands run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.layout = busybox_layout(directory / "base", busybox_tar())
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("KEZURI_")}
        self.environ |= {"KEZURI_ROOT": str(directory / "store"), "PYTHONPATH": str(SOURCE)}

    def image(self, name: str, *lines: str) -> None:
        """Build an image from these lines of a Dockerfile, on busybox."""
        context = self.directory / f"context-{name}"
        context.mkdir()
        (context / "Dockerfile").write_text("\n".join(("FROM base", *lines)) + "\n")
        base = f"base=oci-layout://{self.layout}"
        done = self("build", "--build-context", base, "-q", "-t", name, str(context))
        assert done.returncode == 0, done.stderr

    def __call__(self, *argv: str, environ: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """A command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "kezuri", *argv],
            cwd=self.directory,
            env={**self.environ, **(environ or {})},
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def run(self, *argv: str, environ: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """`kezuri run` to its end."""
        return self("run", *argv, environ=environ)

    @contextmanager
    def running(self, *argv: str, environ: Mapping[str, str] | None = None) -> Iterator["Running"]:
        """`kezuri run`, killed at the end if it has not ended."""
        path = self.directory / "said"
        with open(path, "w+b") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "kezuri", "run", *argv],
                cwd=self.directory,
                env={**self.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            try:
                yield Running(process, path)
            finally:
                process.kill()
                process.wait()


class Running:
    """A container that runs, and what it and kezuri have said."""

    def __init__(self, process: "subprocess.Popen[bytes]", path: Path) -> None:
        self._process = process
        self._path = path

    @property
    def text(self) -> str:
        """All that was said."""
        return self._path.read_text(errors="replace")

    def wait_for(self, words: str, seconds: float = 60) -> str:
        """Until the words are said; all that was."""
        end = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < end and self._process.poll() is None, f"{words!r} did not come:\n{self.text}"
            time.sleep(0.02)
        return self.text

    def processes(self) -> list[int]:
        """All processes below kezuri, each after the one that has made it."""

        def below(pid: int) -> Iterator[int]:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                for child in map(int, (thread / "children").read_text().split()):
                    yield child
                    yield from below(child)

        return list(below(self._process.pid))

    def signal(self, number: int) -> None:
        """Send kezuri a signal."""
        self._process.send_signal(number)

    def end(self, seconds: float = 60) -> int:
        """Wait for its end; the exit code."""
        return self._process.wait(seconds)
