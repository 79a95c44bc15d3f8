"""Pulls measured for a comparison: both images in a registry on loopback, behind a line as slow as is wanted."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from kezuri.app.compare_request import CompareRequest, NotDone, Program
from kezuri.app.image_files import ImagePath
from kezuri.app.request import Settings
from kezuri.app.transfers import CopyRequest, copy_image
from kezuri.comparison.line import Line
from kezuri.comparison.registry import Registry, installed, own
from kezuri.comparison.values import Reading
from kezuri.images.kept import NoSuchImage
from kezuri.progress.events import WorkName
from kezuri.progress.reporter import Reporter

_REPOSITORIES = ("compared/before", "compared/after")


class Pullable(NamedTuple):
    """An image to pull: the settings with which it is found, its name there, what a user calls it, its platform."""

    settings: Settings
    name: str
    shown: str
    platform: str


def pulls(
    images: Sequence[Pullable],
    request: CompareRequest,
    program: Program,
    reporter: Reporter,
    place: str,
) -> tuple[tuple[Reading, ...], str]:
    """What pulling each of the images took, and the name of the registry. KezuriError where they cannot be pulled."""
    import shutil

    with ExitStack() as held:
        registry = held.enter_context(installed(place, os.environ))
        if registry is None:
            registry = held.enter_context(own(os.path.join(place, "layout")))
        for image, repository in zip(images, _REPOSITORIES):
            with reporter.step(WorkName(f"push {image.shown} to the registry")):
                _push(image, registry, repository)
        line = held.enter_context(Line(("127.0.0.1", registry.port), request.bandwidth, request.rtt))
        times: list[list[float]] = [[], []]
        for run in range(1, request.runs + 1):
            for image, repository, taken in zip(images, _REPOSITORIES, times):
                word = repository.rpartition("/")[2]
                with reporter.step(WorkName(f"{image.shown}: pull ({run} of {request.runs})")):
                    root = os.path.join(place, f"pulled-{word}-{run}")
                    address = f"127.0.0.1:{line.port}/{repository}:latest"
                    words = (
                        "--insecure-registry",
                        f"127.0.0.1:{line.port}",
                        "pull",
                        "-q",
                        "--platform",
                        image.platform,
                    )
                    ran = program(root, *words, address)
                    shutil.rmtree(root, ignore_errors=True)
                    if ran.code:
                        message = f"{image.shown} cannot be pulled from the registry on loopback"
                        raise NotDone.after(message, ran.said, 125)
                    taken.append(ran.seconds)
        return tuple(Reading(tuple(taken)) for taken in times), registry.name


def _push(image: Pullable, registry: Registry, repository: str) -> None:
    settings = image.settings
    if registry.layout:
        target = f"oci:{registry.layout}:{repository}:latest"
    else:
        host = f"127.0.0.1:{registry.port}"
        target = f"docker://{host}/{repository}:latest"
        settings = settings._replace(insecure=(*settings.insecure, host))
    request = CopyRequest(image.name, target, image.platform)
    try:
        copy_image(settings, request, _unheard)
    except NoSuchImage:
        # A name alone is the registry's image where the store has none.
        if ImagePath.parse(image.name).word:
            raise
        copy_image(settings, request._replace(source=f"docker://{image.name}"), _unheard)


def _unheard(event: object) -> None:
    pass
