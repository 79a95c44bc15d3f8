"""`diff`: two images, wherever they are, and what is not the same in them."""

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.values import Anatomy
from kezuri.app.anatomy import Named, opened_with_figures
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.comparison.difference import ImageDifference, LayerChange, SettingChange
from kezuri.comparison.files import compared
from kezuri.comparison.packages import package_changes
from kezuri.comparison.sizes import size_figures
from kezuri.comparison.values import Side
from kezuri.proof.configs import config_differences


def difference(
    settings: Settings,
    before: Named,
    after: Named,
    *,
    times: bool = False,
    most: int = 0,
    traffic: Traffic | None = None,
) -> ImageDifference:
    """What differs between two images. `times`: when files were changed counts; `most`: so many changes of files are
    told one by one, the weightiest, all for 0. KezuriError when there is no such image, or its layers cannot be had."""
    with (
        Session(settings, reading=True) as session,
        opened_with_figures(session, before, traffic) as (one, before_figures),
        opened_with_figures(session, after, traffic) as (two, after_figures),
    ):
        figures = before_figures, after_figures
        files = compared(one, two, times=times, most=most)
        kept = {layer.diff_id for layer in one.layers} & {layer.diff_id for layer in two.layers}
        return ImageDifference(
            side(one),
            side(two),
            size_figures(*figures),
            _settings(one, two),
            _layers(*figures, kept),
            sum(layer.diff_id in kept for layer in two.layers),
            sum(layer.blob for layer in two.layers if layer.diff_id in kept),
            package_changes(*figures),
            *files,
            (*one.told, *two.told),
        )


def side(image: Dissection) -> Side:
    """The image as a column of a table names it."""
    return Side(image.name, "image", image.digest, str(image.config.platform))


def _settings(before: Dissection, after: Dissection) -> tuple[SettingChange, ...]:
    found = config_differences(before.config, after.config)
    return tuple(SettingChange(_word(each.name), each.before, each.after) for each in found)


def _word(name: str) -> str:
    return "Platform" if name == "stage.platform" else "Author" if name == "author" else name.removeprefix("config.")


def _layers(before: Anatomy, after: Anatomy, kept: set[str]) -> tuple[LayerChange, ...]:
    gone = (LayerChange("gone", layer) for layer in before.layers if layer.diff_id not in kept)
    new = (LayerChange("new", layer) for layer in after.layers if layer.diff_id not in kept)
    return (*gone, *new)
