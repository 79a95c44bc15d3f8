"""Cache mounts that travel between machines, and between users."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_tar
from tests.build.build_workshop import Workshop, write_layout

from kezuri.diagnostics import KezuriError
from kezuri.travel.places import CacheSource, CacheTarget

pytestmark = RUNS_STEPS

DOCKERFILE = """\
FROM base
COPY in /in
RUN --mount=type=cache,target=/c --mount=type=cache,id=own,target=/o,uid=1000,gid=1000,mode=0700 \
  echo "found $(ls /c | wc -l) and $(stat -c %a:%u:%g /o)" && \
  for i in $(seq 300); do [ -e /c/f$i ] || echo $i > /c/f$i; done && cp /in "/c/new$(cat /in)"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str, str], Workshop]:
    base = write_layout(tmp_path / "base", [busybox_tar()])

    def built(name: str, text: str, read: bool = True, write: bool = True, scope: str = "", **more: object) -> Workshop:
        shop = Workshop(tmp_path, tmp_path / f"store-{name}")
        shop.write(**{"in": text})
        place = str(tmp_path / "cache")
        shop.build(
            DOCKERFILE,
            build_contexts=(("base", f"oci-layout://{base}"),),
            cache_from=(CacheSource("local", place, mounts=True, scope=scope),) if read else (),
            cache_to=(CacheTarget("local", place, mounts=True, scope=scope),) if write else (),
            **more,
        )
        return shop

    return built


def found(shop: Workshop) -> bytes:
    return shop.said.output.partition(b"found ")[2].partition(b" ")[0]


def blobs(tmp_path: Path) -> set[str]:
    return set(os.listdir(tmp_path / "cache/blobs/sha256"))


def test_another_machine_goes_on_with_the_mount(machine: Callable[..., Workshop], tmp_path: Path) -> None:
    one = machine("one", "1", read=False)
    assert found(one) == b"0"
    before = blobs(tmp_path)
    two = machine("two", "2")
    assert found(two) == b"301"
    assert b"700:1000:1000" in two.said.output or os.geteuid() != 0
    assert two.said.warnings == []
    # A file was added: its pack and the one with the directory's own time, the documents, and the layers of a step.
    assert len(blobs(tmp_path) - before) <= 7
    assert found(machine("three", "3", write=False)) == b"302"
    assert two.check() == [] == two.leftovers()


def test_a_mount_that_is_here_is_not_replaced(machine: Callable[..., Workshop], tmp_path: Path) -> None:
    two = machine("two", "2", read=False, write=False)
    machine("one", "1", read=False)
    two = machine("two", "3")
    assert found(two) == b"301"
    assert not [name for name in os.listdir(tmp_path / "store-two/mounts") if "new1" in name]


def test_a_build_that_only_reads_changes_nothing(machine: Callable[..., Workshop], tmp_path: Path) -> None:
    machine("one", "1", read=False)
    before = blobs(tmp_path)
    machine("two", "2", write=False)
    assert blobs(tmp_path) == before


def test_a_build_that_runs_nothing_keeps_the_mounts_of_the_cache(
    machine: Callable[..., Workshop], tmp_path: Path
) -> None:
    machine("one", "1", read=False)
    two = machine("two", "1")
    assert two.said.ran == []
    assert not os.listdir(tmp_path / "store-two/mounts")
    assert found(machine("three", "3")) == b"301"


def test_a_branch_begins_with_the_mounts_of_the_cache_without_a_scope(
    machine: Callable[..., Workshop], tmp_path: Path
) -> None:
    machine("main", "1", read=False)
    assert found(machine("branch", "2", scope="feature/x")) == b"301"
    assert found(machine("again", "3", scope="feature/x")) == b"302"
    assert found(machine("other", "4")) == b"301"


def test_a_renewed_mount_begins_empty(machine: Callable[..., Workshop]) -> None:
    machine("one", "1", read=False)
    assert found(machine("two", "2", no_cache=True)) == b"0"


def test_a_damaged_mount_begins_empty_with_one_warning(machine: Callable[..., Workshop], tmp_path: Path) -> None:
    machine("one", "1", read=False)
    for name in blobs(tmp_path):
        path = tmp_path / "cache/blobs/sha256" / name
        data = path.read_bytes()
        if data[:1] != b"{":
            path.write_bytes(data[: len(data) // 2] + b"\0" * (len(data) - len(data) // 2))
    two = machine("two", "2", write=False)
    assert found(two) == b"0"
    assert len([text for text in two.said.warnings if "cache mount begins empty" in text]) == 1


def test_one_that_is_too_large_stays_out(tmp_path: Path, machine: Callable[..., Workshop]) -> None:
    base = tmp_path / "base"
    shop = Workshop(tmp_path, tmp_path / "store-one")
    shop.write(**{"in": "1"})
    target = CacheTarget("local", str(tmp_path / "cache"), mounts=True, most=500)
    shop.build(DOCKERFILE, build_contexts=(("base", f"oci-layout://{base}"),), cache_to=(target,))
    assert any("/c is not exported: it is larger" in text for text in shop.said.warnings)


def test_no_secret_is_in_a_cache(tmp_path: Path, machine: Callable[..., Workshop]) -> None:
    from kezuri.app.request import SecretSource
    from kezuri.layer.decompression import decompress

    shop = Workshop(tmp_path, tmp_path / "store-one")
    (tmp_path / "secret").write_text("hunter2-is-secret")
    text = (
        "FROM base AS tools\n"
        "RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S,target=/x --mount=type=cache,target=/c "
        'test "$S" = "$(cat /run/secrets/s)" && echo "$S" | wc -c > /c/used && cp /c/used /used\n'
        "FROM base\nCOPY --from=tools /used /used\n"
    )
    shop.build(
        text,
        build_contexts=(("base", f"oci-layout://{tmp_path}/base"),),
        secrets=(SecretSource("s", "file", str(tmp_path / "secret")),),
        cache_to=(CacheTarget("local", str(tmp_path / "cache"), mode="max", mounts=True),),
    )
    assert shop.said.ran
    for name in blobs(tmp_path):
        data = (tmp_path / "cache/blobs/sha256" / name).read_bytes()
        if data[:1] != b"{":
            data = decompress(io.BytesIO(data), name).read()
        assert b"hunter2" not in data


def test_what_came_for_a_build_that_failed_stays(tmp_path: Path, machine: Callable[..., Workshop]) -> None:
    contexts = {"build_contexts": (("base", f"oci-layout://{tmp_path}/base"),)}
    text = "FROM base\nRUN echo dear > /dear\n"
    one, two = (Workshop(tmp_path, tmp_path / f"store-{name}") for name in ("one", "two"))
    one.build(text, cache_to=(CacheTarget("local", str(tmp_path / "cache")),), **contexts)
    with pytest.raises(KezuriError):
        two.build(text + "RUN false\n", cache_from=(CacheSource("local", str(tmp_path / "cache")),), **contexts)
    assert two.said.cached == ["RUN echo dear > /dear"]
    two.build(text + "RUN true\n", **contexts)
    assert (two.said.cached, two.said.ran) == (["RUN echo dear > /dear"], ["RUN true"])
