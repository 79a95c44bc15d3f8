"""Volumes with a name: what containers write into them stays, and begins with what the image has."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS
from tests.containers.containers_place import Place

pytestmark = RUNS_STEPS


@pytest.fixture(scope="module")
def seeded(place: Place) -> str:
    place.image(
        "seeded",
        "RUN mkdir -p /v/deep && echo old > /v/deep/f && ln /v/deep/f /v/link && ln -s deep/f /v/soft && chown 7:8 /v"
        " && chmod 1770 /v && chown 5:6 /v/deep/f && ln -s v /w",
        'CMD ["sh"]',
    )
    return "seeded"


def said(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_written_stays_and_others_see_it(place: Place) -> None:
    assert said(place.run("-v", "kept:/d", "plain", "sh", "-c", "echo a > /d/f; stat -c '%a %u:%g' /d")) == "755 0:0\n"
    assert said(place.run("--mount", "source=kept,target=/e", "plain", "cat", "/e/f")) == "a\n"
    done = place.run("-v", "kept:/d:ro", "plain", "sh", "-c", "cat /d/f; touch /d/g")
    assert done.stdout == "a\n" and "Read-only file system" in done.stderr
    done = place.run("--mount", "type=volume,source=kept,target=/d,readonly", "plain", "touch", "/d/g")
    assert done.returncode == 1


def test_an_empty_one_begins_with_what_the_image_has(place: Place, seeded: str) -> None:
    look = "cat /v/soft; stat -c '%a %u:%g' /v; stat -c '%u:%g %h' /v/deep/f; echo new > /v/deep/f"
    assert said(place.run("-v", "begun:/v", seeded, "sh", "-c", look)) == "old\n1770 7:8\n5:6 2\n"
    assert said(place.run("-v", "begun:/v", seeded, "cat", "/v/deep/f")) == "new\n"
    # One that was made before it was used.
    assert said(place("volume", "create", "made")) == "made\n"
    assert said(place.run("-v", "made:/v", seeded, "sh", "-c", look)) == "old\n1770 7:8\n5:6 2\n"
    # Through a link of the image's, as the mount goes.
    assert said(place.run("-v", "linked:/w", seeded, "cat", "/w/deep/f")) == "old\n"
    assert said(place.run("-v", "bare:/v:nocopy", seeded, "sh", "-c", "ls -A /v")) == ""
    assert said(place.run("-v", "nothing:/none", seeded, "ls", "-A", "/none")) == ""


def test_they_are_listed_told_of_and_removed(place: Place) -> None:
    assert said(place("volume", "create", "--label", "for=test", "listed")) == "listed\n"
    assert said(place("volume", "create", "listed")) == "listed\n"
    nameless = said(place("volume", "create")).strip()
    assert len(nameless) == 64
    assert "local     listed\n" in said(place("volume", "ls"))
    assert said(place("volume", "ls", "-q", "--filter", "label=for=test")) == "listed\n"
    (told,) = json.loads(said(place("volume", "inspect", "listed")))
    assert (told["Name"], told["Labels"], os.listdir(told["Mountpoint"])) == ("listed", {"for": "test"}, [])
    done = place("volume", "rm", "liste", "listed")
    assert done.returncode == 1 and done.stdout == "listed\n" and "did you mean listed?" in done.stderr
    assert not Path(told["Mountpoint"]).parent.exists()
    assert f"Deleted: {nameless}\n" in said(place("volume", "prune", "-f"))
    assert place("volume", "rm", "-f", "listed").returncode == 0
    assert place("volume", "ls", "--filter", "nme=x").returncode == 2


@pytest.mark.parametrize("name", ["../../blobs", "..", "a/b", ""])
def test_paths_are_no_volumes(place: Place, name: str) -> None:
    for argv in (("rm", name), ("inspect", name)):
        done = place("volume", *argv)
        assert done.returncode == 1 and f"no such volume: {name}" in done.stderr, done.stderr


def test_one_that_a_container_has_stays(place: Place) -> None:
    with place.running("-v", "used:/d", "plain", "sh", "-c", "echo up; sleep 1000") as container:
        container.wait_for("up\n")
        done = place("volume", "rm", "used")
        assert done.returncode == 1 and "volume used is in use" in done.stderr
        assert "used" not in said(place("volume", "prune", "-af"))
        assert said(place("volume", "ls", "-q", "--filter", "dangling=false")) == "used\n"
        # Another container may have it, too.
        assert said(place.run("-v", "used:/d", "plain", "sh", "-c", "touch /d/g; ls /d")) == "g\n"
    assert said(place("volume", "rm", "used")) == "used\n"


def test_prune_of_the_cache_and_du_know_of_them(place: Place) -> None:
    said(place.run("-v", "precious:/d", "plain", "sh", "-c", "echo a > /d/f"))
    said(place("prune", "-af", "--volumes"))
    assert "precious" in said(place("volume", "ls", "-q"))
    assert "\nvolumes " in said(place("du"))
    assert said(place("store", "check")).startswith("ok ")


def test_a_directory_of_the_same_name_is_told_of(place: Place) -> None:
    (place.directory / "both").mkdir()
    done = place.run("-v", "both:/d", "plain", "true")
    assert (
        done.returncode == 0 and "both is a new volume of the store; the directory both here is ./both" in done.stderr
    )
    assert place.run("-v", "both:/d", "plain", "true").stderr.count("./both") == 0


@pytest.mark.parametrize("name", ["x", "-a", "a" * 129, "a$b"])
def test_what_is_no_name(place: Place, name: str) -> None:
    done = place.run("-v", f"{name}:/d", "plain", "true")
    assert done.returncode == 2 and "usage: kezuri run" in done.stderr
