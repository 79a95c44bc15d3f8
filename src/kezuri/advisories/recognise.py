"""Recognises advisory data by what it holds, whatever its files are called, and opens the reader of its format."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from kezuri.advisories.pieces import LARGEST, is_archive, pieces, plain
from kezuri.advisories.reading import FORMATS, Format, Reading
from kezuri.diagnostics import KezuriError

_HEAD = 64 << 10
_SAMPLE = 40
_MOST_LOOKED_AT = 2000
_DEEPEST = 6
_SET = ("osv", "rustsec", "node")
"""Formats of which a directory of many files is one set; of the others each file is one."""
_LICENCES = {
    "pypa": "CC-BY-4.0",
    "ghsa": "CC-BY-4.0",
    "osv/Go": "CC-BY-4.0",
    "osv/npm": "CC-BY-4.0",
    "osv/PyPI": "CC-BY-4.0",
    "rustsec": "CC0-1.0",
    "osv/crates.io": "CC0-1.0",
    "node": "MIT",
    "node/npm": "MIT",
    "bitnami": "Apache-2.0",
    "kev": "CC0-1.0",
}
"""What those who keep the data say; `osv/crates.io` and others have some of GitHub's besides, under CC-BY-4.0."""

_TRACKER = re.compile(r'\s*\{\s*"[^"]{1,200}"\s*:\s*\{\s*"(?:CVE|TEMP)-[^"]{1,60}"\s*:\s*\{')
_RUSTSEC = re.compile(r"\s*(?:```|~~~)toml\s+\[advisory\]")
_OSV_YAML = re.compile(r"(?:id|schema_version|modified|affected):", re.MULTILINE)


class _Seen(NamedTuple):
    """What a file is by its first bytes: its format, and for OSV its id's prefix and the ecosystems it names; for the
    Node group's, whether it is about Node itself or about packages."""

    format: Format
    prefix: str = ""
    ecosystems: frozenset[str] = frozenset()
    part: str = ""


def recognised(path: str) -> tuple[Reading, ...]:
    """The data sets that a path holds: a file, an archive (zip, tar, each compressed or not), or a directory, which may
    hold several, each in a directory or file of its own. KezuriError that says what is there where it holds none."""
    if not os.path.exists(path):
        raise KezuriError.of(f"there is no {path}")
    found = tuple(_sets(path, 0))
    if not found:
        raise KezuriError.of(
            f"{path} holds no advisory data that is known",
            hint="known are OSV (JSON, YAML, zip), Debian's tracker, secdb of Alpine, Wolfi and Chainguard, RustSec, "
            "advisories of the Node.js security group, KEV and EPSS",
        )
    named: dict[str, str] = {}
    for each in found:
        other = named.setdefault(each.name, each.address)
        if other != each.address:
            raise KezuriError.of(
                f"{other} and {each.address} are both data of {each.name}", hint="give one of them at a time"
            )
    return found


def reading(format: Format, path: str, name: str = "") -> Reading:
    """What a path holds, read as this format under this name (else under the one that its content gives it)."""
    if format not in FORMATS:
        raise KezuriError.of(f"{format!r} is no format of advisories")
    name = name or ("" if format == "secdb" else _name(_Seen(format), [_Seen(format)]))
    licence = _LICENCES.get(name, "")
    if format == "osv":
        from kezuri.advisories.osv import OsvReading

        return OsvReading(path, name, licence)
    if format == "debian":
        from kezuri.advisories.debian_tracker import DebianReading

        return DebianReading(path, name, licence)
    if format == "secdb":
        from kezuri.advisories.secdb import SecdbReading

        return SecdbReading(path, name, licence)
    if format == "rustsec":
        from kezuri.advisories.rustsec import RustsecReading

        return RustsecReading(path, name, licence)
    if format == "node":
        from kezuri.advisories.node_group import NodeReading

        return NodeReading(path, name, licence)
    if format == "kev":
        from kezuri.advisories.kev import KevReading

        return KevReading(path, name, licence)
    from kezuri.advisories.epss import EpssReading

    return EpssReading(path, name, licence)


def _sets(path: str, depth: int) -> Iterator[Reading]:
    if not os.path.isdir(path):
        if is_archive(path):
            yield from _of_archive(path)
        elif (one := _seen(_head(path), os.path.basename(path))) is not None:
            yield _opened(path, [one])
        return
    if depth > _DEEPEST:
        return
    seen = _samples(path)
    kinds = {(each.format, each.part) for each in seen}
    if len(kinds) == 1 and seen[0].format in _SET and not _holds_archives(path):
        yield _opened(path, seen)
        return
    for name in sorted(os.listdir(path)):
        below = os.path.join(path, name)
        if not name.startswith(".") and not os.path.islink(below) and (os.path.isdir(below) or os.path.isfile(below)):
            yield from _sets(below, depth + 1)


def _of_archive(path: str) -> Iterator[Reading]:
    """The data sets of an archive: one, or several of secdb or of the Node group, whose files tell themselves apart."""
    seen = list(_first(path, _MOST_LOOKED_AT))
    if not seen:
        return
    format = Counter(each.format for each in seen).most_common(1)[0][0]
    if format == "secdb":
        from kezuri.advisories.secdb import SecdbReading

        for piece in pieces(path):
            if piece.name.endswith((".json", ".yaml", ".yml")):
                yield SecdbReading(path, "", _LICENCES.get("alpine", ""), piece.read(LARGEST))
    elif format == "node":
        for part in sorted({each.part for each in seen if each.format == "node"}):
            yield _opened(path, [each for each in seen if each.format == "node" and each.part == part])
    elif format in _SET:
        yield _opened(path, seen)
    else:
        raise KezuriError.of(f"{path} is an archive with one file of data in it", hint="unpack it, and give the file")


def _opened(path: str, seen: list[_Seen]) -> Reading:
    (format, part), _ = Counter((each.format, each.part) for each in seen).most_common(1)[0]
    of_it = [each for each in seen if each.format == format and each.part == part]
    return reading(format, path, "" if format == "secdb" else _name(of_it[0], of_it))


def _name(one: _Seen, seen: list[_Seen]) -> str:
    """The name of a data set by what a sample of it has in common."""
    if one.format == "node":
        return "node/npm" if one.part == "npm" else "node"
    if one.format != "osv":
        return one.format
    prefixes = {each.prefix for each in seen}
    if prefixes == {"PYSEC"}:
        return "pypa"
    common = frozenset.intersection(*(each.ecosystems for each in seen))
    if common == {"Bitnami"}:
        return "bitnami"
    if len(common) == 1:
        return f"osv/{next(iter(common))}"
    return "ghsa" if prefixes == {"GHSA"} else "osv"


def _holds_archives(path: str) -> bool:
    """Whether files that are data sets by themselves lie in a directory."""
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return any(name.endswith((".zip", ".tar", ".tgz", ".gz", ".xz", ".zst", ".bz2", ".csv")) for name in names)


def _samples(path: str) -> list[_Seen]:
    """What some of the documents of a directory are: of each directory in it the first ones, so that sets side by side
    are told from each other."""
    with os.scandir(path) as entries:
        below = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    below = [name for name in below if not name.startswith(".")]
    found: list[_Seen] = []
    for name in below[:: max(1, len(below) // _SAMPLE)]:
        found += _first(os.path.join(path, name), 2)
    return [*found, *_first(path, _SAMPLE)]


def _first(path: str, count: int) -> Iterator[_Seen]:
    """The first documents that are known, of the first two thousand."""
    for number, piece in enumerate(pieces(path)):
        if number >= _MOST_LOOKED_AT or not count:
            return
        name = piece.name.rpartition("/")[2]
        if not name.endswith((".json", ".yaml", ".yml", ".md", ".csv", ".gz")) or name == "index.json":
            continue
        try:
            found = _seen(piece.read(LARGEST)[:_HEAD], piece.name)
        except KezuriError:
            continue
        if found is not None:
            count -= 1
            yield found


def _head(path: str) -> bytes:
    with plain(path) as stream:
        return stream.read(_HEAD)


def _seen(head: bytes, name: str) -> _Seen | None:
    """What a document is by its first bytes; None for what is none of them."""
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    start = text.lstrip()[:1]
    if start == "{":
        return _json(text)
    if start == "[":
        return _osv(text) if '"affected"' in text and '"id"' in text else None
    if _RUSTSEC.match(text):
        return _Seen("rustsec")
    line = text.partition("\n")[0]
    if line.startswith("#model_version") or line.strip().startswith("cve,epss"):
        return _Seen("epss")
    if re.search(r"^distroversion:|^reponame:", text, re.MULTILINE) and re.search(r"^packages:", text, re.MULTILINE):
        return _Seen("secdb")
    if name.endswith((".yaml", ".yml")) and len(set(_OSV_YAML.findall(text))) >= 2 and "affected:" in text:
        return _osv(text)
    return None


def _json(text: str) -> _Seen | None:
    if '"cveID"' in text and '"vulnerabilities"' in text:
        return _Seen("kev")
    if '"packages"' in text and ('"secfixes"' in text or '"apkurl"' in text or '"urlprefix"' in text):
        return _Seen("secdb")
    if '"module_name"' in text and '"vulnerable_versions"' in text:
        return _Seen("node", part="npm")
    if '"vulnerable"' in text and '"cve"' in text:
        return _Seen("node", part="core")
    if '"releases"' in text and _TRACKER.match(text):
        return _Seen("debian")
    if '"id"' in text and ('"affected"' in text or '"schema_version"' in text or '"modified"' in text):
        return _osv(text)
    return None


def _osv(text: str) -> _Seen:
    """An OSV document: its id is the only one of its form that stands so far to the left."""
    found = re.search(r"[\"']?\bid[\"']?\s*:\s*[\"']?([A-Z][A-Za-z]{1,15})-", text)
    ecosystems = re.findall(r"[\"']?\becosystem[\"']?\s*:\s*[\"']?([A-Za-z][A-Za-z. ]{0,40}[A-Za-z])", text)
    return _Seen("osv", found[1] if found else "", frozenset(ecosystems))
