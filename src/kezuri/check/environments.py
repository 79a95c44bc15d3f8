"""What ENV and ARG say before each RUN: asked for by name, and not copied for each of thousands of RUNs."""

from bisect import bisect_left
from collections.abc import Iterable


class Stage:
    """What one stage says, in the order in which it is told. `below` is the stage that it stands on."""

    def __init__(self, below: "Stage | None") -> None:
        self.below = below
        self.count = 0
        self._lasting: dict[str, tuple[list[int], list[str]]] = {}
        self._passed: dict[str, tuple[int, str]] = {}

    def set(self, pairs: Iterable[tuple[str, str]]) -> None:
        """An ENV: the last one counts."""
        for name, value in pairs:
            places, values = self._lasting.setdefault(name, ([], []))
            places.append(self.count)
            values.append(value)
        self.count += 1

    def take(self, pairs: Iterable[tuple[str, str]]) -> None:
        """An ARG with a default: the first one counts, and any ENV more."""
        for name, value in dict(pairs).items():
            self._passed.setdefault(name, (self.count, value))
        self.count += 1

    def lasting(self, name: str, before: int) -> str | None:
        """What ENV says of a name before a place."""
        places, values = self._lasting.get(name, ((), ()))
        at = bisect_left(places, before)
        return values[at - 1] if at else None

    def passed(self, name: str, before: int) -> str | None:
        """What ARG says of a name before a place."""
        place, value = self._passed.get(name, (before, ""))
        return value if place < before else None


class Environment:
    """What holds at one place of a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._before = stage.count

    def get(self, name: str, default: str = "") -> str:
        """A variable as the file says it, or else the default."""
        stage: Stage | None = self._stage
        before = self._before
        while stage is not None:
            value = stage.lasting(name, before)
            if value is not None:
                return value
            stage = stage.below
            before = stage.count if stage is not None else 0
        passed = self._stage.passed(name, self._before)
        return default if passed is None else passed
