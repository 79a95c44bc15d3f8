"""Annotations find their places: manifests, the index, and the descriptors of both."""

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.export.annotations import Annotation, Annotations, of_attribute, of_option
from kezuri.oci.platform import Platform

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def collect(options: list[tuple[str, str]], attributes: list[tuple[str, str]]) -> Annotations:
    """What options and the attributes of an output say together, as `cli/outputs.py` puts it."""
    own = [found for name, value in attributes if (found := of_attribute(name, value)) is not None]
    return Annotations((*own, *(found for name, value in options for found in of_option(name, value))))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("k", [("manifest", None, "k")]),
        ("org.example.k", [("manifest", None, "org.example.k")]),
        ("manifest:k", [("manifest", None, "k")]),
        ("index:k", [("index", None, "k")]),
        ("manifest-descriptor:k", [("manifest-descriptor", None, "k")]),
        ("index-descriptor:k", [("index-descriptor", None, "k")]),
        ("index,manifest:k", [("index", None, "k"), ("manifest", None, "k")]),
        ("manifest[linux/arm64/v8]:k", [("manifest", ARM64, "k")]),
        (
            "manifest[linux/amd64],manifest-descriptor[linux/arm64]:a:b",
            [("manifest", AMD64, "a:b"), ("manifest-descriptor", ARM64, "a:b")],
        ),
    ],
)
def test_options(name: str, expected: list[tuple[str, Platform | None, str]]) -> None:
    assert of_option(name, "v=1") == tuple(Annotation(*e, "v=1") for e in expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("annotation.k", ("manifest", None, "k")),
        ("annotation.org.example.k", ("manifest", None, "org.example.k")),
        ("annotation-manifest.k", ("manifest", None, "k")),
        ("annotation[linux/arm64].k.l", ("manifest", ARM64, "k.l")),
        ("annotation-manifest[linux/amd64].k", ("manifest", AMD64, "k")),
        ("annotation-manifest-descriptor[linux/arm64].a[b].c", ("manifest-descriptor", ARM64, "a[b].c")),
        ("annotation-index.k", ("index", None, "k")),
        ("annotation-index-descriptor.k", ("index-descriptor", None, "k")),
    ],
)
def test_attributes(name: str, expected: tuple[str, Platform | None, str]) -> None:
    assert of_attribute(name, "v") == Annotation(*expected, "v")


def test_other_attributes_are_none_of_ours() -> None:
    assert of_attribute("compression", "gzip") is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("manifets:k", "did you mean manifest?"),
        ("org.example:k", "the places are manifest, index"),
        ("index:", "has no key after index:"),
        ("manifest[linux/arm64:k", "has no ] at its end"),
        ("manifest[a/b/c/d]:k", "not a platform"),
        ("manifest,:k", "no place ''"),
    ],
)
def test_options_that_say_nothing(name: str, said: str) -> None:
    with pytest.raises(KezuriError) as caught:
        of_option(name, "v")
    assert said in caught.value.diagnostics[0].message + caught.value.diagnostics[0].hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["annotation", "annotation-index", "annotationx.k", "annotation-manifets.k"])
def test_attributes_that_say_nothing(name: str) -> None:
    with pytest.raises(KezuriError):
        of_attribute(name, "v")


def test_what_names_its_platform_counts_more_and_options_more_than_attributes() -> None:
    found = collect(
        [("both", "option"), ("manifest[linux/arm64]:one", "arm")],
        [("annotation.both", "attribute"), ("annotation.one", "all"), ("annotation.only", "here"), ("name", "x")],
    )
    assert found.on("manifest", AMD64) == {"both": "option", "one": "all", "only": "here"}
    assert found.on("manifest", ARM64) == {"both": "option", "one": "arm", "only": "here"}
    assert found.on("index") == {}


def test_an_index_is_one_for_all_platforms() -> None:
    found = collect([("index[linux/arm64]:k", "v")], [])
    assert found.on("index") == {"k": "v"} and found.on("manifest", ARM64) == {}


def test_an_annotation_without_a_place_is_an_error() -> None:
    Annotations().check((AMD64,), index=False)
    collect([("manifest[linux/amd64]:k", "v"), ("index:k", "v")], []).check((AMD64, ARM64), index=True)
    with pytest.raises(KezuriError, match="is for linux/arm64, which is not built"):
        collect([("manifest[linux/arm64]:k", "v")], []).check((AMD64,), index=True)
    for level in ("index", "index-descriptor"):
        with pytest.raises(KezuriError, match="single platform"):
            collect([(f"{level}:k", "v")], []).check((AMD64,), index=False)
