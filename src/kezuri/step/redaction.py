"""Keeps the values of secrets out of what a step prints."""

from collections.abc import Callable, Iterable

_SHORTEST = 4
_MASK = b"***"


class Redaction:
    """Passes output on with every secret replaced by `***`, also when a secret is cut into pieces by the pipe.

    Secrets shorter than four bytes are not replaced: they would stand everywhere.
    """

    def __init__(self, secrets: Iterable[bytes], output: Callable[[int, bytes], None]) -> None:
        values: set[bytes] = set()
        for secret in secrets:
            values.update(v for v in (secret, secret.strip()) if len(v) >= _SHORTEST)
            values.update(line.strip() for line in secret.splitlines() if len(line.strip()) >= 12)
        self._values = sorted(values, key=len, reverse=True)
        self._output = output
        self._held: dict[int, bytes] = {1: b"", 2: b""}

    def __call__(self, stream: int, data: bytes) -> None:
        if not self._values:
            self._output(stream, data)
            return
        data = self._held[stream] + data
        passed, self._held[stream] = self._masked(data, True)
        if passed:
            self._output(stream, passed)

    def flush(self) -> None:
        """Pass on what was held back in case it was the beginning of a secret."""
        held, self._held = self._held, {1: b"", 2: b""}
        for stream, data in held.items():
            if data:
                self._output(stream, self._masked(data, False)[0])

    def _masked(self, data: bytes, more: bool) -> tuple[bytes, bytes]:
        """The data with secrets replaced from left to right; and, if `more` is to come, what has to wait: from where a
        secret may have begun that no other one before it covers. A longer secret goes before one it begins with."""
        out: list[bytes] = []
        at = 0
        found = [data.find(value) for value in self._values]
        begun = [_begun(data, value, 0) if more else len(data) for value in self._values]
        while True:
            for i, value in enumerate(self._values):
                if 0 <= found[i] < at:
                    found[i] = data.find(value, at)
                if begun[i] < at:
                    begun[i] = _begun(data, value, at)
            hold = min(begun)
            first = min((start for start in found if start >= 0), default=len(data))
            if first >= hold:
                return b"".join((*out, data[at:hold])), data[hold:]
            value = self._values[found.index(first)]
            out += [data[at:first], _MASK]
            at = first + len(value)


def _begun(data: bytes, value: bytes, at: int) -> int:
    """Where, from `at` on, the longest end of the data starts with which the value begins; the data's length if there
    is none."""
    start = data.find(value[:1], max(at, len(data) - len(value) + 1))
    while start >= 0 and not value.startswith(data[start:]):
        start = data.find(value[:1], start + 1)
    return len(data) if start < 0 else start
