"""Blobs asked for from some byte on: the request, and whether an answer can be what is wanted."""

import re

from kezuri.registry.wire import Answer

CHUNK = 256 << 10
"""Bytes of a blob that are read at once."""
WORTH_WHILE = 1 << 20
"""Bytes after which a connection that breaks off counts as the first one."""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)\Z")


class Mistaken(Exception):
    """The answer cannot be the blob; the text says why."""


def asking_from(start: int, size: int) -> dict[str, str]:
    """The headers that ask for a blob of so many bytes from `start` on; for all of it none."""
    # The closed form, because some registries answer 416 to an open range.
    return {"Range": f"bytes={start}-{size - 1}"} if start else {}


def continues(answer: Answer, start: int, size: int) -> bool:
    """Whether the answer to a range request goes on at `start`; False when it is the whole blob."""
    if answer.status != 206:
        return False
    found = _RANGE.match(answer.headers.get("content-range").strip())
    if not found or int(found[1]) != start or found[3] not in ("*", str(size)) or int(found[2]) >= size:
        raise Mistaken(f"asked to go on at byte {start} and was given {answer.headers.get('content-range')[:60]!r}")
    return True


def begins(answer: Answer, size: int) -> None:
    """Mistaken when the answer cannot be a whole blob of that size."""
    announced = answer.headers.length()
    if announced is not None and announced != size:
        raise Mistaken(f"{announced} bytes announced instead of {size}")
    if answer.status != 200:
        raise Mistaken(f"status {answer.status} without content")
