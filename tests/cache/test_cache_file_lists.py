"""Lists of files by digest: kept, found and bounded."""

from kezuri.cache.file_lists import FileLists
from kezuri.store.database import Database


def test_kept_and_found() -> None:
    lists = FileLists(Database(":memory:"))
    assert lists.find("d") is None
    lists.keep("d", "f644 0:0 ab \udc80\n")
    assert lists.find("d") == "f644 0:0 ab \udc80\n"
    lists.keep("empty", "")
    assert lists.find("empty") == ""
    lists.forget_all_but({"empty"}, float("inf"))
    assert lists.find("d") is None and lists.find("empty") == ""


def test_the_oldest_make_room() -> None:
    database = Database(":memory:")
    lists = FileLists(database, most_bytes=100)
    for i in range(9):
        lists.keep(f"d{i}", "".join(f"{i * j}" for j in range(12)))
    kept = [digest for digest, _ in lists.sizes()]
    assert kept == [f"d{i}" for i in range(8, 8 - len(kept), -1)] and 1 < len(kept) < 9
    assert sum(size for _, size in lists.sizes()) <= 100


def test_too_many_files_are_known_by_their_digest_only() -> None:
    lists = FileLists(Database(":memory:"))
    lists.keep("d", "x\n" * 200_001)
    assert lists.find("d") is None
