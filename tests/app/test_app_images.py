"""Images of the store by name, digest and id: found, tagged, removed, pulled and used as bases, with every blob."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_workshop import Workshop, tar_of, write_layout
from tests.registry.registry_faults import FaultyRegistry, Image, make_image, make_index

from kezuri.app.images import history, images, inspect, remove, tag
from kezuri.app.prune import foresee_prune, prune
from kezuri.app.pull import pull
from kezuri.app.request import Settings
from kezuri.app.run import run
from kezuri.containers.request import RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.oci import INDEX, MANIFEST, Platform, digest_of
from kezuri.store.store import Store

pytestmark = pytest.mark.slow
"""Whole commands, or many made-up images: together they take longer than the quick tests may."""

TAR = tar_of(("bin/sh", b"a shell"))
TEXT = "FROM scratch\nCOPY f /f\n"
FOREIGN = "s390x"
HOST = str(Platform.host())
ODD = {"mediaType": MANIFEST, "digest": "sha512:" + "0" * 128, "size": 5}


@pytest.fixture
def index(server: FaultyRegistry) -> tuple[str, str]:
    """An index with an image for this machine and another: its digest, and that of the first image."""
    here, there = host_image(b"here"), make_image(gzip.compress(TAR), architecture="arm64")
    raw = make_index((here, Platform.host().to_json()), (there, {"os": "plan9", "architecture": "arm64"}))
    server.put(here)
    server.put(there)
    server.put_document(raw, INDEX, "latest")
    return digest_of(raw), here.digest


def host_image(content: bytes) -> Image:
    host = Platform.host()
    return make_image(gzip.compress(tar_of(("f", content))), architecture=host.architecture, variant=host.variant)


def listed(settings: Settings, *filters: str) -> list[str]:
    return sorted(image.name for image in images(settings, filters))


def fetch(settings: Settings, name: str, platform: str = "") -> str:
    return pull(settings, name, platform, lambda _: None)


class TestUntagged:
    def test_what_was_built_without_a_name_is_found_by_its_ids(self, shop: Workshop, settings: Settings) -> None:
        result = shop.build(TEXT)
        for text in (result.config_digest, result.config_digest[7:], result.config_digest[7:15], result.digest):
            (found,) = inspect(settings, (text,))
            assert (found["Id"], found["RepoTags"], found["RepoDigests"]) == (result.config_digest, [], [])
            assert history(settings, text)[0].created_by == "COPY f /f # buildkit"
        (image,) = images(settings)
        assert (image.name, image.id, image.digest) == ("", result.config_digest, result.digest)
        with pytest.raises(KezuriError, match="no such image"):
            inspect(settings, (result.config_digest[7:10],))

    def test_a_name_can_be_given_to_it_and_then_it_is_an_image_as_any(self, shop: Workshop, settings: Settings) -> None:
        result = shop.build(TEXT)
        tag(settings, result.config_digest[7:19], "app:1")
        assert listed(settings) == ["docker.io/library/app:1"]
        assert listed(settings, "dangling=true") == [] and len(listed(settings, "dangling=false")) == 1
        remove(settings, ("app:1",))
        assert listed(settings) == [] and shop.check() == []

    def test_it_is_removed_by_its_id(self, shop: Workshop, settings: Settings) -> None:
        one = shop.build(TEXT)
        other = shop.build(TEXT, labels=(("a", "b"),))
        gone = remove(settings, (one.config_digest,))
        assert ("deleted", one.digest) in [(g.what, g.name) for g in gone]
        assert [image.id for image in images(settings)] == [other.config_digest]
        assert len(images(settings, ("label=a",))) == 1 and listed(settings, "reference=*") == []

    def test_a_rebuild_of_what_did_not_change_writes_no_index(self, shop: Workshop) -> None:
        shop.build(TEXT)
        path = shop.root / "index.json"
        before = path.stat().st_ino, path.read_bytes()
        shop.build(TEXT)
        assert (path.stat().st_ino, path.read_bytes()) == before
        (entry,) = json.loads(before[1])["manifests"]
        assert "annotations" not in entry

    def test_the_image_that_loses_its_name_stays_without_one(self, shop: Workshop, settings: Settings) -> None:
        old = shop.build(TEXT, tags=("app", "kept"))
        shop.write(f="2")
        new = shop.build(TEXT, tags=("app", "kept2"))
        assert listed(settings, "dangling=true") == []
        tag(settings, "app", "kept")
        assert [image.id for image in images(settings, ("dangling=true",))] == [old.config_digest]
        remove(settings, ("app", "kept", "kept2"))
        assert [image.id for image in images(settings)] == [old.config_digest]
        tag(settings, old.config_digest, "app")
        assert listed(settings, "dangling=true") == [] and new.config_digest != old.config_digest

    def test_two_manifests_of_one_config_have_one_id(self, shop: Workshop, settings: Settings) -> None:
        one, other = shop.build(TEXT), shop.build(TEXT, annotations=(("a", "b"),), tags=("z",))
        assert one.config_digest == other.config_digest and one.digest != other.digest
        assert inspect(settings, (one.config_digest,))[0]["Id"] == one.config_digest
        assert inspect(settings, (one.digest,))[0]["RepoTags"] == []
        remove(settings, (one.config_digest,))
        assert listed(settings) == []

    def test_a_damaged_image_is_left_out_and_named(self, shop: Workshop, settings: Settings) -> None:
        good, bad = shop.build(TEXT, tags=("good",)), shop.build(TEXT, tags=("bad",), labels=(("a", "b"),))
        (shop.root / "blobs" / "sha256" / bad.digest[7:]).write_bytes(b"{}")
        said: list[str] = []
        assert [image.id for image in images(settings, (), said.append)] == [good.config_digest]
        assert len(said) == 1 and "library/bad:latest" in said[0] and "damaged" in said[0]
        assert inspect(settings, (good.config_digest,)) and inspect(settings, ("good",))

    def test_names_that_another_tool_wrote_are_listed_and_found(self, shop: Workshop, settings: Settings) -> None:
        result = shop.build(TEXT)
        path = shop.root / "index.json"
        top = json.loads(path.read_bytes())
        names = ("v1", "No Reference!")
        notes = [{"annotations": {"org.opencontainers.image.ref.name": name}} for name in names]
        top["manifests"] = [{**top["manifests"][0], **note} for note in notes]
        path.write_text(json.dumps(top))
        assert listed(settings) == sorted(names) and listed(settings, "reference=v1") == ["v1"]
        for name in names:
            assert inspect(settings, (name,))[0]["Id"] == result.config_digest
        assert [gone.name for gone in remove(settings, ("No Reference!",))] == ["No Reference!"]

    def test_one_word_says_true_or_false(self, settings: Settings) -> None:
        with pytest.raises(KezuriError, match="true or false"):
            images(settings, ("dangling=perhaps",))


class TestPruned:
    def test_an_image_without_a_name_goes_as_foreseen(self, shop: Workshop, settings: Settings) -> None:
        result = shop.build(TEXT)
        (candidate,) = foresee_prune(settings)
        assert [piece.id for piece in candidate.pieces] == [result.digest]
        gone = prune(settings)
        assert [g.name for g in gone if g.what == "deleted"] == [result.digest]
        assert images(settings) == () and sum(g.size for g in gone) == candidate.size
        assert shop.build(TEXT).cached == 1

    def test_the_base_that_it_stands_on_is_cache_and_stays(
        self, shop: Workshop, settings: Settings, server: FaultyRegistry
    ) -> None:
        server.put(made := make_image(gzip.compress(TAR)), "t")
        text = f"FROM {server.host}/x:t\nCOPY f /f\n"
        shop.build(text)
        foreseen = sum(candidate.size for candidate in foresee_prune(settings))
        assert sum(g.size for g in prune(settings)) == foreseen
        with Store(str(shop.root)) as store:
            assert all(store.blobs.has(digest) for digest in (made.digest, *made.blobs))
        assert images(settings) == ()

    def test_what_only_images_without_a_name_hold_is_foreseen(
        self, shop: Workshop, settings: Settings, server: FaultyRegistry
    ) -> None:
        """A base that lost its name, layers that a result of the cache holds, too, and listings of layers."""
        server.put(make_image(gzip.compress(TAR)), "t")
        name = f"{server.host}/x:t"
        shop.build(f"FROM {name}\nCOPY f /f\n", tags=("app",))
        shop.build("FROM app\nCOPY --from=app bin/sh /sh\n", compression="zstd")
        fetch(settings, name)
        tag(settings, "app", name)
        foreseen = [candidate.size for candidate in foresee_prune(settings, all=True)]
        assert sum(g.size for g in prune(settings, all=True)) == sum(foreseen)
        assert foresee_prune(settings, all=True) == () and shop.check() == []

    def test_what_was_built_just_now_stays(self, shop: Workshop, settings: Settings) -> None:
        result = shop.build(TEXT)
        other = shop.build(TEXT, tags=("other",), labels=(("a", "b"),))
        prune(settings, until=24 * 3600.0)
        prune(settings, all=True, until=24 * 3600.0)
        prune(settings, all=True, filters=("type=regular",))
        remove(settings, ("other",))
        assert [image.id for image in images(settings)] == [result.config_digest] and shop.check() == []
        with Store(str(shop.root)) as store:
            assert not store.blobs.has(other.digest)

    def test_an_image_that_is_built_while_another_command_runs_stays(self, shop: Workshop, settings: Settings) -> None:
        with Store(str(shop.root)):
            result = shop.build(TEXT)
            prune(settings, all=True)
        assert [image.id for image in images(settings)] == [result.config_digest] and shop.check() == []

    def test_one_with_a_name_stays(self, shop: Workshop, settings: Settings) -> None:
        shop.build(TEXT, tags=("app",))
        prune(settings, all=True)
        assert listed(settings) == ["docker.io/library/app:latest"] and shop.check() == []


class TestEveryBlob:
    def test_text_in_an_annotation_makes_no_index(self, shop: Workshop, settings: Settings) -> None:
        base = write_layout(shop.directory / "base", [TAR])
        contexts: Any = {"build_contexts": (("base", f"oci-layout://{base}"),)}
        shop.build("FROM base\nCOPY f /f\n", tags=("plain",), **contexts)
        notes = (("kind", "manifests"), ("manifests", "x"))
        noted = shop.build("FROM base\nCOPY f /f\n", tags=("noted",), annotations=notes, **contexts)
        assert len(images(settings)) == 2
        assert inspect(settings, ("noted",))[0]["Id"] == noted.config_digest
        shop.build("FROM noted\nCOPY f /g\n")
        remove(settings, ("plain",))
        prune(settings, all=True)
        assert shop.check() == [] and inspect(settings, ("noted",))[0]["RepoTags"] == ["noted:latest"]

    def test_a_pulled_image_has_its_own_blobs(self, shop: Workshop, settings: Settings, server: FaultyRegistry) -> None:
        base = write_layout(shop.directory / "base", [TAR])
        image = make_image(gzip.compress(TAR))
        server.put(image, "latest")
        name = f"{server.host}/app"
        contexts = (("base", f"oci-layout://{base}"),)
        plain = shop.build("FROM base\nCOPY f /f\n", tags=("a",), build_contexts=contexts)
        fetch(settings, name, "linux/amd64")
        packed = shop.build(f"FROM {name}\nCOPY f /f\n", tags=("b",), platforms=("linux/amd64",))
        assert shop.check() == []
        # Each image has its base's layer as that base has it, whatever else is in the store.
        assert shop.manifest(plain)["layers"][0]["digest"] == digest_of(TAR)
        assert shop.manifest(packed)["layers"][0]["digest"] == image.layers[0].digest
        remove(settings, ("a", "b"))
        prune(settings, all=True)
        assert shop.check() == []
        with Store(str(shop.root)) as store:
            assert store.blobs.has(image.layers[0].digest) and not store.blobs.has(digest_of(TAR))

    def test_what_cannot_be_had_whole_gets_no_name(
        self, shop: Workshop, settings: Settings, server: FaultyRegistry
    ) -> None:
        base = write_layout(shop.directory / "base", [TAR])
        shop.build("FROM base\nCOPY f /f\n", build_contexts=(("base", f"oci-layout://{base}"),))
        image = make_image(gzip.compress(TAR))
        server.put(image, "latest")
        del server.documents[f"blobs/{image.layers[0].digest}"]
        with pytest.raises(KezuriError, match=image.layers[0].digest):
            fetch(settings, f"{server.host}/app", "linux/amd64")
        assert listed(settings) == [""]

    def test_a_size_that_is_wrong_is_no_size(self, shop: Workshop, settings: Settings, server: FaultyRegistry) -> None:
        image = make_image(gzip.compress(TAR))
        server.put(image, "latest")
        fetch(settings, f"{server.host}/app", "linux/amd64")
        document = json.loads(image.manifest)
        document["layers"][0]["size"] += 1
        server.put_document(json.dumps(document).encode(), MANIFEST, "latest")
        with pytest.raises(KezuriError, match=f"blob {image.layers[0].digest} has .* bytes, but the image"):
            fetch(settings, f"{server.host}/app", "linux/amd64")
        result = shop.build(f"FROM {server.host}/app\nCOPY f /f\n", pull=True, platforms=("linux/amd64",))
        assert shop.manifest(result)["layers"][0]["size"] == image.layers[0].size


class TestByDigest:
    @pytest.mark.parametrize("which", [0, 1])
    def test_what_was_pulled_by_digest(
        self, settings: Settings, server: FaultyRegistry, index: tuple[str, str], which: int
    ) -> None:
        name = f"{server.host}/app@{index[which]}"
        assert fetch(settings, name) == index[1]
        (found,) = inspect(settings, (name,))
        assert (found["RepoDigests"], found["RepoTags"]) == ([name], [])
        assert listed(settings) == [name] and listed(settings, "dangling=true") == []
        assert listed(settings, f"reference={server.host}/app") == [name]
        history(settings, name)
        tag(settings, name, "other:1")
        assert [g.name for g in remove(settings, (name,)) if g.what == "untagged"] == [name]
        assert listed(settings) == ["docker.io/library/other:1"]
        assert inspect(settings, ("other:1",))[0]["RepoDigests"] == [f"other@{index[1]}"]
        with pytest.raises(KezuriError, match="no such image"):
            inspect(settings, (name,))

    def test_what_was_pulled_by_tag(self, settings: Settings, server: FaultyRegistry, index: tuple[str, str]) -> None:
        name = f"{server.host}/app"
        fetch(settings, name)
        for digest in index:
            (found,) = inspect(settings, (f"{name}:whatever@{digest}",))
            assert (found["RepoDigests"], found["RepoTags"]) == ([f"{name}@{index[0]}"], [f"{name}:latest"])
            with pytest.raises(KezuriError, match="no such image"):
                inspect(settings, (f"{server.host}/other@{digest}",))
        fetch(settings, f"{name}@{index[0]}")
        assert listed(settings) == [f"{name}:latest"]
        gone = [g.name for g in remove(settings, (name,)) if g.what == "untagged"]
        assert gone == [f"{name}:latest", f"{name}@{index[0]}"] and listed(settings) == []

    def test_what_inspect_prints_of_a_built_image(self, shop: Workshop, settings: Settings) -> None:
        result = shop.build(TEXT, tags=("app",))
        (name,) = inspect(settings, ("app",))[0]["RepoDigests"]
        assert name == f"app@{result.digest}" and inspect(settings, (name,))[0]["Id"] == result.config_digest
        assert remove(settings, (name,))[0].name == "app:latest"

    def test_it_is_a_base_when_its_registry_is_gone(self, shop: Workshop, settings: Settings) -> None:
        with FaultyRegistry() as server:
            here = host_image(b"here")
            raw = make_index((here, Platform.host().to_json()))
            server.put(here)
            server.put_document(raw, INDEX)
            name = f"{server.host}/app@{digest_of(raw)}"
            fetch(settings, name)
        for base in (name, name.replace("@", ":tag@")):
            assert len(shop.manifest(shop.build(f"FROM {base}\nCOPY f /g\n"))["layers"]) == 2


class TestOtherPlatforms:
    def test_what_a_registry_answers_holds(
        self, shop: Workshop, settings: Settings, server: FaultyRegistry, index: tuple[str, str]
    ) -> None:
        name = f"{server.host}/app"
        fetch(settings, name)
        with pytest.raises(KezuriError, match=f"no image for linux/{FOREIGN}") as caught:
            shop.build(f"FROM {name}\nCOPY f /f\n", platforms=(f"linux/{FOREIGN}",))
        assert f"the store has {name}:latest for {HOST} only" in caught.value.diagnostics[0].hint
        with pytest.raises(KezuriError, match=f"no image for linux/{FOREIGN}"):
            run(RunRequest(name, platform=f"linux/{FOREIGN}"), settings)
        del server.documents["manifests/latest"]
        with pytest.raises(KezuriError, match="404"):
            shop.build(f"FROM {name}\nCOPY f /f\n", platforms=(f"linux/{FOREIGN}",))

    def test_what_a_mirror_answers_holds_where_its_registry_cannot_be_reached(
        self, shop: Workshop, server: FaultyRegistry, index: tuple[str, str]
    ) -> None:
        settings = Settings(str(shop.root), mirrors=(("registry.invalid", f"http://{server.host}"),))
        with pytest.raises(KezuriError, match=f"no image for linux/{FOREIGN}"):
            fetch(settings, "registry.invalid/app", f"linux/{FOREIGN}")
        with pytest.raises(KezuriError, match="no registry can be reached"):
            fetch(settings, "registry.invalid/app:other", f"linux/{FOREIGN}")

    def test_where_none_answers_it_is_taken_with_a_warning(
        self, shop: Workshop, settings: Settings, index: tuple[str, str], server: FaultyRegistry
    ) -> None:
        name = f"{server.host}/app"
        fetch(settings, name)
        server.server.shutdown()
        server.server.server_close()
        shop.build(f"FROM {name}\nCOPY f /f\n", platforms=(f"linux/{FOREIGN}",))
        assert any(FOREIGN in warning for warning in shop.said.warnings)
        with pytest.raises(KezuriError, match=f"is for {HOST}, not for linux/{FOREIGN}"):
            run(RunRequest(name, platform=f"linux/{FOREIGN}"), settings)


class TestRun:
    @pytest.mark.parametrize("platform", ["", f"linux/{FOREIGN}"])
    def test_an_image_for_another_machine_is_refused_by_name(
        self, settings: Settings, server: FaultyRegistry, platform: str
    ) -> None:
        name = f"{server.host}/app"
        server.put(make_image(gzip.compress(TAR), architecture=FOREIGN), "latest")
        fetch(settings, name, f"linux/{FOREIGN}")
        with pytest.raises(KezuriError, match=f"image {name} is for linux/{FOREIGN}: this machine"):
            run(RunRequest(name, platform=platform), settings)

    def test_one_for_this_machine_does_not_run_as_another(
        self, shop: Workshop, settings: Settings, server: FaultyRegistry
    ) -> None:
        shop.build(TEXT, tags=(f"{server.host}/app",))
        server.put(host_image(b"here"), "latest")
        with pytest.raises(KezuriError, match=f"is for {HOST}, not for linux/{FOREIGN}"):
            run(RunRequest(f"{server.host}/app", platform=f"linux/{FOREIGN}"), settings)
        with pytest.raises(KezuriError, match=f"not there for linux/{FOREIGN}"):
            run(RunRequest(f"{server.host}/app", platform=f"linux/{FOREIGN}", pull="never"), settings)

    def test_when_the_registry_is_asked(self, settings: Settings, server: FaultyRegistry) -> None:
        name = f"{server.host}/app"
        with pytest.raises(KezuriError, match=f"no such image: {name}"):
            run(RunRequest(name, pull="never"), settings)
        assert not server.log
        for content, how, asks in ((b"1", "missing", True), (b"2", "missing", False), (b"3", "always", True)):
            server.log.clear()
            server.put(make_image(gzip.compress(tar_of(("f", content))), architecture=FOREIGN), "latest")
            with pytest.raises(KezuriError, match=r"this machine|not for"):
                run(RunRequest(name, pull=how, platform=f"linux/{FOREIGN}"), settings)
            assert bool(server.asked("manifests/latest")) == asks
        assert listed(settings, "dangling=false") == [f"{name}:latest"] and len(images(settings)) == 2

    def test_an_id_is_never_asked_of_a_registry(self, settings: Settings) -> None:
        for text in ("sha256:0123abcd", "0" * 64):
            with pytest.raises(KezuriError, match=f"no such image: {text}"):
                run(RunRequest(text), settings)


class TestSilentBases:
    def test_a_base_that_names_no_architecture_is_taken_for_the_platform_of_the_build(self, shop: Workshop) -> None:
        base = write_layout(shop.directory / "base", [TAR])
        self.silence(base)
        result = shop.build("FROM base\nCOPY f /f\n", build_contexts=(("base", f"oci-layout://{base}"),), tags=("a",))
        host = Platform.host()
        assert (shop.config(result)["architecture"], shop.config(result)["os"]) == (host.architecture, "linux")
        (entry,) = json.loads((shop.root / "index.json").read_bytes())["manifests"]
        assert entry["platform"] == host.to_json()

    def silence(self, layout: Path) -> None:
        """Take the platform out of the config of a layout's only image."""
        blobs = layout / "blobs" / "sha256"

        def put(document: Any) -> dict[str, Any]:
            raw = json.dumps(document).encode()
            (blobs / digest_of(raw)[7:]).write_bytes(raw)
            return {"digest": digest_of(raw), "size": len(raw)}

        top = json.loads((layout / "index.json").read_bytes())
        manifest = json.loads((blobs / top["manifests"][0]["digest"][7:]).read_bytes())
        config = json.loads((blobs / manifest["config"]["digest"][7:]).read_bytes())
        del config["architecture"], config["os"]
        manifest["config"].update(put(config))
        top["manifests"][0].update(put(manifest))
        (layout / "index.json").write_text(json.dumps(top))


class TestOtherDigests:
    def test_an_entry_of_a_layout_spoils_itself_only(self, shop: Workshop) -> None:
        base = write_layout(shop.directory / "base", [TAR])
        top = json.loads((base / "index.json").read_bytes())
        named = {**ODD, "annotations": {"org.opencontainers.image.ref.name": "odd"}}
        top["manifests"] = [named, *top["manifests"], ODD]
        (base / "index.json").write_text(json.dumps(top))
        shop.build("FROM base\nCOPY f /f\n", build_contexts=(("base", f"oci-layout://{base}:latest"),))
        with pytest.raises(KezuriError, match=r"base: odd: not a sha256 digest: 'sha512:"):
            shop.build("FROM base\nCOPY f /f\n", build_contexts=(("base", f"oci-layout://{base}:odd"),))

    def test_an_entry_of_a_registrys_index_spoils_itself_only(
        self, shop: Workshop, settings: Settings, server: FaultyRegistry
    ) -> None:
        here = host_image(b"here")
        top = json.loads(make_index((here, Platform.host().to_json())))
        top["manifests"].insert(0, {**ODD, "platform": {"os": "linux", "architecture": FOREIGN}})
        top["manifests"].insert(0, {**ODD, "mediaType": INDEX})
        server.put(here)
        server.put_document(json.dumps(top).encode(), INDEX, "latest")
        assert fetch(settings, f"{server.host}/app") == here.digest
        with pytest.raises(KezuriError, match=rf"{server.host}/app:latest: not a sha256 digest: 'sha512:"):
            fetch(settings, f"{server.host}/app", f"linux/{FOREIGN}")

    def test_a_stored_index_with_such_an_entry_is_kept(self, shop: Workshop, settings: Settings) -> None:
        shop.build(TEXT, tags=("app",))
        path = shop.root / "index.json"
        top = json.loads(path.read_bytes())
        top["manifests"].append(ODD)
        path.write_text(json.dumps(top))
        said: list[str] = []
        assert [image.name for image in images(settings, (), said.append)] == ["docker.io/library/app:latest"]
        prune(settings)
        remove(settings, ("app",))
        assert json.loads(path.read_bytes())["manifests"] == [ODD] and shop.check() == []
