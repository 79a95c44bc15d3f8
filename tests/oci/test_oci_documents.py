"""Manifests and indexes: told apart by what they say they are, never by text within; digests of all algorithms."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.diagnostics import KezuriError
from kezuri.oci import (
    CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX,
    LAYER,
    MANIFEST,
    Descriptor,
    Index,
    Manifest,
    canonical,
    digest_of,
    read_document,
)
from kezuri.oci.dates import seconds, timestamp
from kezuri.oci.descriptor import encoded, valid_digest

ONE = Descriptor(CONFIG, digest_of(b"one"), 3)
SHA512 = "sha512:" + "0" * 128
WORDS = st.sampled_from(["manifests", "layers", "config", "mediaType", INDEX, MANIFEST]) | st.text(max_size=9)
NOTES = st.dictionaries(WORDS, WORDS, max_size=3)


def read(document: Any, said: str = "") -> Manifest | Index:
    return read_document(json.dumps(document).encode(), "image x", said)


@given(NOTES, NOTES, st.sampled_from([MANIFEST, DOCKER_MANIFEST]), st.booleans())
def test_a_manifest_is_one_whatever_its_annotations_say(
    notes: dict[str, str], inner: dict[str, str], media_type: str, silent: bool
) -> None:
    manifest = Manifest(ONE, (ONE._replace(media_type=LAYER, annotations=inner),), media_type, notes)
    document = manifest.to_json()
    if silent:
        del document["mediaType"]
    found = read_document(canonical(document), "x", media_type if silent else "")
    assert found == manifest._replace(media_type=MANIFEST) if silent else found == manifest


@given(NOTES, NOTES, st.sampled_from([INDEX, DOCKER_INDEX]))
def test_an_index_is_one_whatever_its_annotations_say(
    notes: dict[str, str], inner: dict[str, str], media_type: str
) -> None:
    index = Index((ONE._replace(media_type=MANIFEST, annotations=inner),), media_type, notes)
    assert read_document(canonical(index.to_json()), "x") == index


@pytest.mark.parametrize(
    ("document", "said", "words"),
    [
        ({"manifests": [], "layers": []}, "", "claims to be both an index and a manifest"),
        ({"mediaType": MANIFEST, "layers": [], "config": {}}, INDEX, "was announced as"),
        ({"mediaType": MANIFEST, "manifests": []}, "", "layers is no list: not an image manifest"),
        ({"mediaType": INDEX, "layers": []}, "", "manifests is no list: not an image index"),
        ({"mediaType": "text/x"}, "", "is not a container image but 'text/x'"),
        ({"schemaVersion": 1}, "", "is a schema 1 manifest"),
        ({"layers": [], "config": None}, "", r"config\.size is no number of bytes"),
        ({"layers": [7], "config": ONE.to_json()}, "", r"layers\[0\] is a number, not an object"),
        ({"manifests": [{**ONE.to_json(), "size": -1}]}, "", r"manifests\[0\]\.size is no number of bytes"),
        ({"manifests": [{**ONE.to_json(), "size": 1 << 63}]}, "", r"manifests\[0\]\.size is no number of bytes"),
        ({"manifests": [{**ONE.to_json(), "size": True}]}, "", r"manifests\[0\]\.size is true or false"),
        ({"manifests": [{**ONE.to_json(), "size": "3"}]}, "", r"manifests\[0\]\.size is a text, not a whole number"),
        ({"manifests": [{**ONE.to_json(), "digest": "sha256:../x"}]}, "", r"manifests\[0\]\.digest is no digest"),
        ({"manifests": [{**ONE.to_json(), "platform": "linux"}]}, "", r"manifests\[0\]\.platform is a text"),
        (
            {"manifests": [{**ONE.to_json(), "annotations": {"a": 1}}]},
            "",
            r"manifests\[0\]\.annotations\.a is a number",
        ),
    ],
)
def test_what_is_wrong_is_named_with_the_document(document: Any, said: str, words: str) -> None:
    with pytest.raises(KezuriError, match=f"^image x: (the document )?{words}") as caught:
        read(document, said)
    assert caught.value.exit_code == 125


@given(
    st.dictionaries(WORDS, st.none() | st.integers() | st.text(max_size=5) | st.lists(NOTES, max_size=2), max_size=5)
)
def test_any_document_is_read_or_refused_by_name(document: dict[str, Any]) -> None:
    try:
        read(document)
    except KezuriError as error:
        assert str(error).startswith("image x: ")


@pytest.mark.parametrize(
    "digest", [SHA512, "blake3:" + "a" * 64, "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46"]
)
def test_digests_of_other_algorithms_are_carried_and_never_become_paths(digest: str) -> None:
    found = read({"manifests": [ONE.to_json(), {"digest": digest, "size": 5}]})
    assert isinstance(found, Index) and [d.digest for d in found.manifests] == [ONE.digest, digest]
    assert not valid_digest(digest)
    with pytest.raises(KezuriError, match=r"^image x: not a sha256 digest"):
        encoded(digest, "image x")


@pytest.mark.parametrize(
    "digest",
    ["", "sha256", "sha256:", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "a:../b", "a:b/c", "a:\0", "x:" + "a" * 600],
)
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(KezuriError, match=r"digest is no digest"):
        read({"layers": [], "config": {"digest": digest, "size": 1}})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T23:13:20.250000001+01:00", 1_700_000_000.25),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
        ("", None),
        ("yesterday", None),
    ],
)
def test_times(text: str, number: float | None) -> None:
    assert seconds(text) == number
    if number is not None:
        assert seconds(timestamp(number)) == number
