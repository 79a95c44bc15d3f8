"""Secrets by their form: what a private key begins with, and tokens that say themselves what they are."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final, NamedTuple


class Secret(NamedTuple):
    """A secret in a text: what it is, in words and as its `kind`, and where. Its text is nobody's to show."""

    what: str
    start: int
    end: int
    kind: str


_KEY: Final = (
    rb"-----BEGIN ((?:RSA |EC |DSA |OPENSSH |ENCRYPTED |PGP )?PRIVATE KEY(?: BLOCK)?)-----"
    rb"(?:\s|\\n|\\r){1,8}(?:[A-Za-z-]{1,40}: [^\n]{0,200}\n\s{0,8}){0,20}[A-Za-z0-9+/=\s\\]{40,}"
)
_FORMS: Final = (
    ("aws-access-key-id", "an access key of AWS", b"AKIA ASIA", rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    (
        "github-token",
        "a token of GitHub",
        b"ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{50,255})\b",
    ),
    (
        "gitlab-token",
        "a token of GitLab",
        b"glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent- gloas-",
        rb"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas)-[A-Za-z0-9_-]{20,64}(?![A-Za-z0-9_-])",
    ),
    ("npm-token", "a token of npm", b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi-token", "a token of PyPI", b"pypi-AgE", rb"\bpypi-AgE[A-Za-z0-9_-]{50,512}"),
    ("slack-token", "a token of Slack", b"xox", rb"\bxox[abeoprs]-[0-9A-Za-z-]{20,255}\b"),
    (
        "slack-webhook",
        "an address of Slack that anybody may write to",
        b"hooks.slack.com",
        rb"\bhooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9]{8,16}/[A-Za-z0-9]{8,16}/[A-Za-z0-9]{16,40}\b",
    ),
    ("stripe-key", "a secret key of Stripe", b"k_live_", rb"\b[rs]k_live_[0-9A-Za-z]{20,255}\b"),
    ("docker-hub-token", "a token of Docker Hub", b"dckr_", rb"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64}\b"),
    ("sendgrid-key", "an API key of SendGrid", b"SG.", rb"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![0-9A-Za-z_-])"),
    (
        "anthropic-key",
        "an API key of Anthropic",
        b"sk-ant-",
        rb"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{80,120}(?![0-9A-Za-z_-])",
    ),
    (
        "openai-key",
        "an API key of OpenAI",
        b"T3BlbkFJ",
        rb"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,128}T3BlbkFJ[A-Za-z0-9_-]{20,128}(?![0-9A-Za-z_-])",
    ),
    ("huggingface-token", "a token of Hugging Face", b"hf_", rb"\bhf_[A-Za-z0-9]{34,40}\b"),
    ("digitalocean-token", "a token of DigitalOcean", b"_v1_", rb"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    ("google-api-key", "an API key of Google", b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
    ("google-oauth-secret", "a client secret of Google", b"GOCSPX-", rb"\bGOCSPX-[A-Za-z0-9_-]{28}(?![0-9A-Za-z_-])"),
    (
        "azure-storage-key",
        "the key of a storage account of Azure",
        b"AccountKey=",
        rb"\bAccountKey=[A-Za-z0-9+/]{86}==",
    ),
    ("vault-token", "a token of Vault", b"hvs. hvb.", rb"\bhv[bs]\.[A-Za-z0-9_-]{90,300}(?![0-9A-Za-z_-])"),
    (
        "terraform-token",
        "a token of Terraform",
        b".atlasv1.",
        rb"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70}(?![0-9A-Za-z_-])",
    ),
    ("grafana-token", "a token of Grafana", b"glsa_ glc_", rb"\bgl(?:sa|c)_[A-Za-z0-9+/=_]{41,400}"),
    ("atlassian-token", "a token of Atlassian", b"ATATT3", rb"\bATATT3[A-Za-z0-9_=-]{100,300}"),
    ("shopify-token", "a token of Shopify", b"shpat_ shpca_ shppa_ shpss_", rb"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b"),
    ("rubygems-key", "an API key of RubyGems", b"rubygems_", rb"\brubygems_[a-f0-9]{48}\b"),
    ("databricks-token", "a token of Databricks", b"dapi", rb"\bdapi[a-f0-9]{32}(?:-\d)?\b"),
    ("new-relic-key", "an API key of New Relic", b"NRAK-", rb"\bNRAK-[A-Z0-9]{27}\b"),
    ("linear-key", "an API key of Linear", b"lin_api_", rb"\blin_api_[A-Za-z0-9]{40}\b"),
    ("age-key", "a key of age", b"AGE-SECRET-KEY-1", rb"\bAGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}\b"),
    (
        "aws-secret-access-key",
        "a secret access key of AWS",
        b"aws_secret_access_key AWS_SECRET_ACCESS_KEY secretAccessKey SecretAccessKey",
        rb"(?i:aws_secret_access_key|secretaccesskey)[\"']?\s{0,8}(?:=>|[=:])\s{0,8}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    ),
    ("alibaba-access-key-id", "an access key of Alibaba Cloud", b"LTAI", rb"\bLTAI[A-Za-z0-9]{20}\b"),
    ("artifactory-key", "an API key of Artifactory", b"AKCp", rb"\bAKCp[A-Za-z0-9]{69}\b"),
    ("contentful-token", "a token of Contentful", b"CFPAT-", rb"\bCFPAT-[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    ("doppler-token", "a token of Doppler", b"dp.", rb"\bdp\.(?:pt|ct|sa|scim|audit)\.[A-Za-z0-9]{40,44}\b"),
    ("dynatrace-token", "a token of Dynatrace", b"dt0c01.", rb"\bdt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}\b"),
    ("groq-key", "an API key of Groq", b"gsk_", rb"\bgsk_[A-Za-z0-9]{52}\b"),
    ("heroku-key", "an API key of Heroku", b"HRKU-", rb"\bHRKU-[A-Za-z0-9_-]{36,60}(?![A-Za-z0-9_-])"),
    ("mapbox-token", "a secret token of Mapbox", b"sk.eyJ", rb"\bsk\.eyJ[A-Za-z0-9_-]{40,200}\.[A-Za-z0-9_-]{20,30}\b"),
    ("nuget-key", "an API key of NuGet", b"oy2", rb"\boy2[a-z0-9]{43}\b"),
    ("planetscale-token", "a token of PlanetScale", b"pscale_", rb"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9._-]{32,64}"),
    ("postman-key", "an API key of Postman", b"PMAK-", rb"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}\b"),
    ("pulumi-token", "a token of Pulumi", b"pul-", rb"\bpul-[a-f0-9]{40}\b"),
    ("sentry-token", "a token of Sentry", b"sntrys_ sntryu_", rb"\bsntry[su]_[A-Za-z0-9+/=_-]{40,400}"),
    ("square-key", "a secret of Square", b"sq0csp-", rb"\bsq0csp-[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    (
        "telegram-token",
        "a token of a bot of Telegram",
        b":AA",
        rb"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])",
    ),
)
"""Forms of tokens: the kind, what it is in words, one of which is in every such token, and how it is written."""
_OF_WORDS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/+=")
"""What tokens consist of, and the marks that are in them."""
_MARKED: Final = tuple([(kind, what, tuple(marks.split()), form) for kind, what, marks, form in _FORMS])
_LONG: Final = 15
"""`secretAccessKey` is the shortest word that has to be found; all tokens are longer."""
_WORDS_ALONE: Final = bytes(each if each in _OF_WORDS else 32 for each in range(256))
_LONGEST_SCHEME: Final = 21
_SCHEME: Final = re.compile(rb"\b[a-z][a-z0-9+.-]{1,20}\Z")
_PASSWORD_IN_URL: Final = rb"://[^\s/:@\"'$<>{}]{0,64}:([^\s/@\"'$<>{}]{6,128})@[a-zA-Z0-9]"
_SAMPLES: Final = (
    rb"(?i)example|sample|dummy|placeholder|changeme|your[_-]|notareal|redacted|xxxx|\*\*\*\*|0000000|1234567890"
)


def secrets(data: bytes) -> Iterator[Secret]:
    """The secrets in a text; those that are plainly examples are none."""
    if b"PRIVATE KEY" in data:
        for found in re.finditer(_KEY, data):
            yield Secret("a private key", found.start(), found.end(), "private-key")
    words = _long_words(data)
    for kind, what, marks, form in _MARKED:
        if any(mark in words for mark in marks):
            for found in re.finditer(form, data):
                if not _sample(found[0]):
                    yield Secret(what, found.start(), found.end(), kind)


def _long_words(data: bytes) -> bytes:
    """The words of a text that are as long as a token, or as what stands before one: a tenth of most texts, in which
    all marks are found in half the time."""
    return b" ".join([word for word in data.translate(_WORDS_ALONE).split() if len(word) >= _LONG])


def passwords_in_urls(data: bytes) -> Iterator[Secret]:
    """Passwords within addresses (`https://user:password@host`)."""
    for found in re.finditer(_PASSWORD_IN_URL, data):
        # What is found first is what the fewest texts have: an address with an @ in it.
        begin = found.start()
        if not _SCHEME.search(data, max(0, begin - _LONGEST_SCHEME), begin):
            continue
        if not _sample(found[1]) and found[1].lower() not in (b"password", b"passwd", b"secret"):
            yield Secret("a password in an address", found.start(1), found.end(1), "password-in-url")


def apart(found: Iterable[Secret], known: Iterable[Secret]) -> list[Secret]:
    """Those found that share no byte with one that is known."""
    known = sorted(known, key=lambda secret: secret.start)
    starts = [secret.start for secret in known]
    ends = list(accumulate((secret.end for secret in known), max))

    def is_new(secret: Secret) -> bool:
        before = bisect_left(starts, secret.end)
        return not before or ends[before - 1] <= secret.start

    return [secret for secret in found if is_new(secret)]


def _sample(token: bytes) -> bool:
    """Whether this is what documents have in the place of a secret."""
    return bool(re.search(_SAMPLES, token)) or len(set(token[-16:])) < 6
