"""Base images as `kezuri check` knows them: those of the store, and those of registries where that is asked for."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ImageSource

if TYPE_CHECKING:
    from kezuri.app.session import Session
    from kezuri.images.origins import Images
    from kezuri.registry.client import Registry


class KnownImages:
    """Images by name, each looked for once. The store is opened when a name is asked for, and only where there is
    one."""

    def __init__(self, settings: Callable[[], Settings], held: ExitStack, online: bool) -> None:
        self._settings = settings
        self._held = held
        self._online = online
        self._images: Images | None = None
        self._opened = False
        self._session: Session | None = None
        self._known: dict[tuple[ImageSource, Platform], BaseImage | KezuriError] = {}
        self._digests: dict[str, str | None] = {}

    def resolve(self, source: ImageSource, platform: Platform) -> BaseImage:
        """The image; KezuriError with exit code 125 where nobody could be asked."""
        key = (source, platform)
        known = self._known.get(key)
        if known is None:
            try:
                known = self._find(source, platform)
            except KezuriError as error:
                known = error
            self._known[key] = known
        if isinstance(known, KezuriError):
            # What it came through would be kept with it: each file that asked, as a whole.
            raise known.with_traceback(None)
        return known

    def digest(self, image: str) -> str | None:
        """What a registry says that the name stands for now, an index where there is one; None where no registry is
        asked, or none knows. The store is not asked: of what was only built here nobody else has that digest."""
        if not self._online:
            return None
        if image not in self._digests:
            try:
                self._digests[image] = self._ask(image)
            except KezuriError:
                self._digests[image] = None
        return self._digests[image]

    def _ask(self, image: str) -> str | None:
        from kezuri.oci.reference import Reference

        reference = Reference.parse(image)
        self._prepare()
        found = self._session.registry().head(reference) if self._session is not None else None
        return found.digest if found is not None else None

    def _prepare(self) -> None:
        if not self._opened:
            self._opened = True
            self._images = self._open()

    def _find(self, source: ImageSource, platform: Platform) -> BaseImage:
        from kezuri.oci.reference import Reference

        if source.kind == "registry":
            Reference.parse(source.text)
        self._prepare()
        if self._images is None:
            raise _unasked(source.text)
        try:
            return self._images.resolve(source, platform)
        except KezuriError as error:
            if self._online:
                from kezuri.registry.failure import Refused

                said = error.__context__
                if isinstance(said, Refused) and said.failure.status in (401, 403, 404):
                    # A registry has answered that there is no such image: that is the file's error.
                    raise KezuriError(*error.diagnostics) from error
            raise

    def _open(self) -> "Images | None":
        """None where there is no store that could be looked into: that is no reason not to check a file."""
        try:
            settings = self._settings()
            if not self._online and not os.path.exists(os.path.join(settings.root, "oci-layout")):
                return None
            from kezuri.app.session import Session

            session = self._session = self._held.enter_context(Session(settings, reading=True))
        except KezuriError:
            if self._online:
                raise
            return None
        if self._online:
            return session.images
        from kezuri.images.origins import Images

        return Images(session.store, _no_registry, session.layout)


def _no_registry() -> "Registry":
    from kezuri.registry.failure import Unanswered

    raise Unanswered.of("no registry is asked", exit_code=125)


def _unasked(name: str) -> KezuriError:
    return KezuriError.of(f"the store does not have {name}, and no registry is asked", exit_code=125)
