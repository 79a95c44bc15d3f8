"""The last lines that a step prints, and what in its output says more than its exit code."""

from collections import deque

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
