"""`kezuri base` on small images in a layout: which base it is, what could replace it, and what is known of each."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.app.base_layouts import Layout, apk, database, dpkg, fault

from kezuri.advisories.values import Signal
from kezuri.alternatives.values import Advice
from kezuri.app.base import BaseRequest, base
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.oci.dates import seconds

NOW = seconds("2026-08-25T00:00:00Z") or 0.0
ENV = ("NODE_VERSION=24.19.0",)
Ask = Callable[..., Advice]


class Here(NamedTuple):
    layout: Layout
    place: str
    ask: Ask


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """A layout with official images of Node.js, and a database that knows faults in some of their packages."""
    layout = Layout(tmp_path / "images")
    hub = "docker.io/library/"
    app = {"usr/local/bin/node": "node"}
    layout.add(f"{hub}node:24", dpkg("12", zlib="1.0", curl="7.0"), app, env=ENV)
    layout.add(f"{hub}node:24-bookworm", dpkg("12", zlib="1.0", curl="7.0"), app, env=ENV)
    layout.add(f"{hub}node:24-bookworm-slim", dpkg("12", zlib="1.0"), app, env=ENV)
    layout.add(f"{hub}node:24-trixie-slim", dpkg("13", zlib="1.1"), app, env=ENV)
    layout.add(f"{hub}node:24-alpine3.24", apk("3.24", zlib="1.0-r0"), app, env=ENV)
    layout.add("node:26-trixie-slim", dpkg("13", zlib="1.1"), app, env=("NODE_VERSION=26.7.0",))
    db = database(
        tmp_path / "advisories.db",
        fault("CVE-2026-1", "Debian", "12", "zlib", "1.2"),
        fault("CVE-2026-2", "Debian", "12", "zlib", "", "low"),
        fault("CVE-2026-3", "Debian", "12", "curl", "7.1", "critical"),
        fault("CVE-2026-4", "Debian", "13", "zlib", "1.1", "critical"),
        fault("CVE-2026-5", "Debian", "13", "dash", "", "medium"),
        fault("CVE-2026-6", "Alpine", "v3.24", "zlib", "1.0-r1", "medium"),
        fault("CVE-2026-7", "runtime", "", "node", "24.19.1", "low"),
        Signal("CVE-2026-3", "2026-08-02"),
    )
    place = f"oci:{layout.path}"

    def ask(subject: str, **wishes: object) -> Advice:
        request = BaseRequest(subject, "linux/amd64", now=NOW, place=place)._replace(**wishes)  # type: ignore[arg-type]
        return base(Settings(str(tmp_path / "store"), db=db), request)

    return Here(layout, place, ask)


def figures(advice: Advice) -> dict[str, tuple[int, ...]]:
    """By name the numbers of critical, high, medium and low faults."""
    every = (advice.base.row, *advice.rows)
    return {row.name: row.counts.badness[:4] for row in every if row.counts is not None}


def test_the_base_of_a_dockerfile_and_what_could_replace_it(here: Here, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "ARG V=24\nFROM node:${V} AS base\nFROM golang:1.27 AS other\nFROM base\nCOPY --from=other /x /\n"
    )
    advice = here.ask(str(tmp_path))
    own = advice.base
    assert (own.name, own.how, own.line, own.refresh, own.made) == ("node:24", "named", 2, "current", True)
    assert own.row.contents is not None and own.row.contents.source == "layers"
    assert own.row.contents.distribution.version == "12" and own.row.libc == "glibc" and own.row.shell
    # The counts were read off the table of faults by hand.
    assert figures(advice) == {
        "node:24": (1, 1, 0, 2),
        "node:24-trixie-slim": (0, 0, 1, 1),
        "node:24-bookworm-slim": (0, 1, 0, 2),
        "node:24-alpine3.24": (0, 0, 1, 1),
        "node:26-trixie-slim": (0, 0, 1, 0),
    }
    assert own.row.counts is not None
    assert (own.row.counts.total, own.row.counts.fixable, own.row.counts.exploited) == (4, 3, 1)
    assert [(row.name, row.way, row.libc) for row in advice.rows] == [
        ("node:24-trixie-slim", "same", "glibc"),
        ("node:24-alpine3.24", "same", "musl"),
        ("node:24-bookworm-slim", "same", "glibc"),
        ("node:26-trixie-slim", "newer", "glibc"),
    ]
    assert advice.best is not None and advice.best.name == "node:24-trixie-slim"
    assert [data.name for data in advice.data] and not advice.no_data and not advice.told
    named = here.ask(str(tmp_path / "Dockerfile"), target="base", arguments=(("V", "26-trixie-slim"),))
    assert named.base.name == "node:26-trixie-slim"


def test_a_name_alone_is_looked_for_in_the_place(here: Here) -> None:
    assert figures(here.ask("node:24")) == figures(here.ask(f"{here.place}:docker.io/library/node:24"))
    assert here.ask("node:26-trixie-slim").base.how == "itself"
    with pytest.raises(KezuriError):
        here.ask("node:nothing")


def test_a_distroless_image_whose_runtime_nobody_tells_is_counted_in_part(here: Here) -> None:
    status = dpkg("12", zlib="1.0")["var/lib/dpkg/status"].split("\n\n")
    records = {
        f"var/lib/dpkg/status.d/{number}": text for number, text in enumerate(status) if "base" in text or "zl" in text
    }
    here.layout.add(
        "gcr.io/distroless/nodejs24-debian12:latest", {"etc/os-release": "ID=debian\nVERSION_ID=12\n", **records}
    )
    advice = here.ask("node:24")
    (row,) = [row for row in advice.rows if row.way == "distroless"]
    assert row.counts is not None and row.counts.partial and row.counts.badness[:4] == (0, 1, 0, 1) and not row.shell
    assert any("nothing tells of its runtime" in line for line in advice.told)


def test_a_scan_of_the_same_image_finds_the_same_faults(here: Here, tmp_path: Path) -> None:
    from kezuri.app.sbom import BillRequest
    from kezuri.app.scan import ScanRequest, scan

    own = here.ask("node:24").base.row.counts
    settings = Settings(str(tmp_path / "store"), db=str(tmp_path / "advisories.db"))
    image = BillRequest(f"{here.place}:docker.io/library/node:24", "linux/amd64")
    report = scan(settings, ScanRequest(image, scanners=("vuln",)))
    found = {each.id: each.severity for each in report.findings if each.kind == "vulnerability"}
    assert own is not None and len(found) == own.total == 4
    assert [list(found.values()).count(word) for word in ("critical", "high", "medium", "low")] == [1, 1, 0, 2]


def test_a_second_look_reads_no_layer(here: Here) -> None:
    first = here.ask(f"{here.place}:docker.io/library/node:24")
    again = here.ask(f"{here.place}:docker.io/library/node:24")
    sources = [row.contents.source for row in (again.base.row, *again.rows) if row.contents is not None]
    assert set(sources) == {"kept"} and figures(first) == figures(again)


def test_the_base_of_an_image_is_recognised_by_its_layers(here: Here) -> None:
    app = {"usr/local/bin/node": "node"}
    here.layout.add("app:1", dpkg("12", zlib="1.0"), app, {"app/main.js": "1"}, env=ENV)
    advice = here.ask(f"{here.place}:app:1")
    assert (advice.base.name, advice.base.how, advice.base.layers) == ("node:24-bookworm-slim", "recognised", 2)
    assert advice.base.refresh == "current" and figures(advice)["node:24-bookworm-slim"] == (0, 1, 0, 2)
    base = here.ask("node:24-bookworm-slim").base.row.contents
    assert base is not None and advice.base.row.contents == base._replace(source="kept")
    assert [row.name for row in advice.rows][:1] == ["node:24-trixie-slim"]


def test_an_older_build_of_the_tag_is_told_with_what_the_newer_one_has(here: Here) -> None:
    said = {"org.opencontainers.image.base.name": "docker.io/library/node:24-trixie-slim"}
    old = (dpkg("13", zlib="0.9"), {"usr/local/bin/node": "node"})
    here.layout.add("app:2", *old, {"app/main.js": "1"}, env=ENV, annotations=said, created="2025-01-01T00:00:00Z")
    advice = here.ask(f"{here.place}:app:2", base="2")
    assert advice.base.layers == 2
    assert advice.base.row.contents is not None and advice.base.row.contents.digest == ""
    advice = here.ask(f"{here.place}:app:2")
    own = advice.base
    assert (own.how, own.refresh) == ("recorded", "newer")
    assert own.row.contents is not None and own.row.contents.digest == ""  # That is not the one of the image on top.
    assert own.row.counts is not None and own.row.counts.badness[:4] == (1, 0, 1, 1)
    assert own.newest is not None and own.newest.counts is not None
    assert own.newest.counts.badness[:4] == (0, 0, 1, 1)


def test_without_a_database_nothing_is_counted_and_that_is_told(here: Here, tmp_path: Path) -> None:
    request = BaseRequest(f"{here.place}:docker.io/library/node:24", "linux/amd64", place=here.place, now=NOW)
    advice = base(Settings(str(tmp_path / "store"), db=str(tmp_path / "none.db")), request)
    assert figures(advice) == {} and "none.db" in advice.no_data and advice.best is None
    assert len(advice.rows) == 4


def test_data_about_another_release_is_no_answer(here: Here, tmp_path: Path) -> None:
    db = database(tmp_path / "other.db", fault("CVE-2026-1", "Debian", "11", "zlib", "1.2"))
    request = BaseRequest(f"{here.place}:docker.io/library/node:24", "linux/amd64", place=here.place, now=NOW)
    advice = base(Settings(str(tmp_path / "store"), db=db), request)
    assert figures(advice) == {}
    assert any(line.startswith("not counted: node:24") and line.endswith("Debian 12") for line in advice.told)


def test_what_cannot_be_told(here: Here, tmp_path: Path) -> None:
    here.layout.add("scratchy:1", {"app": "1"})
    advice = here.ask(f"{here.place}:scratchy:1")
    assert advice.base.name == "" and not advice.rows and advice.base.row.counts is None
    assert any("--base NAME" in line for line in advice.told)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    with pytest.raises(KezuriError, match="stands on scratch"):
        here.ask(str(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM node:${NOTHING\n")
    with pytest.raises(KezuriError):
        here.ask(str(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM node:99-nothing\n")
    with pytest.raises(KezuriError, match="could not be looked at"):
        here.ask(str(tmp_path))


def test_tags_that_name_one_image_are_one_row(here: Here) -> None:
    here.layout.add("node:24-bullseye-slim", dpkg("13", zlib="1.1"), {"usr/local/bin/node": "node"}, env=ENV)
    advice = here.ask(f"{here.place}:docker.io/library/node:24")
    assert {row.name: row.also for row in advice.rows if row.also} == {
        "node:24-trixie-slim": ("node:24-bullseye-slim",)
    }


def test_a_limit_of_rows_is_kept_and_told(here: Here) -> None:
    advice = here.ask(f"{here.place}:docker.io/library/node:24", most=2)
    assert len(advice.rows) == 2 and advice.left_out > 0
