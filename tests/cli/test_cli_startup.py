"""Start-up is a feature: what parsing a build must not import. Modules are counted, not milliseconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
HEAVY = {
    *("dataclasses", "argparse", "click", "subprocess", "ssl", "urllib3", "asyncio", "pathlib", "tomllib", "shutil"),
    *("tempfile", "inspect", "logging", "socket", "ctypes", "tarfile", "zstandard", "isal", "sqlite3", "datetime"),
    *("unicodedata", "traceback", "random", "json", "ipaddress", "shlex"),
}
PARSE = """
import os, sys
from kezuri.cli.console import Console
from kezuri.cli.main import resolve, _arguments, _operands
from kezuri.cli.build_request import build_request
from kezuri.cli.progress import open_progress
from kezuri.cli.settings import settings
console = Console(sys.stdout, sys.stderr, os.environ)
command, before, words = resolve(["build", "-t", "x", "--build-arg", "A=1", "-o", "type=oci,dest=x", "."], console)
parsed = _arguments(command, before, words, console)
_operands(command, parsed)
build_request(parsed, console)
settings(parsed, os.environ)
open_progress("plain", console)
"""
HELP = """
import sys
from kezuri.cli.main import main
assert main(["build", "--help"]) == 0
"""


def modules(code: str) -> set[str]:
    # -S: what site-packages' .pth files import is not ours to count.
    script = f"{code}\nimport sys\nsys.stdout.flush()\nprint(file=sys.stderr)\nprint(*sys.modules, file=sys.stderr)"
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), "HOME": "/nowhere"}
    done = subprocess.run([sys.executable, "-S", "-c", script], env=environ, check=True, capture_output=True, text=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("code", [PARSE, HELP], ids=["parse", "help"])
def test_nothing_heavy_is_imported(code: str) -> None:
    loaded = modules(code)
    assert "kezuri.cli.main" in loaded
    assert not loaded & HEAVY
    assert not {name for name in loaded if name.startswith("kezuri.cli.commands.")} - {"kezuri.cli.commands.build"}


def test_the_list_can_fail() -> None:
    assert modules("import json, pathlib") & HEAVY >= {"json", "pathlib"}
    json.dumps({})


def test_a_build_that_finds_everything_loads_nothing_that_makes_or_writes(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /f\n")
    build = f"""
from kezuri.cli.main import main
assert main(["build", "--root", {str(tmp_path / "store")!r}, "-q", "-t", "x", {str(tmp_path)!r}]) == 0
"""
    first, second = modules(build), modules(build)
    made = {"kezuri.layer.packer", "kezuri.step.copying"}
    assert made <= first
    unwanted = {*made, "kezuri.export.destination", "kezuri.layer.compression", "kezuri.sandbox", "kezuri.registry"}
    assert not second & {*unwanted, "ssl", "socket", "subprocess", "shutil", "isal", "zstandard", "ctypes"}
