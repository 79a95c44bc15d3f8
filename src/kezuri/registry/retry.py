"""When a request is worth repeating, and how long to wait first."""

import threading
import time
from collections.abc import Callable

from kezuri.registry.wire import TransportError

_MOST_WAIT = 120.0
"""Seconds that a host may have us wait, all in all, before something worth while arrives."""
_STATUSES = frozenset((408, 425, 429, 499, 500, 502, 503, 504, 522))
_FINAL = frozenset((400, 401, 403, 404, 405, 409, 412, 413))
_CODES = frozenset(("TOOMANYREQUESTS", "UNAVAILABLE", "BLOB_UPLOAD_INVALID", "UNKNOWN"))
# How often a request that failed this way is sent at most. A name that does not exist, a port where nobody listens
# and a certificate that nobody vouches for do not mend in seconds: a machine without a network must not wait. Silence
# costs a minute each time.
_FEW = {
    "resolve": 1, "refused": 1, "certificate": 1, "proxy": 1, "url": 1, "resolve-later": 2, "connect-timeout": 2,
    "handshake": 2, "late": 2, "timeout": 3, "stalled": 3,
}  # fmt: skip


def passing(status: int, codes: tuple[str, ...] = ()) -> bool:
    """Whether an answer of this status, with these registry error codes, may be another one next time."""
    return status in _STATUSES or (status not in _FINAL and any(code in _CODES for code in codes))


def tries_for(kind: str, tries: int) -> int:
    """How often a request is sent at most when it fails this way."""
    return min(tries, _FEW.get(kind, tries))


def delay(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4, … up to 30, and up to half as much again by `chance`
    (0 to 1), so that many clients do not come back in step."""
    return float(min(30.0, 2.0 ** (max(failures, 1) - 1)) * (1 + 0.5 * chance))


def retry_after(value: str, now: float) -> float | None:
    """The seconds that a Retry-After header asks for: a number or a date; None where it is absent or neither.
    `now` is seconds since the epoch."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    if not text:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


class Stopped(Exception):
    """The user, or an error in another thread, called the work off."""


class Clock:
    """The time, and waiting for it."""

    def now(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    def date(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def chance(self) -> float:
        """A random number from 0 to 1."""
        from random import random

        return random()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait, or less when `stop` is set."""
        stop.wait(seconds)


class Backoff:
    """The time before which a host is not asked again. All threads share it, so that when one was told to wait the
    others wait, too."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def hold(self, host: str, seconds: float) -> None:
        """Nobody asks the host for so many seconds."""
        until = self.clock.now() + seconds
        with self._lock:
            self._until[host] = max(until, self._until.get(host, until))

    def ready(self, host: str, stop: threading.Event) -> None:
        """Wait until the host may be asked; Stopped when the work is called off."""
        while not stop.is_set():
            with self._lock:
                rest = self._until.get(host, 0.0) - self.clock.now()
            if rest <= 0:
                return
            self.clock.wait(rest, stop)
        raise Stopped


class Patience:
    """How many failures one operation puts up with before it fails. Without `patient` it fails at the first one, unless
    something worth while has arrived before: there is another server that can be asked."""

    def __init__(self, backoff: Backoff, tries: int, stop: threading.Event, patient: bool = True) -> None:
        self.backoff = backoff
        self.stop = stop
        self._tries = tries
        self._patient = patient
        self._failures = 0
        self._asked = 0.0

    def progressed(self) -> None:
        """Something worth while arrived: counting begins anew."""
        self._failures = 0
        self._asked = 0.0
        self._patient = True

    def again(self, host: str, kind: str = "", after: float | None = None) -> bool:
        """Note a failure of this transport kind (empty: an answer that will pass), hold the host back for a while, and
        say whether to try again. `after` is what the host asked for; more than two minutes, together with what it asked
        for before, is not waited for. Stopped when the work was called off: then that is why it failed."""
        if self.stop.is_set():
            raise Stopped
        self._failures += 1
        self._asked += after or 0.0
        if not self._patient or self._failures >= tries_for(kind, self._tries) or self._asked > _MOST_WAIT:
            return False
        clock: Clock = self.backoff.clock
        wait = delay(self._failures, clock.chance())
        self.backoff.hold(host, wait if after is None else max(after, 0.0))
        return True


class Stall:
    """Notices a body that only trickles: less than 1 KiB a second for a minute."""

    _WINDOW, _LEAST = 60.0, 60 << 10

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since = now()
        self._bytes = 0

    def check(self, count: int, host: str) -> None:
        """As `stalled`; TransportError, which is the host's, when it is."""
        if self.stalled(count):
            raise TransportError("stalled", host, "sends less than 1 KiB a second")

    def stalled(self, count: int) -> bool:
        """Note so many bytes that arrived just now."""
        self._bytes += count
        now = self._now()
        if now - self._since < self._WINDOW:
            return False
        slow = self._bytes < self._LEAST * (now - self._since) / self._WINDOW
        self._since, self._bytes = now, 0
        return slow
