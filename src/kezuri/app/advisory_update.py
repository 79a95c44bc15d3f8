"""`kezuri db update`: every data set asked for at its own address, what is new fetched, the database written anew."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kezuri.advisories.origins import Origin, origins
from kezuri.advisories.reading import Format
from kezuri.advisories.writing import unwritten
from kezuri.app.advisories import belongs, database_path, unknown, waiting
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.progress.calling_off import CallOff
from kezuri.progress.events import Listener, WorkName, warning
from kezuri.progress.reporter import Reporter, reason
from kezuri.registry.wire import Answer, Request, Transport, TransportError

if TYPE_CHECKING:
    from kezuri.advisories.values import DataSet
    from kezuri.app.advisory_writing import Brought, Change
    from kezuri.source.http_exchange import HttpExchange
    from kezuri.source.http_file import HttpFile, Known

_AWAY = frozenset(("resolve", "resolve-later", "refused", "connect-timeout", "certificate", "handshake", "proxy"))
_GONE = (404, 410)
_FILES: dict[Format, str] = {
    "osv": "all.zip", "debian": "tracker.json", "secdb": "secdb.json", "rustsec": "all.zip", "node": "index.json",
    "kev": "kev.json", "epss": "epss.csv.gz",
}  # fmt: skip
"""What files are called by the format of what they hold."""


class Updated(NamedTuple):
    """What an update did: the sets that are new, those whose servers have nothing newer, and what went wrong with
    others, by their names: these are as they were before."""

    changes: "tuple[Change, ...]"
    unchanged: tuple[str, ...]
    failed: Mapping[str, KezuriError]


def update(
    settings: Settings, names: Sequence[str], listener: Listener, afresh: bool = False, cancel: CallOff | None = None
) -> Updated:
    """Bring the data sets up to date that are fetched by default, and those that the database has beside; or those of
    these names. `afresh` fetches them whatever the database has, and keeps nothing of it. KezuriError for a name that
    is none, and when nothing at all could be fetched."""
    from kezuri.advisories.database import DamagedDatabase
    from kezuri.app.advisory_writing import alone, present

    path, warn = database_path(settings), warning(listener)
    known = origins(settings.db_origins)
    for name in names:
        if not any(belongs(own, name) for own in known):
            raise unknown(name, tuple(known))
    with alone(path, waiting(path, listener)):
        try:
            there = {data.name: data for data in present(path) or () if not afresh}
        except DamagedDatabase as error:
            warn(f"{error}: it is made anew")
            there, afresh = {}, True
        cancel = cancel or CallOff()
        wanted = _wanted(known, names, there)
        try:
            return _updated(settings, path, wanted, names, there, listener, afresh, cancel)
        except DamagedDatabase as error:
            if afresh:
                raise
            # What is in it was to be kept, and cannot be read to its end: what can be fetched of it is.
            warn(f"{error}: it is made anew")
            wanted = [origin for origin in known.values() if origin in wanted or origin.name in there]
            return _updated(settings, path, wanted, names, {}, listener, True, cancel)


def _updated(
    settings: Settings,
    path: str,
    wanted: Sequence[Origin],
    names: Sequence[str],
    there: "Mapping[str, DataSet]",
    listener: Listener,
    afresh: bool,
    cancel: CallOff,
) -> Updated:
    """What is `wanted`, fetched and put into the database, which has what is `there`."""
    from kezuri.app.advisory_writing import rewrite

    fetching = _Fetching(settings, path, there, Reporter(listener), cancel)
    with fetching.opened() as exchange:
        for origin in wanted:
            fetching.fetch(exchange, origin, asked=bool(names))
    if not fetching.brought and not fetching.unchanged:
        fetching.clear()
        raise _nothing(fetching.failed)
    done = rewrite(
        path, fetching.brought, fetching.unchanged, tolerant=True, afresh=afresh,
        step=lambda name: fetching.reporter.step(WorkName(name)),
    )  # fmt: skip
    fetching.clear()
    for text in fetching.missing:
        warning(listener)(text)
    failed = {**fetching.failed, **done.failed}
    if not done.changes and not fetching.unchanged:
        raise _nothing(failed)
    return Updated(done.changes, tuple(fetching.unchanged), failed)


def _wanted(known: Mapping[str, Origin], names: Sequence[str], there: "Mapping[str, DataSet]") -> list[Origin]:
    """The origins that are asked. Of those that a name is for beside others, what is expected is asked, too."""
    if names:
        return [origin for origin in known.values() if any(belongs(origin.name, name) for name in names)]
    return [origin for origin in known.values() if origin.usual or origin.name in there]


class _Fetching:
    """Fetches one data set after the other. What came is kept beside the database until it was put into it: an update
    that breaks off goes on there."""

    def __init__(
        self, settings: Settings, path: str, there: "Mapping[str, DataSet]", reporter: Reporter, cancel: CallOff
    ) -> None:
        self.reporter = reporter
        self.brought: list[Brought] = []
        self.unchanged: list[str] = []
        self.failed: dict[str, KezuriError] = {}
        self.missing: list[str] = []
        self._files: list[tuple[Origin, HttpFile]] = []
        self._settings = settings
        self._path = path
        self._directory = f"{path}.fetched"
        self._there = there
        self._cancel = cancel

    def _make_directory(self) -> None:
        """A directory of our own: in one that somebody else laid there a link could lead what is fetched anywhere."""
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            status = os.lstat(self._directory)
        except OSError as error:
            raise unwritten(error, self._directory) from error
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise KezuriError.of(
                f"{self._directory} is another user's, or a link: nothing is fetched into it",
                hint="remove it, or name a database elsewhere with --db",
                exit_code=125,
            )

    @contextmanager
    def opened(self) -> "Iterator[HttpExchange]":
        """What asks servers, until it is left."""
        from kezuri.app.registries import ca_bundle
        from kezuri.registry.config import RegistryConfig
        from kezuri.registry.transport import SocketTransport
        from kezuri.source.http_exchange import HttpExchange

        settings = self._settings
        insecure = settings.insecure if settings.tls_verify else ("*",)
        config = RegistryConfig(
            insecure=insecure, ca_certificates=ca_bundle(settings.ca_certificates), environment=os.environ
        )
        transport = SocketTransport(config)
        self._cancel.then(transport.close)
        try:
            self._make_directory()
            yield HttpExchange(_Once(transport), self._cancel)
        except OSError as error:
            raise unwritten(error, self._directory) from error
        finally:
            transport.close()

    def fetch(self, exchange: "HttpExchange", origin: Origin, asked: bool) -> None:
        """Fetch a data set unless what is there is still what its server has. Errors are kept in `failed`; that a set
        is not there that nobody `asked` for by its name is only told."""
        from kezuri.source.http_file import NOTHING

        there = self._there.get(origin.name)
        known = self._known(there, origin) or NOTHING
        file = self._file(exchange, origin)
        self._files.append((origin, file))
        ticket = self.reporter.start(WorkName(f"fetch {origin.name}"))
        try:
            fetched = file.fetch(known, lambda now, whole: ticket.status("bytes", now, whole, now == whole))
        except BaseException as error:
            ticket.failed(reason(error))
            self._refused(origin, error, asked)
            return
        if fetched is None:
            ticket.cached()
            self.unchanged.append(origin.name)
        else:
            ticket.done()
            self.brought.append(_brought(origin, fetched.path, fetched.known, fetched.digest))

    def _refused(self, origin: Origin, error: BaseException, asked: bool) -> None:
        """Keep why a set was not fetched; what concerns all of them is raised."""
        from kezuri.source.http_exchange import Refusal

        if not isinstance(error, KezuriError) or error.exit_code == 125:
            raise error
        if not isinstance(error, Refusal) or error.status not in _GONE or (asked and not origin.expected):
            self.failed[origin.name] = error
        elif not origin.expected:
            self.missing.append(f"{origin.name} is not at {origin.address} any more")

    def clear(self) -> None:
        """Remove what was fetched: it is in the database, or not worth keeping. What broke off stays."""
        for origin, file in self._files:
            if origin.name not in self.failed:
                file.forget()
            with suppress(OSError):
                os.rmdir(os.path.dirname(file.path))
        with suppress(OSError):
            os.rmdir(self._directory)

    def _file(self, exchange: "HttpExchange", origin: Origin) -> "HttpFile":
        """What a set is fetched into: a directory of its own, and the file by the name that its reader expects."""
        from kezuri.source.http_file import HttpFile

        own = os.path.join(self._directory, origin.name.replace("/", "-").replace(" ", "_"))
        try:
            os.makedirs(own, mode=0o700, exist_ok=True)
        except OSError as error:
            raise unwritten(error, own) from error
        path = os.path.join(own, _FILES[origin.format])
        # An archive that a server packs once more is none to its reader.
        encoding = "identity" if path.endswith((".zip", ".gz")) else "gzip"
        return HttpFile(exchange, origin.address, path, self._cancel, _authorization(origin), encoding)

    def _known(self, there: "DataSet | None", origin: Origin) -> "Known | None":
        """What its server said of the set that is there, if it came from the same address."""
        from kezuri.advisories.database import Database
        from kezuri.source.http_file import Known

        if there is None or there.address != origin.address:
            return None
        with Database.open(self._path) as database:
            return Known(*database.served(origin.name))


def _brought(origin: Origin, path: str, known: "Known", digest: str) -> "Brought":
    from time import time

    from kezuri.advisories.age import instant
    from kezuri.advisories.recognise import reading
    from kezuri.advisories.values import DataSet
    from kezuri.advisories.writing import Served
    from kezuri.app.advisory_writing import Brought

    now = instant(time())
    date = _date(known.modified)
    data = DataSet(origin.name, origin.address, date, now, 0, origin.licence, origin.ecosystems, checked=now)
    opened = partial(reading, origin.format, path, origin.name)
    return Brought(data, (opened,), Served(known.etag, known.modified, digest))


def _authorization(origin: Origin) -> str:
    from base64 import b64encode

    return f"Basic {b64encode(origin.credentials.encode()).decode()}" if origin.credentials else ""


def _date(modified: str) -> str:
    """A date of HTTP as RFC 3339 has it, empty for none."""
    from email.utils import parsedate_to_datetime

    from kezuri.advisories.age import instant

    try:
        return instant(parsedate_to_datetime(modified).timestamp())
    except (ValueError, TypeError, OverflowError):
        return ""


def _nothing(failed: Mapping[str, KezuriError]) -> KezuriError:
    """The error when nothing at all was fetched: each thing that went wrong, once."""
    told = {diagnostic.message: diagnostic for error in failed.values() for diagnostic in error.diagnostics}
    return KezuriError.of(
        "no advisories could be fetched",
        hint="without a network, `kezuri db import FILE|DIR` takes files that were brought along",
    ).noting(*list(told.values())[:5])


class _Once:
    """A transport that does not try again to reach a host that it could not reach: forty data sets lie on six hosts,
    and each of them would be waited for."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._away: dict[str, TransportError] = {}

    def send(self, request: Request) -> Answer:
        """As the door has it."""
        from kezuri.registry.origin import Origin as Host

        host = str(Host.of(request.url))
        if host in self._away:
            # Of this kind, it is not tried again after a while.
            raise TransportError("refused", self._away[host].origin, self._away[host].message)
        try:
            return self._transport.send(request)
        except TransportError as error:
            if error.kind in _AWAY:
                self._away[host] = error
            raise

    def close(self) -> None:
        """As the door has it."""
        self._transport.close()
