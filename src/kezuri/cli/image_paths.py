"""What the commands that read files of images share: `IMAGE:/path`, their options, and what was read of how much."""

from time import monotonic
from typing import TYPE_CHECKING

from kezuri.cli.console import Console
from kezuri.cli.options import Option, UsageError

if TYPE_CHECKING:
    from kezuri.app.image_files import ImagePath

PLATFORM = Option(("--platform",), "text", "Which platform's image (default: this machine's)", "OS/ARCH")
VERIFY = Option(("--verify",), "flag", "Read layers to their ends, so that their digests are checked, then write")
QUIET = Option(("--quiet", "-q"), "flag", "Do not say how much was read")


def image_path(text: str, command: str, path: str = "") -> "ImagePath":
    """`IMAGE:/path`; UsageError for an image alone. `path` is the word after it, perhaps the path that is meant."""
    from kezuri.app.image_files import ImagePath

    found = ImagePath.parse(text)
    if not found.path or not found.image:
        raise UsageError.because(
            f"kezuri {command} needs a path in the image, not only {text!r}",
            f"write {text}:{path}" if text and path.startswith("/") else f"write for instance {text or 'IMAGE'}:/etc",
        )
    return found


class Meter:
    """How much of an image's layers comes over the network: shown on a terminal while it does, and said at the end. Use
    it in a `with`. `quiet` says nothing; nor is anything shown where a terminal gets the `result` itself."""

    def __init__(self, console: Console, quiet: bool, *, result: bool = False) -> None:
        from kezuri.app.layer_sources import Traffic

        self.traffic = Traffic(self._tick, self._warn)
        self._console = console
        self._quiet = quiet
        self._live = not quiet and console.live(console.err) and not (result and console.out.isatty())
        self._shown = 0.0

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if self._live and self._shown:
            self._console.err.write("\r\x1b[K")
        if kind is None and not self._quiet and self.traffic.whole:
            self._console.note(self._words())

    def _tick(self) -> None:
        now = monotonic()
        if self._live and now - self._shown > 0.1:
            self._shown = now
            self._console.err.write(f"\r\x1b[K{self._console.words(self._words())}")

    def _warn(self, text: str) -> None:
        if self._live and self._shown:
            self._console.err.write("\r\x1b[K")
        self._console.warn(text)

    def _words(self) -> str:
        from kezuri.cli.quantities import amount

        traffic = self.traffic
        return f"kezuri: read {amount(traffic.came)} of {amount(traffic.whole)} from {traffic.source}"
