"""An image built for several registries: its blobs go to them at the same time, its tags all or none."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.registry.registry_faults import FaultyRegistry, Handler, status

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def servers() -> Iterator[tuple[FaultyRegistry, FaultyRegistry]]:
    with FaultyRegistry() as one, FaultyRegistry() as two:
        yield one, two


def build(tmp_path: Path, *names: str) -> subprocess.CompletedProcess[str]:
    context = tmp_path / "context"
    context.mkdir(exist_ok=True)
    (context / "a").write_text("a" * 1000)
    (context / "b").write_text("b" * 1000)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY a /a\nCOPY b /b\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "KEZURI_ROOT": str(tmp_path / "root"),
        "SSL_CERT_FILE": "/nonexistent",
    }
    tags = [word for name in names for word in ("-t", name)]
    return subprocess.run(
        [sys.executable, "-m", "kezuri", "build", "--progress", "plain", "--push", *tags, str(context)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def test_layers_go_to_both_at_the_same_time(servers: tuple[FaultyRegistry, FaultyRegistry], tmp_path: Path) -> None:
    both = threading.Barrier(len(servers))

    def meet(handler: Handler, kind: str, data: bytes) -> None:
        both.wait(20)
        handler.take(handler.path, "")

    for server in servers:
        server.on("PUT .*/uploads/", meet)
    done = build(tmp_path, *(f"{server.host}/app:1" for server in servers))
    assert done.returncode == 0, done.stderr
    one, two = servers
    assert one.documents["manifests/1"] == two.documents["manifests/1"]
    assert {name for name in one.documents if name.startswith("blobs/")} == {
        name for name in two.documents if name.startswith("blobs/")
    }


def test_a_second_repository_of_a_registry_takes_over_what_the_first_has(
    servers: tuple[FaultyRegistry, FaultyRegistry], tmp_path: Path
) -> None:
    one, two = servers
    done = build(tmp_path, f"{one.host}/app:1", f"{one.host}/other:1", f"{two.host}/app:1")
    assert done.returncode == 0, done.stderr
    # It is its turn when the first one has all: sent at the same time, they would both be sent everything.
    sent = [seen.path for server in servers for seen in server.asked("PUT") if "/uploads/" in seen.path]
    assert len(sent) == 2 * 3 and not any("/other/" in path for path in sent)
    assert one.asked("PUT /v2/other/manifests/1")


def test_no_tag_changes_where_one_registry_takes_no_blob(
    servers: tuple[FaultyRegistry, FaultyRegistry], tmp_path: Path
) -> None:
    one, two = servers
    two.on("PUT .*/uploads/", status(403), times=999)
    done = build(tmp_path, *(f"{server.host}/app:1" for server in servers))
    assert done.returncode and two.host in done.stderr
    assert not one.asked("PUT /v2/app/manifests/1") and "manifests/1" not in one.documents
