"""Keys: what a step's result depends on, kept as named components so that a difference can be named."""

import json
from hashlib import sha256

Components = tuple[tuple[str, str], ...]
"""Named parts of a key, in a fixed order per kind of step. Every value is text; absent parts are left out."""


def digest(components: Components) -> str:
    """The key of the components: 64 hex digits. The encoding is injective: names and values cannot run together."""
    return sha256(encode(components).encode("utf-8", "surrogateescape")).hexdigest()


def encode(components: Components) -> str:
    """The components as JSON text, for keeping."""
    return json.dumps(components, ensure_ascii=True, separators=(",", ":"))


def decode(text: str) -> Components:
    """The components back from their JSON text."""
    return tuple((str(name), str(value)) for name, value in json.loads(text))


def state_of(*parts: str) -> str:
    """The identity of a state that follows from these parts."""
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
