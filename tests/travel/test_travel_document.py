"""The document of a cache: what is written is read again, and what a hostile one says is no result."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import LAYER_GZIP, Descriptor
from kezuri.travel.document import CacheDocument, MountRecord, Record
from kezuri.travel.places import scoped

KEY, OTHER = "a" * 64, "b" * 64
DIGEST = "sha256:" + "1" * 64
DIFF = "sha256:" + "2" * 64
BLOB = Descriptor(LAYER_GZIP, DIGEST, 10)
RUN = "run-" + "0" * 32


def known(digest: str, _: str) -> Descriptor | None:
    return BLOB if digest == DIGEST else None


def parsed(document: Any) -> CacheDocument:
    return CacheDocument.parse(json.dumps(document).encode(), "here", known)


def record(**more: Any) -> dict[str, Any]:
    return {"key": KEY, "layer": RUN, "diffID": DIFF, "blob": DIGEST, "created": 5.5, "seconds": 1.0} | more


def test_what_is_written_is_read_again() -> None:
    document = CacheDocument(
        {
            KEY: Record(KEY, f"copy-{KEY}", DIFF, BLOB, 1795833070.6013117, 0.25, 7),
            OTHER: Record(OTHER, RUN, created=3.0),
        },
        {KEY: "sha256:abc"},
        {"c" * 32: MountRecord("c" * 32, (BLOB, BLOB), 4096)},
        {DIFF: 12345},
    )
    assert CacheDocument.parse(document.encode(), "here", known) == document
    assert document.blobs() == (BLOB,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "A" * 64},
        {"key": KEY + "\n"},
        {"key": 5},
        {"layer": "sha256:" + "3" * 64},
        {"layer": f"copy-{OTHER}"},
        {"layer": "run-../../../../etc/passwd"},
        {"layer": RUN + "0"},
        {"blob": "sha256:" + "9" * 64},
        {"blob": "sha256:../x"},
        {"diffID": ""},
        {"diffID": "md5:5"},
        {"epoch": "now"},
    ],
)
def test_a_wrong_record_is_no_result_and_spoils_no_other(wrong: dict[str, Any]) -> None:
    """The layer of a COPY follows from its key, that of an image is named by its digest: no record can give either to
    another step."""
    good = record(key=OTHER, layer="run-" + "4" * 32)
    document = parsed({"version": 1, "records": [record(**wrong), good]})
    assert list(document.records) == [OTHER]


@pytest.mark.parametrize("time", [float("inf"), -1, "x", None, True, 1e300, 10**400])
def test_a_wrong_time_is_none(time: object) -> None:
    data = json.dumps({"version": 1, "records": [record(created=time)]}).replace("Infinity", "1e999").encode()
    assert CacheDocument.parse(data, "here", known).records[KEY].created == 0.0


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version":2,"records":[]}',
        b'{"version":1}',
        b'{"version":1,"records":{}}',
        b'{"version":1,"records":[5]}',
        b'{"version":1,"records":[],"selections":5}',
        b'{"version":1,"records":[],"mounts":[5]}',
        b"[" * 100_000,
        b'{"version":1,"records":[' + b"{}," * 100_001 + b"{}]}",
    ],
)
def test_what_is_no_document_is_an_error_that_names_the_place(text: bytes) -> None:
    with pytest.raises(KezuriError, match="here"):
        CacheDocument.parse(text, "here", known)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_an_error(data: bytes) -> None:
    try:
        CacheDocument.parse(data, "here", known)
    except KezuriError:
        pass


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["key", "layer", "blob", "diffID", "id", "packs", "plain", "epoch", "created"]), inner
            )
        ),
    )
)
def test_no_value_in_a_record_is_more_than_no_result(value: Any) -> None:
    for entries in ({"records": [value]}, {"records": [], "mounts": [value]}):
        try:
            parsed({"version": 1, "records": [], "selections": {}} | entries)
        except KezuriError:
            assert not isinstance(value, dict) or not value


def test_a_bound_keeps_the_files_that_spared_the_most_time_for_their_size() -> None:
    dear = Record(KEY, f"copy-{KEY}", DIFF, BLOB._replace(size=60), 1.0, 100.0)
    cheap = Record(OTHER, RUN, DIFF, BLOB._replace(digest="sha256:" + "5" * 64, size=50), 1.0, 0.1)
    kept = CacheDocument({KEY: dear, OTHER: cheap}, {}).within(100)
    assert kept.records[KEY] == dear
    assert (kept.records[OTHER].blob, kept.records[OTHER].layer) == (None, RUN)
    assert CacheDocument({KEY: dear, OTHER: cheap}, {}).within(110).records[OTHER] == cheap


def test_scopes_have_tags_of_their_own() -> None:
    assert scoped("cache", "") == "cache"
    assert scoped("cache", "main") == "cache-main"
    tags = {scoped("cache", name) for name in ("a/b", "a-b", "a b", "a_b", "ä", "x" * 300, "x" * 301)}
    assert len(tags) == 7
    assert all(len(tag) <= 128 and "/" not in tag and tag.isascii() for tag in tags)


@pytest.mark.parametrize("size", [-1, True, "5", 1.5, None, 1 << 60])
def test_a_size_that_is_none_is_left_out(size: object) -> None:
    other = "sha256:" + "8" * 64
    assert parsed({"version": 1, "records": [], "sizes": {DIFF: size, other: 7, "x": 7}}).sizes == {other: 7}
    assert parsed({"version": 1, "records": [], "sizes": [size]}).sizes == {}
