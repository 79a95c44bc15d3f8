"""What names in a Dockerfile stand for: the named contexts of `--build-context`, and the images of one plan."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, Place, nearest
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.inputs import BaseImage, ImageSource

ImageResolver = Callable[[ImageSource, Platform], BaseImage]
"""Finds an image for a platform; KezuriError when it cannot be had."""

_UNREACHABLE = 125
"""The exit code of errors that say nothing of the image: nobody could be asked for it."""


class NamedContext(NamedTuple):
    """A `--build-context`: a `directory`, or an image from a `registry` or `layout`; `text` says which."""

    kind: str
    text: str


def context_name(name: str) -> str:
    """The one form in which names of contexts are compared: `node` and `docker.io/library/node:latest` are the same.

    `node::linux/arm64` is the context `node` for one platform."""
    if "::" in name:
        name, _, platform = name.partition("::")
        return f"{context_name(name)}::{Platform.parse(platform)}"
    try:
        folded = Reference.parse(name.lower() if "/" not in name and ":" not in name else name)
        return folded.familiar.removesuffix(":latest")
    except KezuriError:
        return name.lower()


def find_context(
    contexts: Mapping[str, NamedContext], name: str, platform: Platform
) -> tuple[str, NamedContext] | None:
    """The named context that stands for a name, and its key; one for the very platform comes first."""
    if not contexts or name == "scratch":
        return None
    folded = context_name(name)
    for key in (f"{folded}::{platform}", folded):
        if (context := contexts.get(key)) is not None:
            return key, context
    return None


class Images:
    """Images by source and platform: each is asked for once, and what was wrong with one is said again wherever it is
    used. `stages` are names that somebody may have meant instead of an image's.

    `lenient`: an image that nobody could be asked for (exit code 125) is taken to be empty, and kept in `absent` with
    the reason.
    """

    def __init__(self, resolve: ImageResolver, stages: Sequence[str]) -> None:
        self._resolve = resolve
        self._stages = stages
        self._known: dict[tuple[ImageSource, Platform], BaseImage | KezuriError] = {}
        self.lenient = False
        self.absent: dict[ImageSource, KezuriError] = {}

    def get(self, source: ImageSource, platform: Platform, place: Place) -> BaseImage:
        """The image. KezuriError, at the place where it is first asked for, when it cannot be had."""
        key = (source, platform)
        if key not in self._known:
            self._known[key] = self._ask(source, platform, place)
        known = self._known[key]
        if isinstance(known, KezuriError):
            raise known
        return known

    def _ask(self, source: ImageSource, platform: Platform, place: Place) -> BaseImage | KezuriError:
        try:
            image = self._resolve(source, platform)
        except KezuriError as error:
            failed = error.at(place)
            if source.kind == "registry" and not set(source.text) & {"/", ":"}:
                near = nearest(source.text, self._stages)
                failed = failed.hinted(f"did you mean the stage `{near}`?") if near else failed
            failed.__cause__ = error
            if not self.lenient or error.exit_code != _UNREACHABLE:
                return failed
            self.absent[source] = failed
            return BaseImage(source.text, "", ImageConfig(platform, working_dir="/"), (), source)
        if not image.config.platform.architecture:
            # Images made without a builder may not say for which platform they are: what is built on one is for the
            # platform that the image was asked for, since the specification wants every image to say.
            image = image._replace(config=image.config._replace(platform=platform))
        return image
