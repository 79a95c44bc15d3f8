"""Where this machine keeps credentials: which files there are, in which order, and which of them a login changes."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.registry.challenge import Credential
from kezuri.registry.credential_file import CredentialFile, change_file, entry_of, read_file
from kezuri.registry.helper import Helper, HelperMissing
from kezuri.registry.server import Server


class Place(NamedTuple):
    """A file that may hold credentials. Without `named` it is one of the usual ones, which need not be readable."""

    path: str
    named: bool = False


class Kept(NamedTuple):
    """Where a login was written to: a file, or a `helper` that the file names."""

    path: str
    helper: str = ""


class MachineCredentials:
    """The credentials of this machine's user, looked up when somebody asks, each once. Threads may share it.

    `authfile` is the one file that counts, if the user named one. Otherwise $DOCKER_AUTH_CONFIG, which is such a file's
    content, comes first; then $REGISTRY_AUTH_FILE alone, where it is set; else docker's config.json ($DOCKER_CONFIG is
    its directory) and podman's auth.json. `warn` hears of what is odd but no error.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        authfile: str = "",
        warn: Callable[[Diagnostic], None] = lambda _: None,
        new: bool = False,
    ) -> None:
        """With `new` the authfile need not be there yet."""
        self._new = new
        self._environment = environment
        self._authfile = authfile
        self._warn = warn
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Credential | None] = {}
        self._answers: dict[tuple[str, str, str], Credential | None] = {}
        self._loaded: list[CredentialFile] = []
        self._unread = self._files()

    def find(self, host: str, path: str) -> Credential | None:
        """The credential for a repository of a registry (an empty path: for the registry), or None. KezuriError for a
        file or a helper that is in disorder."""
        with self._lock:
            if (host, path) not in self._found:
                self._found[host, path] = self._look_up(host, path)
            return self._found[host, path]

    @property
    def place(self) -> str:
        """The file that a login is written to; KezuriError where it cannot be told."""
        path = self._authfile or self._environment.get("REGISTRY_AUTH_FILE", "") or self._docker()
        if not path:
            raise KezuriError.of(
                "it is not known where your credentials are to be kept: HOME is not set",
                hint="set HOME, or name a file with --authfile",
                exit_code=125,
            )
        return path

    def keep(self, server: Server, credential: Credential) -> Kept:
        """Write a credential down: with the helper that `place` names for the server, else in that file."""
        path = self.place
        file = self._read(path)
        name = "" if server.path else file.helper(server.host)
        if name:
            Helper(name, path, self._environment).store(server.key, credential)
        change_file(path, lambda before: before.keeping(server, {} if name else entry_of(credential)))
        self._forget()
        return Kept(path, f"docker-credential-{name}" if name else "")

    def drop(self, server: Server) -> bool:
        """Take what `place` has for a server away, from its helper too; whether there was anything."""
        path = self.place
        file = self._read(path)
        there = server in file.servers()
        name = "" if server.path else file.helper(server.host)
        if name:
            helper = Helper(name, path, self._environment)
            for known in [n for n in server.names if helper.get(n) is not None]:
                there = helper.erase(known) or there
        if server in {Server.of(key) for key in file.document.get("auths") or {}}:
            change_file(path, lambda before: before.without(server))
        self._forget()
        return there

    def servers(self) -> tuple[Server, ...]:
        """All that `place` has entries for."""
        return self._read(self.place).servers()

    def _forget(self) -> None:
        with self._lock:
            self._found.clear()
            self._answers.clear()
            self._loaded, self._unread = [], self._files()

    def _read(self, path: str) -> CredentialFile:
        try:
            return read_file(path) or CredentialFile(path)
        except OSError as error:
            raise _unreadable(path, error) from None

    def _look_up(self, host: str, path: str) -> Credential | None:
        for file in self._in_order():
            name = file.helper(host)
            found = self._helped(name, file, host) if name else None
            found = found or file.find(host, path)
            if found is not None:
                return found
        return None

    def _in_order(self) -> Iterator[CredentialFile]:
        """The files as far as somebody asks for them. After one in disorder reading begins anew, so that everybody who
        asks is told."""
        yield from self._loaded
        while True:
            try:
                file = next(self._unread, None)
            except BaseException:
                self._loaded, self._unread = [], self._files()
                raise
            if file is None:
                return
            self._loaded.append(file)
            yield file

    def _helped(self, name: str, file: CredentialFile, host: str) -> Credential | None:
        key = (file.where, name, host)
        if key not in self._answers:
            self._answers[key] = self._ask(name, file, host)
        return self._answers[key]

    def _ask(self, name: str, file: CredentialFile, host: str) -> Credential | None:
        helper = Helper(name, file.where, self._environment)
        try:
            for server in Server.of(host).names:
                found = helper.get(server)
                if found is not None:
                    return found
        except HelperMissing as error:
            # A file that came from another machine: what is public can be had all the same.
            self._warn(error.diagnostics[0]._replace(severity="warning"))
        return None

    def _files(self) -> Iterator[CredentialFile]:
        given = self._environment.get("DOCKER_AUTH_CONFIG", "")
        if given and not self._authfile:
            yield CredentialFile.parse(given.encode("utf-8", "surrogateescape"), "$DOCKER_AUTH_CONFIG")
        for place in self._places():
            try:
                file = read_file(place.path)
            except OSError as error:
                if place.named:
                    raise _unreadable(place.path, error) from None
                self._warn(_unreadable(place.path, error).diagnostics[0]._replace(severity="warning"))
                continue
            if file is not None:
                yield file
            elif place.path == self._authfile and not self._new:
                raise KezuriError.of(f"authfile: there is no file {place.path}", exit_code=125)

    def _places(self) -> Iterator[Place]:
        environment = self._environment
        named = self._authfile or environment.get("REGISTRY_AUTH_FILE", "")
        if named:
            yield Place(named, True)
            return
        docker = self._docker()
        if docker:
            yield Place(docker, bool(environment.get("DOCKER_CONFIG")))
        home = self._home()
        runtime, usual = environment.get("XDG_RUNTIME_DIR", ""), f"/run/containers/{os.getuid()}/auth.json"
        if runtime or os.access(usual, os.R_OK):
            yield Place(os.path.join(runtime, "containers/auth.json") if runtime else usual)
        config = environment.get("XDG_CONFIG_HOME", "")
        if config or home:
            yield Place(os.path.join(config or os.path.join(home, ".config"), "containers/auth.json"))

    def _docker(self) -> str:
        directory = self._environment.get("DOCKER_CONFIG", "")
        home = self._home()
        if not directory and home:
            directory = os.path.join(home, ".docker")
        return os.path.join(directory, "config.json") if directory else ""

    def _home(self) -> str:
        home = self._environment.get("HOME", "")
        if home:
            return home
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return ""


def _unreadable(path: str, error: OSError) -> KezuriError:
    return KezuriError.of(
        f"the credentials in {path} cannot be read: {error.strerror}",
        hint="is the file another user's (sudo -H)? name yours with --authfile or DOCKER_CONFIG",
        exit_code=125,
    )
