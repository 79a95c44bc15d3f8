"""How registries are reached on this machine: mirrors, trust, timeouts."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci import Reference
from kezuri.oci.reference import HUB, HUB_NAMES, HUB_SERVER
from kezuri.registry.origin import Origin, in_range, is_local, split_host

if TYPE_CHECKING:
    from kezuri.registry.registries import Rule

_CERTIFICATES = (
    "~/.config/containers/certs.d",
    "~/.config/docker/certs.d",
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
)


class Endpoint(NamedTuple):
    """One place that may have a repository.

    `host` is `host[:port]` to speak to, `path` the repository's path there, `schemes` what to try in order,
    `mirror_of` the registry that it stands in for (empty: it is the registry itself). `patient` is false where another
    place is asked when this one is in trouble.
    """

    host: str
    path: str
    schemes: tuple[str, ...]
    mirror_of: str = ""
    patient: bool = True


class RegistryConfig(NamedTuple):
    """What the machine's owner has set.

    `mirrors` are (registry host, mirror URL); the URL's path is put before the repository's. `insecure` are hosts,
    with or without a port, or address ranges that may speak plain HTTP, and whose certificates are not checked (`*`:
    every host).
    `ca_certificates` is a PEM file trusted in addition to the system's. `certificate_directories` hold
    `<host:port>/*.crt`, `client.cert` and `client.key`; `certificates` is such a `<host:port>` for every host, in their
    place. `environment` is where proxies are looked up. Timeouts are
    seconds: to connect, idle, for a whole manifest, config or token, and (`brisk`) for the first sign of life of a
    mirror that somebody else can stand in for. `tries` is how often a request is sent when it fails in passing.
    `mirror_only` forbids to fall back to a registry that has mirrors. `allow_private` are public registries
    that may send us to private addresses.
    """

    mirrors: tuple[tuple[str, str], ...] = ()
    insecure: tuple[str, ...] = ()
    ca_certificates: str = ""
    rules: "tuple[Rule, ...]" = ()
    certificate_directories: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}  # read only
    connect_timeout: float = 10.0
    idle_timeout: float = 60.0
    document_timeout: float = 30.0
    brisk_timeout: float = 5.0
    tries: int = 5
    mirror_only: bool = False
    allow_private: tuple[str, ...] = ()
    certificates: str = ""

    @classmethod
    def of_machine(
        cls,
        mirrors: Iterable[tuple[str, str]] = (),
        insecure: Iterable[str] = (),
        ca_certificates: str = "",
        environment: Mapping[str, str] = os.environ,
    ) -> "RegistryConfig":
        """The given settings together with this machine's: registries.conf, certs.d and proxy variables. KezuriError
        for a registries.conf that cannot be read."""
        from kezuri.registry.registries import read_registries

        return cls(
            tuple(mirrors),
            tuple(insecure),
            ca_certificates,
            read_registries(environment),
            tuple(os.path.expanduser(d) for d in _CERTIFICATES),
            environment,
        )

    def is_insecure(self, host: str) -> bool:
        """Whether the owner named `host[:port]` as insecure."""
        return _named(host, self.insecure)

    def may_be_private(self, host: str) -> bool:
        """Whether `host[:port]` may send us to private addresses."""
        return _named(host, self.allow_private)

    def plain_allowed(self, host: str) -> bool:
        """Whether `host[:port]` may be spoken to without TLS."""
        return is_local(split_host(host)[0]) or self.is_insecure(host)

    def verifies(self, origin: Origin) -> bool:
        """Whether the certificate of an origin is checked: always, unless its owner named it insecure."""
        return not self.is_insecure(origin.authority) and not any(rule.trusts(origin.netloc) for rule in self.rules)

    def registry(self, host: str) -> Endpoint:
        """Where a registry itself is asked, not for one of its repositories. KezuriError for what is no host."""
        known = HUB_SERVER if host == HUB else host.lower()
        try:
            Origin.of(f"https://{known}/")
        except ValueError:
            raise KezuriError.of(
                f"not a registry: {host!r}", hint="write its host, such as registry.example:5000", exit_code=2
            ) from None
        insecure = any(rule.trusts(known) for rule in self.rules)
        return self._endpoint(known + "/", insecure, "")

    def endpoints(self, reference: Reference) -> tuple[Endpoint, ...]:
        """Where to ask for a reference, in order: mirrors as given, mirrors of registries.conf, the registry itself.
        KezuriError for a blocked reference and for a mirror that is no URL or may not be spoken to."""
        found = [self._mirror(url, reference) for host, url in self.mirrors if _same_registry(host, reference.host)]
        rule = self._rule(reference)
        own, own_insecure = reference.repository, False
        if rule is not None:
            if rule.blocked:
                raise _blocked(reference, rule)
            for mirror in rule.mirrors:
                if not mirror.serves(reference.digest):
                    continue
                place = rule.rewritten(reference, mirror.location)
                found.append(self._endpoint(place, mirror.insecure, reference.host))
            own, own_insecure = rule.rewritten(reference, rule.location), rule.insecure
        if not (found and self.mirror_only):
            found.append(self._endpoint(own, own_insecure, ""))
        return tuple(found)

    def home(self, reference: Reference) -> Endpoint:
        """The registry that a reference names, for writing to it: no mirror and no other location of registries.conf
        stands in for it. KezuriError for a blocked reference."""
        rule = self._rule(reference)
        if rule is not None and rule.blocked:
            raise _blocked(reference, rule)
        return self._endpoint(reference.repository, rule is not None and rule.insecure, "")

    def _rule(self, reference: Reference) -> "Rule | None":
        """The rule with the longest prefix that fits (containers-registries.conf(5), "prefix")."""
        fitting = (rule for rule in self.rules if rule.fits(reference))
        return max(fitting, key=lambda rule: len(rule.prefix), default=None)

    def _endpoint(self, place: str, insecure: bool, mirror_of: str) -> Endpoint:
        host, _, path = place.partition("/")
        if host == HUB:
            host = HUB_SERVER
        plain = insecure or self.plain_allowed(host)
        return Endpoint(host.lower(), path, ("https", "http") if plain else ("https",), mirror_of)

    def _mirror(self, url: str, reference: Reference) -> Endpoint:
        text = url if "://" in url else f"//{url}"
        scheme, _, rest = text.partition("//")
        place = rest.strip("/")
        host, _, prefix = place.partition("/")
        try:
            Origin.of(f"{scheme or 'https:'}//{host}/")
        except ValueError:
            raise KezuriError.of(
                f"not a mirror of {reference.host}: {url!r}",
                hint="write a URL such as https://mirror.example/path",
                exit_code=2,
            ) from None
        endpoint = self._endpoint(f"{host}/{prefix + '/' if prefix else ''}{reference.path}", False, reference.host)
        if not scheme:
            return endpoint
        if scheme == "http:" and "http" not in endpoint.schemes:
            raise KezuriError.of(
                f"the mirror {url} of {reference.host} speaks plain HTTP",
                hint=f"name {host} in the `insecure` setting if anybody on the way may read and change it",
                exit_code=2,
            )
        return endpoint._replace(schemes=(scheme[:-1],))


def _blocked(reference: Reference, rule: "Rule") -> KezuriError:
    return KezuriError.of(
        f"{reference}: registries.conf blocks {rule.prefix}",
        hint="the machine's owner set `blocked = true` for it in registries.conf",
        exit_code=125,
    )


def _named(host: str, entries: Iterable[str]) -> bool:
    """Whether `host[:port]` is one of these: hosts with or without a port, address ranges, or `*`."""
    name, port = split_host(host)
    for entry in entries:
        if entry == "*":
            return True
        if "/" in entry:
            if in_range(name, entry):
                return True
        else:
            entry_name, entry_port = split_host(entry)
            if entry_name == name and entry_port in ("", port):
                return True
    return False


def _same_registry(a: str, b: str) -> bool:
    return a == b or (a in HUB_NAMES and b in HUB_NAMES)
