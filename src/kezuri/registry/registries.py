"""registries.conf, version 2: where this machine's owner sends pulls (containers-registries.conf(5))."""

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci import Reference
from kezuri.registry.origin import split_host

_MOST = 4 << 20
_ALL, _DIGEST_ONLY, _TAG_ONLY = _PULLS = ("all", "digest-only", "tag-only")


class Location(NamedTuple):
    """A place in registries.conf: `host[:port][/path]`. A mirror is asked for the images that `pulls` says:
    `digest-only` are those that a digest names, whether they have a tag as well or not."""

    location: str
    insecure: bool = False
    pulls: str = _ALL

    def serves(self, digest: str) -> bool:
        """Whether it is asked for an image that this digest names; for an image of a tag the digest is empty."""
        return self.pulls == _ALL or (self.pulls == _DIGEST_ONLY) == bool(digest)


class Rule(NamedTuple):
    """One `[[registry]]` table of registries.conf, version 2."""

    prefix: str
    location: str
    insecure: bool = False
    blocked: bool = False
    mirrors: tuple[Location, ...] = ()

    def fits(self, reference: Reference) -> bool:
        """Whether its prefix is one of the reference."""
        if self.prefix.startswith("*."):
            return split_host(reference.host)[0].endswith(self.prefix[1:].lower())
        name = str(reference)
        return name == self.prefix or (name.startswith(self.prefix) and name[len(self.prefix)] in "/:@")

    def rewritten(self, reference: Reference, location: str) -> str:
        """The repository with a location in the prefix's place; a wildcard prefix stands for the whole host."""
        if not location:
            return reference.repository
        if self.prefix.startswith("*."):
            return f"{location}/{reference.path}"
        if len(self.prefix) > len(reference.repository):  # the prefix names one tag: the location may too
            head, slash, last = location.rpartition("/")
            return head + slash + re.split("[:@]", last, maxsplit=1)[0]
        return location + reference.repository[len(self.prefix) :]

    def trusts(self, netloc: str) -> bool:
        """Whether it names this `host[:port]` as insecure."""
        places = (Location(self.location, self.insecure), *self.mirrors)
        return any(place.insecure and place.location.partition("/")[0].lower() == netloc for place in places)


def read_registries(environment: Mapping[str, str] = os.environ) -> tuple[Rule, ...]:
    """The rules of the first registries.conf that there is, and of the *.conf beside it in registries.conf.d; a later
    rule for the same prefix replaces an earlier one. $CONTAINERS_REGISTRIES_CONF names another file and turns the
    directory off. KezuriError naming a file that is no such document."""
    override = environment.get("CONTAINERS_REGISTRIES_CONF", "")
    if override:
        paths = [override]
    else:
        home = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "/root"), ".config")
        own = os.path.join(home, "containers", "registries.conf")
        paths = [own if os.path.exists(own) else "/etc/containers/registries.conf"]
        for directory in ("/etc/containers/registries.conf.d", own + ".d"):
            try:
                names = sorted(os.listdir(directory))
            except OSError:
                continue
            paths += [os.path.join(directory, name) for name in names if name.endswith(".conf")]
    rules: dict[str, Rule] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                text = file.read(_MOST + 1)
        except FileNotFoundError:
            if path == override:
                raise KezuriError.of(f"{path}: there is no such file ($CONTAINERS_REGISTRIES_CONF)") from None
            continue
        except OSError as error:
            raise KezuriError.of(f"cannot read {path}: {error.strerror}", exit_code=125) from None
        if len(text) > _MOST:
            raise KezuriError.of(f"{path}: larger than {_MOST >> 20} MiB", exit_code=125)
        # Nearly every machine has a file of comments only: the TOML reader's import is spared for those.
        said = b"\n".join(line for line in text.splitlines() if not line.lstrip().startswith(b"#"))
        if b"[registry" not in said.replace(b" ", b"").replace(b"\t", b"") and b"registries" not in said:
            continue
        rules.update((rule.prefix, rule) for rule in parse_registries(text, path))
    return tuple(rules.values())


def parse_registries(text: bytes, where: str) -> tuple[Rule, ...]:
    """The `[[registry]]` tables of a document; KezuriError naming `where`."""
    from tomllib import TOMLDecodeError, loads

    try:
        document = loads(text.decode())
    except (TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise KezuriError.of(f"{where}: not TOML: {error}", exit_code=125) from None
    if isinstance(document.get("registries"), dict):
        raise KezuriError.of(
            f"{where}: version 1 of registries.conf is not supported",
            hint="write [[registry]] tables (containers-registries.conf(5))",
            exit_code=125,
        )
    tables = document.get("registry", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise KezuriError.of(f"{where}: `registry` is not a list of tables", exit_code=125)
    return tuple(_rule(table, where) for table in tables)


def _rule(table: Mapping[str, Any], where: str) -> Rule:
    location = _text(table, "location", where)
    prefix = _text(table, "prefix", where) or location
    if not prefix:
        raise KezuriError.of(f"{where}: a [[registry]] has neither prefix nor location", exit_code=125)
    if not location and not prefix.startswith("*."):
        location = prefix
    mirrors = table.get("mirror", [])
    if not isinstance(mirrors, list) or not all(isinstance(m, dict) for m in mirrors):
        raise KezuriError.of(f"{where}: `mirror` of {prefix} is not a list of tables", exit_code=125)
    every = _DIGEST_ONLY if _flag(table, "mirror-by-digest-only", where) else ""
    places = []
    for mirror in mirrors:
        place = _text(mirror, "location", where)
        if not place:
            raise KezuriError.of(f"{where}: a mirror of {prefix} has no location", exit_code=125)
        pulls = _text(mirror, "pull-from-mirror", where)
        if pulls and (pulls not in _PULLS or every):
            why = "mirror-by-digest-only says it already" if every else f"one of: {', '.join(_PULLS)}"
            raise KezuriError.of(f"{where}: `pull-from-mirror` of {place} cannot be {pulls!r}", hint=why, exit_code=125)
        places.append(Location(place, _flag(mirror, "insecure", where), pulls or every or _ALL))
    return Rule(prefix, location, _flag(table, "insecure", where), _flag(table, "blocked", where), tuple(places))


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or "://" in value or any(c <= " " for c in value):
        raise KezuriError.of(f"{where}: `{key}` is not a place such as host:port/path: {value!r}", exit_code=125)
    return value.rstrip("/")


def _flag(table: Mapping[str, Any], key: str, where: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise KezuriError.of(f"{where}: `{key}` is neither true nor false: {value!r}", exit_code=125)
    return value
