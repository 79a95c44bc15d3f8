"""What is known to be broken in an image, as one line."""

from typing import TYPE_CHECKING

from kezuri.cli.phrase import Phrase, plainly

if TYPE_CHECKING:
    from kezuri.app.known_faults import KnownFaults


def line(found: "KnownFaults", name: str, phrase: Phrase = plainly) -> str:
    """The line that a build ends with; never a zero without how much could not be asked about."""
    if found.faults:
        words = {
            "critical": phrase("critical"),
            "high": phrase("high"),
            "medium": phrase("medium"),
            "low": phrase("low"),
            "unknown": phrase("of unknown severity"),
        }
        said = [phrase("Known faults: {}", ", ".join(f"{number} {words[each]}" for each, number in found.faults))]
    else:
        said = [phrase("No known faults in {} packages", found.packages)]
    if found.mended:
        said.append(phrase("newer versions mend {}", found.mended))
    if found.unasked:
        said.append(phrase("{} of {} packages could not be asked about", found.unasked, found.packages))
    if found.date:
        said.append(phrase("data of {}", found.date))
    return f"{'; '.join(said)} (kezuri scan {name})"
