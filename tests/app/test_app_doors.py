"""The verbs of `app`, each asked at its own door: settings and a request go in, values come out."""

import os
from pathlib import Path

import pytest

from kezuri.app.bases import names
from kezuri.app.build import build
from kezuri.app.check import check
from kezuri.app.doctor import check_store, doctor
from kezuri.app.forecast import foresee
from kezuri.app.images import images
from kezuri.app.prune import foresee_prune, prune, usage
from kezuri.app.pull import pull
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.run import run
from kezuri.app.why import why
from kezuri.containers.request import RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.progress.events import Event


class Place:
    """A context that copies one file, and a store."""

    def __init__(self, directory: Path) -> None:
        self.context = directory / "context"
        self.context.mkdir()
        (self.context / "Dockerfile").write_text("FROM scratch AS First\nWORKDIR /w\nCOPY f /w/f\n")
        (self.context / "f").write_text("f")
        self.settings = Settings(str(directory / "store"))
        self.request = BuildRequest(context=str(self.context), tags=("app:1",))

    def build(self) -> tuple[int, int]:
        """How many steps ran and how many were cached."""
        result = build(self.request, self.settings, quiet)
        return result.ran, result.cached


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def quiet(event: Event) -> None:
    pass


def test_build_and_images(place: Place) -> None:
    assert images(place.settings) == ()
    assert (place.build(), place.build()) == ((2, 0), (0, 2))
    assert [image.name for image in images(place.settings)] == ["docker.io/library/app:1"]


def test_check_says_what_it_finds_and_builds_nothing(place: Place) -> None:
    found = check(place.request, place.settings, quiet)
    assert [d.code for d in found.warnings] == ["StageNameCasing"] and found.errors == ()
    assert images(place.settings) == ()


def test_forecast(place: Place) -> None:
    assert [step.outcome for step in foresee(place.request, place.settings, quiet).steps] == ["runs", "runs"]
    place.build()
    changed = foresee(place.request, place.settings, quiet, (str(place.context / "f"),))
    assert [step.outcome for step in changed.steps] == ["cached", "cached"]
    assert changed.change is not None and len(changed.change.affected) == 1


def test_why(place: Place) -> None:
    with pytest.raises(KezuriError, match="no build is in the journal"):
        why(place.settings)
    place.build()
    (place.context / "f").write_text("other")
    place.build()
    steps = why(place.settings, directory=str(place.context)).steps
    assert [step.step.outcome for step in steps] == ["cached", "ran"]
    assert [(because.kind, because.name) for because in steps[1].because] == [("files", "files")]
    with pytest.raises(KezuriError, match="build 7 is not in the journal"):
        why(place.settings, 7)


def test_prune(place: Place) -> None:
    place.build()
    assert usage(place.settings)
    foreseen = foresee_prune(place.settings, all=True)
    gone = prune(place.settings, all=True)
    assert foreseen and gone
    assert [image.name for image in images(place.settings)] == ["docker.io/library/app:1"]


def test_doctor(place: Place) -> None:
    place.build()
    assert [found.state for found in check_store(place.settings)] == ["ok"]
    found = doctor(place.settings)
    assert (found[0].name, found[-1].name) == ("a build", "store")
    assert os.listdir(f"{place.settings.root}/tmp") == []
    (blob,) = [p for p in Path(place.settings.root, "blobs", "sha256").iterdir() if p.stat().st_size < 600][:1]
    blob.chmod(0o644)
    blob.write_bytes(b"other")
    assert "blob" in {found.name.partition(" ")[0] for found in check_store(place.settings)}


@pytest.mark.slow
def test_pull_names_who_does_not_answer(place: Place) -> None:
    with pytest.raises(KezuriError, match=r"127\.0\.0\.1:1"):
        pull(place.settings, "127.0.0.1:1/none:1", "", quiet)


def test_run_names_the_image_that_is_not_there(place: Place) -> None:
    with pytest.raises(KezuriError, match="none"):
        run(RunRequest(image="none:1", pull="never"), place.settings)


def test_bases_have_names_and_what_they_are() -> None:
    found = names()
    assert found and all(name and about for name, about in found)
