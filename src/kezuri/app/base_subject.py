"""What base a Dockerfile names, or an image stands on, as far as that can be known."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from kezuri.app.base_images import FoundImage
from kezuri.app.distant_image import DistantImage
from kezuri.app.image_files import StoredImage
from kezuri.app.layer_sources import InStore, Traffic
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.edits.rebase import BASE_NAME
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.inputs import BaseImage, ImageSource

_NAMES = ("Dockerfile", "Containerfile")


class Subject(NamedTuple):
    """What was asked about. `base` is the name of its base as it is known, empty where it is not, and `how` how that is
    known. Of an image `image` is the whole of it and `layers` how many of the lowest are its base's, -1 where that is
    not known; of a Dockerfile `dockerfile` and `line` are where the base is named."""

    name: str
    base: str
    how: str
    image: FoundImage | None = None
    layers: int = -1
    dockerfile: str = ""
    line: int = 0
    platform: Platform | None = None


def dockerfile_of(subject: str) -> str:
    """The path of the Dockerfile that a subject is, or has in it as a directory; empty for what is none. KezuriError
    for a path that no image can have as a name, where there is no Dockerfile."""
    if os.path.isdir(subject):
        found = next((path for name in _NAMES if os.path.isfile(path := os.path.join(subject, name))), "")
    else:
        found = subject if os.path.isfile(subject) else ""
    if not found and (subject in (".", "..") or subject.startswith(("/", "./", "../"))):
        if os.path.isdir(subject):
            raise KezuriError.of(f"there is no Dockerfile in {subject}")
        raise KezuriError.of(f"there is no file or directory {subject}")
    return found


def of_dockerfile(path: str, target: str, arguments: Mapping[str, str], platform: Platform) -> Subject:
    """The base that the stage `target` of a Dockerfile (the last one where it is empty) stands on in the end. No image
    is asked for. KezuriError where the file cannot be read, has no such stage, or its base is not to be known."""
    from kezuri.dockerfile.parser import decode, parse
    from kezuri.plan.inputs import StageInput
    from kezuri.plan.planner import Planner, PlanRequest
    from kezuri.plan.stages import StageNames, split_stages
    from kezuri.source.reading import read_dockerfile

    dockerfile = parse(decode(read_dockerfile(path, path)), path).verify()
    if target:
        StageNames(split_stages(dockerfile)[1]).target(target)
    request = PlanRequest(target=target, arguments=arguments, platform=platform)
    survey = Planner(dockerfile, request, _unasked).look(False)
    plans = {stage.number: stage.plan for stage in survey.stages}
    plan = plans.get(survey.target)
    while plan is not None and isinstance(plan.base, StageInput):
        plan = plans.get(plan.base.stage)
    if plan is None:
        for error in survey.errors:
            raise error
        raise KezuriError.of(f"{path} names no base", exit_code=2)
    name = plan.base_title
    if name == "scratch":
        raise KezuriError.of(
            f"{path} stands on scratch, which is no image",
            hint="kezuri scan says what is known of the image that it makes",
            exit_code=2,
        )
    return Subject(path, name, "named", dockerfile=path, line=plan.node.place.line, platform=plan.platform)


def _unasked(source: ImageSource, platform: Platform) -> BaseImage:
    raise KezuriError.of(f"{source.text} is not asked for", exit_code=125)


def of_image(
    session: Session, found: StoredImage | DistantImage, name: str, platform: str, base: str, traffic: Traffic
) -> Subject:
    """The base of an image that `located` has found, as long as that is open. `base` is what the user says of it: a
    name, or how many of the lowest layers it has."""
    from kezuri.app.layer_makers import makers

    if isinstance(found, StoredImage):
        digest, config, manifest = found.kept.digest, found.kept.config, found.kept.manifest
        image = FoundImage(found.name, digest, config, manifest.layers, InStore(session).open, Traffic(), here=True)
        annotations = manifest.annotations
    else:
        files, here = found.files, not traffic.source
        image = FoundImage(
            found.name,
            found.digest,
            found.config(),
            found.layers,
            lambda layer: files.opener(layer)(),
            traffic,
            here,
            None if here else Reference.maybe(found.name),
        )
        annotations = found.annotations
    made = makers(session, image.name, image.config, annotations)
    if base:
        from kezuri.app.named_base import with_base

        made = with_base(session, image.name, made, image.config.diff_ids, base, platform)
    layers = sum(maker.of_base for maker in made)
    named = next((maker.base for maker in made if maker.of_base and maker.base), "")
    named = named or {**image.config.labels, **(annotations or {})}.get(BASE_NAME, "")
    how = "given" if base else "recorded" if named else ""
    return Subject(name, named, how, image, layers or -1)
