"""Files of layers that hold secrets: looked for by what they are called and by what is in them, deleted ones, too."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from kezuri.anatomy.reading import Peek
from kezuri.anatomy.walk import Item
from kezuri.check.image.secret import Secret, apart, secrets
from kezuri.check.image.subject import Gathering
from kezuri.layer.entry import Entry

_LARGEST = 1 << 20
_MOST = 512 << 20
_THEIRS = re.compile(
    r"(?:^|/)(?:node_modules|site-packages|dist-packages|testdata|tests?|__tests__|specs?|fixtures|examples?|samples?"
    r"|docs?|mocks?|gems|vendor)/"
    r"|^(?:usr/(?!local/(?:etc|src|app)/|src/|share/nginx/)|bin/|sbin/|lib|proc/|sys/|var/lib/(?:dpkg|apt)/|var/cache/"
    r"|(?:root/)?go/pkg/|opt/(?:java|conda|rust|miniconda)|etc/ssl/certs/|etc/ca-certificates|etc/pki/)"
    r"|snakeoil"
)
"""Where files of packages and tests lie, in which keys are samples."""
_NOT_TEXT = re.compile(
    r"\.(?:so|node|png|jpe?g|gif|webp|ico|gz|xz|bz2|zst|zip|jar|war|whl|woff2?|ttf|otf|pyc|pyo|a|o|wasm|deb|rpm|map|mo|mp4|pdf)"
    r"(?:\.[0-9.]+)?$"
)
_AUTH_TOKEN: Final = re.compile(rb"_(?:authToken|auth|password)\s*=\s*[\"']?([^\s\"'#;$]{8,})")
_GIT_CREDENTIAL: Final = re.compile(rb"^https?://[^\s:/@]+:([^\s@/]{4,})@", re.MULTILINE)
_AWS: Final = re.compile(rb"aws_secret_access_key\s*[=:]\s*[\"']?([A-Za-z0-9/+=]{40})\b", re.IGNORECASE)
_NETRC: Final = re.compile(rb"\bpassword\s+(\S{4,})")
_PASSWORD_LINE: Final = re.compile(rb"^[ \t]{0,40}password[ \t]{0,40}[=:]\s*(\S{4,})", re.MULTILINE)
_KUBE: Final = re.compile(
    rb"^[ \t]{0,80}(?:client-key-data|token):[ \t]{0,40}[\"']?([A-Za-z0-9+/=._-]{20,})", re.MULTILINE
)
_ENV_SECRET: Final = re.compile(
    rb"^[ \t]{0,40}(?:export[ \t]{1,40})?[A-Z0-9_]{0,60}"
    rb"(?:SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)[A-Z0-9_]{0,60}"
    rb"[ \t]{0,40}=[ \t]{0,40}[\"']?([^\s\"'#$]{8,})",
    re.MULTILINE,
)
_IN_ENV_FILE: Final = "secret-in-env-file"
_GOOGLE: Final = re.compile(rb"\"(?:refresh_token|private_key)\"\s*:\s*\"([^\"\s]{8,})")
_REGISTRY: Final = ("", "a token for a package registry", "package-registry-token", _AUTH_TOKEN)
_NETRC_FILE: Final = ("", "a password", "netrc-password", _NETRC)
_BY_NAME: Final = {
    ".npmrc": _REGISTRY,
    ".yarnrc": _REGISTRY,
    ".yarnrc.yml": _REGISTRY,
    ".git-credentials": ("", "a password for git", "git-password", _GIT_CREDENTIAL),
    ".netrc": _NETRC_FILE,
    "_netrc": _NETRC_FILE,
    ".pypirc": ("", "a password for a package registry", "package-registry-password", _PASSWORD_LINE),
    "credentials": (".aws", "the keys of an AWS account", "aws-secret-access-key", _AWS),
    "config": (".kube", "the key of a Kubernetes cluster", "kubernetes-key", _KUBE),
    "application_default_credentials.json": ("", "credentials of Google Cloud", "google-cloud-credentials", _GOOGLE),
}
"""By a file's name the directory that it must lie in (any, where it is empty), what it keeps and how."""
_PLACEHOLDER: Final = re.compile(
    rb"example|sample|dummy|placeholder|change[-_]?me|your[_-]|notareal|xxxx|\*\*\*|<|^(?:password|secret|postgres|localhost|true|false)$",
    re.IGNORECASE,
)


class Found(NamedTuple):
    """A file with a secret in it; what it is, never what it says. `item` tells whether it was deleted later."""

    path: str
    layer: int
    hidden: int
    what: str


class Secrets(Gathering):
    """The files with secrets of every layer."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.room = _MOST
        """So many bytes may still be read."""

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        entry = item.entry
        if entry.size > self.room or not _wanted(entry):
            return False
        self.room -= entry.size
        return True

    def passed_over(self, entry: Entry, room: int) -> bool:
        """Whether an entry was not taken for the reason alone that it takes more than this room."""
        return entry.size > room and _wanted(entry)

    def read(self, item: Item, data: Peek) -> None:
        """As Gathering says."""
        what = secret_of(item.path, data.at(0, item.entry.size))
        if what:
            self.found.append(Found(item.path, item.layer, item.hidden, what))


def _wanted(entry: Entry) -> bool:
    """Whether a file is small and may be a text of the image's own."""
    if entry.kind != "file" or not 8 <= entry.size <= _LARGEST:
        return False
    return not _THEIRS.search(entry.path) and not _NOT_TEXT.search(entry.path)


def secret_of(path: str, data: bytes) -> str:
    """What secret a file holds; empty for none."""
    first = next(secrets_of(path, data), None)
    return first.what if first is not None else ""


def secrets_of(path: str, data: bytes) -> Iterator[Secret]:
    """The secrets that a file holds: those that are where its name says they would be, then those of a known form. In
    an environment file those of a known form are called by it."""
    told: list[Secret] = []
    form = _form(path)
    if form is not None:
        what, kind, pattern = form
        if kind == _IN_ENV_FILE:
            told.extend(secrets(data))
            yield from told
        for found in pattern.finditer(data):
            if not _PLACEHOLDER.search(found[1]) and not _overlaps(found.start(1), found.end(1), told):
                told.append(Secret(what, found.start(1), found.end(1), kind))
                yield told[-1]
    elif _auths(path) and _docker_auth(data):
        yield Secret("a password for a container registry", 0, 0, "container-registry-password")
    yield from apart(secrets(data), told)


def _overlaps(start: int, end: int, told: Iterable[Secret]) -> bool:
    return any(other.start < end and start < other.end for other in told)


def _form(path: str) -> tuple[str, str, re.Pattern[bytes]] | None:
    """What a file of that name keeps secret, its kind, and how it is written; None for other files."""
    directory, _, name = path.rpartition("/")
    known = _BY_NAME.get(name)
    if known is not None:
        within, what, kind, pattern = known
        return (what, kind, pattern) if within in ("", directory.rpartition("/")[2]) else None
    if (name == ".env" or name.startswith(".env.")) and not name.endswith(
        (".example", ".sample", ".template", ".dist", ".test")
    ):
        return "a secret in an environment file", _IN_ENV_FILE, _ENV_SECRET
    return None


def _auths(path: str) -> bool:
    return path == ".docker/config.json" or path.endswith("/.docker/config.json")


def _docker_auth(data: bytes) -> bool:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return False
    auths = document.get("auths") if isinstance(document, dict) else None
    if not isinstance(auths, dict):
        return False
    return any(isinstance(each, dict) and (each.get("auth") or each.get("password")) for each in auths.values())
