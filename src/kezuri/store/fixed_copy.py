"""The database of a store that cannot be written, read into memory."""

import os
import sqlite3
from urllib.parse import quote


def fixed_copy(path: str) -> sqlite3.Connection:
    """What the database holds, in memory; sqlite3.Error where it cannot be read. It is empty where there is none.

    Who else has the store open (from where it can be written) shares its write-ahead log with us. Where nobody has, the
    log is what a killed process left; SQLite reads it only beside files that it may write, so these are copied.
    """
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if not os.path.exists(path):
        return copy
    try:
        return _read(path, "mode=ro", copy)
    except sqlite3.OperationalError:
        if not _holds(f"{path}-wal"):
            return _read(path, "mode=ro&immutable=1", copy)
    import tempfile

    with tempfile.TemporaryDirectory() as aside:
        beside = os.path.join(aside, "kezuri.db")
        for suffix in ("", "-wal"):
            with open(path + suffix, "rb") as source, open(beside + suffix, "wb") as target:
                while piece := source.read(1 << 20):
                    target.write(piece)
        return _read(beside, "mode=rw", copy)


def _read(path: str, how: str, copy: sqlite3.Connection) -> sqlite3.Connection:
    source = sqlite3.connect(f"file:{quote(path)}?{how}", uri=True)
    try:
        source.backup(copy)
    finally:
        source.close()
    return copy


def _holds(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except FileNotFoundError:
        return False
