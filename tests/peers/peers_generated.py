"""Hunts for differences: random contexts and Dockerfiles through kezuri and a peer, made small where they differ.

`python -m tests.peers.peers_generated --seed N --builds M --peer buildkit` prints what is not the same and not meant.
"""

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks.base import Base
from benchmarks.builders import Buildah
from benchmarks.dockerd import Dockerd
from benchmarks.processes import ask
from tests.peers.peers_builders import (
    Asked,
    BuildahPeer,
    Builder,
    Buildkit,
    Built,
    DockerPeer,
    Kezuri,
    known_instructions,
    warm,
)
from tests.peers.peers_differences import meant
from tests.peers.peers_images import config_differences, history_differences, tree_differences
from tests.peers.peers_random_context import Context, changed, lay, random_context
from tests.peers.peers_random_dockerfile import Dockerfile, random_dockerfile

BASE = "docker.io/library/busybox:latest"


class Experiment(NamedTuple):
    """A context and a Dockerfile over it; with `later`, another context with which it is built a second time."""

    context: Context
    dockerfile: Dockerfile
    later: Context | None = None
    change: str = ""


class Laboratory:
    """Where experiments are made, in a directory of its own."""

    def __init__(self, directory: str, base: Base, peer_name: str, ours: Builder, theirs: Builder) -> None:
        self._directory = directory
        self._base = base
        self._peer = peer_name
        self._ours = ours
        self._theirs = theirs
        self._count = 0
        self.refused = 0
        """Instructions that both refuse."""

    def differences(self, experiment: Experiment) -> list[str]:
        """What is not the same, and not meant."""
        self._count += 1
        directory = f"{self._directory}/{self._count}"
        try:
            lay(experiment.context, f"{directory}/context")
            found, left = self._images(experiment.dockerfile, directory)
            if not found and experiment.later is not None:
                shutil.rmtree(f"{directory}/context")
                lay(experiment.later, f"{directory}/context")
                found = self._again(left, directory)
            return found
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def differs_as(self, lines: list[str]) -> Callable[[Experiment], bool]:
        """Whether another experiment differs in the same way as one whose differences these are."""
        kinds = _kinds(lines)
        return lambda experiment: bool(_kinds(self.differences(experiment)) & kinds)

    def _images(self, dockerfile: Dockerfile, directory: str) -> tuple[list[str], Dockerfile]:
        """The differences, and what is left of the Dockerfile without the instructions that both refuse."""
        refused: list[dict[str, str]] = []
        built: list[Built] = []
        left = dockerfile
        for builder in (self._ours, self._theirs):
            errors: dict[str, str] = {}
            if self._peer == "buildkit":
                left = dockerfile
            while True:
                result = self._build(builder, left, directory)
                if result.image is not None:
                    break
                if builder is self._theirs and self._peer != "buildkit":
                    break
                at = _failed_line(result.error)
                index = left.line_of(at) if at is not None else -1
                if index < 1 or left.lines[index].startswith("FROM"):
                    return [f"cannot be understood: {result.error}"], left
                errors[left.lines[index]] = result.error
                left = left._replace(lines=left.lines[:index] + left.lines[index + 1 :])
            refused.append(errors)
            built.append(result)
        if self._peer != "buildkit":
            # Older peers do not say which instruction they refuse: they are asked for what we accept.
            if built[1].image is None:
                lines = [f"refused by them: {built[1].error}"]
                return [line for line in lines if not meant(self._peer, "generated", line)], left
            return self._unlike(built[0], built[1]), left
        lines = [f"refused by us alone: {line}\n{refused[0][line]}" for line in refused[0] if line not in refused[1]]
        lines += [f"refused by them alone: {line}\n{refused[1][line]}" for line in refused[1] if line not in refused[0]]
        self.refused += sum(1 for line in refused[0] if line in refused[1])
        lines = [line for line in lines if not meant(self._peer, "generated", line)]
        if lines:
            return lines, left
        if refused[0].keys() != refused[1].keys():
            gone = refused[0].keys() | refused[1].keys()
            left = dockerfile._replace(lines=tuple(line for line in dockerfile.lines if line not in gone))
            built = [self._build(builder, left, directory) for builder in (self._ours, self._theirs)]
            if any(one.image is None for one in built):
                return [f"cannot be understood: {one.error}" for one in built], left
        return self._unlike(built[0], built[1]), left

    def _unlike(self, ours: Built, theirs: Built) -> list[str]:
        assert ours.image is not None and theirs.image is not None
        found = tree_differences(ours.image.tree, theirs.image.tree)
        found += config_differences(ours.image.config, theirs.image.config)
        if self._peer != "buildah":
            found += history_differences(ours.image.history, theirs.image.history)
        return [line for line in found if not meant(self._peer, "generated", line)]

    def _again(self, dockerfile: Dockerfile, directory: str) -> list[str]:
        ours, theirs = (self._build(one, dockerfile, directory) for one in (self._ours, self._theirs))
        if ours.image is None or theirs.image is None:
            if (ours.image is None) == (theirs.image is None):
                return []
            return [f"again: ours {ours.error or 'builds'}, theirs {theirs.error or 'builds'}"]
        found = [f"again: {line}" for line in self._unlike(ours, theirs)]
        mine, known = known_instructions(ours.steps), known_instructions(theirs.steps)
        # A builder may pass over steps that nobody needs: then the numbers in that stage say nothing.
        unlike = {step.split(" ")[0] for step in mine.keys() ^ known.keys()}
        for step in mine:
            if step.split(" ")[0] not in unlike and mine[step] != known[step]:
                line = f"again: {step} {'hits here, runs there' if mine[step] else 'runs here, hits there'}"
                if not meant(self._peer, "generated", line):
                    found.append(line)
        return found

    def _build(self, builder: Builder, dockerfile: Dockerfile, directory: str) -> Built:
        path = f"{directory}/Dockerfile"
        with open(path, "w") as file:
            file.write(dockerfile.text(self._base.name))
        asked = Asked(path, f"{directory}/context", dockerfile.arguments)
        return builder.build(self._base, asked, f"{directory}/image.tar")


def _failed_line(error: str) -> int | None:
    ours = re.search(r"--> \S*Dockerfile:(\d+)", error)
    theirs = re.search(r"^Dockerfile:(\d+)$", error, re.MULTILINE)
    found = theirs or ours
    return int(found[1]) if found else None


def experiments(seed: int, builds: int, *, modern: bool = True, incremental: bool = True) -> Iterator[Experiment]:
    """As many experiments, the same ones for the same seed."""
    for number in range(builds):
        chance = random.Random(f"{seed} {number}")
        mark = f"{seed}.{number}"
        context = random_context(chance, mark)
        dockerfile = random_dockerfile(chance, context, mark, modern)
        later, change = None, ""
        if incremental and chance.random() < 0.5:
            later, change = changed(context, chance)
        yield Experiment(context, dockerfile, later, change)


def shrunk(experiment: Experiment, differs: Callable[[Experiment], bool], tries: int = 60) -> Experiment:
    """The experiment without what does not matter: instructions, things and rules are left out while it differs."""
    best = [experiment]
    for smaller in _smaller_after(lambda: best[0]):
        if tries <= 0:
            break
        tries -= 1
        if differs(smaller):
            best[0] = smaller
    return best[0]


def _smaller_after(best: Callable[[], Experiment]) -> Iterator[Experiment]:
    for size in (4, 2, 1, 1):
        index = len(best().dockerfile.lines)
        while index > 1:
            index -= size
            lines = best().dockerfile.lines
            start = max(index, 1)
            if start < len(lines) and not any(line.startswith("FROM") for line in lines[start : start + size]):
                left = lines[:start] + lines[start + size :]
                yield best()._replace(dockerfile=best().dockerfile._replace(lines=left))
    for size in (8, 4, 2, 1):
        index = len(best().context.things)
        while index > 0:
            index -= size
            start = max(index, 0)
            gone = {thing.path for thing in best().context.things[start : start + size]}
            if gone:
                now = best()
                later = _without(now.later, gone) if now.later is not None else None
                yield now._replace(context=_without(now.context, gone), later=later)
    yield best()._replace(later=None)


def _without(context: Context, gone: set[str]) -> Context:
    def stays(path: str) -> bool:
        return not any(path == one or path.startswith(one + "/") for one in gone)

    things = [t for t in context.things if stays(t.path) and (t.kind != "hard" or stays(t.data.decode()))]
    return context._replace(things=tuple(things))


def described(experiment: Experiment, base: str) -> str:
    """As text, for whoever has to look into it."""
    lines = [experiment.dockerfile.text(base), *(str(thing) for thing in experiment.context.things)]
    lines.append(f"ignore: {experiment.context.ignore} arguments: {experiment.dockerfile.arguments}")
    if experiment.later is not None:
        before = set(experiment.context.things)
        lines.append(f"then: {experiment.change} {[t for t in experiment.later.things if t not in before]}")
        lines.append(f"without: {[t.path for t in experiment.context.things if t not in set(experiment.later.things)]}")
        lines.append(f"ignore: {experiment.later.ignore}")
    return "\n".join(lines)


def main() -> int:
    """Exit code 1 when something differs."""
    # What is asked to end takes its daemon along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", choices=("buildkit", "docker", "buildah"), default="buildkit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--builds", type=int, default=50)
    parser.add_argument("--only", type=int, default=-1, help="the number of one experiment")
    parser.add_argument("--no-shrink", action="store_true")
    options = parser.parse_args()
    scratch = tempfile.mkdtemp(prefix="kg")
    try:
        ours = Kezuri(f"{scratch}/kezuri")
        os.environ["PYTHONPATH"] = ours.environ["PYTHONPATH"]
        base = Base.found(scratch, BASE, ours.argv)
        with ExitStack() as stack:
            theirs = _peer(options.peer, stack, scratch, base)
            return _hunt(Laboratory(scratch, base, options.peer, ours, theirs), options)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _peer(name: str, stack: ExitStack, scratch: str, base: Base) -> Builder:
    if name == "buildah":
        buildah = Buildah("chroot", f"{scratch}/buildah")
        buildah.pull(base)
        return BuildahPeer(buildah)
    if name == "docker":
        daemon = stack.enter_context(Dockerd(f"{scratch}/d"))
        archive = f"{scratch}/base.tar"
        ask(["skopeo", "copy", "--quiet", f"oci:{base.layout}:{base.name}", f"docker-archive:{archive}:{base.name}"])
        daemon.ask("load", "--input", archive)
        return DockerPeer(daemon)
    buildkit = stack.enter_context(Buildkit(f"{scratch}/b"))
    warm(buildkit, base, scratch)
    return buildkit


def _hunt(laboratory: Laboratory, options: argparse.Namespace) -> int:
    found = 0
    modern = options.peer == "buildkit"
    for number, experiment in enumerate(experiments(options.seed, options.builds, modern=modern, incremental=modern)):
        if options.only not in (-1, number):
            continue
        lines = laboratory.differences(experiment)
        if not lines:
            continue
        found += 1
        if not options.no_shrink:
            experiment = shrunk(experiment, laboratory.differs_as(lines))
            lines = laboratory.differences(experiment) or lines
        said = (f"=== seed {options.seed} build {number}", *lines, described(experiment, "{base}"))
        print(*said, sep="\n", flush=True)
    print(f"{options.builds} builds, {found} differ, {laboratory.refused} instructions refused by both")
    return 1 if found else 0


def _kinds(lines: list[str]) -> set[str]:
    """What sort of differences these are, for finding the same one again in something smaller."""
    return {re.sub(r"/\S+|'[^']*'|\d+", "", line.partition("\n")[0])[:40] for line in lines}


if __name__ == "__main__":
    sys.exit(main())
