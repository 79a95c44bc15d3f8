"""Real registries for tests: Debian's docker-registry, open or behind a password, a token server or TLS, and the
authority and the token server that this takes."""

import base64
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import pytest

USER, PASSWORD = "user", "pass"
"""Whom the registries with a password know, and the token servers if nobody else is named."""
_BCRYPT_OF_PASS = "$2y$05$abcdefghijklmnopqrstuuZFBUbfXoM8LFiPx8LYlO/sXZB/Cwk3K"

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
needs_registry = pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed")
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    certificate: str
    key: str


class Authority:
    """A certificate authority of our own, in a directory; needs openssl."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.certificate = str(directory / "ca.pem")
        self._key = str(directory / "ca.key")
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
                 "-keyout", self._key, "-out", self.certificate,
                 "-addext", "basicConstraints=critical,CA:TRUE")  # fmt: skip

    def issue(self, name: str, *addresses: str) -> Pair:
        """A certificate for `name`, good at addresses such as `IP:127.0.0.1` or `DNS:localhost`."""
        pair = Pair(str(self._directory / f"{name}.pem"), str(self._directory / f"{name}.key"))
        request, extensions = (str(self._directory / f"{name}.{end}") for end in ("csr", "ext"))
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        Path(extensions).write_text(f"subjectAltName={','.join(addresses or ('DNS:' + name,))}\n")
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                 "-days", "2", "-extfile", extensions, "-out", pair.certificate)  # fmt: skip
        return pair


class Asked(NamedTuple):
    """One request to a token server. `authorization` is its header, `scopes` in the order in which they came, `form`
    and `query` its other fields."""

    method: str
    scopes: tuple[str, ...]
    authorization: str
    query: dict[str, str]
    form: dict[str, str]


class TokenServer:
    """Issues tokens (RS256) that docker-registry takes; needs openssl. Everybody may pull from repositories whose name
    begins with `public/`, the user everything.

    `refresh` are the identity tokens it takes; with `rotates` each is good for one use, and the answer brings the next.
    `age` seconds ago it believes to have issued what it issues now, so that a registry finds it expired. `tamper` may
    answer a request in its place, by returning (status, headers, body). `posts` is false for one that knows no POST.
    """

    def __init__(
        self,
        directory: Path,
        users: dict[str, str] | None = None,
        *,
        lifetime: int = 300,
        tls: Pair | None = None,
    ) -> None:
        self.users = {USER: PASSWORD} if users is None else users
        self.lifetime = lifetime
        self.age = 0
        self.refresh: set[str] = set()
        self.rotates = False
        self.posts = True
        self.log: list[Asked] = []
        self.issued: list[str] = []
        self.tamper: Callable[[Asked], tuple[int, dict[str, str], bytes] | None] | None = None
        self.certificate, self._key = str(directory / "token.pem"), str(directory / "token.key")
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=issuer",
                 "-keyout", self._key, "-out", self.certificate)  # fmt: skip
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_TokenHandler,), {"tokens": self}))
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if tls is not None:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.realm = f"{'https' if tls else 'http'}://{self.host}/token"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.01), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def configuration(self) -> str:
        """The `auth` of a docker-registry that believes this server."""
        return (
            f"{{token: {{realm: '{self.realm}', service: tests, issuer: issuer, rootcertbundle: {self.certificate}}}}}"
        )

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        """The answer to a request: status, headers, body."""
        user, more = "", {}
        if asked.method == "POST":
            if not self.posts:
                return 405, {}, b"no"
            token = asked.form.get("refresh_token", "")
            if token not in self.refresh:
                return 401, {}, _error("UNAUTHORIZED", "no such refresh token")
            user = "refreshed"
            if self.rotates:
                self.refresh.remove(token)
                more["refresh_token"] = token + "+"
                self.refresh.add(token + "+")
        elif asked.authorization:
            name, _, password = base64.b64decode(asked.authorization.removeprefix("Basic ")).decode().partition(":")
            if self.users.get(name) != password and password not in self.refresh:
                return 401, {}, _error("UNAUTHORIZED", "incorrect username or password")
            user = name
            if asked.query.get("offline_token") == "true" and self.refresh:
                more["refresh_token"] = sorted(self.refresh)[0]
        field = "access_token" if asked.method == "POST" else "token"
        token = self.token(user, asked.scopes)
        self.issued.append(token)
        body = {field: token, "expires_in": self.lifetime} | more
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()

    def token(self, user: str, scopes: tuple[str, ...]) -> str:
        """A token that lets a user do what it may of these scopes."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = actions.split(",") if user else ["pull"] if name.startswith("public/") else []
            access.append({"type": kind, "name": name, "actions": [a for a in actions.split(",") if a in allowed]})
        now = int(time.time()) - self.age
        pem = "".join(Path(self.certificate).read_text().splitlines()[1:-1])
        header = {"typ": "JWT", "alg": "RS256", "x5c": [pem]}
        claims = {
            "iss": "issuer", "sub": user, "aud": "tests", "exp": now + self.lifetime, "nbf": now - 10, "iat": now,
            "jti": os.urandom(8).hex(), "access": access,
        }  # fmt: skip
        signed = b".".join(_url64(json.dumps(part).encode()) for part in (header, claims))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self._key], input=signed, capture_output=True, check=True
        ).stdout
        return (signed + b"." + _url64(signature)).decode()


class _TokenHandler(BaseHTTPRequestHandler):
    tokens: TokenServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
        query = parse_qs(urlsplit(self.path).query)
        scopes = tuple(query.pop("scope", form.pop("scope", "").split()))
        asked = Asked(
            self.command, scopes, self.headers.get("Authorization", ""), {k: v[0] for k, v in query.items()}, form
        )
        self.tokens.log.append(asked)
        tampered = self.tokens.tamper(asked) if self.tokens.tamper is not None else None
        status, headers, body = tampered if tampered is not None else self.tokens.answer(asked)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


class RegistryServer:
    """A docker-registry process on a free port of 127.0.0.1, its content in a directory. Use it in a `with`.

    `password` has it ask for USER and PASSWORD, `tokens` for a token of that server; `tls` is what it shows, `clients`
    the authority whose certificates it demands. What it says goes to `registry.log` in the directory.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: bool = False,
        tokens: TokenServer | None = None,
        tls: Pair | None = None,
        clients: str = "",
    ) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = int(sock.getsockname()[1])
        self.host = f"127.0.0.1:{self.port}"
        self.data = directory / "data"
        self.log = directory / "registry.log"
        secure = ""
        if tls is not None:
            clientcas = f", clientcas: ['{clients}']" if clients else ""
            secure = f", tls: {{certificate: {tls.certificate}, key: {tls.key}{clientcas}}}"
        lines = [
            "version: 0.1", "log: {level: info, accesslog: {disabled: false}}",
            f"storage: {{filesystem: {{rootdirectory: {self.data}}}, delete: {{enabled: true}}}}",
            f"http: {{addr: '{self.host}', secret: x{secure}}}",
        ]  # fmt: skip
        if password:
            (directory / "users").write_text(f"{USER}:{_BCRYPT_OF_PASS}\n")
            lines.append(f"auth: {{htpasswd: {{realm: here, path: {directory / 'users'}}}}}")
        if tokens is not None:
            lines.append(f"auth: {tokens.configuration()}")
        self._conf = directory / "conf.yml"
        self._conf.write_text("\n".join(lines))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self._conf)], stdout=log, stderr=subprocess.STDOUT
            )
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.025)
        self._stop()
        raise RuntimeError(f"docker-registry does not start: {self.log.read_text()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def fill(self, layout: str, name: str = "team/app:1", *options: str, tag: str = "1") -> None:
        """Have skopeo push an image of a layout."""
        subprocess.run(
            ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--preserve-digests", *options,
             f"oci:{layout}:{tag}", f"docker://{self.host}/{name}"],
            check=True, capture_output=True,
        )  # fmt: skip


def _openssl(*argv: str) -> None:
    subprocess.run(["openssl", *argv], check=True, capture_output=True)


def _url64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()
