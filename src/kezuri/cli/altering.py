"""What the commands have in common that make an image of another one: options, times, and what is said in the end."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from kezuri.cli.options import Option, Parsed, UsageError

if TYPE_CHECKING:
    from kezuri.app.altering import Wanted
    from kezuri.cli.console import Console
    from kezuri.forms.packing import Packing
    from kezuri.images.altered import Altered

PLATFORM = Option(("--platform",), "text", "Only the image of this platform (default: all of an index)", "OS/ARCH")
CREATED = Option(
    ("--created",),
    "text",
    "When it was made: a time, seconds since 1970, now, epoch or SOURCE_DATE_EPOCH (the variable)",
    "TIME",
)
COMPRESSION = (
    Option(
        ("--compression",), "choice", "How the layer is packed (default gzip)", "KIND", ("gzip", "zstd", "uncompressed")
    ),
    Option(("--compression-level",), "text", "How hard: gzip 0 to 9, zstd 1 to 19", "N"),
)
NAMES = (
    Option(
        ("--tag", "-t"), "repeated", "The new image's name or place (without: it is found by its digest)", "NAME[:TAG]"
    ),
    Option(("--in-place",), "flag", "The new image takes the name over that IMAGE has"),
)


def wanted(parsed: Parsed) -> "Wanted":
    """What --platform, --tag and --in-place say."""
    from kezuri.app.altering import Wanted

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


def packing(parsed: Parsed) -> "Packing":
    """What --compression and --compression-level say. UsageError for a level that there is not."""
    from kezuri.forms.packing import Packing
    from kezuri.layer.compression import compression

    kind = parsed.text("--compression", "gzip")
    text = parsed.text("--compression-level")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 4):
        raise UsageError.because(f"--compression-level {text!r} is no number")
    level = int(text) if text else None
    if kind == "uncompressed":
        return Packing("none")
    named: Literal["gzip", "zstd"] = "zstd" if kind == "zstd" else "gzip"
    compression(named, level)
    return Packing(named, level)


def report(altered: "Altered", console: "Console", name: str) -> None:
    """The digest on standard output, for a script; on standard error that nothing changed, if so."""
    if not altered.changed:
        console.note(f"{name} is that already: nothing changed")
    console.say(altered.descriptor.digest)
