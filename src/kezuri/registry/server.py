"""Servers that credentials are for: a registry, or a part of one, under the many names that files have for it."""

from typing import NamedTuple

from kezuri.oci.reference import HUB, HUB_NAMES

_HUB_KEY = "https://index.docker.io/v1/"
_VERSIONS = ("v1", "v2")


class Server(NamedTuple):
    """A registry (`host[:port]`), or what of it lies below `path`. Docker Hub is docker.io, whichever of its names was
    read."""

    host: str
    path: str = ""

    @classmethod
    def of(cls, text: str) -> "Server":
        """From a key of a credential file, or what a user calls a registry. A URL stands for its whole host: its path
        is that of an API."""
        scheme, mark, rest = text.strip().partition("://")
        if not mark or scheme.lower() not in ("http", "https"):
            rest = text.strip()
        host, _, path = rest.partition("/")
        host, path = host.lower(), path.strip("/")
        if host in HUB_NAMES:
            host = HUB
            mark = mark or ("://" if path in _VERSIONS else "")
        return cls(host, "" if mark else path)

    @property
    def key(self) -> str:
        """What docker's and podman's files call it, and credential helpers are asked for."""
        return _HUB_KEY if self == (HUB, "") else str(self)

    @property
    def names(self) -> tuple[str, ...]:
        """What a helper may have kept it as, the most usual one first."""
        return (self.key, self.host) if self.host == HUB else (str(self),)

    def serves(self, host: str, path: str) -> bool:
        """Whether its credentials are for the repository at `path` of a host."""
        inside = not self.path or path == self.path or path.startswith(self.path + "/")
        return inside and self.host == Server.of(host).host

    def __str__(self) -> str:
        return f"{self.host}/{self.path}" if self.path else self.host
