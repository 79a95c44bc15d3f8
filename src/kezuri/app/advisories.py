"""The database of advisories opened: where it is, and what is told about how old it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kezuri.app.request import Settings

if TYPE_CHECKING:
    from kezuri.advisories.database import Database


@contextmanager
def opened_database(settings: Settings) -> "Iterator[Database]":
    """The database of `settings.db`. KezuriError, with what to do, where there is none or it cannot be used."""
    from kezuri.advisories.database import Database, NoDatabase

    if not settings.db:
        raise NoDatabase.of(
            "it is not known where the database of advisories is: HOME is not set",
            hint="name it with --db or KEZURI_DB",
            exit_code=2,
        )
    with Database.open(settings.db) as database:
        yield database
