"""What the commands have in common that make an image of another one: options, times, and what is said in the end."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kezuri.cli.options import Option, Parsed, UsageError

if TYPE_CHECKING:
    from kezuri.app.mutate import Wanted
    from kezuri.cli.console import Console
    from kezuri.images.altered import Altered

PLATFORM = Option(("--platform",), "text", "Only the image of this platform (default: all of an index)", "OS/ARCH")
CREATED = Option(
    ("--created",),
    "text",
    "When it was made: a time, seconds since 1970, now, epoch or SOURCE_DATE_EPOCH (the variable)",
    "TIME",
)
NAMES = (
    Option(("--tag", "-t"), "repeated", "The new image's name (without: it is found by its digest)", "NAME[:TAG]"),
    Option(("--in-place",), "flag", "The new image takes the name over that IMAGE has"),
)


def wanted(parsed: Parsed) -> "Wanted":
    """What --platform, --tag and --in-place say."""
    from kezuri.app.mutate import Wanted

    return Wanted(parsed.text("--platform"), parsed.all("--tag"), parsed.flag("--in-place"))


def created(parsed: Parsed, environ: Mapping[str, str]) -> str:
    """The time that --created says, as RFC 3339 text in UTC; empty without it. UsageError for what is no time."""
    from kezuri.oci.dates import seconds, timestamp

    if not parsed.given("--created"):
        return ""
    text = parsed.text("--created").strip()
    if text == "now":
        from time import time

        return timestamp(int(time()))
    moment: float | None
    if text == "epoch":
        moment = 0.0
    elif text == "SOURCE_DATE_EPOCH":
        from kezuri.plan.epoch import epoch_seconds

        if not environ.get(text):
            raise UsageError.because("--created SOURCE_DATE_EPOCH: there is no such variable", "export it first")
        moment = epoch_seconds(environ[text])
    elif text.isascii() and text.isdecimal():
        moment = float(text) if len(text) < 12 else None
    else:
        moment = seconds(text)
    if moment is None or not -62135596800 <= moment < 253402300800:
        raise UsageError.because(
            f"--created {text!r} is no time", "write 2026-01-31T12:00:00Z, seconds since 1970, now or epoch"
        )
    return timestamp(moment)


def report(altered: "Altered", console: "Console", name: str) -> None:
    """The digest on standard output, for a script; on standard error that nothing changed, if so."""
    if not altered.changed:
        console.note(f"{name} is that already: nothing changed")
    console.say(altered.descriptor.digest)
