"""A bill, matches and findings for tests of the room `scan`: small, by hand."""

from kezuri.advisories.coordinates import Coordinates, Distribution
from kezuri.advisories.matching import Match
from kezuri.advisories.values import Advisory, Severity, Signal, Status
from kezuri.packages.package import Package
from kezuri.sbom.values import Bill, BillLayer, Component
from kezuri.scan.values import Finding

DEBIAN = Distribution("debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm")
DIGEST = "sha256:" + "ab" * 32
LAYERS = (
    BillLayer("sha256:" + "1" * 64, "ADD rootfs.tar /", of_base=True),
    BillLayer("sha256:" + "2" * 64, "RUN apt-get install -y curl", "Dockerfile", 3),
    BillLayer("sha256:" + "3" * 64, "RUN npm ci", "Dockerfile", 5),
)
COMPONENTS = (
    Component(Package("deb", "libssl3", "3.0.1-1", source="openssl", architecture="amd64", licence="Apache-2.0"), 0),
    Component(Package("deb", "curl", "7.88-1", architecture="amd64", licence="curl"), 1, ("var/lib/dpkg/status",)),
    Component(Package("npm", "lodash", "4.17.15", licence="MIT"), 2, ("app/node_modules/lodash/package.json",)),
    Component(Package("generic", "node", "20.11.1"), 0, ("env:NODE_VERSION",)),
    Component(Package("deb", "docker-ce", "5:27.1-1", licence="GPL-3.0-only OR Apache-2.0"), 1, foreign=True),
)
BILL = Bill(
    "registry.example/team/app:1", "image", DIGEST, "linux/amd64", "2024-05-01T00:00:00Z", DEBIAN, LAYERS, COMPONENTS,
    "node:20",
)  # fmt: skip


def match(
    component: int,
    id: str,
    severity: Severity = "high",
    fixed: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
    signal: Signal | None = None,
    status: Status = "affected",
    kind: str = "",
) -> Match:
    """A match of the component of that number."""
    package = COMPONENTS[component].package
    at = Coordinates("npm", "", package.name, package.version, "semver")
    return Match(
        component, at, Advisory(id, "test", aliases, f"about {id}", kind=kind), status, severity, fixed, signal
    )


def fault(
    id: str = "CVE-2024-1",
    severity: Severity = "high",
    component: int = 2,
    fixed: tuple[str, ...] = (),
    signal: Signal | None = None,
    aliases: tuple[str, ...] = (),
) -> Finding:
    """A finding about the component of that number."""
    from kezuri.scan.findings import vulnerabilities

    return vulnerabilities(BILL, range(len(COMPONENTS)), [match(component, id, severity, fixed, aliases, signal)])[0]
