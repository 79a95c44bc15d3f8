"""An image of known packages for measurements: Debian's, npm's and PyPI's records, their files, and nothing else."""

import gzip
import io
import json
import os
import random
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

_WORDS = 4096
_EPOCH = 1_700_000_000


class Image(NamedTuple):
    """What is written: so many packages of each kind, whose files together are about `files` of `size` bytes."""

    debian: int = 800
    npm: int = 2000
    pypi: int = 700
    files: int = 60_000
    size: int = 1200 << 20

    def write(self, layout: str, seed: int = 13) -> None:
        """Write an OCI layout with one image, `large`, of four layers (gzip), the same with the same seed."""
        chance = random.Random(seed)
        content = _Content(chance, self.size // self.files)
        each = max(1, self.files // (self.debian + self.npm + self.pypi))
        os.makedirs(f"{layout}/blobs/sha256")
        kinds = {
            "ADD rootfs.tar / #": _debian(self.debian // 2, 0, each, content),
            "RUN apt-get install all": _debian(self.debian, self.debian // 2, each, content),
            "RUN npm install": _npm(self.npm, each, content),
            "RUN pip install": _pypi(self.pypi, each, content),
        }
        layers, diffs = [], []
        for members in kinds.values():
            raw = _layer(members)
            diffs.append(f"sha256:{sha256(raw).hexdigest()}")
            packed = gzip.compress(raw, 1, mtime=0)
            layers.append(_blob(layout, packed, "application/vnd.oci.image.layer.v1.tar+gzip"))
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diffs},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": step} for step in kinds],
        }
        described = _blob(layout, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": described, "layers": layers}
        named = _blob(layout, json.dumps(manifest).encode(), kind)
        named["annotations"] = {"org.opencontainers.image.ref.name": "large"}
        with open(f"{layout}/index.json", "w") as file:
            json.dump({"schemaVersion": 2, "manifests": [named]}, file)
        with open(f"{layout}/oci-layout", "w") as file:
            file.write('{"imageLayoutVersion": "1.0.0"}')


class _Content:
    """Many small files and a few large ones, as in node_modules; a fifth of them does not compress."""

    def __init__(self, chance: random.Random, mean: int) -> None:
        words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 11))) for _ in range(_WORDS)]
        self._text = b" ".join(chance.choices(words, k=1 << 18))
        self._noise = chance.randbytes(4 << 20)
        self._chance = chance
        self._mean = mean

    def next(self) -> bytes:
        size = min(int(self._chance.expovariate(1 / self._mean)), 100 * self._mean)
        source = self._noise if self._chance.random() < 0.2 else self._text
        at = self._chance.randrange(len(source))
        return (source[at:] + source)[:size]


def _debian(to: int, new: int, each: int, content: _Content) -> Iterator[tuple[str, bytes]]:
    """The system with packages 0 to `to`, of which those from `new` on come with this layer."""
    if not new:
        yield "etc/os-release", b'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian 12"\n'
    entries = []
    for number in range(to):
        name = f"lib-part{number}"
        entries.append(
            f"Package: {name}\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: 100\n"
            f"Maintainer: Somebody <somebody@example.com>\nArchitecture: amd64\nSource: part{number // 2}\n"
            f"Version: 1.{number}-1\nDepends: libc6 (>= 2.36)\nDescription: part {number}\n"
        )
        if number < new:
            continue
        paths = [f"usr/lib/{name}/file{file}.so" for file in range(each)]
        for path in paths:
            yield path, content.next()
        yield f"usr/share/doc/{name}/copyright", b"Files: *\nLicense: GPL-2+\n"
        listed = "".join(f"/{path}\n" for path in paths)
        yield f"var/lib/dpkg/info/{name}.list", f"/.\n{listed}/usr/share/doc/{name}/copyright\n".encode()
    yield "var/lib/dpkg/status", "\n".join(entries).encode()


def _npm(packages: int, each: int, content: _Content) -> Iterator[tuple[str, bytes]]:
    for number in range(packages):
        at = f"app/node_modules/pkg-{number}"
        record = {"name": f"pkg-{number}", "version": f"{number % 9}.{number % 7}.{number % 5}", "license": "MIT"}
        yield f"{at}/package.json", json.dumps(record).encode()
        for file in range(each - 1):
            yield f"{at}/lib/part{file // 8}/file{file}.js", content.next()


def _pypi(packages: int, each: int, content: _Content) -> Iterator[tuple[str, bytes]]:
    root = "usr/local/lib/python3.12/site-packages"
    for number in range(packages):
        name, version = f"part_{number}", f"{number % 9}.{number % 7}.{number % 5}"
        paths = [f"{name}/file{file}.py" for file in range(each)]
        for path in paths:
            yield f"{root}/{path}", content.next()
        of = f"{name}-{version}.dist-info"
        yield (
            f"{root}/{of}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n\n".encode(),
        )
        yield f"{root}/{of}/RECORD", "".join(f"{path},,\n" for path in [*paths, f"{of}/METADATA"]).encode()


def _layer(members: Iterator[tuple[str, bytes]]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), _EPOCH
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def _blob(layout: str, data: bytes, kind: str) -> dict[str, object]:
    digest = sha256(data).hexdigest()
    with open(f"{layout}/blobs/sha256/{digest}", "wb") as file:
        file.write(data)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}
