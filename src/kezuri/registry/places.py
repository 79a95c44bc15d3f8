"""The places that are spoken to over one transport, until everything is called off."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kezuri.diagnostics import KezuriError
from kezuri.registry.challenge import Credentials
from kezuri.registry.config import Endpoint, RegistryConfig
from kezuri.registry.exchange import Exchanges
from kezuri.registry.place import Place
from kezuri.registry.retry import Backoff, Clock, Stopped
from kezuri.registry.wire import Transport


class Places:
    """Makes places of endpoints. The transport is made for the first one. Threads may share it.

    `stop` is set when everything is called off. Work that others do beside may have an event of its own, which is set
    then, too, and otherwise when one of them fails.
    """

    def __init__(
        self,
        config: RegistryConfig,
        transport: Callable[[RegistryConfig], Transport],
        credentials: Credentials,
        clock: Clock,
    ) -> None:
        self.config = config
        self.stop = threading.Event()
        self._factory = transport
        self._credentials = credentials
        self._backoff = Backoff(clock)
        self._stops: set[threading.Event] = set()
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._exchanges: Exchanges | None = None

    def at(self, endpoint: Endpoint, stop: threading.Event | None = None) -> Place:
        """The place where an endpoint has its repository, spoken to until `stop` is set."""
        with self._lock:
            if self._exchanges is None:
                self._transport = self._factory(self.config)
                self._exchanges = Exchanges(self._transport, self.config, self._credentials)
        return Place(endpoint, self._exchanges, self._backoff, self.config.tries, stop or self.stop)

    def together(self, work: Callable[[threading.Event], None], called_off: str) -> None:
        """Do work that ends when the event is set that it is given. KezuriError with this text when everything was
        called off."""
        stop = threading.Event()
        with self._lock:
            self._stops.add(stop)
        try:
            if self.stop.is_set():
                stop.set()
            work(stop)
            if self.stop.is_set():
                raise KezuriError.of(called_off, exit_code=125)
        finally:
            with self._lock:
                self._stops.discard(stop)

    @contextmanager
    def until(self, stop: threading.Event | None, called_off: str) -> Iterator[None]:
        """Work that may be Stopped: KezuriError with this text when everything was called off."""
        try:
            yield
        except Stopped:
            if stop is not None and not self.stop.is_set():
                raise  # Another of those that work together failed, and is heard of.
            raise KezuriError.of(called_off, exit_code=125) from None

    def close(self) -> None:
        """Call off what is under way and close the connections."""
        self.stop.set()
        with self._lock:
            for stop in self._stops:
                stop.set()
            if self._transport is not None:
                self._transport.close()
