"""Caches in a real registry: what is sent and fetched is counted there."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_tar
from tests.build.build_workshop import Workshop, asked, oci, write_layout
from tests.registry.registry_servers import RegistryServer, needs_registry, needs_skopeo

from kezuri.app.build import build
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.travel.places import CacheSource, CacheTarget

pytestmark = [*RUNS_STEPS, needs_registry]

DOCKERFILE = """\
FROM base AS tools
RUN head -c 3000000 /dev/urandom > /big && echo tool > /tool
COPY source /source
RUN cat /tool /source > /made
FROM base
RUN head -c 2000000 /dev/urandom > /top
COPY --from=tools /made /made
COPY end /end
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_layout(tmp_path_factory.mktemp("base") / "base", [busybox_tar()])


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path) as server:
        yield server


class Machines:
    """Machines that have the same context, and one registry."""

    def __init__(self, directory: Path, base: Path, registry: RegistryServer) -> None:
        self._directory = directory
        self.base = base
        self._contexts = (("base", f"oci-layout://{base}"),)
        self.registry = registry

    def build(self, name: str, *, read: tuple[str, ...] = (), write: tuple[CacheTarget, ...] = (),
              outputs: tuple[str, ...] = (), source: str = "source", **files: str) -> Workshop:  # fmt: skip
        """Build on the machine of this name, with caches by their names in the registry."""
        shop = Workshop(self._directory, self._directory / f"store-{name}")
        shop.write(**({"source": source, "end": "end"} | files))
        sources = tuple(CacheSource("registry", f"{self.registry.host}/{place}") for place in read)
        self.result = shop.build(
            DOCKERFILE, cache_from=sources, cache_to=write, outputs=outputs, build_contexts=self._contexts
        )
        return shop

    def target(self, place: str, **more: str) -> CacheTarget:
        return CacheTarget("registry", f"{self.registry.host}/{place}", **more)  # type: ignore[arg-type]

    def traffic(self) -> list[tuple[str, str, int]]:
        """The requests since this was last asked: method, what (`manifest`, `blob`, `upload`), and bytes answered."""
        log = self.registry.log
        text = log.read_bytes().replace(b"\0", b"").decode()
        log.write_bytes(b"")
        found = []
        for method, path, status, size in re.findall(r'"([A-Z]+) (\S+) HTTP/1.1" (\d+) (\d+)', text):
            kind = "upload" if "/uploads/" in path else "blob" if "/blobs/" in path else "manifest"
            if status in ("200", "201", "202"):
                found.append((method, f"{kind} mounted" if "mount=" in path and status == "201" else kind, int(size)))
        return found

    def downloaded(self) -> int:
        """The bytes of blobs that were fetched since this, or `traffic`, was last asked."""
        return sum(size for method, kind, size in self.traffic() if method == "GET" and kind == "blob")


@pytest.fixture
def machines(tmp_path: Path, base: Path, registry: RegistryServer) -> Machines:
    return Machines(tmp_path, base, registry)


def test_a_build_on_an_empty_machine_fetches_the_layers_of_the_image(machines: Machines) -> None:
    machines.build("one", write=(machines.target("app:cache", mode="max"),))
    made = machines.result
    machines.traffic()
    two = machines.build("two", read=("app:cache",))
    assert (two.said.ran, machines.result.digest) == ([], made.digest)
    assert 2_000_000 < machines.downloaded() < 2_010_000
    three = machines.build("three", read=("app:cache",), outputs=("type=cacheonly",))
    assert three.said.ran == []
    assert machines.downloaded() < 10_000


def test_a_change_fetches_what_it_stands_on_and_nothing_beside(machines: Machines) -> None:
    machines.build("one", write=(machines.target("app:cache", mode="max"),))
    machines.traffic()
    two = machines.build("two", read=("app:cache",), outputs=("type=cacheonly",), source="other")
    assert "RUN cat /tool /source > /made" in two.said.ran
    assert not any("urandom" in title for title in two.said.ran)
    # The stage whose source changed, and the one that its result is copied into.
    assert 5_000_000 < machines.downloaded() < 5_020_000
    three = machines.build("three", read=("app:cache",), outputs=("type=cacheonly",), end="other")
    assert three.said.ran == ["COPY end /end"]
    assert 2_000_000 < machines.downloaded() < 2_010_000


def test_what_is_there_is_not_sent_again(machines: Machines) -> None:
    machines.build("one", write=(machines.target("app:cache", mode="max"),))
    machines.traffic()
    machines.build("one", write=(machines.target("app:cache", mode="max"),))
    traffic = machines.traffic()
    assert not [kind for method, kind, _ in traffic if method == "PUT" and kind == "upload"]
    machines.build(
        "two", read=("app:cache",), write=(machines.target("other:cache", mode="max"),), outputs=("type=cacheonly",)
    )
    traffic = machines.traffic()
    assert [kind for _, kind, _ in traffic].count("upload mounted") >= 6
    assert sum(size for method, kind, size in traffic if method == "GET" and kind == "blob") < 10_000


def test_mode_min_sends_the_layers_of_the_image(machines: Machines) -> None:
    machines.build("one", write=(machines.target("app:cache", mode="min"),))
    manifest = machines.registry.data
    sizes = [p.stat().st_size for p in manifest.glob("docker/registry/v2/blobs/sha256/*/*/data")]
    assert sum(sizes) < 2_050_000
    two = machines.build("two", read=("app:cache",))
    assert two.said.ran == []


def test_an_image_in_the_registry_is_a_cache(machines: Machines, tmp_path: Path) -> None:
    machines.build("one", write=(CacheTarget("inline"),), outputs=oci(tmp_path / "image", tar="false"))
    subprocess.run(
        ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", f"oci:{tmp_path}/image",
         f"docker://{machines.registry.host}/app:1"], check=True, capture_output=True,
    )  # fmt: skip
    two = machines.build("two", read=("app:1",))
    assert (two.said.ran, two.said.warnings) == ([], [])


test_an_image_in_the_registry_is_a_cache = needs_skopeo(test_an_image_in_the_registry_is_a_cache)


@needs_skopeo
def test_skopeo_copies_a_cache(machines: Machines, tmp_path: Path) -> None:
    machines.build("one", write=(machines.target("app:cache", mode="max"),))
    host = machines.registry.host
    for source, target in (
        (f"docker://{host}/app:cache", f"oci:{tmp_path}/copy:x"),
        (f"oci:{tmp_path}/copy:x", f"docker://{host}/copied:cache"),
    ):
        options = ["--src-tls-verify=false"] * source.startswith("docker") + ["--dest-tls-verify=false"] * (
            target.startswith("docker")
        )
        subprocess.run(
            ["skopeo", "copy", "--insecure-policy", *options, source, target], check=True, capture_output=True
        )
    assert machines.build("two", read=("copied:cache",)).said.ran == []
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{host}/app:cache"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert json.loads(raw)["artifactType"] == "application/vnd.kezuri.cache.v1"


def test_a_registry_that_is_down_or_lost_a_blob_costs_a_build(machines: Machines) -> None:
    machines.build("one", write=(machines.target("app:cache", mode="max"),))
    for path in machines.registry.data.glob("docker/registry/v2/blobs/sha256/*/*/data"):
        if path.stat().st_size > 1_000_000:
            data = path.read_bytes()
            path.write_bytes(data[:500_000] + b"\0\0\0\0" + data[500_004:])
    two = machines.build("two", read=("app:cache",))
    assert sum("urandom" in title for title in two.said.ran) >= 1
    assert len(two.said.warnings) == 1
    assert two.check() == []
    machines.registry.__exit__(None, None, None)
    three = machines.build("three", read=("app:cache", "app:other"))
    assert three.said.cached == []
    assert len(three.said.warnings) == 2
    with pytest.raises(KezuriError, match="no registry can be reached"):
        machines.build("three", write=(machines.target("app:cache"),))


def test_a_registry_that_wants_a_login_is_told_of_once(tmp_path: Path, base: Path) -> None:
    with RegistryServer(tmp_path, password=True) as server:
        machines = Machines(tmp_path, base, server)
        shop = machines.build("one", read=("app:cache",))
        assert len(shop.said.warnings) == 1
        assert f"{server.host}/app:cache is not used" in shop.said.warnings[0]
        assert "401" in shop.said.warnings[0]


def test_an_image_that_is_only_pushed_does_not_come_here(machines: Machines) -> None:
    machines.build("one", write=(machines.target("app:cache", mode="max"),))
    machines.traffic()
    for place, mounted in (("app:2", 0), ("other:2", 3)):
        pushed = (f"type=registry,name={machines.registry.host}/{place},store=false",)
        two = machines.build("two", read=("app:cache",), outputs=pushed)
        assert two.said.ran == []
        traffic = machines.traffic()
        assert sum(size for method, kind, size in traffic if method == "GET" and kind == "blob") < 10_000
        assert [kind for _, kind, _ in traffic].count("upload mounted") >= mounted
    pulled = machines.build("three", read=("app:cache",))
    assert pulled.said.ran == []


def test_a_blob_that_the_registry_lost_is_built_before_it_is_pushed(machines: Machines) -> None:
    machines.build("one", write=(machines.target("app", mode="max"),))
    host, gone = machines.registry.host, 0
    for link in machines.registry.data.glob("docker/registry/v2/repositories/app/_layers/sha256/*/link"):
        digest = link.read_text().partition(":")[2]
        data = machines.registry.data / f"docker/registry/v2/blobs/sha256/{digest[:2]}/{digest}/data"
        if data.stat().st_size > 1_000_000:
            data.unlink()
            link.unlink()
            gone += 1
    assert gone == 2
    two = machines.build("two", read=("app",), outputs=(f"type=registry,name={host}/app:2,store=false",))
    assert any("urandom > /top" in title for title in two.said.ran)
    (warning,) = two.said.warnings
    assert f"the cache {host}/app is damaged, and what it lacks is built: blob sha256:" in warning


def test_two_exporters_at_once_leave_one_whole_cache(machines: Machines, tmp_path: Path) -> None:
    """Two machines that have built different things write the same tag at the same time."""
    target = machines.target("app:cache", mode="max")
    shops = [machines.build(name, source=name) for name in ("one", "two")]
    threads = [
        threading.Thread(
            target=lambda shop=shop: build(
                asked(context=str(shop.context), cache_to=(target,),
                      build_contexts=(("base", f"oci-layout://{machines.base}"),)),
                Settings(str(shop.root)), shop.said,
            )
        )
        for shop in shops
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    three = machines.build("three", read=("app:cache",), source="two")
    assert three.said.ran == []
    assert three.said.warnings == []
