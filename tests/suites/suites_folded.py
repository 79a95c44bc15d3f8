"""Many cases in one test that names each one that fails: as a test of its own a case costs more than what it tries."""

from collections.abc import Callable, Iterable
from typing import TypeVar

Case = TypeVar("Case")


def folded(
    cases: Iterable[Case], name: Callable[[Case], str] | None = None
) -> Callable[[Callable[[Case], None]], Callable[[], None]]:
    """Make a test of one case the test of all of these, known by their numbers or by `name`."""
    known = list(cases)
    assert known

    def fold(check: Callable[[Case], None]) -> Callable[[], None]:
        def test() -> None:
            wrong: list[str] = []
            first: Exception | None = None
            for number, case in enumerate(known):
                try:
                    check(case)
                except Exception as error:
                    first = first or error
                    wrong.append(f"[{name(case) if name else number}] {type(error).__name__}: {error}")
            if wrong:
                raise AssertionError(f"{len(wrong)} of {len(known)} fail:\n" + "\n".join(wrong)) from first

        # Not functools.wraps: pytest would ask for the case as a fixture.
        test.__name__, test.__doc__, test.__module__ = check.__name__, check.__doc__, check.__module__
        return test

    return fold
