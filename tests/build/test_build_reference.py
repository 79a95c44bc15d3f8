"""What an image holds and what is built again, where the language's reference says so and no other test does."""

import io
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_workshop import Workshop, lines, output, tar_of, write_layout

from kezuri.app.request import BuildResult
from kezuri.diagnostics import KezuriError

EMPTY_LAYER = "sha256:4f4fb700ef54461cfa02571ae0db9a0dc1e0cdb5577484a6d75e68dc38e8acc1"
"""The blob of a layer without entries, as every builder writes it with gzip."""


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def owners(shop: Workshop, result: BuildResult) -> dict[str, tuple[int, int, int]]:
    """Owner, group and mode of each path."""
    return {path: (m.uid, m.gid, m.mode) for path, m in shop.members(result).items()}


class TestHistory:
    def test_each_new_entry_is_marked_and_those_of_the_base_are_as_they_were(self, shop: Workshop) -> None:
        old = [{"created": "2020-02-02T02:02:02Z", "created_by": "theirs", "comment": "by hand"}]
        layout = write_layout(shop.directory / "base", [tar_of(("a", b"1"))], history=old)
        shop.write(f="f")
        text = "FROM base\nENV A=1\nCOPY f /\nWORKDIR /w\nUSER 1\nWORKDIR /\nONBUILD RUN x\nCMD x\n"
        result = shop.build(text, build_contexts=(("base", f"oci-layout://{layout}"),))
        first, *ours = shop.config(result)["history"]
        assert first == old[0]
        assert {entry["comment"] for entry in ours} == {"buildkit.dockerfile.v0"}
        assert [(entry["created_by"], entry.get("empty_layer", False)) for entry in ours] == [
            ("ENV A=1", True),
            ("COPY f / # buildkit", False),
            ("WORKDIR /w", False),
            ("USER 1", True),
            ("WORKDIR /", True),
            ('CMD ["/bin/sh" "-c" "x"]', True),
        ]

    def test_a_step_that_changes_nothing_is_the_empty_layer_that_everybody_knows(self, shop: Workshop) -> None:
        result = shop.build("FROM scratch\nWORKDIR /w\nWORKDIR /w\nCOPY nothing* /\n")
        digests = [layer["digest"] for layer in shop.manifest(result)["layers"]]
        assert digests[0] != EMPTY_LAYER and digests[1:] == [EMPTY_LAYER] * 2


class TestOwners:
    def test_a_working_directory_belongs_to_the_user_of_the_moment(self, shop: Workshop) -> None:
        accounts = tar_of(("etc/passwd", b"app:x:5:6::/:/x\n"), ("there", None))
        layout = write_layout(shop.directory / "base", [accounts])
        text = (
            "FROM base\nWORKDIR /root/s\nUSER 7\nWORKDIR /seven/sub\nUSER 7:8\nWORKDIR /both\nUSER app\n"
            "WORKDIR /named\nWORKDIR /there\n"
        )
        found = owners(shop, shop.build(text, build_contexts=(("base", f"oci-layout://{layout}"),)))
        assert found["root"] == found["root/s"] == (0, 0, 0o755)
        assert found["seven"] == found["seven/sub"] == (7, 7, 0o755), "a lone number is the group, too"
        assert found["both"] == (7, 8, 0o755) and found["named"] == (5, 6, 0o755)
        assert found["there"] == (0, 0, 0o755)

    def test_copies_belong_to_root_whoever_the_user_is(self, shop: Workshop) -> None:
        shop.write(f="f")
        found = owners(shop, shop.build("FROM scratch\nUSER 7:8\nCOPY f /d/\nADD f /e/\nCOPY <<h /d/\nh\n"))
        assert {owner[:2] for owner in found.values()} == {(0, 0)}

    def test_copies_of_a_stage_keep_their_owners(self, shop: Workshop) -> None:
        shop.write(f="f")
        text = "FROM scratch AS a\nCOPY --chown=7:8 f /d/\nFROM scratch\nCOPY --from=a /d/f /d /e/\n"
        assert owners(shop, shop.build(text))["e/f"][:2] == (7, 8)

    def test_a_mode_is_for_files_and_as_far_as_it_is_a_number_of_permissions_for_new_parents(
        self, shop: Workshop
    ) -> None:
        shop.write(f="f")
        found = owners(shop, shop.build("FROM scratch\nCOPY --chmod=go= f /a/\nCOPY --chmod=2710 f /b/\n"))
        assert (found["a"][2], found["a/f"][2] & 0o077) == (0o755, 0)
        assert (found["b"][2], found["b/f"][2]) == (0o710, 0o2710), "set-id bits are for files"


def test_what_is_written_to_a_volume_stays(shop: Workshop) -> None:
    shop.write(f="f")
    result = shop.build("FROM scratch\nVOLUME /v\nCOPY f /v/f\n")
    assert shop.files(result)["v/f"] == b"f" and shop.config(result)["config"]["Volumes"] == {"/v": {}}


class TestAgain:
    def test_a_file_that_moved_to_another_directory_is_the_same(self, shop: Workshop) -> None:
        shop.write(a__f="f", b__f="f", b__g="f")
        shop.build("FROM scratch\nCOPY a/f /x\n")
        shop.build("FROM scratch\nCOPY b/f /x\n")
        assert (shop.said.ran, shop.said.cached) == ([], ["COPY b/f /x"])
        shop.build("FROM scratch\nCOPY b/g /x\n")
        assert shop.said.ran == ["COPY b/g /x"], "the name counts: it could be a directory's entry"

    @pytest.mark.parametrize(("flag", "again"), [(" --link", []), ("", ["COPY f /d/f"])])
    def test_a_linked_copy_is_found_again_on_another_base(self, shop: Workshop, flag: str, again: list[str]) -> None:
        shop.write(f="f")
        for name, ran in (("one", [f"COPY{flag} f /d/f"]), ("two", again)):
            layout = write_layout(shop.directory / name, [tar_of((name, b"x"))])
            shop.build(f"FROM base\nCOPY{flag} f /d/f\n", build_contexts=(("base", f"oci-layout://{layout}"),))
            assert shop.said.ran == ran, name

    def test_an_image_is_fetched_only_when_its_files_are_needed(self, shop: Workshop) -> None:
        shop.write(f="f")
        layout = write_layout(shop.directory / "base", [tar_of(("a", b"1"))])
        blobs = layout / "blobs" / "sha256"
        index = json.loads((layout / "index.json").read_text())
        manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
        (blobs / manifest["layers"][0]["digest"][7:]).unlink()
        more: dict[str, Any] = {"build_contexts": (("base", f"oci-layout://{layout}"),)}
        shop.build("FROM base AS config\nENV A=1\nFROM scratch\nCOPY f /\n", **more)
        more["outputs"] = (output("cacheonly"),)
        for text in ("ENV A=1", "COPY --link f /d/", "COPY --link <<h /h\nh"):
            shop.build(f"FROM base\n{text}\n", **more)
        with pytest.raises(KezuriError, match="is missing"):
            shop.build("FROM base\nCOPY f /d/\n", **more)

    def test_compression_is_for_new_layers(self, shop: Workshop) -> None:
        shop.write(f="f")
        layout = write_layout(shop.directory / "base", [tar_of(("a", b"1"))])
        more: dict[str, Any] = {"build_contexts": (("base", f"oci-layout://{layout}"),), "compression": "zstd"}
        result = shop.build("FROM base\nCOPY f /\n", **more)
        types = [layer["mediaType"] for layer in shop.manifest(result)["layers"]]
        assert [t.rpartition(".")[2] for t in types] == ["tar", "tar+zstd"]


class TestEpoch:
    TEXT = "FROM base\nCOPY f /\nWORKDIR /w\n"

    def built(self, shop: Workshop, **more: Any) -> BuildResult:
        if not (shop.context / "f").exists():
            shop.write(f="f")
        layout = shop.directory / "base"
        if not layout.exists():
            late = tarfile.TarInfo("late")
            late.mtime = 1_900_000_000
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w") as tar:
                tar.addfile(late)
            write_layout(layout, [out.getvalue()])
        return shop.build(self.TEXT, build_contexts=(("base", f"oci-layout://{layout}"),), **more)

    def test_it_is_the_time_of_what_is_made_and_of_nothing_below(self, shop: Workshop) -> None:
        found = shop.members(self.built(shop, build_args=(("SOURCE_DATE_EPOCH", "1000"),)))
        assert {path: int(m.mtime) for path, m in found.items()} == {"late": 1_900_000_000, "f": 1000, "w": 1000}

    def test_an_empty_one_is_none(self, shop: Workshop) -> None:
        result = self.built(shop, build_args=(("SOURCE_DATE_EPOCH", ""),), source_date_epoch="1000")
        assert not shop.config(result)["created"].startswith("1970") and shop.members(result)["w"].mtime > 1000

    def test_files_that_are_exported_are_all_of_that_time(self, shop: Workshop) -> None:
        dest, archive = shop.directory / "out", shop.directory / "out.tar"
        shop.write(f="f")
        os.utime(shop.context / "f", (500, 500))
        outputs = (output("local", str(dest)), output("tar", str(archive)))
        result = self.built(shop, build_args=(("SOURCE_DATE_EPOCH", "1000"),), outputs=(*outputs, output("image")))
        assert {(dest / name).stat().st_mtime for name in ("f", "w", "late")} == {1000}
        with tarfile.open(archive) as tar:
            assert {member.mtime for member in tar} == {1000}
        assert shop.members(result)["f"].mtime == 500, "in an image what is older stays"


class TestFrontends:
    def warned(self, shop: Workshop, first: str, **more: Any) -> list[str]:
        shop.build(f"{first}\nFROM scratch\nENV A=1\n", **more)
        return shop.said.warnings

    def test_a_frontend_of_another_name_is_told(self, shop: Workshop) -> None:
        (said,) = self.warned(shop, "# syntax=acme/dialect:9")
        assert "acme/dialect:9" in said and "is not used" in said

    def test_that_of_this_language_in_any_version_is_built_in(self, shop: Workshop) -> None:
        for name in ("docker/dockerfile:1", "docker/dockerfile:1.7-labs", "docker.io/docker/dockerfile@sha256:00"):
            assert self.warned(shop, f"# syntax={name}") == []

    def test_a_build_argument_counts_more(self, shop: Workshop) -> None:
        (said,) = self.warned(shop, "# syntax=docker/dockerfile:1", build_args=(("BUILDKIT_SYNTAX", "other/one"),))
        assert "other/one" in said


def test_instructions_that_have_no_flags_do_not_look_for_any(shop: Workshop) -> None:
    text = "FROM scratch\nARG --foo=bar A=1\nHEALTHCHECK --interval=5s NONE\nSTOPSIGNAL --x=1 9\nENV B=$A\n"
    config = shop.config(shop.build(text))["config"]
    assert config["Healthcheck"] == {"Test": ["NONE"]} and config["StopSignal"] == "9" and "B=1" in config["Env"]


def test_a_dockerfile_on_standard_input_has_the_directory_as_its_context(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write(**{"Dockerfile": "RUNN", "f": "f", "g": "g", ".dockerignore": "g"})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"FROM scratch\nCOPY f* g* /\n")))
    assert shop.files(shop.build(file="-")) == {"f": b"f"}


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        (("bogus", "1"), "unknown attribute 'bogus'"),
        (("rewrite-timestam", "true"), "unknown attribute"),
        (("force-compression", "maybe"), "force-compression is true or false"),
        (("oci-mediatypes", "maybe"), "oci-mediatypes is true or false"),
        (("compression", "estargz"), "unknown compression 'estargz'"),
    ],
)
def test_no_attribute_of_an_output_is_passed_over(shop: Workshop, attribute: tuple[str, str], said: str) -> None:
    given = output("oci", shop.directory / "image.tar", attribute)
    with pytest.raises(KezuriError, match=said) as caught:
        shop.build("FROM scratch\nENV A=1\n", outputs=(given,))
    assert caught.value.exit_code == 2 and not (shop.directory / "image.tar").exists()


def test_a_directory_is_copied_into_and_never_emptied(shop: Workshop) -> None:
    shop.write(f="f")
    dest = shop.directory / "out"
    dest.mkdir()
    (dest / "mine").write_text("stays")
    shop.build("FROM scratch\nCOPY f /\n", outputs=(output("local", dest, ("mode", "copy")),))
    with pytest.raises(KezuriError, match="mode=delete is not supported"):
        shop.build(outputs=(output("local", dest, ("mode", "delete")),))
    assert sorted(path.name for path in dest.iterdir()) == ["f", "mine"]


class TestNamedImages:
    def test_one_of_the_store_by_its_name(self, shop: Workshop) -> None:
        shop.write(f="f")
        shop.build("FROM scratch\nCOPY f /\nENV A=1\n", tags=("one:1",))
        more = {"build_contexts": (("other:9", "docker-image://one:1"), ("n", "docker-image://one:1"))}
        result = shop.build("FROM other:9\nCOPY --from=n /f /again\n", **more)
        assert shop.files(result) == {"f": b"f", "again": b"f"} and "A=1" in shop.config(result)["config"]["Env"]

    def test_one_of_a_layout_by_its_digest(self, shop: Workshop) -> None:
        layout = write_layout(shop.directory / "base", [tar_of(("a", b"1"))])
        digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
        for suffix in ("", ":latest", f"@{digest}"):
            address = f"oci-layout://{layout}{suffix}"
            assert shop.files(shop.build("FROM b\nENV A=1\n", build_contexts=(("b", address),))) == {"a": b"1"}
        with pytest.raises(KezuriError, match="nope"):
            shop.build("FROM b\nENV A=1\n", build_contexts=(("b", f"oci-layout://{layout}:nope"),))


def test_a_required_device_is_said_at_its_line(shop: Workshop) -> None:
    with pytest.raises(KezuriError, match="device") as caught:
        shop.build("FROM scratch\n\nRUN --device=gpu,required x\n")
    assert lines(caught.value) == [3]
