"""A step that could not be started: the reason, as it travels from the helper processes to the main one."""

from kezuri.diagnostics import KezuriError


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
