"""Texts with the secrets in them made unreadable, for whatever is shown or written down."""

from kezuri.check.image.guessed import guessed
from kezuri.check.image.secret import passwords_in_urls, secrets


def blotted(text: str, lines: bool = False) -> str:
    """The text with every secret in it made unreadable, also what only looks like one; with `lines` it has as many
    lines as before."""
    raw = text.encode("utf-8", "surrogateescape")
    found = sorted((*secrets(raw), *passwords_in_urls(raw), *guessed(raw)), key=lambda secret: secret.start)
    if not found:
        return text
    parts, at = [], 0
    for secret in found:
        if secret.start >= at:
            kept = raw.count(b"\n", secret.start, secret.end) if lines else 0
            parts += [raw[at : secret.start], b"*****", b"\n" * kept]
            at = secret.end
    return b"".join((*parts, raw[at:])).decode("utf-8", "surrogateescape")
