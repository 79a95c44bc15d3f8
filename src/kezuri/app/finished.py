"""The images among what `kezuri check` is pointed at, and those that its Dockerfiles are built to."""

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from kezuri.app.check_places import Found
from kezuri.app.request import BuildRequest, Settings
from kezuri.check.preferences import Preferences
from kezuri.check.sheets import order
from kezuri.check.told import Sheet, Told
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci.platform import Platform
from kezuri.progress.events import Listener

if TYPE_CHECKING:
    from kezuri.app.known_faults import KnownFaults

_SAYS_WHERE = re.compile(
    r"(?:docker://|store:|oci-layout:|oci:|oci-archive:|docker-archive:|docker-daemon:|containers-storage:)"
)


class Finished:
    """Checks images. `warnings` and `errors` are what of them could not be looked at, `faults` what is known to be
    broken in those that were named."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        listener: Listener,
        platform: Platform | None,
        context: str,
        build: BuildRequest | None,
    ) -> None:
        """`context` is the build context where it is not each file's own directory, `build` how Dockerfiles are built
        beside that; None: they are not."""
        self._platform = platform
        self._context = context
        self._build = build
        self._settings = settings
        self._listener = listener
        self.warnings: list[Diagnostic] = []
        self.errors: list[Diagnostic] = []
        self.faults: list[tuple[str, KnownFaults]] = []

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

        platform = str(self._platform) if self._platform is not None else ""
        found = check_named(self._settings(), name, platform, preferences.selection)
        self.warnings += found.warnings
        self._ask_faults(name, platform)
        return found.sheet

    def _ask_faults(self, name: str, platform: str) -> None:
        """What is known to be broken in the image, where there is a database; what cannot be known is told."""
        settings = self._settings()
        if not settings.db or not os.path.isfile(settings.db):
            return
        from kezuri.app.known_faults import known_faults
        from kezuri.app.sbom import BillRequest

        try:
            self.faults.append((name, known_faults(settings, BillRequest(name, platform, image=True))))
        except KezuriError as error:
            message = f"known faults of {name} are not counted: {error.diagnostics[0].message}"
            self.warnings.append(Diagnostic("info", message))

    def built(self, dockerfile: Found, sheet: Sheet, preferences: Preferences, today: str) -> list[Sheet]:
        """A Dockerfile's sheet with what there is to say about the image that it is built to, where that is wanted, and
        a sheet for what stands nowhere in it. Why it cannot be built is told as what could not be checked."""
        if self._build is None or dockerfile.document:
            return [sheet]
        if not dockerfile.path:
            message = "what is read from standard input is not built"
            self.errors.append(Diagnostic("error", message, hint="name the file"))
            return [sheet]
        from kezuri.app.image_check import Wish, check_built

        context = self._context or dockerfile.directory
        build = self._build._replace(context=context, file=os.path.abspath(dockerfile.path))
        wish = Wish(build, sheet.source, preferences.selection, preferences.heed is not False, today)
        try:
            found = check_built(self._settings(), wish, self._listener)
        except KezuriError as error:
            self.errors += error.diagnostics
            return [sheet]
        self.warnings += found.warnings
        return _together(sheet, found.sheet)


def _together(dockerfile: Sheet, image: Sheet) -> list[Sheet]:
    """The findings at lines of the Dockerfile, each thing once, and those at the history of the image."""
    said = {(told.rule.name, told.line) for told in dockerfile.told}
    here, there = list(dockerfile.told), list[Told]()
    for told in image.told:
        if told.source.name != dockerfile.source.name:
            there.append(told)
        elif (told.rule.name, told.line) not in said:
            here.append(told)
    here.sort(key=order)
    silenced = dockerfile.silenced + image.silenced
    defects = (*dockerfile.defects, *image.defects)
    sheets = [dockerfile._replace(told=tuple(here), silenced=silenced, defects=defects)]
    return [*sheets, Sheet(image.source, tuple(there))] if there else sheets
