"""Where repositories are read from: mirrors as long as they have them, and the registry itself."""

import threading
from collections.abc import Callable
from typing import TypeVar

from kezuri.diagnostics import KezuriError
from kezuri.oci import Reference
from kezuri.registry.config import Endpoint
from kezuri.registry.failure import Refused, WrongBytes
from kezuri.registry.place import Place
from kezuri.registry.places import Places
from kezuri.registry.retry import passing
from kezuri.registry.wire import TransportError

_T = TypeVar("_T")


class Endpoints:
    """The endpoints of every reference. What is learnt of them is kept: which of them served a repository, and which
    mirrors were in trouble. Threads may share it."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._served: dict[str, Endpoint] = {}
        self._troubled: set[str] = set()

    def served(self, reference: Reference, endpoint: Endpoint) -> None:
        """Have the endpoint asked first for what else is wanted of the repository."""
        self._served[reference.repository] = endpoint._replace(patient=True)

    def read(
        self, reference: Reference, what: str, work: Callable[[Place], _T], stop: threading.Event | None = None
    ) -> _T:
        """Do something at the first endpoint that can; the one that served the repository before is asked first.
        KezuriError naming `what` is wanted when none can.

        A mirror gets one try and a short time as long as there is another endpoint, and is not asked again once it was
        in trouble. Requests are repeated only where no other endpoint is left.
        """
        with self._places.until(stop, f"{reference}: the pull was called off"):
            return self._anywhere(reference, what, lambda endpoint: work(self._places.at(endpoint, stop)))

    def _anywhere(self, reference: Reference, what: str, at: Callable[[Endpoint], _T]) -> _T:
        endpoints = list(self._places.config.endpoints(reference))
        served = self._served.get(reference.repository)
        if served in endpoints:
            endpoints.remove(served)
            endpoints.insert(0, served)
        failed: list[str] = []
        answered: KezuriError | None = None
        *others, last = endpoints
        for endpoint in others:
            if endpoint.host in self._troubled:
                continue
            try:
                return at(endpoint._replace(patient=not endpoint.mirror_of))
            except (TransportError, Refused, WrongBytes, KezuriError) as error:
                if isinstance(error, KezuriError) and error.__cause__ is not None:
                    raise  # a full disk is no better at the next endpoint
                answered = answered or (error if isinstance(error, KezuriError) else None)
                kind = "mirror" if endpoint.mirror_of else "registry"
                failed.append(f"the {kind} {endpoint.host} did not have it: {error}")
                if endpoint.mirror_of and _is_trouble(error):
                    self._troubled.add(endpoint.host)
        try:
            return at(last)
        except (TransportError, Refused, WrongBytes) as error:
            if isinstance(error, TransportError) and answered is not None:
                raise answered from None  # What a mirror says of the image holds where nobody can be asked further.
            from kezuri.registry.explanation import explain

            raise explain(what, last.host, error, tuple(failed)) from None


def _is_trouble(error: Exception) -> bool:
    """Whether this is an endpoint's own trouble, rather than that it lacks one image or does not give it out."""
    return isinstance(error, TransportError) or (
        isinstance(error, Refused) and passing(error.failure.status, error.failure.codes)
    )
