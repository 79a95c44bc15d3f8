"""Images changed without a build, by the commands that do it: `mutate`, `append`, `flatten`, `rebase`."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.app.app_shelf import Shelf
from tests.build.build_workshop import Workshop, tar_of, write_layout

from kezuri.app.images import remove
from kezuri.app.prune import prune
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.edits.rebase import BASE_DIGEST, BASE_NAME
from kezuri.edits.settings import Changes, Unset
from kezuri.images.altered import keep_altered, original
from kezuri.oci.descriptor import DOCKER_MANIFEST, INDEX, MANIFEST, Descriptor, digest_of
from kezuri.oci.platform import Platform
from kezuri.store.store import Store

pytestmark = pytest.mark.slow
"""Whole commands, or many made-up images: together they take longer than the quick tests may."""

BASE = tar_of(("etc", None), ("etc/os-release", b"ID=debian\n"), ("etc/old", b"old"), ("d", None), ("d/one", b"1"))
APP = tar_of(("app", None), ("app/program", b"run"), ("etc/.wh.old", b""), ("d", None), ("d/two", b"2"))
NEW = tar_of(("etc", None), ("etc/os-release", b"ID=debian\nVERSION_ID=13\n"), ("etc/fresh", b"new"))
SETTINGS: dict[str, Any] = {
    "Env": ["PATH=/bin", "MODE=a"],
    "Labels": {"one": "1", "two": "2"},
    "Cmd": ["serve"],
    "Entrypoint": ["/entry"],
    "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
    "Volumes": {"/data": {}},
    "User": "www",
    "WorkingDir": "/srv",
    "Healthcheck": {"Test": ["CMD", "true"]},
}
OTHER = "s390x" if Platform.host().architecture != "s390x" else "riscv64"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "store")


class Said:
    """What a command answered."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.digest = out.strip()
        self.err = err


def kezuri(shelf: Shelf, *argv: str, code: int = 0, **environ: str) -> Said:
    out, err = io.StringIO(), io.StringIO()
    got = call(argv, Console(out, err, {"HOME": "/nowhere", "KEZURI_ROOT": str(shelf.root), **environ}))
    assert got == code, err.getvalue()
    return Said(got, out.getvalue(), err.getvalue())


class TestMutate:
    def test_settings_are_put(self, shelf: Shelf) -> None:
        before = shelf.put("app", [BASE, APP], SETTINGS)
        made = kezuri(
            shelf, "mutate", "app", "-t", "new", "--label", "three=3", "--env", "MODE=b", "--env", "HOME",
            "--user", "5:6", "--entrypoint", '/run "two words"', "--port", "53/udp", "--volume", "/var",
            "--workdir", "/", "--author", "me", "--stop-signal", "SIGINT", "--created", "epoch",
            "--health-cmd", "curl -f http://localhost", "--health-interval", "5s",
        )  # fmt: skip
        settings = shelf.settings_of(made.digest)
        assert settings["Labels"] == {"one": "1", "three": "3", "two": "2"}
        assert settings["Env"] == ["PATH=/bin", "MODE=b", "HOME=/nowhere"]
        assert (settings["Entrypoint"], settings.get("Cmd")) == (["/run", "two words"], None)
        assert list(settings["ExposedPorts"]) == ["443/tcp", "53/udp", "80/tcp"]
        assert list(settings["Volumes"]) == ["/data", "/var"]
        assert (settings["User"], settings["WorkingDir"], settings["StopSignal"]) == ("5:6", "/", "SIGINT")
        assert settings["Healthcheck"] == {"Test": ["CMD-SHELL", "curl -f http://localhost"], "Interval": 5_000_000_000}
        config = shelf.config(made.digest)
        assert (config["created"], config["author"]) == ("1970-01-01T00:00:00Z", "me")
        old = shelf.config(before.digest)
        assert (config["rootfs"], config["history"]) == (old["rootfs"], old["history"])
        assert shelf.document(made.digest)["layers"] == shelf.document(before.digest)["layers"]
        assert shelf.names() == {"app": before.digest, "new": made.digest}

    def test_what_a_base_declared_is_taken_away(self, shelf: Shelf) -> None:
        shelf.put("app", [BASE], SETTINGS, annotations={"note": "1"})
        wanted = ["label=one", "env=MODE", "port=80", "volume=/data", "entrypoint", "cmd", "user", "workdir"]
        unset = [word for name in (*wanted, "healthcheck", "annotation=note") for word in ("--unset", name)]
        made = kezuri(shelf, "mutate", "app", *unset)
        assert shelf.settings_of(made.digest) == {
            "Env": ["PATH=/bin"],
            "Labels": {"two": "2"},
            "ExposedPorts": {"443/tcp": {}},
        }
        assert "annotations" not in shelf.document(made.digest)
        assert made.err == ""

    def test_all_of_a_kind_go(self, shelf: Shelf) -> None:
        shelf.put("app", [BASE], SETTINGS)
        words = [word for name in ("labels", "env", "ports", "volumes") for word in ("--unset", name)]
        settings = shelf.settings_of(kezuri(shelf, "mutate", "app", *words, "-e", "A=1").digest)
        assert not {"Labels", "ExposedPorts", "Volumes"} & set(settings)
        assert settings["Env"] == ["A=1"]

    def test_what_is_not_there_cannot_be_taken_away(self, shelf: Shelf) -> None:
        before = shelf.put("app", [BASE], SETTINGS)
        made = kezuri(shelf, "mutate", "app", "--unset", "label=three")
        assert made.digest == before.digest
        assert "app has no label=three: nothing to unset" in made.err
        assert "nothing changed" in made.err
        assert "did you mean label?" in kezuri(shelf, "mutate", "app", "--unset", "lable=x", code=2).err

    def test_an_image_that_is_not_there_can_be_fetched(self, shelf: Shelf) -> None:
        shelf.put("database", [BASE])
        assert "kezuri pull registry.example/a:1" in kezuri(shelf, "mutate", "registry.example/a:1", code=1).err
        assert "did you mean database?" in kezuri(shelf, "flatten", "databse", code=1).err
        assert "kezuri pull" not in kezuri(shelf, "mutate", "sha256:" + "1" * 64, code=1).err

    def test_an_image_without_a_name_is_kept(self, shelf: Shelf) -> None:
        shelf.put("app", [BASE])
        made = kezuri(shelf, "mutate", "app", "--label", "a=b")
        undone = kezuri(shelf, "mutate", made.digest, "--unset", "label=a", "-t", "again")
        assert shelf.config(undone.digest) == shelf.config(shelf.names()["app"])
        assert kezuri(shelf, "mutate", "again", "--label", "a=b").digest == made.digest

    def test_in_place_the_name_goes_over(self, shelf: Shelf) -> None:
        before = shelf.put("app", [BASE])
        made = kezuri(shelf, "mutate", "app", "--in-place", "--label", "a=b")
        assert shelf.names() == {"app": made.digest}
        assert kezuri(shelf, "images", "-q", "--no-trunc").digest.count("sha256:") == 2
        assert "no tag" in kezuri(shelf, "mutate", before.digest, "--in-place", "--user", "1", code=2).err

    def test_dockers_documents_stay_dockers(self, shelf: Shelf) -> None:
        shelf.put("app", [BASE], docker=True)

        def kinds(digest: str) -> set[str]:
            manifest = shelf.document(digest)
            return {str(part["mediaType"]) for part in (manifest, manifest["config"], manifest["layers"][0])}

        assert all("docker" in kind for kind in kinds(kezuri(shelf, "mutate", "app", "--label", "a=b").digest))
        noted = kezuri(shelf, "mutate", "app", "--annotation", "a=b").digest
        assert all("oci" in kind for kind in kinds(noted))
        assert shelf.document(noted)["annotations"] == {"a": "b"}

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (["--label", "=x"], "KEY=VALUE"),
            (["--env", "=x"], "KEY[=VALUE]"),
            (["--port", "99999"], "not a port"),
            (["--volume", "data"], "no path"),
            (["--volume", "/a:/b"], "a path only"),
            (["--workdir", "srv"], "no path"),
            (["--cmd", '["a", 1]'], "JSON list"),
            (["--entrypoint", "a 'b"], "a quote is not closed"),
            (["--created", "yesterday"], "is no time"),
            (["--created", "SOURCE_DATE_EPOCH"], "no such variable"),
            (["--stop-signal", "SIGNOPE"], "--stop-signal"),
            (["--health-interval", "5s"], "without --health-cmd"),
            (["--unset", "user=x"], "there is only one user"),
            (["--unset", "label="], "nothing after the ="),
            (["-t", "UPPER"], "lower-case"),
            (["-t", "a@sha256:" + "0" * 64], "cannot carry a digest"),
            (["--annotation", "index:a=b"], "none"),
            (["--annotation", "nowhere:a=b"], "no place"),
            (["--set-platform", "x/y/z/q"], "not a platform"),
        ],
    )
    def test_mistakes_change_nothing(self, shelf: Shelf, words: list[str], why: str) -> None:
        shelf.put("app", [BASE])
        before = sorted(path.name for path in (shelf.root / "blobs" / "sha256").iterdir())
        assert why in kezuri(shelf, "mutate", "app", *words, code=2).err
        assert sorted(path.name for path in (shelf.root / "blobs" / "sha256").iterdir()) == before

    @pytest.mark.parametrize(
        ("text", "created"),
        [
            ("0", "1970-01-01T00:00:00Z"),
            ("2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("SOURCE_DATE_EPOCH", "2001-09-09T01:46:40Z"),
        ],
    )
    def test_times(self, shelf: Shelf, text: str, created: str) -> None:
        shelf.put("app", [BASE])
        made = kezuri(shelf, "mutate", "app", "--created", text, SOURCE_DATE_EPOCH="1000000000")
        assert shelf.config(made.digest)["created"] == created


class TestIndexes:
    def index(self, shelf: Shelf, *more: Descriptor) -> tuple[Descriptor, Descriptor]:
        here = shelf.put("", [BASE], SETTINGS)
        there = shelf.put("", [BASE, APP], SETTINGS, architecture=OTHER)
        shelf.put_index("app", [here, there, *more], {"of": "index"})
        return here, there

    def test_every_platform_is_changed(self, shelf: Shelf) -> None:
        self.index(shelf)
        made = kezuri(shelf, "mutate", "app", "-t", "new", "--label", "a=b", "--annotation", "index:x=y")
        index = shelf.document(made.digest)
        assert (index["mediaType"], index["annotations"]) == (INDEX, {"of": "index", "x": "y"})
        assert [entry["platform"]["architecture"] for entry in index["manifests"]] == [
            Platform.host().architecture,
            OTHER,
        ]
        for entry in index["manifests"]:
            assert shelf.settings_of(entry["digest"])["Labels"]["a"] == "b"

    def test_one_platform_is_chosen(self, shelf: Shelf) -> None:
        _, there = self.index(shelf)
        made = kezuri(shelf, "mutate", "app", "--platform", f"linux/{OTHER}", "--label", "a=b")
        assert shelf.document(made.digest)["mediaType"] == MANIFEST
        assert shelf.config(made.digest)["architecture"] == OTHER
        by_id = kezuri(shelf, "mutate", there.digest, "--label", "a=b")
        assert by_id.digest == made.digest
        shelf.put("single", [BASE])
        assert "not there for" in kezuri(shelf, "mutate", "single", "--platform", f"linux/{OTHER}", code=1).err

    def test_nothing_changed_is_the_same_index(self, shelf: Shelf) -> None:
        self.index(shelf)
        assert kezuri(shelf, "mutate", "app").digest == shelf.names()["app"]

    def test_attestations_are_left_behind(self, shelf: Shelf) -> None:
        about = shelf.put("", [], architecture="unknown")._replace(platform=Platform("unknown", "unknown"))
        self.index(shelf, about)
        made = kezuri(shelf, "mutate", "app", "--label", "a=b")
        assert "attestations" in made.err
        assert len(shelf.document(made.digest)["manifests"]) == 2

    def test_what_is_not_there_cannot_be_changed(self, shelf: Shelf) -> None:
        lost = Descriptor(MANIFEST, "sha256:" + "1" * 64, 5, platform=Platform("linux", "mips"))
        self.index(shelf, lost)
        assert "nothing of it for linux/mips" in kezuri(shelf, "mutate", "app", "--user", "1", code=125).err
        kezuri(shelf, "mutate", "app", "--user", "1", "--platform", f"linux/{OTHER}")

    def test_each_platform_is_flattened(self, shelf: Shelf) -> None:
        _, there = self.index(shelf)
        made = shelf.document(kezuri(shelf, "flatten", "app").digest)["manifests"]
        assert [len(shelf.document(entry["digest"])["layers"]) for entry in made] == [1, 1]
        assert shelf.files(made[1]["digest"]) == shelf.files(there.digest)


class TestAppend:
    def tar(self, directory: Path, data: bytes, name: str = "layer.tar") -> str:
        (directory / name).write_bytes(data)
        return str(directory / name)

    @pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, 1), "zstd"])
    def test_a_tar_is_a_layer(self, shelf: Shelf, tmp_path: Path, pack: Any) -> None:
        shelf.put("base", [BASE], SETTINGS)
        whole = shelf.put("whole", [BASE, APP])
        if pack == "zstd":
            import zstandard

            pack = zstandard.ZstdCompressor().compress
        made = kezuri(shelf, "append", "base", "-f", self.tar(tmp_path, pack(APP)), "-t", "new")
        assert shelf.files(made.digest) == shelf.files(whole.digest)
        config = shelf.config(made.digest)
        assert [entry["created_by"] for entry in config["history"]] == ["layer 0", "kezuri append layer.tar"]
        assert config["config"] == shelf.settings_of(shelf.names()["base"])
        assert "sha256:" in config["rootfs"]["diff_ids"][1]
        # However it was compressed, it is the same layer: kezuri's own form of it.
        plain = kezuri(shelf, "append", "base", "-f", self.tar(tmp_path, APP))
        assert plain.digest == made.digest
        assert shelf.check() == []

    def test_a_directory_is_copied_where_links_lead(self, shelf: Shelf, tmp_path: Path) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            link = tarfile.TarInfo("bin")
            link.type, link.linkname = tarfile.SYMTYPE, "usr/bin"
            tar.addfile(link)
            usr = tarfile.TarInfo("usr/bin")
            usr.type, usr.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(usr)
        shelf.put("base", [out.getvalue()])
        (tmp_path / "files" / "bin").mkdir(parents=True)
        (tmp_path / "files" / "bin" / "tool").write_text("tool")
        # What `COPY files /` refuses is refused here, too: a directory in the place of a link.
        said = kezuri(shelf, "append", "base", str(tmp_path / "files"), code=1)
        assert "cannot copy to non-directory" in said.err
        (tmp_path / "files" / "bin").rename(tmp_path / "files" / "opt")
        made = kezuri(shelf, "append", "base", str(tmp_path / "files"))
        view = shelf.view(made.digest)
        assert view.read("/opt/tool") == b"tool"
        entry = view.lookup("opt/tool")
        assert entry is not None
        assert (entry.uid, entry.gid) == (0, 0)

    def test_a_directory_that_hides_a_link_is_told(self, shelf: Shelf, tmp_path: Path) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name in ("bin", "lib"):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
                tar.addfile(link)
        shelf.put("base", [out.getvalue()])
        layer = tar_of(("bin/deep/er", b"1"), ("lib64", None), ("opt/bin/x", b"1"))
        said = kezuri(shelf, "append", "base", "-f", self.tar(tmp_path, layer)).err
        assert said.count("hides what is there") == 1
        assert "/bin is a link to usr/bin in the image" in said

    def test_several_in_their_order(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.put("base", [])
        one = self.tar(tmp_path, tar_of(("f", b"1"), ("g", b"1")), "one.tar")
        two = self.tar(
            tmp_path,
            tar_of(
                ("f", b"2"),
            ),
            "two.tar",
        )
        made = kezuri(shelf, "append", "base", "-f", one, "-f", two)
        assert shelf.view(made.digest).read("/f") == b"2"
        assert shelf.view(made.digest).read("/g") == b"1"

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "no tar, or an empty one"),
            (bytes(1024), "no tar, or an empty one"),
            (b"no tar at all" * 100, "not a tar header"),
            (BASE[:700], "truncated"),
            (gzip.compress(BASE)[:-20], "truncated"),
            (tar_of(("../../etc/passwd", b"x")), "leaves the root"),
            (tar_of(("f", b"x"), ("f/g", b"x")), "other entries lie under it"),
        ],
    )
    def test_hostile_tars_are_refused(self, shelf: Shelf, tmp_path: Path, data: bytes, why: str) -> None:
        shelf.put("base", [BASE])
        path = self.tar(tmp_path, data)
        before = sorted((shelf.root / "blobs" / "sha256").iterdir())
        said = kezuri(shelf, "append", "base", "-f", path, "-t", "new", code=1)
        assert why in said.err
        assert path in said.err
        assert "new" not in shelf.names()
        assert sorted((shelf.root / "blobs" / "sha256").iterdir()) == before
        assert list((shelf.root / "tmp").iterdir()) == []

    def test_a_link_to_a_file_of_the_image(self, shelf: Shelf, tmp_path: Path) -> None:
        def linked(to: str) -> bytes:
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w") as tar:
                link = tarfile.TarInfo("hard")
                link.type, link.linkname = tarfile.LNKTYPE, to
                tar.addfile(link)
            return out.getvalue()

        shelf.put("base", [BASE])
        made = kezuri(shelf, "append", "base", "-f", self.tar(tmp_path, linked("d/one")))
        assert shelf.view(made.digest).read("/hard") == b"1"
        assert "not there" in kezuri(shelf, "append", "base", "-f", self.tar(tmp_path, linked("d/no")), code=1).err

    @pytest.mark.slow
    def test_more_layers_than_docker_runs(self, shelf: Shelf, tmp_path: Path) -> None:
        base = shelf.put("base", [tar_of((f"f{n}", b"")) for n in range(127)])
        made = kezuri(shelf, "append", "base", "-f", self.tar(tmp_path, APP))
        assert "128 layers" in made.err
        flat = kezuri(shelf, "flatten", "base")
        assert len(shelf.document(flat.digest)["layers"]) == 1
        assert shelf.files(flat.digest) == shelf.files(base.digest)

    def test_nothing_to_append(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.put("base", [BASE])
        assert "nothing to append" in kezuri(shelf, "append", "base", code=2).err
        assert "cannot read" in kezuri(shelf, "append", "base", str(tmp_path / "no"), code=1).err
        assert "once only" in kezuri(shelf, "append", "base", "-", "-", code=2).err

    def test_on_layers_that_are_elsewhere(self, shelf: Shelf, tmp_path: Path) -> None:
        kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        shelf.put("odd", [BASE], layers=[Descriptor(kind, "sha256:" + "2" * 64, 5)], history=[])
        made = kezuri(shelf, "append", "odd", "-f", self.tar(tmp_path, tar_of(("bin/x", b"1"))))
        assert made.err == ""
        config = shelf.config(made.digest)
        assert len(config["rootfs"]["diff_ids"]) == 3
        assert sum(not entry.get("empty_layer") for entry in config["history"]) == 3


class TestFlatten:
    def test_the_files_are_the_same_and_what_was_removed_is_gone(self, shelf: Shelf) -> None:
        before = shelf.put("app", [BASE, APP], SETTINGS)
        made = kezuri(shelf, "flatten", "app", "-t", "flat")
        assert shelf.files(made.digest) == shelf.files(before.digest)
        (layer,) = shelf.document(made.digest)["layers"]
        with tarfile.open(fileobj=io.BytesIO(shelf.blob(layer["digest"]))) as tar:
            names = tar.getnames()
        assert "etc/old" not in names
        assert not [name for name in names if ".wh." in name]
        config = shelf.config(made.digest)
        assert config["config"] == shelf.settings_of(before.digest)
        assert [entry.get("empty_layer", False) for entry in config["history"]] == [True, True, False]
        assert config["history"][-1]["comment"] == f"flattened from {before.digest}"
        assert shelf.check() == []

    def test_the_same_image_is_the_same_again(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.put("app", [BASE, APP])
        first = kezuri(shelf, "flatten", "app").digest
        other = Shelf(tmp_path / "other")
        other.put("app", [BASE, APP])
        assert kezuri(other, "flatten", "app").digest == first == kezuri(shelf, "flatten", "app").digest

    def test_a_config_and_a_manifest_that_do_not_agree(self, shelf: Shelf) -> None:
        shelf.put("odd", [BASE, APP], more={"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}})
        said = kezuri(shelf, "flatten", "odd", code=125)
        assert "its config names 1 layers, its manifest 2" in said.err

    def test_layers_that_are_not_what_the_config_says(self, shelf: Shelf) -> None:
        wrong = {"type": "layers", "diff_ids": ["sha256:" + "0" * 64, "sha256:" + "1" * 64]}
        shelf.put("odd", [BASE, APP], more={"rootfs": wrong})
        assert "its content has the digest" in kezuri(shelf, "flatten", "odd", code=125).err

    def test_a_layer_that_is_elsewhere(self, shelf: Shelf) -> None:
        kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        foreign = Descriptor(kind, "sha256:" + "2" * 64, 5, urls=("https://example.org/layer",))
        shelf.put("odd", [BASE], layers=[foreign])
        assert foreign.digest in kezuri(shelf, "flatten", "odd", code=125).err
        # Its settings can be changed all the same, and what the manifest says of the layer stays.
        made = kezuri(shelf, "mutate", "odd", "--user", "5")
        assert shelf.document(made.digest)["layers"][1]["urls"] == ["https://example.org/layer"]
        # Nothing is wrong with the store for that, and nothing of it is repaired away.
        assert "nothing missing" in kezuri(shelf, "store", "check", "--repair").out
        assert "odd" in kezuri(shelf, "images").out

    @pytest.mark.parametrize("history", [[], [{"created_by": "a"}] * 5, [{"empty_layer": True}]])
    def test_a_history_that_does_not_account_for_the_layers(self, shelf: Shelf, history: list[dict[str, Any]]) -> None:
        shelf.put("odd", [BASE, APP], history=history)
        config = shelf.config(kezuri(shelf, "flatten", "odd").digest)
        assert sum(not entry.get("empty_layer") for entry in config["history"]) == 1
        assert len(config["rootfs"]["diff_ids"]) == 1

    def test_other_packings(self, shelf: Shelf) -> None:
        before = shelf.put("app", [BASE, APP])
        for kind, ending in (("zstd", "+zstd"), ("uncompressed", ".tar")):
            made = kezuri(shelf, "flatten", "app", "--compression", kind)
            assert shelf.document(made.digest)["layers"][0]["mediaType"].endswith(ending)
            assert shelf.files(made.digest) == shelf.files(before.digest)
        assert "level" in kezuri(shelf, "flatten", "app", "--compression-level", "77", code=2).err

    def test_layers_of_any_packing_are_read(self, shelf: Shelf) -> None:
        import zstandard

        plain = shelf.put("plain", [BASE, APP])
        with Store(str(shelf.root)) as store:
            blobs = [
                Descriptor("application/vnd.oci.image.layer.v1.tar", store.blobs.put(BASE), len(BASE)),
                Descriptor(
                    "application/vnd.oci.image.layer.v1.tar+zstd",
                    store.blobs.put(packed := zstandard.ZstdCompressor().compress(APP)),
                    len(packed),
                ),
            ]
        config = {"rootfs": {"type": "layers", "diff_ids": [digest_of(BASE), digest_of(APP)]}, "history": None}
        shelf.put("mixed", [], layers=blobs, more=config)
        made = kezuri(shelf, "flatten", "mixed").digest
        assert shelf.files(made) == shelf.files(plain.digest)
        flat = shelf.document(kezuri(shelf, "flatten", "plain").digest)
        assert shelf.document(made)["layers"] == flat["layers"]

    def test_documents_with_oddities(self, shelf: Shelf) -> None:
        """No media type, null for what is absent, fields that nobody knows: another tool's documents are read so."""
        nulls = {"config": None, "history": None, "author": None, "moby.of.tomorrow": {"a": 1}}
        odd = shelf.put("odd", [BASE], more=nulls)
        manifest = shelf.document(odd.digest)
        del manifest["mediaType"]
        with Store(str(shelf.root)) as store:
            raw = json.dumps(manifest).encode()
            store.names.put("docker.io/library/odd:latest", Descriptor("", store.blobs.put(raw), len(raw)))
        assert kezuri(shelf, "mutate", "odd").digest == digest_of(raw)
        made = kezuri(shelf, "mutate", "odd", "--label", "a=b").digest
        assert shelf.document(made)["mediaType"] == MANIFEST
        assert shelf.settings_of(made) == {"Labels": {"a": "b"}}

    def test_what_is_no_image(self, shelf: Shelf) -> None:
        with Store(str(shelf.root)) as store:
            for name, raw in (
                ("old", b'{"schemaVersion":1,"fsLayers":[]}'),
                ("both", b'{"schemaVersion":2,"manifests":[],"layers":[]}'),
                ("text", b"hello"),
            ):
                pointer = Descriptor(MANIFEST, store.blobs.put(raw), len(raw))
                store.names.put(f"docker.io/library/{name}:latest", pointer)
        assert "schema 1" in kezuri(shelf, "mutate", "old", "--user", "1", code=125).err
        assert "both an index and a manifest" in kezuri(shelf, "flatten", "both", code=125).err
        assert "not a JSON document" in kezuri(shelf, "rebase", "text", code=125).err

    def test_zstd_on_dockers_image_makes_it_oci(self, shelf: Shelf) -> None:
        shelf.put("app", [BASE, APP], docker=True)
        assert shelf.document(kezuri(shelf, "flatten", "app").digest)["mediaType"] == DOCKER_MANIFEST
        made = shelf.document(kezuri(shelf, "flatten", "app", "--compression", "zstd").digest)
        assert (made["mediaType"], made["layers"][0]["mediaType"].endswith("tar+zstd")) == (MANIFEST, True)


class TestUse:
    def test_what_is_in_use_is_not_removed(self, shelf: Shelf) -> None:
        """Somebody takes the image away while another one is made of it."""
        before = shelf.put("app", [BASE, APP], SETTINGS)
        with Store(str(shelf.root)) as store:
            source = original(store, "app")
            remove(shelf.settings, ("app",))
            prune(shelf.settings, all=True)
            (part,) = source.parts
            made = keep_altered(store, source, [Changes(user="5").of(part.image)], ["docker.io/library/new:latest"])
        assert shelf.names() == {"new": made.descriptor.digest}
        assert shelf.check() == []
        assert len(shelf.document(made.descriptor.digest)["layers"]) == 2
        prune(shelf.settings, all=True)
        assert shelf.check() == []
        assert not (shelf.root / "blobs" / "sha256" / before.digest[7:]).exists()

    def test_a_build_does_not_declare_what_its_base_does(self, tmp_path: Path) -> None:
        shop = Workshop(tmp_path)
        layout = write_layout(tmp_path / "base", [tar_of(("f", b"1"))], SETTINGS)
        made = shop.build(
            "FROM base\nLABEL own=1\n",
            build_contexts=(("base", f"oci-layout://{layout}"),),
            unset=(Unset("volume", "/data"), Unset("label", "one"), Unset("cmd"), Unset("env", "MODE")),
        )
        config = shop.config(made)["config"]
        assert config["Labels"] == {"own": "1", "two": "2"}
        assert (config["Env"], config["Entrypoint"]) == (["PATH=/bin"], ["/entry"])
        assert not {"Volumes", "Cmd"} & set(config)


class TestRebase:
    def images(self, shelf: Shelf, **more: Any) -> None:
        shelf.put("old", [BASE], {"Env": ["PATH=/bin", "V=1"], "User": "old", "Labels": {"base": "old"}})
        shelf.put(
            "app",
            [BASE, APP],
            {"Env": ["PATH=/app:/bin", "V=1", "OWN=1"], "User": "old", "Labels": {"base": "old", "own": "1"}},
            **more,
        )
        shelf.put("new", [NEW], {"Env": ["PATH=/new/bin", "V=2", "W=1"], "User": "new", "Labels": {"base": "new"}})

    def test_its_own_layers_stand_on_the_new_base(self, shelf: Shelf) -> None:
        self.images(shelf)
        made = kezuri(shelf, "rebase", "app", "--old-base", "old", "--new-base", "new", "-t", "out")
        assert made.err == ""
        whole = shelf.put("whole", [NEW, APP])
        assert shelf.files(made.digest) == shelf.files(whole.digest)
        assert shelf.document(made.digest)["layers"] == shelf.document(whole.digest)["layers"]
        assert shelf.settings_of(made.digest) == {
            "User": "new",
            "Env": ["PATH=/app:/new/bin", "V=2", "W=1", "OWN=1"],
            "Labels": {"base": "new", "own": "1"},
        }
        notes = shelf.document(made.digest)["annotations"]
        assert notes == {BASE_NAME: "docker.io/library/new:latest", BASE_DIGEST: shelf.names()["new"]}

    def test_annotations_say_what_it_stands_on(self, shelf: Shelf) -> None:
        self.images(shelf)
        kezuri(shelf, "rebase", "app", "--old-base", "old", "--new-base", "old", "-t", "known")
        fresh = shelf.put("old", [NEW], {"User": "newer"})
        made = kezuri(shelf, "rebase", "known", "-t", "known")
        assert shelf.document(made.digest)["annotations"][BASE_DIGEST] == fresh.digest
        assert shelf.settings_of(made.digest)["User"] == "newer"
        assert "nothing changed" in kezuri(shelf, "rebase", "known").err

    def test_what_it_does_not_stand_on(self, shelf: Shelf) -> None:
        self.images(shelf)
        said = kezuri(shelf, "rebase", "app", "--old-base", "new", "--new-base", "old", code=1)
        assert "app does not stand on new: layer 1 of new is" in said.err
        said = kezuri(shelf, "rebase", "new", "--old-base", "app", "--new-base", "old", code=1)
        assert "it has 1 layers, and app has 2" in said.err
        said = kezuri(shelf, "rebase", "app", "--new-base", "new", code=1)
        assert "--old-base old:latest" in said.err

    def test_a_base_that_is_gone(self, shelf: Shelf) -> None:
        gone = "sha256:" + "3" * 64
        self.images(shelf, annotations={BASE_NAME: "docker.io/library/lost:1", BASE_DIGEST: gone})
        said = kezuri(shelf, "rebase", "app", "--new-base", "new", code=1)
        assert f"kezuri pull docker.io/library/lost@{gone}" in said.err

    def test_bases_of_other_systems(self, shelf: Shelf) -> None:
        self.images(shelf)
        shelf.put("alpine", [tar_of(("etc", None), ("etc/os-release", b'ID="alpine"\n'))])
        said = kezuri(shelf, "rebase", "app", "--old-base", "old", "--new-base", "alpine")
        assert "old is debian, alpine is alpine" in said.err
        shelf.put("musl", [tar_of(("lib", None), ("lib/ld-musl-x86_64.so.1", b""))])
        shelf.put("glibc", [tar_of(("lib64", None), ("lib64/ld-linux-x86-64.so.2", b""))])
        kezuri(shelf, "rebase", "app", "--old-base", "old", "--new-base", "glibc", "-t", "on-glibc")
        said = kezuri(shelf, "rebase", "on-glibc", "--new-base", "musl")
        assert "do not start on the other" in said.err

    def test_a_base_for_another_platform(self, shelf: Shelf) -> None:
        self.images(shelf)
        shelf.put("far", [NEW], architecture=OTHER)
        said = kezuri(shelf, "rebase", "app", "--old-base", "old", "--new-base", "far", code=1)
        assert f"not there for {Platform.host()}" in said.err
