"""Parts of the report that need an image's files: it is opened once more, and its pieces go by."""

from collections.abc import Callable
from typing import Any

from kezuri.anatomy.values import Anatomy
from kezuri.app.anatomy import Named, opened_dissection
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.report.html_anatomy import anatomy_section


def anatomy_part(
    settings: Settings, image: Named, figures: Anatomy, japanese: Callable[[str], str], side: str = ""
) -> dict[str, Any]:
    """The section of an image whose figures are known. KezuriError when there is no such image, or its layers cannot be
    had."""
    with Session(settings, reading=True) as session, opened_dissection(session, image) as dissection:
        return anatomy_section(dissection, figures, japanese, side)
