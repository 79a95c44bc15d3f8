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
        for value in self._values:
            data = data.replace(value, _MASK)
        keep = self._unfinished(data)
        self._held[stream] = data[len(data) - keep :] if keep else b""
        if len(data) > keep:
            self._output(stream, data[: len(data) - keep])

    def flush(self) -> None:
        """Pass on what was held back in case it was the beginning of a secret."""
        for stream, data in self._held.items():
            if data:
                self._output(stream, data)
        self._held = {1: b"", 2: b""}

    def _unfinished(self, data: bytes) -> int:
        longest = 0
        for value in self._values:
            for size in range(min(len(value) - 1, len(data)), longest, -1):
                if data.endswith(value[:size]):
                    longest = size
                    break
        return longest
