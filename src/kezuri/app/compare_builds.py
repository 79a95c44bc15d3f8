"""Builds measured for a comparison: each in a store of its own that has the base images and nothing else."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

from kezuri.app.clearing import remove
from kezuri.app.compare_request import CompareRequest, NotDone, Program
from kezuri.app.context import shown, trees_of
from kezuri.app.definition import Definition
from kezuri.app.image_proof import special
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.comparison.edits import chosen_file, commented
from kezuri.comparison.values import Reading
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText
from kezuri.forecast.context_use import takings
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.plan.operation import Plan
from kezuri.progress.events import WorkName
from kezuri.progress.reporter import Reporter

_TAG = "kezuri.test/compared:built"


class BuiltSide:
    """One Dockerfile with its copy of the context, its stores, and what its builds took."""

    def __init__(self, word: str, dockerfile: str, context: str, place: str, settings: Settings) -> None:
        self.word = word
        self.dockerfile = dockerfile
        self.context = context
        self.place = place
        self.seed = os.path.join(place, "seed")
        self.root = os.path.join(place, "store-1")
        self.settings = settings._replace(root=self.root)
        self.image = f"store:{_TAG}"
        self.copy = os.path.join(place, "context")
        self.file = ""
        """The Dockerfile that is built: in the copy of the context, or a copy beside it."""
        self.edited = ""
        self.not_edited = ""
        """Why there is no edit to measure."""
        self.context_size = 0
        self.cold: list[float] = []
        self.unchanged: list[float] = []
        self.edit: list[float] = []
        self.told: list[str] = []

    def reading(self, times: Sequence[float], absent: str = "") -> Reading:
        """The times as a figure has them."""
        return Reading(tuple(times)) if times else Reading(absent=absent or "it was not measured")


class Builds:
    """Makes the sides and measures them. Use it in a `with`: the stores go at its end, with all that steps have
    made in them."""

    def __init__(
        self,
        settings: Settings,
        request: CompareRequest,
        program: Program,
        reporter: Reporter,
        place: str,
    ) -> None:
        self._settings = settings
        self._request = request
        self._program = program
        self._reporter = reporter
        self._place = place
        self._roots: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for root in self._roots:
            remove(root)

    def side(self, word: str, dockerfile: str, name: str) -> BuiltSide:
        """A Dockerfile with its context copied and its base images brought. KezuriError where it cannot be planned."""
        context = self._request.context or (name if os.path.isdir(name) else os.path.dirname(dockerfile) or ".")
        side = BuiltSide(word, dockerfile, context, os.path.join(self._place, word), self._settings)
        with self._reporter.step(WorkName(f"{dockerfile}: copy the build context {context}")):
            self._copy_context(side)
        with self._reporter.step(WorkName(f"{dockerfile}: bring the base images")):
            try:
                self._seed(side)
            except KezuriError as error:
                raise _in_users_file(error, side) from error
        return side

    def measure(self, sides: Sequence[BuiltSide], runs: int, timed: bool) -> None:
        """Build each side so often, in turns, so that what goes on besides on the machine meets both. The first store
        of a side is kept, with its image."""
        for run in range(1, runs + 1):
            for side in sides:
                self._cold(side, run, runs)
        if not timed:
            return
        for run in range(1, runs + 1):
            for side in sides:
                self._again(side, f"{side.dockerfile}: build with nothing changed ({run} of {runs})", side.unchanged)
        for run in range(1, runs + 1):
            for side in sides:
                if side.edited:
                    self._edit(side, run)
                    self._again(
                        side, f"{side.dockerfile}: build after an edit of {side.edited} ({run} of {runs})", side.edit
                    )

    # the context

    def _copy_context(self, side: BuiltSide) -> None:
        import shutil

        try:
            shutil.copytree(side.context, side.copy, symlinks=True, ignore=special)
            relative = os.path.relpath(side.dockerfile, side.context)
            if relative == ".." or relative.startswith("../"):
                directory = os.path.join(side.place, "file")
                os.makedirs(directory)
                relative = os.path.join(directory, os.path.basename(side.dockerfile))
                shutil.copyfile(side.dockerfile, relative)
                beside = f"{side.dockerfile}.dockerignore"
                if os.path.isfile(beside):
                    shutil.copyfile(beside, f"{relative}.dockerignore")
            side.file = os.path.join(side.copy, relative)
        except (OSError, shutil.Error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise KezuriError.of(f"the build context {side.context} cannot be copied: {why[:300]}") from None

    def _edit(self, side: BuiltSide, run: int) -> None:
        path = os.path.join(side.copy, side.edited)
        with open(path, "rb") as file:
            text = file.read()
        with open(path, "wb") as file:
            file.write(commented(side.edited, text, f"kezuri compare {run}"))

    # stores

    def _seed(self, side: BuiltSide) -> None:
        """Plan the build in a store of its own, into which every image comes that the plan needs; find out what of the
        context it reads meanwhile."""
        request = self._request.build._replace(context=side.copy, file=side.file)
        settings = self._settings._replace(root=side.seed)
        self._roots.append(side.seed)
        with ExitStack() as held:
            session = held.enter_context(Session(settings))
            definition = _Seeding(self._settings.root, settings, request, session, self._reporter, held)
            plan = definition.plan()
            tree = definition.context.tree
            side.context_size = sum(each.size for each in shown(tree))
            read = _read(plan, definition)
        if self._request.edit:
            side.edited = os.path.normpath(self._request.edit)
            if not os.path.isfile(os.path.join(side.copy, side.edited)) or side.edited.startswith(("/", "..")):
                raise KezuriError.of(f"--edit: there is no file {self._request.edit} in {side.context}", exit_code=2)
            if side.edited not in read:
                side.told.append(f"{side.dockerfile}: no instruction reads {side.edited}: its edit changes nothing")
            return
        side.edited = chosen_file(read)
        if not side.edited:
            side.not_edited = "no source file of the context is read"
            side.told.append(
                f"{side.dockerfile}: no source file of the context is read that could be edited: see --edit"
            )

    def _store(self, side: BuiltSide, number: int) -> str:
        """A store with the base images and nothing else: blobs are shared with the others."""
        import shutil

        root = os.path.join(side.place, f"store-{number}")
        self._roots.append(root)
        try:
            shutil.copytree(side.seed, root, symlinks=True, copy_function=_share)
        except (OSError, shutil.Error) as error:
            raise KezuriError.of(f"cannot make a store to build in: {str(error)[:300]}") from None
        return root

    # builds

    def _cold(self, side: BuiltSide, run: int, runs: int) -> None:
        root = self._store(side, run)
        title = f"{side.dockerfile}: build, cold ({run} of {runs})"
        self._again(side, title, side.cold, root)
        if run > 1:
            remove(root)

    def _again(self, side: BuiltSide, title: str, times: list[float], root: str = "") -> None:
        with self._reporter.step(WorkName(title)):
            words = ("build", "-q", "-t", _TAG, "-f", side.file, *self._request.words, side.copy)
            ran = self._program(root or side.root, *words)
            if ran.code:
                said = ran.said.replace(side.copy, side.context.rstrip("/"))
                message = f"{side.dockerfile} cannot be built"
                raise NotDone.after(message, said, ran.code)
            times.append(ran.seconds)


def _in_users_file(error: KezuriError, side: BuiltSide) -> KezuriError:
    """The error about the user's own file and context, not about our copies of them."""
    context = side.context.rstrip("/") or "/"

    def told(each: Diagnostic) -> Diagnostic:
        each = each._replace(
            message=each.message.replace(side.copy, context), hint=each.hint.replace(side.copy, context)
        )
        if each.source is not None and each.source.name == side.file:
            each = each._replace(source=SourceText(side.dockerfile, each.source.text))
        return each

    return KezuriError(*map(told, error.diagnostics), exit_code=error.exit_code)


def _share(source: str, target: str) -> str:
    """A file of a store in another one: blobs never change, everything else is copied."""
    from shutil import copy2

    if f"{os.sep}blobs{os.sep}" in source:
        os.link(source, target)
        return target
    return str(copy2(source, target))


class _Seeding(Definition):
    """What is to be built, in a store that has nothing: each image that is asked for comes whole, from the user's store
    where that has it, else from its registry."""

    def __init__(
        self,
        user: str,
        settings: Settings,
        request: BuildRequest,
        session: Session,
        reporter: Reporter,
        held: ExitStack,
    ) -> None:
        self._user = user
        self._own = settings
        self._brought: set[tuple[ImageSource, Platform]] = set()
        super().__init__(request, session, reporter, _unheard, held)  # What checks say is a row of the table.

    def resolve(self, source: ImageSource, platform: Platform) -> BaseImage:
        """As Definition says."""
        if source.kind == "registry" and (source, platform) not in self._brought:
            self._brought.add((source, platform))
            self._bring(source.text, platform)
        return super().resolve(source, platform)

    def _bring(self, name: str, platform: Platform) -> None:
        from kezuri.app.pull import pull
        from kezuri.app.transfers import CopyRequest, copy_image

        reference = Reference.parse(name)
        # By its digest an image is found in a layout whatever it is called there.
        source = f"oci:{self._user}@{reference.digest}" if reference.digest else f"oci:{self._user}:{reference}"
        target = reference._replace(digest="", tag=reference.tag or "pinned")
        try:
            copy_image(self._own, CopyRequest(source, f"store:{target}"), _unheard)
        except KezuriError:
            pull(self._own, name, str(platform), _unheard)


def _unheard(event: object) -> None:
    pass


def _read(plan: Plan, definition: Definition) -> frozenset[str]:
    """The files of the context that instructions of the plan read. KezuriError, at the instruction, where something
    that is named is not there: the build would say so, too, after what may take minutes."""
    trees = trees_of(plan.stages, definition)
    return frozenset(path for taking in takings(plan.stages, trees) if not taking.context for path in taking.files)
