"""Ends of lives from files: the JSON of endoflife.date, and the CSV of Debian's distro-info-data."""

import os
import re
from collections.abc import Iterator
from typing import Any, Final

from kezuri.advisories.fields import mapping, moment, sequence
from kezuri.advisories.lifecycle import Lifecycle, titled
from kezuri.advisories.notation import json_value
from kezuri.advisories.pieces import plain
from kezuri.diagnostics import KezuriError

_LARGEST = 64 << 20
_MOST = 20_000
_SUBJECTS: Final = {
    "nodejs": "node",
    "eclipse-temurin": "java",
    "alpine-linux": "alpine",
    "amazon-linux": "amzn",
    "rocky-linux": "rocky",
    "oracle-linux": "ol",
    "centos-stream": "centos",
    "opensuse": "opensuse-leap",
}
"""What endoflife.date calls what os-release or `packages` call otherwise."""
_TITLES: Final = {
    "node": "Node.js",
    "php": "PHP",
    "dotnet": ".NET",
    "java": "OpenJDK",
    "rhel": "Red Hat Enterprise Linux",
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d$")
_CYCLE = re.compile(r"[\w.+ -]{1,40}$", re.ASCII)


def read(path: str) -> tuple[list[Lifecycle], str]:
    """The lives that a file tells of, and the day of its data, empty where it says none. KezuriError for a file that
    tells of none."""
    with plain(path) as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise KezuriError.of(f"{path} has more than {_LARGEST} bytes, which are not read")
    name = os.path.basename(path).partition(".")[0]
    if data.lstrip()[:1] in (b"{", b"["):
        found, day = _endoflife(json_value(data, path), name)
    else:
        found, day = list(_distro_info(data.decode("utf-8", "replace"), path)), ""
    if not found:
        raise KezuriError.of(
            f"{path} tells of no ends of lives", hint="known are JSON of endoflife.date and CSV of distro-info-data"
        )
    return found, day


def _endoflife(document: Any, name: str) -> tuple[list[Lifecycle], str]:
    if isinstance(document, list):
        # The first API: a list of releases, whose product is the name of the file alone.
        return list(_releases(document, name, "cycle", "eol", "extendedSupport", "lts")), ""
    result = mapping(document).get("result")
    products = result if isinstance(result, list) else [result]
    found: list[Lifecycle] = []
    for product in products:
        told = mapping(product)
        product_name = told.get("name")
        if isinstance(product_name, str):
            releases = sequence(told.get("releases"))
            found += _releases(releases, product_name, "name", "eolFrom", "eoesFrom", "isLts")
    return found, moment(mapping(document).get("generated_at"))[:10]


def _releases(given: list[Any], product: str, cycle: str, ends: str, extended: str, lts: str) -> Iterator[Lifecycle]:
    """The releases of a product, by the names that an API has for their fields."""
    subject = _SUBJECTS.get(product, product)
    title = _TITLES.get(subject, subject.capitalize())
    has_terms = subject in ("node", "java", "dotnet", "ubuntu")
    for each in given[:_MOST]:
        told = mapping(each)
        number = told.get(cycle)
        if not isinstance(number, str) or not _CYCLE.match(number):
            continue
        released, end = _day(told.get("releaseDate")), _day(told.get(ends))
        if not end and (told.get("eol") is True or told.get("isEol") is True):
            # It has ended, nobody says when: at the latest release that is known, at the earliest.
            end = _day(told.get("latestReleaseDate")) or _day(mapping(told.get("latest")).get("date")) or released
        codename = told.get("codename")
        codename = codename.split()[0].lower() if isinstance(codename, str) and codename.isprintable() else ""
        yield Lifecycle(
            subject,
            number,
            titled(title, number, codename),
            released,
            end,
            _day(told.get(extended)),
            source="https://endoflife.date",
            codename=codename,
            long_term=not has_terms or bool(told.get(lts)),
        )


def _day(value: Any) -> str:
    return value if isinstance(value, str) and _DAY.match(value) else ""


def _distro_info(text: str, path: str) -> Iterator[Lifecycle]:
    import csv

    rows = csv.DictReader(text.splitlines()[:_MOST])
    columns = set(rows.fieldnames or ())
    if not {"version", "series", "release", "eol"} <= columns:
        raise KezuriError.of(
            f"{path} tells of no ends of lives", hint="known are JSON of endoflife.date and CSV of distro-info-data"
        )
    subject = "ubuntu" if "eol-server" in columns or "eol-esm" in columns else "debian"
    try:
        for row in rows:
            number, series = (row.get("version") or "").split(" ")[0], row.get("series") or ""
            if not number or not series.isidentifier() or not _CYCLE.match(number):
                continue
            number = number.removesuffix(".0") if subject == "debian" else number
            released = _day(row.get("release"))
            longest = "eol-lts" if subject == "debian" else "eol-esm"
            yield Lifecycle(
                subject,
                number,
                titled(subject.capitalize(), number, series),
                released,
                _day(row.get("eol")),
                _day(row.get(longest)),
                source="distro-info-data",
                codename=series,
                long_term=subject != "ubuntu" or "LTS" in (row.get("version") or ""),
                unreleased=not released,
            )
    except csv.Error as error:
        raise KezuriError.of(f"{path} is no CSV: {error}") from None
