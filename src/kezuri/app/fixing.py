"""`kezuri check --fix`: what rules found is mended in the user's files, each fix proved before it is kept."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kezuri.app.check_places import Found
from kezuri.app.plan_proof import MARK, PlanProver
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.rewriting import Original, Replacement, read_original, recover, replace_all
from kezuri.check.asking import Asking
from kezuri.check.mending import Mending, Reported, Tried, Verdict
from kezuri.check.revision import NEW, Texts
from kezuri.check.rule import Finding, Fix, FixClass, Rule, RulePage
from kezuri.check.sheets import Terms, check_dockerfile, look
from kezuri.check.subject import Subject
from kezuri.check.told import Sheet
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.instructions import Arg
from kezuri.dockerfile.parser import decode, parse
from kezuri.oci.platform import Platform
from kezuri.plan.facts import Survey
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.progress.events import Listener

if TYPE_CHECKING:
    from kezuri.app.image_proof import ImageProver
    from kezuri.check.surroundings import Surroundings

SAFE: tuple[FixClass, ...] = ("A",)
PROVED: tuple[FixClass, ...] = ("A", "V", "D")
_BOM = b"\xef\xbb\xbf"
_REMEMBERED = 6


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

    def __init__(self, request: FixRequest, context: str, settings: Callable[[], Settings], listener: Listener) -> None:
        """`context` is the build context where it is not each file's own directory."""
        self._request = request
        self._context = context
        self._settings = settings
        self._listener = listener
        self.files: list[FixedFile] = []

    def __call__(self, found: Found, text: str, terms: Terms) -> Sheet:
        """Mend one file, and say what is left to find in it. KezuriError where it cannot be written."""
        original = None
        if found.path:
            recover((os.path.dirname(os.path.realpath(found.path)), self._context or found.directory))
            original = read_original(found.path, found.shown)
            text = decode(original.data)
        context = self._context or found.directory
        looking = _Looking(found.shown, terms, context)
        images = self._image_prover(found, context, looking)
        try:
            prover = _ByClass(PlanProver(looking.survey, looking.arguments), images)
            mending = Mending(found.shown, looking.findings, looking.again, prover, self._request.kinds)
            mended = mending.mend({"": text})
        finally:
            if images is not None:
                images.close()
        after = mended.texts[""]
        changed = tuple(self._changed(found, context, {"": text}, mended.texts, looking))
        if changed and self._request.write and original is not None:
            replace_all(tuple(_replacements(changed, found, original, context)))
        self.files.append(FixedFile(found.shown, mended.kept, mended.refused, changed, after, mended.settled))
        return looking.sheet(mended.texts)

    def _changed(
        self, found: Found, context: str, before: Texts, after: Texts, looking: "_Looking"
    ) -> Iterable[Changed]:
        if before[""] != after[""]:
            yield Changed(found.shown, before[""], after[""])
        for key, text in after.items():
            if key.startswith(NEW):
                path = os.path.normpath(os.path.join(context, key.removeprefix(NEW)))
                yield Changed(os.path.relpath(path), None, text)
            elif key and text != (was := looking.original(key)):
                yield Changed(key, was, text)

    def _image_prover(self, found: Found, context: str, looking: "_Looking") -> "ImageProver | None":
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

    def __init__(self, plans: PlanProver, images: "ImageProver | None") -> None:
        self._plans = plans
        self._images = images

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
        return self._images.prove(before, after, fix)


class _Looking:
    """Texts of one file as rules see them; what was looked at last is remembered."""

    def __init__(self, shown: str, terms: Terms, context: str) -> None:
        self._shown = shown
        self._terms = terms
        self._context = os.path.abspath(context) if context else ""
        self._subjects: dict[tuple[tuple[str, str], ...], Subject] = {}
        self.places: dict[str, str] = {}
        """Where in the context texts lie that fixes edit, by the names of their sources."""
        self._originals: dict[str, str] = {}

    def original(self, key: str) -> str | None:
        """The text of another file as it was when a rule looked at it."""
        return self._originals.get(key)

    def sheet(self, texts: Texts) -> Sheet:
        """What there is to say of the texts."""
        return check_dockerfile(texts[""], self._shown, self._over(texts))

    def findings(self, texts: Texts) -> Sequence[Reported]:
        """As `kezuri.check.mending.Examine` has it."""
        told = self.sheet(texts).told
        for one in told:
            for edit in one.fix.edits if one.fix is not None else ():
                if edit.source is not None and edit.source.name != self._shown:
                    self._know(edit.source.name, edit.source.text)
        return told

    def again(self, texts: Texts, rule: RulePage) -> Sequence[Finding]:
        """As `kezuri.check.mending.Again` has it."""
        if not isinstance(rule, Rule):
            return ()
        subject = self._subject(texts)
        return list(Asking(self._shown)([rule], lambda _: rule.all(subject)))

    def survey(self, text: str, arguments: Mapping[str, str]) -> Survey:
        """The text planned; with arguments in the place of those that were given, for a trial, no registry is asked for
        the images that these name."""
        if not arguments:
            return self._subject({"": text}).survey
        resolve = self._terms.resolve

        def known(source: ImageSource, platform: Platform) -> BaseImage:
            if MARK in source.text:
                raise KezuriError.of(f"{source.text} is no image", exit_code=125)
            return resolve(source, platform)

        terms = self._terms._replace(arguments={**self._terms.arguments, **arguments}, resolve=known)
        return look(parse(text, self._shown), terms).survey

    def arguments(self, text: str) -> Sequence[str]:
        """The ARGs of a text that nobody has given a value."""
        found = (i for i in parse(text, self._shown).instructions if isinstance(i, Arg))
        return [name for arg in found for name, _ in arg.pairs if name not in self._terms.arguments]

    def _know(self, name: str, text: str) -> None:
        self._originals.setdefault(name, text)
        path = os.path.abspath(name)
        if self._context and path.startswith(self._context + "/"):
            self.places[name] = os.path.relpath(path, self._context)

    def _subject(self, texts: Texts) -> Subject:
        key = tuple(sorted(texts.items()))
        known = self._subjects.get(key)
        if known is None:
            if len(self._subjects) >= _REMEMBERED:
                del self._subjects[next(iter(self._subjects))]
            known = self._subjects[key] = look(parse(texts[""], self._shown), self._over(texts))
        return known

    def _over(self, texts: Texts) -> Terms:
        """What surrounds the file once the other texts are written."""
        others = {
            key.removeprefix(NEW) if key.startswith(NEW) else self.places.get(key, ""): text
            for key, text in texts.items()
            if key
        }
        others.pop("", None)
        if not others or self._terms.surroundings is None:
            return self._terms
        terms = self._terms._replace(surroundings=_Over(self._terms.surroundings, others))
        if ".dockerignore" in others:
            terms = terms._replace(ignore=Ignore.parse(others[".dockerignore"], ".dockerignore"))
        return terms


class _Over:
    """Surroundings in which some files are other ones."""

    def __init__(self, below: "Surroundings", files: Mapping[str, str]) -> None:
        self._below = below
        self._files = files

    def names(self, directory: str = "") -> Iterable[str]:
        """As Surroundings has it."""
        start = f"{directory}/" if directory else ""
        more = {path.removeprefix(start).partition("/")[::2] for path in self._files if path.startswith(start)}
        return sorted({*self._below.names(directory), *(f"{name}/" if rest else name for name, rest in more)})

    def read(self, path: str) -> str | None:
        """As Surroundings has it."""
        return self._files[path] if path in self._files else self._below.read(path)

    def exists(self, path: str) -> bool:
        """As Surroundings has it."""
        return any(p == path or p.startswith(f"{path}/") for p in self._files) or self._below.exists(path)


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
