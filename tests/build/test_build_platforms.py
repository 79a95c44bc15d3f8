"""Builds for several platforms: one index, what is the same made once, and outputs with a directory for each."""

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_workshop import Workshop, lines, oci, output, read_layer, tar_of, write_layout

from kezuri.app.images import history, images, inspect, remove, tag
from kezuri.app.request import BuildResult, Settings
from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Privilege
from kezuri.oci.platform import Platform
from kezuri.progress.events import StepStarted
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits

HOST = str(Platform.host())
OTHER = "linux/arm64" if HOST == "linux/amd64" else "linux/amd64"
BOTH = (HOST, OTHER)
BUSYBOX = "/bin/busybox"

DOCKERFILE = """FROM scratch AS common
COPY shared /shared
FROM common
ARG TARGETARCH
LABEL where=file
COPY only-$TARGETARCH /own
"""


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(shared="s", **{f"only-{arch}": arch for arch in ("amd64", "arm64", "386")})
    return shop


def index(shop: Workshop, result: BuildResult) -> dict[str, Any]:
    return dict(json.loads(shop.blob(result.digest)))


def configs(shop: Workshop, result: BuildResult) -> dict[str, dict[str, Any]]:
    """The config of each platform's image."""
    found = {}
    for entry in index(shop, result)["manifests"]:
        manifest = json.loads(shop.blob(entry["digest"]))
        platform = "/".join(entry["platform"][k] for k in ("os", "architecture", "variant") if k in entry["platform"])
        found[platform] = json.loads(shop.blob(manifest["config"]["digest"]))
    return found


class TestIndex:
    def test_each_platform_has_a_manifest_in_the_order_given(self, shop: Workshop) -> None:
        result = shop.build(DOCKERFILE, platforms=("linux/arm64", "linux/386,linux/amd64"), tags=("app",))
        document = index(shop, result)
        assert document["mediaType"] == "application/vnd.oci.image.index.v1+json"
        assert [m["platform"] for m in document["manifests"]] == [
            {"architecture": arch, "os": "linux"} for arch in ("arm64", "386", "amd64")
        ]
        assert result.config_digest == "" and result.names == ("docker.io/library/app:latest",)
        for entry in document["manifests"]:
            manifest = json.loads(shop.blob(entry["digest"]))
            arch = entry["platform"]["architecture"]
            assert entry["size"] == len(shop.blob(entry["digest"]))
            layers = [read_layer(shop.blob(layer["digest"])) for layer in manifest["layers"]]
            assert layers == [{"shared": b"s"}, {"own": arch.encode()}]
            config = json.loads(shop.blob(manifest["config"]["digest"]))
            assert config["architecture"] == arch and f"ARG TARGETARCH={arch}" in str(config["history"])
        assert shop.check() == []

    def test_what_is_equal_is_made_once(self, shop: Workshop) -> None:
        shop.build(DOCKERFILE, platforms=BOTH)
        assert shop.said.ran == ["COPY only-$TARGETARCH /own"] * 2 + ["COPY shared /shared"]
        shop.build(DOCKERFILE, platforms=BOTH)
        assert shop.said.ran == []
        again = shop.build(DOCKERFILE, platforms=(OTHER,))
        assert shop.said.ran == [] and shop.config(again)["architecture"] == OTHER.partition("/")[2]

    def test_duplicates_and_synonyms_are_one(self, shop: Workshop) -> None:
        result = shop.build(DOCKERFILE, platforms=("linux/arm64", "linux/arm64/v8", "linux/aarch64"))
        assert shop.manifest(result)["layers"] and shop.config(result)["architecture"] == "arm64"
        assert "variant" not in shop.config(result)
        result = shop.build(DOCKERFILE, platforms=("local", f"{HOST},{OTHER}"))
        assert [m["platform"]["architecture"] for m in index(shop, result)["manifests"]] == [
            p.partition("/")[2] for p in BOTH
        ]

    def test_one_platform_makes_an_index_where_that_is_asked_for(self, shop: Workshop) -> None:
        args = (("BUILDKIT_MULTI_PLATFORM", "1"),)
        result = shop.build(DOCKERFILE, build_args=args)
        assert [str(m["platform"]["architecture"]) for m in index(shop, result)["manifests"]] == [HOST.split("/")[1]]
        result = shop.build(DOCKERFILE, build_args=(("BUILDKIT_MULTI_PLATFORM", "false"),))
        assert result.config_digest

    @pytest.mark.parametrize(("value", "said"), [("0", "allows one platform"), ("maybe", "is true or false")])
    def test_a_contradiction_is_told(self, shop: Workshop, value: str, said: str) -> None:
        with pytest.raises(KezuriError, match=said) as caught:
            shop.build(DOCKERFILE, platforms=BOTH, build_args=(("BUILDKIT_MULTI_PLATFORM", value),))
        assert caught.value.exit_code == 2

    def test_labels_go_to_every_platform_and_count_more(self, shop: Workshop) -> None:
        result = shop.build(DOCKERFILE, platforms=BOTH, labels=(("where", "flag"), ("more", "1")))
        assert [c["config"]["Labels"] for c in configs(shop, result).values()] == [{"where": "flag", "more": "1"}] * 2

    def test_the_config_says_what_was_asked_for_whatever_the_last_stage_stands_on(self, shop: Workshop) -> None:
        result = shop.build("FROM --platform=$BUILDPLATFORM scratch\nCOPY shared /\n", platforms=BOTH)
        assert [c["architecture"] for c in configs(shop, result).values()] == [p.partition("/")[2] for p in BOTH]
        assert shop.said.ran == ["COPY shared /"]

    def test_variants(self, shop: Workshop) -> None:
        result = shop.build(
            "FROM scratch\nARG TARGETVARIANT\nLABEL v=$TARGETVARIANT\n", platforms=("linux/arm/v6,arm",)
        )
        found = configs(shop, result)
        assert {p: (c["variant"], c["config"]["Labels"]["v"]) for p, c in found.items()} == {
            "linux/arm/v6": ("v6", "v6"),
            "linux/arm/v7": ("v7", "v7"),
        }

    def test_the_files_that_tell_of_it(self, shop: Workshop, tmp_path: Path) -> None:
        iid, metadata = tmp_path / "iid", tmp_path / "metadata"
        result = shop.build(DOCKERFILE, platforms=BOTH, tags=("a",), iidfile=str(iid), metadata_file=str(metadata))
        assert iid.read_text() == result.digest
        report = json.loads(metadata.read_text())
        assert "containerimage.config.digest" not in report
        assert report["containerimage.digest"] == report["containerimage.descriptor"]["digest"] == result.digest
        assert report["image.name"] == "docker.io/library/a:latest"


class TestAnnotations:
    def test_each_goes_to_its_place(self, shop: Workshop, tmp_path: Path) -> None:
        result = shop.build(
            DOCKERFILE,
            platforms=("linux/amd64", "linux/arm64"),
            annotations=(("all", "1"), ("index,manifest-descriptor:both", "2"), ("manifest[linux/arm64]:arm", "3")),
            outputs=oci(
                tmp_path / "out", tar="false", **{"annotation-index-descriptor.top": "4", "annotation.all": "less"}
            ),
            tags=("app",),
        )
        document = index(shop, result)
        assert document["annotations"] == {"both": "2"}
        assert [m["annotations"] for m in document["manifests"]] == [{"both": "2"}] * 2
        manifests = [json.loads(shop.blob(m["digest"])) for m in document["manifests"]]
        assert [m["annotations"] for m in manifests] == [{"all": "1"}, {"all": "1", "arm": "3"}]
        (entry,) = json.loads((tmp_path / "out" / "index.json").read_text())["manifests"]
        assert entry["annotations"]["top"] == "4" and entry["digest"] == result.digest

    def test_outputs_have_their_own(self, shop: Workshop, tmp_path: Path) -> None:
        one, two = (
            output("oci", tmp_path / n, ("tar", "false"), ("annotation.is", n), ("annotation-manifest-descriptor.d", n))
            for n in ("one", "two")
        )
        shop.build(DOCKERFILE, outputs=(one, two), annotations=(("k", "v"),))
        for name in ("one", "two"):
            (entry,) = json.loads((tmp_path / name / "index.json").read_text())["manifests"]
            blob = tmp_path / name / "blobs" / "sha256" / entry["digest"][7:]
            assert json.loads(blob.read_text())["annotations"] == {"is": name, "k": "v"}
            assert entry["annotations"] == {"d": name}

    @pytest.mark.parametrize(
        ("annotation", "platforms"),
        [("index:k", (HOST,)), ("index-descriptor:k", ()), (f"manifest[{OTHER}]:k", (HOST,)), ("nowhere:k", BOTH)],
    )
    def test_one_without_a_place_fails_before_anything_is_built(
        self, shop: Workshop, annotation: str, platforms: tuple[str, ...]
    ) -> None:
        with pytest.raises(KezuriError) as caught:
            shop.build(DOCKERFILE, platforms=platforms, annotations=((annotation, "v"),))
        assert caught.value.exit_code == 2 and shop.said.ran == []


class TestOutputs:
    def test_a_layout_has_the_index_and_everything_below_it(self, shop: Workshop, tmp_path: Path) -> None:
        for tar in ("true", "false"):
            result = shop.build(DOCKERFILE, platforms=BOTH, outputs=oci(tmp_path / tar, tar=tar))
        with tarfile.open(tmp_path / "true") as archive:
            files = {m.name: archive.extractfile(m) for m in archive if m.isfile()}
            data = {name: file.read() for name, file in files.items() if file is not None}
        (entry,) = json.loads(data["index.json"])["manifests"]
        assert entry["digest"] == result.digest and "manifest.json" not in data
        reached = {result.digest}
        for child in json.loads(data[f"blobs/sha256/{result.digest[7:]}"])["manifests"]:
            manifest = json.loads(data[f"blobs/sha256/{child['digest'][7:]}"])
            reached |= {child["digest"], manifest["config"]["digest"], *(x["digest"] for x in manifest["layers"])}
        assert {f"blobs/sha256/{d[7:]}" for d in reached} == {n for n in data if n.startswith("blobs/")}
        blobs = tmp_path / "false" / "blobs" / "sha256"
        assert {f"sha256:{name}" for name in os.listdir(blobs)} == reached

    def test_a_docker_archive_cannot_hold_it(self, shop: Workshop, tmp_path: Path) -> None:
        with pytest.raises(KezuriError, match="cannot hold an image index") as caught:
            shop.build(DOCKERFILE, platforms=BOTH, outputs=(output("docker", str(tmp_path / "out")),))
        assert caught.value.exit_code == 2 and shop.said.ran == [] and not (tmp_path / "out").exists()

    def files(self, directory: Path) -> dict[str, str]:
        return {str(p.relative_to(directory)): p.read_text() for p in directory.rglob("*") if p.is_file()}

    def split(self, kind: str, shop: Workshop, dest: Path, **more: Any) -> dict[str, str]:
        attributes = tuple(more.pop("attributes", ()))
        shop.build(more.pop("dockerfile", DOCKERFILE), outputs=(output(kind, dest, *attributes),), **more)
        if kind == "local":
            return self.files(dest)
        with tarfile.open(dest) as archive:
            contents = ((member.name, archive.extractfile(member)) for member in archive if member.isfile())
            return {name: content.read().decode() for name, content in contents if content is not None}

    @pytest.mark.parametrize("kind", ["local", "tar"])
    def test_files_of_several_platforms_have_directories(self, kind: str, shop: Workshop, tmp_path: Path) -> None:
        found = self.split(kind, shop, tmp_path / "out", platforms=("linux/amd64", "linux/arm64/v9"))
        assert found == {
            "linux_amd64/shared": "s",
            "linux_amd64/own": "amd64",
            "linux_arm64_v9/shared": "s",
            "linux_arm64_v9/own": "arm64",
        }

    @pytest.mark.parametrize("kind", ["local", "tar"])
    def test_one_platform_has_a_directory_where_that_is_asked_for(
        self, kind: str, shop: Workshop, tmp_path: Path
    ) -> None:
        split = (("platform-split", "true"),)
        found = self.split(kind, shop, tmp_path / "out", platforms=("linux/amd64",), attributes=split)
        assert found == {"linux_amd64/shared": "s", "linux_amd64/own": "amd64"}

    @pytest.mark.parametrize("kind", ["local", "tar"])
    def test_they_can_go_into_one_directory(self, kind: str, shop: Workshop, tmp_path: Path) -> None:
        found = self.split(
            kind,
            shop,
            tmp_path / "out",
            dockerfile="FROM scratch\nARG TARGETARCH\nCOPY only-$TARGETARCH /bin/\n",
            platforms=("linux/amd64", "linux/arm64"),
            attributes=(("platform-split", "false"),),
        )
        assert found == {"bin/only-amd64": "amd64", "bin/only-arm64": "arm64"}

    def test_unless_they_are_in_each_others_way(self, shop: Workshop, tmp_path: Path) -> None:
        with pytest.raises(KezuriError, match=rf"/own is in the files of {HOST} and of {OTHER}"):
            self.split(
                "local",
                shop,
                tmp_path / "out",
                platforms=BOTH,
                attributes=(("platform-split", "0"),),
                dockerfile="FROM scratch\nARG TARGETARCH\nCOPY only-$TARGETARCH /own\n",
            )
        assert not (tmp_path / "out").exists()

    def test_platform_split_is_a_boolean(self, shop: Workshop, tmp_path: Path) -> None:
        with pytest.raises(KezuriError, match="platform-split is true or false"):
            self.split("local", shop, tmp_path / "out", attributes=(("platform-split", "x"),))

    def test_hard_links_stay_links_below_the_directory(self, shop: Workshop, tmp_path: Path) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            tar.addfile(info := tarfile.TarInfo("a"), io.BytesIO(b""))
            link = tarfile.TarInfo("b")
            link.type, link.linkname = tarfile.LNKTYPE, info.name
            tar.addfile(link)
        (shop.context / "links.tar").write_bytes(out.getvalue())
        shop.build("FROM scratch\nADD links.tar /\n", platforms=BOTH, outputs=(output("tar", str(tmp_path / "t")),))
        with tarfile.open(tmp_path / "t") as archive:
            links = {m.name: m.linkname for m in archive if m.islnk()}
        assert links == {f"{p.replace('/', '_')}/b": f"{p.replace('/', '_')}/a" for p in BOTH}


class TestStore:
    @pytest.fixture
    def settings(self, shop: Workshop) -> Settings:
        shop.build(DOCKERFILE, platforms=BOTH, tags=("app",))
        return Settings(str(shop.root))

    def test_images_are_told_by_platform(self, settings: Settings) -> None:
        found = images(settings)
        assert [i.platform for i in found] == list(BOTH) and len({i.id for i in found}) == 2
        assert {i.name for i in found} == {"docker.io/library/app:latest"}

    def test_inspect_takes_this_machines_or_the_one_that_is_named(self, settings: Settings) -> None:
        (own,) = inspect(settings, ("app",))
        (other,) = inspect(settings, ("app",), OTHER)
        assert [f"{i['Os']}/{i['Architecture']}" for i in (own, other)] == [HOST, OTHER]
        assert own["RepoDigests"] == other["RepoDigests"] and own["Descriptor"] != other["Descriptor"]
        assert other["Descriptor"]["platform"]["architecture"] == other["Architecture"]
        (by_id,) = inspect(settings, (other["Id"],))
        assert by_id["Architecture"] == other["Architecture"]
        (by_digest,) = inspect(settings, (own["RepoDigests"][0].partition("@")[2],))
        assert by_digest["Architecture"] == own["Architecture"]
        with pytest.raises(KezuriError, match="is not there for linux/s390x") as caught:
            inspect(settings, ("app",), "s390x")
        assert caught.value.diagnostics[0].hint == f"there is: {HOST}, {OTHER}"

    def test_history_too(self, settings: Settings) -> None:
        arch = OTHER.partition("/")[2]
        assert f"COPY only-{arch} /own # buildkit" in [line.created_by for line in history(settings, "app", OTHER)]

    def test_names_stand_for_the_whole_index(self, settings: Settings, shop: Workshop) -> None:
        tag(settings, "app", "other:name")
        remove(settings, ("app",))
        assert [i.platform for i in images(settings)] == list(BOTH)
        with Store(settings.root) as store:
            list(Collector(store, Privilege()).collect(Limits(everything=True)))
        assert shop.check() == []
        assert len(inspect(settings, ("other:name",), OTHER)) == 1
        remove(settings, ("other:name",))
        with Store(settings.root) as store:
            list(Collector(store, Privilege()).collect(Limits(everything=True)))
            assert list(store.blobs.digests()) == []

    def test_it_is_a_base_for_each_platform(self, settings: Settings, shop: Workshop) -> None:
        result = shop.build("FROM app\nCOPY shared /more\n", platforms=BOTH)
        assert [len(c["rootfs"]["diff_ids"]) for c in configs(shop, result).values()] == [3, 3]
        assert len({str(c["rootfs"]["diff_ids"]) for c in configs(shop, result).values()}) == 2


class TestBases:
    def test_a_base_that_lacks_a_platform_is_told_with_those_it_has(self, shop: Workshop, tmp_path: Path) -> None:
        shop.build(DOCKERFILE, platforms=("linux/amd64", "linux/arm64"), outputs=oci(tmp_path / "base", tar="false"))
        contexts = (("base", f"oci-layout://{tmp_path / 'base'}"),)
        with pytest.raises(KezuriError, match="there is no image for linux/s390x") as caught:
            shop.build("ARG A\nFROM base\n", platforms=("linux/arm64", "linux/s390x"), build_contexts=contexts)
        assert lines(caught.value) == [2]
        assert caught.value.diagnostics[0].hint == "there are images for: linux/amd64, linux/arm64"

    def test_a_name_in_the_store_that_lacks_a_platform_is_told_with_those_it_has(self, shop: Workshop) -> None:
        shop.build(DOCKERFILE, platforms=("linux/amd64", "linux/arm64"), tags=("localhost:1/base",))
        with pytest.raises(KezuriError, match="is not there for linux/s390x") as caught:
            shop.build("FROM localhost:1/base\n", platforms=("linux/s390x",))
        assert lines(caught.value) == [1]
        assert caught.value.diagnostics[0].hint == "there is: linux/amd64, linux/arm64"

    def test_an_image_in_the_store_of_another_platform_is_taken_only_where_there_is_no_other(
        self, shop: Workshop
    ) -> None:
        shop.build(DOCKERFILE, platforms=(OTHER,), tags=("localhost:1/base",))
        result = shop.build("FROM localhost:1/base\n", platforms=(HOST,))
        (warning,) = shop.said.warnings
        assert "was pulled with platform" in warning and OTHER in warning and HOST in warning
        assert shop.config(result)["architecture"] == HOST.partition("/")[2]

    def test_what_is_wrong_for_two_platforms_is_told_once(self, shop: Workshop) -> None:
        with pytest.raises(KezuriError) as caught:
            shop.build("FROM scratch\nEXPOSE nowhere\nUSER $(\n", platforms=BOTH)
        assert len(caught.value.diagnostics) == len(set(caught.value.diagnostics)) == len(lines(caught.value))

    def test_a_platform_that_is_none(self, shop: Workshop) -> None:
        with pytest.raises(KezuriError, match="not a platform") as caught:
            shop.build(DOCKERFILE, platforms=(f"{HOST},linux/a/b/c",))
        assert caught.value.exit_code == 2


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")
class TestSteps:
    @pytest.fixture
    def layout(self, tmp_path: Path) -> str:
        tar = tar_of(("bin", None), ("bin/sh", Path(BUSYBOX).read_bytes()), ("bin/busybox", Path(BUSYBOX).read_bytes()))
        return f"oci-layout://{write_layout(tmp_path / 'busybox', [tar])}"

    CROSS = (
        "FROM --platform=$BUILDPLATFORM busybox AS build\n"
        "RUN echo once; busybox cat /proc/sys/kernel/random/uuid > /uuid\n"
        "ARG TARGETARCH\n"
        "RUN echo for $TARGETARCH > /out\n"
        "FROM scratch\n"
        "COPY --from=build /out /uuid /\n"
    )

    def test_a_cross_compiling_stage_runs_what_is_common_once(self, shop: Workshop, layout: str) -> None:
        contexts = (("busybox", layout),)
        result = shop.build(self.CROSS, platforms=BOTH, build_contexts=contexts)
        assert shop.said.output.count(b"once") == 1
        made = {}
        for entry in index(shop, result)["manifests"]:
            manifest = json.loads(shop.blob(entry["digest"]))
            (layer,) = (read_layer(shop.blob(x["digest"])) for x in manifest["layers"])
            made[entry["platform"]["architecture"]] = layer
        assert {arch: files["out"] for arch, files in made.items()} == {a: f"for {a}\n".encode() for a in made}
        assert len({files["uuid"] for files in made.values()}) == 1
        own, other = (p.partition("/")[2] for p in BOTH)
        names = {str(e.name).partition("]")[0] for e in shop.said.events if isinstance(e, StepStarted)}
        assert {f"[{HOST} build 3/3", f"[{HOST}->{other} build 3/3", f"[{OTHER} stage-1 1/1"} <= names
        assert f"[{HOST}->{own} build 3/3" not in names
        # Keys are those of a build for one platform.
        shop.build(self.CROSS, platforms=(OTHER,), build_contexts=contexts)
        assert shop.said.ran == []

    def test_also_without_the_cache(self, shop: Workshop, layout: str) -> None:
        contexts = (("busybox", layout),)
        for _ in range(2):
            shop.build(self.CROSS, platforms=BOTH, build_contexts=contexts, no_cache=True)
            assert shop.said.output.count(b"once") == 1

    def test_a_step_that_cannot_run_here_is_told_before_it_starts(self, shop: Workshop, layout: str) -> None:
        text = "FROM busybox\nCOPY shared /\nRUN echo never\n"
        with pytest.raises(KezuriError, match="does not run programs for linux/s390x") as caught:
            shop.build(text, platforms=("linux/s390x",), build_contexts=(("busybox", layout),))
        assert lines(caught.value) == [3] and b"never" not in shop.said.output
        assert "FROM --platform=$BUILDPLATFORM" in caught.value.diagnostics[0].hint
        assert shop.leftovers() == []

    @pytest.mark.skipif(HOST != "linux/amd64", reason="needs an amd64 machine")
    def test_older_levels_of_this_processor_run(self, shop: Workshop, layout: str) -> None:
        text = "FROM busybox\nRUN echo ran\n"
        shop.build(text, platforms=("linux/amd64/v2",), build_contexts=(("busybox", layout),))
        assert b"ran" in shop.said.output
