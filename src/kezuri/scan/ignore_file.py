"""What a project has decided to live with: `.trivyignore` and `.trivyignore.yaml`, as Trivy reads them."""

from collections.abc import Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, SourceText
from kezuri.dockerfile.ignore import Patterns
from kezuri.documents.reader import read as read_yaml
from kezuri.documents.value import Mapping, Scalar, Value, strings
from kezuri.documents.value import Sequence as Items
from kezuri.oci.dates import seconds
from kezuri.scan.values import Finding, Kind
from kezuri.scan.vex import same_package

_PARTS: dict[str, Kind] = {
    "vulnerabilities": "vulnerability",
    "misconfigurations": "misconfiguration",
    "secrets": "secret",
    "licenses": "licence",
}


class Passed(NamedTuple):
    """What one entry lets pass: the finding of this `id` (or of which it is another name), of this `kind` unless that
    is empty, in files that the patterns `paths` match, of packages that `purls` name; all of them where these are
    empty. `expires` is when it ends, seconds since 1970, None for never; `place` is where it stands."""

    id: str
    kind: str
    paths: tuple[str, ...]
    purls: tuple[str, ...]
    expires: float | None
    statement: str
    place: str


class IgnoreFile(NamedTuple):
    """The entries of a file, and what of it cannot be used: sentences."""

    entries: tuple[Passed, ...]
    told: tuple[str, ...] = ()


def read(source: SourceText) -> IgnoreFile:
    """Read a file: YAML where its name ends so, else lines. KezuriError, exit code 2, for YAML that cannot be read."""
    if source.name.endswith((".yaml", ".yml")):
        return _of_yaml(source)
    return _of_lines(source)


def apply(findings: Sequence[Finding], entries: Sequence[Passed], now: float) -> tuple[tuple[Finding, ...], list[str]]:
    """The findings with those marked that an entry lets pass, and the entries that would do so and have expired, as
    sentences. `now` is in seconds since 1970. As for Trivy an entry has expired as soon as its day begins (UTC)."""
    by_id: dict[str, list[Passed]] = {}
    for entry in entries:
        by_id.setdefault(entry.id, []).append(entry)
    patterns = {entry.paths: Patterns.of(entry.paths) for entry in entries if entry.paths}
    expired: dict[Passed, None] = {}
    marked = []
    for finding in findings:
        for entry in (each for id in (finding.id, *finding.aliases) for each in by_id.get(id, ())):
            if finding.ignored or not _is_meant(finding, entry, patterns):
                continue
            if entry.expires is not None and entry.expires < now:
                expired[entry] = None
                continue
            reason = f"{entry.place}: {entry.statement}" if entry.statement else entry.place
            finding = finding._replace(ignored=reason)
        marked.append(finding)
    return tuple(marked), [f"{entry.place}: {entry.id} has expired, and counts again" for entry in expired]


def _is_meant(finding: Finding, entry: Passed, patterns: dict[tuple[str, ...], Patterns]) -> bool:
    if entry.kind and entry.kind != finding.kind:
        return False
    if entry.paths and not (finding.path and patterns[entry.paths].matches(finding.path)):
        return False
    return not entry.purls or not finding.purl or any(same_package(purl, finding.purl) for purl in entry.purls)


def _of_lines(source: SourceText) -> IgnoreFile:
    entries, told = [], []
    for number, line in enumerate(source.text.split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = f"{source.name}:{number}"
        date = next((word.removeprefix("exp:") for word in words[1:] if word.startswith("exp:")), "")
        moment = _date(date)
        if date and moment is None:
            told.append(f"{place}: {date!r} is no date, and the line does not count: write exp:2027-01-31")
            continue
        comment = line.partition("#")[2].strip()
        entries.append(Passed(words[0], "", (), (), moment, comment, place))
    return IgnoreFile(tuple(entries), tuple(told))


def _of_yaml(source: SourceText) -> IgnoreFile:
    yaml = read_yaml(source)
    if yaml.error is not None:
        raise KezuriError(*yaml.error.diagnostics, exit_code=2)
    entries: list[Passed] = []
    told: list[str] = []
    document = yaml.documents[0] if yaml.documents else None
    if len(yaml.documents) > 1:
        told.append(f"{source.name}: only the first of its documents counts")
    if document is None or (isinstance(document, Scalar) and document.null):
        return IgnoreFile((), tuple(told))
    if not isinstance(document, Mapping):
        raise KezuriError.of(
            f"{source.name}: no ignore file: {', '.join(_PARTS)} are expected",
            source=source,
            span=document.span,
            exit_code=2,
        )
    for entry in document.all():
        name, value = entry.key.text, entry.value
        line = source.position(entry.span.start)[0]
        if name not in _PARTS:
            told.append(f"{source.name}:{line}: {name!r} is unknown, and does not count")
        elif isinstance(value, Items):
            for item in value.values:
                _take(source, _PARTS[name], item, entries, told)
        elif not (isinstance(value, Scalar) and value.null):
            told.append(f"{source.name}:{line}: {name} is no list, and does not count")
    return IgnoreFile(tuple(entries), tuple(told))


def _take(source: SourceText, kind: Kind, item: Value, entries: list[Passed], told: list[str]) -> None:
    place = f"{source.name}:{source.position(item.span.start)[0]}"
    id = item.text("id") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or not id:
        told.append(f"{place}: an entry without an id does not count")
        return
    date = item.text("expired_at") or ""
    moment = _date(date)
    if date and moment is None:
        told.append(f"{place}: {date!r} is no date, and the entry does not count: write expired_at: 2027-01-31")
        return
    paths, purls = (_texts(item.get(name)) for name in ("paths", "purls"))
    if paths is None or purls is None:
        told.append(
            f"{place}: {'paths' if paths is None else 'purls'} is no list of texts, and the entry does not count"
        )
        return
    try:
        Patterns.of(paths)
    except KezuriError as error:
        told.append(f"{place}: {error.diagnostics[0].message}, and the entry does not count")
        return
    entries.append(Passed(id, kind, paths, purls, moment, item.text("statement") or "", place))


def _texts(value: Value | None) -> tuple[str, ...] | None:
    """The texts that a value lists; None where anything else is there: an entry that is read for a part of what limits
    it would let more pass than was meant."""
    if value is None or (isinstance(value, Scalar) and value.null):
        return ()
    texts = tuple(scalar.text for scalar in strings(value))
    wanted = 1 if isinstance(value, Scalar) else len(value.values) if isinstance(value, Items) else -1
    return texts if len(texts) == wanted else None


def _date(text: str) -> float | None:
    return seconds(text) if text else None
