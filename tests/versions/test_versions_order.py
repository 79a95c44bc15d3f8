"""Orders of versions, by what package managers document and test of their own."""

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import get_args

import pytest

from kezuri.versions.order import Scheme, Unordered, comparison

ASCENDING: dict[Scheme, list[str]] = {
    # deb-version(7), and Debian's policy.
    "dpkg": [
        "1.0~~", "1.0~~a", "1.0~", "1.0~rc1-1", "1.0", "1.0-0.1", "1.0-1", "1.0-1+b1", "1.0-1+deb12u1", "1.0-1.1",
        "1.0-10", "1.0a-1", "1.0+dfsg-1", "1.0.1-1", "1.1-1", "1.10-1", "2-1", "1:0.1-1", "2:0", "10:0",
    ],
    # rpm's own tests (tests/rpmvercmp.at) as facts, and its documentation of `^`.
    "rpm": [
        "1.0~rc1~git123", "1.0~rc1", "1.0~rc2", "1.0", "1.0-1.el9", "1.0-1.el9_2", "1.0-10.el9", "1.0^", "1.0^20240101",
        "1.0a", "1.0aa", "1.0.1", "1.0.10", "2", "2.xyz", "2.4", "5.5p1", "5.5p2", "5.5p10", "20101121", "1:0.1-1",
    ],
    # apk-tools' table (test/version.data) as facts.
    "apk": [
        "0.1.0_alpha_pre2", "0.1.0_alpha", "0.1.0_alpha2", "0.1.0_beta", "0.1.0_pre1", "0.1.0_rc3-r1", "0.1.0",
        "0.1.0-r1", "0.1.0~c0ffee", "0.1.0~c0ffee-r2", "0.1.0_cvs", "0.1.0_svn", "0.1.0_git20240101",
        "0.1.0_hg", "0.1.0_p1",
        "0.1.0_p9-r0", "0.1.0_p10-r0", "0.1.0b-r1", "0.1.0b-r2", "0.1.3", "0.99.3.20040818", "1.0", "1.00", "1.02",
        "1.02.07", "1.02.10-r1", "1.06-r6", "1.1", "1.21-r1", "006", "8.2.0015", "8.2.002", "8.2.1", "20050718-r2",
    ],
    # https://packaging.python.org/specifications/version-specifiers
    "pep440": [
        "1.dev0", "1.0.dev456", "1.0a1", "1.0a2.dev456", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2",
        "1.0b2.post345.dev456", "1.0b2.post345", "1.0rc1.dev456", "1.0rc1", "1.0", "1.0+abc.5", "1.0+abc.7", "1.0+5",
        "1.0.post456.dev34", "1.0.post456", "1.0.15", "1.1.dev1", "2013.10", "1!1.0",
    ],
    # https://semver.org/#spec-item-11
    "semver": [
        "0.0.0", "1.0.0-0", "1.0.0-2", "1.0.0-11", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
        "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2", "1.10.0", "2",
        "99999999999999999999.0.0",
    ],
    # https://go.dev/ref/mod#versions and https://pkg.go.dev/go/version
    "go": [
        "v0.0.0-20190101000000-0123456789ab", "v0.0.0-20191109021931-daa7c04131f5", "v0.1.0", "v1.2.3-pre",
        "v1.2.3-pre.0.20191109021931-daa7c04131f5", "v1.2.3", "v1.2.4-0.20191109021931-daa7c04131f5", "v1.2.4",
        "go1.20", "1.20.1", "go1.21rc2", "1.21.0-rc.3", "go1.21.0", "go1.21.10-custom", "v2.0.0+incompatible",
    ],
    # https://maven.apache.org/pom.html#version-order-specification
    "maven": [
        "1-alpha", "1-a2", "1-beta", "1-b2", "1-milestone", "1-m2", "1-rc", "1-cr2", "1-snapshot", "1", "1-sp", "1-foo",
        "1-foo10", "1-1-rc", "1-1.foo-bar-1-baz-0.1", "1.1", "1.1.1", "1.2", "1.10", "2-1", "2.0.1",
        "2.0.1-xyz", "2.0.1-123",
    ],
    # https://docs.ruby-lang.org/en/master/Gem/Version.html
    "gem": [
        "0.beta.1", "0.9", "1.0.a", "1.0.a.2", "1.0.a10", "1.0.b1",
        "1.0.rc1", "1.0", "1.0.1.pre", "1.0.1", "1.9.3", "1.10", "2",
    ],
    # https://getcomposer.org/doc/articles/versions.md, and PHP's version_compare
    "composer": [
        "1.0-dev", "1.0-alpha", "1.0-alpha2", "1.0-beta1", "1.0b2", "1.0.0-RC1", "1.0.0.0", "1.0-p1", "1.0pl2",
        "1.0.0.1",
        "1.2.x-dev", "v1.10", "2.0.0-beta2-dev", "2.0.0-beta2", "20100102",
    ],
    # https://learn.microsoft.com/nuget/concepts/package-versioning
    "nuget": [
        "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-BETA", "1.0.0-beta.2",
        "1.0.0-beta.11", "1.0.0", "1.0.0.1", "1.0.1", "1.1",
    ],
    "generic": ["3.13.0alpha", "3.13-rc1", "3.13", "3.13.0.1", "3.13.1", "8u292", "8u301", "17.0.9+9", "17.0.15+6"],
}  # fmt: skip
SAME: dict[Scheme, list[tuple[str, str]]] = {
    "dpkg": [("1.0", "1.0-0"), ("0:1", "1"), ("1.0.00", "1.0.0"), ("1.0-1", "1.00-01")],
    "rpm": [("1.0", "1_0"), ("10.0001", "10.1"), ("a+", "a_"), ("0:1-1", "1-1"), ("+_", "_+")],
    "apk": [("1.0.1", "1.0.1"), ("007", "7")],
    "pep440": [("1.0", "1"), ("1.0-1", "1.0.post1"), ("1.0RC1", "1.0c1"), ("v1.0", "1.0.0")],
    "semver": [("1.0.0+a", "1.0.0+b"), ("v1.2.3", "1.2.3"), ("1.2", "1.2.0")],
    "go": [("v2.0.0+incompatible", "2.0.0"), ("go1.21", "1.21.0"), ("go1.22rc1 X:boringcrypto", "1.22.0-rc.1")],
    "maven": [("1-ga", "1"), ("1.0.0", "1"), ("1-rc1", "1-cr-1"), ("1-a1", "1-alpha-1"), ("1.Final", "1"),
              ("1-SNAPSHOT", "1-snapshot"), ("1-0.ga", "1"), ("1.0.FINAL", "1.RELEASE"), ("01", "1")],
    "gem": [("1.0", "1"), ("1.0.0.a", "1.a"), ("1.0-1", "1.0.pre.1"), ("", "0")],
    "composer": [("1.0", "v1.0.0.0"), ("1.0-patch1", "1.0pl1"), ("1.0+x", "1.0"), ("1.0.0-stable", "1.0"),
                 ("2010-01-02", "2010.01.02"), ("1.x-dev", "1.x.x.x-dev")],
    "nuget": [("1", "1.0.0.0"), ("1.0.0-ALPHA", "1.0.0-alpha"), ("1.0.0+x", "1.0.0"), ("01.0", "1")],
    "generic": [("1.2", "1.2.0"), ("v1.2", "1.2")],
}  # fmt: skip
NONE: dict[Scheme, list[str]] = {
    "apk": ["", "1.0bc", "23_foo", "1.0-r", "1..0", "1.0-r1-r2", "1.0~", "a", "1.0\n", "1.0 "],
    "pep440": ["", "1.0.x", "latest", "1-1-1", "1.0+", "1" * 2000],
    "semver": ["", "latest", "1.2.3.4", "1.x", "^1.0.0", "1.0.0 2.0.0"],
    "go": ["", "(devel)", "devel go1.22-abc", "gopher", "go", "master"],
    "maven": ["1" * 300],
    "gem": ["1..0", "junk", "1.0.-", "1.0\n2.0", "1_0"],
    "composer": ["", "dev-main", "1.0-foo", "1" * 300],
    "nuget": ["", "1.0.0.0.0", "[1.0,2.0)", "1.*"],
    "generic": ["", "latest", "rc"],
}
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_version_is_later_than_those_before(scheme: Scheme) -> None:
    compare = comparison(scheme)
    versions = ASCENDING[scheme]
    for place, one in enumerate(versions):
        for other in versions[place + 1 :]:
            assert (compare(one, other), compare(other, one)) == (-1, 1), (one, other)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_versions_that_are_the_same(scheme: Scheme) -> None:
    compare = comparison(scheme)
    for one, other in SAME[scheme]:
        assert (compare(one, other), compare(other, one)) == (0, 0), (one, other)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_no_version(scheme: Scheme) -> None:
    compare = comparison(scheme)
    for text in NONE.get(scheme, []):
        with pytest.raises(Unordered):
            compare(text, "1")
        with pytest.raises(Unordered):
            compare("1", text)
    if scheme in ("dpkg", "rpm"):
        for one, other in pairwise(["", "\0", "☃", "-", ":", "\ud800", "a b"]):
            assert compare(one, other) == -compare(other, one)


def long_versions(size: int) -> Iterator[str]:
    """Each is what some pattern could go back over."""
    for piece in ("1", "1.", "1-", "1~", "a1", "1_p", ".", "-1.0"):
        yield piece * size
    yield " " * size + "x"


def compare_long(scheme: Scheme, size: int) -> None:
    """Each with itself and with what is longer by one."""
    compare = comparison(scheme)
    for text in long_versions(size):
        for other in (text + "1", text):
            try:
                found = compare(text, other)
                assert found == 0 or other != text
            except Unordered as error:
                assert len(str(error)) < 200


@pytest.mark.parametrize("scheme", SCHEMES)
def test_long_versions_are_compared_or_refused_in_few_words(scheme: Scheme) -> None:
    compare_long(scheme, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_long_versions_take_no_longer_than_to_read_them(scheme: Scheme) -> None:
    """What grows with the square does not end; there is no clock here, only patience."""
    compare_long(scheme, 40_000)


def test_numbers_are_compared_by_their_size_however_long() -> None:
    for scheme in SCHEMES:
        if scheme not in ("composer", "pep440"):
            assert comparison(scheme)("1." + "9" * 90, "1.1" + "0" * 90) < 0, scheme


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_order_is_one(scheme: Scheme) -> None:
    """Of three versions made at random the first is not before the second, the second before the third, and the third
    before the first."""
    compare, chance = comparison(scheme), random.Random(7)
    pieces = [
        "0",
        "1",
        "10",
        "00",
        ".",
        "-",
        "~",
        "+",
        "_",
        "a",
        "rc",
        "alpha",
        "ga",
        "sp",
        "final",
        "p",
        "-r1",
        "^",
        "x",
        "dev",
    ]
    versions: list[str] = []
    while len(versions) < 40:
        version = "1" + "".join(chance.choice(pieces) for _ in range(chance.randint(0, 5)))
        try:
            compare(version, version)
        except Unordered:
            continue
        versions.append(version)
    for _ in range(1000):
        one, two, three = chance.sample(versions, 3)
        assert compare(one, two) == -compare(two, one)
        if compare(one, two) <= 0 and compare(two, three) <= 0:
            assert compare(one, three) <= 0, (one, two, three)
