"""The images among what `kezuri check` is pointed at, and those that its Dockerfiles are built to."""

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from kezuri.app.check_places import Found
from kezuri.app.request import Settings
from kezuri.check.preferences import Preferences
from kezuri.check.told import Sheet, Told
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.progress.events import Listener

if TYPE_CHECKING:
    from kezuri.app.lint import CheckRequest

_SAYS_WHERE = re.compile(
    r"(?:docker://|store:|oci-layout:|oci:|oci-archive:|docker-archive:|docker-daemon:|containers-storage:)"
)


class Finished:
    """Checks images. `warnings` and `errors` are what of them could not be looked at."""

    def __init__(self, request: "CheckRequest", settings: Callable[[], Settings], listener: Listener) -> None:
        self._request = request
        self._settings = settings
        self._listener = listener
        self.warnings: list[Diagnostic] = []
        self.errors: list[Diagnostic] = []

    def means_image(self, path: str) -> bool:
        """Whether a word of the command line names an image: it says so itself, or there is no such file and the store
        has one of that name."""
        if _SAYS_WHERE.match(path):
            return True
        if path == "-" or "\0" in path or not path or os.path.lexists(path) or path.startswith((".", "/")):
            return False
        from kezuri.app.image_check import in_store

        return in_store(self._settings(), path)

    def named(self, name: str, preferences: Preferences) -> Sheet:
        """The image of that name. KezuriError when it cannot be had."""
        from kezuri.app.image_check import check_named

        platform = str(self._request.platform) if self._request.platform is not None else ""
        found = check_named(self._settings(), name, platform, preferences.selection)
        self.warnings += found.warnings
        return found.sheet

    def built(self, dockerfile: Found, sheet: Sheet, preferences: Preferences) -> list[Sheet]:
        """What a Dockerfile is built to, where that is wanted, without what was said of the Dockerfile already. Why it
        cannot be built is told as what could not be checked."""
        request = self._request.build
        if request is None or dockerfile.document:
            return []
        if not dockerfile.path:
            self.errors.append(
                Diagnostic("error", "what is read from standard input is not built", hint="name the file")
            )
            return []
        from kezuri.app.image_check import check_built

        context = self._request.context or dockerfile.directory
        wanted = request._replace(context=context, file=os.path.abspath(dockerfile.path))
        try:
            found = check_built(self._settings(), wanted, sheet.source, preferences.selection, self._listener)
        except KezuriError as error:
            self.errors += error.diagnostics
            return []
        self.warnings += found.warnings
        said = {(told.rule.name, told.line) for told in sheet.told}
        return [*_split(found.sheet, sheet, said)]


def _split(found: Sheet, dockerfile: Sheet, said: set[tuple[str, int]]) -> list[Sheet]:
    """The findings at lines of the Dockerfile, and those at the history of the image."""
    here: list[Told] = []
    there: list[Told] = []
    for told in found.told:
        if told.source.name != dockerfile.source.name:
            there.append(told)
        elif (told.rule.name, told.line) not in said:
            here.append(told)
    sheets = [Sheet(dockerfile.source, tuple(here))] if here else []
    if there or found.defects:
        sheets.append(Sheet(found.source, tuple(there), found.defects))
    return sheets
