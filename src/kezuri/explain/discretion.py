"""What an explanation shows of values that may be secrets."""

import re

from kezuri.cache.journal import JournalStep

HIDDEN = "(hidden)"
"""Stands for a value that may be a secret."""

_SECRET = re.compile(
    r"(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE
)
_PUBLIC = re.compile(r"(?:_|^)public(?:_|$)", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def shown(variable: str, value: str | None) -> str | None:
    """A variable's value as it may be shown: not if the name looks like a secret's (as the check SecretsUsedInArgOrEnv
    has it), and never who logs in at a URL."""
    if value is None:
        return None
    if _SECRET.search(variable) and not _PUBLIC.search(variable):
        return HIDDEN
    return anonymous(value)


def anonymous(text: str | None) -> str | None:
    """The text without who logs in at the URLs in it."""
    return None if text is None else _USERINFO.sub(f"{HIDDEN}@", text)


def discreet(step: JournalStep) -> JournalStep:
    """The step as it may be shown."""
    return step._replace(
        name=step.name._replace(title=anonymous(step.title) or ""), message=anonymous(step.message) or ""
    )
