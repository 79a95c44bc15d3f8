"""The store: nothing half-published, names that other tools read, collection that spares what is needed."""

import json
import os
import time
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Privilege
from kezuri.linux.usage import disk_use
from kezuri.oci.descriptor import CONFIG, LAYER, MANIFEST, REF_NAME, Descriptor, Manifest, canonical, digest_of
from kezuri.store.facts import Download
from kezuri.store.schema import DirectoryRow, FormRow, RecordRow
from kezuri.store.store import Store, remove_tree
from kezuri.upkeep.collector import Collector, Limits
from kezuri.upkeep.figures import Figures
from kezuri.upkeep.piece import Piece, Ties, Use
from kezuri.upkeep.soundness import Soundness


def image(store: Store, name: str, content: bytes = b"layer") -> Descriptor:
    """A tiny image under a name; its manifest's descriptor."""
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    layer = store.blobs.put(content)
    manifest = canonical(
        Manifest(
            Descriptor(CONFIG, store.blobs.put(config), len(config)), (Descriptor(LAYER, layer, len(content)),)
        ).to_json()
    )
    descriptor = Descriptor(MANIFEST, store.blobs.put(manifest), len(manifest))
    store.names.put(name, descriptor)
    return descriptor


def record(key: str, layer: str, used: float) -> RecordRow:
    return RecordRow(key, "state", layer, "RUN", f"RUN {key}", "[]", 1.0, used, used, 1)


def test_a_blob_is_there_only_after_commit(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        digest = digest_of(b"hello")
        with store.blobs.writer() as writer:
            writer.write(b"hel")
            assert not store.blobs.has(digest)
            writer.write(b"lo")
            assert writer.commit() == digest
        assert store.blobs.read(digest) == b"hello"
        with store.blobs.writer() as writer:
            writer.write(b"never")
        assert not store.blobs.has(digest_of(b"never"))
        assert os.listdir(tmp_path / "tmp") == []


def test_a_blob_that_is_not_the_expected_one_is_refused(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        with (
            pytest.raises(KezuriError, match="expected 5 bytes"),
            store.blobs.writer(Descriptor("", digest_of(b"right"), 5)) as writer,
        ):
            writer.write(b"wrong")
            writer.commit()
        assert store.blobs.digests() == []


def test_a_damaged_blob_is_an_error_that_names_it(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        digest = store.blobs.put(b"good")
        Path(store.blobs.path(digest)).write_bytes(b"baad")
        with pytest.raises(KezuriError, match=digest):
            store.blobs.read(digest)


@pytest.mark.parametrize("digest", ["", "sha256:..", "sha256:" + "g" * 64, "../../etc/passwd", "md5:" + "a" * 32])
def test_a_text_that_is_no_digest_is_never_a_path(tmp_path: Path, digest: str) -> None:
    with Store(str(tmp_path)) as store, pytest.raises(KezuriError, match="not a sha256 digest"):
        store.blobs.path(digest)


def test_names_are_an_index_that_other_tools_read(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        descriptor = image(store, "docker.io/library/app:v1")
        store.names.put("docker.io/library/app:v2", descriptor)
    index = json.loads((tmp_path / "index.json").read_text())
    assert [m["annotations"][REF_NAME] for m in index["manifests"]] == [
        "docker.io/library/app:v1",
        "docker.io/library/app:v2",
    ]
    assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


def test_a_name_moves_and_goes(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        image(store, "a/b:c", b"one")
        second = image(store, "a/b:c", b"two")
        found = store.names.get("a/b:c")
        assert found is not None and found.digest == second.digest
        assert store.names.delete("a/b:c") is not None
        assert store.names.get("a/b:c") is None
        assert store.names.delete("a/b:c") is None


def test_a_damaged_index_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        (tmp_path / "index.json").write_text("{")
        with pytest.raises(KezuriError, match=r"index\.json is damaged"):
            store.names.all()
        assert [f.kind for f in Soundness(store, Privilege()).check(repair=True)] == ["names"]
        assert store.names.all() == {}


def test_a_second_process_sees_what_the_first_wrote(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as one, Store(str(tmp_path)) as two:
        one.database.put_directory("x", "mine", "d", 3)
        assert (
            two.database.directory("x", "mine") == DirectoryRow("x", "mine", "d", 3)
            and two.database.layer("x") is not None
        )


def test_a_transaction_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        with pytest.raises(RuntimeError), store.database.transaction():
            store.database.put_layer("x")
            raise RuntimeError
        assert store.database.layer("x") is None


def test_another_schema_is_refused(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        store.database.rows("PRAGMA user_version=99")
    with pytest.raises(KezuriError, match="another version of kezuri"), Store(str(tmp_path)):
        pass


def test_directories_of_a_crashed_machine_are_forgotten_with_their_results(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        store.database.put_directory("lost", "mine", "d1", 0)
        store.database.put_record(record("k1", "lost", time.time()))
        store.database.put_directory("packed", "mine", "d2", 0)
        store.database.put_form(FormRow("packed", "e", digest_of(b""), 0, LAYER, digest_of(b"")))
        store.database.put_directory("synced", "mine", "d3", 0)
        store.database.rows("UPDATE directory SET boot = 'another boot' WHERE layer IN ('lost', 'packed')")
        store.database.rows("UPDATE directory SET boot = '' WHERE layer = 'synced'")
    with Store(str(tmp_path)) as store:
        assert store.database.layer("lost") is None and store.database.record("k1") is None
        assert store.database.layer("packed") is not None and store.database.directory("packed", "mine") is None
        assert store.database.directory("synced", "mine") == DirectoryRow("synced", "mine", "d3", 0)


class TestCollection:
    def test_images_that_builds_stood_on_stay_without_a_name_until_everything_goes(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            descriptor = image(store, "a/b:c")
            store.names.delete("a/b:c")
            store.database.facts.put_image("docker.io/a/b:c", "linux/amd64", descriptor.digest)
            there = set(store.blobs.digests())
            assert list(Collector(store, Privilege()).collect(Limits())) == []
            assert set(store.blobs.digests()) == there and len(there) == 3
            gone = Collector(store, Privilege()).collect(Limits(everything=True))
            assert {g.name for g in gone} == there and store.blobs.digests() == []

    def test_neither_what_has_a_name_nor_what_is_in_use_may_go(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            piece = Piece("x", "image", "", 1, Use(0.0, 0.0))
            named = piece._replace(ties=Ties(named=True))
            used = piece._replace(use=Use(0.0, time.time()))
            collection = Collector(store, Privilege())
            assert collection.may_go(piece) and not collection.may_go(named)
            with Store(str(tmp_path)):
                assert collection.may_go(piece) and not collection.may_go(named)
                assert not collection.may_go(used)
                assert not collection.may_go(used._replace(ties=named.ties))

    def test_everything_is_counted(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            image(store, "a/b:c")
            os.mkdir(store.layer_directory("d"))
            os.mkdir(store.path("mounts", "m"))
            counts = {kind: count for kind, count, _ in Figures(store, Privilege()).usage()}
            assert counts["blobs"] == 3 and counts["snapshots"] == 1 and counts["cache mounts"] == 1
            assert counts["listings"] == counts["temporary"] == 0

    def test_what_no_result_gives_counts_as_used_once(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            image(store, "a/b:c")
            layer = digest_of(b"layer")
            store.database.put_layer(layer, diff_id=layer)
            store.database.put_form(FormRow(layer, "e", layer, 5, LAYER, layer))
            store.database.put_directory(layer, "mine", "d", 4096)
            os.mkdir(store.layer_directory("d"))
            os.mkdir(store.path("mounts", "m"))
            store.database.put_mount("m", "m")
            Path(store.path("contexts", "c")).touch()
            store.database.facts.put_download("x", Download(digest_of(b"fetched"), "", ""))
            uses = {piece.kind: (piece.use.uses, piece.ties.named) for piece in Collector(store, Privilege()).pieces()}
            others = dict.fromkeys(("internal", "exec.cachemount", "source.local", "source.http"), (1, False))
            assert uses == {"image": (1, True), **others}

    def test_a_result_counts_as_often_as_it_was_used(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            store.database.put_record(record("k", "l1", time.time())._replace(uses=7, seconds=3.0))
            (piece,) = Collector(store, Privilege()).pieces()
            assert (piece.kind, piece.use.uses, piece.use.seconds) == ("regular", 7, 3.0)

    def test_what_a_name_or_a_result_needs_stays(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            named = image(store, "a/b:c")
            loose = store.blobs.put(b"nobody needs this")
            layer_blob = store.blobs.put(b"cached layer")
            store.database.put_layer("l1")
            store.database.put_form(FormRow("l1", "e", layer_blob, 12, LAYER, "d"))
            store.database.put_record(record("k", "l1", time.time()))
            gone = {g.name for g in Collector(store, Privilege()).collect(Limits())}
            assert gone == {loose}
            assert store.blobs.has(named.digest) and store.blobs.has(layer_blob)

    def test_everything_spares_images_with_a_name(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            named = image(store, "a/b:c")
            layer_blob = store.blobs.put(b"cached layer")
            os.mkdir(store.layer_directory("dir"))
            store.database.put_directory("l1", "mine", "dir", 0)
            store.database.put_form(FormRow("l1", "e", layer_blob, 12, LAYER, "d"))
            store.database.put_record(record("k", "l1", time.time()))
            list(Collector(store, Privilege()).collect(Limits(everything=True)))
            assert store.database.records() == [] and store.database.layers() == []
            assert not os.path.exists(store.layer_directory("dir")) and not store.blobs.has(layer_blob)
            assert store.blobs.has(named.digest)

    def test_a_running_build_keeps_what_it_uses(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as running, Store(str(tmp_path)) as pruning:
            fresh = running.blobs.put(b"just written")
            running.database.put_layer("l1")
            running.database.put_record(record("k", "l1", time.time()))
            list(Collector(pruning, Privilege()).collect(Limits(everything=True)))
            assert running.blobs.has(fresh) and running.database.record("k") is not None

    def test_the_least_recently_used_goes_first(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            for i in range(4):
                made = tmp_path / "layers" / f"l{i}"
                made.mkdir()
                (made / "file").write_bytes(b"x" * 4096)
                size = (made / "file").stat().st_blocks * 512
                store.database.put_directory(f"l{i}", "mine", f"l{i}", size)
                store.database.put_record(record(f"k{i}", f"l{i}", 1000.0 + i))
            budget = Figures(store, Privilege()).cache_bytes() // 2
            list(Collector(store, Privilege()).collect(Limits(keep_bytes=budget)))
            assert {r.key for r in store.database.records()} == {"k2", "k3"}

    def test_what_a_dead_process_left_is_cleared(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            dead = os.fork()
            if dead == 0:
                os._exit(0)
            os.waitpid(dead, 0)
            (tmp_path / "tmp" / f"{dead}-step-x" / "deep").mkdir(parents=True)
            mine = tmp_path / "tmp" / f"{os.getpid()}-step-y"
            mine.mkdir()
            gone = [g.kind for g in Collector(store, Privilege()).collect(Limits())]
            assert gone == ["temporary"] and mine.exists()

    def test_figures_add_up_with_du(self, tmp_path: Path) -> None:
        import subprocess

        with Store(str(tmp_path)) as store:
            image(store, "a/b:c", b"x" * 100_000)
            os.mkdir(store.layer_directory("d"))
            (Path(store.layer_directory("d")) / "f").write_bytes(b"y" * 50_000)
            os.link(Path(store.layer_directory("d")) / "f", Path(store.layer_directory("d")) / "g")
            ours = sum(size for _, _, size in Figures(store, Privilege()).usage())
            said = subprocess.run(["du", "-s", "-B1", tmp_path], capture_output=True, check=True).stdout
            theirs = int(said.split()[0])
            rest = sum(os.lstat(tmp_path / n).st_blocks * 512 for n in ("locks", "leases")) + 4096 * 4
            assert 0 <= theirs - ours <= rest

    def test_check_finds_and_repairs(self, tmp_path: Path) -> None:
        with Store(str(tmp_path)) as store:
            descriptor = image(store, "a/b:c")
            store.database.put_directory("gone", "mine", "not there", 0)
            Path(store.blobs.path(store.blobs.put(b"rotten"))).write_bytes(b"r0tten")
            kinds = sorted(f.kind for f in Soundness(store, Privilege()).check(repair=False))
            assert kinds == ["blob", "layer"]
            os.unlink(store.blobs.path(descriptor.digest))
            assert {f.kind for f in Soundness(store, Privilege()).check(repair=True)} == {"blob", "layer", "image"}
            assert list(Soundness(store, Privilege()).check(repair=False)) == []


def test_remove_tree_removes_what_has_no_permissions(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "f").write_text("x")
    deep.chmod(0)
    (tmp_path / "a").chmod(0o500)
    remove_tree(str(tmp_path / "a"))
    assert not (tmp_path / "a").exists()
    assert remove_tree(str(tmp_path / "a")) == 0


@pytest.mark.slow
def test_trees_of_any_depth_are_counted_and_removed(tmp_path: Path) -> None:
    """A step makes them, and what cannot be removed would be in the way of every later build."""
    top = tmp_path / "a"
    top.mkdir()
    (top / "f").write_bytes(b"x" * 5000)
    (top / "out").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "f").write_text("kept")
    here = os.open(top, os.O_RDONLY)
    for number in range(2500):  # deeper than the 4,096 bytes of a path, and than Python's functions can call themselves
        for name in ("xx", "beside") if number % 100 == 0 else ("xx",):
            os.mkdir(name, dir_fd=here)
        below = os.open("xx", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.fchmod(here, 0o500)
    os.close(here)
    assert disk_use(str(top)) >= 5000
    assert remove_tree(str(top)) >= 5000
    assert sorted(os.listdir(tmp_path)) == ["kept"] and os.listdir(tmp_path / "kept") == ["f"]


def test_a_directory_with_other_files_does_not_become_a_store(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letter").write_text("dear")
    (tmp_path / "tmp").mkdir()  # as in / and /var
    with pytest.raises(KezuriError, match="is no store: it holds letter"), Store(str(tmp_path)):
        pass
    assert sorted(os.listdir(tmp_path)) == ["letter", "tmp"]
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_an_empty_volume_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    with Store(str(tmp_path)):
        pass
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def begun(root: Path, data: bytes) -> Descriptor:
    """A blob of which the first four bytes came before the fetching was interrupted."""
    expected = Descriptor(LAYER, digest_of(data), len(data))
    with Store(str(root)) as store, store.blobs.writer(expected) as writer:
        writer.write(data[:4])
    return expected


def test_an_interrupted_blob_is_gone_on_with(tmp_path: Path) -> None:
    expected = begun(tmp_path, b"whole blob")
    assert os.listdir(tmp_path / "partial") == [expected.digest[7:]]
    with Store(str(tmp_path)) as store:
        with store.blobs.writer(expected) as writer:
            assert writer.offset == 4
            writer.write(b"e blob")
            writer.commit()
        assert store.blobs.read(expected.digest) == b"whole blob"
    assert remaining(tmp_path) == []


def remaining(root: Path) -> list[str]:
    return os.listdir(root / "tmp") + os.listdir(root / "partial")


def test_what_does_not_become_the_blob_is_not_kept(tmp_path: Path) -> None:
    expected = begun(tmp_path, b"whole blob")
    with (
        Store(str(tmp_path)) as store,
        pytest.raises(KezuriError, match="expected"),
        store.blobs.writer(expected) as writer,
    ):
        writer.write(b"wrong!")
        writer.commit()
    assert remaining(tmp_path) == []


def test_two_writers_of_a_blob_do_not_share_its_part(tmp_path: Path) -> None:
    expected = begun(tmp_path, b"whole blob")
    with Store(str(tmp_path)) as store, Store(str(tmp_path)) as other:
        with store.blobs.writer(expected) as first, other.blobs.writer(expected) as second:
            assert (first.offset, second.offset) == (4, 0)
            second.write(b"whole blob")
            first.write(b"e blob")
            assert list(Collector(other, Privilege()).collect(Limits())) == []
            second.commit()
            first.commit()
        assert store.blobs.read(expected.digest) == b"whole blob"
    assert remaining(tmp_path) == []


def test_half_blobs_are_counted_and_pruned(tmp_path: Path) -> None:
    expected = begun(tmp_path, b"whole blob")
    name = f"partial/{expected.digest[7:]}"
    with Store(str(tmp_path)) as store:
        collection = Collector(store, Privilege())
        (piece,) = collection.pieces()
        assert (piece.id, piece.kind, piece.title) == (name, "internal", f"part of blob {expected.digest}")
        assert list(collection.abandoned()) == []
        (candidate,) = collection.candidates(Limits())
        assert candidate.pieces == (piece,)
        # The removal of an image is none of what is being fetched.
        assert list(collection.collect(Limits(untagged=False))) == []
        (gone,) = collection.collect(Limits(chosen=lambda p: p.id == name))
        assert (gone.kind, gone.size) == ("temporary", piece.size)
    begun(tmp_path, b"whole blob")
    os.utime(tmp_path / name, (0, 0))
    with Store(str(tmp_path)) as store:
        assert [gone.name for gone in Collector(store, Privilege()).abandoned()] == [expected.digest[7:]]
    assert remaining(tmp_path) == []


def test_many_names_are_given_at_once(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        old, new = Descriptor("m", "sha256:" + "1" * 64, 1), Descriptor("m", "sha256:" + "2" * 64, 1)
        store.names.put("docker.io/library/a:1", old)
        store.names.put("docker.io/library/b:1", old)
        store.names.keep(new)
        names = [f"docker.io/library/{name}:1" for name in ("a", "b", "c")]
        store.names.put_all(names, new)
        assert {name: found.digest for name, found in store.names.all().items()} == dict.fromkeys(names, new.digest)
        assert [one.digest for one in store.names.untagged()] == [old.digest]
        before = store.names.version()
        store.names.put_all(names, new)
        store.names.put_all((), new)
        assert store.names.version() == before
