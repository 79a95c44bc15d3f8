"""`kezuri base` over docker-registry: its tags, layers read no further than needed, newer builds, bills."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.app.base_layouts import Layout, apk, database, dpkg, fault
from tests.registry.registry_servers import RegistryServer, needs_registry

from kezuri.alternatives.values import Advice
from kezuri.app.attestations import attach_document
from kezuri.app.base import BaseRequest, base
from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest, bill
from kezuri.app.transfers import CopyRequest, copy_image
from kezuri.diagnostics import KezuriError
from kezuri.oci.dates import seconds

pytestmark = [pytest.mark.slow, needs_registry]

NOW = seconds("2026-08-25T00:00:00Z") or 0.0
ENV = ("NODE_VERSION=24.19.0",)
LARGE = {"usr/large": "".join(chr(33 + byte % 90) for byte in random.Random(1).randbytes(3_000_000))}


class There(NamedTuple):
    """A registry, and the settings that have Docker Hub's images from it."""

    host: str
    settings: Settings
    layout: Layout

    def put(self, name: str) -> None:
        """Copy an image of the layout to the registry."""
        source, target = f"oci:{self.layout.path}:{name}", f"docker://{self.host}/library/{name}"
        copy_image(self.settings, CopyRequest(source, target), lambda event: None)

    def ask(self, subject: str, **wishes: object) -> Advice:
        request = BaseRequest(subject, "linux/amd64", now=NOW)._replace(**wishes)  # type: ignore[arg-type]
        return base(self.settings, request)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[There]:
    layout = Layout(tmp_path / "images")
    layout.add("node:24-slim", LARGE, dpkg("12", zlib="1.0"), env=ENV)
    layout.add("node:24-bookworm-slim", LARGE, dpkg("12", zlib="1.0"), env=ENV)
    layout.add("node:24-alpine", LARGE, apk("3.24", zlib="1.0-r0"), env=ENV)
    db = database(
        tmp_path / "advisories.db",
        fault("CVE-2026-1", "Debian", "12", "zlib", "1.1"),
        fault("CVE-2026-2", "Alpine", "v3.24", "zlib", "1.0-r1", "low"),
    )
    with RegistryServer(tmp_path) as server:
        mirrors = (("docker.io", f"http://{server.host}"),)
        settings = Settings(str(tmp_path / "store"), mirrors=mirrors, insecure=(server.host,), db=db)
        found = There(server.host, settings, layout)
        for name in ("node:24-slim", "node:24-bookworm-slim", "node:24-alpine"):
            found.put(name)
        yield found


def test_the_tags_of_a_mirror_and_no_more_of_layers_than_is_needed(there: There, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM node:24-slim\n")
    advice = there.ask(str(tmp_path))
    assert advice.base.refresh == "current" and advice.base.row.counts is not None
    assert [(row.name, row.libc) for row in advice.rows if row.contents is not None] == [("node:24-alpine", "musl")]
    for row in (advice.base.row, advice.rows[0]):
        assert row.contents is not None and row.contents.source == "layers"
        # The large layer below the record of packages was not read.
        assert 0 < row.contents.read < 10_000 < row.contents.size
    assert advice.best is not None and advice.best.name == "node:24-alpine"
    direct = there.ask(f"docker://{there.host}/library/node:24-slim")
    assert direct.base.how == "itself" and direct.base.made is True
    assert [row.name for row in direct.rows if not row.absent] == [f"{there.host}/library/node:24-alpine"]


def test_a_newer_build_of_the_tag(there: There) -> None:
    there.layout.add("app:1", LARGE, dpkg("12", zlib="1.0"), {"app": "1"}, env=ENV, annotations={
        "org.opencontainers.image.base.name": "docker.io/library/node:24-slim"})  # fmt: skip
    there.put("app:1")
    name = f"docker://{there.host}/library/app:1"
    assert there.ask(name, base="2").base.layers == 2
    assert there.ask(name).base.refresh == "current"
    second = there._replace(layout=Layout(there.layout.path / "second"))
    second.layout.add("node:24-slim", LARGE, dpkg("12", zlib="1.1"), env=ENV, created="2026-08-22T00:00:00Z")
    second.put("node:24-slim")
    advice = there.ask(name, base="2")
    advice = there.ask(name)
    assert advice.base.refresh == "newer" and advice.base.newest is not None
    assert advice.base.row.counts is not None and advice.base.row.counts.total == 1
    assert advice.base.newest.counts is not None and advice.base.newest.counts.total == 0


def test_a_dockerfile_is_held_to_what_its_build_takes(there: There, tmp_path: Path) -> None:
    from kezuri.app.pull import pull

    path = tmp_path / "Dockerfile"
    path.write_text("FROM node:24-slim\n")
    pull(there.settings, "node:24-slim", "linux/amd64", lambda event: None)
    old = there.ask(str(path)).base.row.contents
    second = there._replace(layout=Layout(there.layout.path / "second"))
    new = second.layout.add("node:24-slim", LARGE, dpkg("12", zlib="1.1"), env=ENV)
    second.put("node:24-slim")
    # The store has what the next build takes, unless it pulls.
    stored = there.ask(str(path)).base
    assert old is not None and stored.row.contents is not None and stored.newest is not None
    assert stored.refresh == "newer" and stored.row.contents.digest == old.digest
    assert stored.newest.contents is not None and stored.newest.contents.digest == new
    path.write_text(f"FROM node:24-slim@{new}\n")
    assert there.ask(str(path)).base.refresh == "current"
    path.write_text(f"FROM node:24-alpine@{old.digest}\n")
    assert there.ask(str(path)).base.refresh == "newer"
    path.write_text(f"FROM node:24-slim@sha256:{'0' * 64}\n")
    with pytest.raises(KezuriError):
        there.ask(str(path))
    path.write_text(f"FROM node@{new}\n")
    bare = there.ask(str(path))
    assert not bare.rows and any("names no tag" in line for line in bare.told)


def test_bills_beside_images_are_believed_where_that_is_asked(there: There) -> None:
    from kezuri.sbom.spdx import document

    name = f"docker://{there.host}/library/node:24-alpine"
    written = json.dumps(document(bill(there.settings, BillRequest(name, "linux/amd64")))).encode()
    attach_document(there.settings, name, "application/spdx+json", "sbom", written, "linux/amd64")
    direct = f"docker://{there.host}/library/node:24-slim"
    sources = {
        row.name.rpartition(":")[2]: row.contents.source
        for row in there.ask(direct, attached=True).rows
        if row.contents is not None
    }
    assert sources == {"24-alpine": "sbom"}
    assert {row.contents.source for row in there.ask(direct).rows if row.contents is not None} == {"layers"}


def test_a_registry_that_does_not_answer(there: There, tmp_path: Path) -> None:
    silent = there.settings._replace(mirrors=(("docker.io", "http://127.0.0.1:1"),))
    request = BaseRequest(f"oci:{there.layout.path}:node:24-slim", "linux/amd64", now=NOW)
    advice = base(silent, request)
    assert advice.base.name == "node:24-slim" and advice.base.refresh == "unknown" and advice.base.why
    assert advice.base.row.counts is not None and advice.base.row.counts.total == 1
    assert advice.rows and all(row.absent for row in advice.rows)
