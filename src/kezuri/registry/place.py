"""A repository at one endpoint, and how it is spoken to."""

import threading
from typing import NamedTuple

from kezuri.oci.descriptor import DOCUMENTS, MOST_BYTES
from kezuri.registry.config import Endpoint
from kezuri.registry.exchange import Ask, Exchanges
from kezuri.registry.redirects import Hop
from kezuri.registry.retry import Backoff, Patience
from kezuri.registry.wire import Answer, Headers, TransportError, pieces


class Place(NamedTuple):
    """A repository where an endpoint has it, spoken to until `stop` is set."""

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
        return Patience(self.backoff, self.tries, self.stop, self.endpoint.patient)

    def ask(self, method: str, path: str, actions: str = "pull,push") -> Ask:
        """A request without body or header."""
        return Ask(self.endpoint, path, method, actions=actions)

    def document(self, name: str, method: str = "GET", actions: str = "pull") -> Ask:
        """A request for the manifest or the index that a tag or a digest names."""
        return Ask(self.endpoint, f"manifests/{name}", method, {"Accept": ",".join(DOCUMENTS)}, actions)

    def open(self, ask: Ask, patience: Patience) -> Answer:
        """The answer to it; see `Exchanges.open`."""
        return self.exchanges.open(ask, patience)

    def reach(self, ask: Ask, patience: Patience) -> tuple[Answer, Hop]:
        """The answer and where it came from; see `Exchanges.reach`."""
        return self.exchanges.reach(ask, patience)

    def whole(self, ask: Ask, patience: Patience) -> tuple[bytes | None, Headers, Hop]:
        """The body of a document (None where it is larger than one may be), its headers, and where it came from. It is
        asked for anew when it breaks off."""
        while True:
            try:
                answer, hop = self.reach(ask, patience)
                with answer:
                    small = (answer.headers.length() or 0) <= MOST_BYTES
                    body = b"".join(pieces(answer, MOST_BYTES + 1)) if small else b""
                return (body if small and len(body) <= MOST_BYTES else None), answer.headers, hop
            except TransportError as error:
                if not patience.again(self.host, error.kind):
                    raise
