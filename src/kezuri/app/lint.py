"""`kezuri check`: Dockerfiles, and what lies beside them, read and checked; nothing is built."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kezuri.app.check_images import KnownImages
from kezuri.app.check_places import Beside, Found, find
from kezuri.app.check_preferences import PreferenceFiles
from kezuri.app.finished import Finished
from kezuri.app.request import Settings
from kezuri.app.shellcheck_program import find_shellcheck
from kezuri.app.standard import standard_input
from kezuri.check.asking import defect
from kezuri.check.preferences import USUAL_THRESHOLD, Preferences
from kezuri.check.sheets import Terms, check_dockerfile
from kezuri.check.told import Sheet, reaches
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText
from kezuri.oci.platform import Platform
from kezuri.progress.events import Listener

if TYPE_CHECKING:
    from kezuri.app.fix_views import DocumentLooking
    from kezuri.app.known_faults import KnownFaults
    from kezuri.app.request import BuildRequest
    from kezuri.check.document import DocumentSubject
    from kezuri.check.surroundings import Surroundings
    from kezuri.dockerfile.ignore import Ignore


class CheckRequest(NamedTuple):
    """What is to be checked and how. `paths` are files, directories, `-` for standard input, or images; `context` is
    the build context where it is not the file's own directory. `online` asks registries for base images that the store
    does not have. `preferences` are what the command line says, `settings` what the settings files say; what lies
    beside the files is found by itself. `formats` are those that a file may name;
    `stdin` is what standard input is called. With `build` each Dockerfile is built as that says, and what came of it
    is checked as well."""

    paths: tuple[str, ...] = (".",)
    context: str = ""
    target: str = ""
    platform: Platform | None = None
    arguments: tuple[tuple[str, str], ...] = ()
    online: bool = False
    preferences: Preferences = Preferences()
    settings: Preferences = Preferences()
    environ: Mapping[str, str] = {}
    formats: tuple[str, ...] = ()
    today: str = ""
    stdin: str = "-"
    build: "BuildRequest | None" = None


class Checks(NamedTuple):
    """What was found: a sheet for each file, in the order in which they were named, and what could not be read.
    `failed` tells that a finding weighs as much as it may not; `preferences` are those of the current directory, and
    `warnings` what of all of them was not understood. `faults` are what is known to be broken in the images that were
    named, where there is a database of advisories."""

    sheets: tuple[Sheet, ...]
    unread: tuple[Diagnostic, ...]
    failed: bool
    preferences: Preferences
    warnings: tuple[Diagnostic, ...]
    faults: "tuple[tuple[str, KnownFaults], ...]" = ()


class Mend(Protocol):
    """Mends files before it says what there is to say about them."""

    def dockerfile(self, found: Found, text: str, terms: Terms) -> Sheet:
        """A Dockerfile that was read as this text."""
        ...

    def document(self, found: Found, text: str, looking: "DocumentLooking") -> Sheet:
        """Another document."""
        ...


def check_all(
    request: CheckRequest,
    settings: Callable[[], Settings],
    mend: Mend | None = None,
    listener: Listener = lambda event: None,
) -> Checks:
    """Check everything that is named. What cannot be read is told, and the rest is checked. With `mend` each file is
    mended first, where it can be. `listener` hears of builds."""
    sheets: list[Sheet] = []
    unread: list[Diagnostic] = []
    failed = False
    files = PreferenceFiles(request.preferences, request.settings, request.environ, request.formats, request.today)
    here = files.of("")
    with ExitStack() as held:
        images = KnownImages(settings, held, request.online)
        checker = Checker(request, images, mend)
        finished = Finished(settings, listener, request.platform, request.context, request.build)
        for path in request.paths:
            try:
                found = None if finished.means_image(path) else find(path, request.stdin)
            except KezuriError as error:
                unread += error.diagnostics
                continue
            for one in (None,) if found is None else found:
                preferences = here if one is None else files.of(one.directory)
                try:
                    if one is None:
                        made = [finished.named(path, preferences)]
                    else:
                        made = finished.built(one, checker.check(one, preferences), preferences, request.today)
                except KezuriError as error:
                    unread += error.diagnostics
                    continue
                except (MemoryError, OSError):
                    raise
                except Exception as error:
                    # A mistake of ours takes no other file down.
                    name = path if one is None else one.shown
                    made = [Sheet(SourceText(name, ""), (), (defect("", name, error),))]
                sheets += made
                threshold = preferences.threshold or USUAL_THRESHOLD
                failed = failed or any(reaches(told.level, threshold) for sheet in made for told in sheet.told)
    unknown = (d for sheet in sheets for d in sheet.unknown) if request.online else ()
    unchecked = (d._replace(severity="info", message=f"not checked: {d.message}") for d in unknown)
    warnings = tuple(dict.fromkeys((*files.warnings.warnings, *finished.warnings, *unchecked)))
    return Checks(
        tuple(sheets), (*unread, *checker.errors, *finished.errors), failed, here, warnings, tuple(finished.faults)
    )


class Checker:
    """Checks files one after the other; what several of them share is looked at once."""

    def __init__(self, request: CheckRequest, images: KnownImages, mend: Mend | None = None) -> None:
        self._mend = mend
        self._request = request
        self._images = images
        self._contexts: dict[str, Beside] = {}
        self._shell_checker = find_shellcheck(request.environ)
        self.errors: list[Diagnostic] = []

    def check(self, found: Found, preferences: Preferences) -> Sheet:
        """One file."""
        return self.check_text(found, found.read(standard_input), preferences)

    def check_text(self, found: Found, text: str, preferences: Preferences) -> Sheet:
        """One file with this text, whatever the disk has."""
        if found.document:
            return self._document(found, text, preferences)
        terms = self.terms(found, preferences)
        if self._mend is None:
            return check_dockerfile(text, found.shown, terms)
        self._contexts.clear()  # what was remembered of it may be mended
        return self._mend.dockerfile(found, text, terms)

    def terms(self, found: Found, preferences: Preferences) -> Terms:
        """What a Dockerfile is checked for."""
        beside, ignore = self._beside(found)
        request = self._request
        return Terms(
            self._images.resolve,
            dict(request.arguments),
            request.target,
            request.platform,
            beside,
            ignore,
            preferences.policy,
            preferences.selection,
            preferences.heed is not False,
            request.today,
            self._shell_checker,
            self._images,
        )

    def _document(self, found: Found, text: str, preferences: Preferences) -> Sheet:
        from kezuri.check.document import document_of
        from kezuri.check.document_sheets import check_document

        path = os.path.abspath(found.path)
        directory, _, name = path.rpartition("/")
        home = directory
        if directory.endswith(("/.github/workflows", "/.gitea/workflows", "/.forgejo/workflows")):
            home = directory.rsplit("/", 2)[0]
            name = path[len(home) + 1 :]
        around = self._around(home or "/")

        def read(text: str) -> "DocumentSubject | None":
            return document_of(SourceText(found.shown, text), name, around, preferences.policy)

        def ask(document: "DocumentSubject") -> Sheet:
            return check_document(document, preferences.selection, preferences.heed is not False)

        document = read(text)
        if document is None:
            raise KezuriError.of(
                f"there are no checks for {found.shown}",
                hint="it is no Dockerfile, no workflow, no Compose file and no ignore file",
            )
        if document.error is not None:
            self.errors += document.error.diagnostics
        if self._mend is None:
            return ask(document)
        from kezuri.app.fix_views import DocumentLooking

        return self._mend.document(found, text, DocumentLooking(read, ask))

    def _beside(self, found: Found) -> "tuple[Surroundings | None, Ignore | None]":
        directory = self._request.context or found.directory
        if not directory:
            return None, None
        if self._request.context and not os.path.isdir(directory):
            raise KezuriError.of(f'the build context "{directory}" is not a directory', exit_code=2)
        beside = self._around(directory)
        return beside, beside.ignore(found.path)

    def _around(self, directory: str) -> Beside:
        beside = self._contexts.get(directory)
        if beside is None:
            beside = self._contexts[directory] = Beside(directory)
        return beside
