"""Builds and collections of one store at once: nothing that a build needs goes, and what is not needed does."""

import os
import threading
import time
from pathlib import Path

import pytest
from tests.build.build_workshop import Workshop, own, tar_of, write_layout

from kezuri.app.build import build
from kezuri.app.request import BuildRequest, Settings
from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.forms.packing import Packing
from kezuri.linux.ownership import Privilege
from kezuri.oci.descriptor import Descriptor, digest_of
from kezuri.progress.calling_off import CalledOff
from kezuri.progress.events import Event, StepStarted
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits
from kezuri.upkeep.removal import Gone
from kezuri.upkeep.soundness import Soundness
from kezuri.upkeep.spared import Spared


class Nobody:
    """Has no layers."""

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        raise AssertionError


def prune(store: Store) -> list[Gone]:
    return list(Collector(store, Privilege()).collect(Limits(everything=True)))


def age(shop: Workshop) -> None:
    """Let everything in the store have been used a month ago."""
    with Store(str(shop.root)) as store:
        for table in ("layer", "record", "mount", "image", "download"):
            store.database.rows(f"UPDATE {table} SET used = used - 2600000")


def test_what_a_build_has_found_is_in_use_from_then_on(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write(a="1", b="2")
    layout = write_layout(tmp_path / "base", [tar_of(("etc", None))])
    contexts = (("base", f"oci-layout://{layout}"),)
    shop.build("FROM base\nCOPY a /a\nCOPY b /b", build_contexts=contexts)
    age(shop)
    gone: list[Gone] = []

    with Store(str(shop.root)) as other:

        class Pruning:
            """Another process collects everything in the middle of the build."""

            begun = False

            def __call__(self, event: Event) -> None:
                self.begun = self.begun or (isinstance(event, StepStarted) and "COPY a" in str(event.name))
                if self.begun:
                    gone.extend(prune(other))

        shop.write(b="3")
        settings = Settings(str(shop.root))
        result = build(BuildRequest(context=str(shop.context), build_contexts=contexts), settings, Pruning())
        assert result.cached == 1 and result.ran == 1
    # The result of the old b was nobody's.
    assert "COPY b /b" in {g.name for g in gone} and "COPY a /a" not in {g.name for g in gone}
    assert set(shop.files(result)) == {"etc", "a", "b"}
    assert shop.check() == []


@pytest.mark.usefixtures("entered")
def test_builds_go_on_while_everything_is_collected_all_the_time(tmp_path: Path) -> None:
    root = tmp_path / "store"
    layout = write_layout(tmp_path / "base", [tar_of(("etc", None), ("etc/x", b"base"))])
    stop = threading.Event()
    failures: list[BaseException] = []
    built = [0, 0]
    pruned: list[Gone] = []

    def work(number: int) -> None:
        shop = Workshop(tmp_path / f"w{number}", root)
        text = "FROM base AS a\nCOPY same /s\nFROM base\nCOPY --from=a /s /s\nCOPY own /own\nCOPY --from=a /etc /e"
        shop.write(same="same")
        try:
            while not stop.is_set():
                shop.write(own=str(built[number] % 3))
                # Under a name it stays readable when the build is over.
                result = shop.build(text, build_contexts=(("base", f"oci-layout://{layout}"),), tags=(f"w{number}",))
                files = shop.files(result)
                assert files["own"] == str(built[number] % 3).encode() and files["e/x"] == b"base"
                built[number] += 1
        except BaseException as error:
            failures.append(error)

    def collect() -> None:
        try:
            while not stop.is_set():
                with Store(str(root)) as store:
                    pruned.extend(prune(store))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    threads.append(threading.Thread(target=collect))
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    while time.monotonic() < begun + (1.2 if all(built) and pruned else 30) and not failures:
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure
    assert all(built) and pruned


def test_a_directory_that_is_in_use_stays_when_its_layer_is_made_again(tmp_path: Path) -> None:
    with Store(str(tmp_path / "store")) as store:
        forms = Forms(store, own(store), Nobody())
        places = []
        for content in ("first", "second"):
            with store.scratch("x") as scratch:
                made = Path(scratch, "diff")
                made.mkdir()
                (made / "f").write_text(content)
                places.append(Path(forms.publish_directory("copy-1", str(made))))
        assert [(p / "f").read_text() for p in places] == ["first", "second"]
        assert forms.directory("copy-1", ()) == str(places[1])
        with Store(str(tmp_path / "store")) as other:
            assert [g.name for g in prune(other)] == []
        gone = {g.name for g in prune(store)}
        assert places[0].name in gone and os.listdir(tmp_path / "store" / "layers") == []


def test_a_layer_that_is_gone_is_an_error_and_no_waiting(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        forms = Forms(store, own(store), Nobody())
        for ask in (lambda: forms.directory("x", ()), lambda: forms.blob("x", Packing()), lambda: forms.any_blob("x")):
            with pytest.raises(KezuriError, match="layer x is not in the store any more"):
                ask()


def test_a_store_that_opens_waits_for_what_is_being_taken_away(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        store.database.put_layer("l")
        order: list[str] = []

        def opens() -> None:
            with Store(str(tmp_path)):
                order.append("opened")

        with Spared(store).taking(0.0) as free:
            assert free
            thread = threading.Thread(target=opens)
            thread.start()
            thread.join(0.1)
            order.append("taken away")
        thread.join()
        assert order == ["taken away", "opened"]
        with Store(str(tmp_path)), Spared(store).taking(time.time()) as free:
            assert not free


def test_the_lock_of_a_removed_file_excludes_nobody_and_is_not_believed(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        held: list[str] = []

        def take() -> None:
            with store.lock("key-a"):
                held.append("second")

        with store.lock("key-a") as free:
            assert free
            thread = threading.Thread(target=take)
            thread.start()
            time.sleep(0.05)
            # What a collection does to a lock that it found free just before.
            os.unlink(tmp_path / "locks" / "key-a")
        thread.join()
        assert held == ["second"] and (tmp_path / "locks" / "key-a").exists()


def test_waiting_for_a_lock_can_be_called_off(tmp_path: Path) -> None:
    cancel = threading.Event()
    with Store(str(tmp_path)) as store, store.lock("key-a"):
        threading.Timer(0.1, cancel.set).start()
        with pytest.raises(CalledOff), store.lock("key-a", cancel=cancel):
            pass


def test_what_a_killed_process_left_is_nobodys(tmp_path: Path) -> None:
    """A directory and a listing that were put in place and not yet written down."""
    with Store(str(tmp_path)) as store:
        (tmp_path / "layers" / "run-x").mkdir()
        (tmp_path / "listings" / digest_of(b"x")[7:47]).write_bytes(b"x")
        assert list(Soundness(store, Privilege()).check(repair=False)) == []
        assert [(g.kind, g.name) for g in prune(store)] == [
            ("snapshot", "run-x"),
            ("listing", digest_of(b"x")[7:47]),
        ]
        assert os.listdir(tmp_path / "layers") == os.listdir(tmp_path / "listings") == []
