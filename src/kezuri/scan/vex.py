"""What those who know a product say about faults in it: OpenVEX documents (specification 0.2.0, and 0.0.x as it was
written before), read and held against findings."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

from kezuri.diagnostics import KezuriError
from kezuri.oci.dates import seconds
from kezuri.oci.reference import Reference
from kezuri.sbom.purls import PackageURL, parse
from kezuri.sbom.reading import MOST_VALUES, values_in
from kezuri.sbom.values import Bill
from kezuri.scan.values import Finding

Status = Literal["not_affected", "affected", "fixed", "under_investigation"]
_STATUSES: tuple[Status, ...] = get_args(Status)
MOST_BYTES = 64 << 20
"""Bytes of a document that is read."""
_MOST_STATEMENTS = 200_000
_MOST_TOLD = 20


class Product(NamedTuple):
    """What a statement is about: any of these identifiers names it. `parts` are the identifiers of what in it is meant,
    the whole where there are none."""

    identifiers: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...] = ()


class Statement(NamedTuple):
    """One statement: `names` are those of the fault; without `products` it is about whatever the document belongs to.
    `time` is when it was known to be true, in seconds since 1970. `where` names its document."""

    names: tuple[str, ...]
    status: Status
    products: tuple[Product, ...]
    reason: str
    time: float
    where: str


class Statements(NamedTuple):
    """What a document states, the oldest first, and what of it cannot be used, as sentences."""

    statements: tuple[Statement, ...]
    told: tuple[str, ...] = ()


def read(data: bytes, where: str) -> Statements:
    """The statements of a document. KezuriError, exit code 2, for what is no OpenVEX document."""
    if len(data) > MOST_BYTES:
        raise _no_document(where, f"it has {len(data)} bytes, and at most {MOST_BYTES} are read")
    if values_in(data) > MOST_VALUES:
        raise _no_document(where, f"it has more than {MOST_VALUES} values")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise _no_document(where, "it is no JSON") from None
    if isinstance(document, dict) and isinstance(document.get("predicate"), dict):
        document = document["predicate"]
    if not isinstance(document, dict) or not str(document.get("@context", "")).startswith("https://openvex.dev/ns"):
        raise _no_document(where, "its @context is not https://openvex.dev/ns")
    raw = document.get("statements")
    if not isinstance(raw, list):
        raise _no_document(where, "it has no list of statements")
    if len(raw) > _MOST_STATEMENTS:
        raise _no_document(where, f"it has {len(raw)} statements, and at most {_MOST_STATEMENTS} are read")
    default = _text(document, "timestamp") or _text(document, "last_updated")
    found, told = [], []
    for number, each in enumerate(raw, 1):
        statement = _statement(each, default, where)
        if isinstance(statement, str):
            told.append(f"{where}: statement {number} does not count: {statement}")
        else:
            found.append(statement)
    if len(told) > _MOST_TOLD:
        told[_MOST_TOLD:] = [f"{where}: {len(told) - _MOST_TOLD} more statements do not count"]
    return Statements(tuple(sorted(found, key=lambda each: each.time)), tuple(told))


def apply(findings: Sequence[Finding], statements: Iterable[Statement], bill: Bill) -> tuple[Finding, ...]:
    """The findings with those marked that the last statement about them calls `not_affected` or `fixed`. Statements in
    several documents count by their times, and by the order given where these are the same."""
    by_name: dict[str, list[Statement]] = {}
    for statement in sorted(statements, key=lambda each: each.time):
        for name in statement.names:
            by_name.setdefault(name, []).append(statement)
    image = _image(bill)
    marked = []
    for finding in findings:
        if finding.kind == "vulnerability" and not finding.ignored:
            names = (finding.id, *finding.aliases)
            meant = {id(each): each for name in names for each in by_name.get(name, ())}
            told = [each for each in meant.values() if _is_about(each, finding, bill, image)]
            last = sorted(told, key=lambda each: each.time)[-1:]  # of equal times the one further down
            if last and last[0].status in ("not_affected", "fixed"):
                reason = f"{last[0].where}: {last[0].status}"
                finding = finding._replace(ignored=f"{reason}: {last[0].reason}" if last[0].reason else reason)
        marked.append(finding)
    return tuple(marked)


def same_package(wanted: str, purl: str) -> bool:
    """Whether a package URL is one of those that `wanted` means: its version and qualifiers count only where `wanted`
    has them, and of a distribution's release (`distro`) as much as both say: `debian-12.5` is one of `debian-12`."""
    asked, found = _parsed(wanted), _parsed(purl)
    if asked is None or found is None:
        return False
    if (asked.type, asked.namespace, asked.name) != (found.type, found.namespace, found.name):
        return False
    if asked.version and asked.version != found.version:
        return False
    if asked.subpath and asked.subpath != found.subpath:
        return False
    has = dict(found.qualifiers)
    return all(
        _same_release(value, has.get(key, "")) if key == "distro" else has.get(key) == value
        for key, value in asked.qualifiers
    )


def _same_release(one: str, other: str) -> bool:
    parts = zip(one.replace("-", ".").split("."), other.replace("-", ".").split("."), strict=False)
    return all(a == b for a, b in parts)


@lru_cache(4096)
def _parsed(text: str) -> PackageURL | None:
    return parse(text)


def _is_about(statement: Statement, finding: Finding, bill: Bill, image: Reference | None) -> bool:
    if not statement.products:
        return True
    for product in statement.products:
        if any(same_package(each, finding.purl) for each in product.identifiers):
            return True
        if any(_names_image(each, bill, image) for each in product.identifiers) and (
            not product.parts or any(same_package(each, finding.purl) for part in product.parts for each in part)
        ):
            return True
    return False


def _names_image(identifier: str, bill: Bill, image: Reference | None) -> bool:
    """Whether it is what the bill is about: its name, its digest, or a package URL of the type `oci` (or `docker`)."""
    if identifier in (bill.name, bill.digest) and identifier:
        return True
    purl = _parsed(identifier)
    if purl is None or purl.type not in ("oci", "docker"):
        return False
    if purl.version.startswith("sha256:"):
        return purl.version == bill.digest
    if image is None:
        return False
    said = dict(purl.qualifiers)
    tag = said.get("tag") or purl.version
    path = image.path
    if purl.name != path.rpartition("/")[2] or (tag and tag != image.tag):
        return False
    place = said.get("repository_url", "")
    return not place or place in (f"{image.host}/{path}", f"{image.host}/{path.rpartition('/')[0]}")


def _image(bill: Bill) -> Reference | None:
    try:
        return Reference.parse(bill.name.removeprefix("docker://").removeprefix("store:"))
    except KezuriError:
        return None


def _statement(raw: Any, default: str, where: str) -> Statement | str:
    """The statement, or why it is none."""
    if not isinstance(raw, dict):
        return "it is no object"
    status = next((each for each in _STATUSES if each == raw.get("status")), None)
    if status is None:
        return f"its status is none of {', '.join(_STATUSES)}"
    names = _names(raw.get("vulnerability"))
    if not names:
        return "it names no vulnerability"
    given = raw.get("products")
    parts = _components(raw.get("subcomponents"))
    products = []
    for each in given if isinstance(given, list) else ():
        identifiers = _identifiers(each)
        own = _components(each.get("subcomponents")) if isinstance(each, dict) else ()
        if identifiers:
            products.append(Product(identifiers, own or parts))
    if given and not products:
        return "none of its products has an identifier"
    time = seconds(_text(raw, "timestamp") or default)
    reason = next((text for key in ("impact_statement", "justification") if (text := _text(raw, key))), "")
    return Statement(names, status, tuple(products), reason, time or 0.0, where)


def _names(raw: Any) -> tuple[str, ...]:
    if isinstance(raw, str):
        return (raw,) if raw else ()
    if not isinstance(raw, dict):
        return ()
    aliases = raw.get("aliases")
    every = (raw.get("name"), *(aliases if isinstance(aliases, list) else ()))
    return tuple(each for each in every if isinstance(each, str) and each)


def _components(raw: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(found for each in raw if (found := _identifiers(each))) if isinstance(raw, list) else ()


def _identifiers(raw: Any) -> tuple[str, ...]:
    if isinstance(raw, str):
        return (raw,) if raw else ()
    if not isinstance(raw, dict):
        return ()
    more = raw.get("identifiers")
    purl = more.get("purl") if isinstance(more, dict) else None
    return tuple(each for each in (raw.get("@id"), purl) if isinstance(each, str) and each)


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _no_document(where: str, why: str) -> KezuriError:
    return KezuriError.of(
        f"{where}: no OpenVEX document: {why}",
        hint="the format is described at https://openvex.dev",
        exit_code=2,
    )
