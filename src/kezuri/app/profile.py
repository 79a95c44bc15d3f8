"""`profile`: what the instructions of the last builds cost, from the journal and the layers that are still here."""

import os
from collections.abc import Iterator, Mapping, Sequence

from kezuri.anatomy.walk import walk
from kezuri.app.layer_makers import layers_of
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.cache.journal import Heading, Journal, JournalBuild, JournalStage
from kezuri.diagnostics import KezuriError
from kezuri.explain.builds import choose
from kezuri.explain.explainer import Explainer
from kezuri.explain.profile import Profile
from kezuri.explain.profiling import LayerBytes, chain, profiled, wanted
from kezuri.tree.layers import LayerForm


def profile(settings: Settings, build: int = 0, directory: str = "", last: int = 20) -> Profile:
    """What the build with this number cost, else the last one that was made of or in `directory`; without one the last
    of the process's directory, else the last of all; and what up to `last` builds of its project, up to that one, say
    of its steps. KezuriError when there is none. Nothing is fetched."""
    with Session(settings, reading=True) as session:
        journal = Journal(session.store.database)
        headings = journal.headings()
        if directory and not build and not any(directory in (h.asked.context, h.asked.directory) for h in headings):
            raise KezuriError.of(
                f"the journal has no build of {directory}", hint="without a directory it is about the last build"
            )
        chosen = choose(headings, build, directory or os.getcwd())
        known: dict[int, JournalBuild | None] = {}

        def read(heading: Heading) -> JournalBuild | None:
            if heading.number not in known:
                known[heading.number] = journal.read(heading)
            return known[heading.number]

        if read(chosen) is None:
            raise KezuriError.of(
                f"build {chosen.number} was written down by another version of kezuri", hint="build again"
            )
        project = [h for h in headings if h.asked.project == chosen.asked.project and h.number <= chosen.number]
        project.sort(key=lambda heading: -heading.number)
        builds = [found for heading in project[: last + 1] if (found := read(heading)) is not None]
        explained = [
            (
                found,
                Explainer(session.store.database, found, iter(builds[place + 1 :]), brief=place > 0).explain(not build),
            )
            for place, found in enumerate(builds[:last])
        ]
        return profiled(explained, *_measured(session, builds[0]))


def _measured(session: Session, build: JournalBuild) -> tuple[Mapping[int, LayerBytes], Mapping[int, int]]:
    """The bytes of the build's layers by the numbers of their steps, and those of its bases by their stages' numbers,
    as far as they are here and this user may look at them."""
    steps: dict[int, LayerBytes] = {}
    bases: dict[int, int] = {}
    tried: set[int] = set()
    tops = list(wanted(build))
    # What is part of an image is measured in it, the rest in the last stage that it is part of.
    for top in (*tops, *reversed(build.stages)):
        stages = chain(build, top)
        known = all(step.number in steps for stage in stages for step in stage.steps if step.layer)
        if known and stages[0].number in tried:
            continue
        tried.add(stages[0].number)
        try:
            for number, size in _of_stack(session, stages, bases):
                steps.setdefault(number, size)
        except (KezuriError, OSError):
            continue  # of another user, or taken away meanwhile
    return steps, bases


def _of_stack(
    session: Session, stages: Sequence[JournalStage], bases: dict[int, int]
) -> Iterator[tuple[int, LayerBytes]]:
    """The bytes of the steps' layers; the base's are put into `bases`."""
    forms = session.forms
    base = layers_of(session.store, stages[0].digest) if stages[0].digest else ()
    base = base if all(map(forms.usable, base)) else ()
    own = [(step.number, step.layer) for stage in stages for step in stage.steps if step.layer]
    own = [(number, layer) for number, layer in own if forms.usable(layer)]
    layers = (*base, *(layer for _, layer in own))
    added, wasted, hides = ([0] * len(layers) for _ in range(3))
    seen: set[tuple[int, int]] = set()
    for item in walk(_forms(session, layers)):
        if not item.file or not item.entry.size:
            continue
        if isinstance(item.content, str):
            # A directory has each name of a file that has several, a tar the first one.
            status = os.lstat(item.content)
            if status.st_nlink > 1:
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
        size = item.entry.size
        added[item.layer] += size
        if item.hidden >= 0:
            wasted[item.layer] += size
            hides[item.hidden] += size
    if base or stages[0].base_kind == "scratch":
        bases[stages[0].number] = sum(added[: len(base)])
    for place, (number, _) in enumerate(own, len(base)):
        yield number, LayerBytes(added[place], wasted[place], hides[place])


def _forms(session: Session, layers: Sequence[str]) -> tuple[LayerForm, ...]:
    """The layers as their tars have them where all have one, else as they are."""
    database, blobs = session.store.database, session.store.blobs
    packed = all(any(form.verified and blobs.has(form.digest) for form in database.forms(layer)) for layer in layers)
    return session.forms.packed(layers) if packed else session.forms.view(layers).layers
