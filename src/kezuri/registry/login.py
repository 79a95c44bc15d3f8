"""Whether a registry takes a name and a password."""

import threading
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.registry.challenge import Credential
from kezuri.registry.config import RegistryConfig
from kezuri.registry.exchange import Ask, Exchanges
from kezuri.registry.explanation import UNREACHED, explain
from kezuri.registry.failure import Refused, Unanswered
from kezuri.registry.retry import Backoff, Clock, Patience
from kezuri.registry.wire import Transport, TransportError


class Verified(NamedTuple):
    """That a registry took a credential: what is to be kept of it, and whether it was `demanded` at all."""

    credential: Credential
    demanded: bool


class _One:
    """One credential, for one registry."""

    def __init__(self, host: str, credential: Credential) -> None:
        self._host = host
        self._credential = credential

    def find(self, host: str, path: str) -> Credential | None:
        """The credential, for its own registry."""
        return self._credential if host == self._host else None


def verify(
    config: RegistryConfig, host: str, credential: Credential, transport: Transport, clock: Clock | None = None
) -> Verified:
    """Ask a registry for nothing but to let us in. Where its token server gives an identity token for the password,
    that one is to be kept. KezuriError when it does not take the credential, or is no registry."""
    endpoint = config.registry(host)
    exchanges = Exchanges(transport, config, _One(endpoint.host, credential), sign_in=True)
    patience = Patience(Backoff(clock or Clock()), config.tries, threading.Event())
    ask = Ask(endpoint, "")
    try:
        with exchanges.open(ask, patience):
            pass
    except Refused as error:
        if error.failure.status == 404:
            raise KezuriError.of(
                f"{host}: {error.failure.words()}", hint="is it a registry? this one does not know /v2/", exit_code=125
            ) from None
        if error.failure.status in (401, 403):
            raise KezuriError.of(
                f"{host} does not let you in: {error.failure.words()}",
                hint="is the name or the password wrong? where a second factor is on, an access token stands in the "
                "password's place",
            ) from None
        raise explain(host, endpoint.host, error) from None
    except TransportError as error:
        told = explain(host, endpoint.host, error)
        if error.kind in UNREACHED:  # what else would serve an image does not help here
            raise Unanswered.of(str(told), hint="is the name right, and the network there?", exit_code=125) from None
        raise told from None
    grant = exchanges.granted(ask, patience)
    if grant is not None and grant.refresh:
        credential = Credential(credential.username, "", grant.refresh, source=credential.source)
    return Verified(credential, grant is not None)
