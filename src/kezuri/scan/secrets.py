"""Secrets in an image as findings: in files of every layer, removed ones too, in its config and in its history."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from kezuri.anatomy.walk import Item
from kezuri.check.image.guessed import guessed
from kezuri.check.image.secret import Secret, apart, passwords_in_urls, secrets
from kezuri.check.image.secret_files import Secrets, secrets_of
from kezuri.check.image.subject import Image
from kezuri.scan.values import Finding

if TYPE_CHECKING:
    from kezuri.advisories.values import Severity
    from kezuri.anatomy.reading import Peek

HINT: Final = "take it back where it was given out; then give it to the step with RUN --mount=type=secret"
_CRITICAL: Final = frozenset(
    (
        "aws-access-key-id",
        "aws-secret-access-key",
        "azure-storage-key",
        "github-token",
        "gitlab-token",
        "google-cloud-credentials",
        "kubernetes-key",
        "npm-token",
        "package-registry-token",
        "pypi-token",
        "vault-token",
    )
)
_CALLED: Final[Mapping[str, tuple[str, ...]]] = {
    "age-key": ("age-secret-key",),
    "container-registry-password": ("dockerconfig-secret",),
    "databricks-token": ("databricks-api-token",),
    "doppler-token": ("doppler-api-token",),
    "dynatrace-token": ("dynatrace-api-token",),
    "github-token": (
        "github-pat",
        "github-oauth",
        "github-app-token",
        "github-refresh-token",
        "github-fine-grained-pat",
    ),
    "gitlab-token": ("gitlab-pat",),
    "google-cloud-credentials": ("gcp-service-account",),
    "grafana-token": ("grafana-api-token",),
    "huggingface-token": ("hugging-face-access-token",),
    "linear-key": ("linear-api-token",),
    "new-relic-key": ("new-relic-user-api-key",),
    "npm-token": ("npm-access-token",),
    "planetscale-token": ("planetscale-api-token",),
    "postman-key": ("postman-api-token",),
    "pulumi-token": ("pulumi-api-token",),
    "pypi-token": ("pypi-upload-token",),
    "rubygems-key": ("rubygems-api-token",),
    "sendgrid-key": ("sendgrid-api-token",),
    "slack-token": ("slack-access-token",),
    "slack-webhook": ("slack-web-hook",),
    "stripe-key": ("stripe-secret-token",),
    "terraform-token": ("hashicorp-tf-api-token",),
}
"""What Trivy calls them, where that is another name: ignore files have it."""
_MEDIUM: Final = frozenset(("guessed-secret", "secret-in-env-file", "slack-webhook", "password-in-url"))
_SETTINGS: Final = re.compile(
    r"(?:^|/)(?:\.env(?:\.[\w-]+)?|[^/]+\.(?:env|ya?ml|json|toml|ini|cfg|conf|config|properties|xml|sh|bash|py|js|mjs|cjs|ts"
    r"|rb|php|go|java|kt|cs|tf|tfvars|sql)|\.git/config|\.\w+_history|Dockerfile)$"
)
_NO_SETTINGS: Final = re.compile(
    r"(?:^|/)(?:[^/]*lock[^/]*|composer\.json|manifest\.json|[^/]*\.min\.js|messages[^/]*)$|locale|i18n"
    r"|(?:_test\.go|[._-](?:test|spec)s?\.[cm]?[jt]sx?|_(?:test|spec)\.(?:py|rb)|(?:^|/)(?:test_[^/]*|conftest)\.py)$"
)
"""Lock files, translations and tests: what looks random there is none."""
_LARGEST_GUESSED: Final = 256 << 10
_MOST_OF_A_FILE: Final = 20
_MOST: Final = 2000


class Hit(NamedTuple):
    """A secret in a file of a layer. `hidden` is the layer that takes the file away again, -1 where the image shows
    it; `line` counts from 1."""

    path: str
    line: int
    layer: int
    hidden: int
    kind: str
    what: str


class SecretFiles(Secrets):
    """Every secret in the files of every layer, those too that only look like one. `left` is how many small texts were
    not read, since there were too many of them; `more` how many secrets are not told, for the same reason."""

    def __init__(self) -> None:
        super().__init__()
        self.hits: list[Hit] = []
        self.left = 0
        self.more = 0

    def take(self, item: Item) -> bool:
        """As Gathering says."""
        before = self.room
        wanted = super().take(item)
        self.left += not wanted and self.passed_over(item.entry, before)
        return wanted

    def read(self, item: Item, data: "Peek") -> None:
        """As Gathering says."""
        text = data.at(0, item.entry.size)
        path = item.path
        found = list(secrets_of(path, text))
        if len(text) <= _LARGEST_GUESSED and _SETTINGS.search(path) and not _NO_SETTINGS.search(path):
            also = (*passwords_in_urls(text), *guessed(text))
            found += apart(also, found)
        found.sort(key=lambda secret: secret.start)
        seen: set[tuple[str, int]] = set()
        line, at = 1, 0
        for secret in found:
            line += text.count(b"\n", at, secret.start)
            at = secret.start
            if (secret.kind, line) in seen:
                continue
            seen.add((secret.kind, line))
            if len(seen) > _MOST_OF_A_FILE or len(self.hits) >= _MOST:
                self.more += 1
            else:
                self.hits.append(Hit(path, line, item.layer, item.hidden, secret.kind, secret.what))


def secret_findings(image: Image) -> Iterator[Finding]:
    """What an image gives away: never the secret itself. KezuriError where its layers cannot be read."""
    gathered = image.gathered(SecretFiles)
    yield from (_in_file(image, hit) for hit in sorted(gathered.hits))
    yield from secrets_of_config(image)
    if gathered.left:
        image.unchecked(f"{gathered.left:,} files were not searched for secrets: there are too many of them")
    if gathered.more:
        image.unchecked(f"{gathered.more:,} more secrets are not listed")


def severity_of(kind: str) -> "Severity":
    """How bad it is that a secret of this kind is known."""
    return "critical" if kind in _CRITICAL else "medium" if kind in _MEDIUM else "high"


def _in_file(image: Image, hit: Hit) -> Finding:
    title = f"/{hit.path} holds {hit.what}"
    if hit.hidden >= 0:
        title = f"/{hit.path} holds {hit.what}, which `{image.maker(hit.hidden)}` only hides"
    return Finding(
        "secret",
        hit.kind,
        title,
        severity_of(hit.kind),
        aliases=_CALLED.get(hit.kind, ()),
        name=hit.what,
        layer=hit.layer,
        path=hit.path,
        line=hit.line,
        note=HINT,
    )


def secrets_of_config(image: Image) -> Iterator[Finding]:
    """What its config and its history give away; no layer is read for it."""
    told: set[bytes] = set()
    for line in image.history.lines:
        raw = line.whole.encode("utf-8", "surrogateescape")
        kinds: dict[str, str] = {}
        for secret in _said(raw):
            told.add(raw[secret.start : secret.end])
            kinds.setdefault(secret.kind, secret.what)
        for kind, what in kinds.items():
            title = f"the history of the image holds {what}"
            yield _of_config(kind, what, title, line.layer)
    config = image.config
    said = [(f"ENV {name}", f"{name}={value}") for name, value in image.environment.items()]
    said += [(f"LABEL {name}", f"{name}={value}") for name, value in config.labels.items()]
    said += [("CMD", " ".join(config.cmd or ())), ("ENTRYPOINT", " ".join(config.entrypoint or ()))]
    said += [("HEALTHCHECK", " ".join(map(str, (config.healthcheck or {}).get("Test") or ())))]
    said += [("ONBUILD", text) for text in config.on_build]
    for where, text in said:
        raw = text.encode("utf-8", "surrogateescape")
        found = next((secret for secret in _said(raw) if raw[secret.start : secret.end] not in told), None)
        if found is not None:
            title = f"{where} holds {found.what}"
            yield _of_config(found.kind, found.what, title)


def _of_config(kind: str, what: str, title: str, layer: int = -1) -> Finding:
    aliases = _CALLED.get(kind, ())
    return Finding("secret", kind, title, severity_of(kind), aliases=aliases, name=what, layer=layer, note=HINT)


def _said(raw: bytes) -> tuple[Secret, ...]:
    """The secrets in what a config or a history says."""
    known = (*secrets(raw), *passwords_in_urls(raw))
    return (*known, *apart(guessed(raw), known))
