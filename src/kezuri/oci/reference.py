"""Image references: `[host/]path[:tag][@digest]` (the distribution project's reference grammar)."""

import re
from typing import NamedTuple

from kezuri.diagnostics import KezuriError

HUB = "docker.io"
"""Docker Hub, as references have it."""
HUB_SERVER = "registry-1.docker.io"
"""Where it answers."""
HUB_NAMES = frozenset((HUB, "index.docker.io", HUB_SERVER))
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_HOST = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
    r"|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?\Z"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_PLACES = ("oci:", "oci-archive:", "docker-archive:", "docker-daemon:")
"""The places of images beside registries: where a reference is wanted, their words are read as names."""
_ELSEWHERE = {"registry": "docker://", "oci-dir": "oci:"}
"""What Syft and Grype write for places of images."""
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}\Z")


class Reference(NamedTuple):
    """A reference in full: `docker.io/library/node:20` for what people write as `node:20`.

    `tag` and `digest` may be empty, both or either may be given; `digest` wins where both are.
    """

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str, *, default_tag: bool = True) -> "Reference":
        """From what a user writes; KezuriError saying which part is wrong. Without tag and digest: `latest`."""
        rest, _, digest = text.partition("@")
        if "@" in text and not _DIGEST.match(digest):
            raise _wrong(text, f"{digest!r} is not a digest")
        if digest and not digest.startswith("sha256:"):
            raise _wrong(text, "only sha256 digests are supported")
        if digest and len(digest) != 71:
            raise _wrong(text, f"its digest has {len(digest) - 7} hexadecimal digits, not 64")
        first, slash, remainder = rest.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
            host, path = first, remainder
        else:
            host, path = HUB, rest
        path, _, tag = path.partition(":")
        if ":" in rest.rpartition("/")[2] and not _TAG.match(tag):
            raise _wrong(text, f"{tag!r} is not a tag")
        if not _HOST.match(host):
            raise _wrong(text, f"{host!r} is not a registry host")
        if host in HUB_NAMES:
            host = HUB
        if host == HUB and "/" not in path:
            path = f"library/{path}"
        if not _PATH.match(path):
            why = "repository names are lower-case" if path != path.lower() else f"{path!r} is not a repository name"
            raise _wrong(text, why)
        if len(host) + len(path) + 1 > 255:
            raise _wrong(text, "a repository name has at most 255 characters")
        if not tag and not digest and default_tag:
            tag = "latest"
        return cls(host, path, tag, digest)

    @classmethod
    def maybe(cls, text: str) -> "Reference | None":
        """As `parse`; None for a text that is no reference, such as an id of an image or a name of another tool's."""
        try:
            return cls.parse(text)
        except KezuriError:
            return None

    @property
    def repository(self) -> str:
        """Host and path, without tag and digest."""
        return f"{self.host}/{self.path}"

    @property
    def familiar(self) -> str:
        """The short form that people write: `node:20` for `docker.io/library/node:20`."""
        name = self.repository.removeprefix(f"{HUB}/").removeprefix("library/") if self.host == HUB else self.repository
        return name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def _wrong(text: str, why: str) -> KezuriError:
    return KezuriError.of(f"not an image reference: {text!r}: {why}", hint=_meant(text), exit_code=2)


def valid_tag(text: str) -> bool:
    """Whether a text can be a tag."""
    return _TAG.match(text) is not None


def _meant(text: str) -> str:
    """What to write in the place of a text that is no reference."""
    if text in (".", "..", "/") or text.startswith(("./", "../", "/")):
        return "this looks like a directory: is a name missing before it?"
    if "://" in text:
        return f"leave {text.partition('://')[0]}:// out"
    place, colon, rest = text.partition(":")
    if colon and rest and place in _ELSEWHERE:
        meant = _ELSEWHERE[place] + rest
        return f"did you mean {meant}?"
    if text.startswith(_PLACES):
        return f"that is a place of images: kezuri copy {text} NAME"
    name, at, digest = text.partition("@")
    if at and not _DIGEST.match(digest):
        return "a digest is sha256: and 64 hexadecimal digits"
    slash = name.rfind("/") + 1
    if name.endswith(":"):
        return f"write {name}TAG, or {name[:-1]} for the tag latest"
    for meant in (name.lower(), "-".join(name.lower().split()), name[:slash].lower() + name[slash:].replace(":", "-")):
        if meant != name:
            try:
                Reference.parse(meant)
            except KezuriError:
                continue
            return f"did you mean {meant}?"
    return ""
