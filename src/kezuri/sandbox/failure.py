"""A step that could not be started: the reason, as it travels from the helper processes to the main one."""

import errno

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import HINTS
from kezuri.linux.refusal import process_limit
from kezuri.linux.surroundings import here

MISSING_IDS = "missing ids"
"""The hint of a failure for want of user or group ids. The main process, which knows why there are no more, says that
in its place."""


class StartFailure(Exception):
    """What went wrong before the step's program ran: one line that names the thing, and what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def error(self) -> KezuriError:
        """The failure as the error that a user sees."""
        return KezuriError.of(self.message, hint=self.hint, exit_code=125)


def reason(error: OSError) -> str:
    """The words of an OSError without the number, with the file name when there is one."""
    words = error.strerror or str(error)
    name = error.filename
    if isinstance(name, bytes):
        name = name.decode(errors="replace")
    return f"{words}: {name}" if isinstance(name, str) and name and name not in words else words


def unstarted(error: OSError, what: str = "start the step") -> StartFailure:
    """The failure for a system call that is needed to do `what`. Where it was forbidden, whatever kezuri runs in
    forbids it (a container, a policy of the machine), and the hint says what to change there."""
    return StartFailure(f"cannot {what}: {reason(error)}", hint_for(error))


def hint_for(error: OSError) -> str:
    """What to do about a call of the kernel's that was refused; empty when that is not known."""
    if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        return here().remedy("namespaces")
    if error.errno == errno.EAGAIN:
        return process_limit() or HINTS[errno.EAGAIN]
    return HINTS.get(error.errno or 0, "") if error.errno in (errno.ENOMEM, errno.EMFILE, errno.ENFILE) else ""
