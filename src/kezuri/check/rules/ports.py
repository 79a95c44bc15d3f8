"""EXPOSE."""

from collections.abc import Iterator

from kezuri.check.rule import Edit, Example, Finding, Fix, Rule, docker_page
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Expose
from kezuri.plan.facts import Met

_PROTOCOLS = ("tcp", "udp", "sctp")


class ExposeProtoCasing(Rule):
    """BuildKit's check of that name."""

    name = "ExposeProtoCasing"
    fix_class = "A"
    summary = "Protocol in EXPOSE instruction should be lowercase"
    why = "The image records the protocol in lower case: what the file says should be what the image says."
    bad = Example("FROM alpine\nEXPOSE 80/TCP\n")
    good = Example("FROM alpine\nEXPOSE 80/tcp\n")
    url = docker_page("expose-proto-casing")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, met in subject.met(Expose):
            for word, protocol, _ in _ports(met):
                if protocol == protocol.lower():
                    continue
                text = f"Defined protocol '{word}' in EXPOSE instruction should be lowercase"
                span = _place(subject, met, word)
                right = word[: len(word) - len(protocol)] + protocol.lower()
                fix = Fix(f"write `{right}`", (Edit(span, right),)) if span is not None else None
                yield Finding(self, text, met.instruction.node, span, fix)


class ExposeInvalidFormat(Rule):
    """BuildKit's check of that name."""

    name = "ExposeInvalidFormat"
    fix_class = "A"
    summary = (
        "IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a "
        "future release"
    )
    why = (
        "EXPOSE names the ports on which the program listens. Where they are reachable on the host is said when the "
        "container is started (`run -p`); here it is thrown away."
    )
    bad = Example("FROM alpine\nEXPOSE 127.0.0.1:8080:80\n")
    good = Example("FROM alpine\nEXPOSE 80\n")
    url = docker_page("expose-invalid-format")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, met in subject.met(Expose):
            for word, _, host in _ports(met):
                if host:
                    text = f"EXPOSE instruction should not define an IP address or host-port mapping, found '{word}'"
                    hint = f"write `{word.rpartition(':')[2]}`"
                    yield Finding(self, text, met.instruction.node, _place(subject, met, word), hint=hint)

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.places import ports_of_hosts

        return ports_of_hosts(self, subject)


def _ports(met: Met) -> Iterator[tuple[str, str, bool]]:
    """Each word with its protocol as written, and whether it names a host's port or address; up to the first that is
    an error."""
    for word in met.words:
        *hosts, container = word.split(":")
        port, _, protocol = container.partition("/")
        if not port or (protocol and protocol.lower() not in _PROTOCOLS):
            return
        # Of `:80` both are empty; of `a:b:c:1:2` the address is what stands before the last two.
        yield word, protocol, any(hosts)


def _place(subject: Subject, met: Met, word: str) -> Span | None:
    if met.trigger:
        return None
    node = met.instruction.node
    at = subject.dockerfile.source.text.find(word, node.keyword_span.end, node.span.end)
    return None if at < 0 else Span(at, at + len(word))
