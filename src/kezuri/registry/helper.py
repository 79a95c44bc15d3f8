"""Credential helpers: programs called docker-credential-NAME that keep passwords (docker-credential-helpers,
"protocol")."""

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Literal

from kezuri.diagnostics import KezuriError
from kezuri.registry.challenge import Credential, is_token

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_NOT_FOUND = "credentials not found"
_TOKEN = "<token>"
"""The name that stands where the secret is an identity token."""
_MOST = 1 << 20


class HelperMissing(KezuriError):
    """The helper's program is not installed."""


class Helper:
    """One helper. `where` is the file that names it; `environment` is what the program gets, and its PATH where it is
    looked for. It may take so many seconds: it may have to ask its user something."""

    def __init__(self, name: str, where: str, environment: Mapping[str, str], seconds: float = 30.0) -> None:
        self.program = f"docker-credential-{name}"
        self._name = name
        self._where = where
        self._environment = environment
        self._seconds = seconds

    def get(self, server: str) -> Credential | None:
        """What it has for a server; None when it has nothing. KezuriError naming it when it fails, HelperMissing when
        there is no such program."""
        status, out, err = self._run("get", server)
        if status != 0:
            if _NOT_FOUND in out.lower() or _NOT_FOUND in err.lower():
                return None
            raise self._failure("get", server, status, out or err)
        try:
            answer = json.loads(out)
            username, secret = answer.get("Username", ""), answer.get("Secret", "")
        except (ValueError, AttributeError, RecursionError):
            username = secret = None
        wrong = username == _TOKEN and secret and not is_token(secret)
        if not isinstance(username, str) or not isinstance(secret, str) or wrong:
            raise KezuriError.of(
                f"the credential helper {self.program} does not answer with a name and a secret",
                hint=f"{self._where} names it; try: echo {server} | {self.program} get",
                exit_code=125,
            )
        if not secret:
            return None
        if username == _TOKEN:
            return Credential(username, "", identity=secret, source=self.program)
        return Credential(username, secret, source=self.program)

    def store(self, server: str, credential: Credential) -> None:
        """Have it keep a credential; KezuriError when it does not."""
        username = _TOKEN if credential.identity else credential.username
        document = {"ServerURL": server, "Username": username, "Secret": credential.identity or credential.password}
        status, out, err = self._run("store", json.dumps(document))
        if status != 0:
            secret = credential.identity or credential.password
            raise self._failure("store", server, status, (out or err).replace(secret, "***"))

    def erase(self, server: str) -> bool:
        """Have it forget a server; whether it knew it. KezuriError when it fails otherwise."""
        status, out, err = self._run("erase", server)
        if status != 0 and _NOT_FOUND not in (out + err).lower():
            raise self._failure("erase", server, status, out or err)
        return status == 0

    def _failure(self, verb: str, server: str, status: int, said: str) -> KezuriError:
        line = next((t.strip() for t in said.splitlines() if t.strip()), "it says nothing")
        return KezuriError.of(
            f"the credential helper {self.program} failed ({verb} {server}, exit code {status}): {line[:300]}",
            hint=f"{self._where} names it; see whether it works by itself: echo {server} | {self.program} get",
            exit_code=125,
        )

    def _run(self, verb: Literal["get", "store", "erase"], text: str) -> tuple[int, str, str]:
        import subprocess
        from shutil import which

        if not _NAME.match(self._name):
            raise KezuriError.of(
                f"{self._where}: {self._name[:60]!r} is not the name of a credential helper",
                hint="`pass` stands for the program docker-credential-pass",
                exit_code=125,
            )
        path = which(self.program, path=self._environment.get("PATH", os.defpath))
        if path is None:
            raise HelperMissing.of(
                f"the credential helper {self.program} is not installed",
                hint=f"{self._where} names it: install it, or take it out of the file",
                exit_code=125,
            )
        # The process stays in our session and group: a helper may ask for a passphrase on the terminal.
        with subprocess.Popen(
            [path, verb],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(self._environment),
        ) as process:
            try:
                out, err = self._talk(process, text.encode())
            except BaseException:
                process.kill()
                raise
            return process.wait(), out, err

    def _talk(self, process: Any, text: bytes) -> tuple[str, str]:
        """What the program says on its two outputs when it is told `text`. It gets `text` whole: it is shorter than
        a pipe is long."""
        import selectors
        from time import monotonic

        end = monotonic() + self._seconds
        said = {process.stdout: bytearray(), process.stderr: bytearray()}
        try:
            process.stdin.write(text)
            process.stdin.close()
        except BrokenPipeError:
            pass  # It answers without having read, or ends: both are told apart below.
        with selectors.DefaultSelector() as selector:
            for stream in said:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(end - monotonic(), 0.0))
                if not ready or sum(map(len, said.values())) > _MOST:
                    why = f"says more than {_MOST >> 20} MiB" if ready else f"took longer than {self._seconds:g} s"
                    raise KezuriError.of(
                        f"the credential helper {self.program} {why}", hint=f"{self._where} names it", exit_code=125
                    )
                for key, _ in ready:
                    stream = process.stdout if key.fileobj is process.stdout else process.stderr
                    piece = os.read(key.fd, 1 << 16)
                    if not piece:
                        selector.unregister(stream)
                    said[stream] += piece
        out, err = (said[s].decode("utf-8", "replace") for s in (process.stdout, process.stderr))
        return out, err
