"""What the commands that read files of images share: `IMAGE:/path`, their options, and what was read of how much."""

from typing import TYPE_CHECKING

from kezuri.cli.console import Console
from kezuri.cli.options import Option, UsageError

if TYPE_CHECKING:
    from kezuri.app.image_files import ImagePath, Traffic

PLATFORM = Option(("--platform",), "text", "Which platform's image (default: this machine's)", "OS/ARCH")
VERIFY = Option(("--verify",), "flag", "Read layers to their ends, so that their digests are checked, then write")
QUIET = Option(("--quiet", "-q"), "flag", "Do not say how much was read")


def image_path(text: str, command: str) -> "ImagePath":
    """`IMAGE:/path`; UsageError for an image alone."""
    from kezuri.app.image_files import ImagePath

    found = ImagePath.parse(text)
    if not found.path or not found.image:
        raise UsageError.because(
            f"kezuri {command} needs a path in the image, not only {text!r}",
            f"write for instance {text or 'IMAGE'}:/etc",
        )
    return found


def say_traffic(traffic: "Traffic", console: Console) -> None:
    """How much of an image's layers came over the network, where that was asked for them."""
    if not traffic.source:
        return
    from kezuri.cli.quantities import amount

    console.note(f"kezuri: read {amount(traffic.came)} of {amount(traffic.whole)} from {traffic.source}")
