"""Where repositories are written to, and asked what they have now: the registries that references name."""

import threading
from collections.abc import Callable
from typing import TypeVar

from kezuri.oci import Reference
from kezuri.registry.failure import Refused
from kezuri.registry.place import Place
from kezuri.registry.places import Places
from kezuri.registry.wire import TransportError

_T = TypeVar("_T")


class Home:
    """The registry of every reference: no mirror stands in for it."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def do(
        self, reference: Reference, what: str, work: Callable[[Place], _T], stop: threading.Event | None = None
    ) -> _T:
        """Do something there. KezuriError naming `what` it is about when it cannot be done."""
        place = self._places.at(self._places.config.home(reference), stop)
        with self._places.until(stop, f"{reference}: the push was called off"):
            try:
                return work(place)
            except (TransportError, Refused) as error:
                from kezuri.registry.explanation import explain

                raise explain(what, place.host, error, writing=True) from None
