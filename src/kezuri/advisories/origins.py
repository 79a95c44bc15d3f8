"""Where advisories are fetched from: one table of addresses, formats and licences, and which are fetched by default."""

from typing import NamedTuple
from urllib.parse import quote, unquote

from kezuri.advisories.reading import Format


class Origin(NamedTuple):
    """A data set that can be fetched. `name` is its name in the database; `ecosystems` what it tells of, as pairs of
    ecosystem and release (an empty release: all of them), empty where only the data says so. A `usual` one is fetched
    by `kezuri db update` without names. One that is `expected` will be there one day: nobody wonders that it is not.
    `credentials` are NAME:PASSWORD for its host, where a user's own address has them."""

    name: str
    address: str
    format: Format
    licence: str
    ecosystems: tuple[tuple[str, str], ...] = ()
    usual: bool = True
    expected: bool = False
    credentials: str = ""

    def at(self, url: str) -> "Origin":
        """The same at another address, which may have NAME:PASSWORD@ before its host."""
        scheme, mark, rest = url.partition("://")
        place, slash, path = rest.partition("/")
        credentials, _, host = place.rpartition("@")
        return self._replace(address=f"{scheme}{mark}{host}{slash}{path}", credentials=unquote(credentials))


def _osv(ecosystem: str, licence: str, usual: bool = True) -> Origin:
    address = f"https://osv-vulnerabilities.storage.googleapis.com/{quote(ecosystem)}/all.zip"
    return Origin(f"osv/{ecosystem}", address, "osv", licence, ((ecosystem, ""),), usual)


def _alpine(release: str, repository: str, expected: bool) -> Origin:
    return Origin(
        f"alpine/{release}/{repository}",
        f"https://secdb.alpinelinux.org/{release}/{repository}.json",
        "secdb",
        "CC-BY-SA-4.0",
        (("Alpine", release),),
        expected=expected,
    )


_GITHUB = "CC-BY-4.0"
_ALPINE_NEWEST = 23
"""The newest release of Alpine when this was written, 3.23 of December 2025."""

ORIGINS = (
    # https://google.github.io/osv.dev/data/: an archive of all advisories of each ecosystem.
    _osv("npm", _GITHUB),
    _osv("PyPI", _GITHUB),
    _osv("Go", _GITHUB),
    _osv("crates.io", "CC0-1.0 AND CC-BY-4.0"),
    _osv("Maven", _GITHUB),
    _osv("RubyGems", _GITHUB),
    _osv("Packagist", _GITHUB),
    _osv("NuGet", _GITHUB),
    _osv("Rocky Linux", "BSD-3-Clause"),
    _osv("AlmaLinux", "MIT"),
    _osv("Ubuntu", "CC-BY-SA-4.0", usual=False),
    _osv("Red Hat", "CC-BY-4.0", usual=False),
    _osv("openSUSE", "CC-BY-4.0", usual=False),
    _osv("SUSE", "CC-BY-4.0", usual=False),
    _osv("Hex", _GITHUB, usual=False),
    _osv("Pub", _GITHUB, usual=False),
    _osv("SwiftURL", _GITHUB, usual=False),
    # https://security-tracker.debian.org/tracker/data/json: every release that is supported, with what is not mended.
    Origin(
        "debian",
        "https://security-tracker.debian.org/tracker/data/json",
        "debian",
        "MIT",
        (("Debian", ""),),
    ),
    # https://secdb.alpinelinux.org/: one file for each release and repository.
    *(
        _alpine(f"v3.{minor}", repository, minor > _ALPINE_NEWEST)
        for minor in range(15, _ALPINE_NEWEST + 5)
        for repository in ("main", "community")
    ),
    _alpine("edge", "main", False),
    _alpine("edge", "community", False),
    # The distributions do not say how severe a fault is, but for a few. OSV repeats their data with the scores of NVD.
    _osv("Debian", "MIT"),
    _osv("Alpine", "CC-BY-SA-4.0"),
    Origin("wolfi", "https://packages.wolfi.dev/os/security.json", "secdb", "Apache-2.0", (("Wolfi", ""),)),
    Origin(
        "chainguard",
        "https://packages.cgr.dev/chainguard/security.json",
        "secdb",
        "Apache-2.0",
        (("Chainguard", ""),),
    ),
    # https://github.com/nodejs/security-wg: what is known to be broken in Node.js itself.
    Origin(
        "node",
        "https://raw.githubusercontent.com/nodejs/security-wg/main/vuln/core/index.json",
        "node",
        "MIT",
    ),
    # https://github.com/bitnami/vulndb: what is known to be broken in Python, PHP, Ruby and other programs of upstream.
    Origin(
        "bitnami",
        "https://osv-vulnerabilities.storage.googleapis.com/Bitnami/all.zip",
        "osv",
        "Apache-2.0",
        (("runtime", ""), ("Bitnami", "")),
    ),
    # https://www.cisa.gov/known-exploited-vulnerabilities-catalog
    Origin(
        "kev",
        "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
        "kev",
        "CC0-1.0",
    ),
    # https://www.first.org/epss/data_stats
    Origin("epss", "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz", "epss", "FIRST EPSS terms of use"),
)
"""Every origin. A name says what a data set is of, and stays when its address changes."""


def origins(elsewhere: tuple[tuple[str, str], ...] = ()) -> dict[str, Origin]:
    """Every origin by its name. `elsewhere` are (name, URL) that take the place of an address here; a name that ends in
    `*` is for all that begin so, and then what the name has after that stands in for `*` in the URL."""
    found = {origin.name: origin for origin in ORIGINS}
    for name, url in elsewhere:
        if not name.endswith("*"):
            if name in found:
                found[name] = found[name].at(url)
            continue
        for own in found:
            if own.startswith(name[:-1]):
                found[own] = found[own].at(url.replace("*", quote(own[len(name) - 1 :])))
    return found
