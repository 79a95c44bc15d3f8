"""How an image was built, as a predicate of SLSA (provenance v1): from what, asked for how, and when."""

import os
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from kezuri import __version__
from kezuri.app.request import BuildRequest
from kezuri.oci.dates import timestamp
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ImageInput, StageInput, UrlSource
from kezuri.plan.operation import Plan, StagePlan

if TYPE_CHECKING:
    from kezuri.app.definition import Definition

BUILD_TYPE: Final = "https://kezuri.dev/provenance/v1"
"""What the parameters mean: docs/attestations.md."""


def provenance(
    request: BuildRequest, definition: "Definition", plan: Plan, stage: int, began: float, ended: float
) -> dict[str, Any]:
    """The predicate about the image of a stage. `began` and `ended` are seconds since 1970; with a SOURCE_DATE_EPOCH
    they are left out, so that the same build says the same."""
    from kezuri.check.image.blotting import blotted

    full = request.provenance == "max"
    metadata: dict[str, Any] = {}
    if plan.epoch is None:
        metadata = {"startedOn": timestamp(began), "finishedOn": timestamp(ended)}
    local = not definition.context.address
    metadata["buildkit_completeness"] = {"request": full, "resolvedDependencies": not local}
    if request.reproducible:
        metadata["buildkit_reproducible"] = True
    if full:
        source = definition.context.dockerfile
        data = b64encode(blotted(source.text, lines=True).encode("utf-8", "surrogateescape")).decode()
        info = {"filename": os.path.basename(source.name), "language": "Dockerfile", "data": data}
        metadata["buildkit_metadata"] = {"source": {"infos": [info]}}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "configSource": _source(definition),
                "request": _request(request, local, full),
            },
            "internalParameters": {
                "builderPlatform": str(Platform.host()),
                "targetPlatform": str(plan.stage(stage).platform),
            },
            "resolvedDependencies": list(_dependencies(definition, plan, stage)),
        },
        "runDetails": {
            "builder": {"id": request.builder_id, "version": {"kezuri": __version__}},
            "metadata": metadata,
        },
    }


def _source(definition: "Definition") -> dict[str, Any]:
    from kezuri.explain.discretion import anonymous

    context = definition.context
    found: dict[str, Any] = {}
    if context.address:
        found["uri"] = anonymous(context.address)
        if context.identity:
            kind, digest = _digest(context.identity)
            found["digest"] = {kind: digest}
    found["path"] = os.path.basename(context.dockerfile.name)
    return found


def _request(request: BuildRequest, local: bool, full: bool) -> dict[str, Any]:
    """What was asked for; in full with values of arguments, unless their names or their looks are those of secrets."""
    from kezuri.check.image.blotting import blotted
    from kezuri.explain.discretion import anonymous, shown

    args: dict[str, str] = {}
    if request.target:
        args["target"] = request.target
    if request.no_cache:
        args["no-cache"] = ""
    if request.network != "default":
        args["force-network-mode"] = request.network
    if full:
        for name, value in request.build_args:
            args[f"build-arg:{name}"] = blotted(anonymous(shown(name, value)) or "")
        for name, value in request.labels:
            args[f"label:{name}"] = value
        for name, value in request.build_contexts:
            # Where something lies on this machine is nobody's business.
            word = value.partition("://")[0] if "://" in value else "local"
            args[f"context:{name}"] = word if word in ("local", "oci-layout") else anonymous(value) or ""
    found: dict[str, Any] = {"frontend": "dockerfile.v0", "args": dict(sorted(args.items()))}
    if full and request.secrets:
        found["secrets"] = [{"id": secret.id} for secret in request.secrets]
    if full and request.agents:
        found["ssh"] = [{"id": agent.id} for agent in request.agents]
    if local:
        found["locals"] = [{"name": "context"}, {"name": "dockerfile"}]
    return found


def _dependencies(definition: "Definition", plan: Plan, stage: int) -> Iterator[dict[str, Any]]:
    """The images, files and repositories that the stage is made from, also by way of others, each once."""
    from kezuri.check.image.blotting import blotted

    told: dict[str, dict[str, Any]] = {}

    def tell(uri: str, kind: str, digest: str) -> None:
        uri = blotted(uri)  # An address can be signed.
        told.setdefault(uri, {"uri": uri, "digest": {kind: digest}})

    source = _source(definition)
    if "digest" in source:
        tell(source["uri"], *next(iter(source["digest"].items())))
    for each in _reached(plan, stage):
        images = [each.base] if isinstance(each.base, BaseImage) else []
        for operation in each.operations:
            images += [given.image for given in operation.inputs if isinstance(given, ImageInput)]
        for image in images:
            tell(_image(image, each.platform), "sha256", image.digest.removeprefix("sha256:"))
        for remote in (found for operation in each.operations for found in operation.remotes if found is not None):
            uri = remote.url if isinstance(remote, UrlSource) else remote.remote
            tell(uri, *_digest(definition.remotes().identity(remote)[1]))
    yield from told.values()


def _digest(identity: str) -> tuple[str, str]:
    """The algorithm and the digest in the identity of a remote source: see `Remotes.identity`."""
    said = identity.partition(",")[0]
    if said.startswith("commit "):
        commit = said.removeprefix("commit ")
        return ("sha256" if len(commit) == 64 else "sha1"), commit
    kind, _, digest = said.partition(":")
    return kind, digest


def _reached(plan: Plan, stage: int) -> list[StagePlan]:
    """The stage, after all those that it needs."""
    wanted, waiting = {stage}, [stage]
    while waiting:
        found = plan.stage(waiting.pop())
        inputs = [found.base, *(given for operation in found.operations for given in operation.inputs)]
        for given in inputs:
            if isinstance(given, StageInput) and given.stage not in wanted:
                wanted.add(given.stage)
                waiting.append(given.stage)
    return [each for each in plan.stages if each.number in wanted]


def _image(image: BaseImage, platform: Platform) -> str:
    """As BuildKit names materials: `pkg:docker/NAME@TAG`, and `pkg:oci/…` for an image of a layout of this machine."""
    from kezuri.app.attesting import image_purl

    return image_purl(image.name, str(platform), "docker" if image.source.kind == "registry" else "oci")
