"""Image configs: what is wrong is named by its field, and what is right survives being written again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.diagnostics import KezuriError
from kezuri.oci import ImageConfig, canonical, chain_id, digest_of

DIFF_ID = digest_of(b"layer")
GOOD: dict[str, Any] = {
    "created": "2024-02-29T12:00:00.123456789+01:00",
    "architecture": "arm64",
    "os": "linux",
    "config": {
        "User": "app",
        "Env": ["PATH=/bin", "EMPTY=", "ODD"],
        "Entrypoint": ["/run"],
        "Labels": {"a": "b"},
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1},
    },
    "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]},
    "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "x"}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def parse(document: Any) -> ImageConfig:
    return ImageConfig.parse(json.dumps(document).encode(), "image x")


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good config with another value at a place, such as `config.Env`."""
    document: dict[str, Any] = json.loads(json.dumps(GOOD))
    *above, last = path.split(".")
    at = document
    for name in above:
        at = at[name]
    at[last] = value
    return document


PLACES = (
    *GOOD,
    *(f"config.{n}" for n in ("User", "Env", "Entrypoint", "Cmd", "Labels", "Volumes", "ExposedPorts", "Healthcheck")),
    *(f"config.{n}" for n in ("WorkingDir", "OnBuild", "Shell", "StopSignal", "ArgsEscaped")),
    *("rootfs.diff_ids", "config.Healthcheck.Test", "config.Healthcheck.Interval"),
)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("rootfs.diff_ids", [""], r"rootfs\.diff_ids\[0\] is not a sha256 digest"),
        ("rootfs.diff_ids", [DIFF_ID, "sha256:" + "../" * 21 + "a"], r"rootfs\.diff_ids\[1\] is not a sha256 digest"),
        ("rootfs.diff_ids", ["sha256:" + "\0" * 64], r"rootfs\.diff_ids\[0\] is not a sha256 digest"),
        ("rootfs.diff_ids", [7], r"rootfs\.diff_ids\[0\] is a number, not a text"),
        ("rootfs.diff_ids", DIFF_ID, r"rootfs\.diff_ids is a text, not a list"),
        ("rootfs", [], "rootfs is a list, not an object"),
        ("config", "x", "config is a text, not an object"),
        ("config.Env", {"A": "b"}, r"config\.Env is an object, not a list"),
        ("config.Env", ["A=\0"], r"config\.Env contains a NUL"),
        ("config.User", 0, r"config\.User is a number, not a text"),
        ("config.Labels", {"a": 1}, r"config\.Labels\.a is a number, not a text"),
        ("config.ArgsEscaped", 1, r"config\.ArgsEscaped is a number, not true or false"),
        ("config.Healthcheck", {"Test": "true"}, r"config\.Healthcheck\.Test is a text, not a list"),
        ("config.Healthcheck", {"Interval": 1.5}, r"config\.Healthcheck\.Interval is a number, not a whole number"),
        ("config.ExposedPorts", ["80"], r"config\.ExposedPorts is a list, not an object"),
        ("architecture", 386, "architecture is a number, not a text"),
        ("created", "yesterday", r"created is not a time \(RFC 3339\): 'yesterday'"),
        ("history", {}, "history is an object, not a list"),
        ("history", [{"created": "2024"}], r"history\[0\]\.created is not a time"),
        ("history", [None], r"history\[0\] is null, not an object"),
    ],
)
def test_what_is_wrong_is_named_with_the_image(path: str, value: Any, words: str) -> None:
    with pytest.raises(KezuriError, match=f"^image x: {words}") as caught:
        parse(changed(path, value))
    assert caught.value.exit_code == 125


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"7", b"{", b"\xff", b"[" * 200_000, b'{"a":' * 200_000, b"9" * 5000),
        *(b'{"a":NaN}', b'{"a":-Infinity}', "{}".encode("utf-16"), b"\xef\xbb\xbf{}"),
    ],
)
def test_what_is_no_document_is_said_so(data: bytes) -> None:
    with pytest.raises(KezuriError, match=r"^image x: not a JSON document"):
        ImageConfig.parse(data, "image x")


@given(st.sampled_from(PLACES), JSON)
def test_any_value_anywhere_is_taken_or_refused_by_name(path: str, value: Any) -> None:
    try:
        config = parse(changed(path, value))
    except KezuriError as error:
        assert str(error).startswith(f"image x: {path.split('.')[0]}")
        return
    canonical(config.to_json())
    chain_id(config.diff_ids)
    config.env_map()


@pytest.mark.parametrize("path", PLACES)
def test_null_says_no_more_than_nothing(path: str) -> None:
    absent = changed(path, None)
    *above, last = path.split(".")
    at = absent
    for name in above:
        at = at[name]
    del at[last]
    assert parse(changed(path, None))._replace(healthcheck=None) == parse(absent)._replace(healthcheck=None)


def test_a_config_that_is_written_again_says_the_same() -> None:
    config = parse(GOOD)
    assert config.env == ("PATH=/bin", "EMPTY=", "ODD") and config.created == GOOD["created"]
    assert ImageConfig.parse(canonical(config.to_json()), "x") == config


def test_the_last_of_two_equal_keys_holds_and_half_a_character_is_replaced() -> None:
    config = ImageConfig.parse(b'{"author":"a","author":"b\xff","config":{"User":"\\ud800x"}}', "x")
    assert (config.author, config.user) == ("b\ufffd", "\ufffdx")


def test_the_environment_as_a_mapping_has_what_has_a_value() -> None:
    assert parse(changed("config.Env", ["A=1", "B", "C=", "D=x=y", "A=2"])).env_map() == {"A": "2", "C": "", "D": "x=y"}
