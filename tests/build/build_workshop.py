"""A place to build in: a store, contexts, and builds as an ordinary caller makes them, with what they told."""

import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kezuri.app.arguments import read_builtin_arguments
from kezuri.app.build import build
from kezuri.app.request import BuildRequest, BuildResult, Settings
from kezuri.cli.outputs import read_outputs
from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import decompress
from kezuri.linux.ownership import Ownership, Privilege
from kezuri.progress.events import (
    Event,
    StepCached,
    StepDone,
    StepFailed,
    StepOutput,
    StepStarted,
    Warned,
)
from kezuri.store.owners import Owners
from kezuri.store.store import Store
from kezuri.upkeep.soundness import Finding, Soundness


def own(store: Store) -> Owners:
    """The store's directories as a process uses them that owns files itself and enters no namespace."""
    seen = Ownership(((0, os.geteuid(), 2),), ((0, os.getegid(), 2),), True, True)
    return Owners(store, Privilege(seen=lambda: seen))


class Said:
    """What a build told while it ran."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def _titles(self, *ends: type) -> list[str]:
        names = {e.step: str(e.name) for e in self.events if isinstance(e, StepStarted)}
        ended = [e for e in self.events if isinstance(e, StepCached | StepDone | StepFailed) and isinstance(e, ends)]
        wanted = [names[e.step] for e in ended if names[e.step].startswith("[") and "internal" not in names[e.step]]
        return sorted(t for t in (name.partition("] ")[2] for name in wanted) if not t.startswith("FROM "))

    @property
    def ran(self) -> list[str]:
        """The instructions that were executed, sorted."""
        return self._titles(StepDone)

    @property
    def cached(self) -> list[str]:
        """The instructions whose results were there, sorted."""
        return self._titles(StepCached)

    @property
    def failed(self) -> list[str]:
        return self._titles(StepFailed)

    @property
    def output(self) -> bytes:
        return b"".join(e.data for e in self.events if isinstance(e, StepOutput))

    @property
    def warnings(self) -> list[str]:
        return [e.diagnostic.message for e in self.events if isinstance(e, Warned)]

    def check_steps(self) -> None:
        """Every step that started ended exactly once."""
        started = [e.step for e in self.events if isinstance(e, StepStarted)]
        ended = [e.step for e in self.events if isinstance(e, (StepCached, StepDone, StepFailed))]
        assert sorted(started) == sorted(ended)
        assert started == list(range(1, len(started) + 1))


class Workshop:
    """A directory with a store in it, and one context."""

    def __init__(self, directory: Path, store: Path | None = None) -> None:
        self.directory = directory
        self.context = directory / "context"
        self.context.mkdir(parents=True, exist_ok=True)
        self.root = store or directory / "store"
        self.said = Said()

    def write(self, **files: str) -> None:
        """Put files into the context; `__` in a name stands for a slash."""
        for name, content in files.items():
            path = self.context / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def build(self, dockerfile: str | None = None, **more: Any) -> BuildResult:
        """Build the context; what it told is in `said`."""
        if dockerfile is not None:
            (self.context / "Dockerfile").write_text(dockerfile)
        settings = Settings(
            str(self.root),
            runtime=more.pop("runtime", "kezuri"),
            max_parallelism=more.pop("parallelism", 0),
            max_local_cache=more.pop("max_local_cache", None),
        )
        self.said = Said()
        try:
            return build(asked(**{"context": str(self.context), **more}), settings, self.said)
        finally:
            self.said.check_steps()

    def config(self, result: BuildResult) -> dict[str, Any]:
        return dict(json.loads(self.blob(result.config_digest)))

    def manifest(self, result: BuildResult) -> dict[str, Any]:
        return dict(json.loads(self.blob(result.digest)))

    def blob(self, digest: str) -> bytes:
        return (self.root / "blobs" / "sha256" / digest[7:]).read_bytes()

    def layers(self, result: BuildResult) -> list[dict[str, bytes | str | None]]:
        """What each layer holds: path to content, link target, or None for a directory."""
        return [read_layer(self.blob(layer["digest"])) for layer in self.manifest(result)["layers"]]

    def files(self, result: BuildResult) -> dict[str, bytes | str | None]:
        """The image's files; layers with whiteouts are applied."""
        merged: dict[str, bytes | str | None] = {}
        for layer in self.layers(result):
            for path, content in layer.items():
                base, _, name = path.rpartition("/")
                if name.startswith(".wh."):
                    gone = f"{base}/{name[4:]}".lstrip("/")
                    merged = {k: v for k, v in merged.items() if k != gone and not k.startswith(gone + "/")}
                else:
                    merged[path] = content
        return merged

    def members(self, result: BuildResult) -> dict[str, tarfile.TarInfo]:
        """The entries of all layers by path, those above last."""
        found = {}
        for layer in self.manifest(result)["layers"]:
            data = decompress(io.BytesIO(self.blob(layer["digest"])), "layer").read()
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                found.update({member.name.rstrip("/"): member for member in tar})
        return found

    def check(self) -> list[Finding]:
        """What is wrong with the store."""
        with Store(str(self.root)) as store:
            return list(Soundness(store, Privilege()).check(repair=False))

    def leftovers(self) -> list[str]:
        return os.listdir(self.root / "tmp") + os.listdir(self.root / "leases")


def read_layer(blob: bytes) -> dict[str, bytes | str | None]:
    found: dict[str, bytes | str | None] = {}
    with tarfile.open(fileobj=io.BytesIO(decompress(io.BytesIO(blob), "layer").read())) as tar:
        for member in tar:
            path = member.name.rstrip("/")
            if member.issym() or member.islnk():
                found[path] = member.linkname
            elif member.isfile():
                file = tar.extractfile(member)
                assert file is not None
                found[path] = file.read()
            else:
                found[path] = None
    return found


def lines(error: KezuriError) -> list[int]:
    """The lines of the Dockerfile that an error points at."""
    return [
        d.source.position(d.span.start)[0] for d in error.diagnostics if d.source is not None and d.span is not None
    ]


def asked(**more: Any) -> BuildRequest:
    """The request with these fields. As on the command line, `outputs`, `annotations` (name, value), `compression`,
    `compression_level` and `source_date_epoch` (SOURCE_DATE_EPOCH of the environment) are texts."""
    annotations = tuple(f"{name}={value}" for name, value in more.pop("annotations", ()))
    packing = (more.pop("compression", ""), more.pop("compression_level", ""))
    outputs = read_outputs(more.pop("outputs", ()), annotations, *packing)
    arguments = dict(more.pop("build_args", ()))
    if epoch := more.pop("source_date_epoch", ""):
        arguments.setdefault("SOURCE_DATE_EPOCH", epoch)
    build_args = tuple(arguments.items())
    builtin = read_builtin_arguments(build_args)
    return BuildRequest(build_args=build_args, builtin=builtin, outputs=outputs, **more)


def output(kind: str, dest: object = "", *attributes: tuple[str, str]) -> str:
    """A value of `--output`."""
    pairs = [("type", kind), *([("dest", str(dest))] if dest else []), *attributes]
    return ",".join('"' + f"{key}={value}".replace('"', '""') + '"' for key, value in pairs)


def oci(dest: Path, **attributes: str) -> tuple[str, ...]:
    """The values of `--output` for one output of type oci."""
    return (output("oci", dest, *attributes.items()),)


def write_layout(
    directory: Path,
    tars: list[bytes],
    config: Mapping[str, Any] | None = None,
    name: str = "latest",
    history: list[dict[str, Any]] | None = None,
    claims: list[bytes] | None = None,
) -> Path:
    """An image layout with one image of uncompressed layers; with `claims` its config says that it has those."""
    from hashlib import sha256

    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes) -> dict[str, Any]:
        digest = sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    layers = [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **put(tar)} for tar in tars]
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], **(config or {})},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(tar).hexdigest()}" for tar in claims or tars]},
        "history": history if history is not None else [{"created_by": f"layer {i}"} for i in range(len(tars))],
    }
    made = put(json.dumps(document).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **made},
        "layers": layers,
    }
    entry = {
        "mediaType": manifest["mediaType"],
        **put(json.dumps(manifest).encode()),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return directory


def tar_of(*members: tuple[str, bytes | None]) -> bytes:
    """A tar of files, and of directories where the content is None."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            else:
                info.size, info.mode = len(content), 0o755 if name.startswith("bin/") else 0o644
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()
