"""What a scan found in the files of images, kept in the store: images do not change, and reading them takes time."""

from collections.abc import Iterable
from typing import Any, Final

import kezuri
from kezuri.app import kept_json
from kezuri.app.anatomy_kept import code
from kezuri.sbom.values import Bill
from kezuri.scan.values import Finding
from kezuri.store.store import Store

_MAGIC: Final = b"kezuri inside 1\n"
_MOST: Final = 64 << 20
_ROOMS: Final = ("anatomy", "check/image", "check/rules", "scan")
"""The rooms that findings come from: with other code they may be other ones."""


class KeptInside:
    """The findings that a store keeps, in a file for each image: see `kept_json`. No secret is in them, only where it
    is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def key(self, bill: Bill, scanners: Iterable[str]) -> str:
        """What the findings depend on, as a name; empty for what is no image that is known by its digest."""
        import json
        from hashlib import sha256

        if bill.kind != "image" or not bill.digest:
            return ""
        layers = [(layer.diff_id, layer.of_base) for layer in bill.layers]
        text = json.dumps([kezuri.__version__, code(_ROOMS), bill.digest, layers, sorted(scanners)])
        return sha256(text.encode()).hexdigest()[:40]

    def load(self, key: str) -> tuple[Finding, ...] | None:
        """The findings that were kept; None where there are none, or they are damaged."""
        row = kept_json.load(self._path(key), _MAGIC, _MOST)
        try:
            return None if row is None else tuple(map(_finding, row))
        except (ValueError, TypeError):
            return None

    def save(self, key: str, findings: Iterable[Finding]) -> None:
        """Keep the findings, if the disk takes them."""
        kept_json.save(self._path(key), _MAGIC, tuple(findings))

    def _path(self, key: str) -> str:
        return self._store.path("listings", f"inside-{key}")


def _finding(row: list[Any]) -> Finding:
    """Tuples of tuples again as values; findings of files have no signal. ValueError or TypeError where they are
    others."""
    found = Finding._make(row)
    if not isinstance(found.title, str) or not isinstance(found.layer, int) or found.signal is not None:
        raise ValueError
    return found._replace(
        fixed=tuple(found.fixed),
        aliases=tuple(found.aliases),
        vectors=tuple(found.vectors),
        references=tuple(found.references),
    )
