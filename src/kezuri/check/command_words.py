"""The words of a script's commands by where they stand, so that many questions about them take little time."""

from bisect import bisect_right
from functools import cached_property

from kezuri.shell.script import SimpleCommand


class CommandWords:
    """Tells whether a command stands among the words of one that is around it."""

    def __init__(self, commands: tuple[SimpleCommand, ...]) -> None:
        self._commands = commands

    @cached_property
    def _depths(self) -> dict[int, tuple[list[int], list[int]]]:
        # For each depth where words begin, and how far those up to there reach.
        depths: dict[int, tuple[list[int], list[int]]] = {}
        commands = self._commands
        spans = ((word.span.start, word.span.end, len(c.within)) for c in commands for word in c.words)
        for start, end, depth in sorted(spans):
            starts, ends = depths.setdefault(depth, ([], []))
            starts.append(start)
            ends.append(max(end, ends[-1]) if ends else end)
        return depths

    def hold(self, inner: SimpleCommand) -> bool:
        """Whether it does: a substitution in an assignment does not."""
        for depth, (starts, ends) in self._depths.items():
            before = bisect_right(starts, inner.span.start)
            if depth < len(inner.within) and before and ends[before - 1] >= inner.span.end:
                return True
        return False
