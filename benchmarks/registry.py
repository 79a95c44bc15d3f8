"""An image of five layers, and Debian's docker-registry on this machine that has it."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import socket
import subprocess
import tarfile
import time
from types import TracebackType
from typing import Self

from benchmarks.processes import Failed, ask

LAYERS = 5


class LocalRegistry:
    """docker-registry with an empty directory of its own, on a free port, while it is entered."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.host = ""

    def __enter__(self) -> Self:
        os.makedirs(self._directory)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": f"{self._directory}/data"}},
            "http": {"addr": self.host},
        }
        with open(f"{self._directory}/config.yml", "w") as file:
            json.dump(config, file)  # YAML is a superset
        self._process = subprocess.Popen(
            ["docker-registry", "serve", f"{self._directory}/config.yml"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                address, _, port = self.host.partition(":")
                socket.create_connection((address, int(port)), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__(None, None, None)
        raise Failed("docker-registry did not start")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def forget(self) -> None:
        """Nothing was ever pushed."""
        shutil.rmtree(f"{self._directory}/data", ignore_errors=True)


def make_image(layout: str, megabytes: int) -> None:
    """An OCI layout with an image `app` of LAYERS layers, `megabytes` in all, that gzip cannot make smaller."""
    os.makedirs(f"{layout}/blobs/sha256")
    choose = random.Random(megabytes)
    layers, ids = [], []
    for number in range(LAYERS):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as file:
            for member in range(max(1, megabytes // LAYERS)):
                info = tarfile.TarInfo(f"layer{number}/file{member}")
                info.size = 1_000_000
                file.addfile(info, io.BytesIO(choose.randbytes(info.size)))
        ids.append("sha256:" + hashlib.sha256(tar.getvalue()).hexdigest())
        layers.append(_blob(layout, "layer.v1.tar+gzip", gzip.compress(tar.getvalue(), 1, mtime=0)))
    document = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}}
    config = _blob(layout, "config.v1+json", json.dumps(document).encode())
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers}
    entry = _blob(layout, "manifest.v1+json", json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": "app"}
    with open(f"{layout}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
    with open(f"{layout}/oci-layout", "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)


def make_context(directory: str, megabytes: int) -> None:
    """A context of LAYERS files, `megabytes` in all, of which gzip can make half smaller, and a Dockerfile with a layer
    for each."""
    os.mkdir(directory)
    choose = random.Random(megabytes)
    with open(f"{directory}/Dockerfile", "w") as file:
        file.write("FROM scratch\n" + "".join(f"COPY f{number} /\n" for number in range(LAYERS)))
    for number in range(LAYERS):
        with open(f"{directory}/f{number}", "wb") as content:
            for _ in range(megabytes * 1_000_000 // LAYERS // (128 << 10)):
                content.write(choose.randbytes(64 << 10) + choose.randbytes(256) * 256)


def _blob(layout: str, kind: str, data: bytes) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{layout}/blobs/sha256/{digest}", "wb") as file:
        file.write(data)
    prefix = "application/vnd.oci.image."
    return {"mediaType": prefix + kind, "digest": f"sha256:{digest}", "size": len(data)}


def fill(registry: LocalRegistry, layout: str) -> str:
    """Push the image of a layout, unmeasured; its reference."""
    reference = f"{registry.host}/app:1"
    ask(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:app", f"docker://{reference}"])
    return reference
