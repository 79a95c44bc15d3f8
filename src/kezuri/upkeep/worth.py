"""What pieces of the store are worth, and in which order they go when there is too much (decision 0008)."""

from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from math import log2
from typing import NamedTuple

from kezuri.upkeep.piece import Piece

HALF_LIFE = 7 * 86400.0
"""Seconds without use after which a piece is half as likely to be wanted again."""


def worth(piece: Piece, now: float) -> float:
    """The seconds that keeping the piece is expected to save: what it takes to have it again, more for every doubling
    of its uses, half for each week without one."""
    idle = max(0.0, now - piece.use.used)
    return piece.use.seconds * (1 + log2(max(1, piece.use.uses))) * float(0.5 ** (idle / HALF_LIFE))


class Candidate(NamedTuple):
    """A piece that is to go, and those that are nothing without it. `worth` is seconds and `size` bytes, of all."""

    pieces: tuple[Piece, ...]
    worth: float
    size: int


class _Heap:
    """A piece with all that stands on it."""

    __slots__ = ("blocked", "gone", "piece", "size", "version", "worth")

    def __init__(self, piece: Piece, worth: float, blocked: bool) -> None:
        self.piece = piece
        self.worth = worth
        self.size = piece.size
        self.blocked = int(blocked)
        self.version = 0
        self.gone = False


def ranked(pieces: Iterable[Piece], may_go: Callable[[Piece], bool], now: float) -> Iterator[Candidate]:
    """What may go, the least worth for its size first, each with all that cannot be found again without it.

    Something that would take along what may not go stays.
    """
    nodes = {piece.id: _Heap(piece, worth(piece, now), not may_go(piece)) for piece in pieces}
    children: dict[str, list[str]] = {}
    for node in nodes.values():
        needs = node.piece.ties.needs
        if needs in nodes and needs != node.piece.id:
            children.setdefault(needs, []).append(node.piece.id)
    for node in list(nodes.values()):
        for above in _chain(nodes, node):
            above.worth += worth(node.piece, now)
            above.size += node.piece.size
            above.blocked += not may_go(node.piece)
    heap = [
        (_density(node), node.piece.use.used, node.piece.id, 0)
        for node in nodes.values()
        if node.size and not node.blocked
    ]
    heapify(heap)
    while heap:
        _, _, name, version = heappop(heap)
        node = nodes[name]
        if node.gone or node.version != version:
            continue
        going: list[Piece] = []
        todo, seen = [name], {name}
        while todo:
            at = nodes[todo.pop()]
            if not at.gone:
                at.gone = True
                going.append(at.piece)
            if _takes_along(node.piece):
                # Also past a COPY that went before: what stood on it stands on this one.
                todo += (child for child in children.get(at.piece.id, ()) if child not in seen)
                seen.update(todo)
        candidate = Candidate(tuple(going), node.worth, node.size)
        changed = {}
        for piece in going:
            for above in _chain(nodes, nodes[piece.id]):
                if not above.gone:
                    above.worth -= worth(piece, now)
                    above.size -= piece.size
                    changed[above.piece.id] = above
        for above in changed.values():
            above.version += 1
            if above.size > 0 and not above.blocked:
                heappush(heap, (_density(above), above.piece.use.used, above.piece.id, above.version))
        yield candidate


def _takes_along(piece: Piece) -> bool:
    """A RUN that is run again gives another state, and nothing that stood on the old one is found again; COPY, ADD and
    WORKDIR give the same state again (decision 0005)."""
    return piece.ties.step == "RUN"


def _chain(nodes: dict[str, _Heap], node: _Heap) -> Iterator[_Heap]:
    """The pieces below that take this one along when they go."""
    seen = {node.piece.id}
    at = nodes.get(node.piece.ties.needs)
    while at is not None and at.piece.id not in seen:
        seen.add(at.piece.id)
        if _takes_along(at.piece):
            yield at
        at = nodes.get(at.piece.ties.needs)


def _density(node: _Heap) -> float:
    return node.worth / node.size
