"""Which form an index has that is made of images."""

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.oci import INDEX, MANIFEST, Descriptor
from kezuri.oci.descriptor import DOCKER_INDEX, DOCKER_MANIFEST
from kezuri.transfer.composing import compose


def entry(media_type: str, number: int = 0) -> Descriptor:
    return Descriptor(media_type, f"sha256:{number:064x}", 7)


@pytest.mark.parametrize(
    ("kinds", "annotations", "made"),
    [
        ([DOCKER_MANIFEST, DOCKER_MANIFEST], {}, DOCKER_INDEX),
        ([DOCKER_MANIFEST, MANIFEST], {}, INDEX),
        ([MANIFEST], {}, INDEX),
        ([DOCKER_MANIFEST], {"k": "v"}, INDEX),  # docker's form has none
    ],
)
def test_it_is_dockers_where_docker_can_say_it(kinds: list[str], annotations: dict[str, str], made: str) -> None:
    index = compose([entry(kind, number) for number, kind in enumerate(kinds)], annotations)
    assert index.descriptor.media_type == index.content.media_type == made
    assert (b"annotations" in index.raw) is bool(annotations)


def test_each_image_is_listed_once() -> None:
    index = compose([entry(MANIFEST, 1), entry(MANIFEST, 2), entry(MANIFEST, 1)])
    assert index.raw.count(b'"digest"') == 2


def test_of_nothing_there_is_none() -> None:
    with pytest.raises(KezuriError, match="at least one image"):
        compose([])
