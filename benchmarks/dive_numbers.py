"""dive and `kezuri analyze --compat dive` on the same images: their numbers side by side.

`python -m benchmarks.dive_numbers DIVE` takes the base images of an OCI layout (`$KEZURI_BASES` or `--bases`) and four
images that are built on them, each of which wastes in another way.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HUB, _DISTROLESS = "docker.io/library", "gcr.io/distroless"
BASES = (
    *(
        f"{_HUB}/{name}"
        for name in ("busybox:latest", "alpine:3.20", "debian:12-slim", "nginx:alpine", "redis:7-alpine")
    ),
    *(f"{_HUB}/python:{tag}" for tag in ("3.12", "3.12-slim")),
    *(f"{_HUB}/golang:{tag}" for tag in ("1.19-alpine", "1.22-alpine", "1.22")),
    *(f"{_HUB}/node:{tag}" for tag in ("18", "18-alpine", "18-slim", "20", "20-alpine", "20-slim")),
    *(f"{_DISTROLESS}/{name}-debian12:nonroot" for name in ("static", "base", "cc", "nodejs20")),
)
BUILT = {
    "removed": (
        "FROM debian:12-slim\nCOPY data /tmp/data\nCOPY more /app/more\nRUN rm /tmp/data\nRUN rm -rf /app/more\n"
    ),
    "owner": (
        "FROM debian:12-slim\nCOPY more /app\nCOPY data /app/data\nRUN chown -R 1000:1000 /app\n"
        "RUN chmod 600 /app/data && mkdir /app/new\n"
    ),
    "replaced": (
        "FROM node:20-alpine\nWORKDIR /app\nCOPY data more/deep ./\n"
        "RUN head -c 100000 /dev/urandom > data && rm -rf deep && mkdir deep && echo x > deep/1\n"
        "RUN rm -rf /opt/yarn* && rm -rf /usr/local/include\nCOPY data /app/data2\n"
        "RUN rm data2 && ln -s data data2 && rm -rf deep && echo file > deep\n"
    ),
    "leftovers": (
        "FROM debian:12-slim\n"
        "RUN mkdir -p /var/lib/apt/lists /root/.cache/pip && head -c 2000000 /dev/zero > /var/lib/apt/lists/all "
        "&& cp /var/lib/apt/lists/all /root/.cache/pip/x\nRUN rm -rf /var/lib/apt/lists/* /root/.cache\n"
        "RUN useradd -u 1001 app\nRUN rm -rf /usr/share/locale /usr/share/doc\n"
    ),
}


def run(argv: Sequence[str], environ: Mapping[str, str], told: Path | None = None) -> dict[str, Any]:
    """Run a program that writes JSON to `told`, or to its standard output."""
    if told is not None:
        told.unlink(missing_ok=True)  # dive would leave the end of what was there
    done = subprocess.run(argv, check=True, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said: dict[str, Any] = json.loads(done.stdout if told is None else told.read_bytes())
    return said


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether all numbers, all layers and all files are the same; files of one size may stand in any order, and how a
    layer's blob is called in the archive does not count."""
    first, second = (json.loads(json.dumps(each)) for each in (one, other))
    for said in (first, second):
        said["image"]["fileReference"].sort(key=lambda file: (-file["sizeBytes"], file["file"]))
        for layer in said["layer"]:
            del layer["id"]
    return bool(first == second)


def main(argv: Sequence[str]) -> int:
    """Print the table; 1 where a number differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dive_numbers", description=__doc__)
    parser.add_argument("dive")
    parser.add_argument("--bases", default=os.environ.get("KEZURI_BASES", ""))
    parser.add_argument("--kezuri", default=os.path.join(os.path.dirname(sys.executable), "kezuri"))
    chosen = parser.parse_args(argv)
    print("| image | layers | bytes | dive's score | dive's wasted bytes | the same | wasted, exactly |")
    print("|---|---:|---:|---:|---:|---|---:|")
    different = 0
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        for number, name in enumerate((*BASES, *BUILT)):
            environ = {**os.environ, "KEZURI_ROOT": str(scratch / f"root-{number}"), "HOME": directory}
            archive, told = scratch / "image.tar", scratch / "told.json"
            archive.unlink(missing_ok=True)
            _save(chosen.kezuri, chosen.bases, name, archive, environ)
            theirs = run([chosen.dive, f"docker-archive://{archive}", "--json", str(told)], environ, told)
            image = f"docker-archive:{archive}"
            ours = run([chosen.kezuri, "analyze", "--compat", "dive", "--format", "json", image], environ)
            exact = run([chosen.kezuri, "analyze", "--format", "json", image], environ)["sizes"]["wasted"]
            agreed = same(theirs, ours)
            different += not agreed
            said = theirs["image"]
            print(
                f"| {name} | {len(theirs['layer'])} | {said['sizeBytes']:,} | {said['efficiencyScore']:.4f} | "
                f"{said['inefficientBytes']:,} | {'yes' if agreed else 'NO'} | {exact:,} |",
                flush=True,
            )
    return 1 if different else 0


def _save(kezuri: str, bases: str, name: str, archive: Path, environ: Mapping[str, str]) -> None:
    """Write an image as an archive, building it first where it is one of ours."""

    def call(*argv: str) -> None:
        subprocess.run([kezuri, *argv], check=True, env=environ, stdout=subprocess.DEVNULL)

    if name in BUILT:
        base = f"{_HUB}/{BUILT[name].split(maxsplit=2)[1]}"
        call("copy", "-q", f"oci:{bases}:{base}", f"store:{base}")
        with tempfile.TemporaryDirectory() as context:
            Path(context, "Dockerfile").write_text(BUILT[name])
            Path(context, "data").write_bytes(os.urandom(3_000_000))
            Path(context, "more", "deep").mkdir(parents=True)
            for number in range(5):
                Path(context, "more", "deep", str(number)).write_bytes(os.urandom(200_000))
            call("build", "-q", "-t", name, context)
        call("save", "-q", "-o", str(archive), name)
        return
    call("copy", "-q", f"oci:{bases}:{name}", f"docker-archive:{archive}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
