"""A database of advisories, and a server of this machine that every origin is asked at."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.source.source_remote_servers import WebServer, web_server

from kezuri.advisories.database import Database
from kezuri.advisories.origins import ORIGINS
from kezuri.app.advisory_update import Updated, update
from kezuri.app.request import Settings
from kezuri.progress.events import Event, Warned

DAY = "2026-11-20T00:00:00Z"


def osv(*ids: str, ecosystem: str = "PyPI", modified: str = DAY) -> bytes:
    """An archive as OSV has them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for own in ids:
            affected = {
                "package": {"ecosystem": ecosystem, "name": f"of-{own}"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}],
            }
            advisory = {"schema_version": "1.7.0", "id": own, "modified": modified, "affected": [affected]}
            archive.writestr(f"{own}.json", json.dumps(advisory))
    return out.getvalue()


def kev(*cves: str) -> bytes:
    faults = [
        {
            "cveID": cve, "vendorProject": "x", "product": "y", "vulnerabilityName": "z", "dateAdded": "2024-01-02",
            "shortDescription": "", "requiredAction": "", "dueDate": "2024-02-02",
            "knownRansomwareCampaignUse": "Known", "notes": "",
        }
        for cve in cves
    ]  # fmt: skip
    released = {"title": "CISA Catalog", "catalogVersion": "2026.11.20", "dateReleased": "2026-11-20T15:00:00.000Z"}
    return json.dumps({**released, "count": len(faults), "vulnerabilities": faults}).encode()


def secdb(release: str, **more: str) -> bytes:
    packages = [{"pkg": {"name": "busybox", "secfixes": {"1.36.1-r2": ["CVE-2020-0001"], "0": ["CVE-2020-0002"]}}}]
    return json.dumps({"distroversion": release, "reponame": "main", "packages": packages, **more}).encode()


class Place:
    """A database, and a server that every origin is asked at."""

    def __init__(self, path: Path, server: WebServer) -> None:
        self.path, self.server = path, server
        asked = tuple((origin.name, f"{server.url}/{origin.name.replace(' ', '_')}") for origin in ORIGINS)
        self.settings = Settings(root=str(path.parent), db=str(path), db_origins=asked)
        self.warned: list[str] = []

    def update(self, *names: str, afresh: bool = False) -> Updated:
        return update(self.settings, names, self.heard, afresh)

    def heard(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.warned.append(event.diagnostic.message)

    def entries(self) -> dict[str, int]:
        with Database.open(str(self.path)) as database:
            database.verify()
            return {data.name: data.entries for data in database.data()}

    def serve(self) -> None:
        self.server.file("/osv/PyPI", osv("PYSEC-1", "PYSEC-2"), ETag='"p1"')
        self.server.file("/kev", kev("CVE-1-1"), ETag='"k1"')


@contextmanager
def a_place(tmp_path: Path) -> Iterator[Place]:
    with web_server() as server:
        yield Place(tmp_path / "cache/advisories.db", server)
