"""The base image of the workloads: one with a shell, from a layout that is there or from a static busybox."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from typing import NamedTuple

from benchmarks.processes import Failed, ask

_MODES = {"root": 0o700, "tmp": 0o1777}
NAME = "docker.io/library/busybox:latest"


class Base(NamedTuple):
    """An OCI layout, and the name that its index gives to the image in it."""

    layout: str
    name: str
    origin: str

    @classmethod
    def found(cls, scratch: str, name: str, kezuri: list[str]) -> "Base":
        """`name` in the layout $KEZURI_BASES, or one made in `scratch`. Raises Failed with what is missing."""
        given = os.environ.get("KEZURI_BASES", "")
        if given:
            with open(f"{given}/index.json") as file:
                names = {
                    entry.get("annotations", {}).get("org.opencontainers.image.ref.name")
                    for entry in json.load(file)["manifests"]
                }
            if name not in names:
                raise Failed(f"{given}/index.json has no image {name}")
            return cls(os.path.abspath(given), name, f"{name} of $KEZURI_BASES")
        try:
            return cls.alone(scratch)
        except Failed:
            pass  # There is no static busybox.
        layout = f"{scratch}/base"
        made = "docker.io/library/alpine:latest"
        ask([*kezuri, "bases", "--out", layout, made])
        return cls(layout, made, f"{made} as kezuri bases makes it")

    @classmethod
    def alone(cls, scratch: str) -> "Base":
        """The machine's own static busybox as an image, made in `scratch`; but for the version of busybox the same
        everywhere. Raises Failed where there is none."""
        busybox = _static_busybox()
        if busybox is None:
            raise Failed("busybox is not there, or not linked statically (Debian: busybox-static)")
        layout = f"{scratch}/base"
        _write(layout, busybox)
        return cls(layout, NAME, f"{busybox}, alone")


def _static_busybox() -> str | None:
    path = shutil.which("busybox") or (os.path.exists("/bin/busybox") and "/bin/busybox") or None
    if path is None:
        return None
    with open(path, "rb") as file:
        return None if b"ld-linux" in file.read(4096) else path


def _write(layout: str, busybox: str) -> None:
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        # With the places where builders mount the kernel's own: some leave them in a layer when they had to make them.
        for directory in ("bin", "dev", "etc", "proc", "root", "sys", "tmp"):
            member = tarfile.TarInfo(directory)
            member.type, member.mode = tarfile.DIRTYPE, _MODES.get(directory, 0o755)
            archive.addfile(member)
        for name, text in (
            ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
            ("etc/group", b"root:x:0:\nnobody:x:65534:\n"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
        with open(busybox, "rb") as program:
            member = tarfile.TarInfo("bin/busybox")
            member.size, member.mode = os.fstat(program.fileno()).st_size, 0o755
            archive.addfile(member, program)
        for applet in applets:
            if applet != "busybox":
                member = tarfile.TarInfo(f"bin/{applet}")
                member.type, member.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(member)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    layer = raw.getvalue()
    config = {
        "architecture": machine,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created_by": "busybox"}],
    }
    media = "application/vnd.oci.image"
    os.makedirs(f"{layout}/blobs/sha256")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{media}.manifest.v1+json",
        "config": _blob(layout, json.dumps(config).encode(), f"{media}.config.v1+json"),
        "layers": [_blob(layout, layer, f"{media}.layer.v1.tar")],
    }
    entry = _blob(layout, json.dumps(manifest).encode(), f"{media}.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": NAME}
    with open(f"{layout}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
    with open(f"{layout}/oci-layout", "w") as file:
        file.write('{"imageLayoutVersion": "1.0.0"}')


def _blob(layout: str, data: bytes, media_type: str) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{layout}/blobs/sha256/{digest}", "wb") as file:
        file.write(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}
