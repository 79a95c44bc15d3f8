"""An example that has been built, and what its layers hold."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import zstandard
from tests.integration.integration_bases import Bases
from tests.integration.integration_command import Answer, Kezuri
from tests.integration.integration_entries import Entry

TOKEN = "npm_0000notarealtoken0000thatmustnotleak"


class Built(NamedTuple):
    """An example that has been built once, from a copy of its context."""

    entry: Entry
    context: Path
    image: str
    bases: Bases
    kezuri: Kezuri

    def build(self, image: str, *flags: str) -> Answer:
        """Builds the example as it is now."""
        data = self.entry.data
        argv = ["build", "--progress", "plain", "-f", str(self.entry.dockerfile), "-t", image, *flags]
        argv += self.bases.arguments(self.entry.bases)
        if data.get("target"):
            argv += ["--target", data["target"]]
        if data.get("platforms"):
            argv += ["--platform", ",".join(data["platforms"])]
        for key, value in data.get("build_args", {}).items():
            argv += ["--build-arg", f"{key}={value}"]
        stdin, environ = "", {}
        for secret in data.get("secrets", ()):
            if secret["source"] == "stdin":
                stdin = TOKEN
                argv += ["--secret", f"id={secret['id']},src=-"]
            elif secret["source"] == "env":
                environ["EXAMPLE_SECRET"] = TOKEN
                argv += ["--secret", f"id={secret['id']},env=EXAMPLE_SECRET"]
            else:
                path = self.context.parent / "secret"
                path.write_text(TOKEN)
                argv += ["--secret", f"id={secret['id']},src={path}"]
        timeout = 60 * float(data["slow_minutes"]) * 2
        answer = self.kezuri(*argv, str(self.context), stdin=stdin, environ=environ, timeout=timeout)
        assert answer.code == 0, answer.text[-6000:]
        return answer

    def answer(self, image: str) -> str:
        """What the image's program says: over HTTP if the example has a port, else on its output."""
        data = self.entry.data
        if "port" in data:
            with self.kezuri.running(image, *data.get("command", ()), container_port=data["port"]) as container:
                return container.ask(data["path"])
        said = self.kezuri("run", "--rm", image, *data.get("command", ()))
        assert said.code == 0, said.text
        return said.out

    def inspect(self, image: str) -> dict[str, Any]:
        """The image, in the shape of `docker inspect`."""
        answer = self.kezuri("inspect", image)
        assert answer.code == 0, answer.text
        (found,) = json.loads(answer.out)
        assert isinstance(found, dict)
        return found


def layer_path(kezuri: Kezuri, digest: str) -> Path:
    """Where the store keeps a blob: it is an OCI image layout."""
    return kezuri.root / "blobs" / digest.replace(":", "/")


def layer_bytes(path: Path) -> Iterator[bytes]:
    """The bytes of a layer, whatever its compression, in bounded pieces."""
    with open(path, "rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            inflate = zlib.decompressobj(31)
            while data := file.read(1 << 20):
                while data:
                    yield inflate.decompress(data)
                    data = inflate.unused_data
                    if data:
                        inflate = zlib.decompressobj(31)
            yield inflate.flush()
        elif magic == b"\x28\xb5\x2f\xfd":
            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
                while data := reader.read(1 << 20):
                    yield data
        else:
            while data := file.read(1 << 20):
                yield data


def uncompressed(path: Path) -> int:
    """The size of a layer as a tar archive, in bytes."""
    return sum(map(len, layer_bytes(path)))


def holds(path: Path, text: bytes) -> bool:
    """Whether the text is anywhere in the file, packed or not."""

    def found(chunks: Iterator[bytes]) -> bool:
        tail = b""
        for chunk in chunks:
            if text in tail + chunk:
                return True
            tail = (tail + chunk)[-len(text) :]
        return False

    with open(path, "rb") as file:
        if found(iter(lambda: file.read(1 << 20), b"")):
            return True
    try:
        return found(layer_bytes(path))
    except (zlib.error, zstandard.ZstdError):
        return False  # looks packed and is not: it has been read as it stands
