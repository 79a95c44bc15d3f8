"""Which packages a stack of layers has in the end, by its records: each with the layer from which on it is so, and
with every record that tells of it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kezuri.packages.inventory import ALWAYS, Noted
from kezuri.packages.package import Package
from kezuri.packages.records import listed_package

_PAIRED = {"dpkg files": "dpkg", "dpkg sums": "dpkg one", "python files": "python", "egg files": "python"}
"""Kinds of records that name the files of packages that records of another kind tell of."""
_Same = tuple[str, str, str, str, str]


class Present(NamedTuple):
    """A package that the whole stack has. `since` is the lowest layer from which on it is there without a break, in the
    same version; `evidence` are the paths of the records, those that tell of it first."""

    package: Package
    since: int
    evidence: tuple[str, ...]


def present(records: Iterable[Noted], resolved: Callable[[str], str] = lambda directory: directory) -> list[Present]:
    """The packages by records in the order of paths and layers. What a database of a package manager says last is what
    counts, whatever lists of files are left. `resolved` says where a directory is whose path may lead over links."""
    histories: dict[str, list[Noted]] = {}
    for noted in records:
        histories.setdefault(noted.path, []).append(noted)
    shown = [history for history in histories.values() if history[-1].until == ALWAYS]
    files = _Files(shown)
    licences = {history[-1].path: history[-1].record.text for history in shown if _kind(history) == "copyright"}
    found: list[Present] = []
    for history in shown:
        last = history[-1]
        if last.record.kind in _PAIRED:
            continue
        spans = _Spans(history)
        for package in last.record.packages:
            if not package.name:
                continue
            named, also = files.of(last, package)
            if named:
                package = package._replace(files=package.files + named)
            if package.ecosystem == "deb" and not package.licence:
                where = f"{resolved(f'usr/share/doc/{package.name}')}/copyright"
                package = package._replace(licence=_together(licences.get(where, "")))
            found.append(Present(package, spans.since(package), (last.path, *also)))
    return found


def merged(found: Iterable[Present]) -> list[Present]:
    """The same with each package once for each layer that it came with, its records and files put together."""
    groups: dict[tuple[_Same, int], list[Present]] = {}
    for each in found:
        groups.setdefault((_same(each.package), each.since), []).append(each)
    return [group[0] if len(group) == 1 else _one(group) for group in groups.values()]


def _one(group: list[Present]) -> Present:
    packages = [each.package for each in group]
    package = packages[0]._replace(
        files=tuple(dict.fromkeys(path for each in packages for path in each.files)),
        directories=tuple(dict.fromkeys(path for each in packages for path in each.directories)),
        licence=next((each.licence for each in packages if each.licence), ""),
        built_here=all(each.built_here for each in packages),
    )
    return Present(package, group[0].since, tuple(dict.fromkeys(path for each in group for path in each.evidence)))


def _kind(history: list[Noted]) -> str:
    return history[-1].record.kind


def _same(package: Package) -> _Same:
    return package.ecosystem, package.namespace, package.name, package.version, package.architecture


class _Spans:
    """What one file was like, layer after layer, as long as it was there without a break."""

    def __init__(self, history: list[Noted]) -> None:
        self._states: list[tuple[int, frozenset[_Same]]] = []
        above = history[-1]
        self._top = above.since
        for noted in history[-2::-1]:
            if noted.until != above.since:
                break
            self._states.append((noted.since, frozenset(map(_same, noted.record.packages))))
            above = noted

    def since(self, package: Package) -> int:
        """The lowest layer from which on the file tells of this package."""
        found = self._top
        if self._states:
            same = _same(package)
            for since, packages in self._states:
                if same not in packages:
                    break
                found = since
        return found


class _Files:
    """The lists of files that are there in the end, by what they belong to."""

    def __init__(self, shown: list[list[Noted]]) -> None:
        self._lists: dict[tuple[str, str], Noted] = {}
        self._given: set[tuple[str, str]] = set()
        for history in shown:
            last = history[-1]
            kind = _PAIRED.get(last.record.kind)
            if kind == "dpkg":
                name, architecture = listed_package(last.path)
                self._lists[kind, f"{name}:{architecture}"] = last
            elif kind is not None:
                self._lists[kind, _place(kind, last.path)] = last

    def of(self, noted: Noted, package: Package) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The files of a package by the list that there is, and that list's path. A record that tells of a package a
        thousand times has its files once."""
        kind = noted.record.kind
        if kind == "dpkg":
            keys = [f"{package.name}:{package.architecture}", f"{package.name}:"]
        else:
            keys = [_place(kind, noted.path)]
        for key in keys:
            found = self._lists.get((kind, key))
            if found is not None:
                files = () if (kind, key) in self._given else found.record.files
                self._given.add((kind, key))
                return files, (found.path,)
        return (), ()


def _place(kind: str, path: str) -> str:
    return path.removesuffix(".md5sums") if kind == "dpkg one" else path.rpartition("/")[0]


def _together(licences: str) -> str:
    """Licences that hold for parts of a package, as one expression."""
    parts = licences.split("\n") if licences else []
    if len(parts) > 1:
        parts = [f"({part})" if " or " in part.lower() or " and " in part.lower() else part for part in parts]
    return " AND ".join(parts)
