"""Bills for tests, small, with all that a bill can say, and what nobody should."""

from kezuri.advisories.coordinates import Distribution
from kezuri.packages.package import Package
from kezuri.sbom.values import Bill, BillLayer, Component

DIGEST = "sha256:" + "ab" * 32
DEBIAN = Distribution("debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm", ("ubuntu", "mint"))


def image() -> Bill:
    """An image with packages of several kinds."""
    layers = (
        BillLayer("sha256:" + "11" * 32, "ADD rootfs.tar /", of_base=True),
        BillLayer("sha256:" + "22" * 32, "RUN npm ci", "app/Dockerfile", 7),
    )
    components = (
        Component(
            Package(
                "deb",
                "libssl3",
                "3.0.11-1~deb12u2",
                ("usr/lib/libssl.so.3",),
                architecture="amd64",
                source="openssl",
                licence="Apache-2.0",
                size=4096,
                vendor="Debian OpenSSL Team <pkg-openssl-devel@alioth-lists.debian.net>",
            ),
            0,
            ("var/lib/dpkg/status",),
        ),
        Component(Package("deb", "libgcc-s1", "12.2.0-14", source="gcc-12", source_version="12.2.0-13"), 0),
        Component(Package("deb", "docker-ce", "5:27.1-1", architecture="amd64"), 1, ("var/lib/dpkg/status",), True),
        Component(Package("generic", "node", "20.11.1"), 0, ("env:NODE_VERSION", "usr/local/include/node/node.h")),
        Component(
            Package("golang", "server", "", namespace="github.com/Azure", built_here=True), 1, ("usr/bin/server",)
        ),
        Component(
            Package("npm", "core", "1.0.0", namespace="@angular", licence="(MIT OR Apache-2.0)"),
            1,
            ("app/node_modules/@angular/core/package.json",),
        ),
        Component(Package("npm", "odd", "1", licence="do what you like"), 1, ("app/node_modules/odd/package.json",)),
        Component(Package("pypi", "caf\udce9\x1b[31m", "1.0\x00"), 1, ("usr/lib/\udcff/METADATA",)),
        Component(Package("deb", "tzdata", "2024a-0", licence="public-domain AND Expat"), 0),
        Component(
            Package("rpm", "bash", "1:5.1-2", source="bash-5.1-2.src.rpm", licence="GPLv3+", vendor="Red Hat, Inc."), 1
        ),
    )
    return Bill(
        "docker.io/library/app:1",
        "image",
        DIGEST,
        "linux/amd64",
        "2024-05-01T10:11:12.123456789+02:00",
        DEBIAN,
        layers,
        components,
        "docker.io/library/node:20",
        ("usr/lib/x.jar: nested too deep",),
    )


def empty() -> Bill:
    """A directory in which nothing was found."""
    return Bill("", "directory", "", "", "", Distribution(), (), ())
