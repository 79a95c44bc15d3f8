"""What could replace a tag: the same line first, small ones and those with the same C library before others."""

from kezuri.alternatives.catalogue import Catalogue
from kezuri.alternatives.choosing import Choice, choose, line_depth
from kezuri.alternatives.groups import Group
from kezuri.oci.reference import Reference

NODE = (
    Group(("26", "26-trixie", "26.7", "26.7.0-trixie", "current", "latest"), ("amd64",)),
    Group(("26-alpine3.24", "26.7.0-alpine3.24", "26-alpine"), ("amd64",)),
    Group(("25-trixie-slim", "25.1.0-trixie-slim"), ("amd64",)),
    Group(("24", "24-bookworm", "24.19.0", "lts"), ("amd64",)),
    Group(("24-slim", "24-bookworm-slim", "24.19.0-slim", "lts-slim"), ("amd64", "arm64")),
    Group(("24-trixie-slim", "24.19.0-trixie-slim"), ("amd64",)),
    Group(("24-alpine", "24-alpine3.24", "24.19.0-alpine3.24"), ("amd64",)),
    Group(("24-alpine3.23", "24.19.0-alpine3.23"), ("s390x",)),
    Group(("24-rc-slim", "24.20.0rc1-slim"), ("amd64",)),
    Group(("24-onbuild", "24.19.0-onbuild"), ("amd64",)),
    Group(("22-slim", "22-bookworm-slim", "22.1.0-slim"), ("amd64",)),
)
CATALOGUE = Catalogue({"node": NODE}, "2026-08", "a test")


def chosen(name: str, listed: set[str] | None = None, architecture: str = "amd64", most: int = 10) -> Choice:
    return choose(Reference.parse(name), CATALOGUE, listed, architecture, most)


def names(choice: Choice) -> list[str]:
    return [each.name for each in choice.candidates]


def test_the_same_line_comes_first_and_names_are_as_exact_as_the_bases() -> None:
    choice = chosen("node:24")
    assert choice.made is True and choice.tag.release == "12" and not choice.tag.slim
    assert names(choice)[:3] == ["node:24-trixie-slim", "node:24-bookworm-slim", "node:24-alpine3.24"]
    assert [each.way for each in choice.candidates][:3] == ["same"] * 3
    assert "node:26-trixie" in names(choice) and "node:26-alpine3.24" in names(choice)
    assert names(chosen("node:24.19.0"))[0] == "node:24.19.0-trixie-slim"


def test_what_is_left_out() -> None:
    found = names(chosen("node:24"))
    assert not any(
        "onbuild" in name or "rc" in name or ":25" in name or ":22" in name or "3.23" in name for name in found
    )
    assert "node:24" not in found and "node:24-bookworm" not in found
    assert "node:24-alpine3.23" in names(chosen("node:24", architecture="s390x"))


def test_a_registry_that_tells_its_tags_has_no_others() -> None:
    choice = chosen("node:24", {"24", "24-slim", "24-alpine"})
    same = [each.name for each in choice.candidates if each.way != "distroless"]
    assert same == ["node:24-slim", "node:24-alpine"]
    assert all(each.known for each in choice.candidates if each.way != "distroless")


def test_a_tag_that_is_not_made_any_more_and_tags_that_only_the_registry_knows() -> None:
    choice = chosen("node:18-alpine", {"18", "18-alpine", "18-alpine3.19", "18-slim", "18.20.4", "24-slim", "latest"})
    assert choice.made is False
    assert [each.name for each in choice.candidates if each.way == "same"] == [
        "node:18-alpine3.19", "node:18-slim", "node:18",
    ]  # fmt: skip
    assert [each.name for each in choice.candidates if each.way == "newer"] == ["node:24-slim"]


def test_repositories_of_somebodys_own_have_what_their_registry_tells() -> None:
    choice = chosen("registry.example.org/team/node:18", {"18", "18-alpine", "20", "17", "main"})
    assert choice.made is None
    assert names(choice) == ["registry.example.org/team/node:18-alpine", "registry.example.org/team/node:20"]
    assert not chosen("registry.example.org/team/node:main").candidates


def test_distroless_images_of_the_same_runtime() -> None:
    found = [each for each in chosen("node:24").candidates if each.way == "distroless"]
    assert [each.name for each in found] == [
        "gcr.io/distroless/nodejs24-debian13:latest", "gcr.io/distroless/nodejs24-debian12:latest",
    ]  # fmt: skip
    assert not any(each.known for each in found)
    assert not [each for each in chosen("node:25-slim").candidates if each.way == "distroless"]


def test_what_could_replace_a_distroless_image() -> None:
    choice = chosen("gcr.io/distroless/nodejs20-debian12:nonroot")
    host = "gcr.io/distroless/"
    assert [(each.name.removeprefix(host), each.way) for each in choice.candidates] == [
        ("nodejs20-debian13:nonroot", "same"),
        ("nodejs24-debian13:nonroot", "newer"),
        ("nodejs24-debian12:nonroot", "newer"),
        ("nodejs22-debian13:nonroot", "newer"),
        ("nodejs22-debian12:nonroot", "newer"),
    ]
    static = chosen("gcr.io/distroless/static-debian12")
    assert names(static) == [f"{host}static-debian13:latest"] and static.made is None
    assert not chosen("gcr.io/distroless/static").candidates


def test_no_newer_line_is_offered_whose_life_is_over() -> None:
    choice = choose(
        Reference.parse("node:22-slim"), CATALOGUE, None, "amd64", 10, lambda reference, tag: tag.number[0] == 26
    )
    assert [each.name for each in choice.candidates if each.way == "newer"] == [
        "node:24-trixie-slim", "node:24-alpine3.24",
    ]  # fmt: skip


def test_the_newest_line_comes_first_and_one_of_each_before_the_second_of_any() -> None:
    assert [each.name for each in chosen("node:22").candidates if each.way == "newer"] == [
        "node:26-trixie", "node:24-trixie-slim", "node:26-alpine3.24", "node:24-bookworm", "node:24-alpine3.24",
    ]  # fmt: skip
    assert not [each for each in chosen("node:27").candidates if each.way == "newer"]


def test_lines() -> None:
    assert line_depth("docker.io/library/python") == 2 and line_depth("docker.io/library/node") == 1
