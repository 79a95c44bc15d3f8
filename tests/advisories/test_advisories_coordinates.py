"""Where packages are looked for: by the words of os-release, of records and of advisories."""

import pytest

from kezuri.advisories.coordinates import Distribution, coordinates, distribution_of, of_distribution, place
from kezuri.packages.package import Package


@pytest.mark.parametrize(
    ("id", "version", "codename", "place"),
    [
        ("debian", "12", "bookworm", ("Debian", "12")),
        ("debian", "", "trixie", ("Debian", "13")),
        ("debian", "", "sid", ("Debian", "sid")),
        ("ubuntu", "22.04", "jammy", ("Ubuntu", "22.04")),
        ("alpine", "3.20.3", "", ("Alpine", "v3.20")),
        ("alpine", "3.21.0_alpha20240807", "", ("Alpine", "edge")),
        ("wolfi", "20230201", "", ("Wolfi", "")),
        ("rocky", "9.3", "", ("Rocky Linux", "9")),
        ("rhel", "8.10", "", ("Red Hat", "8")),
        ("amzn", "2023", "", ("Amazon Linux", "2023")),
        ("fedora", "40", "", ("Fedora", "40")),
        ("opensuse-leap", "15.6", "", ("openSUSE", "Leap 15.6")),
        ("opensuse-tumbleweed", "20240101", "", ("openSUSE", "Tumbleweed")),
        ("azurelinux", "3.0", "", ("Azure Linux", "3")),
        ("minimos", "20250101", "", ("MinimOS", "")),
        ("raspbian", "12", "bookworm", ("raspbian", "12")),
        ("", "", "", ("", "")),
    ],
)
def test_distributions(id: str, version: str, codename: str, place: tuple[str, str]) -> None:
    assert of_distribution(Distribution(id, version, "", codename)) == place


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("PyPI", ("PyPI", "")),
        ("Debian:12", ("Debian", "12")),
        ("Alpine:v3.20", ("Alpine", "v3.20")),
        ("Ubuntu:22.04:LTS", ("Ubuntu", "22.04")),
        ("Ubuntu:23.10", ("Ubuntu", "23.10")),
        ("Ubuntu:Pro:18.04:LTS", ("Ubuntu:Pro", "18.04")),
        ("Ubuntu:Pro:FIPS:16.04:LTS", ("Ubuntu:Pro:FIPS", "16.04")),
        ("Rocky Linux:8", ("Rocky Linux", "8")),
        ("Red Hat:enterprise_linux:9::baseos", ("Red Hat", "9")),
        ("Red Hat:enterprise_linux:10.1", ("Red Hat", "10")),
        ("openEuler:24.03-LTS", ("openEuler", "24.03-LTS")),
        ("Red Hat:openshift:4.10::el8", ("Red Hat:openshift:4.10::el8", "")),
        ("Red Hat:rhel_eus:8.4::appstream", ("Red Hat:rhel_eus:8.4::appstream", "")),
    ],
)
def test_words_of_osv_for_releases(word: str, found: tuple[str, str]) -> None:
    assert place(word) == found


@pytest.mark.parametrize(
    ("package", "found"),
    [
        (Package("pypi", "Flask_Login", "1"), ("PyPI", "", "flask-login", "1", "pep440")),
        (Package("npm", "core", "1.0.0", namespace="@babel"), ("npm", "", "@babel/core", "1.0.0", "semver")),
        (Package("golang", "net", "v0.1.0", namespace="golang.org/x"), ("Go", "", "golang.org/x/net", "v0.1.0", "go")),
        (Package("golang", "stdlib", "go1.19.8"), ("Go", "", "stdlib", "1.19.8", "go")),
        (Package("golang", "stdlib", "1.21"), ("Go", "", "stdlib", "1.21.0", "go")),
        (Package("golang", "stdlib", "go1.22rc1 X:boringcrypto"), ("Go", "", "stdlib", "1.22.0-rc.1", "go")),
        (Package("golang", "stdlib", "go1.20.6-fips"), ("Go", "", "stdlib", "1.20.6", "go")),
        (Package("generic", "go", "1.22"), ("Go", "", "toolchain", "1.22.0", "go")),
        (Package("maven", "log4j-core", "2.14.1", namespace="org.apache.logging.log4j"),
         ("Maven", "", "org.apache.logging.log4j:log4j-core", "2.14.1", "maven")),
        (Package("cargo", "smallvec", "1.6.0"), ("crates.io", "", "smallvec", "1.6.0", "semver")),
        (Package("composer", "Yaml", "5.0", namespace="Symfony"), ("Packagist", "", "symfony/yaml", "5.0", "composer")),
        (Package("nuget", "Newtonsoft.Json", "12.0.1"), ("NuGet", "", "newtonsoft.json", "12.0.1", "nuget")),
        (Package("gem", "rack", "2.0.1"), ("RubyGems", "", "rack", "2.0.1", "gem")),
        (Package("generic", "node", "20.1.0"), ("runtime", "", "node", "20.1.0", "semver")),
        (Package("generic", "openjdk", "17.0.15+6"), ("runtime", "", "openjdk", "17.0.15+6", "generic")),
        (Package("rpm", "openssl-libs", "1:3.0.7-27.el9", source="openssl-3.0.7-27.el9.src.rpm"),
         ("Rocky Linux", "9", "openssl", "1:3.0.7-27.el9", "rpm")),
        (Package("unheard", "x", "1"), None),
        (Package("npm", "x", ""), None),
    ],
)  # fmt: skip
def test_packages(package: Package, found: tuple[str, ...] | None) -> None:
    assert coordinates(package, Distribution("rocky", "9.3")) == found


def test_the_support_of_a_release_is_a_part_of_its_name() -> None:
    assert of_distribution(Distribution("openeuler", "24.03", "openEuler 24.03 (LTS)")) == ("openEuler", "24.03-LTS")


def test_data_that_name_each_package_are_asked_for_each() -> None:
    package = Package("rpm", "openssl-libs", "1:3.0.7-27.el9", source="openssl-3.0.7-27.el9.src.rpm")
    found = coordinates(package, Distribution("almalinux", "9.3"))
    assert found is not None
    assert found.name == "openssl-libs"


@pytest.mark.parametrize(
    ("kind", "id", "found"),
    [
        ("deb", "alpine", ("deb", "")),
        ("rpm", "debian", ("rpm", "")),
        ("apk", "rocky", ("apk", "")),
        ("deb", "debian", ("Debian", "12")),
        ("rpm", "fedora", ("Fedora", "12")),
        ("apk", "somebody", ("somebody", "12")),
    ],
)
def test_packages_of_another_manager_are_not_the_distributions(kind: str, id: str, found: tuple[str, str]) -> None:
    at = coordinates(Package(kind, "openssl", "1"), Distribution(id, "12"))
    assert at is not None
    assert (at.ecosystem, at.release) == found


def test_os_release_as_a_shell_reads_it() -> None:
    text = (
        '# x\nID="debian"\nVERSION_ID=12\nPRETTY_NAME=\'Debian "12"\'\nID_LIKE="a b"\nVERSION_CODENAME=bookworm\n'
        "broken\n=\n"
    )
    assert distribution_of(text) == Distribution("debian", "12", 'Debian "12"', "bookworm", ("a", "b"))
    assert distribution_of('ID=x\nNAME="a \\"b\\" \\$c"') == Distribution("x", "", 'a "b" $c')
    assert distribution_of("\0\xff\n" * 1000) == Distribution()
