"""The examples' own files: complete, honest about their registries, and consistent with what they promise."""

import json
import re
from pathlib import Path

import pytest
from tests.integration.integration_command import Steps
from tests.integration.integration_entries import EXAMPLES, Entry, broken, examples, full_name

ALL = examples()
CASES = broken()
PUBLIC = {
    "package-lock.json": {"registry.npmjs.org"},
    "uv.lock": {"pypi.org", "files.pythonhosted.org"},
    "poetry.lock": {"pypi.org", "files.pythonhosted.org"},
    "go.sum": set(),
}


def test_there_are_examples_and_broken_recipes() -> None:
    assert len({entry.directory for entry in ALL}) >= 13
    assert {case.data["fails"] for case in CASES} == {"build", "run", "lint", "never"}
    assert len({entry.name for entry in ALL}) == len(ALL)


@pytest.mark.parametrize("entry", ALL, ids=[entry.name for entry in ALL])
def test_example_is_complete(entry: Entry) -> None:
    data = entry.data
    assert entry.dockerfile.is_file()
    assert (entry.context / ".dockerignore").is_file()
    assert data["base"] == "scratch" or data["base"] in entry.bases
    assert ("expect_body" in data and "port" in data) != ("expect_output" in data)
    for pattern in (data.get("expect_body", ""), data.get("expect_output", ""), *data.get("more", {}).values()):
        re.compile(pattern)
    text = entry.dockerfile.read_text(encoding="utf-8")
    for base in entry.bases:
        assert re.search(rf"(FROM(\s+--platform=\S+)?|--from=)\s*{re.escape(base)}(\s|$)", text, re.MULTILINE), base
    if "edit" in data:
        edit = data["edit"]
        assert (entry.context / edit["file"]).read_text(encoding="utf-8").count(edit["replace"]) == 1
        assert not re.search(data.get("expect_body") or "(?!)", edit["with"])
        for pattern in (*edit["runs"], *edit.get("may", ())):
            re.compile(pattern)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_broken_recipe_is_complete(case: Entry) -> None:
    data = case.data
    assert data["fails"] in ("build", "run", "lint", "never")
    assert data["why"]
    assert data["source"]
    re.compile(data["message"])
    assert bool(data["message"]) or data["fails"] in ("lint", "never")
    assert (case.directory / str(data.get("file", "Dockerfile"))).is_file()
    if "file" not in data:
        assert case.context.is_dir()
        assert case.dockerfile.is_file()
    if "fixed" in data:
        assert (case.directory / data["fixed"]).is_file()


def _locks() -> list[Path]:
    return [p for name in PUBLIC for p in sorted(EXAMPLES.rglob(name)) if "node_modules" not in p.parts]


@pytest.mark.parametrize("lock", _locks(), ids=[str(lock.relative_to(EXAMPLES)) for lock in _locks()])
def test_lock_file_names_public_registries_or_none(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    hosts = set(re.findall(r'(?:"resolved": "|url = "|registry = ")https?://([^/"]+)', text))
    assert hosts <= PUBLIC[lock.name]
    if lock.name == "package-lock.json":
        packages = json.loads(text)["packages"]
        bare = [k for k, v in packages.items() if k.startswith("node_modules/") and not v.get("link")]
        assert all("integrity" in packages[name] for name in bare)


def test_names_are_written_out() -> None:
    assert full_name("node:20-alpine") == "docker.io/library/node:20-alpine"
    assert full_name("owner/image") == "docker.io/owner/image:latest"
    assert full_name("gcr.io/distroless/static") == "gcr.io/distroless/static:latest"
    assert full_name("localhost:5000/a") == "localhost:5000/a:latest"


def test_plain_progress_is_read_back() -> None:
    progress = """#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#2 [builder 1/4] FROM docker.io/library/node:20-alpine
#2 DONE 0.3s

#3 [builder 2/4] WORKDIR /app
#3 CACHED

#4 [builder 3/4] RUN npm ci
#4 0.512 added 66 packages
#4 ...

#5 [stage-1 2/2] COPY --from=builder /app/dist ./dist
#5 CACHED

#4 [builder 3/4] RUN npm ci
#4 1.004 [2/4] CACHED
#4 DONE 1.2s

#6 [linux/arm64 builder 4/4] RUN npm run build
#6 ERROR: process "/bin/sh -c npm run build" did not complete successfully: exit code: 1
"""
    steps = Steps.read(progress)
    assert steps.ran == ("[builder 3/4] RUN npm ci", "[linux/arm64 builder 4/4] RUN npm run build")
    assert steps.cached == ("[builder 2/4] WORKDIR /app", "[stage-1 2/2] COPY --from=builder /app/dist ./dist")
