"""Answers that are refusals: what they say, and whether that may pass."""

import json
import re
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.registry.retry import Patience, passing, retry_after
from kezuri.registry.wire import Answer, Headers, TransportError, pieces

_BODY = 64 << 10
_PAGE = re.compile(r"n=[0-9]+\Z")
_WORTH_HIDING = 6
"""Characters of a secret that is looked for in what others say: a shorter one is in ordinary words."""


class Failure(NamedTuple):
    """An answer with an error status. `url` is redacted; `codes` and `message` come from the registry's own words.
    `account` says where the credentials were found that the request was sent with (empty: it was anonymous), `push`
    whether it belongs to a push."""

    method: str
    url: str
    status: int
    headers: Headers
    codes: tuple[str, ...] = ()
    message: str = ""
    account: str = ""
    push: bool = False

    @classmethod
    def read(cls, method: str, url: str, answer: Answer) -> "Failure":
        """From an answer, reading at most 64 KiB. The body of a 416 and of an answer to HEAD is left alone: a registry
        may announce there what it never sends."""
        body = b""
        if answer.status != 416 and method != "HEAD":
            try:
                for piece in pieces(answer, _BODY):
                    body += piece
            except TransportError:
                pass  # What arrived says enough; the status is the fact.
        codes, message = read_errors(body, answer.headers.get("content-type"))
        return cls(method, redact(url), answer.status, answer.headers, codes, message)

    @property
    def immutable(self) -> bool:
        """Whether a tag was refused because it names something already and may name nothing else: Google's and
        Amazon's registries say it in words of their own, Harbor by its status."""
        if self.method != "PUT" or self.status not in (400, 403, 405, 409, 412):
            return False
        said = self.message.lower()
        return self.status == 412 or "TAG_INVALID" in self.codes or "immutab" in said

    def without(self, *secrets: str) -> "Failure":
        """The same without what we sent: a server may repeat it."""
        message = self.message
        for secret in secrets:
            if len(secret) >= _WORTH_HIDING:
                message = message.replace(secret, "***")
                head, found, _ = message.partition(secret[:40])  # a long one whose end was cut off
                message = head + "***" if found else message
        codes = tuple(c for c in self.codes if not any(s in c for s in secrets if len(s) >= _WORTH_HIDING))
        return self._replace(message=message, codes=codes)

    def words(self) -> str:
        """One line: method, URL, status, and the registry's own words."""
        said = " ".join((*self.codes[:1], self.message)).strip()
        return f"{self.method} {self.url}: {self.status}" + (f" {said}" if said else "")


class Refused(Exception):
    """A request that was answered with an error, after every repetition that made sense."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.words())
        self.failure = failure


def weigh(failure: Failure, host: str, patience: Patience) -> None:
    """Return when the request is to be sent again; Refused otherwise."""
    after = retry_after(failure.headers.get("retry-after"), patience.backoff.clock.date())
    if not passing(failure.status, failure.codes) or not patience.again(host, "", after):
        raise Refused(failure)


class Unanswered(KezuriError):
    """No registry could be reached: nothing is known of what it has."""


class WrongBytes(Exception):
    """Content that is not what its descriptor says, twice."""


def read_errors(body: bytes, content_type: str = "") -> tuple[tuple[str, ...], str]:
    """The codes and the first message of an error body (distribution spec, "Error codes"); for a body of another
    kind its first line, unless it is a web page."""
    try:
        raw = json.loads(body)
        errors = raw["errors"] if isinstance(raw, dict) and "errors" in raw else [raw]
        codes = tuple(_clean(str(e.get("code") or "")) for e in errors if e.get("code"))
        texts = [str(e.get("message") or e.get("details") or "") for e in errors]
        # docker-registry puts the reason into `detail` when the message is only the code's own text.
        details = [e["detail"] for e in errors if isinstance(e.get("detail"), str)]
        return codes, _clean("; ".join(t for t in (*texts[:1], *details[:1]) if t))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    text = body.decode("utf-8", "replace").strip()
    if "html" in content_type.lower() or text[:1] == "<":
        return (), "(a web page)"
    return (), _clean(text.split("\n", 1)[0])


def redact(url: str) -> str:
    """The URL without the values of its query, which may be signatures; how long a page is to be is none."""
    head, mark, query = url.partition("?")
    if not mark:
        return head
    parts = query.partition("#")[0].split("&")
    return head + "?" + "&".join(part if _PAGE.match(part) else part.partition("=")[0] for part in parts)


def _clean(text: str) -> str:
    """A server's text, cut short and without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)[:300].strip()
