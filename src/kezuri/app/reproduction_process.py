"""The processes in which compared builds are made, as whoever compares them sees them: started, asked, cleared away."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.progress.events import Event, Listener, Warned
from kezuri.reproduction.values import Surroundings

if TYPE_CHECKING:
    from subprocess import Popen


class Consecutive:
    """Tells of several builds as if they were one: each of them numbers its steps from the beginning."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._before = self._last = 0

    def begin(self) -> None:
        """Another build begins."""
        self._before = self._last

    def __call__(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._listener(event)
            return
        step = event.step + self._before
        self._last = max(self._last, step)
        self._listener(event._replace(step=step))


class Asked:
    """A worker, as whoever asks it sees it. Use it in a `with`: it ends there."""

    def __init__(
        self,
        settings: Settings,
        around: Surroundings,
        preload: str,
        listener: "Consecutive",
        bases: Sequence[tuple[str, str]],
    ) -> None:
        self._settings = settings
        self._around = around
        self._preload = preload
        self._listener = listener
        self._bases = bases

    def __enter__(self) -> "Asked":
        import pickle
        import subprocess
        import sys

        around = self._around
        environ = {
            k: v for k, v in os.environ.items() if not k.startswith("LC_") and k not in ("LANGUAGE", "LD_PRELOAD")
        }
        environ |= {"LANG": around.locale, "LC_ALL": around.locale, "TZ": around.timezone}
        environ |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
        if self._preload:
            environ["LD_PRELOAD"] = self._preload
        other: dict[str, Any] = {}
        if around.uid >= 0:
            other = {"user": around.uid, "group": around.uid, "extra_groups": []}
        cores = sorted(os.sched_getaffinity(0))[: around.cores] if around.cores else None

        def settle() -> None:
            os.umask(around.umask)
            if cores is not None:
                os.sched_setaffinity(0, cores)

        command = [sys.executable, "-P", "-c", "from kezuri.app.reproduction_worker import serve; serve()"]
        try:
            self._process: Popen[bytes] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, preexec_fn=settle, **other
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise KezuriError.of(f"no second process can be started: {error}", exit_code=125) from error
        assert self._process.stdin is not None
        self._listener.begin()
        try:
            pickle.dump(self._settings, self._process.stdin)
            if self._bases:
                self.ask("bring", (self._bases,))
        except BaseException:
            self._end(in_haste=True)
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._end(in_haste=raised[0] is not None)

    def ask(self, what: str, arguments: tuple[Any, ...]) -> Any:
        """Its answer; KezuriError when it fails, or has ended."""
        import pickle

        from kezuri.app.reproduction_worker import Order

        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            pickle.dump(Order(what, arguments), self._process.stdin)
            self._process.stdin.flush()
            while True:
                kind, value = pickle.load(self._process.stdout)
                if kind != "event":
                    break
                self._tell(value)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            code = self._process.wait()
            raise KezuriError.of(f"the process that builds has ended ({code})", exit_code=125) from error
        if kind == "failed":
            diagnostics, code = value
            raise KezuriError(*diagnostics, exit_code=code)
        return value

    def _tell(self, event: Event) -> None:
        # The other process may believe that it is tomorrow.
        self._listener(event._replace(time=event.time - self._around.shift))

    def _end(self, in_haste: bool) -> None:
        import subprocess

        if in_haste:
            self._process.terminate()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
