"""Which programs well-known images come without, by what they are called: no image is asked."""

from kezuri.diagnostics import KezuriError
from kezuri.oci.reference import HUB, Reference

_BUSYBOX = frozenset(
    [
        "sh",
        "ash",
        "wget",
        "nc",
        "ping",
        "vi",
        "grep",
        "sed",
        "awk",
        "ps",
        "pgrep",
        "pidof",
        "test",
        "[",
        "nslookup",
        "stat",
    ]
)
"""What busybox brings: of Alpine's images and of busybox itself."""

_DEBIAN = frozenset(
    ["curl", "wget", "nc", "netcat", "ncat", "ping", "ps", "pgrep", "telnet", "http", "dig", "nslookup"]
)
"""What Debian's and Ubuntu's own images, and the -slim ones made from them, lack."""

_ASKED = frozenset(("curl", "wget", "nc", "netcat", "ncat", "bash", "jq", "telnet", "http"))
"""Programs that this table speaks of; of others it knows nothing."""

_PLAIN_ALPINE = frozenset(("alpine", "node", "python", "golang", "ruby", "rust", "redis", "memcached"))
"""Official images whose -alpine form has neither curl nor the other programs of `_ASKED` but for busybox's and, where
`_WITH_BASH` says so, bash."""

_WITH_BASH = frozenset(("postgres",))

_SLIM = frozenset(("node", "python", "ruby", "rust", "debian", "perl"))
"""Official images whose -slim form is Debian's image and the language."""

_DATABASES = frozenset(("postgres", "redis", "memcached"))
"""Official images of one service on Debian's base that have no program to ask over HTTP."""


def lacks(image: str, program: str) -> bool:
    """Whether an image is known to come without a program: false where nothing is known."""
    if program not in _ASKED:
        return False
    if image == "scratch":
        return True
    try:
        reference = Reference.parse(image)
    except KezuriError:
        return False
    if reference.host == "gcr.io" and reference.path.startswith("distroless/"):
        return not reference.tag.startswith("debug") and not reference.tag.endswith("debug")
    if reference.host != HUB or not reference.path.startswith("library/"):
        return False
    name, tag = reference.path.removeprefix("library/"), reference.tag
    parts = tag.split("-")
    alpine = any(part.startswith("alpine") for part in parts) or name == "alpine"
    if alpine:
        if name in _PLAIN_ALPINE or name in _DATABASES:
            return program not in _BUSYBOX and not (program == "bash" and name in _WITH_BASH)
        return False
    if name == "busybox":
        return program not in _BUSYBOX
    if name in ("debian", "ubuntu") or (name in _SLIM and "slim" in parts):
        return program in _DEBIAN
    if name in _DATABASES:
        return program in ("curl", "wget")
    return False
