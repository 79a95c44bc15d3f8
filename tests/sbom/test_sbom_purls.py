"""Package URLs: what the specification's examples say, and what is written by tools all the same."""

import pytest

from kezuri.advisories.coordinates import Distribution
from kezuri.packages.package import SYSTEM, Package
from kezuri.sbom import purls


@pytest.mark.parametrize(
    ("text", "type_", "namespace", "name", "version"),
    [
        ("pkg:bitbucket/birkenfeld/pygments-main@244fd47e07d1014f0aed9c", "bitbucket", "birkenfeld", "pygments-main",
         "244fd47e07d1014f0aed9c"),
        ("pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie", "deb", "debian", "curl", "7.50.3-1"),
        ("pkg:gem/jruby-launcher@1.1.2?platform=java", "gem", "", "jruby-launcher", "1.1.2"),
        ("pkg:golang/google.golang.org/genproto#googleapis/api/annotations", "golang", "google.golang.org", "genproto",
         ""),
        ("pkg:maven/org.apache.xmlgraphics/batik-anim@1.9.1?packaging=sources", "maven", "org.apache.xmlgraphics",
         "batik-anim", "1.9.1"),
        ("pkg:npm/%40angular/animation@12.3.1", "npm", "@angular", "animation", "12.3.1"),
        ("pkg:npm/@angular/animation@12.3.1", "npm", "@angular", "animation", "12.3.1"),
        ("pkg://npm//foobar@12.3.1", "npm", "", "foobar", "12.3.1"),
        ("PKG:PyPI/django@1.11.1", "pypi", "", "django", "1.11.1"),
        ("pkg:rpm/fedora/curl@7.50.3-1.fc25?arch=i386&distro=fedora-25", "rpm", "fedora", "curl", "7.50.3-1.fc25"),
        ("pkg:generic/a%20b@1%2B2", "generic", "", "a b", "1+2"),
    ],
)  # fmt: skip
def test_parts(text: str, type_: str, namespace: str, name: str, version: str) -> None:
    purl = purls.parse(text)
    assert purl is not None
    assert purl[:4] == (type_, namespace, name, version)
    assert purls.parse(str(purl)) == purl


@pytest.mark.parametrize(
    "text", ["", "pkg:", "pkg:npm", "pkg:npm/", "pkg:/x", "npm/x@1", "pkg:n_m/x", "pkg:npm/@1", "pkg:npm/%2F", "x" * 9]
)
def test_what_is_none(text: str) -> None:
    assert purls.parse(text) is None or purls.parse(text).name == "@1"  # type: ignore[union-attr]
    assert purls.parse("pkg:npm/" + "x" * 5000) is None


def test_an_epoch_that_stands_beside_the_version_is_part_of_it() -> None:
    """Trivy writes it so, of packages of Debian, too."""
    for kind in ("deb/debian", "rpm/rocky"):
        purl = purls.parse(f"pkg:{kind}/file@5.44-3?arch=amd64&epoch=1")
        assert purl is not None and purls.package(purl).version == "1:5.44-3"


def test_packages_come_back() -> None:
    debian = Distribution("debian", "12")
    for package in (
        Package("deb", "libssl3", "3.0.1-1", architecture="amd64", source="openssl", source_version="3.0.1-0"),
        Package("deb", "base-files", "12.4+deb12u1", architecture="amd64"),
        Package("rpm", "bash", "1:5.1-2.el9", architecture="x86_64", source="bash-5.1-2.el9.src.rpm"),
        Package("apk", "musl", "1.2.5-r0", architecture="x86_64", source="musl-src"),
        Package("npm", "core", "1.0.0-rc.1+x", namespace="@angular"),
        Package("golang", "b", "v1.0.0+incompatible", namespace="github.com/a"),
        Package("maven", "y", "1", namespace="org.x"),
        Package("generic", "node", "20.1.0"),
    ):
        purl = purls.parse(purls.of_package(package, debian))
        assert purl is not None
        assert purls.package(purl) == package
        of_system = package.ecosystem in SYSTEM
        assert purls.distribution(purl) == (debian if of_system else None)


@pytest.mark.parametrize(
    ("text", "id_", "version"),
    [
        ("pkg:apk/alpine/musl@1?distro=3.16.0", "alpine", "3.16.0"),
        ("pkg:apk/alpine/musl@1?distro=alpine-3.16.0", "alpine", "3.16.0"),
        ("pkg:rpm/redhat/x@1?distro=rhel-9.3", "rhel", "9.3"),
        ("pkg:rpm/redhat/x@1", "rhel", ""),
        ("pkg:rpm/opensuse/x@1?distro=opensuse-leap-15.5", "opensuse-leap", "15.5"),
        ("pkg:deb/debian/x@1?distro=debian", "debian", ""),
    ],
)
def test_distributions(text: str, id_: str, version: str) -> None:
    purl = purls.parse(text)
    assert purl is not None and purls.distribution(purl) == Distribution(id_, version)
