"""Small images of official names in an OCI layout, and a database that tells of faults in what they hold."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kezuri.advisories.values import Advisory, Affected, Entry, Severity, Signal
from kezuri.advisories.writing import write
from kezuri.oci.descriptor import CONFIG, INDEX, LAYER_GZIP, MANIFEST, canonical, digest_of
from kezuri.versions.ranges import Event

Files = Mapping[str, str]


def dpkg(release: str, **packages: str) -> Files:
    """What Debian's package manager leaves of packages with these versions."""
    every = {"base_files": f"{release}.4+deb{release}u8", "libc6": "2.36-9", "dash": "0.5.12-2", **packages}
    text = "".join(
        f"Package: {name.replace('_', '-')}\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\n\n"
        for name, version in every.items()
    )
    return {"var/lib/dpkg/status": text, "etc/os-release": f"ID=debian\nVERSION_ID={release}\n"}


def apk(release: str, **packages: str) -> Files:
    """The same of Alpine's."""
    every = {"alpine-release": f"{release}.1-r0", "musl": "1.2.5-r0", "busybox": "1.36.1-r2", **packages}
    text = "".join(f"P:{name}\nV:{version}\nA:x86_64\n\n" for name, version in every.items())
    return {"lib/apk/db/installed": text, "etc/os-release": f"ID=alpine\nVERSION_ID={release}.1\n"}


def layer(files: Files) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), 1, mtime=0)


class Layout:
    """An OCI layout that is being filled."""

    def __init__(self, directory: Path) -> None:
        self.path = directory
        self._entries: list[dict[str, Any]] = []
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes) -> str:
        digest = digest_of(data)
        (self.path / "blobs/sha256" / digest[7:]).write_bytes(data)
        return digest

    def add(
        self,
        name: str,
        *layers: Files,
        env: Sequence[str] = (),
        created: str = "2026-08-01T00:00:00Z",
        annotations: Mapping[str, str] | None = None,
        made_by: Sequence[str] = (),
        **config: Any,
    ) -> str:
        """An image of that name; the digest of its manifest. `made_by` is what its history says of each layer, the rest
        what its config has besides variables."""
        blobs = [layer(files) for files in layers]
        raw_config = canonical(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": created,
                "config": {"Env": ["PATH=/bin", *env], **config},
                "rootfs": {"type": "layers", "diff_ids": [digest_of(gzip.decompress(blob)) for blob in blobs]},
                "history": [{"created": created, "created_by": text} for text in made_by or ["a layer"] * len(blobs)],
            }
        )
        manifest = canonical(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": self.blob(raw_config), "size": len(raw_config)},
                "layers": [{"mediaType": LAYER_GZIP, "digest": self.blob(blob), "size": len(blob)} for blob in blobs],
                "annotations": dict(annotations or {}),
            }
        )
        digest = self.blob(manifest)
        entry = {"mediaType": MANIFEST, "digest": digest, "size": len(manifest)}
        self._entries.append({**entry, "annotations": {"org.opencontainers.image.ref.name": name}})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self._entries}
        (self.path / "index.json").write_text(json.dumps(index))
        return digest


def fault(name: str, ecosystem: str, release: str, package: str, fixed: str, severity: Severity = "high") -> Entry:
    """An advisory about one package, mended in a version, or in none where that is empty."""
    events = (Event("introduced", "0"), *((Event("fixed", fixed),) if fixed else ()))
    advisory = Advisory(name, f"test/{ecosystem}", severity=severity, modified="2026-08-01T00:00:00Z")
    return Entry(advisory, (Affected(ecosystem, release, package, (events,), severity=severity),))


def database(path: Path, *entries: Entry | Signal) -> str:
    """A database of these."""
    write(str(path), *entries, fetched="2026-08-20T00:00:00Z")
    return str(path)
