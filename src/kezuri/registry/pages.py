"""Lists that a registry gives in pages: tags, referrers."""

import json
import re
from collections.abc import Iterator
from typing import Any

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import MOST_BYTES
from kezuri.oci.reference import valid_tag
from kezuri.registry.exchange import Ask
from kezuri.registry.place import Place
from kezuri.registry.redirects import Hop
from kezuri.registry.retry import Patience
from kezuri.registry.wire import Answer, Headers, TransportError

_PAGE = 1000
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


def tags(place: Place, where: str) -> Iterator[str]:
    """The tags of a repository, in the registry's order, a page at a time. What cannot be a tag is left out."""
    for page, _ in pages(place, f"tags/list?n={_PAGE}", where):
        found = page.get("tags")
        for tag in found if isinstance(found, list) else ():
            if isinstance(tag, str) and valid_tag(tag):
                yield tag


def pages(
    place: Place, path: str, where: str, accept: str = "application/json"
) -> Iterator[tuple[dict[str, Any], Headers]]:
    """The JSON objects that a list consists of, with their headers. KezuriError naming `where` for anything else, and
    for pages that lead to pages that were there already."""
    ask = Ask(place.endpoint, path, "GET", {"Accept": accept})
    been: set[str] = set()
    while True:
        patience = place.patience()
        body, headers, hop = _whole(place, ask, patience, where)
        try:
            page = json.loads(body)
        except (ValueError, RecursionError):
            page = None
        if not isinstance(page, dict):
            raise KezuriError.of(f"{where}: {place.host} does not answer with a list", exit_code=125)
        yield page, headers
        link = _NEXT.search(", ".join(headers.all("link")))
        if link is None:
            return
        onward = hop.onward(link[1], place.exchanges.terms(place.endpoint))
        if onward.url in been:
            raise KezuriError.of(f"{where}: the pages of {place.host} go in a circle", exit_code=125)
        been.add(onward.url)
        ask = ask._replace(at=onward)


def _whole(place: Place, ask: Ask, patience: Patience, where: str) -> tuple[bytes, Headers, Hop]:
    while True:
        try:
            answer, hop = place.reach(ask, patience)
            with answer:
                return read_whole(answer, where), answer.headers, hop
        except TransportError as error:
            if not patience.again(place.host, error.kind):
                raise


def read_whole(answer: Answer, where: str) -> bytes:
    """The body of an answer; KezuriError naming `where` when it is larger than a document may be."""
    length = answer.headers.length() or 0
    body = bytearray()
    while length <= MOST_BYTES and len(body) <= MOST_BYTES and (piece := answer.read(1 << 20)):
        body += piece
    if length > MOST_BYTES or len(body) > MOST_BYTES:
        raise KezuriError.of(f"{where}: the answer is larger than {MOST_BYTES >> 20} MiB", exit_code=125)
    return bytes(body)
