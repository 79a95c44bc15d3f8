"""`python -m benchmarks.scan`: what is in an image and known to be broken in it, beside syft, trivy and grype."""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from benchmarks.machine import command, ended, machine, say
from benchmarks.processes import Cost, Failed, measured
from benchmarks.scan_image import Image

_PARTS = ("sbom", "import", "scan")
_NAMES = 200_000
"""So many packages of npm the advisories are about."""

Runs = Mapping[str, Callable[[], Cost]]


def main(argv: list[str]) -> int:
    """Measures what argv asks for; 0, or 1 when something that the measurement needs does not work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="some parts")
    parser.add_argument("--files", type=int, default=60_000, metavar="N", help="files of the image (default 60,000)")
    parser.add_argument("--megabytes", type=int, default=1200, metavar="N", help="its size (default 1,200)")
    parser.add_argument("--advisories", type=int, default=300_000, metavar="N", help="how many (default 300,000)")
    parser.add_argument("--components", type=int, default=1000, metavar="N", help="of the bill (default 1,000)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="rounds (default 5)")
    parser.add_argument("--kezuri", metavar="PATH", help="the kezuri to measure")
    for peer in ("syft", "trivy", "grype"):
        parser.add_argument(f"--{peer}", default=peer, metavar="PATH", help=f"the {peer} to measure")
    parser.add_argument("--scratch", metavar="DIR", help="where to work, on a disk (default: the temporary directory)")
    asked = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, ended)
    try:
        with ExitStack() as stack:
            scratch = tempfile.mkdtemp(prefix="kb", dir=asked.scratch)
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            print(machine())
            for part in asked.only:
                runs = {"sbom": _of_image, "import": _importing, "scan": _of_bill}[part](asked, scratch)
                print(f"\n{_table(_rounds(_working(runs), asked.runs))}", flush=True)
    except (Failed, OSError) as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    return 0


def _of_image(asked: argparse.Namespace, scratch: str) -> Runs:
    """The bill of an image that lies in a layout of OCI."""
    say("making the image")
    layout, store, out = f"{scratch}/image", f"{scratch}/store", f"{scratch}/bill.json"
    Image(files=asked.files, size=asked.megabytes << 20).write(layout)
    ours = [*command(asked.kezuri), "--root", store, "sbom", "--format", "cyclonedx", "--output", out, f"oci:{layout}"]

    def first() -> Cost:
        shutil.rmtree(store, ignore_errors=True)
        return _measured(ours)

    def second() -> Cost:
        _measured(ours)
        return _measured(ours)

    runs = {"kezuri sbom, first look": first, "kezuri sbom, second look": second}
    if syft := _program(asked.syft):
        runs["syft"] = partial(_measured, [syft, "-q", "-o", f"cyclonedx-json={out}", f"oci-dir:{layout}"])
    if trivy := _program(asked.trivy):
        words = ["image", "-q", "--skip-db-update", "--format", "cyclonedx", "--output", out, "--input", layout]
        # It keeps what it found of a layer; each of its looks is to be a first one.
        runs["trivy image"] = partial(_measured, [trivy, "--cache-dir", f"{scratch}/trivy", *words], f"{scratch}/trivy")
    return runs


def _importing(asked: argparse.Namespace, scratch: str) -> Runs:
    """A database from an archive of OSV. The peers fetch finished ones."""
    source = _advisories(asked.advisories, scratch)
    database = f"{scratch}/new.db"
    return {"kezuri db import": partial(_measured, _import(asked, database, source), database)}


def _of_bill(asked: argparse.Namespace, scratch: str) -> Runs:
    """A bill held against all advisories; of the peers, whose databases are others, those that have one."""
    database, bill = f"{scratch}/advisories.db", f"{scratch}/bill.cdx.json"
    _measured(_import(asked, database, _advisories(asked.advisories, scratch)))
    with open(bill, "w") as file:
        json.dump(_bill(asked.components), file)
    kezuri = [*command(asked.kezuri), "--root", f"{scratch}/store", "--db", database]
    runs: dict[str, Callable[[], Cost]] = {
        "kezuri scan": partial(_measured, [*kezuri, "scan", bill]),
        "kezuri db status": partial(_measured, [*kezuri, "db", "status"]),
    }
    if grype := _program(asked.grype):
        runs["grype"] = partial(_measured, [grype, f"sbom:{bill}"])
    if trivy := _program(asked.trivy):
        runs["trivy sbom"] = partial(_measured, [trivy, "sbom", "-q", "--skip-db-update", bill])
    return runs


def _import(asked: argparse.Namespace, database: str, source: str) -> list[str]:
    return [*command(asked.kezuri), "--db", database, "db", "import", source]


def _advisories(number: int, scratch: str) -> str:
    """An archive as OSV has them, each advisory about one or two packages of npm; the same every time."""
    path = f"{scratch}/osv.zip"
    if os.path.exists(path):
        return path
    say("making the advisories")
    chance = random.Random(13)
    text = " ".join("".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 11))) for _ in range(2000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for each in range(number):
            name, at = f"GHSA-{each:08d}", chance.randrange(len(text) // 2)
            mended = f"{each % 9}.{each % 7}.{each % 5}"
            said = {
                "schema_version": "1.6.0",
                "id": name,
                "modified": "2026-01-01T00:00:00Z",
                "aliases": [f"CVE-2026-{each:06d}"],
                "summary": text[at : at + 60],
                "details": text[at : at + 1200],
                "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
                "affected": [
                    {
                        "package": {"ecosystem": "npm", "name": f"pkg-{chance.randrange(_NAMES)}"},
                        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": mended}]}],
                    }
                    for _ in range(1 + each % 2)
                ],
                "references": [{"type": "ADVISORY", "url": f"https://advisories.example/{name}"}],
            }
            archive.writestr(f"{name}.json", json.dumps(said))
    return path


def _bill(components: int) -> dict[str, object]:
    listed = []
    for number in range(components):
        name, version = f"pkg-{number}", f"{number % 9}.{number % 7}.{number % 5}"
        listed.append(
            {"type": "library", "bom-ref": name, "name": name, "version": version, "purl": f"pkg:npm/{name}@{version}"}
        )
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": listed}


def _program(path: str) -> str | None:
    found = shutil.which(path)
    if found is None:
        print(f"Not measured: {path} is not there.")
    return found


def _measured(argv: list[str], removed: str = "") -> Cost:
    """What a command costs; what it makes at `removed` is taken away before."""
    if os.path.isdir(removed):
        shutil.rmtree(removed)
    elif removed and os.path.exists(removed):
        os.remove(removed)
    return measured([argv], {"SYFT_CHECK_FOR_APP_UPDATE": "false", "GRYPE_DB_AUTO_UPDATE": "false"}, memory=True)


def _working(runs: Runs) -> Runs:
    """Those that work here; what they read is in the page cache then."""
    working = {}
    for name, run in runs.items():
        try:
            run()
        except (Failed, OSError, subprocess.SubprocessError) as failed:
            if name.startswith("kezuri"):
                raise
            print(f"Not measured: {name}: {str(failed).strip().splitlines()[-1][:200]}")
        else:
            working[name] = run
    return working


def _rounds(runs: Runs, number: int) -> dict[str, list[Cost]]:
    """Each in every round, in an order that is drawn anew."""
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for _ in range(number):
        for name, run in random.sample(list(runs.items()), len(runs)):
            costs[name].append(run())
            say(f"  {name}: {costs[name][-1].wall:.2f} s")
    return costs


def _table(costs: Mapping[str, list[Cost]]) -> str:
    rows = [
        "| what | median | fastest | processor | of kezuri's processor time | memory |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    ours = statistics.median(cost.cpu for cost in next(iter(costs.values())))
    for name, of in costs.items():
        walls, cpu = [cost.wall for cost in of], statistics.median(cost.cpu for cost in of)
        memory = max(cost.rss for cost in of) / 1000
        rows.append(
            f"| {name} | {statistics.median(walls):.2f} s | {min(walls):.2f} s | {cpu:.2f} s | {cpu / ours:.2f} "
            f"| {memory:.0f} MB |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
