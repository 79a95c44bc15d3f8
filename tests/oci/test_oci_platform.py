"""Platforms in normal form, as containerd's platforms package has them."""

import pytest

from kezuri.oci import Platform


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (("linux", "armel"), ("linux", "arm", "v6")),
        (("linux", "armel", "v7"), ("linux", "arm", "v6")),
        (("linux", "armhf"), ("linux", "arm", "v7")),
        (("linux", "arm"), ("linux", "arm", "v7")),
        (("linux", "arm", "5"), ("linux", "arm", "v5")),
        (("linux", "arm64", "v8"), ("linux", "arm64", "")),
        (("linux", "aarch64", "8"), ("linux", "arm64", "")),
        (("Linux", "X86_64"), ("linux", "amd64", "")),
        (("linux", "amd64", "v1"), ("linux", "amd64", "")),
        (("linux", "amd64", "v3"), ("linux", "amd64", "v3")),
        (("linux", "i386"), ("linux", "386", "")),
        (("macos", "arm64"), ("darwin", "arm64", "")),
        (("", "s390x"), ("linux", "s390x", "")),
    ],
)
def test_synonyms_are_folded(given: tuple[str, ...], normal: tuple[str, str, str]) -> None:
    assert Platform.normal(*given) == Platform(*normal)


def test_what_runs_on_a_platform_best_first() -> None:
    assert [str(p) for p in Platform.parse("linux/arm/v7").accepted()] == [
        "linux/arm/v7",
        "linux/arm/v6",
        "linux/arm/v5",
    ]
    assert [str(p) for p in Platform.parse("linux/amd64/v3").accepted()] == [
        "linux/amd64/v3",
        "linux/amd64/v2",
        "linux/amd64",
    ]


@pytest.mark.parametrize(
    ("given", "unknown", "near"),
    [
        ("linux/amd64", "", "linux/amd64"),
        ("linux/amd64/v3", "", "linux/amd64/v3"),
        ("linux/x68", "x68", "linux/amd64"),
        ("linux/x86", "x86", "linux/amd64"),
        ("linux/arm65", "arm65", "linux/arm64"),
        ("linux/loong46", "loong46", "linux/loong64"),
        ("linx/amd64", "linx", "linux/amd64"),
        ("linux/zzz", "zzz", ""),
    ],
)
def test_what_nobody_has_heard_of_has_a_neighbour(given: str, unknown: str, near: str) -> None:
    platform = Platform.parse(given)
    assert platform.unknown()[1] == unknown and platform.nearest() == near
