"""What the files of a project say that is to be installed, for the bill of its directory."""

import os
from collections.abc import Iterator

from kezuri.linux.refusal import abridged
from kezuri.packages import locks
from kezuri.packages.package import Package
from kezuri.sbom.collecting import ordered
from kezuri.sbom.values import Bill, Component

_APART = frozenset(("node_modules", "site-packages", "dist-packages", "vendor", "__pycache__"))
"""Directories in which files of projects are those of packages, and not of this one."""
_MOST_FILES = 2_000


def with_locked(bill: Bill, path: str) -> Bill:
    """The bill with the packages that files below a directory lock, each with the files that name it. What cannot be
    read is told."""
    found: dict[tuple[str, str, str], Component] = {}
    told: list[str] = []
    for number, at in enumerate(_files(path)):
        if number >= _MOST_FILES:
            told.append(f"of files that lock versions {_MOST_FILES:,} were read: there are more")
            break
        name = at.rpartition("/")[2]
        if name in locks.UNREAD:
            if not any(locks.reader(each) for each in _beside(path, at)):
                told.append(f"/{abridged(at)} names packages, and is not read")
            continue
        try:
            with open(os.path.join(path, at), "rb") as file:
                packages = locks.read(name, file.read(locks.MOST + 1))
        except locks.Unreadable as error:
            told.append(f"/{abridged(at)} could not be read: {error}")
            continue
        except OSError as error:
            told.append(f"/{abridged(at)} could not be read: {error.strerror}")
            continue
        for package in packages:
            before = found.get(_key(package), Component(package))
            licence = before.package.licence or package.licence
            found[_key(package)] = Component(before.package._replace(licence=licence), -1, (*before.evidence, at))
    known = {_key(each.package) for each in bill.components}
    locked = [each for key, each in found.items() if key not in known]
    return bill._replace(components=ordered([*bill.components, *locked]), told=(*bill.told, *told))


def _key(package: Package) -> tuple[str, str, str]:
    return package.ecosystem, package.full_name, package.version


def _files(root: str) -> Iterator[str]:
    """The files below a directory that say something of versions, in order, without those of packages."""
    for place, directories, names in os.walk(root):
        directories[:] = sorted(each for each in directories if each not in _APART and not each.startswith("."))
        inner = os.path.relpath(place, root)
        for name in sorted(names):
            if locks.reader(name) is not None or name in locks.UNREAD:
                at = name if inner == "." else f"{inner}/{name}"
                if os.path.isfile(os.path.join(root, at)) and not os.path.islink(os.path.join(root, at)):
                    yield at


def _beside(root: str, at: str) -> list[str]:
    try:
        return os.listdir(os.path.dirname(os.path.join(root, at)))
    except OSError:
        return []
