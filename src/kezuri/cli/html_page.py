"""`--html`: what a command has to say as one page, which is written beside what it prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Option, UsageError
from kezuri.diagnostics import KezuriError, visible

if TYPE_CHECKING:
    from kezuri.anatomy.dissection import Dissection
    from kezuri.anatomy.values import Anatomy
    from kezuri.app.anatomy import Named
    from kezuri.app.lint import Checks
    from kezuri.app.pages import ImagePage
    from kezuri.cli.language import Language
    from kezuri.comparison.values import Comparison
    from kezuri.explain.profile import Profile
    from kezuri.scan.values import Report

HTML = Option(
    ("--html",), "text", "Write a report to FILE as well: one HTML page that needs no network", "FILE", completes="file"
)


def foresee_page(invocation: Invocation, charts: bool = True) -> None:
    """For commands that take their time: KezuriError at once where the page could not be written at the end, or, with
    `charts`, not drawn."""
    if _wanted(invocation):
        from kezuri.export.destination import check
        from kezuri.report.html import library

        if charts:
            library()
        _refuse_directory(invocation.parsed.text("--html"))
        check([(invocation.parsed.text("--html"), True)])


class AnatomyPage:
    """The page of `analyze`, which shows the files of the image as well: they are looked at when it is analysed. Where
    no page is asked for, nothing else happens."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._page: ImagePage | None = None
        foresee_page(invocation)

    def analysed(self, image: "Named", ignore: Sequence[str]) -> "Anatomy":
        """The figures of the image; what the page shows besides is kept."""
        settings = self._invocation.settings
        if not _wanted(self._invocation):
            from kezuri.app.analysis import analysed

            return analysed(settings, image, ignore)
        from kezuri.app.pages import image_page

        self._page = image_page(settings, image, ignore, _japanese())
        return self._page.figures

    def written(self) -> bool:
        """Write the page, where one is asked for. Whether it took standard output, so that nothing else is to be
        printed there."""
        page = self._page
        if page is None:
            return False
        sections = [_named(page.section), *([_profile(page.build)] if page.build is not None else ())]
        return _write(self._invocation, page.figures.name, sections)


class ComparisonPage:
    """The page of `compare`, which shows both images as well: they are looked at while they are there. Where no page is
    asked for, nothing happens."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._images: list[dict[str, Any]] = []
        foresee_page(invocation)

    def look(self, image: "Dissection", anatomy: "Anatomy") -> None:
        """Keep what the page shows of an image; the one before comes first."""
        if _wanted(self._invocation):
            from kezuri.report.html_anatomy import anatomy_section

            side = "After" if self._images else "Before"
            self._images.append(_named(anatomy_section(image, anatomy, _japanese(), side)))

    def written(self, comparison: "Comparison") -> bool:
        """Write the page, as AnatomyPage does."""
        if not _wanted(self._invocation):
            return False
        from kezuri.cli.figures import title
        from kezuri.cli.phrase import plainly
        from kezuri.report.html_comparison import comparison_section

        japanese = _japanese()
        section = comparison_section(
            comparison,
            lambda figure: (title(figure, plainly), title(figure, lambda text, *gaps: japanese.phrase(text, gaps))),
            japanese,
        )
        name = f"{comparison.before.name} → {comparison.after.name}"
        return _write(self._invocation, name, [section, *self._images])


def profile_page(invocation: Invocation, profile: "Profile") -> bool:
    """Write the page of `profile`, as AnatomyPage does."""
    if not _wanted(invocation):
        return False
    section = _profile(profile)
    return _write(invocation, section["name"] or "profile", [section])


def findings_page(invocation: Invocation, checks: "Checks") -> Console:
    """The page of `check`, where one is asked for. What everything else is to be said to: where the page took standard
    output, that is nobody, but for files and standard error."""
    console = invocation.console
    if not _wanted(invocation):
        return console
    from kezuri.report.html_findings import findings_section

    told = (*checks.warnings, *checks.unread, *(d.diagnostic for sheet in checks.sheets for d in sheet.defects))
    section = findings_section(checks.sheets, [each.message for each in told], _japanese())
    if _write(invocation, "kezuri check", [section]):
        from io import StringIO

        return Console(StringIO(), console.err, console.environ)
    return console


def scan_page(invocation: Invocation, report: "Report") -> bool:
    """Write the page of `scan`, as AnatomyPage does."""
    if not _wanted(invocation):
        return False
    from kezuri.cli.phrase import plainly
    from kezuri.cli.scan_words import ScanWords
    from kezuri.report.html_scan import scan_section

    japanese = _japanese()
    other = ScanWords(lambda text, *gaps: japanese.phrase(text, gaps), japanese)
    return _write(invocation, report.name, [scan_section(report, ScanWords(plainly), other, japanese)])


def _named(section: dict[str, Any]) -> dict[str, Any]:
    """The section of an image whose leftovers are called what the text calls them: some of their names are too short to
    be looked for as sentences."""
    from kezuri.cli.analyze_words import AnalyzeWords

    japanese = _japanese()
    words = AnalyzeWords(lambda text, *gaps: japanese.phrase(text, gaps), japanese)
    for kind, said in section["kinds"].items():
        said["words_ja"] = visible(words.leftover(kind))
    return section


def _profile(profile: "Profile") -> dict[str, Any]:
    from kezuri.cli.profile_text import ProfileText
    from kezuri.report.html_profile import profile_section

    japanese = _japanese()
    plain, other = ProfileText(profile), ProfileText(profile, lambda text, *gaps: japanese.phrase(text, gaps))
    # The first line names the instruction, which the page does itself.
    return profile_section(profile, lambda step: (_lines(plain.why(step)[1:]), _lines(other.why(step)[1:])))


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(line.strip() for line in lines)


def _wanted(invocation: Invocation) -> bool:
    if invocation.parsed.given("--html") and not invocation.parsed.text("--html"):
        raise UsageError.because("--html wants the name of a file; - is standard output")
    return invocation.parsed.given("--html")


def _refuse_directory(path: str) -> None:
    from os.path import isdir

    if isdir(path):
        raise KezuriError.of(f"{path} is a directory", hint="name a file in it: --html=report.html", exit_code=125)


def _japanese() -> "Language":
    from kezuri.cli.language import Language, catalogue

    return Language(catalogue("ja"))


def _write(invocation: Invocation, title: str, sections: Sequence[dict[str, Any]]) -> bool:
    from kezuri.export.destination import destination
    from kezuri.report.html import page

    console, file = invocation.console, invocation.parsed.text("--html")
    _refuse_directory(file)
    # The page begins in the language in which the command speaks.
    language = "ja" if console.words("nothing found") != "nothing found" else "en"
    made = page(title, sections, language)
    console.out.flush()
    with destination(file) as sink:
        sink.write(made)
    if file == "-":
        return True
    console.note(console.phrase("report: {}", file), styled=True)
    return False
