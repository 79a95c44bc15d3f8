"""Every fix of every rule on every file of the corpus: built before and after, compared, and counted.

`python -m tests.fixes.fixes_corpus` prints what broke (nothing, it is hoped) and the counts; `--json FILE` keeps them.
Each file is worked on in a process of its own, so that one that hangs is one that is counted as such.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.fixes.fixes_items import Item, images, items, stand_in

from kezuri.app.build import build
from kezuri.app.fixing import PROVED, SAFE, Fixer, FixRequest
from kezuri.app.image_proof import Ground, ImageProver
from kezuri.app.lint import CheckRequest, check_all
from kezuri.app.request import BuildRequest, Settings
from kezuri.check.rule import Fix
from kezuri.diagnostics import KezuriError
from kezuri.images.kept import NoSuchImage, find_all
from kezuri.oci.reference import Reference
from kezuri.store.store import Store

_PATIENCE = 900


def work(item: Item, root: str, directory: Path, kinds: str) -> dict[str, Any]:
    """Mend one file, build it before and after, and say what came of it."""
    # Steps that fetch something trust whom this machine trusts.
    settings = Settings(root=root, ca_certificates=os.environ.get("SSL_CERT_FILE", ""))
    _stand_ins(item, root)
    if item.pieces:
        item = _buildable(item, settings, directory / "tried")
    path = item.write(directory / "mended")
    untouched = directory / "untouched"
    item.write(untouched)
    arguments = tuple((a.partition("=")[0], a.partition("=")[2]) for a in item.arguments)
    request = BuildRequest(build_args=arguments)
    fixer = Fixer(
        FixRequest(PROVED if kinds == "proved" else SAFE, True, request), "", lambda: settings, lambda event: None
    )
    checks = check_all(CheckRequest((str(path),), arguments=arguments), lambda: settings, fixer)
    said: dict[str, Any] = {"name": item.name, "kept": [], "refused": [], "settled": True}
    said["defects"] = [d.rule for sheet in checks.sheets for d in sheet.defects]
    said["unread"] = [d.message for d in checks.unread]
    changes: set[str] = set()
    changed: set[str] = set()
    for file in fixer.files:
        said["kept"] += [[t.fix.kind, t.finding.rule.name, t.fix.title, "; ".join(t.proved)] for t in file.kept]
        said["refused"] += [[t.fix.kind, t.finding.rule.name, t.fix.title, *t.reasons] for t in file.refused]
        said["settled"] = said["settled"] and file.settled
        changes.update(word for tried in file.kept for word in tried.fix.changes)
        changed.update(one.shown for one in file.changed)
    said["files"] = len(changed)
    if changed:
        again = Fixer(FixRequest(SAFE), "", lambda: settings, lambda event: None)
        check_all(CheckRequest((str(path),), arguments=arguments), lambda: settings, again)
        said["again"] = [t.finding.rule.name for file in again.files for t in file.kept]
        said.update(_compared(item, settings, untouched, directory / "mended", request, changes))
        if "broken" in said or said.get("undeclared"):
            said["before"], said["after"] = item.text, path.read_text(errors="replace")
    return said


def _buildable(item: Item, settings: Settings, directory: Path) -> Item:
    """The item without the instructions that no builder takes."""
    path = item.write(directory)
    while True:
        path.write_text(item.text)
        arguments = tuple((a.partition("=")[0], a.partition("=")[2]) for a in item.arguments)
        try:
            build(BuildRequest(context=str(directory), file=str(path), build_args=arguments), settings, lambda e: None)
            return item
        except KezuriError as error:
            place = next((d for d in error.diagnostics if d.source is not None and d.span is not None), None)
            if place is None or place.source is None or place.span is None:
                return item
            smaller = item.without(place.source.position(place.span.start)[0])
            if smaller is None:
                return item
            item = smaller


def _compared(
    item: Item, settings: Settings, before: Path, after: Path, request: BuildRequest, changes: set[str]
) -> dict[str, Any]:
    """Both builds, made apart from the proofs of the engine."""
    digests = []
    for place in (before, after):
        wanted = request._replace(context=str(place), file=str(place / item.dockerfile))
        try:
            digests.append(build(wanted, settings, lambda event: None).digest)
        except KezuriError as error:
            reason = str(error).partition("\n")[0][:300]
            return {"unbuildable": reason} if place is before else {"broken": reason}
    prover = ImageProver(
        Ground(str(before), str(before / item.dockerfile), request), settings, lambda event: None, None
    )
    words = frozenset(word for word in changes if word.startswith(("config", "file", "author")))
    try:
        verdict = prover.compared(digests[0], digests[1], {"": item.text}, Fix("all of them", (), "V", words))
    finally:
        prover.close()
    # A fix of class A may change what is run; what comes of it is told, and judged by whoever reads it.
    runs = changes & {"command", "operation.new", "operation.gone"}
    found = {"differs" if runs else "undeclared": list(verdict.reasons)}
    return {"built": True, "same": digests[0] == digests[1], **found}


def _stand_ins(item: Item, root: str) -> None:
    """Give the names that the file asks for to images that are here."""
    with Store(root) as store:
        for name in images(item.text):
            reference = Reference.maybe(name)
            other = stand_in(name)
            if reference is None or not other:
                continue
            try:
                find_all(store, name)
            except NoSuchImage:
                found = find_all(store, other)
                store.names.put(str(reference), found[0].descriptor)
            except KezuriError:
                continue


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The counts."""
    kept, refused = Counter(), Counter()  # type: ignore[var-annotated]
    for result in results:
        kept.update(kind for kind, *_ in result.get("kept", ()))
        refused.update(kind for kind, *_ in result.get("refused", ()))
    return {
        "files": len(results),
        "mended": sum(1 for r in results if r.get("kept")),
        "kept": dict(sorted(kept.items())),
        "refused": dict(sorted(refused.items())),
        "built before and after": sum(1 for r in results if r.get("built")),
        "same image": sum(1 for r in results if r.get("same")),
        "not buildable as they are": sum(1 for r in results if "unbuildable" in r),
        "broken": sum(1 for r in results if "broken" in r),
        "other files where other commands run": sum(1 for r in results if r.get("differs")),
        "undeclared": sum(1 for r in results if r.get("undeclared")),
        "unsettled": sum(1 for r in results if r.get("again") or not r.get("settled", True)),
        "failed": sum(1 for r in results if "failed" in r or r.get("defects")),
    }


def run(names: list[Item], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Each file in a process of its own."""
    results: list[dict[str, Any]] = []
    for item in names:
        argv = [sys.executable, "-m", "tests.fixes.fixes_corpus", "--one", item.name, "--root", options.root]
        argv += ["--kinds", options.kinds, "--seed", str(options.seed), "--generated", str(options.generated)]
        began = time.monotonic()
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE, check=False)
            result = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"failed": done.stderr[-2000:]}
        except (subprocess.TimeoutExpired, ValueError) as error:
            result = {"failed": str(error)[:500]}
        result.setdefault("name", item.name)
        result["seconds"] = round(time.monotonic() - began, 1)
        results.append(result)
        _tell(result)
    return results


def _tell(result: dict[str, Any]) -> None:
    for key in ("failed", "broken", "undeclared", "again", "defects"):
        if result.get(key):
            print(f"{result['name']}: {key}: {result[key]}", flush=True)
            if key in ("broken", "undeclared"):
                for _, rule, title, proof in result["kept"]:
                    print(f"    {rule}: {title} ({proof})", flush=True)
    for kind, rule, title, *reasons in result.get("refused", ()):
        if "nothing can be proved" in reasons[0]:
            continue
        print(f"{result['name']}: refused {kind} {rule}: {title}: {'; '.join(reasons)[:400]}", flush=True)


def main() -> int:
    """Exit code 1 when something broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="a store that has base images")
    parser.add_argument("--kinds", choices=("safe", "proved"), default="proved")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--generated", type=int, default=40)
    parser.add_argument("--only", default="", help="the beginning of the names of files")
    parser.add_argument("--one", default="", help="the name of one file: its result is printed as JSON")
    parser.add_argument("--json", default="", help="a file for all results")
    options = parser.parse_args()
    every = [item for item in items(options.seed, options.generated) if item.name.startswith(options.only)]
    if options.one:
        item = next(item for item in every if item.name == options.one)
        with tempfile.TemporaryDirectory(prefix="kf") as place:
            print(json.dumps(work(item, options.root, Path(place), options.kinds)))
        return 0
    results = run(every, options)
    counts = summary(results)
    print(json.dumps(counts, indent=1))
    if options.json:
        Path(options.json).write_text(json.dumps({"counts": counts, "results": results}, indent=1))
    return 1 if counts["broken"] or counts["failed"] or counts["unsettled"] or counts["undeclared"] else 0


if __name__ == "__main__":
    sys.exit(main())
