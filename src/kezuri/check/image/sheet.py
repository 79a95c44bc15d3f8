"""One image checked: every rule about images asked, and what is left out by those who ask."""

from collections.abc import Callable, Iterable

from kezuri.check.asking import Asking
from kezuri.check.image.linter import every_look, gather
from kezuri.check.image.rule import ImageLook
from kezuri.check.image.subject import Image
from kezuri.check.rule import Finding
from kezuri.check.selection import Selection
from kezuri.check.told import Defect, Sheet, Told

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
    gathering: list[Defect] = []
    try:
        chosen = gather(image, chosen)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        # What one rule gathers took the others down: those that gather nothing can be asked still.
        from traceback import format_exception

        trace = "".join(format_exception(error)).rstrip()
        gathering.append(Defect("about files", image.name, f"{type(error).__name__}: {str(error)[:200]}", trace))
        chosen = [look for look in chosen if not look.needs]
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
    told.sort(key=_order)
    return Sheet(image.history.source, tuple(told), (*gathering, *asking.defects), silenced)


def _order(told: Told) -> tuple[str, int, str]:
    return (told.source.name, -1 if told.whole is None else told.whole.start, told.rule.name)
