"""Dockerfiles planned with images that exist only here."""

from collections.abc import Mapping, Sequence

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.parser import parse
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, digest_of
from kezuri.oci.platform import Platform
from kezuri.plan.contexts import NamedContext, context_name
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.plan.operation import CopyOperation, Plan, RunOperation, StagePlan
from kezuri.plan.planner import Planner, PlanRequest

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")


class Shelf:
    """Images by reference as written; keeps which were asked for."""

    def __init__(self, configs: Mapping[str, ImageConfig] | None = None, missing: Sequence[str] = ()) -> None:
        self.configs = dict(configs or {})
        self.missing = set(missing)
        self.asked: list[tuple[str, str, Platform]] = []

    def __call__(self, source: ImageSource, platform: Platform) -> BaseImage:
        self.asked.append((source.kind, source.text, platform))
        if source.text in self.missing:
            raise KezuriError.of(f"no such image: {source.text}")
        config = self.configs.get(source.text, ImageConfig(platform, env=("PATH=/base/bin",)))
        layer = Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", digest_of(source.text.encode()), 3)
        config = config._replace(diff_ids=(digest_of(b"diff " + source.text.encode()),))
        return BaseImage(source.text, digest_of(b"m" + source.text.encode()), config, (layer,), source)


def plan(
    text: str,
    *,
    target: str = "",
    args: Mapping[str, str] | None = None,
    contexts: Mapping[str, NamedContext] | None = None,
    platform: Platform | None = None,
    shelf: Shelf | None = None,
) -> Plan:
    """The plan of a Dockerfile, built on linux/amd64."""
    request = PlanRequest(
        target, args or {}, {context_name(k): v for k, v in (contexts or {}).items()}, platform, AMD64
    )
    return Planner(parse(text, "Dockerfile"), request, shelf or Shelf()).plan()


def last(text: str, **more: object) -> StagePlan:
    """The plan of the target stage."""
    made = plan(text, **more)  # type: ignore[arg-type]
    return made.stage(made.target)


def runs(stage: StagePlan) -> list[RunOperation]:
    return [o for o in stage.operations if isinstance(o, RunOperation)]


def copies(stage: StagePlan) -> list[CopyOperation]:
    return [o for o in stage.operations if isinstance(o, CopyOperation)]


def run_env(text: str, **more: object) -> dict[str, str]:
    """The environment of the last RUN of the target stage."""
    return dict(runs(last(text, **more))[-1].env)


def history(text: str, **more: object) -> list[str]:
    return [item.created_by for item in last(text, **more).history]


def errors(text: str, **more: object) -> list[tuple[int, str, str]]:
    """(line, message, hint) of everything that is wrong."""
    with pytest.raises(KezuriError) as caught:
        plan(text, **more)  # type: ignore[arg-type]
    found = []
    for d in caught.value.diagnostics:
        line = d.source.position(d.span.start)[0] if d.source is not None and d.span is not None else 0
        found.append((line, d.message, d.hint))
    return found
