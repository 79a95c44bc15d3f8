"""The machine's git, run so that neither the user's settings nor a repository can make it do anything else."""

import os
import re
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.linux.activity import activity
from kezuri.progress.calling_off import CalledOff
from kezuri.registry.retry import Stall

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_SETTINGS = (
    ("advice.detachedHead", "false"),
    ("core.attributesFile", os.devnull),
    ("core.excludesFile", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("core.logAllRefUpdates", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("http.lowSpeedLimit", "1024"),
    ("http.lowSpeedTime", "60"),
    ("init.defaultBranch", "master"),
    ("maintenance.auto", "false"),
    # A store that belongs to somebody else, as under sudo, is still one that the user named.
    ("safe.directory", "*"),
)
_BOILERPLATE = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
)
_PATIENCE = 10.0
"""Seconds that git gets to end when it is called off."""
_LEASH = """
exec 3<&0 </dev/null
(read -r end <&3; kill -KILL 0) >/dev/null 2>&1 &
"$@" 3<&-
code=$?
kill -KILL $!
exit $code
"""
"""Runs git, and ends the whole process group when standard input ends: so it does when we are killed. git and what it
starts (ssh, too) would go on waiting for a server that says nothing, for ever."""
_LOOK = 5.0
"""Seconds between two looks at whether git still does something."""
_WORK = 1 << 20


_MOVED = re.compile(r"unable to access '([^']+?)/?': The requested URL returned error: 30[12378]")


class GitFailed(Exception):
    """git has ended with an error; `said` is what it wrote, without secrets."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said

    @property
    def reason(self) -> str:
        """The line that says why: the first that names an error, for those after it follow from it."""
        lines = [_plain(line) for line in self.said.splitlines() if line.strip()]
        lines = [line for line in lines if line not in _BOILERPLATE]
        telling = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))]
        for line in telling or lines:
            return line.removeprefix("fatal: ").removeprefix("error: ")[:400]
        return "git failed without a word"

    @property
    def moved(self) -> str:
        """The URL whose server sent git to another one, to which it did not go; empty when that is not the reason."""
        found = _MOVED.search(self.said)
        return found[1] if found else ""


class Access(NamedTuple):
    """How a remote is spoken to: an Authorization for the URLs that begin with `scope` (both empty: none), the socket
    of an ssh agent (empty: none), the URL of a host whose certificate is not checked (empty: none), and URLs with those
    that are asked in their stead."""

    scope: str = ""
    authorization: str = ""
    agent: str = ""
    unchecked: str = ""
    moved: tuple[tuple[str, str], ...] = ()


class Waiting:
    """Notices a process group that waits for somebody who sends next to nothing. git itself does so over HTTP only."""

    def __init__(self, group: int, now: Callable[[], float]) -> None:
        self._group = group
        self._now = now
        self._stall = Stall(now)
        self._looked = now()
        self._done = 0

    def in_vain(self) -> bool:
        """Whether next to nothing was done for a minute. To be asked often; it looks now and then."""
        if self._now() - self._looked < _LOOK:
            return False
        self._looked = self._now()
        try:
            before, self._done = self._done, activity(self._group)
        except ProcessLookupError:
            return False
        # The sum falls when a process of the group has ended, since only the living are counted. An end is work, too.
        return self._stall.stalled(self._done - before if self._done >= before else _WORK)


class GitProgram:
    """Runs git. `environment` is this process's; `scratch` is a directory for what ssh notes of hosts' keys."""

    def __init__(self, environment: Mapping[str, str], known_hosts: str, ca_file: str, cancel: threading.Event) -> None:
        """`known_hosts` is where the keys of ssh hosts are noted; `ca_file` a PEM file of every authority that is
        trusted, empty for those of the system."""
        import shutil

        self._environment = environment
        self._known_hosts = known_hosts
        self._ca_file = ca_file
        self._cancel = cancel
        self._path = shutil.which("git", path=environment.get("PATH"))

    def run(
        self,
        *arguments: str,
        cwd: str = "",
        git_dir: str = "",
        work_tree: str = "",
        access: Access | None = None,
        protocols: str = "http:https:git:ssh",
        told: Callable[[bytes], object] | None = None,
        seconds: float = float("inf"),
        remote: bool = False,
    ) -> bytes:
        """What git writes to standard output; GitFailed when it ends with an error, or not within so many seconds, or
        when it does next to nothing for a minute while it speaks to a `remote`.
        `protocols` are those that it, and what it starts, may speak. `told` gets what it writes to standard error once
        it has ended."""
        import subprocess
        from time import monotonic

        if self._path is None:
            raise KezuriError.of(
                "git repositories are fetched by the program git, which was not found",
                hint="install it (`apt install git`, `dnf install git`), or copy the files into the context",
            )
        access = access or Access()
        command = ["/bin/sh", "-c", _LEASH, "git", self._path]
        if work_tree:
            command += ["--work-tree", work_tree]
        if git_dir:
            command += ["--git-dir", git_dir]
        leash, held = os.pipe()
        try:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=cwd or work_tree or git_dir or "/",
                env=self._surroundings(access, protocols),
                stdin=leash,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                umask=0o022,
                process_group=0,
            )
        except BaseException as error:
            os.close(held)
            if isinstance(error, OSError):
                raise KezuriError.of(f"git cannot be run: {self._path}: {error.strerror}") from None
            raise
        finally:
            os.close(leash)
        end = monotonic() + seconds
        waiting = Waiting(process.pid, monotonic) if remote else None
        with process, os.fdopen(held, "wb"):
            try:
                while True:
                    try:
                        out, said = process.communicate(timeout=0.2)
                        break
                    except subprocess.TimeoutExpired:
                        if self._cancel.is_set():
                            raise CalledOff from None
                        if monotonic() > end:
                            raise GitFailed(f"fatal: there was no whole answer within {seconds:g} s") from None
                        if waiting is not None and waiting.in_vain():
                            raise GitFailed("fatal: operation too slow: less than 1 KiB a second came") from None
            except BaseException:
                _end(process)
                raise
        said = _without(said, access.authorization)
        if process.returncode != 0:
            raise GitFailed(said.decode("utf-8", "replace"))
        if told is not None and said:
            told(said)
        return out

    def _surroundings(self, access: Access, protocols: str) -> dict[str, str]:
        environment = {
            "PATH": self._environment.get("PATH", os.defpath),
            "LC_ALL": "C",
            "HOME": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": protocols,
            "GIT_SSH_COMMAND": self._secure_shell(),
            "GIT_SSH_VARIANT": "ssh",
        }
        for name in _PROXIES:
            for variable in (name, name.upper()):
                if variable in self._environment:
                    environment[variable] = self._environment[variable]
        for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            if variable in self._environment:
                environment[variable] = self._environment[variable]
        if access.agent:
            environment["SSH_AUTH_SOCK"] = access.agent
        pairs = [*_SETTINGS]
        if self._ca_file:
            pairs.append(("http.sslCAInfo", self._ca_file))
        if access.unchecked:
            pairs.append((f"http.{access.unchecked}.sslVerify", "false"))
        # git would go wherever a server sends it, to addresses of this machine's own network, too, and take an
        # Authorization along.
        pairs.append(("http.followRedirects", "false"))
        pairs += ((f"url.{target}.insteadOf", url) for url, target in access.moved)
        if access.authorization:
            pairs.append((f"http.{access.scope}.extraHeader", f"Authorization: {access.authorization}"))
        # In the environment and not among the arguments: those any user of the machine can read.
        environment["GIT_CONFIG_COUNT"] = str(len(pairs))
        for number, (name, value) in enumerate(pairs):
            environment[f"GIT_CONFIG_KEY_{number}"] = name
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        return environment

    def _secure_shell(self) -> str:
        import shlex

        home = os.path.expanduser("~/.ssh/known_hosts")
        options = (
            "BatchMode=yes",
            "ConnectTimeout=30",
            "ServerAliveInterval=15",
            "StrictHostKeyChecking=accept-new",
            # The user's own keys are not offered to any host that a Dockerfile names: --ssh says which keys are used.
            "IdentityFile=none",
            f'UserKnownHostsFile="{self._known_hosts}" "{home}"',
        )
        return shlex.join(["ssh", "-F", os.devnull, *(word for o in options for word in ("-o", o))])


def _end(process: "object") -> None:
    """End git and all that it started."""
    import signal
    import subprocess

    assert isinstance(process, subprocess.Popen)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_PATIENCE)
            return
        except subprocess.TimeoutExpired:
            continue
        except (ProcessLookupError, PermissionError):
            return


def _without(said: bytes, secret: str) -> bytes:
    if not secret:
        return said
    for part in (secret, secret.partition(" ")[2]):
        if len(part) >= 4:
            said = said.replace(part.encode("latin-1", "replace"), b"***")
    return said


def _plain(line: str) -> str:
    """A line of a stranger, safe for a terminal."""
    return "".join(c if c.isprintable() else " " for c in line).strip()
