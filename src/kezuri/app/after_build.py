"""What can be said of an image that was just built, for nothing: its program, its user, its loader, looked up in files
that are here anyway."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from kezuri.app.session import Session
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.plan.inputs import BaseImage, StageInput
from kezuri.plan.operation import Plan

if TYPE_CHECKING:
    from kezuri.build.builder import Built
    from kezuri.check.rule import Finding
    from kezuri.check.subject import Subject

SHARE = 0.05
"""How much of the time that the build took looking at its image may take."""
_BEGINNING = 0.03
"""How many seconds it takes to load the rules."""
_BYTES_A_SECOND = 50e6
"""How fast the files of a layer are listed that only a tar has, and one of them is found."""
_LISTING_A_SECOND = 8e6
"""How fast a listing is read that was written down, by its bytes on the disk."""


def findings(subject: "Subject", plan: Plan, built: "Built", session: Session, took: float) -> Iterator[Diagnostic]:
    """Warnings about the image of the target's stage, with places in the Dockerfile. There are none where looking would
    cost more than a small share of the time that the build took (in seconds), or a layer is not here."""
    stage = plan.stage(plan.target)
    base = stage.base
    while isinstance(base, StageInput):
        base = plan.stage(base.stage).base
    own = [built.layers[(item.stage, item.operation)] for item in stage.history if item.operation >= 0]
    below = base.config.diff_ids if isinstance(base, BaseImage) else ()
    layers = (*below, *own)
    if stage.config.platform.os != "linux" or _cost(session, below, own) > SHARE * took:
        return
    told = base.config.history if isinstance(base, BaseImage) else ()
    unsaid = len(below) - sum(not entry.empty_layer for entry in told)
    history = (*told, *[HistoryEntry(comment="imported from base image")] * max(0, unsaid))
    entries = (*history, *(HistoryEntry("", item.created_by, "", item.operation < 0) for item in stage.history))
    config = stage.config._replace(history=entries)
    with suppress(KezuriError, OSError):
        yield from _found(subject, plan.target, config, layers, session)


def _cost(session: Session, below: Sequence[str], own: Sequence[str]) -> float:
    """How many seconds it takes to know what is in the layers, and to look into a file of the image's own; infinity
    where one is not here."""
    forms, database = session.forms, session.store.database
    seconds = _BEGINNING
    for layer in (*below, *own):
        if forms.is_unpacked(layer):
            continue
        if forms.is_listed(layer):
            with suppress(OSError):
                seconds += os.path.getsize(forms.listing_path(layer)) / _LISTING_A_SECOND
            if layer not in own:
                continue
        row = database.layer(layer)
        diff_id = row.diff_id if row is not None and row.diff_id else layer
        content = database.facts.unpacked([diff_id]).get(diff_id)
        if content is None or not forms.usable(layer):
            return float("inf")
        seconds += content / _BYTES_A_SECOND
    return seconds


def _found(
    subject: "Subject", target: int, config: ImageConfig, layers: tuple[str, ...], session: Session
) -> Iterator[Diagnostic]:
    from kezuri.anatomy.history import History
    from kezuri.check.image.blotting import blotted
    from kezuri.check.image.linter import quick_looks
    from kezuri.check.image.origin import Origin
    from kezuri.check.image.subject import Image

    origin = Origin(subject, target)
    history = History("the image", config.history, len(layers), origin.nodes, blotted)
    forms = session.forms.view(layers).layers

    def own(layer: int) -> bool:
        return layer >= origin.base_layers

    image = Image("the image", config, forms, history, base_layers=origin.base_layers, built=origin.built, readable=own)
    for look in quick_looks():
        # A rule that raises is told by `kezuri check`; a build that succeeded is not to end with it.
        with suppress(Exception):
            for finding in look.look(image):
                if (finding.level or look.page.severity) in ("error", "warning") and not _silent(finding, subject):
                    yield finding.diagnostic(image.text_of(finding))


def _silent(finding: "Finding", subject: "Subject") -> bool:
    from kezuri.check.pragmas import Silence

    if finding.node is None:
        return False
    return Silence(subject.dockerfile, "").silent(finding, finding.names, finding.node.place.line)
