"""`save`, `load`, `import` and `image prune`, and which images the filters mean."""

import gzip
import json
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.images.test_images_layout import NAME, write_layout
from tests.transfer.transfer_images import docker_save, image, layout_of_two, tar_of, with_config

from kezuri.app.answers import ImageSummary
from kezuri.app.archives import Loaded, load, save
from kezuri.app.image_prune import prune_images
from kezuri.app.images import history, images, inspect, tag
from kezuri.app.request import Settings
from kezuri.app.root_import import ImportRequest, import_root
from kezuri.app.transfers import CopyRequest, copy_image
from kezuri.diagnostics import KezuriError
from kezuri.images.kept import NoSuchImage
from kezuri.oci import Manifest, digest_of
from kezuri.store.store import Store

pytestmark = pytest.mark.slow
"""Whole commands, or many made-up images: together they take longer than the quick tests may."""


def silent(event: object) -> None:
    pass


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(str(tmp_path / "store"))


@pytest.fixture
def dated(settings: Settings, tmp_path: Path) -> Settings:
    """A store with three images of three years, with labels, one of them without a name."""
    made = {
        "old:1": with_config("old", created="2001-01-01T00:00:00Z", config={"Labels": {"a": "1", "b": "x"}}),
        "mid:1": with_config("mid", created="2011-01-01T00:00:00.5Z", config={"Labels": {"a": "2"}}),
        "new:1": with_config("new", created="2021-01-01T00:00:00+01:00"),
    }
    write_layout(str(tmp_path / "made"), *((one, {NAME: f"docker.io/library/{name}"}) for name, one in made.items()))
    load(settings, str(tmp_path / "made"), "", silent)
    tag(settings, "old:1", "example.org/team/old:2")
    with Store(settings.root) as store:
        found = store.names.delete("docker.io/library/mid:1")
        assert found is not None
        store.names.keep(found)
    return settings


def names(found: Iterable[ImageSummary]) -> set[str]:
    return {one.name.removeprefix("docker.io/library/") for one in found}


OLD = {"old:1", "example.org/team/old:2"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ((), {*OLD, "", "new:1"}),
        (("dangling=true",), {""}),
        (("dangling=false",), {*OLD, "new:1"}),
        (("label=a",), {*OLD, ""}),
        (("label=a=2",), {""}),
        (("label=a", "label=b"), OLD),
        (("label!=a",), {"new:1"}),
        (("label!=a=1",), {"", "new:1"}),
        (("before=new:1",), {*OLD, ""}),
        (("since=old:1",), {"", "new:1"}),
        (("before=new:1", "since=old:1"), {""}),
        (("until=2011-06-01",), {*OLD, ""}),
        (("until=2005-01-01T00:00:00Z",), OLD),
        (("until=24h",), {*OLD, "", "new:1"}),
        (("until=1293836400",), OLD),
        (("reference=new", "reference=*/team/*"), {"example.org/team/old:2", "new:1"}),
        (("reference=o*", "label=a"), {"old:1"}),
    ],
)
def test_filters(dated: Settings, filters: tuple[str, ...], expected: set[str]) -> None:
    assert names(images(dated, filters)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lable=x", "did you mean label=…?"),
        ("dangling=maybe", "the value is true or false"),
        ("before=nope", "no such image: nope"),
        ("until=soon", "neither an age nor a time"),
        ("nothing=1", "there are before, dangling"),
    ],
)
def test_filters_that_make_no_sense(dated: Settings, text: str, words: str) -> None:
    with pytest.raises(KezuriError) as caught:
        images(dated, (text,))
    assert words in "".join(d.message + d.hint for d in caught.value.diagnostics)


def test_image_prune(dated: Settings) -> None:
    assert [one.what for one in prune_images(dated, dry_run=True)] == ["deleted"]
    assert len(images(dated)) == 4
    assert prune_images(dated, ("until=2005-01-01",)) == ()
    gone = prune_images(dated)
    assert {one.what for one in gone} == {"deleted"} and sum(one.size for one in gone) > 0
    assert names(images(dated)) == {*OLD, "new:1"}
    gone = prune_images(dated, ("label=b",), all=True)
    assert {one.name for one in gone if one.what == "untagged"} == {"old:1", "example.org/team/old:2"}
    assert names(images(dated)) == {"new:1"}
    with Store(dated.root) as store:
        assert len(store.blobs.digests()) == 3
    assert prune_images(dated, ("dangling=true",)) == ()
    assert {one.name for one in prune_images(dated, ("dangling=false",), dry_run=True)} == {"new:1"}
    with pytest.raises(KezuriError, match="unknown filter 'before=x'"):
        prune_images(dated, ("before=x",))


def test_save_and_load(dated: Settings, tmp_path: Path) -> None:
    archive = str(tmp_path / "saved.tar")
    save(dated, ("old", "new:1"), archive, "docker-archive", "", silent)
    other = Settings(str(tmp_path / "other"))
    loaded = load(other, archive, "", silent)
    assert [one.names for one in loaded] == [("old:1",), ("new:1",)], "a repository alone is all of its tags"
    assert {(i.name, i.id) for i in images(other)} <= {(i.name, i.id) for i in images(dated)}
    save(dated, ("example.org/team/old:2", "old:1"), archive, "docker-archive", "", silent)
    assert {n for one in load(other, archive, "", silent) for n in one.names} == {"old:1", "example.org/team/old:2"}
    identity = images(dated, ("reference=new",))[0].id
    save(dated, (identity,), archive, "oci-archive", "", silent)
    assert load(other, archive, "", silent) == (Loaded((), identity),), "an id has no name"
    with pytest.raises(NoSuchImage):
        save(dated, ("old", "nope"), archive, "docker-archive", "", silent)
    assert load(other, archive, "", silent)[0].id == identity, "the archive that was there stays"


def test_a_name_that_goes_to_another_image(dated: Settings, tmp_path: Path) -> None:
    before = images(dated, ("reference=new",))[0].id
    one = tar_of(("f", b"1"))
    (tmp_path / "a.tar").write_bytes(gzip.compress(docker_save(["new:1"], one)))
    (loaded,) = load(dated, str(tmp_path / "a.tar"), "", silent)
    assert loaded.displaced == (("new:1", before),)
    assert load(dated, str(tmp_path / "a.tar"), "", silent)[0].displaced == (), "it is the same image"
    assert before in {i.id for i in images(dated, ("dangling=true",))}


def test_a_name_that_is_none_is_the_archives_fault(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(docker_save(["../../x:1"], tar_of(("a", b"1"))))
    with pytest.raises(KezuriError, match=r"a\.tar: manifest\.json: not an image reference") as caught:
        load(settings, str(tmp_path / "a.tar"), "", silent)
    assert caught.value.exit_code == 125 and "is a name missing" not in str(caught.value)
    assert "docker-archive:FILE:@0" in caught.value.diagnostics[0].hint
    copy_image(settings, CopyRequest(f"docker-archive:{tmp_path}/a.tar:@0", "store:x:1"), silent)
    assert names(images(settings)) == {"x:1"}


def test_an_image_of_many_names_is_loaded_at_once(settings: Settings, tmp_path: Path) -> None:
    """The list of names is written once, not once for each."""
    tags = [f"app:{n}" for n in range(3000)]
    (tmp_path / "a.tar").write_bytes(docker_save(tags, tar_of(("a", b"1"))))
    started = time.monotonic()
    assert load(settings, str(tmp_path / "a.tar"), "", silent)[0].names == tuple(tags)
    assert time.monotonic() - started < 20


def test_one_platform_of_an_index_is_saved(settings: Settings, tmp_path: Path) -> None:
    where, raw = layout_of_two(tmp_path / "from")
    copied = copy_image(settings, CopyRequest(f"oci:{where}:two", "two:1"), silent)
    assert copied.descriptor.digest == digest_of(raw)
    archive = str(tmp_path / "saved.tar")
    save(settings, ("two:1",), archive, "docker-archive", "linux/arm64", silent)
    with tarfile.open(archive) as tar:
        (saved,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(tar.extractfile(saved["Config"]))  # type: ignore[arg-type]
    assert config["architecture"] == "arm64" and saved["RepoTags"] == ["two:1"]
    save(settings, ("two:1",), archive, "oci-archive", "", silent)
    other = Settings(str(tmp_path / "other"))
    load(other, archive, "", silent)
    assert [i.platform for i in images(other)] == ["linux/amd64", "linux/arm64"]


def test_bare_tags_of_layouts_name_nothing(settings: Settings, tmp_path: Path) -> None:
    write_layout(str(tmp_path / "made"), (image("x"), {NAME: "latest"}))
    (loaded,) = load(settings, str(tmp_path / "made"), "", silent)
    assert loaded.names == ()


ROOT = tar_of(("bin/sh", b"a shell"), ("etc/x", b"text"))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_import(settings: Settings, tmp_path: Path, pack: object) -> None:
    (tmp_path / "root").write_bytes(pack(ROOT))  # type: ignore[operator]
    request = ImportRequest(
        str(tmp_path / "root"),
        "root:1",
        ('CMD ["/bin/sh"]', "ENV A=1 B='x y'", "WORKDIR /w", "LABEL k=v", "EXPOSE 80", "USER 7"),
        "a message",
        "linux/arm64",
        1_000_000_000,
    )
    imported = import_root(settings, request, silent)
    (told,) = inspect(settings, ("root:1",), "linux/arm64")
    assert told["Id"] == imported.id and told["RootFS"]["Layers"] == [digest_of(ROOT)]
    assert told["Created"] == "2001-09-09T01:46:40Z" and told["Architecture"] == "arm64"
    config = {"Cmd": ["/bin/sh"], "Env": ["A=1", "B=x y"], "WorkingDir": "/w", "User": "7", "Labels": {"k": "v"}}
    assert config.items() <= told["Config"].items() and told["Config"]["ExposedPorts"] == {"80/tcp": {}}
    assert [line.comment for line in history(settings, "root:1")] == ["a message"]
    assert import_root(settings, request, silent) == imported, "the same again"
    with Store(settings.root) as store:
        manifest = Manifest.parse(store.blobs.read(imported.digest), "x")
        assert gzip.decompress(store.blobs.read(manifest.layers[0].digest)) == ROOT


@pytest.mark.parametrize(
    ("content", "changes", "words"),
    [
        (ROOT, ("RUN ls",), "'RUN ls' cannot be made"),
        (ROOT, ("COPY a b",), "cannot be made"),
        (ROOT, ("ENV A=1\nFROM x",), "cannot be made"),
        (ROOT, ("CDM x",), "unknown instruction: CDM"),
        (ROOT, ("ENV",), "ENV requires at least one argument"),
        (b"no tar" * 200, (), "root"),
        (ROOT[:600], (), "truncated"),
        (gzip.compress(ROOT)[:-20], (), "gzip: "),
        (b"", (), "holds no files"),
        (tar_of(("../../etc/passwd", b"x")), (), "root"),
        (tar_of(("a", b"x"), ("a/b", b"x")), (), "'a' is a file, but other entries lie under it"),
    ],
)
def test_what_cannot_be_imported(
    settings: Settings, tmp_path: Path, content: bytes, changes: tuple[str, ...], words: str
) -> None:
    (tmp_path / "root").write_bytes(content)
    with pytest.raises(KezuriError) as caught:
        import_root(settings, ImportRequest(str(tmp_path / "root"), "x", changes), silent)
    assert words in "".join(d.message for d in caught.value.diagnostics)
    with Store(settings.root) as store:
        assert store.names.all() == {} and store.blobs.digests() == []


def test_what_is_not_there(settings: Settings, tmp_path: Path) -> None:
    for source, words in ((str(tmp_path / "none"), "No such file"), (str(tmp_path), "Is a directory")):
        with pytest.raises(KezuriError, match=words):
            import_root(settings, ImportRequest(source), silent)
    with pytest.raises(KezuriError, match="cannot carry a digest"):
        import_root(settings, ImportRequest("-", f"x@{digest_of(b'')}"), silent)
