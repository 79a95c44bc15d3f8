"""Names and values that say of themselves that they are secret."""

import re

_SECRET = frozenset(
    [
        "apikey",
        "auth",
        "credential",
        "credentials",
        "password",
        "pword",
        "passwd",
        "pass",
        "pwd",
        "secret",
        "token",
        "pat",
    ]
)
_KEYS = frozenset(["api", "access", "private", "secret", "encryption", "signing", "license", "app", "ssh", "deploy"])
_HARMLESS = frozenset(
    [
        "public",
        "file",
        "path",
        "url",
        "uri",
        "host",
        "port",
        "user",
        "username",
        "name",
        "id",
        "method",
        "enabled",
        "type",
        "length",
        "expiry",
        "expiration",
        "expires",
        "ttl",
        "header",
        "algorithm",
        "allow",
        "policy",
        "plugin",
        "dir",
        "disable",
        "disabled",
        "require",
        "required",
        "empty",
        "random",
        "min",
        "max",
        "timeout",
        "mode",
        "realm",
        "issuer",
        "strategy",
        "domain",
        "endpoint",
        "audience",
        "prefix",
        "seconds",
        "minutes",
        "hours",
        "days",
        "lifetime",
        "limit",
    ]
)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_KNOWN = re.compile(
    r"\b(?:AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}|glpat-[\w-]{20}"
    r"|xox[baprs]-[0-9A-Za-z-]{10,}|sk_live_[0-9A-Za-z]{16,}|npm_[A-Za-z0-9]{36}|AIza[0-9A-Za-z_-]{35}"
    r"|dop_v1_[0-9a-f]{64}|SG\.[\w-]{22}\.[\w-]{43}|hf_[A-Za-z0-9]{34})(?![A-Za-z0-9])"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def secret_name(name: str) -> bool:
    """Whether a variable of that name holds a secret: `DB_PASSWORD`, `apiKey`, not `PUBLIC_KEY` or `TOKEN_URL`."""
    parts = [part.lower() for part in _PARTS.findall(name)]
    if not parts or _HARMLESS & set(parts):
        return False
    if _SECRET & set(parts):
        return True
    if parts[-1].endswith(("password", "passwd", "secret", "token", "apikey")):
        return True
    return any(part == "key" and parts[number - 1] in _KEYS for number, part in enumerate(parts) if number)


def known_secret(text: str) -> str | None:
    """A token in the text whose form says whose it is (`AKIA…`, `ghp_…`); None where there is none."""
    found = _KNOWN.search(text)
    return found[0] if found is not None else None


def hidden(text: str) -> str:
    """A secret as it may be shown: its first four characters."""
    return f"{text[:4]}…"
