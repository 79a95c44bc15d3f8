"""A repository to be written to or asked about, and how it is spoken to."""

import threading
from typing import NamedTuple

from kezuri.registry.config import Endpoint
from kezuri.registry.exchange import Ask, Exchanges
from kezuri.registry.redirects import Hop
from kezuri.registry.retry import Backoff, Patience
from kezuri.registry.wire import Answer


class Place(NamedTuple):
    """A repository at the registry that its reference names: no mirror stands in where something is written."""

    endpoint: Endpoint
    exchanges: Exchanges
    backoff: Backoff
    tries: int
    stop: threading.Event

    @property
    def host(self) -> str:
        """The host, and the port where one is given, that requests go to."""
        return self.endpoint.host

    def patience(self) -> Patience:
        """A new count of failures, for one operation (see Patience)."""
        return Patience(self.backoff, self.tries, self.stop)

    def ask(self, method: str, path: str, actions: str = "pull,push") -> Ask:
        """A request without body or header."""
        return Ask(self.endpoint, path, method, actions=actions)

    def open(self, ask: Ask, patience: Patience) -> Answer:
        """The answer to it; see `Exchanges.open`."""
        return self.exchanges.open(ask, patience)

    def reach(self, ask: Ask, patience: Patience) -> tuple[Answer, Hop]:
        """The answer and where it came from; see `Exchanges.reach`."""
        return self.exchanges.reach(ask, patience)
