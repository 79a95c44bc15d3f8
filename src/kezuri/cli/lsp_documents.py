"""The open documents of an editor, and what is known of each of their versions."""

import re
from typing import NamedTuple

from kezuri.app.editing import OpenFile
from kezuri.check.told import Sheet
from kezuri.diagnostics import Diagnostic
from kezuri.dockerfile.parser import Dockerfile, parse
from kezuri.editor.positions import Positions, Unit

_LONE = re.compile("[\ud800-\udfff]")


class Checked(NamedTuple):
    """What there is to say about one version of a document."""

    sheet: Sheet
    wrong: tuple[Diagnostic, ...]


class Document:
    """One version of a document: a change makes another one. `path` is empty for a text that has no file."""

    def __init__(self, uri: str, version: int, path: str, text: str, unit: Unit) -> None:
        self.uri = uri
        self.version = version
        # Half of a surrogate pair is no character of any text; as wide in every unit is the sign for that.
        self.text = _LONE.sub("\ufffd", text)
        self.file = OpenFile(path, self.text)
        self.positions = Positions(self.text, unit)
        self.checked: Checked | None = None
        self._parsed: Dockerfile | None = None

    @property
    def parsed(self) -> Dockerfile:
        """The text, parsed once."""
        if self._parsed is None:
            self._parsed = parse(self.text, self.file.shown)
        return self._parsed
