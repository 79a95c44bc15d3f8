"""Parts of the report that need an image's files and the journal: the image is opened once more, its pieces go by."""

from collections.abc import Callable
from typing import Any

from kezuri.anatomy.values import Anatomy
from kezuri.app.anatomy import Named, opened_dissection
from kezuri.app.layer_makers import build_of
from kezuri.app.profile import profile
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.explain.profile import Profile
from kezuri.report.html_anatomy import anatomy_section


def anatomy_part(
    settings: Settings, image: Named, figures: Anatomy, japanese: Callable[[str], str]
) -> tuple[dict[str, Any], Profile | None]:
    """The section of an image whose figures are known, and what the build cost that made it; None where the journal
    does not know that. KezuriError when there is no such image, or its layers cannot be had."""
    with Session(settings, reading=True) as session, opened_dissection(session, image) as dissection:
        section = anatomy_section(dissection, figures, japanese)
        build = build_of(session, dissection.config)
    try:
        return section, profile(settings, build) if build else None
    except KezuriError:
        return section, None
