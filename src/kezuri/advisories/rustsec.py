"""RustSec's advisories: TOML in front of Markdown, one file an advisory.

https://github.com/rustsec/advisory-db (the format is in its CONTRIBUTING.md). Affected is what is neither `patched` nor
`unaffected`. What concerns other systems than Linux alone is said to be not affected: images are of Linux.
"""

import re
from collections.abc import Iterator
from typing import Any

from kezuri.advisories.fields import (
    Unusable,
    aliases,
    mapping,
    moment,
    references,
    sequence,
    summary,
    vectors,
    word,
    words,
)
from kezuri.advisories.pieces import pieces
from kezuri.advisories.reading import Reading
from kezuri.advisories.values import Advisory, Affected, Entry
from kezuri.diagnostics import KezuriError

_LARGEST = 1 << 20
_FENCE = re.compile(r"\s*(?:```|~~~)toml[ \t]*\r?\n(.*?)\r?\n(?:```|~~~)[ \t]*(?:\r?\n|$)", re.DOTALL)
_TITLE = re.compile(r"^#[ \t]+(.+)$", re.MULTILINE)
_MOST_REQUIREMENTS = 1000
_DEEPEST = 100


class RustsecReading(Reading):
    """The advisories below a directory, or in an archive of it. Crates are of crates.io; what is about the toolchain
    (the collection `rust`) is about the runtime `rust`."""

    format = "rustsec"

    def __iter__(self) -> Iterator[Entry]:
        for piece in pieces(self.address):
            if not piece.name.endswith(".md") or not piece.name.rpartition("/")[2].startswith("RUSTSEC-"):
                continue
            try:
                entry = entry_of(piece.read(_LARGEST), piece.name, self.name)
            except KezuriError as error:
                self.losses.add(piece.name, error.diagnostics[0].message)
                continue
            except Unusable as trouble:
                self.losses.add(piece.name, str(trouble))
                continue
            self.date = max(self.date, entry.advisory.modified)
            self.ecosystems.update((each.ecosystem, each.release) for each in entry.affected)
            yield entry


def entry_of(data: bytes, name: str, data_set: str) -> Entry:
    """The advisory that a file holds; Unusable, with the reason, where it holds none."""
    text = data.decode("utf-8", "replace")
    fenced = _FENCE.match(text)
    if fenced is None:
        raise Unusable("no TOML stands in front of it")
    head = _toml(fenced[1])
    told = mapping(head.get("advisory"))
    own, crate = word(told.get("id"), "its id"), word(told.get("package"), "the name of its crate")
    title = _TITLE.search(text, fenced.end())
    written, score = vectors(told.get("cvss"))
    kind = told.get("informational")
    day = moment(str(told.get("date")))
    linked = [told.get("url"), f"https://rustsec.org/advisories/{own}.html", *sequence(told.get("references"))]
    advisory = Advisory(
        own,
        data_set,
        aliases(told.get("aliases")),
        summary(title[1] if title else told.get("title")),
        "unknown",
        written,
        score,
        day,
        moment(str(told.get("withdrawn"))) or day,
        moment(str(told.get("withdrawn"))),
        references(*linked),
        kind if isinstance(kind, str) and kind in ("unmaintained", "unsound", "notice") else "",
    )
    of_toolchain = told.get("collection") == "rust" or "/rust/" in f"/{name}"
    place, package = ("runtime", "rust") if of_toolchain else ("crates.io", crate)
    systems = sequence(mapping(head.get("affected")).get("os"))
    if systems and "linux" not in systems:
        return Entry(advisory, (Affected(place, "", package, status="not-affected"),))
    return Entry(advisory, (Affected(place, "", package, _ranges(mapping(head.get("versions")))),))


def _toml(text: str) -> dict[str, Any]:
    import tomllib

    # Each line below such a header would walk through all of it.
    if any(line.lstrip()[:1] == "[" and line.count(".") > _DEEPEST for line in text.splitlines()):
        raise Unusable(f"its front has a table that is more than {_DEEPEST} deep")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise Unusable(f"its front is no TOML: {error}") from None


def _ranges(versions: dict[str, Any]) -> Any:
    from kezuri.versions.order import Unordered
    from kezuri.versions.requirements import outside_of_cargo

    patched = words(versions.get("patched"), "a patched version", _MOST_REQUIREMENTS)
    unaffected = words(versions.get("unaffected"), "an unaffected version", _MOST_REQUIREMENTS)
    try:
        return outside_of_cargo(patched, unaffected)
    except Unordered as error:
        raise Unusable(f"its versions cannot be read: {error}") from None
