"""What a Compose file says, as rules ask for it: services with what a base file beside it says of them."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError, SourceText, Span
from kezuri.documents.value import Entry, Mapping, Scalar, Sequence, Value, strings

if TYPE_CHECKING:
    from kezuri.check.built_from import BuiltFrom
    from kezuri.check.document import DocumentSubject

BASES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""What Compose reads where nobody names a file, the first one first."""

_PORT = re.compile(
    r"^(?:(?P<ip>\[[^\]]*\]|[^:\[\]]*):)?(?P<host>[^:]*):(?P<inside>[0-9]+(?:-[0-9]+)?)(?:/(?P<proto>\w+))?$"
)


class Port(NamedTuple):
    """A published port. `ip` is the address of the host that it is bound to, empty for all; `host` is empty for any
    port of the host. `scalar` is the short form that it is written in, None for the long one."""

    ip: str
    host: str
    inside: str
    span: Span
    scalar: Scalar | None


class Mount(NamedTuple):
    """A volume of a service: `source` is empty for an anonymous one."""

    source: str
    target: str
    span: Span

    @property
    def bind(self) -> bool:
        """Whether a path of the host is mounted."""
        return self.source.startswith((".", "/", "~", "${PWD}", "$PWD"))


class Variable(NamedTuple):
    """A variable of a service's environment; `value` is None where it is taken from outside."""

    name: str
    value: str | None
    span: Span


class Service:
    """One service. What this file does not say of it is looked up in the base file, where that is another one."""

    def __init__(self, compose: "Compose", entry: Entry, value: Mapping, base: Mapping | None) -> None:
        self.compose = compose
        self.name = entry.key.text
        self.entry = entry
        self.value = value
        self.base = base

    def get(self, *names: str) -> Value | None:
        """What this file or the base file says under a path of keys."""
        found = self.value.get(*names)
        return found if found is not None or self.base is None else self.base.get(*names)

    def text(self, *names: str) -> str | None:
        """The same as text."""
        found = self.get(*names)
        return found.text if isinstance(found, Scalar) and not found.null else None

    @property
    def image(self) -> str | None:
        """The image, with the defaults of variables in its name."""
        image = self.text("image")
        return None if image is None else interpolated(image)

    @property
    def builds(self) -> bool:
        return self.get("build") is not None

    def here(self, name: str) -> Entry | None:
        """The entry as this file has it, not as an anchor elsewhere or the base file has."""
        return self.value.own(name)

    @cached_property
    def built_from(self) -> "BuiltFrom | None":
        """What its Dockerfile says, where it can be read: below the directory of this file."""
        build = self.get("build")
        around = self.compose.document.surroundings
        if build is None or around is None:
            return None
        context = build.text if isinstance(build, Scalar) else (self.text("build", "context") or ".")
        inline = self.text("build", "dockerfile_inline")
        text = inline
        if text is None:
            path = joined(context, self.text("build", "dockerfile") or "Dockerfile")
            text = around.read(path) if path is not None else None
        if text is None:
            return None
        from kezuri.check.built_from import built_from

        try:
            return built_from(text, self.text("build", "target") or "")
        except KezuriError:
            return None

    @property
    def environment(self) -> Iterator[Variable]:
        """The variables that this file sets."""
        entry = self.value.entry("environment")
        yield from variables(entry.value if entry is not None else None)

    @property
    def ports(self) -> Iterator[Port]:
        """The ports that this file publishes."""
        value = self.value.get("ports")
        for item in value.items if isinstance(value, Sequence) else ():
            if isinstance(item.value, Scalar):
                found = _PORT.match(interpolated(item.value.text))
                if found is not None:
                    yield Port(found["ip"] or "", found["host"], found["inside"], item.value.span, item.value)
            elif isinstance(item.value, Mapping) and item.value.text("published"):
                port = item.value
                yield Port(
                    port.text("host_ip") or "", port.text("published") or "", port.text("target") or "", item.span, None
                )

    @property
    def mounts(self) -> Iterator[Mount]:
        """The volumes that this file gives it."""
        value = self.value.get("volumes")
        for item in value.items if isinstance(value, Sequence) else ():
            if isinstance(item.value, Scalar):
                parts = split_mount(item.value.text)
                yield Mount(parts[0], parts[1], item.value.span)
            elif isinstance(item.value, Mapping):
                yield Mount(item.value.text("source") or "", item.value.text("target") or "", item.span)

    @property
    def depends_on(self) -> dict[str, Mapping | None]:
        """The services that it waits for; with the mapping that says for what, None in the short form."""
        found: dict[str, Mapping | None] = {}
        value = self.get("depends_on")
        if isinstance(value, Mapping):
            for entry in value.all():
                found[entry.key.text] = entry.value if isinstance(entry.value, Mapping) else None
        else:
            found.update((scalar.text, None) for scalar in strings(value))
        return found

    @property
    def networks(self) -> frozenset[str] | None:
        """The networks that it is on; None where it shares another's or has none (`network_mode`)."""
        if self.get("network_mode") is not None:
            return None
        names = set[str]()
        for value in (self.value.get("networks"), self.base.get("networks") if self.base is not None else None):
            if isinstance(value, Mapping):
                names.update(entry.key.text for entry in value.all())
            else:
                names.update(scalar.text for scalar in strings(value))
        return frozenset(names or ("default",))

    @property
    def replicas(self) -> int:
        """How many containers are asked for; 1 where that is not said in digits."""
        said = self.text("deploy", "replicas") or self.text("scale") or "1"
        return int(said) if said.isascii() and said.isdigit() and len(said) < 7 else 1


class Compose:
    """The services of a file."""

    def __init__(self, document: "DocumentSubject") -> None:
        self.document = document
        value = document.value
        self.root = value if isinstance(value, Mapping) else Mapping((), Span(0, 0), False)
        base = self._base()
        self.base = base
        found = []
        services = self.root.get("services")
        for entry in services.all() if isinstance(services, Mapping) else ():
            if isinstance(entry.value, Mapping):
                below = base.get("services", entry.key.text) if base is not None else None
                found.append(Service(self, entry, entry.value, below if isinstance(below, Mapping) else None))
        self.services = tuple(found)

    def service(self, name: str) -> Service | None:
        """The service of that name in this file."""
        return next((service for service in self.services if service.name == name), None)

    @property
    def override(self) -> bool:
        """Whether the file is by its name one that another is merged with: `docker-compose.prod.yml`."""
        return self.document.name not in BASES

    @property
    def partial(self) -> bool:
        """Whether a file that this one is merged with may say more, and is not known."""
        return self.override and self.base is None and self.document.surroundings is None

    @property
    def production(self) -> bool:
        """Whether its name says that it is for production."""
        return bool(re.search(r"(?<![a-z])prod(?:uction)?(?![a-z])", self.document.name.lower()))

    @property
    def swarm(self) -> bool:
        """Whether it speaks of things that only a swarm knows."""
        words = ("placement", "update_config", "rollback_config", "endpoint_mode")
        return any(
            service.get("deploy", word) is not None or service.text("deploy", "mode") == "global"
            for service in self.services
            for word in words
        ) or any(
            isinstance(entry.value, Mapping) and entry.value.text("driver") == "overlay"
            for value in (self.root.get("networks"),)
            if isinstance(value, Mapping)
            for entry in value.all()
        )

    def _base(self) -> Mapping | None:
        around = self.document.surroundings
        if around is None or not self.override:
            return None
        from kezuri.documents.reader import read

        for name in BASES:
            text = around.read(name)
            if text is not None:
                documents = read(SourceText(name, text)).documents
                return documents[0] if documents and isinstance(documents[0], Mapping) else None
        return None


def interpolated(text: str) -> str:
    """The text with the defaults of its variables (`${TAG:-latest}`); those without one stay as they are."""
    return re.sub(r"\$\{\w+:?-([^${}]*)\}", r"\1", text) if "$" in text else text


def split_mount(text: str) -> tuple[str, str]:
    """Source and target of a volume's short form; without a source it is anonymous."""
    if "${" in text:
        text = re.sub(r"\$\{[^}]*\}", lambda found: found[0].replace(":", "\0"), text)
    parts = [part.replace("\0", ":") for part in text.split(":")]
    return ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def joined(directory: str, path: str) -> str | None:
    """A path below a directory, cleaned; None where it is absolute, no path, or leaves the place it begins in."""
    if "$" in directory + path or "://" in directory or directory.startswith("/") or path.startswith("/"):
        return None
    parts: list[str] = []
    for part in f"{directory}/{path}".split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def variables(value: Value | None) -> Iterator[Variable]:
    """What an `environment`, `args` or `labels` holds, in both of its forms."""
    if isinstance(value, Mapping):
        for entry in value.all():
            if isinstance(entry.value, Scalar):
                yield Variable(entry.key.text, None if entry.value.null else entry.value.text, entry.span)
    else:
        for scalar in strings(value):
            name, equals, text = scalar.text.partition("=")
            yield Variable(name, text if equals else None, scalar.span)
