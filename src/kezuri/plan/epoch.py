"""SOURCE_DATE_EPOCH: the time that a result claims to be from (https://reproducible-builds.org/specs/source-date-epoch)."""

from kezuri.diagnostics import KezuriError

LAST = 253_402_300_799
"""The last second of the year 9999: dates of images have four digits for the year."""


def epoch_seconds(text: str, exit_code: int = 2) -> int | None:
    """The seconds since 1970 that a value names, None for an empty one. KezuriError for anything else: for BuildKit a
    word can be a build context or a stage that the time is taken from."""
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= len(str(LAST)) and int(text) <= LAST:
        return int(text)
    raise KezuriError.of(
        f"SOURCE_DATE_EPOCH is a number of seconds since 1970, not {text!r}",
        hint="for instance `git log -1 --format=%ct`",
        exit_code=exit_code,
    )
