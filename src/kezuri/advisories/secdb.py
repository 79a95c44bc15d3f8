"""Security databases of distributions that apk serves: Alpine, Wolfi, Chainguard; as JSON, or as YAML as it once was.

`packages[].pkg.secfixes` has, by version of the package, the faults that this version mends; by version `0` those that
never were in it. Each repository has a file of its own (`https://secdb.alpinelinux.org/v3.20/main.json`).
"""

import re
from collections.abc import Iterator
from functools import cmp_to_key
from typing import Any, Final

from kezuri.advisories.fields import MOST_VERSIONS, Unusable, mapping, sequence, word
from kezuri.advisories.notation import json_value, yaml_value
from kezuri.advisories.pieces import plain
from kezuri.advisories.reading import Reading
from kezuri.advisories.values import Advisory, Affected, Entry
from kezuri.diagnostics import KezuriError
from kezuri.versions.order import Unordered, comparison
from kezuri.versions.ranges import Event

_LARGEST = 128 << 20
_CVE = re.compile(r"CVE-\d{4}-\d{4,19}(?!\d)")
"""What follows it in a word (`CVE-2017-17434-1`, `CVE-2019-19451.patch`) is somebody's note."""
_ID = re.compile(r"[A-Z][A-Z0-9]{1,11}-[A-Za-z0-9][\w-]{0,60}$")
_PAGES: Final = {"Alpine": "https://security.alpinelinux.org/vuln/"}
_PREFIXES: Final = (("alpinelinux.org", "Alpine"), ("wolfi.dev", "Wolfi"), ("cgr.dev", "Chainguard"))
_REPOSITORIES: Final = {"os": "Wolfi", "chainguard": "Chainguard", "extra-packages": "Chainguard"}


class SecdbReading(Reading):
    """A repository's database: the file at a path, or these bytes out of it."""

    format = "secdb"

    def __init__(self, path: str, name: str, licence: str = "", data: bytes | None = None) -> None:
        super().__init__(path, name, licence)
        if data is None:
            with plain(path) as stream:
                data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise KezuriError.of(f"{path} has more than {_LARGEST} bytes, which are not read")
        self._document = mapping((json_value if data.lstrip()[:1] == b"{" else yaml_value)(data, path))
        self.ecosystem, self.release, repository = self._place()
        if not name:
            parts = (self.ecosystem.lower(), self.release, repository if self.ecosystem != "Wolfi" else "")
            self.name = "/".join(part for part in parts if part)

    def _place(self) -> tuple[str, str, str]:
        """The ecosystem, its release and the repository that the file says it is of."""
        release, prefix = (str(self._document.get(key) or "") for key in ("distroversion", "urlprefix"))
        repository = str(self._document.get("reponame") or "")
        if not isinstance(self._document.get("packages"), list):
            raise KezuriError.of(f"{self.address} is no security database: it has no list of packages")
        known = next((each for part, each in _PREFIXES if part in prefix), "") or _REPOSITORIES.get(repository, "")
        if not known and re.match(r"v\d+\.\d+$|edge", release):
            known = "Alpine"
        if not known:
            raise KezuriError.of(f"{self.address} does not say of which distribution it is")
        if known != "Alpine":
            return known, "", repository[:40]
        if not re.match(r"v\d{1,3}\.\d{1,3}$|edge", release):
            raise KezuriError.of(f"{self.address} does not say of which release of Alpine it is")
        return known, "edge" if release.startswith("edge") else release, repository[:40]

    def __iter__(self) -> Iterator[Entry]:
        self.ecosystems.add((self.ecosystem, self.release))
        found: dict[str, list[Affected]] = {}
        others: dict[str, set[str]] = {}
        for each in sequence(self._document.get("packages")):
            package = mapping(mapping(each).get("pkg"))
            try:
                name = word(package.get("name"), "the name of a package")
                fixes = self._fixes(name, mapping(package.get("secfixes")), others)
            except Unusable as trouble:
                self.losses.add(str(package.get("name"))[:200], str(trouble))
                continue
            for fault, versions in fixes.items():
                found.setdefault(fault, []).append(self._affected(name, versions))
        page = _PAGES.get(self.ecosystem, "")
        for fault, affected in found.items():
            linked = (page + fault,) if page and fault.startswith("CVE-") else ()
            aliases = tuple(sorted(others.get(fault, ())))
            yield Entry(Advisory(fault, self.name, aliases, references=linked), tuple(affected))

    def _fixes(self, name: str, fixes: dict[str, Any], others: dict[str, set[str]]) -> dict[str, dict[str, None]]:
        """The versions that mend each fault of a package; `others` gets what else the faults are called."""
        found: dict[str, dict[str, None]] = {}
        if len(fixes) > MOST_VERSIONS:
            raise Unusable(f"it names {len(fixes)} versions")
        for version, faults in fixes.items():
            word(version, "a version")
            for fault in sequence(faults):
                ids = [part.strip(",;()") for part in fault.split()] if isinstance(fault, str) else []
                ids = [cve[0] if (cve := _CVE.match(part)) else part for part in ids]
                ids = list(dict.fromkeys(part for part in ids if _ID.match(part)))
                known = [part for part in ids if part.startswith("CVE-")] or ids[:1]
                if not known:
                    self.losses.add(f"{name} {version}", f"{str(fault)[:80]!r} is no id of a fault")
                if len(known) == 1:
                    others.setdefault(known[0], set()).update(set(ids) - set(known))
                for each in known:
                    found.setdefault(each, {})[version] = None
        return found

    def _affected(self, name: str, versions: dict[str, None]) -> Affected:
        """A fault that was mended in several versions was not wholly mended before the last of them."""
        real = [version for version in versions if version != "0"]
        if not real:
            return Affected(self.ecosystem, self.release, name, status="not-affected")
        if len(real) > 1:
            try:
                real = [max(real, key=cmp_to_key(comparison("apk")))]
            except Unordered:
                pass
        ranges = tuple((Event("introduced", "0"), Event("fixed", version)) for version in real)
        return Affected(self.ecosystem, self.release, name, ranges)
