"""Pulls measured for a comparison: both images in a registry on loopback, behind a line as slow as is wanted."""

import os
from collections.abc import Sequence
from contextlib import ExitStack

from kezuri.app.compare_request import CompareRequest, NotDone, Program
from kezuri.app.request import Settings
from kezuri.app.transfers import CopyRequest, copy_image
from kezuri.comparison.line import Line
from kezuri.comparison.registry import Registry, installed, own
from kezuri.comparison.values import Reading
from kezuri.oci.platform import Platform
from kezuri.progress.events import WorkName
from kezuri.progress.reporter import Reporter

_REPOSITORIES = ("compared/before", "compared/after")


def pulls(
    images: Sequence[tuple[Settings, str, str]],
    request: CompareRequest,
    program: Program,
    reporter: Reporter,
    place: str,
    platform: str,
) -> tuple[tuple[Reading, ...], str]:
    """What pulling each of the images took, and the name of the registry. An image is the settings with which it is
    found, its name there, and what a user calls it. KezuriError where they cannot be pulled."""
    import shutil

    wanted = platform or str(Platform.host())
    with ExitStack() as held:
        registry = held.enter_context(installed(place, os.environ))
        if registry is None:
            registry = held.enter_context(own(os.path.join(place, "layout")))
        for (settings, name, shown), repository in zip(images, _REPOSITORIES):
            with reporter.step(WorkName(f"push {shown} to the registry")):
                _push(settings, name, registry, repository, wanted)
        line = held.enter_context(Line(("127.0.0.1", registry.port), request.bandwidth, request.rtt))
        times: list[list[float]] = [[], []]
        for run in range(1, request.runs + 1):
            for (_, _, shown), repository, taken in zip(images, _REPOSITORIES, times):
                word = repository.rpartition("/")[2]
                with reporter.step(WorkName(f"{shown}: pull ({run} of {request.runs})")):
                    root = os.path.join(place, f"pulled-{word}-{run}")
                    address = f"127.0.0.1:{line.port}/{repository}:latest"
                    words = ("--insecure-registry", f"127.0.0.1:{line.port}", "pull", "-q", "--platform", wanted)
                    ran = program(root, *words, address)
                    shutil.rmtree(root, ignore_errors=True)
                    if ran.code:
                        message = f"{shown} cannot be pulled from the registry on loopback"
                        raise NotDone.after(message, ran.said, 125)
                    taken.append(ran.seconds)
        return tuple(Reading(tuple(taken)) for taken in times), registry.name


def _push(settings: Settings, name: str, registry: Registry, repository: str, platform: str) -> None:
    if registry.layout:
        target = f"oci:{registry.layout}:{repository}:latest"
    else:
        host = f"127.0.0.1:{registry.port}"
        target = f"docker://{host}/{repository}:latest"
        settings = settings._replace(insecure=(*settings.insecure, host))
    copy_image(settings, CopyRequest(name, target, platform), lambda event: None)
