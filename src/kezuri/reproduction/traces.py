"""What two versions of a file's bytes differ in: times, order, random names, addresses, told apart by their looks.

Texts are made alike step by step: first what looks like a time is taken out of both, then addresses, then what looks
random. What has to be taken out until they are equal is what they differ in.
"""

import re
from struct import unpack_from
from typing import NamedTuple

from kezuri.reproduction.values import Kind

MOST = 2 << 20
"""How much of a file is looked at."""

_MONTHS = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DAYS = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_CLOCK = rb"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AP]M)?"
_ZONE = rb"(?: ?(?:Z|UTC|GMT|[A-Z]{2,5}|[+-]\d{2}:?\d{2}))?"
_TIMES = re.compile(
    rb"\d{4}[-/.]\d{2}[-/.]\d{2}(?:(?:[T ]| at )" + _CLOCK + _ZONE + rb")?"
    rb"|(?:" + _DAYS + rb",? )?(?:" + _MONTHS + rb" {1,2}\d{1,2}|\d{1,2} " + _MONTHS + rb"),?"
    rb"(?: \d{4})?(?: " + _CLOCK + _ZONE + rb")?(?: \d{4})?"
    rb"|" + _CLOCK + _ZONE + rb"|\b20\d{6}(?:[T_-]?\d{4,6}Z?)?\b"
)
_NUMBERS = re.compile(rb"\b\d{9,19}(?:\.\d+)?\b")
_DURATIONS = re.compile(rb"\b\d+(?:\.\d+)? ?(?:ns|us|\xc2\xb5s|ms|s|sec(?:ond)?s?|minutes?)\b")
_ADDRESSES = re.compile(rb"\b0x[0-9a-fA-F]{5,16}\b|\b(?:[0-9a-f]{8}|[0-9a-f]{12}|[0-9a-f]{16})-(?:[0-9a-f]{8,16})\b")
_UUIDS = re.compile(rb"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b")
_RANDOM = re.compile(rb"\b(?:tmp|temp)[._-]?[A-Za-z0-9_]{4,16}\b|\b[0-9a-fA-F]{12,128}\b|[A-Za-z0-9+/_-]{16,}={0,2}")
_TEXT_LIMIT = 0.02


BUILD_ID = "a build id, or another mark of a few bytes"
CORES = "the number of processors"
_GZIP = b"\x1f\x8b"
_COMPRESSED = (_GZIP, b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh", b"PK\x03\x04")
"""How compressed bytes begin: they look drawn at random, and are not."""


class Trace(NamedTuple):
    """What a file's two versions differ in, and where that is, in a few words (an archive's header, a line)."""

    kind: Kind
    about: str = ""


class Window(NamedTuple):
    """The seconds since 1970 between which a build ran, with room for clocks that are not quite right, how many
    processors it had (0: not known), and by how many seconds its clock was ahead of the kernel's, which dates files and
    answers programs that are linked statically."""

    low: float
    high: float
    cores: int = 0
    ahead: int = 0

    def has(self, seconds: float) -> bool:
        """Whether that was while it ran."""
        return any(self.low - 5 <= seconds + ahead <= self.high + 5 for ahead in (0, self.ahead))


def trace(path: str, one: bytes, two: bytes, first: Window, second: Window) -> Trace:
    """What the bytes differ in. `first` and `second` are when the two builds ran: numbers that lie there are times."""
    packed = _packed(path, one, two)
    if packed is not None:
        return packed
    if one[:2] == two[:2] == _GZIP:
        inner = _unzipped(one), _unzipped(two)
        if inner[0] != inner[1] and inner[0][:2] != _GZIP:
            return trace(path, *inner, first, second)
    if one.startswith(_COMPRESSED):
        return Trace("content", "compressed")
    if _is_text(one) and _is_text(two):
        return _of_text(one, two, first, second)
    return _of_binary(one, two, first, second)


def _unzipped(data: bytes) -> bytes:
    """What gzip packed, as far as it is looked at; nothing where it is broken."""
    import zlib

    try:
        return zlib.decompressobj(31).decompress(data, MOST)
    except zlib.error:
        return b""


def _is_text(data: bytes) -> bool:
    sample = data[: 1 << 16]
    if b"\0" in sample:
        return False
    strange = sum(byte < 32 and byte not in (9, 10, 12, 13, 27) for byte in sample)
    return strange <= len(sample) * _TEXT_LIMIT


def _of_text(one: bytes, two: bytes, first: Window, second: Window) -> Trace:
    if sorted(one.splitlines()) == sorted(two.splitlines()):
        return Trace("order", "the same lines")
    if sorted(one.split()) == sorted(two.split()) or sorted(_WORDS.findall(one)) == sorted(_WORDS.findall(two)):
        return Trace("order", "the same words")
    where = _first_line(one, two)
    if _counted(one, two, first.cores, second.cores):
        return Trace("content", CORES)
    kinds: list[tuple[Kind, str]] = [("time", ""), ("address", ""), ("random", "")]
    for kind, _ in kinds:
        one, two = _without(kind, one, first), _without(kind, two, second)
        if one == two:
            return Trace(kind, where)
        if sorted(_WORDS.findall(one)) == sorted(_WORDS.findall(two)):
            return Trace("order" if kind == "time" else kind, where)
    if _drawn(one, two):
        return Trace("random", where)
    return Trace("content", where)


def _counted(one: bytes, two: bytes, first: int, second: int) -> bool:
    """Whether all that differs is how many processors there were."""
    left, right = (_WORDS.findall(text[: 1 << 16]) for text in (one, two))
    pairs = {(was, now) for was, now in zip(left, right) if was != now}
    return first != second and len(left) == len(right) and pairs == {(b"%d" % first, b"%d" % second)}


def _drawn(one: bytes, two: bytes) -> bool:
    """Whether what differs are digits of base 16 in both, as od and xxd print what came out of a generator."""
    left, right = (_WORDS.findall(text[: 1 << 16]) for text in (one, two))
    pairs = [(was, now) for was, now in zip(left, right) if was != now]
    digits = b"".join(word for pair in pairs for word in pair)
    return (
        len(left) == len(right)
        and len(digits) >= 32
        and all(len(was) == len(now) for was, now in pairs)
        and re.fullmatch(rb"[0-9a-f]+|[0-9A-F]+", digits) is not None
        and not digits.isdigit()  # figures of a machine are decimal, and what is drawn hardly ever is
        and len(set(digits)) >= 10
    )


_WORDS = re.compile(rb"[A-Za-z0-9_./@-]+")


def _without(kind: Kind, text: bytes, window: Window) -> bytes:
    """The text with everything taken out that looks like this."""
    if kind == "time":
        text = _TIMES.sub(b"<time>", text)
        text = _NUMBERS.sub(lambda found: b"<time>" if _is_moment(found[0], window) else found[0], text)
        return _DURATIONS.sub(b"<time>", text)
    if kind == "address":
        return _ADDRESSES.sub(b"<address>", text)
    return _RANDOM.sub(b"<random>", _UUIDS.sub(b"<random>", text))


def _is_moment(number: bytes, window: Window) -> bool:
    """Whether a number is a time of the window, in seconds, or thousandths, millionths, thousand-millionths of them."""
    value = float(number)
    return any(window.has(value / unit) for unit in (1, 1e3, 1e6, 1e9)) or window.has(value / 1e3 / 1e3)


def _first_line(one: bytes, two: bytes) -> str:
    """Which line is the first that differs."""
    for number, (left, right) in enumerate(zip(one.splitlines(), two.splitlines()), 1):
        if left != right:
            return f"line {number}"
    return f"line {min(one.count(10), two.count(10)) + 1}"


def _of_binary(one: bytes, two: bytes, first: Window, second: Window) -> Trace:
    if len(one) != len(two):
        return Trace("content", f"{len(one)} bytes, then {len(two)}")
    runs = _runs(one, two)
    timed = [run for run in runs if _timed(one, two, run, first, second)]
    others = [run for run in runs if run not in timed]
    # Of a program's bytes its build id is made.
    build_id = one[:4] == b"\x7fELF" and len(others) == 1 and others[0][1] - others[0][0] <= 20
    if timed and (not others or build_id):
        return Trace("time", f"at byte {timed[0][0]}")
    if sorted(one) == sorted(two):
        return Trace("order", "the same bytes")
    if one[:4] == b"\x7fELF" and len(runs) <= 4 and sum(end - start for start, end in runs) <= 64:
        return Trace("random", BUILD_ID)
    if all(end - start >= 8 and _scattered(one[start:end]) and _scattered(two[start:end]) for start, end in runs):
        return Trace("random", f"at byte {runs[0][0]}")
    return Trace("content", f"at byte {runs[0][0]}")


def _runs(one: bytes, two: bytes) -> list[tuple[int, int]]:
    """The stretches in which two versions of equal length differ; those with less than eight bytes between them are
    one. At most a thousand: more are nothing that somebody would look at."""
    runs: list[tuple[int, int]] = []
    step = 4096
    for at in range(0, len(one), step):
        if one[at : at + step] == two[at : at + step]:
            continue
        for place in range(at, min(at + step, len(one))):
            if one[place] != two[place]:
                if runs and place - runs[-1][1] < 8:
                    runs[-1] = (runs[-1][0], place + 1)
                else:
                    runs.append((place, place + 1))
        if len(runs) > 1000:
            break
    return runs


def _timed(one: bytes, two: bytes, run: tuple[int, int], first: Window, second: Window) -> bool:
    """Whether both have a time there: as a text, or as a number of four or eight bytes, either end first, whole or with
    a fraction (as databases keep it)."""
    start, end = run
    left, right = one[max(0, start - 24) : end + 24], two[max(0, start - 24) : end + 24]
    if _without("time", left, first) == _without("time", right, second):
        return True
    for size in (4, 8):
        for at in range(max(0, end - size), start + 1):
            for order in ("little", "big"):
                was, now = (int.from_bytes(data[at : at + size], order) for data in (one, two))
                for unit in (1, 1000) if size == 8 else (1,):
                    if first.has(was / unit) and second.has(now / unit):
                        return True
    for at in range(max(0, end - 8), start + 1):
        for form in ("<d", ">d") if at + 8 <= len(one) else ():
            if first.has(unpack_from(form, one, at)[0]) and second.has(unpack_from(form, two, at)[0]):
                return True
    return False


def _scattered(data: bytes) -> bool:
    """Whether bytes look drawn at random: most of them are different from each other."""
    return len(set(data)) >= min(len(data), 256) * 0.5


def _packed(path: str, one: bytes, two: bytes) -> Trace | None:
    """What is known of forms that carry times of their own."""
    if one[:2] == two[:2] == _GZIP and one[:4] == two[:4] and one[8:] == two[8:]:
        return Trace("time", "the header of gzip")
    if one[:4] == two[:4] == b"PK\x03\x04":
        return _of_zip(one, two)
    if path.endswith(".pyc") and one[:4] == two[:4] and one[16:] == two[16:]:
        return Trace("time", "the time of its source")
    if one[:8] == two[:8] == b"!<arch>\n" and _members(one) == _members(two):
        return Trace("time", "the headers of ar")
    if one[257:262] == two[257:262] == b"ustar":
        return _of_tar(one, two)
    return None


def _of_zip(one: bytes, two: bytes) -> Trace | None:
    import io
    import zipfile

    try:
        lists = [zipfile.ZipFile(io.BytesIO(data)).infolist() for data in (one, two)]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError):
        return None
    kept = [[(info.filename, info.CRC, info.file_size) for info in infos] for infos in lists]
    if kept[0] == kept[1]:
        return Trace("time", "the times of what the archive holds")
    if sorted(kept[0]) == sorted(kept[1]):
        return Trace("order", "of what the archive holds")
    return None


def _of_tar(one: bytes, two: bytes) -> Trace | None:
    import io
    import tarfile

    try:
        lists = []
        for data in (one, two):
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                lists.append(archive.getmembers())
    except (tarfile.TarError, ValueError, EOFError, OSError, RecursionError):
        return None
    kept = [
        [(m.name, m.size, m.mode, hash(data[m.offset_data : m.offset_data + m.size])) for m in members]
        for members, data in zip(lists, (one, two))
    ]
    if kept[0] == kept[1]:
        return Trace("time", "the times of what the archive holds")
    if sorted(kept[0]) == sorted(kept[1]):
        return Trace("order", "of what the archive holds")
    without_modes = [[(name, size, content) for name, size, _, content in members] for members in kept]
    if without_modes[0] == without_modes[1]:
        return Trace("mode", "modes and times of what the archive holds")
    if sorted(without_modes[0]) == sorted(without_modes[1]):
        return Trace("order", "of what the archive holds; modes and times, too")
    return None


def _members(data: bytes) -> list[bytes]:
    """What an ar archive holds, without the times, owners and modes of its headers."""
    found = []
    at = 8
    while at + 60 <= len(data):
        header = data[at : at + 60]
        size = header[48:58].strip()
        if not size.isdigit():
            break
        end = at + 60 + int(size)
        found.append(header[:16] + data[at + 60 : end])
        at = end + (end & 1)
    return found
