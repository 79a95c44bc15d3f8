"""`--cache-from` and `--cache-to` as values."""

import pytest

from kezuri.cli.caches import read_sources, read_targets
from kezuri.cli.options import UsageError
from kezuri.travel.places import CacheSource, CacheTarget


def quiet(text: str) -> None:
    raise AssertionError(text)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("app", CacheSource("registry", "app")),
        ("localhost:5000/app:cache", CacheSource("registry", "localhost:5000/app:cache")),
        ("type=registry,ref=a/b:c", CacheSource("registry", "a/b:c")),
        (f"type=registry,ref=a@sha256:{'0' * 64}", CacheSource("registry", f"a@sha256:{'0' * 64}")),
        ("type=registry,ref=a,scope=x/y,mounts=1", CacheSource("registry", "a", scope="x/y", mounts=True)),
        ('type=local,"src=a,b"', CacheSource("local", "a,b")),
        ("type=local,src=d,tag=t,mounts=false", CacheSource("local", "d", "t")),
        (f"type=local,src=d,digest=sha256:{'1' * 64}", CacheSource("local", "d", "", f"sha256:{'1' * 64}")),
        ("registry.insecure=false,type=registry,ref=a", CacheSource("registry", "a")),
    ],
)
def test_sources(text: str, source: CacheSource) -> None:
    assert read_sources((text,), quiet) == (source,)


def test_several_names_are_several_sources() -> None:
    assert [s.place for s in read_sources(("a,b", "type=registry,ref=c"), quiet)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("app:cache", CacheTarget("registry", "app:cache")),
        ("type=registry,ref=a,mode=max", CacheTarget("registry", "a", mode="max")),
        ("type=local,dest=d", CacheTarget("local", "d")),
        ("type=local,dest=d,tag=t,scope=s,mounts=true", CacheTarget("local", "d", "t", scope="s", mounts=True)),
        ("type=local,dest=d,max-size=1k", CacheTarget("local", "d", most=1024)),
        ("type=local,dest=d,keep-storage=2mb", CacheTarget("local", "d", most=2 << 20)),
        (
            "type=registry,ref=a,compression=zstd,compression-level=19,force-compression=true",
            CacheTarget("registry", "a", compression="zstd", level=19),
        ),
        (
            "type=registry,ref=a,image-manifest=true,oci-mediatypes=true,ignore-error=true",
            CacheTarget("registry", "a", patient=True),
        ),
        ("type=inline", CacheTarget("inline")),
    ],
)
def test_targets(text: str, target: CacheTarget) -> None:
    assert read_targets((text,), False, quiet) == (target,)


def test_one_that_is_not_to_be_written_is_checked_and_left_out() -> None:
    """One line serves branches and pull requests: `write=` is what a pipeline's expression gives."""
    assert read_targets(("type=registry,ref=a,mode=max,write=false",), False, quiet) == ()
    assert read_targets(("type=registry,ref=a,write=true",), False, quiet) == (CacheTarget("registry", "a"),)
    for text in ("type=registry,ref=a,write=perhaps", "type=registry,write=false", "type=local,dest=d,mode=x,write=0"):
        with pytest.raises(UsageError):
            read_targets((text,), False, quiet)


def test_the_build_argument_asks_for_an_inline_cache_once() -> None:
    assert read_targets((), True, quiet) == (CacheTarget("inline"),)
    assert read_targets(("type=inline",), True, quiet) == (CacheTarget("inline"),)


@pytest.mark.parametrize("kind", ["gha", "s3", "azblob"])
def test_caches_of_others_services_are_passed_over(kind: str) -> None:
    said: list[str] = []
    assert read_targets((f"type={kind},mode=max,bucket=x",), False, said.append) == ()
    assert read_sources((f"type={kind},scope=x", "app"), said.append) == (CacheSource("registry", "app"),)
    assert len(said) == 2
    assert all(kind in text and "not used" in text for text in said)


def test_an_inline_cache_has_one_mode() -> None:
    said: list[str] = []
    assert read_targets(("type=inline,mode=max",), False, said.append) == (CacheTarget("inline"),)
    assert "mode=min only" in said[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "type=registry",
        "type=registry,ref=",
        "type=registry,ref=Upper",
        f"type=registry,ref=a@sha256:{'0' * 64}",
        "type=registry,ref=a,mode=maximal",
        "type=registry,ref=a,compression=bzip2",
        "type=registry,ref=a,compression=gzip,compression-level=10",
        "type=registry,ref=a,oci-mediatypes=false",
        "type=registry,ref=a,image-manifest=perhaps",
        "type=registry,ref=a,registry.insecure=true",
        "type=registry,ref=a,dest=x",
        "type=local",
        "type=local,dest=d,max-size=much",
        "type=local,dest=d,src=e",
        "type=regisry,ref=a",
        "ref=a",
        "a,ref=b",
    ],
)
def test_mistakes_name_the_option(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_targets((text,), False, quiet)
    assert raised.value.exit_code == 2
    assert "--cache-to" in str(raised.value) or "reference" in str(raised.value)


def test_a_name_with_attributes_is_told_how_to_be_written() -> None:
    with pytest.raises(UsageError) as raised:
        read_targets(("localhost:5000/app:cache,mode=max",), False, quiet)
    assert "write type=registry,ref=localhost:5000/app:cache,mode=max" in raised.value.diagnostics[0].hint


def test_only_images_have_an_inline_cache_to_read() -> None:
    with pytest.raises(UsageError, match="no type=inline"):
        read_sources(("type=inline",), quiet)
