"""A PEM bundle as the trust store that Java reads: the JDK looks at no variable that names a PEM file."""

import base64
import hashlib
import re
import struct
from functools import lru_cache

_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_PASSWORD = "changeit"
"""The JDK's own default; it protects nothing but the file's integrity, and readers need not give it."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


@lru_cache(maxsize=4)
def java_trust_store(pem: bytes) -> bytes:
    """The certificates of a PEM bundle as a JKS file (java.security.KeyStore "JKS", version 2): entries of
    type 2 with name, time and DER bytes, and a SHA-1 over password, a fixed salt and everything before. Blocks that are
    not base64 are left out; without any certificate the store is empty."""
    ders = []
    for body in _CERTIFICATE.findall(pem):
        try:
            ders.append(base64.b64decode(b"".join(body.split()), validate=True))
        except ValueError:
            continue
    parts = [struct.pack(">III", _MAGIC, _VERSION, len(ders))]
    for number, der in enumerate(ders):
        parts += [
            struct.pack(">I", _TRUSTED),
            _text(b"ca%d" % number),
            struct.pack(">Q", 0),
            _text(b"X.509"),
            struct.pack(">I", len(der)),
            der,
        ]
    store = b"".join(parts)
    return store + hashlib.sha1(_PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + store).digest()


def _text(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data
