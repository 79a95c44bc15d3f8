"""`kezuri check --fix`: what rules found is mended in the user's files, each fix proved before it is kept."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kezuri.app.check_places import Found
from kezuri.app.fix_views import DockerfileLooking, DocumentLooking
from kezuri.app.plan_proof import PlanProver
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.rewriting import Original, Replacement, read_original, recover, replace_all
from kezuri.check.mending import Mending, Prover, Tried, Verdict
from kezuri.check.revision import NEW, Texts
from kezuri.check.rule import Fix, FixClass
from kezuri.check.sheets import Terms
from kezuri.check.told import Sheet
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.parser import decode
from kezuri.progress.events import Listener

if TYPE_CHECKING:
    from kezuri.app.image_proof import ImageProver

SAFE: tuple[FixClass, ...] = ("A",)
PROVED: tuple[FixClass, ...] = ("A", "V", "D")
_BOM = b"\xef\xbb\xbf"


class Changed(NamedTuple):
    """A file before and after; None where it was not there."""

    shown: str
    before: str | None
    after: str


class FixedFile(NamedTuple):
    """What became of one file: the fixes that were kept and those that were refused, and every file that changes by
    them, the checked one first. `settled`: a second run changes nothing."""

    shown: str
    kept: tuple[Tried, ...]
    refused: tuple[Tried, ...]
    changed: tuple[Changed, ...]
    text: str
    settled: bool


class FixRequest(NamedTuple):
    """Which classes of fixes are wanted, and whether they are written. `build` is the build that proofs make, beside
    context and file."""

    kinds: tuple[FixClass, ...] = SAFE
    write: bool = True
    build: BuildRequest = BuildRequest()


class Fixer:
    """Mends file after file; `files` tells what became of each."""

    def __init__(
        self,
        request: FixRequest,
        context: str,
        settings: Callable[[], Settings],
        listener: Listener,
        say: Callable[[Fix], None] = lambda fix: None,
    ) -> None:
        """`context` is the build context where it is not each file's own directory; `listener` hears of the builds that
        are made for proofs, `say` of each fix for which they are made, before they are."""
        self._say = say
        self._request = request
        self._context = context
        self._settings = settings
        self._listener = listener
        self.files: list[FixedFile] = []

    def dockerfile(self, found: Found, text: str, terms: Terms) -> Sheet:
        """Mend a Dockerfile, and say what is left to find in it. KezuriError where it cannot be written."""
        context = self._context or found.directory
        looking = DockerfileLooking(found.shown, terms, context)
        images = self._image_prover(found, context, looking)
        try:
            return self._mend(
                found, text, looking, _ByClass(PlanProver(looking.survey, looking.arguments), images, self._say)
            )
        finally:
            if images is not None:
                images.close()

    def document(self, found: Found, text: str, looking: DocumentLooking) -> Sheet:
        """Mend another document."""
        return self._mend(found, text, looking, looking)

    def _mend(self, found: Found, text: str, looking: DockerfileLooking | DocumentLooking, prover: Prover) -> Sheet:
        original = None
        context = self._context or found.directory
        if found.path:
            recover((os.path.dirname(os.path.realpath(found.path)), context))
            original = read_original(found.path, found.shown)
            text = decode(original.data)
        mending = Mending(found.shown, looking.findings, looking.again, prover, self._request.kinds)
        mended = mending.mend({"": text})
        after = mended.texts[""]
        changed = tuple(self._changed(found, context, {"": text}, mended.texts, looking.originals))
        if changed and self._request.write and original is not None:
            replace_all(tuple(_replacements(changed, found, original, context)))
        self.files.append(FixedFile(found.shown, mended.kept, mended.refused, changed, after, mended.settled))
        return looking.sheet(mended.texts)

    def _changed(
        self, found: Found, context: str, before: Texts, after: Texts, originals: Mapping[str, str]
    ) -> Iterable[Changed]:
        if before[""] != after[""]:
            yield Changed(found.shown, before[""], after[""])
        for key, text in after.items():
            if key.startswith(NEW):
                path = os.path.normpath(os.path.join(context, key.removeprefix(NEW)))
                yield Changed(os.path.relpath(path), None, text)
            elif key and text != (was := originals.get(key)):
                yield Changed(key, was, text)

    def _image_prover(self, found: Found, context: str, looking: DockerfileLooking) -> "ImageProver | None":
        if not {"V", "D"} & set(self._request.kinds) or not context:
            return None
        from kezuri.app.image_proof import Ground, ImageProver
        from kezuri.app.probing import Probes

        settings = self._settings()
        path = os.path.abspath(found.path) if found.path else ""
        ground = Ground(os.path.abspath(context), path, self._request.build, looking.places)
        return ImageProver(ground, settings, self._listener, Probes(settings))


class _ByClass:
    """A Prover that proves each fix as its class wants it."""

    def __init__(self, plans: PlanProver, images: "ImageProver | None", say: Callable[[Fix], None]) -> None:
        self._plans = plans
        self._images = images
        self._say = say

    def prove(self, before: Texts, after: Texts, fix: Fix) -> Verdict:
        if fix.kind == "A":
            return self._plans.prove(before, after, fix)
        if fix.kind == "D":
            # The same image under another name needs no build.
            verdict = self._plans.prove(before, after, fix._replace(changes=frozenset(("base.name",))))
            if not verdict.reasons:
                return verdict
        if self._images is None:
            return Verdict(("it has to be built to be proved, and there is no build context",))
        self._say(fix)
        return self._images.prove(before, after, fix)


def _replacements(changed: Sequence[Changed], found: Found, original: Original, context: str) -> Iterable[Replacement]:
    """The files to be written. What was read of them must be what rules saw."""
    for one in changed:
        data = one.after.encode("utf-8", "surrogateescape")
        if one.shown == found.shown:
            yield _replaced(original, data)
        elif one.before is None:
            path = os.path.abspath(one.shown)
            if not os.path.isdir(os.path.dirname(path)):
                raise KezuriError.of(f"there is no directory for {one.shown}")
            yield Replacement(
                os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)), one.shown, data
            )
        else:
            other = read_original(one.shown, one.shown)
            if decode(other.data) != one.before:
                raise KezuriError.of(
                    f"{one.shown} has changed while it was checked: nothing was written", hint="run it again"
                )
            yield _replaced(other, data)


def _replaced(original: Original, data: bytes) -> Replacement:
    mark = _BOM if original.data.startswith(_BOM) else b""
    return Replacement(original.path, original.shown, mark + data, original)
