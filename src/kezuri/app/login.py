"""Accounts at registries: logged into, shown, and left."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kezuri.app.registries import credentials, registry_config
from kezuri.app.request import Settings
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci.reference import HUB
from kezuri.registry.challenge import Credential
from kezuri.registry.server import Server


class LoggedIn(NamedTuple):
    """How a login ended: `server` as its user knows it; the `path` of the file it was written to, and the `helper` that
    keeps the secret (empty: the file does, readably). `token` says that it is a token of the registry rather than the
    password. `demanded` is false for a registry that asked for nothing."""

    server: str
    path: str
    helper: str
    token: bool
    demanded: bool


class LoggedOut(NamedTuple):
    """How a logout ended: whether there was anything to take away, and the file that still has a credential (empty:
    none)."""

    server: str
    known: bool
    left: str = ""


class Accounts:
    """The accounts of this user at registries. `warn` hears of what is odd but no error."""

    def __init__(self, settings: Settings, warn: Callable[[Diagnostic], None], environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._credentials = credentials(settings, warn, environment, new=True)

    def user(self, registry: str) -> str | None:
        """Who is logged in there, or None. The name may be empty: a token has none."""
        server = _server(registry)
        found = self._credentials.find(server.host, server.path)
        return None if found is None else found.username

    def check(self, registry: str) -> bool:
        """Whether the registry takes what is known for it already; False when nothing is. KezuriError when it does
        not."""
        server = _server(registry)
        found = self._credentials.find(server.host, server.path)
        if found is None or found.bearer:
            return False
        self._verify(server, found)
        return True

    def login(self, registry: str, username: str, password: str) -> LoggedIn:
        """Have the registry check a name and a password, and keep them; KezuriError when it does not take them."""
        server = _server(registry)
        place = self._credentials.place  # what is wrong with it is said before anybody is asked
        verified, demanded = self._verify(server, Credential(username, password, source=place))
        kept = self._credentials.keep(server, verified)
        return LoggedIn(str(server), kept.path, kept.helper, bool(verified.identity), demanded)

    def logout(self, registry: str) -> LoggedOut:
        """Forget what is kept for a registry where logins are kept."""
        server = _server(registry)
        known = self._credentials.drop(server)
        left = self._credentials.find(server.host, server.path)
        return LoggedOut(str(server), known, "" if left is None else left.source)

    def logout_everywhere(self) -> tuple[LoggedOut, ...]:
        """Forget every registry that logins are kept for."""
        return tuple(self.logout(str(server)) for server in self._credentials.servers())

    def _verify(self, server: Server, credential: Credential) -> tuple[Credential, bool]:
        from contextlib import closing

        from kezuri.registry.login import verify
        from kezuri.registry.transport import SocketTransport

        config = registry_config(self._settings)
        with closing(SocketTransport(config)) as transport:
            return verify(config, server.host, credential, transport)


def _server(text: str) -> Server:
    server = Server.of(text or HUB)
    if any(c <= " " or c in "@?#" for c in text) or not server.host:
        # What stands before an @ may be a name and a password.
        raise KezuriError.of(
            f"not a registry: {text.rpartition('@')[2]!r}",
            hint="write its host, such as registry.example:5000",
            exit_code=2,
        )
    return server
