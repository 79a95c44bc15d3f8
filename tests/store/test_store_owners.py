"""Directories are used by processes that see the owners in them as those who made them did, and by no others."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Ownership, Privilege, ownership
from kezuri.store.owners import Owners
from kezuri.store.store import Store

UID, GID = os.geteuid(), os.getegid()


def plain(*, shown: int = UID, count: int = 1, marks: bool = True) -> Ownership:
    """One id, root, which stat shows as another one."""
    return Ownership(((0, shown, count),), ((0, GID, count),), marks, True)


def of(store: Store, seen: Ownership, enter: Callable[[], None] = lambda: None) -> Owners:
    return Owners(store, Privilege(enter, lambda: seen))


def test_nothing_is_known_before_something_was_made_and_then_it_is_for_the_same_ids_only(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        assert of(store, plain()).known() == ""
        name = of(store, plain()).settled()
        assert name and of(store, plain()).known() == of(store, plain()).settled() == name
        others = (plain(shown=UID + 1), plain(count=2), plain(marks=False))
        assert [of(store, other).known() for other in others] == ["", "", ""]
        assert os.listdir(tmp_path / "tmp") == []


def test_the_same_numbers_seen_through_another_map_are_others(tmp_path: Path) -> None:
    """What a user namespace within another one cannot know of itself, the files on the disk tell."""
    with Store(str(tmp_path)) as store:
        first = of(store, plain()).settled()
        # Elsewhere the file of the witness shows another owner than its name says.
        (witness,) = os.listdir(tmp_path / "owners" / first)
        os.rename(tmp_path / "owners" / first / witness, tmp_path / "owners" / first / "7-7")
        assert of(store, Ownership(((0, UID, 8),), ((0, GID, 8),), True, True)).known() == ""


def test_owners_are_looked_at_again_once_the_user_namespace_is_entered(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        entered: list[bool] = []
        foretold = Ownership(((0, UID, 1), (1, 100_000, 65_536)), ((0, GID, 1),), True, False)

        def look() -> Ownership:
            return plain() if entered else foretold

        owners = Owners(store, Privilege(lambda: entered.append(True), look))
        assert owners.known() == "" and not entered
        assert owners.settled() == of(store, plain()).known() != ""
        owners.enter()
        assert entered == [True]


@pytest.mark.slow
def test_root_gives_its_witnesses_the_ends_of_what_it_has(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        name = Owners(store, Privilege()).settled()
        seen = ownership()
        last = seen.uids[-1][0] + seen.uids[-1][2] - 1
        named = sorted(int(n.partition("-")[0]) for n in os.listdir(tmp_path / "owners" / name))
        assert named[0] == 0 and named[-1] == last
        for witness in os.listdir(tmp_path / "owners" / name):
            status = os.lstat(tmp_path / "owners" / name / witness)
            assert witness == f"{status.st_uid}-{status.st_gid}"


def test_a_disk_that_takes_no_witness_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with Store(str(tmp_path)) as store:
        monkeypatch.setattr(os, "chown", refuse)
        with pytest.raises(KezuriError, match=r"cannot write .*/owners/"):
            of(store, plain()).settled()


def test_ids_that_were_foretold_and_not_granted_are_not_foretold_again(tmp_path: Path) -> None:
    """What is said to be there before the namespace is entered has to be there afterwards."""
    with Store(str(tmp_path)) as store:
        granted = [True]
        entered: list[bool] = []
        many, one = plain(count=2), plain()

        def look() -> Ownership:
            seen = many if granted[0] or not entered else one
            return seen._replace(entered=bool(entered))

        def again() -> Owners:
            entered.clear()
            return Owners(store, Privilege(lambda: entered.append(True), look))

        name = again().settled()
        assert again().known() == name
        granted[0] = False
        owners = again()
        assert owners.known() == name and owners.settled() != name
        assert again().known() == ""
        granted[0] = True
        assert again().settled() == name and again().known() == name
