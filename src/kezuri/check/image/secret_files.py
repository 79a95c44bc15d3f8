"""Files of layers that hold secrets: looked for by what they are called and by what is in them, deleted ones, too."""

import json
import re
from typing import Final, NamedTuple

from kezuri.anatomy.reading import Peek
from kezuri.anatomy.walk import Item
from kezuri.check.image.secret import secrets
from kezuri.check.image.subject import Gathering

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
_PASSWORD_LINE: Final = re.compile(rb"^\s*password\s*[=:]\s*(\S{4,})", re.MULTILINE)
_KUBE: Final = re.compile(rb"^\s*(?:client-key-data|token):\s*[\"']?([A-Za-z0-9+/=._-]{20,})", re.MULTILINE)
_ENV_SECRET: Final = re.compile(
    rb"^\s*(?:export\s+)?[A-Z0-9_]*(?:SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)[A-Z0-9_]*"
    rb"\s*=\s*[\"']?([^\s\"'#$]{8,})",
    re.MULTILINE,
)
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
        self._room = _MOST

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        entry = item.entry
        if entry.kind != "file" or not 8 <= entry.size <= min(_LARGEST, self._room):
            return False
        if _THEIRS.search(entry.path) or _NOT_TEXT.search(entry.path):
            return False
        self._room -= entry.size
        return True

    def read(self, item: Item, data: Peek) -> None:
        """As Gathering says."""
        what = secret_of(item.path, data.at(0, item.entry.size))
        if what:
            self.found.append(Found(item.path, item.layer, item.hidden, what))


def secret_of(path: str, data: bytes) -> str:
    """What secret a file holds; empty for none."""
    named = _by_name(path, data)
    if named:
        return named
    first = next(secrets(data), None)
    return first.what if first is not None else ""


def _by_name(path: str, data: bytes) -> str:
    directory, _, name = path.rpartition("/")
    within = directory.rpartition("/")[2]
    if name in (".npmrc", ".yarnrc", ".yarnrc.yml"):
        return "a token for a package registry" if _real(_AUTH_TOKEN, data) else ""
    if name == ".git-credentials":
        return "a password for git" if _real(_GIT_CREDENTIAL, data) else ""
    if name in (".netrc", "_netrc"):
        return "a password" if _real(_NETRC, data) else ""
    if name == ".pypirc":
        return "a password for a package registry" if _real(_PASSWORD_LINE, data) else ""
    if name == "credentials" and within == ".aws":
        return "the keys of an AWS account" if _real(_AWS, data) else ""
    if name == "config.json" and within == ".docker":
        return "a password for a container registry" if _docker_auth(data) else ""
    if name == "config" and within == ".kube":
        return "the key of a Kubernetes cluster" if _real(_KUBE, data) else ""
    if name == "application_default_credentials.json":
        return "credentials of Google Cloud" if b"refresh_token" in data or b"private_key" in data else ""
    if (name == ".env" or name.startswith(".env.")) and not name.endswith(
        (".example", ".sample", ".template", ".dist", ".test")
    ):
        return "a secret in an environment file" if _real(_ENV_SECRET, data) else ""
    return ""


def _real(pattern: re.Pattern[bytes], data: bytes) -> bool:
    return any(not _PLACEHOLDER.search(found[1]) for found in pattern.finditer(data))


def _docker_auth(data: bytes) -> bool:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return False
    auths = document.get("auths") if isinstance(document, dict) else None
    if not isinstance(auths, dict):
        return False
    return any(isinstance(each, dict) and (each.get("auth") or each.get("password")) for each in auths.values())
