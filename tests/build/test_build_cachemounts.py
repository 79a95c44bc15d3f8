"""Cache mounts handed out to steps that run at the same time."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
from tests.build.build_workshop import own

from kezuri.plan.operation import CacheMount
from kezuri.step.cachemounts import CacheMounts
from kezuri.step.selections import Selections
from kezuri.step.task import Cache
from kezuri.step.tasks import family
from kezuri.store.store import Store

CANCEL = threading.Event()


def cache(
    name: str, sharing: str = "shared", target: str = "/c", namespace: str = "", mode: int | None = None
) -> Cache:
    planned = CacheMount(target, name, sharing, None, "/", mode, None, None, False)
    return Cache(target, namespace, name, family(namespace, planned), sharing, None, mode, None, None, False)


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[CacheMounts]:
    with Store(str(tmp_path / "store")) as store:
        # Without a seed nothing is selected.
        yield CacheMounts(store, own(store), cast(Selections, None))


@pytest.mark.parametrize("sharing", ["shared", "private", "locked"])
def test_one_cache_is_one_directory_of_a_step_and_is_there_for_the_next(mounts: CacheMounts, sharing: str) -> None:
    asked = [cache("a", sharing, "/1"), cache("b", sharing, "/2"), cache("a", sharing, "/3")]
    with mounts.hold(asked, CANCEL) as first:
        assert first[0] == first[2] != first[1]
    with mounts.hold(asked, CANCEL) as again:
        assert again == first


def test_the_first_mount_says_how_it_is_shared(mounts: CacheMounts) -> None:
    with (
        mounts.hold([cache("a"), cache("a", "private")], CANCEL) as one,
        mounts.hold([cache("a")], CANCEL) as two,
    ):
        assert [*one, *two] == [one[0]] * 3


@pytest.mark.parametrize(
    ("held", "asked", "same"),
    [
        ("shared", "shared", True),
        ("shared", "private", False),
        ("private", "shared", False),
        ("private", "private", False),
        ("locked", "shared", False),
        ("locked", "private", False),
    ],
)
def test_what_another_step_gets_meanwhile(mounts: CacheMounts, held: str, asked: str, same: bool) -> None:
    with mounts.hold([cache("a", held)], CANCEL) as one, mounts.hold([cache("a", asked)], CANCEL) as other:
        assert (one == other) is same
    with mounts.hold([cache("a", asked)], CANCEL) as later:
        assert later == one, "it is the cache's own directory again when nobody else uses it"


@pytest.mark.parametrize("held", ["shared", "private", "locked"])
def test_one_that_is_locked_waits(mounts: CacheMounts, held: str) -> None:
    got: list[str] = []

    def ask() -> None:
        with mounts.hold([cache("a", "locked")], CANCEL) as found:
            got.extend(found)

    other = threading.Thread(target=ask)
    with mounts.hold([cache("a", held)], CANCEL) as one:
        other.start()
        other.join(0.3)
        assert other.is_alive() and got == []
    other.join(20)
    assert got == one


def test_steps_that_lock_in_another_order_all_get_their_turn(mounts: CacheMounts) -> None:
    done: list[int] = []

    def ask(number: int) -> None:
        names = ("x", "y", "z")[number % 3 :] + ("x", "y", "z")[: number % 3]
        for _ in range(5):
            with mounts.hold([cache(name, "locked") for name in names], CANCEL):
                done.append(number)

    with ExitStack() as ended:
        for number in range(6):
            thread = threading.Thread(target=ask, args=(number,), daemon=True)
            thread.start()
            ended.callback(thread.join, 30)
    assert len(done) == 30


def made(mounts: CacheMounts, *asked: Cache) -> list[str]:
    with mounts.hold(asked, CANCEL) as found:
        return list(found)


@pytest.mark.parametrize("sharing", ["shared", "private", "locked"])
def test_renewed_ones_begin_empty_and_the_old_ones_are_gone(mounts: CacheMounts, sharing: str) -> None:
    asked = [cache("a", sharing), cache("other", sharing), cache("a", sharing, mode=0o700)]
    before = made(mounts, *asked)
    for directory in before:
        Path(directory, "kept").touch()
    mounts.renew(mount.family for mount in asked[:1])
    after = made(mounts, *asked)
    assert after[0] != before[0] and os.listdir(after[0]) == [] and not os.path.exists(before[0])
    assert after[1:] == before[1:], "another id stays, and so does one that something was made of"
    mounts.renew(mount.family for mount in [asked[2]])
    assert made(mounts, *asked)[:2] == after[:2] and not os.path.exists(before[2])
    assert made(mounts, *asked) == made(mounts, *asked)


@pytest.mark.parametrize("sharing", ["shared", "private", "locked"])
def test_renewed_ones_that_a_step_holds_stay_its_own_until_it_ends(mounts: CacheMounts, sharing: str) -> None:
    asked = [cache("a", sharing)]
    with mounts.hold(asked, CANCEL) as held:
        Path(held[0], "kept").touch()
        mounts.renew(mount.family for mount in asked)
        assert os.listdir(held[0]) == ["kept"]
        (new,) = made(mounts, *asked)
        assert new != held[0] and os.listdir(new) == []
    assert not os.path.exists(held[0]) and made(mounts, *asked) == [new]


def test_renewed_ones_of_another_namespace_stay(mounts: CacheMounts, tmp_path: Path) -> None:
    with Store(str(tmp_path / "store")) as store:
        elsewhere = CacheMounts(store, own(store), cast(Selections, None))
        before = made(elsewhere, cache("a", namespace="elsewhere"))
        mounts.renew([cache("a").family])
        assert made(elsewhere, cache("a", namespace="elsewhere")) == before
