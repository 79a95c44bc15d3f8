"""The catalogue of official tags: library files of bashbrew read, the one that comes along, what a group says."""

import os
from pathlib import Path

import pytest

from kezuri.alternatives.catalogue import compact, embedded, of_directory, official, read_compact
from kezuri.alternatives.groups import Group
from kezuri.alternatives.library_files import read_library
from kezuri.diagnostics import KezuriError

LIBRARY = """\
# this file is written by hand for the test

Maintainers: Somebody <somebody@example.org> (@somebody),
             Another One <another@example.org> (@another)
GitRepo: https://example.org/image.git
Architectures: amd64, arm64v8
Builder: buildkit

Tags: 2.1.0-trixie, 2.1-trixie
SharedTags: 2.1.0, 2.1, latest
GitCommit: 0123456789abcdef0123456789abcdef01234567
Directory: 2.1

Tags: 2.1.0-alpine3.24,
      2.1-alpine
Architectures: amd64, arm32v6, s390x
Directory: 2.1/alpine

Tags: 2.1.0-nanoserver-ltsc2022
SharedTags: 2.1.0, 2.1
Architectures: windows-amd64
Constraints: nanoserver-ltsc2022
"""


def test_a_library_file() -> None:
    assert read_library(LIBRARY, "x") == (
        Group(("2.1.0-trixie", "2.1-trixie", "2.1.0", "2.1", "latest"), ("amd64", "arm64")),
        Group(("2.1.0-alpine3.24", "2.1-alpine"), ("amd64", "arm/v6", "s390x")),
    )
    assert read_library(LIBRARY.replace("\n", "\r\n"), "x") == read_library(LIBRARY, "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Tags: 1\nwhatever this is\n", "library/x:2: no field of a library file: 'whatever this is'"),
        (" Tags: 1\n", "library/x:1: a line goes on that has not begun"),
        ("a b: c\n", "library/x:1: no field of a library file: 'a b: c'"),
    ],
)
def test_what_is_no_library_file(text: str, said: str) -> None:
    with pytest.raises(KezuriError) as caught:
        read_library(text, "library/x")
    assert caught.value.diagnostics[0].message == said and caught.value.exit_code == 2


def test_a_field_of_many_lines_is_read_in_time_that_grows_with_it() -> None:
    lines = 200_000
    (group,) = read_library("Tags: first,\n" + " x,\n" * lines, "x")
    assert group.tags == ("first", "x")


def test_a_directory_of_library_files(tmp_path: Path) -> None:
    (tmp_path / "thing").write_text(LIBRARY)
    (tmp_path / ".git").mkdir()
    os.utime(tmp_path / "thing", (1_780_000_000, 1_780_000_000))
    catalogue = of_directory(str(tmp_path))
    assert list(catalogue.repositories) == ["thing"] and catalogue.date == "2026-05-28"
    assert read_compact(compact(catalogue)) == catalogue
    for wrong in (tmp_path / ".git", tmp_path / "nothing"):
        with pytest.raises(KezuriError) as caught:
            of_directory(str(wrong))
        assert str(wrong) in caught.value.diagnostics[0].message
    (tmp_path / "thing").write_bytes(b"x" * (5 << 20))
    with pytest.raises(KezuriError, match="too large"):
        of_directory(str(tmp_path))


def test_the_embedded_one_says_what_one_image_is() -> None:
    catalogue = embedded()
    assert catalogue.date and "official-images" in catalogue.source and len(catalogue.repositories) > 100
    group = catalogue.group("docker.io/library/node", "22-slim")
    assert group is not None and "22-bookworm-slim" in group.tags and "amd64" in group.architectures
    tag = group.tag
    assert (tag.number[0], tag.distribution, tag.release, tag.slim) == (22, "debian", "12", True)
    assert catalogue.group("public.ecr.aws/docker/library/node", "22-slim") == group
    assert catalogue.group("docker.io/library/node", "17") is None
    assert not catalogue.groups("docker.io/somebody/node")
    assert not any(group.tag.windows for groups in catalogue.repositories.values() for group in groups)


def test_official() -> None:
    assert official("docker.io/library/node") == "node"
    assert official("harbor.example.org/hub/library/node") == "node" == official("localhost:5000/library/node")
    assert official("ghcr.io/team/node") == "" == official("docker.io/bitnami/node")
