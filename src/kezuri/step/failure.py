"""How a step's failure is told: the line of the Dockerfile, the last lines of output, and what to do."""

from collections import deque

from kezuri.diagnostics import KezuriError, SourceText, Span
from kezuri.sandbox.step import Outcome

_LAST_LINES = 20
_LAST_BYTES = 16 << 10

_INTERCEPTION = (
    b"SELF_SIGNED_CERT_IN_CHAIN",
    b"self-signed certificate in certificate chain",
    b"self signed certificate in certificate chain",
    b"UNABLE_TO_GET_ISSUER_CERT",
    b"UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    b"unable to get local issuer certificate",
    b"unable to verify the first certificate",
    b"CERTIFICATE_VERIFY_FAILED",
    b"x509: certificate signed by unknown authority",
    b"x509: certificate is not trusted",
    b"PKIX path building failed",
    b"SSL certificate problem",
    b"invalid peer certificate: UnknownIssuer",
    b"certificate verify failed",
    b"The certificate issuer is unknown",
    b"server certificate verification failed",
    # Maven keeps the reason to itself.
    b"transfer failed for https://",
    b"No plugin found for prefix",
)


_UNPRIVILEGED = (b'The "no new privileges" flag is set', b"effective uid is not 0, is")
"""What sudo prints where a program cannot gain privileges."""

_ABANDONED = (b"Exit handler never called!",)
"""What a client prints that gives up on the network and still says that it succeeded (npm 10): the next step fails."""


class Tail:
    """The last lines of what a step printed, within a bound of bytes, for its error."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self.intercepted = False
        self.abandoned = False
        self.unprivileged = False
        self._edge = b""

    def add(self, data: bytes) -> None:
        """Take note of more output."""
        self._chunks.append(data)
        self._size += len(data)
        while self._size - len(self._chunks[0]) > _LAST_BYTES:
            self._size -= len(self._chunks.popleft())
        if not self.intercepted:
            window = self._edge + data
            self.intercepted = any(sign in window for sign in _INTERCEPTION)
            self.abandoned = self.abandoned or any(sign in window for sign in _ABANDONED)
            self.unprivileged = self.unprivileged or any(sign in window for sign in _UNPRIVILEGED)
            self._edge = window[-64:]

    def text(self) -> str:
        """The last lines as text."""
        whole = b"".join(self._chunks)[-_LAST_BYTES:].decode("utf-8", "replace")
        lines = [line.rpartition("\r")[2] or line for line in whole.rstrip().split("\n")]
        return "\n".join(lines[-_LAST_LINES:])


def step_failed(
    command: str,
    outcome: Outcome,
    tail: Tail,
    source: SourceText,
    span: Span,
    has_ca_bundle: bool,
    abandoned: str = "",
    disk_full: bool = False,
) -> KezuriError:
    """The error of a RUN that ended badly. `disk_full`: the disk on which it writes has no space left."""
    hints = []
    if disk_full:
        hints.append(
            "no space left on the device of the store: `kezuri prune` frees what the cache can spare,\n"
            "`--root DIR` puts the store on another disk"
        )
    if abandoned and not has_ca_bundle and not tail.intercepted:
        hints.append(
            f"an earlier step gave up without saying so ({abandoned}): where the network answers HTTPS with a\n"
            "certificate of its own authority, the ca-certificates setting (--ca-certificates FILE) mends that"
        )
    if tail.intercepted:
        if has_ca_bundle:
            hints.append(
                "a client in this step does not trust the server's certificate, although a bundle was given by the\n"
                "ca-certificates setting: this client may read another variable, or the bundle lacks the authority"
            )
        else:
            hints.append(
                "the network answers HTTPS with a certificate of its own authority, which the image does not know:\n"
                "give its PEM file with the ca-certificates setting (--ca-certificates FILE, KEZURI_CA_CERTIFICATES,\n"
                "or ca-certificates in the config file); it reaches the step and never the image"
            )
    if tail.unprivileged:
        hints.append("programs of steps gain no privileges: `--security-opt no-new-privileges=false` lets sudo work")
    if outcome.oom:
        hints.append("the kernel killed the step because memory ran out: give the machine more, or run less at once")
    elif outcome.signal == 9 or outcome.exit_code == 137:
        hints.append("a process of the step was killed by SIGKILL; memory running out is the usual cause")
    if outcome.exit_code == 127:
        hints.append("exit code 127: the command was not found in the image")
    elif outcome.exit_code == 126:
        hints.append("exit code 126: the command cannot be executed (its mode, its format or its interpreter)")
    return KezuriError.of(
        f'process "{command}" did not complete successfully: exit code: {outcome.exit_code}',
        hint="\n".join(hints),
        source=source,
        span=span,
        output=tail.text(),
    )
