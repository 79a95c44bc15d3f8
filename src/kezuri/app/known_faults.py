"""The faults that are known of an image, as figures; of one that was just built they are kept, so that a build which
finds everything in the cache says them again for nothing."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError

if TYPE_CHECKING:
    from kezuri.app.sbom import BillRequest
    from kezuri.app.session import Session

_FORMAT: Final = 2
SHARE: Final = 0.2
"""How much of the time that the build took scanning its image may take."""
LEAST: Final = 1.0
"""How many seconds it may take after any build that ran a step."""
_BYTES_A_SECOND: Final = 100e6
"""How fast layers are read that nobody has read before."""
_MOST: Final = 4096


class KnownFaults(NamedTuple):
    """The faults that are known of an image: how many of each severity, as (severity, number), the worst first; how
    many of them a newer version mends; how many packages it has, and how many of them nothing can be said of: no data
    about them, versions that cannot be compared, packages from elsewhere than the distribution. `date` is that of the
    oldest data that was asked, empty where none has one."""

    faults: tuple[tuple[str, int], ...]
    mended: int
    packages: int
    unasked: int
    date: str


def built_faults(settings: Settings, digest: str, ran: int, took: float) -> KnownFaults | None:
    """What is known to be broken in the store's image of this digest. None where there is no database, where its data
    tells of nothing that the image has, or where finding out would cost more than a share of the time that the build
    took (in seconds); of a build that `ran` no step only what is known already. Never raises: the build has
    succeeded."""
    path = _kept_path(settings, digest)
    if not path:
        return None
    known = _load(path)
    if known is not None or not ran:
        return known
    with suppress(Exception):
        if _may_cost(settings, digest, max(LEAST, SHARE * took)):
            from kezuri.app.sbom import BillRequest

            found = known_faults(settings, BillRequest(f"store:{digest}"))
            _save(path, found)
            return found
    return None


def _kept_path(settings: Settings, digest: str) -> str:
    """Where the figures are kept: by the image and the state of the database; empty where there is no database."""
    if not settings.db or not digest:
        return ""
    try:
        state = os.stat(settings.db)
    except OSError:
        return ""
    from hashlib import sha256

    import kezuri

    text = f"{_FORMAT} {kezuri.__version__} {digest} {state.st_ino} {state.st_size} {state.st_mtime_ns}"
    return os.path.join(settings.root, "listings", f"scan-{sha256(text.encode()).hexdigest()[:40]}")


def known_faults(settings: Settings, subject: "BillRequest") -> KnownFaults:
    """The faults that are known of an image, wherever it is. KezuriError where it cannot be read, there is no database,
    or that has no data about anything that the image consists of: then a zero would say nothing."""
    from kezuri.advisories.matching import match
    from kezuri.advisories.values import SEVERITIES
    from kezuri.app.advisories import opened_database
    from kezuri.app.sbom import bill
    from kezuri.scan.findings import asked, vulnerabilities

    with opened_database(settings) as database:
        found = bill(settings, subject)
        numbers = asked(found)
        matched = match(database, [found.components[number].package for number in numbers], found.distribution)
        places = {(each.at.ecosystem, each.at.release) for each in matched.matches}
        dates = sorted(data.date for data in database.data() if data.date and places.intersection(data.ecosystems))
    if not found.components:
        raise KezuriError.of(f"{found.name}: no packages were found, so nothing is known about it")
    if matched.uncovered and not matched.covered:
        names = ", ".join(sorted({f"{ecosystem} {release}".rstrip() for ecosystem, release, _ in matched.uncovered}))
        raise KezuriError.of(f"the database of advisories has no data about {names}")
    faults = vulnerabilities(found, numbers, matched.matches)
    counts = Counter(each.severity for each in faults)
    unasked = sum(number for _, _, number in matched.uncovered) + len(matched.unordered)
    return KnownFaults(
        tuple([(severity, counts[severity]) for severity in SEVERITIES if counts[severity]]),
        sum(bool(each.fixed) for each in faults),
        len(found.components),
        unasked + len(found.components) - len(numbers),
        dates[0][:10] if dates else "",
    )


def _may_cost(settings: Settings, digest: str, most: float) -> bool:
    from kezuri.app.session import Session
    from kezuri.images.kept import choose

    with Session(settings, reading=True) as session:
        return _cost(session, choose(session.store, digest, "").config.diff_ids) <= most


def _cost(session: "Session", layers: Sequence[str]) -> float:
    """How many seconds it takes to know what is in the layers: those that were read before cost nothing."""
    seconds = 0.0
    unread = [layer for layer in layers if not session.forms.is_listed(layer)]
    sizes = session.store.database.facts.unpacked(unread)
    for layer in unread:
        size = sizes.get(layer)
        seconds += float("inf") if size is None else size / _BYTES_A_SECOND
    return seconds


def _load(path: str) -> KnownFaults | None:
    import json

    try:
        with open(path, "rb") as file:
            faults, mended, packages, unasked, date = json.loads(file.read(_MOST))
        return KnownFaults(
            tuple([(str(severity), int(number)) for severity, number in faults]),
            int(mended),
            int(packages),
            int(unasked),
            str(date),
        )
    except (OSError, ValueError, TypeError):
        return None


def _save(path: str, found: KnownFaults) -> None:
    import json

    from kezuri.linux.replacement import replacement

    with suppress(OSError), replacement(path, durable=False) as file:
        file.write(json.dumps(found).encode())
