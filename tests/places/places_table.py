"""The rows of docs/places.md."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "places.md"


class Row(NamedTuple):
    """A place, the options that are given there, and what is said where something is missing (nothing: it works)."""

    place: str
    given: tuple[str, ...]
    works: bool
    said: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.place, *self.given))


def rows() -> list[Row]:
    """The first table of the page."""
    found = []
    table = PAGE.read_text().partition("| place |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        place, given, happens = (cell.strip() for cell in line.strip("|").split("|"))
        said = tuple(word for word in re.findall("`([^`]+)`", happens) if word != "doctor")
        found.append(Row(place.replace("`", ""), tuple(given.strip("`").split()), happens == "works", said))
    return found
