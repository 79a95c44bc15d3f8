"""One image checked: every rule about images asked, and what is left out by those who ask."""

from collections.abc import Callable, Iterable

from kezuri.check.asking import Asking
from kezuri.check.image.blotting import blotted
from kezuri.check.image.linter import every_look, gather
from kezuri.check.image.rule import ImageLook
from kezuri.check.image.subject import Image
from kezuri.check.rule import Finding
from kezuri.check.selection import Selection
from kezuri.check.told import Sheet, Told

Silent = Callable[[Finding, tuple[str, ...], int], bool]
"""Whether a comment leaves out a finding that has these names and stands at this line of the Dockerfile."""


def check_image(
    image: Image,
    selection: Selection,
    looks: Iterable[ImageLook] | None = None,
    silent: Silent = lambda finding, names, line: False,
) -> Sheet:
    """What there is to say about an image, in the order of its history. Never raises for what is in it."""
    asking = Asking(image.name)
    chosen = [look for look in (every_look() if looks is None else looks) if selection.rules([look.page])]
    chosen = gather(image, chosen)
    found = (
        finding
        for look in chosen
        for finding in asking([look.page], lambda _, look=look: look.look(image))  # type: ignore[misc]
    )
    told, silenced = selection.tell(
        found,
        image.text_of,
        lambda finding, one: finding.node is not None and silent(finding, finding.names, one.line),
    )
    # What an image starts, or asks of itself, is quoted, and can be given a secret.
    told = [each._replace(message=blotted(each.message)) for each in told]
    told.sort(key=_order)
    return Sheet(image.history.source, tuple(told), tuple(asking.defects), silenced)


def _order(told: Told) -> tuple[str, int, str]:
    return (told.source.name, -1 if told.whole is None else told.whole.start, told.rule.name)
