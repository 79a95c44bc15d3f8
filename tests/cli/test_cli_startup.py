"""Start-up is a feature: what parsing a build must not import. Modules are counted, not milliseconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kezuri.check.rules import RULES

SOURCE = Path(__file__).parents[2] / "src"
CHECKED = Path(__file__).parents[2] / "examples" / "hello" / "Dockerfile"
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


MOST_OURS = 141
"""How many modules of ours a build may load that finds everything: as many as before the rooms were divided (141), and
not more. What is wanted only when something is missing is made by a factory of `app`, or loaded where it is used."""

MOST_OF_A_CHECK = 190
"""How many modules of ours the check of one file may load that has RUNs (183 when this was written, 48 of them rules),
and 90 of others."""

STAGES = """\
FROM scratch AS dependencies
WORKDIR /app
COPY package.json ./

FROM scratch AS build
ENV MODE=production
COPY --from=dependencies /app ./app
COPY src ./src

FROM scratch
ARG VERSION=1
LABEL org.opencontainers.image.version=$VERSION
COPY --from=build --chown=1000:1000 /app /src ./
EXPOSE 8080
USER 1000:1000
CMD ["/app/main"]
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


def test_what_asks_for_no_setting_loads_nothing_of_the_verbs() -> None:
    version = 'import sys\nfrom kezuri.cli.main import main\nassert main(["version"]) == 0'
    assert not {name for name in modules(version) if name.startswith("kezuri.app.")}


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
    unwanted = {
        *made,
        "kezuri.app.outputs",
        "kezuri.export.destination",
        "kezuri.layer.compression",
        "kezuri.sandbox",
        "kezuri.registry",
    }
    assert not second & {*unwanted, "ssl", "socket", "subprocess", "shutil", "isal", "zstandard", "ctypes"}


def test_a_build_that_finds_everything_loads_no_more_of_ours_than_it_did(tmp_path: Path) -> None:
    context = tmp_path / "context"
    (context / "src").mkdir(parents=True)
    (context / "src" / "main").write_text("main")
    (context / "package.json").write_text("{}")
    (context / "Dockerfile").write_text(STAGES)
    (context / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    build = f"""
from kezuri.cli.main import main
assert main(["build", "--root", {str(tmp_path / "store")!r}, "--progress", "plain", "-t", "x", {str(context)!r}]) == 0
"""
    first, second = (sorted(name for name in modules(build) if name.split(".")[0] == "kezuri") for _ in range(2))
    assert "kezuri.build.performing" in first and "kezuri.build.performing" not in second
    assert len(second) <= MOST_OURS, "\n".join(second)
    # What would have to be loaded at least, so that the number means something.
    assert {"kezuri.app.build", "kezuri.build.builder", "kezuri.keys.stepkeys", "kezuri.export.image"} <= set(second)
    # Of the rules only BuildKit's, and no shell is read.
    rules = {name for name in second if name.startswith("kezuri.check.rules.")}
    assert rules <= {rule.__module__ for rule in RULES}
    rooms = {name.split(".")[1] for name in second if "." in name}
    assert not rooms & {"shell", "documents", "proof", "report"}


def test_checking_a_dockerfile_loads_what_it_needs() -> None:
    """No other rules than those about Dockerfiles, no store where there is none, and nobody who asks a registry."""
    code = f"import sys\nfrom kezuri.cli.main import main\nassert main(['check', '--no-fail', {str(CHECKED)!r}]) == 0"
    loaded = modules(code)
    assert "kezuri.check.rules.apt" in loaded
    ours = {name for name in loaded if name.startswith("kezuri.")}
    rooms = {name.split(".")[1] for name in ours}
    assert not rooms & {"registry", "build", "sandbox", "export", "transfer", "documents", "proof"}
    assert not {name for name in ours if name.startswith(("kezuri.check.rules.workflow", "kezuri.check.rules.image"))}
    assert not loaded & {"sqlite3", "ssl", "socket", "subprocess", "asyncio", "ruamel.yaml", "tomllib", "dataclasses"}
    assert not loaded & {"pathlib", "logging", "inspect", "argparse", "zstandard", "ctypes", "tarfile", "unicodedata"}
    assert len(ours) <= MOST_OF_A_CHECK, "\n".join(sorted(ours))
    assert len(loaded) <= MOST_OF_A_CHECK + 90, "\n".join(sorted(loaded - ours))
