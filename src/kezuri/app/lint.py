"""`kezuri check`: Dockerfiles, and what lies beside them, read and checked; nothing is built."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kezuri.app.check_images import KnownImages
from kezuri.app.check_places import Beside, Found, find
from kezuri.app.request import Settings
from kezuri.app.standard import standard_input
from kezuri.check.policy import Policy
from kezuri.check.selection import Selection
from kezuri.check.sheets import Terms, check_dockerfile
from kezuri.check.told import Sheet
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci.platform import Platform

if TYPE_CHECKING:
    from kezuri.check.surroundings import Surroundings
    from kezuri.dockerfile.ignore import Ignore


class CheckRequest(NamedTuple):
    """What is to be checked and how. `paths` are files, directories, `-` for standard input, or images; `context` is
    the build context where it is not the file's own directory. `online` asks registries for base images that the store
    does not have."""

    paths: tuple[str, ...] = (".",)
    context: str = ""
    target: str = ""
    platform: Platform | None = None
    arguments: tuple[tuple[str, str], ...] = ()
    online: bool = False
    selection: Selection = Selection()
    policy: Policy | None = None


class Checks(NamedTuple):
    """What was found: a sheet for each file, in the order in which they were named, and what could not be read."""

    sheets: tuple[Sheet, ...]
    unread: tuple[Diagnostic, ...]


def check_all(request: CheckRequest, settings: Callable[[], Settings]) -> Checks:
    """Check everything that is named. What cannot be read is told, and the rest is checked."""
    sheets: list[Sheet] = []
    unread: list[Diagnostic] = []
    with ExitStack() as held:
        images = KnownImages(settings, held, request.online)
        checker = _Checker(request, images)
        for path in request.paths:
            try:
                found = find(path)
            except KezuriError as error:
                unread += error.diagnostics
                continue
            for one in found:
                try:
                    sheets.append(checker.check(one))
                except KezuriError as error:
                    unread += error.diagnostics
    return Checks(tuple(sheets), tuple(unread))


class _Checker:
    """Checks files one after the other; what several of them share is looked at once."""

    def __init__(self, request: CheckRequest, images: KnownImages) -> None:
        self._request = request
        self._images = images
        self._contexts: dict[str, Beside] = {}

    def check(self, found: Found) -> Sheet:
        """One file."""
        text = found.read(standard_input)
        beside, ignore = self._beside(found)
        request = self._request
        terms = Terms(
            self._images.resolve,
            dict(request.arguments),
            request.target,
            request.platform,
            beside,
            ignore,
            request.policy,
            request.selection,
        )
        return check_dockerfile(text, found.shown, terms)

    def _beside(self, found: Found) -> "tuple[Surroundings | None, Ignore | None]":
        directory = self._request.context or found.directory
        if not directory:
            return None, None
        beside = self._contexts.get(directory)
        if beside is None:
            if self._request.context and not os.path.isdir(directory):
                raise KezuriError.of(f'the build context "{directory}" is not a directory', exit_code=2)
            beside = self._contexts[directory] = Beside(directory)
        return beside, beside.ignore(found.path)
