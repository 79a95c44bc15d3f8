"""An image analysed for the report, which shows its files and what the build cost that made it, too."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kezuri.anatomy.values import Anatomy
from kezuri.app.analysis import opened_analysed
from kezuri.app.anatomy import Named
from kezuri.app.layer_makers import build_of
from kezuri.app.profile import profile
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.explain.profile import Profile
from kezuri.report.html_anatomy import anatomy_section


class ImagePage(NamedTuple):
    """The figures of an image, the section that shows them with its files, and what the build cost that made it; None
    where the journal does not know that."""

    figures: Anatomy
    section: dict[str, Any]
    build: Profile | None


def image_page(settings: Settings, image: Named, ignore: Sequence[str], japanese: Callable[[str], str]) -> ImagePage:
    """What the page of an image shows; its layers are read once. KezuriError as for `analysed`."""
    with Session(settings, reading=True) as session, opened_analysed(session, image, ignore) as (dissection, figures):
        section = anatomy_section(dissection, figures, japanese)
        build = build_of(session, dissection.config)
    try:
        return ImagePage(figures, section, profile(settings, build) if build else None)
    except KezuriError:
        return ImagePage(figures, section, None)
