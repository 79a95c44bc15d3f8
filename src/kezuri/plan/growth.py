"""How much text the variables of a Dockerfile make: a few lines that double a value must not take the whole machine."""

from kezuri.diagnostics import KezuriError

MOST = 64 << 20
"""Characters of histories and environments that one plan may hold, beside the Dockerfile's own."""


class Growth:
    """Counts the text that a plan holds; one for all its stages. `written` is the length of the Dockerfile."""

    def __init__(self, written: int) -> None:
        self._left = MOST + written

    @property
    def exceeded(self) -> bool:
        """Whether the limit was passed. Whoever evaluates stops then."""
        return self._left < 0

    def add(self, characters: int) -> None:
        """Count some more; KezuriError when it is too much."""
        self._left -= characters
        if self.exceeded:
            raise KezuriError.of(
                f"the histories and environments of this Dockerfile hold more than {MOST >> 20} MiB of text",
                hint="a variable that grows from line to line, or that is long and set before many steps?",
            )
