"""Images changed in registries and layouts, by `mutate`, `append`, `flatten` and `rebase`: what is asked for on the
way, where the new image goes, and what is left alone."""

import gzip
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.app.app_shelf import Shelf
from tests.build.build_workshop import tar_of
from tests.images.test_images_layout import write_layout
from tests.registry.registry_faults import FaultyRegistry, Handler, Image, flip, make_image, make_index, status
from tests.registry.registry_servers import RegistryServer, needs_registry, needs_skopeo
from tests.transfer.transfer_images import Tarring

from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.edits.rebase import BASE_DIGEST, BASE_NAME
from kezuri.oci.descriptor import INDEX, REF_NAME, canonical, digest_of
from kezuri.oci.platform import Platform

pytestmark = pytest.mark.slow
"""Whole commands, or many made-up images: together they take longer than the quick tests may."""

HERE = Platform.host().architecture
OTHER = "s390x" if HERE != "s390x" else "riscv64"
NOT_ONE = {"os": "unknown", "architecture": "unknown"}
LOW = gzip.compress(tar_of(("etc", None), ("etc/old", b"old"), ("real", None)), mtime=0)
HIGH = gzip.compress(tar_of(("app", None), ("app/program", b"run"), ("etc/.wh.old", b"")), mtime=0)
FRESH = gzip.compress(tar_of(("etc", None), ("etc/fresh", b"new")), mtime=0)


class Bench:
    """An empty store, and a registry."""

    def __init__(self, directory: Path, registry: FaultyRegistry) -> None:
        self.directory = directory
        self.shelf = Shelf(directory / "store")
        self.registry = registry
        self.app = f"docker://{registry.host}/team/app"

    def kezuri(self, *argv: str, code: int = 0) -> str:
        """The digest that is printed, or the error."""
        self.said = ""
        out, err = io.StringIO(), io.StringIO()
        environ = {"HOME": "/nowhere", "KEZURI_ROOT": str(self.shelf.root), "XDG_RUNTIME_DIR": str(self.directory)}
        got = call(argv, Console(out, err, environ))
        assert got == code, err.getvalue()
        self.said = err.getvalue()
        return out.getvalue().strip() if not code else self.said

    def put(self, *layers: bytes, tag: str = "1", architecture: str = HERE, **extra: Any) -> Image:
        made = make_image(*layers, architecture=architecture, **extra)
        self.registry.put(made, tag)
        return made

    def document(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.registry.documents[f"manifests/{name}"][1]))

    def config(self, name: str) -> dict[str, Any]:
        config = self.document(name)["config"]["digest"]
        return dict(json.loads(self.registry.documents[f"blobs/{config}"][1]))

    def moved(self, *layers: bytes) -> list[str]:
        """The requests that read one of these layers."""
        digests = [digest_of(layer) for layer in layers]
        return [s.path for s in self.registry.log if s.method == "GET" and any(d in s.path for d in digests)]

    def sent(self) -> int:
        """How many blobs were sent."""
        return sum(1 for s in self.registry.log if s.method == "PUT" and "/blobs/uploads/" in s.path)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with FaultyRegistry() as registry:
        yield Bench(tmp_path, registry)


class TestRegistry:
    def test_mutate_moves_documents_only(self, bench: Bench) -> None:
        before = bench.put(LOW, HIGH)
        made = bench.kezuri("mutate", f"{bench.app}:1", "-t", f"{bench.app}:2", "--label", "a=b")
        assert digest_of(bench.registry.documents["manifests/2"][1]) == made
        assert bench.config("2")["config"]["Labels"] == {"a": "b"}
        assert bench.document("2")["layers"] == bench.document("1")["layers"]
        assert digest_of(bench.registry.documents["manifests/1"][1]) == before.digest
        assert (bench.moved(LOW, HIGH), bench.sent()) == ([], 1)
        assert not bench.shelf.names()

    def test_in_place_the_tag_goes_over(self, bench: Bench) -> None:
        bench.put(LOW)
        made = bench.kezuri("mutate", f"{bench.app}:1", "--in-place", "--user", "5")
        assert digest_of(bench.registry.documents["manifests/1"][1]) == made
        pinned = f"{bench.app}@{made}"
        assert "no tag" in bench.kezuri("mutate", pinned, "--in-place", "--user", "6", code=2)

    def test_without_a_name_it_is_found_by_its_digest(self, bench: Bench) -> None:
        bench.put(LOW)
        before = set(bench.registry.documents)
        made = bench.kezuri("mutate", f"{bench.app}:1", "--user", "5")
        assert {n for n in set(bench.registry.documents) - before if n.startswith("manifests")} == {f"manifests/{made}"}

    def test_what_changes_nothing_is_that_already(self, bench: Bench) -> None:
        before = bench.put(LOW)
        assert bench.kezuri("mutate", f"{bench.app}:1", "-t", f"{bench.app}:2", "--env", "PATH=/bin") == before.digest
        assert "nothing changed" in bench.said
        assert bench.registry.documents["manifests/2"][1] == before.manifest

    def test_all_platforms_or_one(self, bench: Bench) -> None:
        one, two = bench.put(LOW, tag="x"), bench.put(HIGH, tag="y", architecture=OTHER)
        index = make_index((one, {"os": "linux", "architecture": HERE}), (two, {"os": "linux", "architecture": OTHER}))
        bench.registry.put_document(index, INDEX, "all")
        bench.kezuri("mutate", f"{bench.app}:all", "-t", f"{bench.app}:new", "--user", "5", "--annotation", "index:a=b")
        made = bench.document("new")
        assert [entry["platform"]["architecture"] for entry in made["manifests"]] == [HERE, OTHER]
        assert made["annotations"] == {"a": "b"}
        for entry in made["manifests"]:
            assert bench.config(entry["digest"])["config"]["User"] == "5"
        platform = f"linux/{OTHER}"
        bench.kezuri("mutate", f"{bench.app}:all", "--platform", platform, "-t", f"{bench.app}:one", "--user", "5")
        assert digest_of(bench.registry.documents["manifests/one"][1]) == made["manifests"][1]["digest"]
        assert "linux/mips" in bench.kezuri("mutate", f"{bench.app}:all", "--platform", "linux/mips", code=125)
        assert f"it is for linux/{HERE}" in bench.kezuri("mutate", f"{bench.app}:x", "--platform", platform, code=125)

    def test_attestations_stay_with_the_image_that_they_are_about(self, bench: Bench) -> None:
        one, said = bench.put(LOW, tag="x"), bench.put(HIGH, tag="y")
        index = json.loads(make_index((one, {"os": "linux", "architecture": HERE}), (said, NOT_ONE)))
        index["manifests"][1]["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
        bench.registry.put_document(canonical(index), INDEX, "all")
        bench.kezuri("mutate", f"{bench.app}:all", "--in-place", "--user", "5")
        assert "the attestations of" in bench.said
        assert len(bench.document("all")["manifests"]) == 1
        assert bench.moved(LOW, HIGH) == []

    def test_an_index_within_an_index_needs_a_platform(self, bench: Bench) -> None:
        one = bench.put(LOW, tag="x")
        inner = make_index((one, {"os": "linux", "architecture": HERE}))
        bench.registry.put_document(inner, INDEX)
        entry = {"mediaType": INDEX, "digest": digest_of(inner), "size": len(inner)}
        outer = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
        bench.registry.put_document(canonical(outer), INDEX, "all")
        assert "--platform OS/ARCH" in bench.kezuri("mutate", f"{bench.app}:all", "--user", "5", code=125)
        here = f"linux/{HERE}"
        bench.kezuri("mutate", f"{bench.app}:all", "--platform", here, "--user", "5", "-t", f"{bench.app}:2")
        assert bench.config("2")["config"]["User"] == "5"

    def test_from_a_registry_into_the_store_and_back(self, bench: Bench) -> None:
        bench.put(LOW)
        made = bench.kezuri("mutate", f"{bench.app}:1", "-t", "mine", "-t", f"{bench.app}:2", "--user", "5")
        assert bench.shelf.names() == {"mine": made}
        assert bench.shelf.settings_of(made)["User"] == "5"
        assert bench.shelf.check() == []
        again = bench.kezuri("mutate", "mine", "-t", f"{bench.app}:3", "--user", "6")
        assert bench.config("3")["config"]["User"] == "6"
        assert bench.shelf.names() == {"mine": made} != {"mine": again}

    def test_from_a_registry_to_another_one(self, bench: Bench) -> None:
        bench.put(LOW, HIGH)
        with FaultyRegistry() as other:
            made = bench.kezuri("mutate", f"{bench.app}:1", "-t", f"docker://{other.host}/x:1", "--user", "5")
            assert digest_of(other.documents["manifests/1"][1]) == made
            assert other.documents[f"blobs/{digest_of(HIGH)}"][1] == HIGH

    def test_append_sends_its_layer_alone(self, bench: Bench) -> None:
        bench.put(LOW)
        (bench.directory / "more.tar").write_bytes(tar_of(("d", None), ("d/f", b"1")))
        file = str(bench.directory / "more.tar")
        made = bench.kezuri("append", f"{bench.app}:1", "-f", file, "-t", f"{bench.app}:2")
        assert len(bench.document(made)["layers"]) == 2
        assert (bench.moved(LOW), bench.sent()) == ([], 2)
        assert bench.shelf.check() == []

    def test_append_looks_where_a_directory_may_hide_a_link(self, bench: Bench) -> None:
        low = gzip.compress(Tarring().link("bin", "usr/bin").bytes(), mtime=0)
        bench.put(low)
        (bench.directory / "more.tar").write_bytes(tar_of(("bin", None), ("bin/f", b"1")))
        bench.kezuri("append", f"{bench.app}:1", "-f", str(bench.directory / "more.tar"), "-t", f"{bench.app}:2")
        assert "/bin is a link to usr/bin in the image" in bench.said
        assert len(bench.moved(low)) == 1
        assert bench.shelf.check() == []

    def test_append_of_a_directory_looks_at_the_image(self, bench: Bench) -> None:
        linked = Tarring().link("d", "real").bytes()
        bench.put(LOW, top := gzip.compress(linked, mtime=0))
        (bench.directory / "tree" / "d").mkdir(parents=True)
        (bench.directory / "tree" / "d" / "f").write_text("1")
        tree = str(bench.directory / "tree")
        refused = bench.kezuri("append", f"{bench.app}:1", tree, "-t", "mine", code=1)
        assert '"/d" is a symbolic link' in refused
        assert len(bench.moved(LOW)) == len(bench.moved(top)) == 1
        (bench.directory / "tree" / "d" / "f").rename(bench.directory / "tree" / "f")
        (bench.directory / "tree" / "d").rmdir()
        made = bench.kezuri("append", f"{bench.app}:1", tree, "-t", f"{bench.app}:2")
        assert len(bench.document(made)["layers"]) == 3
        assert len(bench.moved(LOW)) == len(bench.moved(top)) == 1

    def test_flatten_fetches_each_layer_once(self, bench: Bench) -> None:
        bench.put(LOW, HIGH)
        made = bench.kezuri("flatten", f"{bench.app}:1", "--in-place")
        assert len(bench.document("1")["layers"]) == 1
        assert digest_of(bench.registry.documents["manifests/1"][1]) == made
        assert (len(bench.moved(LOW)), len(bench.moved(HIGH)), bench.sent()) == (1, 1, 2)
        bench.kezuri("copy", f"{bench.app}:1", "flat")
        assert sorted(bench.shelf.files(made)) == ["app", "app/program", "etc", "real"]

    def test_rebase_by_what_the_image_says(self, bench: Bench) -> None:
        old, new = bench.put(LOW, tag="old"), bench.put(FRESH, tag="base")
        name = f"{bench.registry.host}/team/app:base"
        bench.put(LOW, HIGH, annotations={BASE_NAME: name, BASE_DIGEST: old.digest})
        bench.kezuri("rebase", f"{bench.app}:1", "-t", f"{bench.app}:2")
        assert [one["digest"] for one in bench.document("2")["layers"]] == [digest_of(FRESH), digest_of(HIGH)]
        assert bench.document("2")["annotations"] == {BASE_NAME: name, BASE_DIGEST: new.digest}
        assert (bench.moved(LOW, HIGH, FRESH), bench.sent()) == ([], 1)

    def test_rebase_onto_a_base_of_another_registry(self, bench: Bench) -> None:
        bench.put(LOW, tag="old")
        bench.put(LOW, HIGH)
        with FaultyRegistry() as other:
            new = make_image(FRESH, architecture=HERE)
            other.put(new, "13")
            bench.kezuri(
                "rebase", f"{bench.app}:1", "--old-base", f"{bench.app}:old",
                "--new-base", f"docker://{other.host}/base:13", "-t", f"{bench.app}:2",
            )  # fmt: skip
        assert [one["digest"] for one in bench.document("2")["layers"]] == [digest_of(FRESH), digest_of(HIGH)]
        assert bench.registry.documents[f"blobs/{digest_of(FRESH)}"][1] == FRESH
        assert bench.document("2")["annotations"][BASE_NAME] == f"{other.host}/base:13"
        assert bench.moved(LOW, HIGH) == []

    def test_an_image_of_the_store_onto_a_base_of_a_registry(self, bench: Bench) -> None:
        bench.put(LOW, tag="old")
        bench.put(FRESH, tag="new")
        bench.put(LOW, HIGH)
        bench.kezuri("copy", f"{bench.app}:1", "mine")
        bases = ("--old-base", f"{bench.app}:old", "--new-base", f"{bench.app}:new")
        made = bench.kezuri("rebase", "mine", *bases, "--in-place")
        assert bench.shelf.names() == {"mine": made}
        assert sorted(bench.shelf.files(made)) == ["app", "app/program", "etc", "etc/fresh"]
        assert bench.shelf.check() == []
        assert bench.kezuri("rebase", f"{bench.app}:1", *bases, "-t", f"{bench.app}:2") == made

    def test_a_base_that_is_nowhere(self, bench: Bench) -> None:
        bench.put(LOW, HIGH, annotations={BASE_NAME: f"{bench.registry.host}/team/base:9"})
        assert "/team/base:9" in bench.kezuri("rebase", f"{bench.app}:1", "--new-base", f"{bench.app}:1", code=1)
        bench.put(LOW, HIGH, tag="2", annotations={BASE_DIGEST: digest_of(b"")})
        nowhere = bench.kezuri("rebase", f"{bench.app}:2", "--new-base", f"{bench.app}:1", code=1)
        assert "stands on sha256:" in nowhere
        assert "--old-base NAME" in nowhere


class TestFaults:
    def test_an_image_that_is_not_there(self, bench: Bench) -> None:
        assert f"{bench.registry.host}/team/app:9" in bench.kezuri("mutate", f"{bench.app}:9", "--user", "5", code=1)
        missing = bench.kezuri("mutate", "registry.example/a:1", "--user", "5", code=1)
        assert "kezuri pull registry.example/a:1" in missing
        assert "docker://registry.example/a:1" in missing

    def test_a_config_with_other_bytes(self, bench: Bench) -> None:
        image = bench.put(LOW)
        config = json.loads(image.manifest)["config"]["digest"]
        bench.registry.on(f"GET .*{config}", flip, times=99)
        before = dict(bench.registry.documents)
        assert config in bench.kezuri("mutate", f"{bench.app}:1", "--in-place", "--user", "5", code=125)
        assert bench.registry.documents == before

    def test_a_push_that_is_refused_leaves_the_tag(self, bench: Bench) -> None:
        image = bench.put(LOW)
        bench.registry.on("PUT .*/manifests/", status(403), times=99)
        assert "team/app:1" in bench.kezuri("mutate", f"{bench.app}:1", "--in-place", "--user", "5", code=1)
        assert digest_of(bench.registry.documents["manifests/1"][1]) == image.digest

    def test_a_tag_that_moves_meanwhile_is_not_replaced(self, bench: Bench) -> None:
        bench.put(LOW, HIGH)
        newer = make_image(FRESH, architecture=HERE)

        def move(handler: Handler, kind: str, data: bytes) -> None:
            handler.registry.put(newer, "1")
            handler.serve(kind, data)

        bench.registry.on(f"GET .*{digest_of(HIGH)}", move)
        said = bench.kezuri("flatten", f"{bench.app}:1", "--in-place", code=1)
        assert f"became another image while it was changed: {newer.digest}" in said
        assert digest_of(bench.registry.documents["manifests/1"][1]) == newer.digest

    def test_the_store_gets_no_name_when_a_registry_refuses(self, bench: Bench) -> None:
        bench.put(LOW)
        bench.registry.on("PUT .*/manifests/", status(403), times=99)
        bench.kezuri("mutate", f"{bench.app}:1", "-t", "mine", "-t", f"{bench.app}:2", "--user", "5", code=1)
        assert bench.shelf.names() == {}

    def test_an_index_without_end(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("kezuri.transfer.altered._MOST_PARTS", 9)
        image = bench.put(LOW)
        bench.registry.put_document(make_index(*[(image, None)] * 10), INDEX, "many")
        assert "more than 9 images" in bench.kezuri("mutate", f"{bench.app}:many", "--user", "5", code=125)

    def test_what_is_no_image(self, bench: Bench) -> None:
        bench.put(LOW, artifactType="application/vnd.example")
        assert "no image but an artifact" in bench.kezuri("mutate", f"{bench.app}:1", "--user", "5", code=125)
        bench.registry.put_document(make_index(), INDEX, "empty")
        assert "without any image" in bench.kezuri("mutate", f"{bench.app}:empty", "--user", "5", code=125)

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (("-t", "docker-archive:x.tar"), "kezuri copy NAME docker-archive:x.tar"),
            (("-t", "docker://r.example/a@sha256:" + "1" * 64), "cannot carry a digest"),
            (("-t", "oci:x@sha256:" + "1" * 64), "cannot carry a digest"),
        ],
    )
    def test_targets_that_are_none(self, bench: Bench, words: tuple[str, ...], why: str) -> None:
        bench.put(LOW)
        assert why in bench.kezuri("mutate", f"{bench.app}:1", "--user", "5", *words, code=2)
        assert bench.sent() == 0

    def test_a_plain_name_that_begins_with_a_registry_is_told(self, bench: Bench) -> None:
        bench.put(LOW)
        bench.kezuri("mutate", f"{bench.app}:1", "-t", "r.example/a:1", "--user", "5")
        assert "the registry's image is docker://r.example/a:1" in bench.said


class TestLayouts:
    def test_in_place_and_under_another_name(self, bench: Bench) -> None:
        where = write_layout(str(bench.directory / "layout"), (make_image(LOW, architecture=HERE), {REF_NAME: "1"}))
        made = bench.kezuri("mutate", f"oci:{where}:1", "--user", "5", "-t", f"oci:{where}:2")
        listed = {one["annotations"][REF_NAME]: one["digest"] for one in self.index(where)}
        assert listed["2"] == made != listed["1"]
        again = bench.kezuri("mutate", f"oci:{where}:1", "--user", "5", "--in-place")
        assert {one["annotations"][REF_NAME]: one["digest"] for one in self.index(where)} == {"1": made, "2": again}
        assert "-t oci:DIRECTORY:NAME" in bench.kezuri("mutate", f"oci:{where}@{made}", "--in-place", code=2)

    def test_flatten_to_a_registry(self, bench: Bench) -> None:
        image = make_image(LOW, HIGH, architecture=HERE)
        where = write_layout(str(bench.directory / "layout"), (image, {REF_NAME: "1"}))
        made = bench.kezuri("flatten", f"oci:{where}:1", "-t", f"{bench.app}:2")
        assert digest_of(bench.registry.documents["manifests/2"][1]) == made
        assert bench.sent() == 2
        assert [one["digest"] for one in self.index(where)] == [image.digest]

    def test_archives_are_only_read(self, bench: Bench) -> None:
        where = write_layout(str(bench.directory / "layout"), (make_image(LOW, architecture=HERE), {REF_NAME: "1"}))
        archive = f"oci-archive:{bench.directory / 'a.tar'}"
        bench.kezuri("copy", f"oci:{where}:1", archive)
        assert "-t docker://NAME" in bench.kezuri("mutate", archive, "--user", "5", code=2)
        made = bench.kezuri("mutate", archive, "--user", "5", "-t", "mine")
        assert bench.shelf.names() == {"mine": made}
        assert bench.shelf.check() == []

    def index(self, where: str) -> list[dict[str, Any]]:
        return list(json.loads((Path(where) / "index.json").read_bytes())["manifests"])


def test_an_image_of_the_store_may_be_called_docker(bench: Bench) -> None:
    bench.shelf.put("mine", [tar_of(("f", b"1"))])
    bench.kezuri("tag", "mine", "docker:latest")
    made = bench.kezuri("mutate", "docker:latest", "--user", "5", "--in-place")
    assert bench.shelf.names()["docker"] == made


@pytest.mark.slow
@needs_registry
@needs_skopeo
def test_with_docker_s_registry_what_skopeo_reads(tmp_path: Path, bench: Bench) -> None:
    def inspected(name: str, *options: str) -> dict[str, Any]:
        done = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", *options, f"docker://{name}"], check=True, capture_output=True
        )
        return dict(json.loads(done.stdout))

    app = make_image(LOW, HIGH, architecture=HERE)
    layout = write_layout(str(tmp_path / "layout"), (app, {REF_NAME: "1"}))
    bases = write_layout(
        str(tmp_path / "bases"),
        (make_image(LOW, architecture=HERE), {REF_NAME: "12"}),
        (make_image(FRESH, architecture=HERE), {REF_NAME: "13"}),
    )
    (tmp_path / "server").mkdir()
    with RegistryServer(tmp_path / "server") as server:
        server.fill(layout)
        server.fill(bases, "library/base:12", tag="12")
        server.fill(bases, "library/base:13", tag="13")
        name = f"{server.host}/team/app"
        made = bench.kezuri("mutate", f"docker://{name}:1", "-t", f"docker://{server.host}/other/app:2", "-l", "a=b")
        found = inspected(f"{server.host}/other/app:2")
        assert (found["Digest"], found["Labels"]) == (made, {"a": "b"})
        assert found["Layers"] == [digest_of(LOW), digest_of(HIGH)]
        rebased = bench.kezuri(
            "rebase", f"docker://{name}:1", "--old-base", f"docker://{server.host}/library/base:12",
            "--new-base", f"docker://{server.host}/library/base:13", "--in-place",
        )  # fmt: skip
        found = inspected(f"{name}:1")
        assert (found["Digest"], found["Layers"]) == (rebased, [digest_of(FRESH), digest_of(HIGH)])
        # Documents alone were moved: layers were mounted, none was read and none was sent.
        log = server.log.read_text()
        asked = [line.partition('"')[2] for line in log.splitlines() if '"' in line and "kezuri" in line]
        assert not [line for line in asked if line.startswith("GET") and digest_of(HIGH) in line]
        assert [line for line in asked if line.startswith("POST") and "mount=" in line and " 201 " in line]
        flat = bench.kezuri("flatten", f"docker://{name}:1", "-t", f"docker://{name}:flat")
        assert inspected(f"{name}:flat")["Digest"] == flat
        assert len(inspected(f"{name}:flat")["Layers"]) == 1
        subprocess.run(
            ["skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", f"docker://{name}:flat",
             f"oci:{tmp_path / 'read'}:x"],
            check=True, capture_output=True,
        )  # fmt: skip
