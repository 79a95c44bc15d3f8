"""Pulling from docker-registry itself, through a proxy that makes faults."""

import gzip
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from tests.registry.registry_faults import (
    FastClock,
    FaultyRegistry,
    Handler,
    behind,
    cut,
    flip,
    make_image,
    reset,
    short,
    status,
)
from tests.registry.registry_servers import RegistryServer, needs_registry

from kezuri.diagnostics import KezuriError
from kezuri.oci import MANIFEST, Descriptor, Manifest, Platform, Reference, digest_of
from kezuri.registry import MemorySink, Registry

pytestmark = [pytest.mark.slow, needs_registry]

LAYER = gzip.compress(random.Random(7).randbytes(3_000_000), 1, mtime=0)
IMAGE = make_image(LAYER, gzip.compress(b"second", mtime=0), gzip.compress(b"third", mtime=0))
PARSED = Manifest.parse(IMAGE.manifest, "image")
BLOB, TAG = f"GET .*/blobs/{digest_of(LAYER)}", "GET .*/manifests/1"


class Blobs:
    def open(self, descriptor: Descriptor) -> IO[bytes]:
        return io.BytesIO(IMAGE.blobs[descriptor.digest])


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[FaultyRegistry]:
    """A proxy before a registry that has the image."""
    with RegistryServer(tmp_path) as server:
        reference = Reference.parse(f"{server.host}/team/app:1")
        with Registry() as registry:
            registry.upload_all(reference, [*PARSED.layers, PARSED.config], Blobs())
            registry.put(reference, IMAGE.manifest, MANIFEST)
        with FaultyRegistry(upstream=server.host) as proxy:
            yield proxy


def pull(host: str, clock: FastClock) -> dict[str, bytes]:
    reference, sink = Reference.parse(f"{host}/team/app:1"), MemorySink()
    with Registry(clock=clock) as registry:
        resolved = registry.resolve(reference, Platform("linux", "amd64"))
        registry.fetch_all(reference, resolved.manifest.layers, sink)
    return sink.blobs


def broken_off(handler: Handler, kind: str, data: bytes) -> None:
    """Half of the body, then the connection is reset."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.wfile.flush()
    reset(handler, kind, data)


@pytest.mark.parametrize(
    ("where", "fault", "asked"),
    [
        (BLOB, status(429, Retry_After="7"), ["", ""]),
        (TAG, status(429, Retry_After="7"), [""]),
        (BLOB, status(500), ["", ""]),
        (BLOB, behind(cut(1_000_000)), ["", f"bytes=1000000-{len(LAYER) - 1}"]),
        (BLOB, behind(short), None),
        (BLOB, behind(flip), ["", ""]),
        (BLOB, reset, ["", ""]),
        (BLOB, behind(broken_off), None),
    ],
    ids=["blob-429", "manifest-429", "blob-500", "cut", "short", "flipped", "reset-before", "reset-in-body"],
)
def test_every_fault_of_a_pull_is_survived(
    proxy: FaultyRegistry, where: str, fault: Any, asked: list[str] | None
) -> None:
    """Each comes once: the image is whole, what came before is not asked for again, and nothing is asked in a storm."""
    clock = FastClock()
    proxy.on(where, fault)
    assert pull(proxy.host, clock) == {layer.digest: IMAGE.blobs[layer.digest] for layer in PARSED.layers}
    ranges = [seen.range for seen in proxy.asked(digest_of(LAYER))]
    assert ranges == asked or (asked is None and len(ranges) == 2)
    assert len(proxy.log) == 6  # manifest, config, three layers, and one of them again
    assert all(wait >= 1 for wait in clock.waits) and len(clock.waits) <= 1


@pytest.mark.parametrize("fault", [behind(short), behind(flip)], ids=["short", "flipped"])
def test_what_is_always_wrong_fails(proxy: FaultyRegistry, fault: Any) -> None:
    proxy.on(BLOB, fault, times=9)
    with pytest.raises(KezuriError, match="blob sha256:"):
        pull(proxy.host, FastClock())
    assert len(proxy.asked(digest_of(LAYER))) <= 5
