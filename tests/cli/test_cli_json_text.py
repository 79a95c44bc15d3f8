"""JSON as kezuri prints it: what the standard library writes, but for what does not show."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.cli.json_text import json_text
from kezuri.diagnostics import visible

_PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8) | st.sampled_from(
    ["é", "日本", '"\\/']
)
_SCALARS = _PLAIN | st.integers() | st.floats() | st.booleans() | st.none()
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(_PLAIN | st.integers() | st.booleans() | st.none(), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=30)
@given(_VALUES, st.sampled_from([None, 1, 2, 4]))
def test_it_is_what_the_standard_library_writes(value: Any, indent: int | None) -> None:
    separators = None if indent else (",", ":")
    assert json_text(value, indent) == json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)


@settings(max_examples=30)
@given(st.text(max_size=20))
def test_it_reads_back_and_shows_all_that_it_has(text: str) -> None:
    said = json_text({"a": [text]}, 2)
    assert json.loads(said) == {"a": [text]}
    assert all(visible(char) == char for char in said if char != "\n")


@pytest.mark.parametrize("value", [{("a",): 1}, {"a": object()}, [{1, 2}]])
def test_what_is_no_json_is_refused(value: Any) -> None:
    for indent in (None, 2):
        with pytest.raises(TypeError):
            json_text(value, indent)
