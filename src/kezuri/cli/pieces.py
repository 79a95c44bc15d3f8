"""Pieces of the store as rows: what `du` and `prune` tell of each."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kezuri.upkeep.piece import Piece

PIECE_COLUMNS = {
    "ID": "ID",
    "Type": "TYPE",
    "Size": "SIZE",
    "LastUsed": "LAST USED",
    "Uses": "USES",
    "Worth": "WORTH",
    "Shared": "SHARED",
    "Reclaimable": "RECLAIMABLE",
    "Description": "DESCRIPTION",
}
PIECE_HEADINGS = {
    **PIECE_COLUMNS,
    "Bytes": "BYTES",
    "Seconds": "SECONDS",
    "WorthSeconds": "WORTH",
    "UsedAt": "USED AT",
    "CreatedAt": "CREATED AT",
}
_LONGEST = 60


def piece_row(piece: "Piece", worth: float, in_use: bool, whole: bool, now: float) -> dict[str, Any]:
    """What is told of a piece of the store, at the time `now`; `whole`: for a program, and not for a person's table."""
    from kezuri.cli.quantities import age, size

    title = piece.title if whole or len(piece.title) <= _LONGEST else piece.title[: _LONGEST - 1] + "…"
    return {
        "ID": piece.id if whole else piece.id.removeprefix("sha256:")[:12],
        "Type": piece.kind,
        "Size": size(piece.size),
        "Bytes": piece.size,
        "LastUsed": f"{age(max(0.0, now - piece.use.used))} ago",
        "UsedAt": round(piece.use.used, 3),
        "CreatedAt": round(piece.use.created, 3),
        "Uses": piece.use.uses,
        "Seconds": round(piece.use.seconds, 3),
        "Worth": f"{worth:.3g} s",
        "WorthSeconds": round(worth, 3),
        "Shared": piece.ties.shared if whole else "yes" if piece.ties.shared else "",
        "Reclaimable": not in_use if whole else "" if in_use else "yes",
        "Description": title,
    }
