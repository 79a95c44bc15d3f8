"""Finished images checked: the examples, which are right, and what the broken recipes come to on a real Alpine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.integration_bases import Bases
from tests.integration.integration_command import Kezuri
from tests.integration.integration_entries import Copier, Entry, broken, examples

from kezuri.elf.minimal import minimal_elf

pytestmark = pytest.mark.slow

EXAMPLES = examples()
CASES = {case.name: case for case in broken()}
ARGUED = {
    "copy-link": {"DevelopmentDependenciesShipped"},
    "java-maven": {"BuildToolsShipped"},  # What stands in for its JRE is a whole JDK.
    "express-001": {"DevelopmentDependenciesShipped", "MissingUser"},
    "targets-production": {"DevelopmentDependenciesShipped", "MissingUser"},
    "targets-development": {"MissingUser"},
}
"""What is above info in images of right examples: the rules' pages argue each."""
MUSL = "/lib/ld-musl-x86_64.so.1"


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_right_images_have_no_finding_above_info(kezuri: Kezuri, bases: Bases, copied: Copier, example: Entry) -> None:
    bases.require(example.bases)
    data, image = example.data, f"checked/{example.name.lower()}"
    argv = ["build", "--progress", "plain", "-f", str(example.dockerfile), "-t", image, *bases.arguments(example.bases)]
    if data.get("target"):
        argv += ["--target", data["target"]]
    for secret in data.get("secrets", ()):
        argv += ["--secret", f"id={secret['id']},src=-"]
    for name, value in data.get("build_args", {}).items():
        argv += ["--build-arg", f"{name}={value}"]
    made = kezuri(*argv, str(copied(example)), stdin="npm_0000notarealtoken0000", timeout=900)
    assert made.code == 0, made.text[-4000:]
    answer = kezuri("check", "--format", "json", image)
    above = {one["rule"] for one in json.loads(answer.out) if one["level"] in ("error", "warning")}
    assert above <= ARGUED.get(example.name, set()), answer.out
    assert not answer.err
    kezuri("rmi", image)


@pytest.fixture(scope="module")
def alpine(kezuri: Kezuri, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A layout with a node:20-alpine that has musl, as the official one, and a busybox that is linked to glibc, as the
    official one: as much of both as can be looked at, nothing that runs."""
    place = tmp_path_factory.mktemp("alpine")
    files = {
        "node/lib/ld-musl-x86_64.so.1": minimal_elf(library=True),
        "node/lib/libc.musl-x86_64.so.1": minimal_elf(library=True),
        "node/bin/sh": minimal_elf(MUSL, ("libc.musl-x86_64.so.1",)),
        "node/usr/local/bin/node": minimal_elf(MUSL, ("libc.musl-x86_64.so.1",)),
        "node/etc/passwd": b"root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n",
        "busybox/bin/wget": minimal_elf("/lib64/ld-linux-x86-64.so.2", ("libc.so.6",)),
    }
    for path, data in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)
        (place / path).chmod(0o755)
    for name in ("node", "busybox"):
        (place / name / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
        assert kezuri("build", "-t", f"real/{name}", str(place / name)).code == 0
        assert kezuri("copy", f"store:real/{name}", f"oci:{place}/layout:{name}").code == 0
        kezuri("rmi", f"real/{name}")
    yield place / "layout"


def _checked(kezuri: Kezuri, case: Entry, context: Path, *argv: str, more: str = "") -> dict[str, list[str]]:
    """The messages of each rule about the image of a case."""
    dockerfile = context.parent / "Dockerfile.checked"
    dockerfile.write_text(case.dockerfile.read_text(encoding="utf-8") + more, encoding="utf-8")
    target = ["--target", case.data["target"]] if case.data.get("target") else []
    made = kezuri("build", "-f", str(dockerfile), "-t", "checked/case", *target, *argv, str(context), timeout=600)
    assert made.code == 0, made.text[-4000:]
    found: dict[str, list[str]] = {}
    for one in json.loads(kezuri("check", "--format", "json", "checked/case").out):
        found.setdefault(one["rule"], []).append(one["message"])
    kezuri("rmi", "checked/case")
    return found


def test_modules_of_glibc_on_musl(kezuri: Kezuri, bases: Bases, alpine: Path, copied: Copier) -> None:
    case = CASES["001-glibc-modules-on-musl"]
    bases.require(["node:20"])
    argv = [*bases.arguments(["node:20"]), "--build-context", f"node:20-alpine=oci-layout://{alpine}:node"]
    [message] = _checked(kezuri, case, copied(case), *argv)["ModulesOfOtherLibc"]
    assert "built for glibc, and the image has musl" in message and "/app/node_modules/" in message


def test_a_program_of_glibc_on_musl(kezuri: Kezuri, bases: Bases, alpine: Path, copied: Copier) -> None:
    case = CASES["004-glibc-wget-on-musl"]
    bases.require(["nginx:alpine"])
    argv = [*bases.arguments(["nginx:alpine"]), "--build-context", f"node:20-alpine=oci-layout://{alpine}:node"]
    argv += ["--build-context", f"busybox:latest=oci-layout://{alpine}:busybox"]
    [message] = _checked(kezuri, case, copied(case), *argv)["ProgramOfOtherLibc"]
    assert message == "/usr/local/bin/wget is built for glibc, and the image has musl"


def test_curl_in_a_health_check(kezuri: Kezuri, bases: Bases, copied: Copier) -> None:
    case = CASES["001-curl-in-a-healthcheck"]
    bases.require(case.bases)
    more = f"\nHEALTHCHECK CMD {case.data['command'][-1]}\n"
    found = _checked(kezuri, case, copied(case), *bases.arguments(case.bases), more=more)
    [message] = found["HealthcheckProgramMissing"]
    assert message.startswith("HEALTHCHECK starts curl, which is not in the image")
