"""How advisories lie in the database: its tables, and its values as the texts and numbers of their columns."""

import json
from collections.abc import Sequence
from math import isfinite
from typing import cast

from kezuri.advisories.values import SEVERITIES, Advisory, Affected, DataSet, Severity, Signal, Status
from kezuri.versions.ranges import Event, Kind

APPLICATION = 0x6B7A6164
"""What SQLite's header says whose file it is: `kzad`."""
VERSION = 1
"""The schema's number; a kezuri reads the one that it writes."""

TABLES = """
CREATE TABLE data (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, address TEXT NOT NULL, date TEXT NOT NULL,
    fetched TEXT NOT NULL, checked TEXT NOT NULL, entries INTEGER NOT NULL, licence TEXT NOT NULL,
    etag TEXT NOT NULL, modified TEXT NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE place (number INTEGER PRIMARY KEY, ecosystem TEXT NOT NULL, release TEXT NOT NULL);
CREATE TABLE covered (
    data INTEGER NOT NULL, ecosystem TEXT NOT NULL, release TEXT NOT NULL, PRIMARY KEY (data, ecosystem, release)
) WITHOUT ROWID;
CREATE TABLE advisory (
    key INTEGER PRIMARY KEY, data INTEGER NOT NULL, id TEXT NOT NULL, severity TEXT NOT NULL, score REAL NOT NULL,
    kind TEXT NOT NULL, published TEXT NOT NULL, modified TEXT NOT NULL, withdrawn TEXT NOT NULL, rest TEXT NOT NULL
);
CREATE TABLE affected (
    place INTEGER NOT NULL, name TEXT NOT NULL, advisory INTEGER NOT NULL, status TEXT NOT NULL,
    severity TEXT NOT NULL, ranges TEXT NOT NULL, versions TEXT NOT NULL
);
CREATE TABLE signal (
    cve TEXT NOT NULL, data INTEGER NOT NULL, exploited TEXT NOT NULL, ransomware INTEGER NOT NULL,
    chance REAL NOT NULL, PRIMARY KEY (cve, data)
) WITHOUT ROWID;
"""
"""`data` are the data sets, with what their server said of the file (`etag`, `modified`) and the SHA-256 of its bytes;
`place` are pairs of ecosystem and release, by which `affected` is found together with a name. What only the reader of
a single advisory wants is JSON in `rest`."""

INDEX = "CREATE INDEX affected_name ON affected (place, name)"
"""Made when all rows are there: so it costs a sort, and not a search for each row."""


def statements() -> frozenset[str]:
    """What SQLite's own list of tables and indexes says of a database of this schema, in one line each."""
    return frozenset(" ".join(statement.split()) for statement in (*TABLES.split(";"), INDEX) if statement.strip())


TAKEN_OVER = """
INSERT INTO data
    SELECT number + :number, name, address, date, fetched, checked, entries, licence, etag, modified, digest
    FROM old.data WHERE number IN temp.kept;
INSERT INTO covered SELECT data + :number, ecosystem, release FROM old.covered WHERE data IN temp.kept;
INSERT INTO advisory
    SELECT key + :key, data + :number, id, severity, score, kind, published, modified, withdrawn, rest
    FROM old.advisory WHERE data IN temp.kept;
INSERT INTO affected
    SELECT new, name, advisory + :key, status, severity, ranges, versions
    FROM old.affected CROSS JOIN temp.there ON old = place
    WHERE advisory IN (SELECT key FROM old.advisory WHERE data IN temp.kept);
INSERT INTO signal
    SELECT cve, data + :number, exploited, ransomware, chance FROM old.signal WHERE data IN temp.kept;
"""
"""Copies the data sets that `kept` lists from a database that is attached as `old`; `there` has the number of each of
its places here. Its rows are read from the first to the last, for the order of a CROSS JOIN is kept."""

_LETTERS: dict[Kind, str] = {"introduced": "i", "fixed": "f", "last_affected": "l", "limit": "m"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_STATUSES: tuple[Status, ...] = ("affected", "wont-fix", "not-affected", "undetermined")
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def text(value: str) -> str:
    """A text that a database takes: halves of characters, which JSON can hold, are replaced."""
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()


def advisory_row(key: int, data: int, said: Advisory) -> tuple[object, ...]:
    """The row of an advisory."""
    rest = _JSON.encode([said.aliases, said.summary, said.vectors, said.references])
    return (
        key, data, text(said.id), said.severity, said.score, said.kind, text(said.published), text(said.modified),
        text(said.withdrawn), text(rest),
    )  # fmt: skip


ADVISORIES = (
    "SELECT advisory.key, advisory.id, data.name, severity, score, kind, published, advisory.modified, withdrawn, rest "
    "FROM advisory JOIN data ON data.number = data WHERE key IN (%s)"
)
"""Gives the rows that `read_advisory` reads."""


def read_advisory(row: Sequence[object]) -> Advisory:
    """The advisory of a row. ValueError where its JSON is damaged."""
    _, own, data, severity, score, kind, published, modified, withdrawn, rest = row
    aliases, summary, vectors, references = json.loads(str(rest))
    (said,) = _texts([summary])
    return Advisory(
        str(own), str(data), _texts(aliases), said, _severity(severity), _texts(vectors),
        finite(score), str(published), str(modified), str(withdrawn), _texts(references), str(kind),
    )  # fmt: skip


def finite(value: object) -> float:
    """A number of a row. ValueError for one that is no number of JSON's."""
    found = float(str(value))
    if not isfinite(found):
        raise ValueError(f"{found} is no number")
    return found


def _texts(values: object) -> tuple[str, ...]:
    """A list of texts out of a row's JSON."""
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise ValueError(type(values))
    return tuple(values)


def affected_row(place: int, key: int, said: Affected) -> tuple[object, ...]:
    """The row of a package that the advisory of this key is about."""
    ranges = ""
    if said.ranges:
        ranges = text(_JSON.encode([[_LETTERS[kind] + version for kind, version in events] for events in said.ranges]))
    versions = text(_JSON.encode(said.versions)) if said.versions else ""
    return place, text(said.name), key, said.status, said.severity, ranges, versions


AFFECTED = "SELECT name, advisory, status, severity, ranges, versions FROM affected WHERE place = ? AND name IN (%s)"
"""Gives the rows that `read_affected` reads."""


def read_affected(ecosystem: str, release: str, row: Sequence[object]) -> Affected:
    """The package of a row. ValueError, KeyError or TypeError where its JSON is damaged."""
    name, _, status, severity, ranges, versions = row
    events = json.loads(str(ranges)) if ranges else ()
    return Affected(
        ecosystem,
        release,
        str(name),
        tuple(tuple(Event(_KINDS[event[0]], event[1:]) for event in one) for one in events),
        _texts(json.loads(str(versions))) if versions else (),
        _STATUSES[_STATUSES.index(cast(Status, status))],
        _severity(severity),
    )


def _severity(word: object) -> Severity:
    return SEVERITIES[SEVERITIES.index(cast(Severity, word))]


def signal_row(data: int, said: Signal) -> tuple[object, ...]:
    """The row of a signal."""
    return text(said.cve), data, text(said.exploited), said.ransomware, said.chance


SIGNALS = "SELECT cve, max(exploited), max(ransomware), max(chance) FROM signal WHERE cve IN (%s) GROUP BY cve"
"""Gives each CVE once, with the more urgent of what the data sets say of it."""

DATA = "SELECT number, name, address, date, fetched, entries, licence, checked FROM data ORDER BY name"
"""Gives the rows that `read_data` reads."""


def read_data(row: Sequence[object], covered: Sequence[tuple[str, str]]) -> DataSet:
    """The data set of a row, which tells of these ecosystems and releases."""
    _, name, address, date, fetched, entries, licence, checked = row
    return DataSet(
        str(name),
        str(address),
        str(date),
        str(fetched),
        int(cast(int, entries)),
        str(licence),
        tuple(covered),
        str(checked),
    )
