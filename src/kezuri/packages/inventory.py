"""The packages of a stack of layers: records put together, and which package a file of which layer belongs to."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from kezuri.packages.package import SYSTEM, Package, Record
from kezuri.packages.python import compiled_from
from kezuri.packages.records import listed_package

ALWAYS: Final = 1 << 30
"""The end of what no layer takes away."""
BESIDE: Final = frozenset(("copyright", "os release"))
"""Kinds of records that tell something of packages, and that no package is there."""
_APART: Final = frozenset(("site-packages", "dist-packages", "node_modules"))
"""Directories whose files do not belong to the package around them."""

_KEPT: Final = (
    ("var/lib/dpkg/", "dpkg"),
    ("var/lib/apt/", "apt"),
    ("var/cache/apt/", "apt"),
    ("var/cache/debconf/", "debconf"),
    ("var/lib/pam/", "libpam-runtime"),
    ("etc/pam.d/common-", "libpam-runtime"),
    ("etc/ld.so.cache", "libc-bin"),
    ("etc/ssl/certs/", "ca-certificates"),
    ("etc/ca-certificates.conf", "ca-certificates"),
    ("var/cache/ldconfig/", "libc-bin"),
    ("var/log/apt/", "apt"),
    ("var/log/dpkg.log", "dpkg"),
    ("etc/apk/world", "apk-tools"),
    ("lib/apk/db/", "apk-tools"),
    ("usr/lib/apk/db/", "apk-tools"),
    ("var/cache/apk/", "apk-tools"),
    ("var/lib/rpm/", "rpm"),
    ("usr/lib/sysimage/rpm/", "rpm"),
    ("usr/share/info/dir", "install-info"),
)
"""What packages of the system write when they are installed, and name nowhere."""
_STARTS: Final = tuple(start for start, _ in _KEPT)
_INFO = "var/lib/dpkg/info/"


class Installed(NamedTuple):
    """A package with the path of its record, and the layers in which it is so: from `since` on, before `until`."""

    package: Package
    record: str
    since: int = 0
    until: int = ALWAYS

    @property
    def shown(self) -> bool:
        """Whether the whole stack has it."""
        return self.until == ALWAYS


class Noted(NamedTuple):
    """A record as a layer has it: from layer `since` on, before `until`, in which something else is in its place."""

    path: str
    since: int
    until: int
    record: Record

    @property
    def shown(self) -> bool:
        """Whether the whole stack has it."""
        return self.until == ALWAYS


class Inventory:
    """Packages and the files that are theirs.

    Records are added one by one, then `settle` puts them together. What is claimed by several belongs to the first of
    these: a package that names the file, one that has the directory around it, the program that the file itself is.
    Of records of different layers that one counts which a layer's file was written under.
    """

    def __init__(self) -> None:
        self.installed: list[Installed] = []
        self.troubles: list[str] = []
        self.records: tuple[Noted, ...] = ()
        """What was added, in the order of paths and layers, once it is settled."""
        self.resolved: Callable[[str], str] = lambda directory: directory
        """Where a directory is whose path may lead over links."""
        self._noted: list[Noted] = []
        self._declared: list[Package] = []
        self._files: dict[str, int | list[int]] = {}
        self._directories: dict[str, list[int]] = {}
        self._programs: dict[str, list[int]] = {}
        self._system: dict[str, list[int]] = {}
        self._last: tuple[str, Sequence[int]] = ("", ())

    def add(self, path: str, record: Record, since: int = 0, until: int = ALWAYS) -> None:
        """A record as a layer has it, and from which layer on it is hidden."""
        if record.trouble and (until == ALWAYS or record.kind != "rpm journal"):
            self.troubles.append(record.trouble)
        self._noted.append(Noted(path, since, until, record))

    def declare(self, package: Package) -> None:
        """A package that somebody else than the files tells of; it counts where no record has one of its name."""
        self._declared.append(package)

    def settle(self, resolved: Callable[[str], str] = lambda directory: directory) -> None:
        """Put together what was added. `resolved` says where a directory is whose path may lead over links."""
        self.resolved = resolved
        self._noted.sort()
        self.records = tuple(self._noted)
        by_kind: dict[str, list[Noted]] = {}
        for noted in self._noted:
            by_kind.setdefault(noted.record.kind, []).append(noted)
        self._noted = []
        for kind in BESIDE:
            by_kind.pop(kind, None)
        places = _Places(resolved)
        self._settle_dpkg(by_kind, places)
        self._settle_pairs(by_kind, places, "dpkg one", "dpkg sums", lambda path: path.removesuffix(".md5sums"))
        self._settle_pairs(
            by_kind, places, "python", ("python files", "egg files"), lambda path: path.rpartition("/")[0]
        )
        for group in by_kind.values():
            for noted in group:
                for number, package in enumerate(noted.record.packages):
                    self._enter(package, noted, places, number == 0)
        known = {each.package.name for each in self.installed if each.package.ecosystem == "generic"}
        for package in self._declared:
            if package.name not in known:
                self._enter(package, Noted("", 0, ALWAYS, Record("declared")), places)

    def _settle_dpkg(self, by_kind: dict[str, list[Noted]], places: "_Places") -> None:
        states = sorted(by_kind.pop("dpkg", []), key=lambda noted: noted.since)
        lists = by_kind.pop("dpkg files", [])
        known = [{(each.name, each.architecture): each for each in noted.record.packages} for noted in states]
        names = [{each.name: each for each in noted.record.packages} for noted in states]
        listed: set[tuple[str, str]] = set()
        for noted in lists:
            if not states:
                break
            at = max((n for n, state in enumerate(states) if state.since <= noted.since), default=0)
            name, architecture = listed_package(noted.path)
            package = known[at].get((name, architecture)) if architecture else names[at].get(name)
            if package is not None:
                listed.add((package.name, package.architecture))
                self._enter(package._replace(files=package.files + noted.record.files), noted, places)
        for noted in states:
            for package in noted.record.packages:
                if (package.name, package.architecture) not in listed:
                    self._enter(package, noted, places)

    def _settle_pairs(
        self,
        by_kind: dict[str, list[Noted]],
        places: "_Places",
        kind: str,
        files: str | tuple[str, ...],
        key: Callable[[str], str],
    ) -> None:
        """Packages whose files another record names, which belongs to the same place."""
        lists: dict[str, list[Noted]] = {}
        for each in (files,) if isinstance(files, str) else files:
            for noted in by_kind.pop(each, []):
                lists.setdefault(key(noted.path), []).append(noted)
        for noted in by_kind.pop(kind, []):
            near = lists.get(key(noted.path), [])
            named = next((each for each in near if each.since == noted.since), near[0] if near else None)
            for at, package in enumerate(noted.record.packages):
                # A record that tells of many packages has the files of one.
                also = named.record.files if named and not at else ()
                self._enter(package._replace(files=package.files + also), noted, places)

    def _enter(self, package: Package, noted: Noted, places: "_Places", itself: bool = True) -> None:
        number = len(self.installed)
        self.installed.append(Installed(package, noted.path, noted.since, noted.until))
        if package.ecosystem in SYSTEM:
            self._system.setdefault(package.name, []).append(number)
            if noted.record.kind == "dpkg one":
                self._claim(noted.path, number)
                self._claim(f"{noted.path}.md5sums", number)
        for path in package.files:
            self._claim(places.file(path), number)
        for directory in package.directories:
            self._directories.setdefault(places.directory(directory), []).append(number)
        if itself and noted.record.kind in ("program", "archive"):
            self._programs.setdefault(noted.path, []).append(number)

    def _claim(self, path: str, number: int) -> None:
        before = self._files.get(path)
        if before is None:
            self._files[path] = number
        elif not isinstance(before, int):
            before.append(number)
        elif before != number:
            self._files[path] = [before, number]

    def owner(self, path: str, layer: int = ALWAYS - 1) -> int:
        """The number in `installed` of the package that a file of a layer belongs to; -1 for none."""
        claims: int | Sequence[int] | None = self._files.get(path)
        if claims is None:
            source = compiled_from(path) if path.endswith(".pyc") else ""
            claims = self._files.get(source) if source else None
        if claims is None:
            claims = self._around(path[: max(path.rfind("/"), 0)])
            if not claims:
                claims = self._programs.get(path, ())
                if not claims:
                    claims = self._kept(path)
                    if not claims:
                        return -1
        if isinstance(claims, int):
            return claims if self.installed[claims].until > layer else -1
        return self._of_layer(claims, layer)

    def _of_layer(self, claims: Iterable[int], layer: int) -> int:
        best, closest = -1, (False, False, 0, False)
        for number in claims:
            one = self.installed[number]
            if one.until <= layer:
                continue
            # The last record that the layer was written under, else the first one after it; before what a program says
            # of itself comes who put it there.
            past, ecosystem = one.since <= layer, one.package.ecosystem
            rank = (past, ecosystem != "generic", one.since if past else -one.since, ecosystem in SYSTEM)
            if best < 0 or rank > closest:
                best, closest = number, rank
        return best

    def _kept(self, path: str) -> Sequence[int]:
        """Packages of the system that keep a file without naming it."""
        if path.startswith(_INFO):
            name = path[len(_INFO) :].rpartition(".")[0].partition(":")[0]
            return self._system.get(name, ())
        if path.startswith(_STARTS):
            for start, name in _KEPT:
                if path.startswith(start):
                    return self._system.get(name, ())
        return ()

    def _around(self, directory: str) -> Sequence[int]:
        if self._last[0] == directory:
            return self._last[1]
        at, found = directory, ()  # type: tuple[str, Sequence[int]]
        while at:
            found = self._directories.get(at, ())
            if found or at[at.rfind("/") + 1 :] in _APART:
                break
            at = at[: max(at.rfind("/"), 0)]
        self._last = (directory, found)
        return found


class _Places:
    """Where files are whose paths lead over links: each directory is resolved once."""

    def __init__(self, resolved: Callable[[str], str]) -> None:
        self._resolved = resolved
        self._known: dict[str, str] = {}

    def file(self, path: str) -> str:
        directory, slash, name = path.rpartition("/")
        if not slash:
            return path
        at = self.directory(directory)
        return f"{at}/{name}" if at != directory else path

    def directory(self, path: str) -> str:
        at = self._known.get(path)
        if at is None:
            at = self._known[path] = self._resolved(path)
        return at
