"""A step that failed, kept as it was left: its files, its mounts and its environment, for somebody to look at."""

import os
import shlex
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Self

from kezuri.diagnostics import KezuriError
from kezuri.linux import overlay
from kezuri.sandbox import step as door
from kezuri.tree.layers import DirectoryLayer
from kezuri.tree.stack import StackView

VARIABLE = "KEZURI_COMMAND"
"""The environment variable that holds the failed command, quoted for a shell's `eval`."""

_SHELLS = ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash")
_OTHERS = ("/bin/sh", "/usr/bin/sh", "/bin/ash", "/bin/dash", "/busybox/sh", "/bin/busybox")


class Shell(NamedTuple):
    """A shell of the image, and how it is started."""

    path: str
    argv: tuple[str, ...]


class Wreck:
    """What a failed RUN left. Everything of it is held until the `with` is left, and then gone.

    `step` is what was run; its changes lie in `step.root.upper`.
    """

    def __init__(
        self,
        argv: tuple[str, ...],
        step: door.Step,
        scratch: str,
        userxattr: bool,
        recorded: bool,
        held: ExitStack,
    ) -> None:
        self._argv = argv
        self.step = step
        self._scratch = scratch
        self._userxattr = userxattr
        self._recorded = recorded
        self._held = held

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything; nothing of the step remains."""
        self._held.close()

    @property
    def changes(self) -> str:
        """The directory of this machine with what the step changed, in overlay form."""
        return self.step.root.upper

    @property
    def command(self) -> str:
        """The command as a shell would have it typed."""
        return shlex.join(self._argv)

    def view(self) -> StackView:
        """The step's files as it left them, without what was mounted."""
        layers = (*reversed(self.step.root.lowers), self.changes)
        forms = [DirectoryLayer(layer, self._userxattr, self._recorded) for layer in layers]
        return StackView(forms, "the failed step")

    def shell(self) -> Shell | None:
        """The best shell that the step's files have: bash, what SHELL names, sh; None when there is none."""
        view = self.view()
        own = self._argv[0] if self._argv and self._argv[0].startswith("/") else ""
        named = (own,) if own.rpartition("/")[2] in ("sh", "bash", "ash", "dash", "zsh", "ksh", "fish") else ()
        for path in (*_SHELLS, *named, *_OTHERS):
            try:
                found = view.lookup(view.resolve(path))
            except KezuriError:
                continue
            if found is not None and found.kind == "file" and found.mode & 0o111:
                return Shell(path, (path, "sh", "-i") if path.endswith("/busybox") else (path, "-i"))
        return None

    def door_for(self, shell: Shell, terminal: int, more: tuple[tuple[str, str], ...]) -> door.Step:
        """The step that runs the shell in the state in which the command failed, on the terminal that the file
        descriptor names. Its own changes go nowhere. `more` are variables beside the step's."""
        upper, work = os.path.join(self._scratch, "shell"), os.path.join(self._scratch, "shell-work")
        lowers = (self.changes, *self.step.root.lowers)
        overlay.make_writable(upper, work, lowers)
        env = {**dict(self.step.env), VARIABLE: self.command}
        for name, value in more:
            env.setdefault(name, value)
        return self.step._replace(
            root=door.Root(lowers, upper, work),
            argv=shell.argv,
            env=tuple(env.items()),
            tty=True,
            stdin=terminal,
        )
