"""How far the cache is from what the settings allow, in words."""

from kezuri.app.housekeeping import standing
from kezuri.app.request import Settings
from kezuri.cli.quantities import duration, size


def allowance(settings: Settings) -> tuple[str, bool]:
    """One line: what the cache takes, and its limits; and whether there is more than they allow."""
    stands = standing(settings)
    parts = [size(stands.used)]
    if settings.max_used_space is not None:
        parts.append(f"of {size(settings.max_used_space)} allowed")
    if settings.min_free_space is not None:
        parts.append(f"{size(stands.free)} free of {size(settings.min_free_space)} wanted")
    if settings.keep_age is not None:
        parts.append(f"kept for {duration(settings.keep_age)}")
    if stands.excess:
        parts.append(f"{size(stands.excess)} too much: a later build or pull removes it")
    return ", ".join(parts), bool(stands.excess)
