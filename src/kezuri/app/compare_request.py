"""What `compare` is asked for, and the door to the program that it measures."""

from typing import NamedTuple, Protocol

from kezuri.app.request import BuildRequest
from kezuri.diagnostics import Diagnostic, KezuriError


class Ran(NamedTuple):
    """A run of a program: its exit code, how many seconds it took, and the end of what it said."""

    code: int
    seconds: float
    said: str


class NotDone(KezuriError):
    """kezuri could not do what was to be measured; `said` is what it said about that, of several lines."""

    said: str = ""

    @classmethod
    def after(cls, message: str, said: str, exit_code: int) -> "NotDone":
        """The error with that message."""
        made = cls(Diagnostic("error", message), exit_code=exit_code)
        made.said = said.strip()
        return made


class Program(Protocol):
    """Runs kezuri itself as a process of its own, with the settings of this one, on a store of its own: what is
    measured is what a person waits for."""

    def __call__(self, root: str, *words: str) -> Ran: ...


class CompareRequest(NamedTuple):
    """What is compared. `build` says how Dockerfiles are built, but for file and context, and `words` says the same as
    options of `kezuri build`; `context` is their context where it is not the directory that each lies in. `edit` is the
    file that gets the one-line edit (empty: one is chosen). Without `builds` nothing is built but what is to be looked
    at, without `pulls` nothing is pulled. `checks` counts findings."""

    before: str
    after: str
    build: BuildRequest = BuildRequest()
    words: tuple[str, ...] = ()
    context: str = ""
    edit: str = ""
    runs: int = 3
    builds: bool = True
    pulls: bool = True
    checks: bool = True
    bandwidth: int = 0
    rtt: float = 0.0
    today: str = ""
