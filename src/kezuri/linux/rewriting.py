"""A file of the user's whose content changes at once: its mode, its owner and the link that leads to it stay."""

import os
from contextlib import suppress

from kezuri.linux.replacement import replacement


def rewrite(path: str, before: bytes, after: bytes) -> bool:
    """Replace the file by one with other content. False, and nothing is written, where it does not hold `before` any
    more: somebody else has changed it meanwhile. A symbolic link stays one, and what it leads to is replaced; another
    hard link keeps the old content. OSError when the disk does not take it."""
    target = os.path.realpath(path)
    with open(target, "rb") as file:
        if file.read(len(before) + 1) != before:
            return False
        found = os.fstat(file.fileno())
    with replacement(target) as new:
        new.write(after)
        with suppress(PermissionError):
            os.fchown(new.fileno(), found.st_uid, found.st_gid)
        os.fchmod(new.fileno(), found.st_mode & 0o7777)
    return True
