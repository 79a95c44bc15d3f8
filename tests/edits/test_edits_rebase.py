"""What is the base's and what is the image's own, where a rebase has to tell them apart."""

import pytest
from tests.edits.edits_images import documents, layer

from kezuri.edits.image import Image
from kezuri.edits.layers import Note, appended
from kezuri.edits.rebase import BASE_DIGEST, BASE_NAME, Base, own_history, rebased
from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.oci.descriptor import CONFIG, DOCKER_CONFIG, DOCKER_MANIFEST, MANIFEST, Descriptor, Manifest
from kezuri.oci.platform import Platform

DIGEST = f"sha256:{'0' * 64}"


def image(*numbers: int, docker: bool = False) -> Image:
    """An image with the layers of these numbers, one history entry for each."""
    layers = [layer(number, docker) for number in numbers]
    config = ImageConfig(
        Platform("linux", "amd64"),
        tuple(each.diff_id for each in layers),
        tuple(HistoryEntry("", f"RUN {number}") for number in numbers),
    )
    pointer = Descriptor(DOCKER_CONFIG if docker else CONFIG, DIGEST, 2)
    kind = DOCKER_MANIFEST if docker else MANIFEST
    return Image(config, Manifest(pointer, tuple(each.blob for each in layers), kind))


def setting(of: Image, **settings: object) -> Image:
    return of._replace(config=of.config._replace(**settings))  # type: ignore[arg-type]


def onto(own: Image, old: Image, new: Image) -> ImageConfig:
    return rebased(own, "it", Base("old", old, DIGEST), Base("new", new, DIGEST)).config


def empty(text: str) -> HistoryEntry:
    return HistoryEntry("", text, empty_layer=True)


RUN = HistoryEntry("", "RUN 1")


@pytest.mark.parametrize(
    ("base", "history", "own"),
    [
        ((RUN, empty("CMD")), (RUN, empty("CMD"), empty("ENV")), ("ENV",)),
        # Somebody wrote the base's anew, with other words and fewer entries before its layer.
        ((empty("ENV A"), RUN), (HistoryEntry("", "run one"), empty("ENV")), ("ENV",)),
        # As many entries without a layer as the base has after its last layer are the base's.
        ((RUN, empty("CMD")), (HistoryEntry("", "run one"), empty("cmd"), empty("ENV")), ("ENV",)),
        ((empty("ENV A"), RUN), (HistoryEntry("", "run one"), RUN._replace(created_by="COPY")), ("COPY",)),
        # A layer is never the base's when that has no more of them.
        ((RUN, empty("CMD"), empty("CMD")), (HistoryEntry("", "run one"), HistoryEntry("", "COPY")), ("COPY",)),
        ((), (empty("ENV"),), ("ENV",)),
    ],
)
def test_which_part_of_a_history_is_its_own(
    base: tuple[HistoryEntry, ...], history: tuple[HistoryEntry, ...], own: tuple[str, ...]
) -> None:
    layers = sum(not entry.empty_layer for entry in base)
    assert tuple(entry.created_by for entry in own_history(history, base, layers)) == own


def test_a_history_that_was_written_anew_still_accounts_for_the_layers() -> None:
    old, new = image(1, 2), image(3)
    own = appended(setting(old, history=(HistoryEntry("", "a"), HistoryEntry("", "b"))), layer(9), Note("COPY"))
    assert [entry.created_by for entry in onto(own, old, new).history] == ["RUN 3", "COPY"]


def test_a_command_goes_with_its_entry_point() -> None:
    old, new = setting(image(1), cmd=("sh",)), setting(image(2), cmd=("bash",))
    assert onto(old, old, new).cmd == ("bash",)
    # Whoever declares an entry point has said what the command is, even one that is the old base's.
    own = setting(old, entrypoint=("/app",))
    assert (onto(own, old, new).entrypoint, onto(own, old, new).cmd) == (("/app",), ("sh",))


@pytest.mark.parametrize(
    ("own", "made"),
    [
        ("PATH=/app:/bin", "PATH=/app:/usr/bin:/bin"),
        ("PATH=/bin:/app", "PATH=/usr/bin:/bin:/app"),
        ("PATH=/bin", "PATH=/usr/bin:/bin"),
        ("PATH=/app", "PATH=/app"),
        ("PATH=/sbin/bin", "PATH=/sbin/bin"),
    ],
)
def test_a_list_of_directories_around_the_bases(own: str, made: str) -> None:
    old, new = setting(image(1), env=("PATH=/bin",)), setting(image(2), env=("PATH=/usr/bin:/bin",))
    assert onto(setting(old, env=(own,)), old, new).env == (made,)


def test_a_base_without_a_name_takes_the_old_name_away() -> None:
    old, new = image(1), image(2)
    own = old.annotated({BASE_NAME: "old", "own": "kept"})
    made = rebased(own, "it", Base("old", old, DIGEST), Base("", new, DIGEST))
    assert made.manifest.annotations == {BASE_DIGEST: DIGEST, "own": "kept"}


def test_dockers_form_cannot_say_what_it_belongs_to() -> None:
    plain = image(1, docker=True)
    subject = Descriptor(MANIFEST, DIGEST, 7)
    made = documents(plain).of(plain._replace(manifest=plain.manifest._replace(subject=subject)))
    assert made.descriptor.media_type == MANIFEST
    assert made.image("it").manifest.subject == subject
