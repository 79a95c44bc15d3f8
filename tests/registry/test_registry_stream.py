"""One blob read while it comes: broken connections, other bytes, servers without ranges."""

import random
from collections.abc import Iterator

import pytest
from tests.registry.registry_faults import (
    FastClock,
    Fault,
    FaultyRegistry,
    cut,
    flip,
    long,
    long_chunked,
    make_image,
    no_ranges,
    reset,
    short,
    status,
    unsatisfiable,
    wrong_range,
)

from kezuri.diagnostics import KezuriError
from kezuri.oci import Reference
from kezuri.registry import Registry, RegistryConfig

pytestmark = pytest.mark.slow

LAYER = random.Random(8).randbytes(1_500_000)
IMAGE = make_image(LAYER)


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as server:
        server.put(IMAGE, "latest")
        yield server


@pytest.fixture
def client(server: FaultyRegistry) -> Iterator[Registry]:
    with Registry(RegistryConfig(insecure=(server.host,)), clock=FastClock()) as client:
        yield client


def read(client: Registry, server: FaultyRegistry, most: int = 1 << 30) -> bytes:
    out = bytearray()
    with client.stream(Reference.parse(f"{server.host}/app"), IMAGE.layers[0]) as stream:
        while len(out) < most and (piece := stream.read(100_000)):
            out += piece
    return bytes(out)


def test_whole_and_verified(client: Registry, server: FaultyRegistry) -> None:
    came: list[int] = []
    with client.stream(Reference.parse(f"{server.host}/app"), IMAGE.layers[0], came.append) as stream:
        assert b"".join(iter(lambda: stream.read(70_000), b"")) == LAYER
        assert stream.verified
    assert sum(came) == len(LAYER)


def test_ended_early(client: Registry, server: FaultyRegistry) -> None:
    with client.stream(Reference.parse(f"{server.host}/app"), IMAGE.layers[0]) as stream:
        assert stream.read(1000) == LAYER[:1000]
        assert not stream.verified
    assert read(client, server) == LAYER


@pytest.mark.parametrize("fault", [cut(400_000), cut(0), status(503), status(429, Retry_After="1")])
def test_survived(client: Registry, server: FaultyRegistry, fault: Fault) -> None:
    server.on("GET .*blobs", fault, times=2)
    assert read(client, server) == LAYER


def test_it_goes_on_where_it_broke_off(client: Registry, server: FaultyRegistry) -> None:
    server.on("GET .*blobs", cut(600_000), times=2)
    assert read(client, server) == LAYER
    first, second, third = (seen.range for seen in server.asked("blobs"))
    assert first == ""
    assert second == f"bytes=600000-{len(LAYER) - 1}"
    assert third == f"bytes=1200000-{len(LAYER) - 1}"


@pytest.mark.parametrize("again", [no_ranges, unsatisfiable])
def test_servers_without_ranges(client: Registry, server: FaultyRegistry, again: Fault) -> None:
    server.on("GET .*blobs", cut(600_000))
    server.on("GET .*blobs", again)
    assert read(client, server) == LAYER


def test_a_server_that_begins_anew_with_other_bytes(client: Registry, server: FaultyRegistry) -> None:
    server.on("GET .*blobs", cut(600_000))
    server.on("GET .*blobs", flip)
    with pytest.raises(KezuriError, match="a moment ago"):
        read(client, server)


@pytest.mark.parametrize("fault", [flip, short, long, long_chunked])
def test_other_bytes_are_never_the_end(client: Registry, server: FaultyRegistry, fault: Fault) -> None:
    server.on("GET .*blobs", fault, times=-1)
    with pytest.raises(KezuriError, match="is wrong") as caught:
        read(client, server)
    assert caught.value.exit_code == 125


def test_a_range_that_is_another_one(client: Registry, server: FaultyRegistry) -> None:
    server.on("GET .*blobs", cut(600_000))
    server.on("GET .*blobs", wrong_range)
    with pytest.raises(KezuriError, match="asked to go on at byte 600000"):
        read(client, server)


def test_it_ends_when_it_breaks_all_the_time(client: Registry, server: FaultyRegistry) -> None:
    server.on("GET .*blobs", reset, times=-1)
    with pytest.raises(KezuriError, match="blob sha256"):
        read(client, server)
    assert len(server.asked("blobs")) < 10


def test_a_mirror_that_lacks_the_blob(server: FaultyRegistry) -> None:
    with FaultyRegistry() as mirror:
        config = RegistryConfig(insecure=(server.host, mirror.host), mirrors=((server.host, f"http://{mirror.host}"),))
        with Registry(config, clock=FastClock()) as client:
            assert read(client, server) == LAYER
        assert len(mirror.asked("blobs")) == 1
