"""The secrets that a command line gives: files, environment variables, standard input."""

import os
import threading

from kezuri.app.request import SecretSource
from kezuri.diagnostics import KezuriError


class GivenSecrets:
    """The secrets that the command line gives. Values are read once, when a step first wants them."""

    def __init__(self, sources: tuple[SecretSource, ...]) -> None:
        self._sources = {s.id: s for s in sources}
        self._values: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, id: str) -> bytes | None:
        """The value of a secret, None when there is no such secret."""
        source = self._sources.get(id)
        if source is None:
            return None
        with self._lock:
            if id not in self._values:
                self._values[id] = _read_secret(source)
            return self._values[id]

    def check(self) -> None:
        """Read what must be there when the build starts, so that a typo shows at once; standard input waits."""
        for source in self._sources.values():
            if source.kind != "stdin":
                self.get(source.id)


def _read_secret(source: SecretSource) -> bytes:
    kind, value = source.kind, source.value
    if kind == "auto":
        kind = "env" if value in os.environ else "file"
    if kind == "env":
        if value not in os.environ:
            raise KezuriError.of(
                f"secret {source.id}: the environment variable {value} is not set", hint="export it, or use src=FILE"
            )
        return os.environ[value].encode("utf-8", "surrogateescape")
    limit = 500 << 10
    try:
        if kind == "stdin":
            from kezuri.app.standard import standard_input

            data = standard_input().read(limit + 1)
        else:
            with open(os.path.expanduser(value), "rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise KezuriError.of(
            f"secret {source.id}: {value} cannot be read: {error.strerror}",
            hint="--secret id=ID,src=FILE or --secret id=ID,env=VARIABLE",
        ) from error
    if len(data) > limit:
        raise KezuriError.of(f"secret {source.id}: larger than the maximum of {limit} bytes")
    return data
