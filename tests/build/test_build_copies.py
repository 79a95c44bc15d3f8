"""Builds that only copy, by an ordinary caller: what runs again and what does not, outputs, and what is said."""

import io
import json
import os
import stat
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.build.build_workshop import Workshop, lines, oci, output, tar_of, write_layout

from kezuri.app.request import BuildRequest
from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Privilege
from kezuri.oci.descriptor import digest_of
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits

DOCKERFILE = """\
FROM scratch AS docs
COPY docs /docs
FROM scratch
WORKDIR /app
COPY a.txt b.txt ./
COPY src src
COPY --from=docs /docs /usr/share/docs
CMD ["/app/a.txt"]
"""
ALL = [
    "COPY --from=docs /docs /usr/share/docs",
    "COPY a.txt b.txt ./",
    "COPY docs /docs",
    "COPY src src",
    "WORKDIR /app",
]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(**{"a.txt": "a", "b.txt": "b", "src__one": "1", "src__two": "2", "docs__index": "i", "other": "o"})
    shop.write(Dockerfile=DOCKERFILE)
    return shop


class TestAgain:
    def test_the_second_build_runs_nothing_and_gives_the_same_image(self, shop: Workshop) -> None:
        first = shop.build()
        assert shop.said.ran == ALL and shop.said.cached == []
        second = shop.build()
        assert shop.said.ran == [] and shop.said.cached == ALL
        assert second.digest == first.digest and (second.ran, second.cached) == (0, 5)

    def test_the_files_are_what_was_asked_for(self, shop: Workshop) -> None:
        result = shop.build()
        assert {k: v for k, v in shop.files(result).items() if v is not None} == {
            "app/a.txt": b"a",
            "app/b.txt": b"b",
            "app/src/one": b"1",
            "app/src/two": b"2",
            "usr/share/docs/index": b"i",
        }
        config = shop.config(result)
        assert config["config"]["Cmd"] == ["/app/a.txt"] and config["config"]["WorkingDir"] == "/app"
        assert [h["created_by"] for h in config["history"]] == [
            "WORKDIR /app",
            "COPY a.txt b.txt ./ # buildkit",
            "COPY src src # buildkit",
            "COPY /docs /usr/share/docs # buildkit",
            'CMD ["/app/a.txt"]',
        ]
        assert len(config["rootfs"]["diff_ids"]) == 4

    @pytest.mark.parametrize(
        ("name", "again"),
        [
            ("other", []),
            ("src/two", ["COPY --from=docs /docs /usr/share/docs", "COPY src src"]),
            ("b.txt", ["COPY --from=docs /docs /usr/share/docs", "COPY a.txt b.txt ./", "COPY src src"]),
            ("docs/index", ["COPY --from=docs /docs /usr/share/docs", "COPY docs /docs"]),
        ],
    )
    def test_a_changed_file_runs_what_depends_on_it(self, shop: Workshop, name: str, again: list[str]) -> None:
        shop.build()
        (shop.context / name).write_text("changed")
        shop.build()
        assert shop.said.ran == again

    def test_what_was_changed_back_is_found_again(self, shop: Workshop) -> None:
        first = shop.build()
        shop.write(src__two="other")
        shop.build()
        shop.write(src__two="2")
        assert shop.build().digest == first.digest and shop.said.ran == []

    def test_a_rebuilt_stage_of_the_same_files_is_the_same(self, shop: Workshop) -> None:
        shop.build()
        (shop.context / "Dockerfile").write_text(DOCKERFILE.replace("COPY docs /docs", "COPY ./docs/. /docs/"))
        shop.build()
        assert shop.said.ran == ["COPY ./docs/. /docs/"]

    def test_times_alone_run_nothing(self, shop: Workshop) -> None:
        first = shop.build()
        for base, _, names in os.walk(shop.context):
            for name in names:
                os.utime(os.path.join(base, name), (1, 1))
        assert shop.build().digest == first.digest and shop.said.ran == []

    def test_a_mode_counts(self, shop: Workshop) -> None:
        shop.build()
        (shop.context / "src" / "one").chmod(0o755)
        shop.build()
        assert "COPY src src" in shop.said.ran

    @pytest.mark.parametrize("change", ["new", "gone", "renamed", "link"])
    def test_names_count(self, shop: Workshop, change: str) -> None:
        shop.build()
        one = shop.context / "src" / "one"
        if change == "new":
            shop.write(src__three="")
        elif change == "link":
            one.unlink()
            one.symlink_to("two")
        else:
            one.rename(one.with_name("uno")) if change == "renamed" else one.unlink()
        shop.build()
        assert "COPY src src" in shop.said.ran

    def test_what_is_ignored_does_not_count(self, shop: Workshop) -> None:
        shop.write(**{".dockerignore": "src/two\n**/*.log\n"})
        result = shop.build()
        assert "app/src/two" not in shop.files(result)
        shop.write(**{"src__two": "changed", "src__x.log": "new"})
        assert shop.build().digest == result.digest and shop.said.ran == []

    def test_config_alone_runs_nothing(self, shop: Workshop) -> None:
        first = shop.build()
        second = shop.build(DOCKERFILE + "LABEL a=1\nENV B=2\n")
        assert shop.said.ran == [] and second.digest != first.digest

    def test_after_a_changed_store_everything_runs(self, shop: Workshop, tmp_path: Path) -> None:
        first = shop.build(source_date_epoch="1000")
        shop.root = tmp_path / "elsewhere"
        assert shop.build(source_date_epoch="1000").digest == first.digest and shop.said.ran == ALL

    def test_a_write_within_the_same_second_is_seen(self, shop: Workshop) -> None:
        for i in range(5):
            path = shop.context / "a.txt"
            path.write_text(f"{i}")
            os.utime(path, ns=(10**18, 10**18))
            assert shop.files(shop.build())["app/a.txt"] == f"{i}".encode()


class TestCacheFlags:
    def test_no_cache_runs_everything_and_keeps_the_results(self, shop: Workshop) -> None:
        shop.build()
        shop.build(no_cache=True)
        assert shop.said.ran == ALL
        shop.build()
        assert shop.said.ran == []

    def test_a_stage_without_cache(self, shop: Workshop) -> None:
        shop.build()
        shop.build(no_cache_filter=("DOCS",))
        assert shop.said.ran == ["COPY docs /docs"]

    def test_times_come_anew_without_the_cache_and_the_layer_can_still_be_unpacked(self, shop: Workshop) -> None:
        text = "FROM scratch AS a\nCOPY src /src\n"
        first = shop.build(text)
        for name in ("one", "two"):
            os.utime(shop.context / "src" / name, (1, 1))
        second = shop.build(no_cache=True)
        assert second.digest != first.digest
        # A new stage has to look into the layer that was made twice.
        third = shop.build(text + "FROM scratch\nCOPY --from=a /src/one /uno\n")
        assert shop.files(third)["uno"] == b"1" and shop.check() == []

    def test_target(self, shop: Workshop) -> None:
        result = shop.build(target="docs")
        assert shop.said.ran == ["COPY docs /docs"] and list(shop.files(result)) == ["docs", "docs/index"]


class TestErrors:
    def failing(self, shop: Workshop, dockerfile: str | None = None, **more: Any) -> KezuriError:
        with pytest.raises(KezuriError) as caught:
            shop.build(dockerfile, **more)
        return caught.value

    def test_a_missing_file_names_path_context_and_line(self, shop: Workshop) -> None:
        error = self.failing(shop, "FROM scratch\nCOPY a.txt /\nCOPY scr/one /")
        assert lines(error) == [3]
        assert '"scr/one"' in str(error) and str(shop.context) in str(error)
        assert "src/one" in error.diagnostics[0].hint

    def test_a_file_that_is_ignored_names_the_rule(self, shop: Workshop) -> None:
        shop.write(**{".dockerignore": "# c\nsrc\n"})
        error = self.failing(shop, "FROM scratch\nCOPY src/one /")
        said = str(error) + error.diagnostics[0].hint
        assert "src/one" in said and ".dockerignore" in said and lines(error) == [2]

    def test_a_missing_file_of_a_stage(self, shop: Workshop) -> None:
        error = self.failing(shop, "FROM scratch AS a\nCOPY src /src\nFROM scratch\nCOPY --from=a /scr /x")
        assert lines(error) == [4] and "src" in error.diagnostics[0].hint
        assert shop.said.failed == [] or shop.said.failed == ["COPY --from=a /scr /x"]

    def test_a_missing_context(self, shop: Workshop) -> None:
        error = self.failing(shop, context=str(shop.directory / "contxt"))
        assert "contxt" in str(error) and "context" in error.diagnostics[0].hint

    def test_a_missing_dockerfile(self, shop: Workshop) -> None:
        (shop.context / "Dockerfile").rename(shop.context / "Dockerfile.dev")
        error = self.failing(shop)
        assert "Dockerfile.dev" in error.diagnostics[0].hint

    def test_five_errors_of_one_file_at_their_lines(self, shop: Workshop) -> None:
        text = "FROM scratch\nRUNN x\nCOPY a\nEXPOSE\nCOPY --from=8 a b\nENV =x\n"
        assert lines(self.failing(shop, text)) == [2, 3, 4, 5, 6]

    def test_five_errors_of_evaluation_at_their_lines(self, shop: Workshop) -> None:
        text = "FROM scratch\nEXPOSE x\nSTOPSIGNAL y\nCOPY --from=8 a b\nADD https://x/y.git?z=1 z\nLABEL ${A:?}=1\n"
        assert lines(self.failing(shop, text)) == [2, 3, 4, 5, 6]

    def test_an_image_that_cannot_be_pulled(self, shop: Workshop) -> None:
        begin = time.monotonic()
        error = self.failing(shop, "# no such place\nFROM 127.0.0.1:1/some/image:tag\nCOPY a /")
        assert lines(error) == [2] and "127.0.0.1:1" in str(error)
        assert time.monotonic() - begin < 60

    def test_a_failed_build_leaves_nothing(self, shop: Workshop) -> None:
        self.failing(shop, "FROM scratch\nCOPY a.txt /\nCOPY nothing /", tags=("x",))
        assert shop.leftovers() == [] and shop.check() == []
        assert not (shop.root / "index.json").exists()

    def test_an_unknown_user_is_said_at_the_line(self, shop: Workshop) -> None:
        error = self.failing(shop, "FROM scratch\nCOPY --chown=nobody a.txt /")
        assert lines(error) == [2] and "nobody" in str(error)

    def test_a_mode_that_is_none(self, shop: Workshop) -> None:
        error = self.failing(shop, "FROM scratch\nCOPY --chmod=64a a.txt /")
        assert lines(error) == [2] and "64a" in str(error)

    def test_a_file_in_the_way_of_a_directory(self, shop: Workshop) -> None:
        error = self.failing(shop, "FROM scratch\nCOPY a.txt /x\nCOPY src /x/y/")
        assert lines(error) == [3] and "/x" in str(error)
        error = self.failing(shop, "FROM scratch\nCOPY a.txt /x\nWORKDIR /x")
        assert lines(error) == [3]

    def test_a_platform_that_is_none(self, shop: Workshop) -> None:
        assert self.failing(shop, platforms=("linux/amd64/v1/x",)).exit_code == 2

    def test_an_output_that_cannot_be_written(self, shop: Workshop) -> None:
        (shop.directory / "file").write_text("")
        error = self.failing(shop, outputs=oci(shop.directory / "file" / "x.tar"))
        assert "file" in str(error)

    def test_an_epoch_that_is_none(self, shop: Workshop) -> None:
        error = self.failing(shop, source_date_epoch="yesterday")
        assert "yesterday" in str(error) and error.exit_code == 2


class TestFilesThatChange:
    def test_a_file_that_changes_while_the_build_runs_is_an_error_and_no_result(
        self, shop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import kezuri.step.copying as copying
        from kezuri.tree.checksum import verify_unchanged as original

        victim = shop.context / "src" / "one"

        def meddle(selection: Any) -> None:
            victim.write_text("meddled with")
            original(selection)

        monkeypatch.setattr(copying, "verify_unchanged", meddle)
        with pytest.raises(KezuriError, match="changed") as caught:
            shop.build("FROM scratch\nCOPY src /src")
        assert lines(caught.value) == [2] and str(victim) in str(caught.value)
        monkeypatch.undo()
        assert shop.files(shop.build())["src/one"] == b"meddled with"
        assert shop.said.ran == ["COPY src /src"]

    def test_a_writer_beside_the_build_never_gives_a_file_that_never_was(self, shop: Workshop) -> None:
        path = shop.context / "src" / "one"
        stop = threading.Event()

        def write() -> None:
            i = 0
            while not stop.is_set():
                i += 1
                path.write_bytes(bytes((65 + i % 26,)) * (20_000 if i % 2 else 10_000))
                time.sleep(0.001)

        writer = threading.Thread(target=write)
        writer.start()
        built = 0
        try:
            for _ in range(12):
                try:
                    result = shop.build("FROM scratch\nCOPY src /src")
                except KezuriError as error:
                    assert "changed" in str(error)
                    continue
                built += 1
                data = shop.files(result)["src/one"]
                assert isinstance(data, bytes) and len(set(data)) <= 1 and len(data) in (0, 10_000, 20_000)
        finally:
            stop.set()
            writer.join()
        assert shop.check() == [] and built >= 0


class TestOutputs:
    def test_an_image_under_its_names(self, shop: Workshop) -> None:
        result = shop.build(tags=("one:1", "registry.example/two"))
        assert result.names == ("docker.io/library/one:1", "registry.example/two:latest")
        index = json.loads((shop.root / "index.json").read_text())
        assert {m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]} == set(result.names)

    def test_an_oci_archive(self, shop: Workshop) -> None:
        dest = shop.directory / "out" / "image.tar"
        result = shop.build(outputs=oci(dest), tags=("x:1",))
        with tarfile.open(dest) as tar:
            names = tar.getnames()
            assert len(names) == len(set(names)) and "oci-layout" in names
            for name in names:
                if name.startswith("blobs/sha256/"):
                    file = tar.extractfile(name)
                    assert file is not None and digest_of(file.read())[7:] == name.rpartition("/")[2]
            file = tar.extractfile("index.json")
            assert file is not None and json.load(file)["manifests"][0]["digest"] == result.digest
        assert os.listdir(dest.parent) == ["image.tar"]

    def test_an_oci_directory_keeps_what_is_there(self, shop: Workshop) -> None:
        dest = shop.directory / "layout"
        one = shop.build("FROM scratch\nCOPY a.txt /", outputs=oci(dest, tar="false"), tags=("x:1",))
        two = shop.build("FROM scratch\nCOPY b.txt /", outputs=oci(dest, tar="false"), tags=("x:2",))
        index = json.loads((dest / "index.json").read_text())
        assert [m["digest"] for m in index["manifests"]] == [one.digest, two.digest]
        for name in os.listdir(dest / "blobs" / "sha256"):
            assert digest_of((dest / "blobs" / "sha256" / name).read_bytes())[7:] == name

    def test_a_docker_archive(self, shop: Workshop) -> None:
        dest = shop.directory / "image.tar"
        shop.build(outputs=(output("docker", str(dest)),), tags=("x:1",))
        with tarfile.open(dest) as tar:
            file = tar.extractfile("manifest.json")
            assert file is not None
            (entry,) = json.load(file)
            assert entry["RepoTags"] == ["x:1"] and len(entry["Layers"]) == 4
            assert all(tar.getmember(name).isfile() for name in (entry["Config"], *entry["Layers"]))

    def test_a_root_tar(self, shop: Workshop) -> None:
        dest = shop.directory / "root.tar"
        result = shop.build(outputs=(output("tar", str(dest)),), tags=("x",))
        with tarfile.open(dest) as tar:
            assert "app/src/one" in tar.getnames() and len(tar.getnames()) == len(set(tar.getnames()))
        # There is no image that could have a name.
        assert (result.digest, result.config_digest, result.names) == ("", "", ())

    def test_a_root_directory_over_what_is_there(self, shop: Workshop) -> None:
        dest = shop.directory / "root"
        (dest / "app").mkdir(parents=True)
        (dest / "app" / "a.txt").symlink_to(shop.context / "other")
        (dest / "usr").symlink_to(shop.context)
        (dest / "mine").write_text("stays")
        shop.build(outputs=(output("local", str(dest)),))
        assert (dest / "app" / "a.txt").read_text() == "a" and (dest / "mine").read_text() == "stays"
        assert (shop.context / "other").read_text() == "o" and not (shop.context / "share").exists()
        assert (dest / "usr" / "share" / "docs" / "index").read_text() == "i"

    def test_an_empty_image_as_a_directory(self, shop: Workshop) -> None:
        shop.build("FROM scratch", outputs=(output("local", str(shop.directory / "empty")),))
        assert os.listdir(shop.directory / "empty") == []

    def test_several_outputs_at_once(self, shop: Workshop) -> None:
        outputs = (output("local", str(shop.directory / "d")), *oci(shop.directory / "i.tar"), output("cacheonly"))
        shop.build(outputs=outputs)
        assert (shop.directory / "d" / "app").is_dir() and (shop.directory / "i.tar").is_file()

    def test_each_output_is_packed_as_it_asks(self, shop: Workshop) -> None:
        kinds = {"gzip": "+gzip", "zstd": "+zstd", "uncompressed": ""}
        outputs = [output("oci", shop.directory / k, ("tar", "0"), ("compression", k)) for k in kinds]
        shop.build(outputs=tuple(outputs))
        for kind, suffix in kinds.items():
            (entry,) = json.loads((shop.directory / kind / "index.json").read_text())["manifests"]
            blobs = shop.directory / kind / "blobs" / "sha256"
            layers = json.loads((blobs / entry["digest"][7:]).read_text())["layers"]
            assert len(layers) == 4
            assert {x["mediaType"] for x in layers} == {f"application/vnd.oci.image.layer.v1.tar{suffix}"}
            assert all((blobs / x["digest"][7:]).is_file() for x in layers)

    def test_a_failed_output_leaves_the_old_file(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        dest = shop.directory / "image.tar"
        dest.write_text("old")
        import kezuri.export.layout as layout

        def broken(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(layout, "write_tar", broken)
        with pytest.raises(KezuriError, match="no space left") as caught:
            shop.build(outputs=oci(dest))
        assert caught.value.exit_code == 125
        assert dest.read_text() == "old" and sorted(os.listdir(shop.directory)) == ["context", "image.tar", "store"]

    def test_outputs_are_written_through_links_and_pipes(self, shop: Workshop) -> None:
        place = shop.directory / "out"
        place.mkdir()
        for name in ("iid", "meta", "tar", "oci", "docker"):
            (place / name).write_text("old")
            (place / name).chmod(0o604)
            (place / f"{name}.link").symlink_to(name)
        os.mkfifo(place / "pipe")
        reader = os.open(place / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        outputs = tuple(output(name, place / f"{name}.link") for name in ("tar", "oci", "docker"))
        more = {"iidfile": str(place / "iid.link"), "metadata_file": str(place / "meta.link")}
        result = shop.build(
            "FROM scratch\nCOPY a.txt /", outputs=(*outputs, output("tar", str(place / "pipe"))), **more
        )
        assert b"a.txt" in os.read(reader, 1 << 20)
        os.close(reader)
        assert (place / "iid").read_text() == result.config_digest and json.loads((place / "meta").read_text())
        with tarfile.open(place / "tar") as archive:
            assert archive.getnames() == ["a.txt"]
        for name in ("iid", "meta", "tar", "oci", "docker"):
            assert (place / f"{name}.link").is_symlink() and (place / name).stat().st_mode & 0o777 == 0o604
        assert stat.S_ISFIFO((place / "pipe").stat().st_mode)
        with pytest.raises(KezuriError, match="are one file"):
            shop.build(outputs=outputs[:1], iidfile=str(place / "tar"))

    def test_iidfile_and_metadata_file(self, shop: Workshop) -> None:
        iid, metadata = shop.directory / "iid", shop.directory / "meta.json"
        result = shop.build(tags=("x",), iidfile=str(iid), metadata_file=str(metadata))
        assert iid.read_text() == result.config_digest == digest_of(shop.blob(result.config_digest))
        said = json.loads(metadata.read_text())
        assert said["containerimage.digest"] == result.digest
        assert said["containerimage.config.digest"] == result.config_digest
        assert said["image.name"] == "docker.io/library/x:latest"
        assert said["containerimage.descriptor"]["size"] == len(shop.blob(result.digest))

    @pytest.mark.parametrize(("kind", "media"), [("zstd", "+zstd"), ("uncompressed", ""), ("gzip", "+gzip")])
    def test_compression(self, shop: Workshop, kind: str, media: str) -> None:
        plain = shop.build()
        result = shop.build(compression=kind)
        assert shop.said.ran == [] and shop.files(result) == shop.files(plain)
        types = {layer["mediaType"] for layer in shop.manifest(result)["layers"]}
        assert types == {f"application/vnd.oci.image.layer.v1.tar{media}"}
        assert shop.config(result)["rootfs"] == shop.config(plain)["rootfs"]

    def test_labels_and_annotations(self, shop: Workshop) -> None:
        result = shop.build("FROM scratch\nLABEL a=1 b=1", labels=(("b", "2"),), annotations=(("n", "v"),))
        assert shop.config(result)["config"]["Labels"] == {"a": "1", "b": "2"}
        assert shop.manifest(result)["annotations"] == {"n": "v"}


class TestReproducible:
    def test_the_same_input_gives_the_same_bytes_elsewhere_and_later(self, shop: Workshop, tmp_path: Path) -> None:
        images = []
        for i, place in enumerate(("one", "a/deeper/place")):
            other = Workshop(tmp_path / place)
            for base, _, names in os.walk(shop.context):
                for name in names:
                    path = Path(base, name)
                    copy = other.context / path.relative_to(shop.context)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(path.read_bytes())
                    os.utime(copy, (2_000_000_000 + i, 2_000_000_000 + i))
            dest = other.directory / "image.tar"
            images.append((other.build(source_date_epoch="1700000000", outputs=oci(dest)).digest, dest.read_bytes()))
        assert images[0] == images[1]

    def test_no_time_is_later_than_the_epoch(self, shop: Workshop) -> None:
        result = shop.build(build_args=(("SOURCE_DATE_EPOCH", "1700000000"),))
        config = shop.config(result)
        assert config["created"] == "2023-11-14T22:13:20Z"
        assert {h["created"] for h in config["history"]} == {"2023-11-14T22:13:20Z"}
        from kezuri.layer.decompression import decompress

        for layer in shop.manifest(result)["layers"]:
            data = decompress(io.BytesIO(shop.blob(layer["digest"])), "layer").read()
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                assert all(member.mtime <= 1_700_000_000 for member in tar)

    def test_an_epoch_does_not_spoil_what_was_built_without_one(self, shop: Workshop) -> None:
        plain = shop.build()
        clamped = shop.build(source_date_epoch="1000")
        assert shop.said.ran == [] and clamped.digest != plain.digest
        assert shop.build().digest == plain.digest
        assert shop.build(source_date_epoch="1000", compression="uncompressed").ran == 0
        assert shop.check() == []

    def test_another_packing_of_what_was_built_is_what_a_build_of_its_own_gives(self, tmp_path: Path) -> None:
        """By a caller who may own no files of others, too; the order of the entries is that of the first packing."""
        shop = Workshop(tmp_path)
        shop.write(
            **{"a.txt": "small", "a__b": "x" * (3 << 20), "a__c": "c", "Dockerfile": "FROM scratch\nCOPY . /d/\n"}
        )
        os.link(shop.context / "a" / "b", shop.context / "a" / "link")
        shop.build()
        for number, options in enumerate(
            ({"compression": "uncompressed"}, {"compression": "zstd"}, {"source_date_epoch": "1000"})
        ):
            other = Workshop(tmp_path, tmp_path / f"store {number}")
            wanted = other.manifest(other.build(**options))["layers"]
            assert shop.manifest(shop.build(**options))["layers"] == wanted and shop.said.ran == []
        assert shop.check() == [] and os.listdir(shop.root / "layers") == []


class TestBases:
    def test_a_layout_as_a_base(self, shop: Workshop) -> None:
        layout = write_layout(shop.directory / "base", [tar_of(("etc", None), ("etc/passwd", b"app:x:7:8::/:/x\n"))])
        text = "FROM base\nCOPY --chown=app a.txt /etc/\n"
        result = shop.build(text, build_contexts=(("base", f"oci-layout://{layout}"),))
        assert set(shop.files(result)) == {"etc", "etc/passwd", "etc/a.txt"}
        config = shop.config(result)
        assert len(config["rootfs"]["diff_ids"]) == 2 and config["history"][0]["created_by"] == "layer 0"

    def test_a_base_without_history_still_has_its_layers(self, shop: Workshop) -> None:
        layout = write_layout(shop.directory / "base", [tar_of(("a", b"1")), tar_of(("b", b"2"))], history=[])
        result = shop.build("FROM base\nCOPY a.txt /", build_contexts=(("base", f"oci-layout://{layout}"),))
        full = [h for h in shop.config(result)["history"] if not h.get("empty_layer")]
        assert len(full) == len(shop.manifest(result)["layers"]) == 3

    def test_a_blob_with_another_digest_is_refused_and_not_kept(self, shop: Workshop) -> None:
        layout = write_layout(shop.directory / "base", [tar_of(("etc/passwd", b"x"))])
        index = json.loads((layout / "index.json").read_text())
        manifest = json.loads((layout / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
        layer = layout / "blobs/sha256" / manifest["layers"][0]["digest"][7:]
        layer.write_bytes(layer.read_bytes().replace(b"passwd", b"shadow"))
        with pytest.raises(KezuriError) as caught:
            shop.build("FROM base\nCOPY a.txt /", build_contexts=(("base", f"oci-layout://{layout}"),))
        assert manifest["layers"][0]["digest"] in str(caught.value)
        assert shop.check() == [] and shop.leftovers() == []

    def test_a_config_that_lies_about_its_layers(self, shop: Workshop) -> None:
        layout = write_layout(shop.directory / "base", [tar_of(("etc/passwd", b"x"))])
        blobs = layout / "blobs" / "sha256"
        index = json.loads((layout / "index.json").read_text())
        manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
        config = json.loads((blobs / manifest["config"]["digest"][7:]).read_text())
        config["rootfs"]["diff_ids"] = [digest_of(b"something else")]

        def put(document: dict[str, Any]) -> dict[str, Any]:
            data = json.dumps(document).encode()
            (blobs / digest_of(data)[7:]).write_bytes(data)
            return {"digest": digest_of(data), "size": len(data)}

        manifest["config"].update(put(config))
        index["manifests"][0].update(put(manifest))
        (layout / "index.json").write_text(json.dumps(index))
        with pytest.raises(KezuriError, match="has the digest"):
            shop.build("FROM base\nCOPY a.txt /etc/", build_contexts=(("base", f"oci-layout://{layout}"),))
        assert shop.leftovers() == []

    @pytest.mark.parametrize("name", ["../escape", "/abs/../../escape", "a/../../escape"])
    def test_a_layer_that_leaves_the_root(self, shop: Workshop, name: str) -> None:
        layout = write_layout(shop.directory / "base", [tar_of((name, b"x"))])
        for text in ("FROM base\nCOPY a.txt /x/", "FROM scratch\nCOPY --from=base / /y/"):
            with pytest.raises(KezuriError, match="escape"):
                shop.build(text, build_contexts=(("base", f"oci-layout://{layout}"),))
        assert shop.leftovers() == []
        assert not list(shop.directory.rglob("escape"))

    def test_a_link_of_a_base_does_not_lead_out(self, shop: Workshop) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            link = tarfile.TarInfo("app")
            link.type, link.linkname = tarfile.SYMTYPE, "../../../../../.." + str(shop.directory)
            tar.addfile(link)
        layout = write_layout(shop.directory / "base", [out.getvalue()])
        result = shop.build("FROM base\nCOPY a.txt /app/x/", build_contexts=(("base", f"oci-layout://{layout}"),))
        assert f"{str(shop.directory)[1:]}/x/a.txt" in shop.files(result)
        assert not (shop.directory / "x").exists()

    def test_a_copy_from_an_image_takes_files_out_of_its_blobs(self, shop: Workshop) -> None:
        """Nothing is unpacked, so that it also works where the files belong to users that the caller cannot be."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, uid, content in (
                ("home/app", 4_000_000, b"app"),
                ("home/large", 7, bytes(1 << 20)),
                ("x", 8, b""),
            ):
                info = tarfile.TarInfo(name)
                info.uid, info.gid, info.size = uid, uid, len(content)
                tar.addfile(info, io.BytesIO(content))
            for name, kind, link in (
                ("home/again", tarfile.LNKTYPE, "home/app"),
                ("home/soft", tarfile.SYMTYPE, "/etc/passwd"),
                ("home/null", tarfile.CHRTYPE, ""),
            ):
                info = tarfile.TarInfo(name)
                info.type, info.linkname, info.devmajor, info.devminor = kind, link, 1, 3
                tar.addfile(info)
        layout = write_layout(shop.directory / "base", [tar_of(("home/large", b"older")), out.getvalue()])
        options: dict[str, Any] = {"build_contexts": (("base", f"oci-layout://{layout}"),)}
        text = "FROM scratch\nCOPY --from=base /home /h\n"
        first = shop.build(text, **options)
        members = shop.members(first)
        assert sorted(members) == ["h", "h/again", "h/app", "h/large", "h/null", "h/soft"]
        assert members["h/app"].islnk() and members["h/app"].linkname == "h/again"
        assert (members["h/again"].uid, members["h/large"].gid) == (4_000_000, 7)
        assert members["h/null"].ischr() and members["h/soft"].linkname == "/etc/passwd"
        assert shop.files(first)["h/large"] == bytes(1 << 20)
        assert os.listdir(shop.root / "layers") == [] and shop.leftovers() == []
        assert shop.build(text, **options).config_digest == first.config_digest and shop.said.ran == []

    def test_a_directory_as_a_context_of_its_own(self, shop: Workshop) -> None:
        other = shop.directory / "other"
        other.mkdir()
        (other / "f").write_text("from elsewhere")
        result = shop.build("FROM scratch\nCOPY --from=extra f /", build_contexts=(("extra", str(other)),))
        assert shop.files(result)["f"] == b"from elsewhere"
        with pytest.raises(KezuriError, match='"extra"'):
            shop.build("FROM scratch\nCOPY --from=extra g /", build_contexts=(("extra", str(other)),))


class TestAdd:
    def test_an_archive_is_unpacked_and_a_hostile_one_refused(self, shop: Workshop) -> None:
        (shop.context / "good.tar").write_bytes(tar_of(("d", None), ("d/f", b"1")))
        assert shop.files(shop.build("FROM scratch\nADD good.tar /x/"))["x/d/f"] == b"1"
        (shop.context / "bad.tar").write_bytes(tar_of(("../../f", b"1")))
        with pytest.raises(KezuriError) as caught:
            shop.build("FROM scratch\nADD bad.tar /x/")
        assert lines(caught.value) == [2] and ".." in str(caught.value)
        assert shop.leftovers() == []

    def test_a_heredoc(self, shop: Workshop) -> None:
        text = "FROM scratch\nARG X=1\nCOPY <<f a.txt <<g /d/\nx=$X\nf\ny\ng\n"
        files = shop.files(shop.build(text))
        assert files["d/f"] == b"x=1\n" and files["d/g"] == b"y\n" and files["d/a.txt"] == b"a"
        shop.build(text, build_args=(("X", "2"),))
        assert shop.said.ran


@pytest.mark.usefixtures("entered")
class TestTogether:
    def test_two_builds_of_one_store_at_once(self, shop: Workshop) -> None:
        others = [Workshop(shop.directory / f"w{i}", shop.root) for i in range(4)]
        results: list[str] = []
        failures: list[BaseException] = []

        def run(other: Workshop) -> None:
            try:
                other.context = shop.context
                results.append(other.build(source_date_epoch="1000").digest)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=(other,)) for other in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == [] and len(set(results)) == 1
        assert sum(len(other.said.ran) for other in others) == len(ALL)
        assert shop.check() == [] and shop.leftovers() == []

    def test_stages_of_the_same_instruction_run_once(self, shop: Workshop) -> None:
        shop.build("FROM scratch AS a\nCOPY src /s\nFROM scratch AS b\nCOPY src /s\nFROM a\nCOPY --from=b /s /t")
        assert shop.said.ran.count("COPY src /s") == 1 and shop.said.cached == ["COPY src /s"]

    @pytest.mark.parametrize("parallelism", [1, 2, 5])
    def test_many_stages_with_few_hands(self, shop: Workshop, parallelism: int) -> None:
        stages = [f"FROM scratch AS s{i}\nCOPY src /s{i}" for i in range(12)]
        last = "\n".join(f"COPY --from=s{i} /s{i} /s{i}" for i in range(12))
        result = shop.build("\n".join([*reversed(stages), "FROM scratch", last]), parallelism=parallelism)
        assert len(shop.layers(result)) == 12

    def test_nothing_stays_open(self, shop: Workshop) -> None:
        shop.build()
        before = sorted(os.listdir("/proc/self/fd"))
        threads = threading.active_count()
        for i in range(3):
            shop.write(src__one=f"{i}")
            shop.build()
            with pytest.raises(KezuriError):
                shop.build("FROM scratch AS a\nCOPY src /\nFROM scratch\nCOPY --from=a /nothing /")
            shop.build(DOCKERFILE)
        deadline = time.monotonic() + 5
        while threading.active_count() > threads and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() == threads
        assert sorted(os.listdir("/proc/self/fd")) == before


class TestPruned:
    def prune(self, shop: Workshop, **how: Any) -> None:
        with Store(str(shop.root)) as store:
            list(Collector(store, Privilege()).collect(Limits(**how)))

    def test_everything_gone_everything_runs(self, shop: Workshop) -> None:
        first = shop.build(source_date_epoch="1000", tags=("x",))
        self.prune(shop, everything=True)
        assert shop.files(first)
        assert shop.build(source_date_epoch="1000").digest == first.digest and shop.said.ran == ALL
        assert shop.check() == []

    def test_a_lost_blob_is_made_again(self, shop: Workshop) -> None:
        first = shop.build(source_date_epoch="1000")
        for layer in shop.manifest(first)["layers"]:
            (shop.root / "blobs" / "sha256" / layer["digest"][7:]).unlink()
        again = shop.build(source_date_epoch="1000")
        assert again.digest == first.digest
        assert all(shop.blob(layer["digest"]) for layer in shop.manifest(again)["layers"])

    def test_files_of_locks_and_listings_go_with_what_they_were_for(self, shop: Workshop) -> None:
        shop.build()
        self.prune(shop, everything=True)
        assert [n for n in os.listdir(shop.root / "locks") if n.startswith("key-")] == []
        assert os.listdir(shop.root / "listings") == [] and os.listdir(shop.root / "layers") == []

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=st.lists(st.sampled_from(["a", "b", "prune", "drop", "no-cache", "touch"]), max_size=6))
    def test_whatever_happened_before_the_files_are_right(self, tmp_path: Path, steps: list[str]) -> None:
        shop = Workshop(tmp_path / os.urandom(4).hex())
        shop.write(a="0", b="0")
        text = "FROM scratch AS one\nCOPY a /a\nFROM one\nCOPY b /b\nCOPY --from=one /a /c\n"
        for i, step in enumerate(steps):
            if step in "ab":
                (shop.context / step).write_text(f"{i}")
            elif step == "touch":
                os.utime(shop.context / "a", (i, i))
            elif step == "prune":
                self.prune(shop, everything=True)
            elif step == "drop":
                with Store(str(shop.root)) as store:
                    for record in store.database.records()[:1]:
                        store.database.drop_record(record.key, record.used)
            result = shop.build(text, no_cache=step == "no-cache")
            a, b = ((shop.context / n).read_bytes() for n in "ab")
            files = shop.files(result)
            assert (files["a"], files["b"], files["c"]) == (a, b, a)
        assert not shop.root.exists() or shop.check() == []


def test_a_request_is_a_value_with_defaults() -> None:
    assert BuildRequest() == BuildRequest(context=".")
