"""A large image for measurements: layers of many files, some of which higher layers change, replace or take away."""

import io
import json
import random
import tarfile
from collections.abc import Iterator
from hashlib import sha256

WORDS = 4096


def write(path: str, files: int, size: int, layers: int, seed: int = 12) -> None:
    """Write a docker archive at `path`: about `files` files of `size` bytes in all, in so many layers. Each layer above
    the first one changes a twentieth of the files below it, rewrites the metadata of some and removes a few."""
    chance = random.Random(seed)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 11))) for _ in range(WORDS)]
    text = b" ".join(chance.choices(words, k=1 << 18))
    noise = chance.randbytes(4 << 20)
    each = size // files
    there: list[str] = []
    names, diffs, history = [], [], []
    with tarfile.open(path, "w") as archive:
        for layer in range(layers):
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
                changed = chance.sample(there, len(there) // 20) if there else []
                for name, removed in _names(changed, files // layers - len(changed), layer, there):
                    if removed:
                        parent, _, base = name.rpartition("/")
                        tar.addfile(tarfile.TarInfo(f"{parent}/.wh.{base}"))
                        continue
                    member = tarfile.TarInfo(name)
                    # Many small files and a few large ones, as in node_modules.
                    member.size = min(int(chance.expovariate(1 / each)), 100 * each)
                    source = noise if chance.random() < 0.2 else text
                    at = chance.randrange(len(source))
                    content = (source[at:] + source)[: member.size]
                    member.size = len(content)
                    member.mtime = 1_700_000_000 + layer
                    tar.addfile(member, io.BytesIO(content))
            names.append(f"layer{layer}/layer.tar")
            diffs.append(f"sha256:{sha256(data.getbuffer()).hexdigest()}")
            history.append({"created_by": f"RUN install part {layer}"})
            _add(archive, names[-1], data.getvalue())
        config = {"architecture": "amd64", "os": "linux", "config": {}, "history": history}
        raw = json.dumps({**config, "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
        name = f"{sha256(raw).hexdigest()}.json"
        _add(archive, name, raw)
        manifest = [{"Config": name, "RepoTags": ["large:latest"], "Layers": names}]
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _names(changed: list[str], new: int, layer: int, there: list[str]) -> Iterator[tuple[str, bool]]:
    """The paths that a layer has, each with whether it is removed; new ones are added to `there`."""
    for number, name in enumerate(changed):
        yield name, number % 10 == 0
    for number in range(new):
        name = f"usr/lib/node_modules/package{layer}-{number // 40}/lib/part{number % 40 // 8}/file{number}.js"
        there.append(name)
        yield name, False


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
