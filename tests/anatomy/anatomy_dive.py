"""Stacks of layers of every odd kind, what dive says about them, and what kezuri says in its stead.

`python -m tests.anatomy.anatomy_dive DIVE --images 200` hunts for differences with the program DIVE;
`--record 60` writes down what it says, for the tests that have no dive.
"""

import argparse
import io
import json
import random
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from kezuri.anatomy.dissection import Dissection, OwnLayer
from kezuri.anatomy.dive import dive_figures
from kezuri.anatomy.values import Maker
from kezuri.layer.listing import Listing
from kezuri.oci.config import ImageConfig
from kezuri.report.dive import json_lines
from kezuri.tree.layers import ListedLayer

RECORDED = Path(__file__).with_name("dive_cases.json")
Member = tuple[str, str, int, str]
"""A member of a tar: its name, its type, its size, where it leads."""
_NAMES = ("a", "b", "etc", "lib.so", "z")


def stack(chance: random.Random) -> list[list[Member]]:
    """Some layers, each a tree by itself: no path is removed and made in one layer, and nothing lies below a file."""
    layers: list[list[Member]] = []
    known: list[str] = []
    for _ in range(chance.randint(1, 5)):
        kinds: dict[str, str] = {}
        members: list[Member] = []
        for _ in range(chance.randint(0, 9)):
            path = "/".join(chance.choice(_NAMES) for _ in range(chance.randint(1, 4)))
            if known and chance.random() < 0.5:
                path = chance.choice(known)
            kind = chance.choice(("file", "file", "file", "dir", "symlink", "whiteout", "opaque", "hardlink"))
            above = [path[:at] for at, char in enumerate(path) if char == "/"]
            taken = kinds.get(path)
            if any(kinds.get(each, "dir") != "dir" for each in above):
                continue
            inner = any(each.startswith(f"{path}/") for each in kinds)
            if (taken or inner) and not (kind in ("dir", "opaque") and taken in (None, "dir")):
                continue
            link = "a" if kind == "symlink" else ""
            if kind == "hardlink":
                files = sorted(each for each, found in kinds.items() if found == "file")
                if not files:
                    continue
                link = chance.choice(files)
            head, slash, name = path.rpartition("/")
            if kind == "opaque":
                members.append((f"{path}/.wh..wh..opq", "file", 0, ""))
                kinds.setdefault(path, "dir")
            elif kind == "whiteout":
                members.append((f"{head}{slash}.wh.{name}", "file", 0, ""))
                kinds[path] = kind
            else:
                members.append((path, kind, chance.choice((0, 1, 10, 700, 12_345)) if kind == "file" else 0, link))
                kinds[path] = kind
            known += [path, *above]
            kinds |= {each: "dir" for each in above if each not in kinds}
        layers.append(members)
    return layers


def tar_of(members: Sequence[Member]) -> bytes:
    """A layer's tar."""
    types = {"dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, size, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = types.get(kind, tarfile.REGTYPE), size, link
            # Whiteouts have no mode, as builders write them: a listing does not keep it.
            whiteout = name.rpartition("/")[2].startswith(".wh.")
            info.mode = 0 if whiteout else 0o755 if kind == "dir" else 0o4644
            tar.addfile(info, io.BytesIO(bytes(size)))
    return out.getvalue()


def _config(layers: Sequence[bytes]) -> dict[str, Any]:
    ids = [f"sha256:{sha256(layer).hexdigest()}" for layer in layers]
    history = [{"created_by": f"/bin/sh -c made {number}"} for number in range(len(layers))]
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "history": [*history[:1], {"created_by": "ENV a=b", "empty_layer": True}, *history[1:]],
        "rootfs": {"type": "layers", "diff_ids": ids},
    }


def taken_apart(stacked: Sequence[Sequence[Member]]) -> Dissection:
    """The image of these layers."""
    tars = [tar_of(members) for members in stacked]
    config = ImageConfig.parse(json.dumps(_config(tars)).encode(), "an example")
    own = []
    for number, tar in enumerate(tars):
        listing = Listing.of_tar(io.BytesIO(tar), f"layer {number}")
        form = ListedLayer(listing, lambda tar=tar: io.BytesIO(tar))  # type: ignore[misc]
        form.digests(listing.files())
        own.append(OwnLayer(config.diff_ids[number], form, listing, Maker("")))
    return Dissection("an example", config, own)


def ours(stacked: Sequence[Sequence[Member]]) -> dict[str, Any]:
    """What kezuri says in dive's form."""
    said: dict[str, Any] = json.loads("\n".join(json_lines(dive_figures(taken_apart(stacked)))))
    return settled(said)


def theirs(dive: str, stacked: Sequence[Sequence[Member]]) -> dict[str, Any]:
    """What dive says."""
    tars = [tar_of(members) for members in stacked]
    config = json.dumps(_config(tars)).encode()
    names = [f"blobs/sha256/{sha256(tar).hexdigest()}" for tar in tars]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [], "Layers": names}]).encode()
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory, "image.tar")
        with tarfile.open(archive, "w") as out:
            for name, data in (*zip(names, tars), ("config.json", config), ("manifest.json", manifest)):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                out.addfile(info, io.BytesIO(data))
        told = Path(directory, "told.json")
        argv = [dive, f"docker-archive://{archive}", "--json", str(told)]
        subprocess.run(argv, check=True, capture_output=True, env={"HOME": directory, "PATH": "/usr/bin"})
        said: dict[str, Any] = json.loads(told.read_bytes())
    return settled(said)


def settled(said: dict[str, Any]) -> dict[str, Any]:
    """The same with the paths of one size in the order of their names: dive has them in any order."""
    said["image"]["fileReference"].sort(key=lambda file: (-file["sizeBytes"], file["file"]))
    return said


def _apart(one: dict[str, Any], other: dict[str, Any]) -> str:
    if one["image"] != other["image"]:
        return f"  dive   {one['image']}\n  kezuri {other['image']}"
    pairs = [pair for pair in zip(one["layer"], other["layer"]) if pair[0] != pair[1]]
    return "\n".join(f"  dive   {dive}\n  kezuri {kezuri}" for dive, kezuri in pairs)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dive")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=int, default=0)
    chosen = parser.parse_args()
    cases: list[dict[str, Any]] = []
    different = 0
    for seed in range(chosen.seed, chosen.seed + chosen.images):
        stacked = stack(random.Random(seed))
        said = theirs(chosen.dive, stacked)
        if ours(stacked) != said:
            different += 1
            print(f"seed {seed}: {json.dumps(stacked)}\n{_apart(said, ours(stacked))}")
        elif said["image"]["fileReference"] and len(cases) < chosen.record:
            cases.append({"layers": stacked, "dive": said})
    if chosen.record:
        RECORDED.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
    print(f"{chosen.images} images, {different} of them different")


if __name__ == "__main__":
    _main()
