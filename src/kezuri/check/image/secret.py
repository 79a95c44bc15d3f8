"""Secrets by their form: what a private key begins with, and tokens that say themselves what they are."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple


class Secret(NamedTuple):
    """A secret in a text: what it is, and where. Its text is nobody's to show."""

    what: str
    start: int
    end: int


_KEY: Final = (
    rb"-----BEGIN ((?:RSA |EC |DSA |OPENSSH |ENCRYPTED |PGP )?PRIVATE KEY(?: BLOCK)?)-----"
    rb"(?:\s|\\n|\\r)+(?:[A-Za-z-]+: [^\n]*\n\s*)*[A-Za-z0-9+/=\s\\]{40,}"
)
_TOKENS: Final = (
    ("an access key of AWS", rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("a token of GitHub", rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{50,255})\b"),
    ("a token of GitLab", rb"\bglpat-[A-Za-z0-9_-]{20,64}\b"),
    ("a token of npm", rb"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a token of PyPI", rb"\bpypi-AgE[A-Za-z0-9_-]{50,512}"),
    ("a token of Slack", rb"\bxox[abeoprs]-[0-9A-Za-z-]{20,255}\b"),
    ("a secret key of Stripe", rb"\b[rs]k_live_[0-9A-Za-z]{20,255}\b"),
    ("a token of Docker Hub", rb"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64}\b"),
    ("an API key of SendGrid", rb"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![0-9A-Za-z_-])"),
    ("an API key of Anthropic", rb"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{80,120}(?![0-9A-Za-z_-])"),
    ("a token of Hugging Face", rb"\bhf_[A-Za-z]{34}\b"),
    ("a token of DigitalOcean", rb"\bdo[opr]_v1_[0-9a-f]{64}\b"),
)
_STARTS: Final = (
    b"PRIVATE KEY", b"AKIA", b"ASIA", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-", b"npm_",
    b"pypi-AgE", b"xox", b"k_live_", b"dckr_", b"SG.", b"sk-ant-", b"hf_", b"_v1_",
)  # fmt: skip
_PASSWORD_IN_URL: Final = rb"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'$<>{}]{0,64}:([^\s/@\"'$<>{}]{6,128})@[a-zA-Z0-9]"
_SAMPLES: Final = (
    rb"(?i)example|sample|dummy|placeholder|changeme|your[_-]|notareal|redacted|xxxx|\*\*\*\*|0000000|1234567890"
)


@cache
def _tokens() -> re.Pattern[bytes]:
    """Every form of token in one; it takes a while to make, and mostly nobody asks."""
    return re.compile(b"|".join(b"(" + form + b")" for _, form in _TOKENS))


def secrets(data: bytes) -> Iterator[Secret]:
    """The secrets in a text; those that are plainly examples are none."""
    for start in _STARTS:
        if start in data:
            break
    else:
        return
    if b"PRIVATE KEY" in data:
        for found in re.finditer(_KEY, data):
            yield Secret("a private key", found.start(), found.end())
    for found in _tokens().finditer(data):
        if not _sample(found[0]):
            yield Secret(_TOKENS[(found.lastindex or 1) - 1][0], found.start(), found.end())


def passwords_in_urls(data: bytes) -> Iterator[Secret]:
    """Passwords within addresses (`https://user:password@host`)."""
    if b"://" not in data:
        return
    for found in re.finditer(_PASSWORD_IN_URL, data):
        if not _sample(found[1]) and found[1].lower() not in (b"password", b"passwd", b"secret"):
            yield Secret("a password in an address", found.start(1), found.end(1))


def _sample(token: bytes) -> bool:
    """Whether this is what documents have in the place of a secret."""
    return bool(re.search(_SAMPLES, token)) or len(set(token[-16:])) < 6


def blotted(text: str, lines: bool = False) -> str:
    """The text with every secret in it made unreadable; with `lines` it has as many lines as before."""
    raw = text.encode("utf-8", "surrogateescape")
    found = sorted((*secrets(raw), *passwords_in_urls(raw)), key=lambda secret: secret.start)
    if not found:
        return text
    parts, at = [], 0
    for secret in found:
        if secret.start >= at:
            kept = raw.count(b"\n", secret.start, secret.end) if lines else 0
            parts += [raw[at : secret.start], b"*****", b"\n" * kept]
            at = secret.end
    return b"".join((*parts, raw[at:])).decode("utf-8", "surrogateescape")
