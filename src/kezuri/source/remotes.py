"""Remote sources of one build: what each of them is now, and its files."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from kezuri.diagnostics import KezuriError
from kezuri.plan.inputs import GitSource, Remote, UrlSource
from kezuri.plan.remote import is_commit
from kezuri.progress.calling_off import CalledOff, CallOff
from kezuri.progress.events import WorkName
from kezuri.source.http_download import Downloaded, Downloads, shown
from kezuri.store.store import Store
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.selection import Root, download, select

if TYPE_CHECKING:
    from kezuri.registry.transport import SocketTransport
    from kezuri.source.git_checkout import GitCheckouts
    from kezuri.source.git_repository import Commit, GitRepositories
    from kezuri.source.http_exchange import HttpExchange

_OWNER = (0, 0)
_AHEAD = 4
"""How many sources are found out about at once before they are wanted."""
_OFTEN = 0.1
"""Seconds between two words on how far a download has come."""
_SYSTEM_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)  # fmt: skip


class Ticket(Protocol):
    """A step that has begun; ended by exactly one of `cached`, `done` and `failed`."""

    def output(self, stream: int, data: bytes) -> None:
        """The step printed something."""

    def status(self, what: str, current: int, total: int, done: bool = False) -> None:
        """Part of the step has come this far, in bytes."""

    def cached(self) -> None:
        """The result was there already."""

    def done(self) -> None:
        """The step has given its result."""

    def failed(self, message: str) -> None:
        """The step has failed."""


class Reporter(Protocol):
    """Where steps are told of."""

    def start(self, name: WorkName, digest: str = "") -> Ticket:
        """A step begins."""
        ...


class Means(NamedTuple):
    """What a build gives for reaching others: the values of its secrets, the socket of its default ssh agent (empty:
    none), the PEM file of authorities that are trusted in addition (empty: none), hosts whose certificates are not
    checked, and the environment, for proxies."""

    secret: Callable[[str], bytes | None]
    agent: Callable[[], str]
    ca_certificates: str
    insecure: tuple[str, ...]
    environment: Mapping[str, str]


class Remotes:
    """Finds out about remote sources, each once in a build, and brings their files. Use it in a `with`.

    Several threads may ask at once. Nothing is asked of the network before a source is wanted.
    """

    def __init__(self, store: Store, means: Means, reporter: Reporter, cancel: CallOff) -> None:
        self._store = store
        self._means = means
        self._reporter = reporter
        self._cancel = cancel
        self._lock = threading.Lock()
        self._locks: dict[Remote, threading.Lock] = {}
        self._downloaded: dict[UrlSource, Downloaded] = {}
        self._commits: dict[GitSource, Commit] = {}
        self._trees: dict[GitSource, str] = {}
        self._failed: dict[Remote, KezuriError] = {}
        self._ahead: list[threading.Thread] = []
        self._closing = False
        self._transport: SocketTransport | None = None
        self._exchange: HttpExchange | None = None
        self._git: tuple[GitRepositories, GitCheckouts] | None = None
        self._downloads = Downloads(store, self._open_exchange, means.secret, cancel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        if self._ahead and error is not None:
            self._cancel.set()
        for thread in self._ahead:
            thread.join()
        if self._transport is not None:
            self._transport.close()

    def prefetch(self, sources: Iterable[Remote]) -> None:
        """Find out about the sources in threads, so that they are known when they are wanted; what goes wrong is told
        then. Those that need no network are left out, for nobody may ever want their content."""
        waiting = [source for source in dict.fromkeys(sources) if not pinned_identity(source)[1]]
        waiting.reverse()

        def work() -> None:
            while not self._closing and not self._cancel.is_set():
                try:
                    self.identity(waiting.pop())
                except IndexError:
                    return
                except KezuriError:
                    continue
                except CalledOff:
                    return

        for _ in range(min(_AHEAD, len(waiting))):
            thread = threading.Thread(target=work, daemon=True, name="prefetch")
            self._ahead.append(thread)
            thread.start()

    def identity(self, source: Remote) -> tuple[str, str]:
        """What the source is, as a part of a key: a name and a value. For a file its name, the digest of its content
        and when it was modified, for a git repository the commit and what is taken of it; not where it lies, nor who
        asks. A file with a checksum and a full commit need no network. KezuriError when it cannot be found out."""
        name, value = pinned_identity(source)
        if value:
            return name, value
        if isinstance(source, UrlSource):
            found = self.download(source)
            return name, found.digest + (f", {found.modified}" if found.modified else "")
        commit = self._commit(source)
        return name, _taken(source, commit.object, commit.commit, commit.ref)

    def root(self, source: Remote, excludes: Sequence[str], unpack: bool) -> Root:
        """The source as a word of an ADD selects it; `unpack` says that a file may be taken apart if it is an archive.
        KezuriError when it does not come."""
        if isinstance(source, UrlSource):
            found = self.download(source)
            path = self._downloads.path(found.digest)
            return download(source.name, path, found.size, found.mtime)._replace(packed=not unpack)
        tree = DirectoryTree(self.directory(source), None, _OWNER, name=f"the git repository {source.remote}")
        (root,) = select(tree, (".",), excludes=excludes)
        return root

    def download(self, source: UrlSource) -> Downloaded:
        """The file at a URL."""
        with self._once(source):
            found = self._downloaded.get(source)
            if found is None:
                with _Told(self._reporter, f"download {shown(source)}") as told:
                    found = self._downloaded[source] = self._downloads.get(source, told)
            return found

    def content(self, source: UrlSource) -> str:
        """Where the bytes of the file at a URL are on this machine. KezuriError when it does not come."""
        return self._downloads.path(self.download(source).digest)

    def directory(self, source: GitSource) -> str:
        """The directory on this machine with what the source names. It is not to be changed."""
        commit = self._commit(source)
        with self._guard(source):
            path = self._trees.get(source)
            if path is None:
                _, checkouts = self._open_git()
                with _Told(self._reporter, f"check out {_shown(source)}") as told:
                    told.begin()
                    if checkouts.has(source, commit):
                        told.unchanged()
                    path = self._trees[source] = checkouts.directory(source, commit, told.output)
            return path

    def _commit(self, source: GitSource) -> "Commit":
        with self._once(source):
            found = self._commits.get(source)
            if found is None:
                repositories, _ = self._open_git()
                with _Told(self._reporter, f"load git source {_shown(source)}") as told:
                    if not pinned_identity(source)[1]:
                        told.begin()
                    found = self._commits[source] = repositories.resolve(source, told.output)
            return found

    @contextmanager
    def _once(self, source: Remote) -> Iterator[None]:
        """Only one thread finds out about a source, and what it could not, no other tries again."""
        with self._guard(source):
            failed = self._failed.get(source)
            if failed is not None:
                raise KezuriError(*failed.diagnostics, exit_code=failed.exit_code)
            try:
                yield
            except KezuriError as error:
                self._failed[source] = error
                raise

    def _guard(self, source: Remote) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(source, threading.Lock())

    def _open_exchange(self) -> "HttpExchange":
        with self._lock:
            if self._exchange is None:
                from kezuri.registry.config import RegistryConfig
                from kezuri.registry.transport import SocketTransport
                from kezuri.source.http_exchange import HttpExchange

                means = self._means
                config = RegistryConfig(
                    insecure=means.insecure, ca_certificates=means.ca_certificates, environment=means.environment
                )
                self._transport = SocketTransport(config)
                self._cancel.then(self._transport.close)
                self._exchange = HttpExchange(self._transport, self._cancel)
            return self._exchange

    def _open_git(self) -> "tuple[GitRepositories, GitCheckouts]":
        with self._lock:
            if self._git is None:
                from kezuri.source.git_checkout import GitCheckouts
                from kezuri.source.git_program import GitProgram
                from kezuri.source.git_repository import GitRepositories

                store, means = self._store, self._means
                os.makedirs(store.path("git"), exist_ok=True)
                known_hosts = store.path("git", "known_hosts")
                program = GitProgram(means.environment, known_hosts, self._authorities(), self._cancel)
                repositories = GitRepositories(
                    store, program, means.secret, means.agent, self._verifies, self._locate, self._cancel
                )
                self._git = repositories, GitCheckouts(store, program, repositories)
            return self._git

    def _locate(self, url: str) -> str:
        """Where the git repository at a URL is now."""
        suffix = "/info/refs?service=git-upload-pack"
        found = self._open_exchange().locate(url + suffix)
        if not found.endswith(suffix):
            raise KezuriError.of(f"{url} sends us to {found.partition('?')[0]}, which is no git repository")
        return found.removesuffix(suffix)

    def _verifies(self, url: str) -> bool:
        from kezuri.registry.config import RegistryConfig
        from kezuri.registry.origin import Origin

        try:
            return RegistryConfig(insecure=self._means.insecure).verifies(Origin.of(url))
        except ValueError:
            return True

    def _authorities(self) -> str:
        """A file of all authorities that are trusted: git takes one, instead of the system's."""
        own = self._means.ca_certificates
        if not own:
            return ""
        from hashlib import sha256

        data = b""
        named = self._means.environment.get("SSL_CERT_FILE", "")
        for path in (own, *([named] if named else _SYSTEM_AUTHORITIES)):
            try:
                with open(path, "rb") as file:
                    data += file.read() + b"\n"
            except OSError:
                continue
            if path != own:
                break
        path = self._store.path("git", f"authorities-{sha256(data).hexdigest()[:16]}.pem")
        if not os.path.exists(path):
            from kezuri.store.names import publish

            publish(path, data)
        return path


def pinned_identity(source: Remote) -> tuple[str, str]:
    """What `Remotes.identity` says; the value is empty where the network has to be asked for it."""
    if isinstance(source, UrlSource):
        return f"source {source.name}", source.checksum
    pinned = is_commit(source.ref) and source.ref.startswith(source.checksum)
    return "source git", _taken(source, source.ref, source.ref, "") if pinned else ""


def _taken(source: GitSource, object: str, commit: str, ref: str) -> str:
    keeps = source.keep_git_dir and not source.subdir
    parts = [f"commit {object if keeps else commit}"]
    if keeps:
        parts.append(f"with its git directory ({ref or 'no ref'})")
    if source.subdir:
        parts.append(f"below {source.subdir}")
    if not source.submodules:
        parts.append("without submodules")
    if source.mtime:
        parts.append(f"times of the {source.mtime}")
    return ", ".join(parts)


class _Told:
    """A step that is begun when the network is asked: what is known needs none."""

    def __init__(self, reporter: Reporter, title: str) -> None:
        self._reporter = reporter
        self._title = title
        self._ticket: Ticket | None = None
        self._cached = False
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticket is None:
            return
        if error is not None:
            self._ticket.failed("canceled" if isinstance(error, KeyboardInterrupt) else str(error))
        elif self._cached:
            self._ticket.cached()
        else:
            self._ticket.done()

    def begin(self) -> None:
        if self._ticket is None:
            self._ticket = self._reporter.start(WorkName(self._title, internal=True))

    def progress(self, current: int, total: int) -> None:
        whole = total > 0 and current >= total
        if self._ticket is not None and (whole or monotonic() - self._last >= _OFTEN):
            self._last = monotonic()
            self._ticket.status("bytes", current, total, whole)

    def unchanged(self) -> None:
        self._cached = True

    def output(self, data: bytes) -> None:
        if self._ticket is not None:
            self._ticket.output(2, data)


def _shown(source: GitSource) -> str:
    fragment = source.ref + (f":{source.subdir}" if source.subdir else "")
    return source.remote + (f"#{fragment}" if fragment else "")
