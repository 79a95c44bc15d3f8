"""Candidates for a base looked at, several at the same time: each found, its packages read."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from kezuri.alternatives.choosing import Candidate
from kezuri.alternatives.values import Contents
from kezuri.app.base_images import BaseImages, FoundImage
from kezuri.diagnostics import KezuriError
from kezuri.oci.reference import Reference

Answer = tuple[FoundImage, Contents] | KezuriError
"""An image with what is in it, or why that is not known."""
_TOGETHER = 4
"""How many images are looked at at the same time."""
_SILENT = 8
"""After so many images in a row of which nobody answers no others are asked for."""


class Candidates:
    """Looks at candidates; `left_out` is how many it did not get to. `say` hears the name of each."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.left_out = 0
        self._say = say

    def looked(
        self, images: BaseImages, candidates: Sequence[Candidate], enough: Callable[[], bool]
    ) -> Iterator[tuple[Candidate, Answer]]:
        """Each candidate found, its packages read and kept, until there are `enough`, or nobody answers."""
        from concurrent.futures import ThreadPoolExecutor

        look = partial(self._look, images)
        together = 1 if images.apart else _TOGETHER
        waiting = list(candidates)
        silent = 0
        with ThreadPoolExecutor(together) as pool:
            try:
                while waiting and not enough() and silent < _SILENT:
                    batch, waiting = waiting[:together], waiting[together:]
                    for candidate, answer in zip(batch, pool.map(look, batch)):
                        unreachable = isinstance(answer, KezuriError) and images.missing(answer) == "unreachable"
                        silent = silent + 1 if unreachable else 0
                        yield candidate, answer
            except KeyboardInterrupt:
                # The pool waits for its threads, and these for a registry.
                images.call_off()
                raise
        self.left_out = len(waiting)

    def _look(self, images: BaseImages, candidate: Candidate) -> Answer:
        self._say(candidate.name)
        try:
            found = images.find(Reference.parse(candidate.name))
            return found, images.contents(found)
        except KezuriError as error:
            return error
