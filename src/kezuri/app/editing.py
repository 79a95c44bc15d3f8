"""`lsp`: what there is to say about a text that is open in an editor, whatever the disk has."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from kezuri.app.check_images import KnownImages
from kezuri.app.check_places import Beside, Found
from kezuri.app.check_preferences import PreferenceFiles
from kezuri.app.lint import Checker, CheckRequest
from kezuri.app.request import Settings
from kezuri.check.preferences import Preferences
from kezuri.check.rule import Fix
from kezuri.check.sheets import Terms, look
from kezuri.check.told import Sheet
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText
from kezuri.dockerfile.instructions import Arg, Instruction
from kezuri.dockerfile.parser import parse
from kezuri.editor.consequences import Follower, followers
from kezuri.plan.facts import Survey
from kezuri.plan.operation import Operation
from kezuri.report.forms import FORMATS


class OpenFile(NamedTuple):
    """A text in an editor. `path` is where it would be saved, empty where that is not known."""

    path: str
    text: str

    @property
    def shown(self) -> str:
        """What it is called."""
        return self.path or "Dockerfile"

    @property
    def found(self) -> Found:
        """The file as checks know it."""
        return Found(self.path, self.shown, os.path.dirname(self.path))

    @property
    def dockerfile(self) -> bool:
        """Whether it is a Dockerfile, and not a document that lies beside one."""
        return not self.found.document


class Spent(NamedTuple):
    """What an instruction took before: the seconds of its runs, the latest first, and what the last build of the file
    did about it."""

    seconds: Sequence[float] = ()
    outcome: str = ""


class Weight(NamedTuple):
    """What an instruction weighs: its own operation, what runs again after it, and what each of these took; `last` is
    when the file was last built, 0 for never."""

    operation: Operation | None
    followers: tuple[Follower, ...]
    spent: Mapping[tuple[str, str], Spent]
    last: float

    def of(self, operation: Operation) -> Spent:
        """What is known of an operation."""
        return self.spent.get((operation.kind, operation.title), Spent())


class Desk:
    """Answers about open texts. Nothing is kept between two questions, so that what is beside a file may change."""

    def __init__(
        self, settings: Callable[[], Settings], preferences: Callable[[], Preferences], environ: Mapping[str, str]
    ) -> None:
        """`preferences` are those of the settings files."""
        self._settings = settings
        self._preferences = preferences
        self._environ = environ

    def check(self, file: OpenFile) -> tuple[Sheet, tuple[Diagnostic, ...]]:
        """What there is to say about the text, and what is wrong with it or with the files that say how to check."""
        with ExitStack() as held:
            preferences, wrong = self._asked(file)
            checker = self._checker(held)
            try:
                sheet = checker.check_text(file.found, file.text, preferences)
            except KezuriError as error:
                return Sheet(SourceText(file.shown, file.text), ()), (*wrong, *error.diagnostics)
            return sheet, (*wrong, *checker.errors)

    def _asked(self, file: OpenFile) -> tuple[Preferences, tuple[Diagnostic, ...]]:
        """What holds for the file's directory; where that is malformed the usual, and what is wrong."""
        try:
            files = PreferenceFiles(Preferences(), self._preferences(), self._environ, FORMATS, _today())
            return files.of(os.path.dirname(file.path)), ()
        except KezuriError as error:
            return Preferences(), error.diagnostics

    def names(self, file: OpenFile, directory: str) -> Iterable[str]:
        """The names in a directory of the context."""
        return Beside(os.path.dirname(file.path)).names(directory) if file.path else ()

    def proved(self, file: OpenFile, fix: Fix) -> bool:
        """Whether a fix of class A does what it says and nothing else."""
        from kezuri.app.plan_proof import PlanProver
        from kezuri.check.revision import Conflict, Round

        with ExitStack() as held:
            terms = self._terms(file, held)

            def surveyed(text: str, arguments: Mapping[str, str]) -> Survey:
                return look(parse(text, file.shown), terms._replace(arguments=arguments)).survey

            texts = {"": file.text}
            try:
                made = Round(texts, file.shown).apply(texts, fix)
            except (Conflict, ValueError):
                return False
            return not PlanProver(surveyed, _arguments).prove(texts, made, fix).reasons

    def mended(self, file: OpenFile) -> str:
        """The text with every fix of class A that could be proved."""
        from kezuri.app.fixing import Fixer, FixRequest

        with ExitStack() as held:
            directory = os.path.dirname(file.path)
            fixer = Fixer(FixRequest(write=False), directory, self._settings, lambda event: None)
            fixer.dockerfile(Found("", file.shown, directory), file.text, self._terms(file, held))
            return fixer.files[-1].text

    def weigh(self, file: OpenFile, instruction: Instruction) -> Weight:
        """What the instruction took, and what a change of it runs again."""
        with ExitStack() as held:
            survey = look(parse(file.text, file.shown), self._terms(file, held)).survey
            plans = [facts.plan for facts in survey.stages if facts.plan is not None]
            operations = [o for plan in plans for o in plan.operations]
            own = next((o for o in operations if o.node.number == instruction.node.number), None)
            after = followers(survey, instruction)
            wanted = [*([own] if own is not None else []), *(f.operation for f in after)]
            spent, last = self._spent(file.path, {(o.kind, o.title) for o in wanted}, held)
            return Weight(own, after, spent, last)

    def _spent(
        self, path: str, wanted: set[tuple[str, str]], held: ExitStack
    ) -> tuple[dict[tuple[str, str], Spent], float]:
        if not path or not wanted:
            return {}, 0.0
        try:
            settings = self._settings()
            if not os.path.exists(os.path.join(settings.root, "oci-layout")):
                return {}, 0.0
            from kezuri.app.session import Session
            from kezuri.cache.journal import Journal

            session = held.enter_context(Session(settings, reading=True))
        except KezuriError:
            return {}, 0.0
        journal, real = Journal(session.store.database), os.path.realpath(path)
        headings = [h for h in journal.headings() if os.path.realpath(h.asked.dockerfile) == real]
        seconds: dict[tuple[str, str], list[float]] = {}
        outcomes: dict[tuple[str, str], str] = {}
        for place, heading in enumerate(headings):
            build = journal.read(heading)
            for step in build.steps if build is not None else ():
                name = (step.kind, step.title)
                if name not in wanted:
                    continue
                if place == 0:
                    outcomes.setdefault(name, step.outcome)
                if step.outcome == "ran":
                    seconds.setdefault(name, []).append(step.seconds)
        spent = {name: Spent(tuple(seconds.get(name, ())), outcomes.get(name, "")) for name in wanted}
        return spent, headings[0].last if headings else 0.0

    def _terms(self, file: OpenFile, held: ExitStack) -> Terms:
        return self._checker(held).terms(file.found, self._asked(file)[0])

    def _checker(self, held: ExitStack) -> Checker:
        request = CheckRequest(environ=self._environ, today=_today())
        return Checker(request, KnownImages(self._settings, held, online=False))


def _today() -> str:
    from time import strftime

    return strftime("%Y-%m-%d")


def _arguments(text: str) -> list[str]:
    """The ARGs that a text declares."""
    found = parse(text, "Dockerfile").instructions
    return [name for i in found if isinstance(i, Arg) for name, _ in i.pairs]
