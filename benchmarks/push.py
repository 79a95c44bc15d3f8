"""`python -m benchmarks.push`: an image of five layers to a registry and back, by kezuri and its peers."""

import argparse
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.processes import Cost, Failed, ask, measured

_LAYERS = 5
_PIECE = 64 << 10


class Way(NamedTuple):
    """How somebody does it: `before` is not measured, and is for the state in which the command finds things."""

    who: str
    what: str
    before: Callable[[], object]
    argv: list[str]


def main(argv: list[str]) -> int:
    """Measures, and prints medians and ratios; 1 when something that is needed does not work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.push", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500, metavar="N", help="the image's size (default 500)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds (default 3)")
    parser.add_argument("--scratch", metavar="DIR", help="where to work, on a disk (default: the temporary directory)")
    asked = parser.parse_args(argv)
    scratch = tempfile.mkdtemp(prefix="kb", dir=asked.scratch)
    try:
        with _registry(scratch) as host:
            costs: dict[tuple[str, str], list[Cost]] = {}
            ways = _ways(scratch, host, asked.megabytes)
            for _ in range(asked.runs):
                for way in random.sample(ways, len(ways)):
                    way.before()
                    os.sync()  # nobody pays for what another one wrote
                    costs.setdefault((way.what, way.who), []).append(measured([way.argv], {}))
    except (Failed, OSError) as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _table(costs)
    return 0


def _table(costs: dict[tuple[str, str], list[Cost]]) -> None:
    medians = {key: statistics.median(cost.wall for cost in found) for key, found in costs.items()}
    for what, who in sorted(medians):
        own = medians[what, "kezuri"]
        cpu = statistics.median(cost.cpu for cost in costs[what, who])
        ratio = f"kezuri/{who} {own / medians[what, who]:.2f}"
        print(f"{what:12} {who:8} {medians[what, who]:7.3f} s  {cpu:6.2f} s cpu  {ratio}")


def _ways(scratch: str, host: str, megabytes: int) -> list[Way]:
    context, name = f"{scratch}/context", f"{host}/team/app:1"
    _files(context, megabytes)
    kezuri = [sys.executable, "-m", "kezuri", "--root", f"{scratch}/store"]
    ask([*kezuri, "build", "-q", "-t", name, context])

    def emptied() -> None:
        shutil.rmtree(f"{scratch}/data", ignore_errors=True)

    def pushed() -> None:
        ask([*kezuri, "push", "-q", name])

    def cold(*places: str) -> Callable[[], None]:
        def before() -> None:
            pushed()
            for place in places:
                shutil.rmtree(f"{scratch}/{place}", ignore_errors=True)

        return before

    fresh = [sys.executable, "-m", "kezuri", "--root", f"{scratch}/fresh"]
    ways = [
        Way("kezuri", "push", emptied, [*kezuri, "push", "-q", name]),
        Way("kezuri", "push again", pushed, [*kezuri, "push", "-q", name]),
        Way("kezuri", "pull", cold("fresh"), [*fresh, "pull", "-q", name]),
        Way("kezuri", "build+push", cold("fresh", "data"), [*fresh, "build", "-q", "--push", "-t", name, context]),
    ]
    if shutil.which("skopeo"):
        copy = ["skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false"]
        there = [*copy, f"oci:{scratch}/store:{name}", f"docker://{name}"]
        ways += [
            Way("skopeo", "push", emptied, there),
            Way("skopeo", "push again", pushed, there),
            Way("skopeo", "pull", cold("layout"), [*copy, f"docker://{name}", f"oci:{scratch}/layout:1"]),
        ]
    if shutil.which("buildah"):
        own = ["buildah", "--root", f"{scratch}/b/root", "--runroot", f"{scratch}/b/run"]
        bud = [*own, "bud", "-q", "--layers", "-t", name, context]
        push = [*own, "push", "-q", "--tls-verify=false", name]
        both = ["sh", "-c", 'a="$1"; shift; eval "$a" && exec "$@"', "-", " ".join(bud), *push]

        def forgotten() -> None:
            emptied()
            ask([*own, "rmi", "--all", "--force"])

        ways.append(Way("buildah", "build+push", forgotten, both))
    return ways


def _files(directory: str, megabytes: int) -> None:
    """Files of which half cannot be compressed, and a Dockerfile that makes a layer of each."""
    os.mkdir(directory)
    chance = random.Random(1)
    with open(f"{directory}/Dockerfile", "w") as file:
        file.write("FROM scratch\n" + "".join(f"COPY f{i} /\n" for i in range(_LAYERS)))
    for i in range(_LAYERS):
        with open(f"{directory}/f{i}", "wb") as file:
            for _ in range(megabytes * (1 << 20) // _LAYERS // (2 * _PIECE)):
                file.write(chance.randbytes(_PIECE) + chance.randbytes(256) * (_PIECE // 256))


@contextmanager
def _registry(scratch: str) -> Iterator[str]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{sock.getsockname()[1]}"
    with open(f"{scratch}/registry.yml", "w") as file:
        file.write(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {scratch}/data}}}}\n"
            f"http: {{addr: '{host}', secret: x}}\n"
        )
    with open(f"{scratch}/registry.log", "wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", f"{scratch}/registry.yml"], stdout=log, stderr=log)
    try:
        address, _, port = host.partition(":")
        for _ in range(200):
            try:
                socket.create_connection((address, int(port)), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield host
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
