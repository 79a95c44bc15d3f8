"""Which display shows the progress of a build: what `--progress` and the terminal say."""

from kezuri.cli.console import Console
from kezuri.cli.progress_display import Progress


def open_progress(mode: str, console: Console, otherwise: str = "", doing: str = "building") -> Progress:
    """The display for `--progress`; an empty mode is BUILDKIT_PROGRESS, or `otherwise`, or `auto`.

    `auto` draws on standard error when that is a terminal, and prints plain lines otherwise and in CI. `doing` is what
    a drawing says that is done.
    """
    mode = mode or console.environ.get("BUILDKIT_PROGRESS", "") or otherwise or "auto"
    if mode in ("quiet", "none"):
        return Progress(console)
    if mode == "rawjson":
        from kezuri.cli.progress_raw import RawProgress

        return RawProgress(console)
    if mode == "tty" or (mode != "plain" and console.live(console.err)):
        if mode == "tty" and not console.err.isatty():
            from kezuri.diagnostics import KezuriError

            raise KezuriError.of("--progress=tty needs a terminal on standard error", hint="use plain", exit_code=2)
        from kezuri.cli.progress_terminal import TerminalProgress

        return TerminalProgress(console, doing)
    from kezuri.cli.progress_plain import PlainProgress

    return PlainProgress(console)
