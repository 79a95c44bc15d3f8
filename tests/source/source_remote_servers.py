"""Servers on this machine to fetch from: files with every behaviour that a web server can have, and git."""

import gzip
import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MODIFIED = "Sat, 01 Feb 2020 10:20:30 GMT"
MTIME = 1580552430

Reply = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from the server's table; what is not in it is a 404."""

    protocol_version = "HTTP/1.1"
    server: "WebServer"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        if path.startswith("/git/"):
            self.git(path.removeprefix("/git"), query)
            return
        reply = self.server.replies.get(self.path) or self.server.replies.get(path)
        if reply is None:
            self.answer(404, b"nothing here\n")
        else:
            reply(self)

    do_POST = do_GET

    def answer(self, status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> None:
        """Send an answer; `_` in names of headers stands for a dash, `length` for what is said of the body."""
        self.send(status, body, headers, length)

    def send(self, status: int, body: bytes, headers: Mapping[str, str], length: int | None = None) -> None:
        """Send an answer."""
        self.send_response_only(status)
        if "Date" not in headers:
            self.send_header("Date", self.date_time_string())
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def git(self, path: str, query: str) -> None:
        """Smart HTTP, by git's own CGI program."""
        guard = self.server.guard
        if guard and self.headers.get("Authorization", "") not in guard:
            self.answer(401, b"", WWW_Authenticate='Basic realm="git"')
            return
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(data)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        said = subprocess.run(
            ["git", "-c", "safe.directory=*", "http-backend"],
            input=data,
            env=environment,
            stdout=subprocess.PIPE,
            check=False,
        ).stdout
        head, _, body = said.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200")[:3])
        fields.pop("Content-Length", None)
        self.send(status, body, fields)


class WebServer(http.server.ThreadingHTTPServer):
    """A web server with a table of replies by path; `asked` is what it was asked, with headers in small letters."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, Reply] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.repositories = Path("/nonexistent")
        self.guard: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def file(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        """Serve bytes. With an ETag among the headers, 304 is the answer to who has them."""

        def reply(handler: Handler) -> None:
            etag = headers.get("ETag")
            if etag and handler.headers.get("If-None-Match") == etag:
                handler.answer(304, b"", ETag=etag)
            else:
                handler.send(status, body, headers)

        self.replies[path] = reply

    def redirect(self, path: str, target: str) -> None:
        self.replies[path] = lambda handler: handler.answer(302, b"", Location=target)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what is tested."""


@contextmanager
def web_server() -> Iterator[WebServer]:
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Repository:
    """A git repository to write to, published as a bare one below `served`."""

    def __init__(self, directory: Path, served: Path, name: str) -> None:
        self.work = directory / f"{name}-work"
        self.bare = served / f"{name}.git"
        self.work.mkdir(parents=True)
        served.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=trunk")
        git(served, "init", "--quiet", "--bare", "--initial-branch=trunk", str(self.bare))

    def git(self, *arguments: str) -> str:
        return git(self.work, *arguments)

    def commit(self, message: str = "a change", **files: str) -> str:
        """Write files (`__` for a slash, `_x` for `.x`), commit and publish everything; the commit's hash."""
        for name, content in files.items():
            path = self.work / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.publish()
        return self.git("rev-parse", "HEAD").strip()

    def publish(self) -> None:
        self.git("push", "--quiet", "--mirror", "--force", f"file://{self.bare}")

    def tag(self, name: str, annotated: bool = False) -> str:
        """Tag the current commit and publish that; the hash of the tag."""
        self.git("tag", "--force", *(("--annotate", "--message", "a tag") if annotated else ()), name)
        self.publish()
        return self.git("rev-parse", f"refs/tags/{name}").strip()


def git(directory: Path, *arguments: str) -> str:
    """Run git here, as nobody in particular and at a fixed time."""
    who = {"NAME": "A Tester", "EMAIL": "tester@example.com", "DATE": "2021-03-04T05:06:07Z"}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in who.items()},
    }
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def git_daemon(served: Path) -> Iterator[str]:
    """`git daemon` for the repositories of a directory; yields the URL of that directory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(git(served, "--exec-path").strip()) / "git-daemon"
    process = subprocess.Popen(
        [program, "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={served}"],
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **_trusting()},
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            threading.Event().wait(0.05)
        yield f"git://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _trusting() -> dict[str, str]:
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


def has_git() -> bool:
    return shutil.which("git") is not None
