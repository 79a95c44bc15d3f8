"""The files of a result leave: into a directory, or as a tar."""

import os
from collections.abc import Iterable
from time import time

from kezuri.app.outputs import RootDirectory, RootOutput
from kezuri.app.session import Session
from kezuri.build.builder import Built
from kezuri.diagnostics import Diagnostic
from kezuri.export.destination import destination
from kezuri.export.root import Exported, common_items, dated, merged_items, platform_items, write_directory
from kezuri.layer.packer import compression, pack
from kezuri.plan.operation import Plan, Target
from kezuri.progress.events import Listener, Warned, WorkName
from kezuri.progress.reporter import Reporter
from kezuri.tree.content import on_hand


def export_root(
    output: RootOutput,
    plan: Plan,
    built: Built,
    session: Session,
    epoch: int | None,
    reporter: Reporter,
    listener: Listener,
) -> None:
    """Write the files of every target where the output wants them; with an `epoch` (seconds) all times are that one.
    What a directory cannot take is left out, and a warning says so."""
    forms = session.forms
    directory = isinstance(output, RootDirectory)
    targets = plan.targets or (Target(plan.stage(plan.target).config.platform, plan.target),)
    trees = []
    for target in targets:
        layers = built.states[target.stage].layers
        if directory:
            # Its files are written straight from the layers, in whatever form they are.
            forms.lay_out(layers, mounted=False)
        else:
            # A tar has its files in the order of their names, which no tar of a layer can be read in.
            forms.directories(layers)
        trees.append((str(target.platform), forms.view(layers)))
    items: Iterable[Exported]
    if bool(plan.targets) if output.split is None else output.split:
        items = platform_items([(name.replace("/", "_"), tree) for name, tree in trees])
    elif len(trees) == 1:
        items = merged_items(trees[0][1])
    else:
        items = common_items(trees)
    if epoch is not None:
        items = dated(items, epoch)
    if directory:
        with reporter.step(WorkName("exporting to client directory")):
            # The numbers of an ordinary user mean somebody else in an image.
            write_directory(
                items,
                output.dest,
                lambda text: listener(Warned(time(), Diagnostic("warning", text))),
                own_ids=os.geteuid() == 0,
            )
    else:
        with reporter.step(WorkName("exporting to client tarball")), destination(output.dest) as sink:
            pack(((entry, on_hand(content)) for entry, content in items), sink, compression("none", None))
