"""`python -m benchmarks.checking`: checkers of Dockerfiles side by side: time, what they find, and fixes that break."""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from benchmarks.checkers import Checker, checkers
from benchmarks.comparison import Result, table
from benchmarks.machine import command, ended, machine, say
from benchmarks.mending import mended
from benchmarks.processes import Cost, Failed, measured

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples")
ANTI_PATTERNS = ("broken/000-single-stage/Dockerfile", "broken/001-single-stage/Dockerfile")
PARTS = ("time", "findings", "fixes")


def main(argv: list[str]) -> int:
    """Measures what argv asks for; 0, or 1 when something that the measurement needs does not work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checking", description=__doc__)
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=15, metavar="N", help="rounds of one file (default 15)")
    parser.add_argument("--files", type=int, default=1000, metavar="N", help="files of a large call (default 1000)")
    parser.add_argument("--cases", nargs="*", metavar="WORD", help="fixes: only examples whose name has such a word")
    parser.add_argument("--proved", action="store_true", help="fixes: also `kezuri check --fix=proved`, which builds")
    for name in ("kezuri", "hadolint", "tally", "dockerfile-doctor"):
        parser.add_argument(f"--{name}", metavar="PATH", help=f"the {name} to measure")
    parser.add_argument("--scratch", metavar="DIR", help="where to work, on a disk (default: the temporary directory)")
    asked = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, ended)
    given = {name: getattr(asked, name.replace("-", "_")) for name in ("hadolint", "tally", "dockerfile-doctor")}
    try:
        with ExitStack() as stack:
            scratch = tempfile.mkdtemp(prefix="kb", dir=asked.scratch)
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            kezuri = command(asked.kezuri)
            found, absent = checkers(kezuri, {n: p for n, p in given.items() if p}, f"{scratch}/store")
            print(machine())
            print(f"Checkers: {'; '.join(f'{c.name} ({c.version()})' for c in found)}.")
            for reason in absent:
                print(f"Not measured: {reason}")
            if "time" in asked.only:
                print(table(_times(found, scratch, asked.runs, asked.files)))
            if "findings" in asked.only:
                print(_findings(found))
            if "fixes" in asked.only:
                print(mended(found, kezuri, scratch, asked.cases, asked.proved))
    except (Failed, OSError) as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    return 0


def _times(found: Sequence[Checker], scratch: str, runs: int, files: int) -> list[Result]:
    """One file, a tenth of the files and all of them, each in one call; that of many files is per file."""
    results = []
    for count, rounds in ((1, runs), (max(files // 10, 2), max(runs // 3, 1)), (files, max(runs // 5, 1))):
        name = "one file" if count == 1 else f"{count} files, each"
        say(name)
        paths = _many(f"{scratch}/files{count}", count)
        of = [Result(name, checker.name, count, []) for checker in found]
        for checker in found:
            _check(checker, paths)  # what is read once is in the page cache for all
        for _ in range(rounds):
            order = list(zip(found, of, strict=True))
            random.shuffle(order)
            for checker, result in order:
                result.costs.append(_check(checker, paths))
        for result in of:
            say(f"  {result.builder}: {result.median() * 1000:.2f} ms")
        results += of
    return results


def _check(checker: Checker, paths: Sequence[str]) -> Cost:
    return measured([[*checker.check, *paths]], checker.environ, memory=False, codes=checker.codes)


def _many(directory: str, count: int) -> list[str]:
    """The examples over and over, no two of the files alike, each in a directory of its own."""
    texts = []
    for path in _dockerfiles(broken=False):
        with open(path) as file:
            texts.append(file.read())
    paths = []
    for number in range(count):
        path = f"{directory}/{number}/Dockerfile"
        os.makedirs(os.path.dirname(path))
        with open(path, "w") as file:
            file.write(f"{texts[number % len(texts)]}LABEL number={number}\n")
        paths.append(path)
    return paths


def _dockerfiles(broken: bool) -> list[str]:
    """The examples that are right, or those that are broken, without the repaired ones beside these."""
    found = []
    for base, directories, names in os.walk(EXAMPLES):
        directories.sort()
        for name in sorted(names):
            usual = name.startswith("Dockerfile") and not name.endswith((".dockerignore", ".fixed", ".reduced"))
            if usual and ("broken" in os.path.relpath(base, EXAMPLES).split(os.sep)) == broken:
                found.append(os.path.join(base, name))
    return found


def _findings(found: Sequence[Checker]) -> str:
    """How much each says: of the two anti-patterns, of the broken examples, of those that are right."""
    broken, right = _dockerfiles(broken=True), _dockerfiles(broken=False)
    twins = [path for path in broken if os.path.exists(f"{path}.fixed")]

    def share(checker: Checker, paths: Sequence[str], fits: Callable[[Checker, str], bool]) -> str:
        return f"{sum(fits(checker, path) for path in paths)} of {len(paths)}"

    rows = [
        "| checker | 000's anti-pattern | 001's anti-pattern | broken: warned of | broken: told from the repaired one "
        "| right: warned of |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for checker in found:
        cells = [checker.name]
        for name in ANTI_PATTERNS:
            said = checker.findings(os.path.join(EXAMPLES, name))
            cells.append(f"{sum(one.warning for one in said)} ({len(said)})")
        cells.append(share(checker, broken, _warns))
        cells.append(share(checker, twins, _tells_apart))
        cells.append(share(checker, right, _warns))
        rows.append(f"| {' | '.join(cells)} |")
        say(rows[-1])
    return "\n".join(rows)


def _warns(checker: Checker, path: str) -> bool:
    return any(one.warning for one in checker.findings(path))


def _tells_apart(checker: Checker, path: str) -> bool:
    """Whether a rule warns of the broken file and not of the repaired one."""
    names = [{one.rule for one in checker.findings(p) if one.warning} for p in (path, f"{path}.fixed")]
    return bool(names[0] - names[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
