"""Steps run by an OCI runtime (crun, runc or any other) for those who want its isolation."""

import os
import threading
from typing import TYPE_CHECKING

from kezuri.diagnostics import KezuriError, nearest
from kezuri.linux import userns
from kezuri.sandbox.native import NativeSandbox
from kezuri.sandbox.step import Attendant, Exit, Output, Step

if TYPE_CHECKING:
    from kezuri.linux.cgroups import Groups

KNOWN = ("crun", "runc", "youki", "runsc", "kata-runtime")


class RuntimeSandbox(NativeSandbox):
    """Runs steps through the runtime of this name or path. kezuri mounts the root; the runtime does the rest."""

    def __init__(self, name_or_path: str, no_new_privileges: bool = False, groups: "Groups | None" = None) -> None:
        path = find(name_or_path)
        if not path:
            installed = [name for name in KNOWN if userns.find_program(name)]
            slip = nearest(name_or_path, (*KNOWN, "kezuri"))
            hint = f"did you mean {slip}? " if slip and slip != name_or_path else ""
            hint += (
                f"installed are: {', '.join(installed)}" if installed else f"install it (apt install {name_or_path})"
            )
            raise KezuriError.of(
                f"there is no OCI runtime {name_or_path}",
                hint=f"{hint}; kezuri's own sandbox needs none",
                exit_code=125,
            )
        self.name = os.path.basename(path)
        self._runtime = path
        super().__init__(no_new_privileges, groups)

    def run(self, step: Step, output: Output, cancel: threading.Event, attendant: Attendant | None = None) -> Exit:
        """See `kezuri.sandbox.step.Sandbox.run`. Steps with a terminal are refused: KezuriError."""
        if step.tty:
            raise KezuriError.of(
                f"{self.name} is given no terminal here", hint="run it in kezuri's own sandbox", exit_code=125
            )
        return super().run(step, output, cancel, attendant)


def find(name_or_path: str) -> str:
    """The absolute path of a runtime ("" when there is none)."""
    if "/" in name_or_path:
        path = os.path.abspath(name_or_path)
        return path if os.path.isfile(path) and os.access(path, os.X_OK) else ""
    return userns.find_program(name_or_path)
