"""`build --on-error=shell`: the failure is printed before the shell opens, and not a second time at the end."""

from kezuri.app.build import build
from kezuri.app.debugging import check
from kezuri.app.request import BuildRequest, BuildResult, Settings
from kezuri.cli.console import Console
from kezuri.cli.progress_display import Progress
from kezuri.diagnostics import KezuriError
from kezuri.diagnostics.render import render


class Interlude:
    """Called with the failure for which a shell is about to open. `told` is that failure, once it was printed."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self.told: KezuriError | None = None

    def __call__(self, error: KezuriError, what_now: str) -> None:
        """End the display of progress; print the failure, and what can be done about it in the shell."""
        self._progress.close()
        if self._progress.talks:
            self._progress.warn()
        colour = self._console.colour(self._console.err)
        for diagnostic in error.diagnostics:
            self._console.note(render(diagnostic, colour, words=self._console.words), styled=True)
        self._console.note(f"\n{what_now}\n")
        self._console.err.flush()
        self.told = error


def build_with_shell(request: BuildRequest, settings: Settings, progress: Progress) -> BuildResult | None:
    """Build; None when a step failed (exit code 1) and everything was said about it before a shell was opened there.

    KezuriError, exit code 2, where no shell could be opened, before anything is done.
    """
    check(settings)
    interlude = Interlude(progress, progress.console)
    try:
        return build(request, settings, progress, look=interlude, expect=progress.expecting())
    except KezuriError as error:
        if interlude.told is not error:
            raise
    progress.console.note("kezuri: the build failed; nothing of the failed step was kept")
    return None
