"""What the panes show, made in a thread beside them, so that whoever moves on is never kept waiting."""

from collections.abc import Callable

from kezuri.anatomy.tree_view import Filter, Selection, TreeView
from kezuri.app.exploring import Beside, Opened
from kezuri.cli.explorer.messages import Looked

_MOST = 4
"""Views that are kept."""


class Views:
    """Makes a Selection for each wish, and posts it as Looked; a wish that another one has followed is passed over."""

    def __init__(self, post: Callable[[Looked], object]) -> None:
        self._post = post
        self._beside = Beside()
        self._wish = 0
        self._views: dict[tuple[int, int], TreeView] = {}

    def close(self) -> None:
        """End when what has been begun is done; nobody waits for it."""
        self._beside.close()

    def is_last(self, looked: Looked) -> bool:
        """Whether nothing else has been wished for since."""
        return looked.number == self._wish

    def wish(self, opened: Opened, layer: int, wanted: Filter, aggregate: bool, found: bytearray | None) -> None:
        """Have made what is wanted of a layer; with `aggregate` of all layers from the base's on together. `found`
        says which nodes the filter's pattern matches, as Selection has it."""
        since = _ground(opened, layer, wanted) if aggregate else layer - 1
        self._wish += 1
        number, views = self._wish, self._views

        def work() -> None:
            if number != self._wish:
                return
            try:
                view = views.get((layer, since))
                if view is None:
                    view = TreeView(opened.tree, layer, since)
                    while len(views) >= _MOST:
                        del views[next(iter(views))]
                    views[layer, since] = view
                self._post(Looked(number, Selection(view, wanted, found)))
            except Exception as error:
                self._post(Looked(number, None, error))

        self._beside.post(work)


def _ground(opened: Opened, layer: int, wanted: Filter) -> int:
    """The layer that all changes are compared with: the uppermost of the base, where that is known, else the lowest, as
    dive does. What is wasted is all of it, in the base too."""
    if wanted.wasted or layer == 0:
        return -1
    base = 0
    for each in opened.layers[:layer]:
        if not each.maker.of_base:
            break
        base = each.number
    return base
