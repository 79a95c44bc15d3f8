"""Which instructions of a Dockerfile the history of an image comes from, entry by entry."""

from kezuri.check.image.subject import Built
from kezuri.check.subject import Subject
from kezuri.diagnostics import SourceText
from kezuri.dockerfile.instructions import From, Node, Onbuild
from kezuri.plan.inputs import BaseImage


class Origin:
    """What is known of an image that was built from a Dockerfile: its instructions for the last entries of the history
    (None for triggers of the base), and how many layers the base has."""

    def __init__(self, subject: Subject, target: int, source: SourceText | None = None) -> None:
        chain = tuple(subject.chain(target))
        self.built = Built(source or subject.dockerfile.source, chain)
        every = (met for facts in reversed(chain) for met in facts.met)
        written = [met for met in every if not isinstance(met.instruction, From | Onbuild)]
        nodes: list[Node | None] = [None if met.trigger else met.instruction.node for met in written]
        last = chain[-1].plan if chain else None
        base = last.base if last is not None else None
        own = chain[0].plan if chain else None
        fits = own is not None and len(own.history) == len(nodes)
        self.nodes: tuple[Node | None, ...] = tuple(nodes) if fits else ()
        self.base_layers = len(base.config.diff_ids) if isinstance(base, BaseImage) else 0
