"""Pushing to docker-registry itself: open, behind a password, a token server and TLS, and through a proxy that makes
faults; what was pushed is read by other programs."""

import gzip
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from benchmarks.dockerd import Dockerd, missing
from tests.registry.registry_faults import (
    FastClock,
    FaultyRegistry,
    Handler,
    after,
    lost,
    make_image,
    midway,
    reset,
    stall,
    status,
)
from tests.registry.registry_servers import (
    PASSWORD,
    USER,
    Authority,
    RegistryServer,
    TokenServer,
    needs_openssl,
    needs_registry,
)

from kezuri.app.build import build
from kezuri.app.images import tag
from kezuri.app.outputs import PushedImage
from kezuri.app.pull import pull
from kezuri.app.push import push
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.stored_image import ImageOptions
from kezuri.diagnostics import KezuriError
from kezuri.oci import MANIFEST, Descriptor, Index, Manifest, Platform, Reference, canonical, digest_of
from kezuri.oci.descriptor import DOCKER_MANIFEST
from kezuri.registry import Registry, RegistryConfig, Uploaded
from kezuri.registry.challenge import Credential
from kezuri.store.store import Store

pytestmark = [pytest.mark.slow, needs_registry]

LAYER = gzip.compress(random.Random(7).randbytes(3_000_000), 1, mtime=0)
IMAGE = make_image(LAYER, gzip.compress(b"second", mtime=0))
PARSED = Manifest.parse(IMAGE.manifest, "image")
PUT, TAG = f"PUT .*/uploads/.*{digest_of(LAYER)[7:]}", "PUT .*/manifests/1"


class Blobs:
    def open(self, descriptor: Descriptor) -> IO[bytes]:
        return io.BytesIO(IMAGE.blobs[descriptor.digest])


class Somebody:
    def find(self, host: str, path: str) -> Credential | None:
        return Credential(USER, PASSWORD)


def send(registry: Registry, host: str, name: str = "team/app:1", known_in: tuple[str, ...] = ()) -> set[Uploaded]:
    reference = Reference.parse(f"{host}/{name}")
    how = registry.upload_all(reference, [*PARSED.layers, PARSED.config], Blobs(), known_in=known_in)
    registry.put(reference, IMAGE.manifest, MANIFEST)
    return set(how.values())


def there(host: str, name: str = "team/app:1", config: RegistryConfig | None = None, credentials: Any = None) -> None:
    """The whole image can be had there, byte for byte."""
    from kezuri.registry import MemorySink

    reference = Reference.parse(f"{host}/{name}")
    with Registry(config, credentials=credentials) as registry:
        resolved = registry.resolve(reference, Platform("linux", "amd64"))
        sink = MemorySink()
        registry.fetch_all(reference, resolved.manifest.layers, sink)
    assert resolved.manifest_raw == IMAGE.manifest
    assert sink.blobs == {layer.digest: IMAGE.blobs[layer.digest] for layer in PARSED.layers}


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    ("where", "fault", "times_sent"),
    [
        ("POST .*/uploads/", status(500), 1),
        (PUT, after(status(503)), 2),
        (PUT, midway(reset), 2),
        (PUT, midway(reset, 2_000_000), 2),
        (PUT, lost, 1),
        (TAG, after(status(429, Retry_After="7")), 1),
        (TAG, lost, 1),
    ],
    ids=[
        "post-500",
        "body-503",
        "reset-early",
        "reset-mid-body",
        "reset-after-blob",
        "manifest-429",
        "reset-after-tag",
    ],
)
def test_every_fault_of_a_push_is_survived(plain: RegistryServer, where: str, fault: Any, times_sent: int) -> None:
    clock = FastClock()
    with FaultyRegistry(upstream=plain.host) as proxy, Registry(clock=clock) as registry:
        proxy.on(where, fault)
        assert send(registry, proxy.host) == {"sent"}
        log = [f"{seen.method} {seen.path}" for seen in proxy.log]
    there(plain.host)
    assert len([s for s in log if s.startswith("PUT") and digest_of(LAYER)[7:] in s]) == times_sent
    assert len(log) <= 13  # nine requests without a fault, and what finding out takes
    assert len(clock.waits) == 1
    assert clock.waits[0] >= 1


def test_an_answer_that_comes_too_late_is_looked_for(plain: RegistryServer) -> None:
    """After its last byte a blob has ten times the time of another request, and then it is asked for."""

    def late(handler: Handler, kind: str, data: bytes) -> None:
        handler.answer = lambda *_, **__: None  # type: ignore[method-assign]
        handler.forward()
        handler.registry.stopped.wait(20)
        handler.close_connection = True

    config = RegistryConfig(connect_timeout=0.1, idle_timeout=0.1)
    with FaultyRegistry(upstream=plain.host) as proxy, Registry(config, clock=FastClock()) as registry:
        proxy.on(PUT, late)
        assert send(registry, proxy.host) == {"sent"}
        assert len([s for s in proxy.log if s.method == "PUT" and digest_of(LAYER)[7:] in s.path]) == 1
    there(plain.host)


@needs_openssl
def test_a_token_that_expires_in_mid_push_is_renewed(tmp_path: Path) -> None:
    with (
        TokenServer(tmp_path) as tokens,
        RegistryServer(tmp_path, tokens=tokens) as server,
        FaultyRegistry(upstream=server.host) as proxy,
        Registry(credentials=Somebody()) as registry,
    ):

        def expired(handler: Handler, kind: str, data: bytes) -> None:
            tokens.age = 3600
            old = tokens.token(USER, ("repository:team/app:pull,push",))
            tokens.age = 0
            handler.headers.replace_header("Authorization", f"Bearer {old}")
            handler.forward()

        proxy.on(PUT, expired)
        proxy.on(TAG, expired)
        assert send(registry, proxy.host) == {"sent"}
        there(server.host, credentials=Somebody())
        assert len(tokens.log) <= 5  # one for the push, one for each that expired, and two of the pull
        puts = [s for s in proxy.log if s.method == "PUT" and digest_of(LAYER)[7:] in s.path]
        assert len(puts) == 2
        assert puts[0].path == puts[1].path  # the same upload goes on: nothing of it had been taken


@needs_openssl
def test_behind_a_token_server_a_blob_is_mounted(tmp_path: Path) -> None:
    with (
        TokenServer(tmp_path) as tokens,
        RegistryServer(tmp_path, tokens=tokens) as server,
        Registry(credentials=Somebody()) as registry,
    ):
        assert send(registry, server.host) == {"sent"}
        assert send(registry, server.host, "other/app:1", ("team/app",)) == {"mounted"}
        assert ("repository:other/app:pull,push", "repository:team/app:pull") in [asked.scopes for asked in tokens.log]
        # Of one that has not got it nothing is to be had, and the blob is sent.
        assert send(registry, server.host, "third/app:1", ("nobody/app",)) == {"sent"}
        there(server.host, "third/app:1", credentials=Somebody())


def test_behind_a_password(tmp_path: Path) -> None:
    with RegistryServer(tmp_path, password=True) as server:
        with Registry() as stranger, pytest.raises(KezuriError) as caught:
            stranger.writable(Reference.parse(f"{server.host}/team/app"))
        assert "401" in str(caught.value) and caught.value.exit_code == 1
        with Registry(credentials=Somebody()) as registry:
            registry.writable(Reference.parse(f"{server.host}/team/app"))
            assert send(registry, server.host) == {"sent"}
        there(server.host, credentials=Somebody())


@needs_openssl
def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    config = RegistryConfig(ca_certificates=authority.certificate)
    with RegistryServer(tmp_path, tls=authority.issue("server", "IP:127.0.0.1")) as server:
        with Registry(config) as registry:
            assert send(registry, server.host) == {"sent"}
            assert send(registry, server.host) == {"there"}
        there(server.host, config=config)


def test_what_refers_can_be_found_and_deleted(plain: RegistryServer) -> None:
    subject = {"mediaType": MANIFEST, "digest": IMAGE.digest, "size": len(IMAGE.manifest)}
    raw = canonical({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x", "config":
                     PARSED.config.to_json(), "layers": [], "subject": subject})  # fmt: skip
    reference = Reference.parse(f"{plain.host}/team/app:1")
    bare = reference._replace(tag="")
    with Registry() as registry:
        send(registry, plain.host)
        registry.put(bare, raw, MANIFEST)
        assert [d.digest for d in registry.referrers(bare, IMAGE.digest)] == [digest_of(raw)]
        assert sorted(registry.tags(bare)) == ["1", f"sha256-{IMAGE.digest[7:]}"]
        assert registry.document(reference).raw == IMAGE.manifest
        with pytest.raises(KezuriError, match=r"DELETE .*: 40[05] ") as caught:
            registry.delete(reference)
        assert "by digest only" in caught.value.diagnostics[0].hint
        registry.delete(bare._replace(digest=IMAGE.digest))
        assert registry.named(reference) == ""


# whole images, out of a store


def context(directory: Path, dockerfile: str) -> str:
    directory.mkdir(exist_ok=True)
    (directory / "Dockerfile").write_text(dockerfile)
    (directory / "a").write_bytes(random.Random(1).randbytes(200_000))
    (directory / "b").write_text("b")
    return str(directory)


def made(tmp_path: Path, settings: Settings, *names: str, dockerfile: str = "", **more: Any) -> str:
    """An image that is built and pushed; its digest."""
    where = context(tmp_path / "context", dockerfile or "FROM scratch\nCOPY a /\nCOPY b /\n")
    return build(BuildRequest(where, tags=names, **{"outputs": (PushedImage(),), **more}), settings, print_none).digest


def print_none(event: object) -> None:
    return None


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short name: podman wants that."""
    directory = tempfile.mkdtemp(prefix="kp")
    yield Path(directory)
    shutil.rmtree(directory)


def test_what_was_pushed_is_read_by_others(plain: RegistryServer, tmp_path: Path, short: Path) -> None:
    settings = Settings(str(tmp_path / "store"))
    names = [f"{plain.host}/team/{kind}:1" for kind in ("gzip", "zstd", "docker", "index")]
    options = {
        "zstd": ImageOptions(compression="zstd"),
        "docker": ImageOptions(docker_types=True),
    }
    for name in names:
        kind = name.rpartition("/")[2].partition(":")[0]
        platforms = ("linux/amd64", "linux/arm64") if kind == "index" else ("linux/amd64",)
        digest = made(
            tmp_path, settings, name, platforms=platforms, outputs=(PushedImage(options.get(kind, ImageOptions())),)
        )
        readers = 0
        for reader in (_skopeo, _podman, _buildah):
            found = reader(name, short / f"{kind}{reader.__name__}")
            readers += found is not None
            assert found in (None, {"/a": digest_of((tmp_path / "context" / "a").read_bytes())}), (reader, kind)
        if not readers:
            pytest.skip("none of skopeo, podman and buildah is installed")
        with Registry() as registry:
            assert registry.named(Reference.parse(name)) == digest
            assert (registry.document(Reference.parse(name)).descriptor.media_type == DOCKER_MANIFEST) == (
                kind == "docker"
            )


@pytest.mark.skipif(missing() is not None, reason=f"docker: {missing()}")
def test_docker_pulls_what_was_pushed_and_kezuri_what_docker_pushed(
    plain: RegistryServer, tmp_path: Path, short: Path
) -> None:
    settings = Settings(str(tmp_path / "store"))
    with Dockerd(f"{short}/d") as daemon:
        for kind, platforms in (("gzip", ()), ("docker", ()), ("index", ("linux/amd64", "linux/arm64"))):
            name = f"{plain.host}/team/{kind}:1"
            options = ImageOptions(docker_types=kind == "docker")
            digest = made(tmp_path, settings, name, platforms=platforms, outputs=(PushedImage(options),))
            assert f"Digest: {digest}" in _run(*daemon.docker, "pull", name)
            container = _run(*daemon.docker, "create", name, "/a").strip()
            _run(*daemon.docker, "cp", f"{container}:/a", f"{short}/{kind}")
            assert (short / kind).read_bytes() == (tmp_path / "context" / "a").read_bytes()
            _run(*daemon.docker, "rm", container)
            theirs = f"{plain.host}/docker/{kind}:1"
            _run(*daemon.docker, "tag", name, theirs)
            said = _run(*daemon.docker, "push", theirs).splitlines()[-1]
            assert said.startswith(f"1: digest: {pull(settings, theirs, '', print_none)} size: ")


def _skopeo(name: str, directory: Path) -> dict[str, str] | None:
    if shutil.which("skopeo") is None or shutil.which("umoci") is None:
        return None
    directory.mkdir()
    _run("skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", f"docker://{name}", f"oci:{directory}/oci:1")
    layout = json.loads((directory / "oci" / "index.json").read_text())
    assert len(layout["manifests"]) == 1
    manifest = json.loads(_blob(directory / "oci", layout["manifests"][0]["digest"]))
    if any("zstd" in layer["mediaType"] for layer in manifest["layers"]):
        return None  # umoci knows no zstd
    _run("umoci", "unpack", "--rootless", "--image", f"{directory}/oci:1", f"{directory}/bundle")
    return {"/a": digest_of((directory / "bundle" / "rootfs" / "a").read_bytes())}


def _podman(name: str, directory: Path) -> dict[str, str] | None:
    if shutil.which("podman") is None or os.getuid() != 0:
        return None
    own = ("podman", "--root", f"{directory}/root", "--runroot", f"{directory}/run", "--storage-driver", "vfs")
    _run(*own, "pull", "--tls-verify=false", "-q", name)
    where = _run(*own, "image", "mount", name).strip()
    try:
        return {"/a": digest_of((Path(where) / "a").read_bytes())}
    finally:
        _run(*own, "image", "unmount", "--force", name)


def _buildah(name: str, directory: Path) -> dict[str, str] | None:
    if shutil.which("buildah") is None or os.getuid() != 0:
        return None
    own = ("buildah", "--root", f"{directory}/root", "--runroot", f"{directory}/run", "--storage-driver", "vfs")
    container = _run(*own, "from", "--tls-verify=false", "--pull-always", "-q", name).strip()
    try:
        return {"/a": digest_of((Path(_run(*own, "mount", container).strip()) / "a").read_bytes())}
    finally:
        _run(*own, "umount", container)
        _run(*own, "rm", container)


def _blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest[7:]).read_bytes()


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


def test_several_tags_go_over_together_or_not_at_all(plain: RegistryServer, tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "store"))
    with FaultyRegistry(upstream=plain.host) as proxy:
        tags = [f"{proxy.host}/team/app:{n}" for n in (1, 2)] + [f"{proxy.host}/other/app:3"]
        first = made(tmp_path, settings, *tags)
        proxy.log.clear()
        proxy.on("PUT .*/other/app/manifests/3", after(status(403)))
        with pytest.raises(KezuriError) as caught:
            made(tmp_path, settings, *tags, labels=(("a", "b"),))
        assert "the tags that were pushed before it name what they named before" in caught.value.diagnostics[0].hint
        with Registry() as registry:
            assert {registry.named(Reference.parse(tag)) for tag in tags} == {first}
        # Everything else had been there by then: the tags come last.
        puts = [s.path for s in proxy.log if s.method == "PUT"]
        names = [path.rpartition("/")[2][:6] for path in puts]
        assert names[-5:-2] == ["1", "2", "3"] and "1" not in names[:-5]
        second = made(tmp_path, settings, *tags, labels=(("a", "b"),))
        with Registry() as registry:
            assert {registry.named(Reference.parse(tag)) for tag in tags} == {second} != {first}


def test_a_failed_build_has_sent_no_manifest(plain: RegistryServer, tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "store"))
    with FaultyRegistry(upstream=plain.host) as proxy:
        with pytest.raises(KezuriError, match="nothere"):
            made(tmp_path, settings, f"{proxy.host}/team/app:1", dockerfile="FROM scratch\nCOPY a /\nCOPY nothere /\n")
        assert not [s for s in proxy.log if "/manifests/" in s.path]


def test_a_finished_layer_is_sent_while_later_steps_run(plain: RegistryServer, tmp_path: Path) -> None:
    """The second step reads what the registry got of the first: it waits for that, and fails if it never comes."""
    settings = Settings(str(tmp_path / "store"))
    with FaultyRegistry(upstream=plain.host) as proxy:
        order: list[str] = []

        def hear(event: Any) -> None:
            if type(event).__name__ == "StepStarted" and "exporting layers" in str(event.name):
                for _ in range(400):
                    if any(s.method == "PUT" for s in proxy.log):
                        break
                    time.sleep(0.01)
                order.append("sent" if any(s.method == "PUT" for s in proxy.log) else "not sent")

        where = context(tmp_path / "context", "FROM scratch\nCOPY a /\nCOPY b /\n")
        name = f"{proxy.host}/team/app:1"
        build(BuildRequest(where, tags=(name,), outputs=(PushedImage(),)), settings, hear)
        assert order == ["sent"]
        puts = [s.path.rpartition("digest=")[2] for s in proxy.log if s.method == "PUT" and "/blobs/" in s.path]
        assert len(puts) == len(set(puts)) == 3  # two layers and the config, each once


def test_access_is_looked_at_before_anything_is_built(tmp_path: Path) -> None:
    with RegistryServer(tmp_path, password=True) as server:
        steps: list[str] = []
        where = context(tmp_path / "context", "FROM scratch\nCOPY a /\n")
        request = BuildRequest(where, tags=(f"{server.host}/team/app:1",), outputs=(PushedImage(),))
        with pytest.raises(KezuriError, match="401"):
            build(
                request, Settings(str(tmp_path / "store")), lambda event: steps.append(str(getattr(event, "name", "")))
            )
        assert not any("COPY" in step for step in steps)


def test_layers_of_the_base_are_compressed_anew_where_that_is_asked_for(plain: RegistryServer, tmp_path: Path) -> None:
    """Their content stays, and so do their diff ids; those that are compressed like that already stay as they are."""
    made(tmp_path, Settings(str(tmp_path / "first")), f"{plain.host}/team/base:1")
    settings = Settings(str(tmp_path / "store"))
    kinds = {"zstd": "zstd", "gzip": "gzip", "uncompressed": "tar"}
    found: dict[str, Any] = {}
    for kind in ("uncompressed", "zstd", "gzip", "zstd"):
        name = f"{plain.host}/team/{kind}:1"
        options = ImageOptions(compression=kind, forced=True)
        dockerfile = f"FROM {plain.host}/team/base:1\nCOPY b /c\n"
        made(tmp_path, settings, name, dockerfile=dockerfile, outputs=(PushedImage(options),))
        with Registry() as registry:
            resolved = registry.resolve(Reference.parse(name), Platform("linux", "amd64"))
            base = registry.resolve(Reference.parse(f"{plain.host}/team/base:1"), Platform("linux", "amd64"))
        layers = resolved.manifest.layers
        assert len(layers) == 3 and all(layer.media_type.endswith(kinds[kind]) for layer in layers)
        assert resolved.config.diff_ids[:2] == base.config.diff_ids
        assert (layers[:2] == base.manifest.layers) == (kind == "gzip")
        assert found.setdefault(kind, layers) == layers
    with Store(settings.root) as store:
        for layer in found["zstd"]:
            assert store.blobs.is_sound(layer.digest)


def test_a_base_whose_files_nobody_needs_is_not_fetched(plain: RegistryServer, tmp_path: Path) -> None:
    made(tmp_path, Settings(str(tmp_path / "first")), f"{plain.host}/team/base:1")
    with FaultyRegistry(upstream=plain.host) as proxy:
        dockerfile = f"FROM {proxy.host}/team/base:1\nCOPY --link b /c\n"
        output = PushedImage(ImageOptions(), kept=False)
        settings = Settings(str(tmp_path / "store"))
        name = f"{proxy.host}/other/app:1"
        made(tmp_path, settings, name, dockerfile=dockerfile, outputs=(output,))
        with Registry() as registry:
            resolved = registry.resolve(Reference.parse(name), Platform("linux", "amd64"))
        fetched = {s.path.rpartition("/")[2] for s in proxy.log if s.method == "GET" and "/blobs/" in s.path}
        assert len(resolved.manifest.layers) == 3
        assert not fetched & {layer.digest for layer in resolved.manifest.layers}
        assert len([s for s in proxy.log if "mount=" in s.path]) == 2
        # At another registry they are not, and have to be fetched.
        with RegistryServer(_made(tmp_path / "second")) as second:
            name = f"{second.host}/other/app:1"
            made(tmp_path, settings, name, dockerfile=dockerfile, outputs=(output,))
            with Registry() as registry:
                again = registry.resolve(Reference.parse(name), Platform("linux", "amd64"))
            assert again.manifest.layers == resolved.manifest.layers


def test_push_of_the_store(plain: RegistryServer, tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "store"))
    where = context(tmp_path / "context", "FROM scratch\nCOPY a /\nCOPY b /\n")
    names = [f"{plain.host}/team/app:{n}" for n in (1, 2)] + [f"{plain.host}/other/app:1"]
    built = build(BuildRequest(where, tags=tuple(names)), settings, print_none)
    (first,) = push(settings, names[0], print_none)
    assert (first.digest, first.name.tag) == (built.digest, "1")
    assert [layer.how for layer in first.layers] == ["sent", "sent"]
    every = push(settings, f"{plain.host}/team/app", print_none, all_tags=True)
    assert [image.name.tag for image in every] == ["1", "2"]
    assert {layer.how for image in every for layer in image.layers} == {"there"}
    (mounted,) = push(settings, names[2], print_none)
    assert [(layer.how, layer.source) for layer in mounted.layers] == [("mounted", "team/app")] * 2
    for wrong, all_tags in ((f"{names[0]}@{built.digest}", False), (names[0], True), (f"{plain.host}/no/such", True)):
        with pytest.raises(KezuriError):
            push(settings, wrong, print_none, all_tags=all_tags)


def test_of_an_index_goes_what_is_here(plain: RegistryServer, tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "store"))
    where = context(tmp_path / "context", "FROM scratch\nCOPY a /\n")
    name, platforms = f"{plain.host}/team/app:1", ("linux/amd64", "linux/arm64", "linux/riscv64")
    index = build(BuildRequest(where, tags=(name,), platforms=platforms), settings, print_none).digest
    (whole,) = push(settings, name, print_none)
    assert (whole.digest, whole.single) == (index, "")
    (arm,) = push(settings, name, print_none, platform="linux/arm64")
    with Registry() as registry:
        assert registry.document(Reference.parse(name)).descriptor.digest == arm.digest != index
    with Store(settings.root) as store:
        amd64, _, riscv64 = Index.parse(store.blobs.read(index), name).manifests
        store.blobs.delete(riscv64.digest)
        with pytest.raises(KezuriError, match="the store has not the images for linux/riscv64"):
            push(settings, name, print_none)
        store.blobs.delete(arm.digest)
    (only,) = push(settings, name, print_none)
    assert (only.digest, only.single) == (amd64.digest, index)


def test_a_blob_that_is_not_here_is_taken_from_where_it_is(plain: RegistryServer, tmp_path: Path) -> None:
    with RegistryServer(_made(tmp_path / "second")) as second:
        settings = Settings(str(tmp_path / "store"))
        name = f"{plain.host}/team/app:1"
        made(tmp_path, settings, name)
        tag(settings, name, f"{second.host}/elsewhere/app:1")
        with Store(settings.root) as store:
            manifest = Manifest.parse(store.blobs.read(store.names.get(name).digest), name)  # type: ignore[union-attr]
            for layer in manifest.layers:
                assert store.blobs.delete(layer.digest)
        (pushed,) = push(settings, f"{second.host}/elsewhere/app:1", print_none)
        assert [layer.how for layer in pushed.layers] == ["sent", "sent"]


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_a_push_does_not_wait_for_the_registry(
    plain: RegistryServer, tmp_path: Path, number: signal.Signals
) -> None:
    settings = Settings(str(tmp_path / "store"))
    with FaultyRegistry(upstream=plain.host) as proxy:
        name = f"{proxy.host}/team/app:1"
        where = context(tmp_path / "context", "FROM scratch\nCOPY a /\nCOPY b /\n")
        (tmp_path / "context" / "a").write_bytes(random.Random(1).randbytes(8_000_000))
        build(BuildRequest(where, tags=(name,)), settings, print_none)
        proxy.on("PUT .*/uploads/", stall, times=9)
        argv = [sys.executable, "-m", "kezuri", "--root", settings.root, "push", name]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
            while not any(seen.method == "PUT" for seen in proxy.log):
                assert child.poll() is None
                time.sleep(0.02)
            child.send_signal(number)
            said = child.communicate(timeout=15)[1]  # the stalled uploads alone would take longer
        assert child.returncode == 128 + number
        assert "Traceback" not in said
        assert not any("/manifests/" in seen.path for seen in proxy.log)
