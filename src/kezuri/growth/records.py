"""The file in a repository that measurements are appended to, a line each, so that git can merge it."""

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.growth.values import Measurement, Unreadable, line_of, read_line
from kezuri.oci.dates import seconds

FILE = "kezuri-sizes.jsonl"
"""What the file is called where nobody says otherwise."""
MERGE = "merge=union"
"""What git is told of it, so that two branches which both appended to it are merged by keeping the lines of both."""
_MOST = 256 << 20
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


class Records(NamedTuple):
    """What a file has: its measurements, oldest first, whatever the order of its lines, each thing once. `passed` are
    the lines that say nothing, with the reason."""

    measurements: tuple[Measurement, ...]
    passed: tuple[tuple[int, str], ...] = ()


def read(path: str) -> Records:
    """The measurements of a file; none where there is no such file. KezuriError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        return Records(())
    except OSError as error:
        raise KezuriError.of(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _MOST:
        raise KezuriError.of(f"{path}: has more than {_MOST >> 20} MiB: it is no file of measurements")
    return parsed(data)


def parsed(data: bytes) -> Records:
    """The measurements of a file's bytes."""
    found: dict[str, Measurement] = {}
    passed = []
    for number, raw in enumerate(data.split(b"\n"), 1):
        try:
            text = raw.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            passed.append((number, "it is no UTF-8"))
            continue
        if not text:
            continue
        if text.startswith(_CONFLICT):
            passed.append((number, "it is the mark of a conflict that git left"))
            continue
        try:
            measured = read_line(text)
        except Unreadable as error:
            passed.append((number, str(error)))
            continue
        found.setdefault(line_of(measured), measured)
    return Records(tuple(sorted(found.values(), key=moment)), tuple(passed))


def moment(measured: Measurement) -> float:
    """When it was measured, in seconds since 1970; what has no time comes first."""
    return seconds(measured.at) or 0.0


def append(path: str, measured: Measurement) -> bool:
    """Write the measurement at the end of the file, which is made where there is none: whole, or not at all. False,
    with nothing written, where it has one of the same image, digest and commit. KezuriError where it cannot be written.
    """
    import fcntl

    line = line_of(measured).encode()
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        # Two jobs on one machine may measure at the same time.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        there = read(path).measurements
        if any(same(one, measured) for one in there):
            return False
        size = os.fstat(descriptor).st_size
        ends_well = not size or os.pread(descriptor, 1, size - 1) == b"\n"
        data = (b"" if ends_well else b"\n") + line + b"\n"
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        return True
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        os.close(descriptor)


def same(one: Measurement, other: Measurement) -> bool:
    """Whether two measurements say the same of one image, of the same digest, at the same commit: at whatever time."""
    return (
        one.name == other.name
        and one.platform == other.platform
        and (one.digest, one.commit, one.branch) == (other.digest, other.commit, other.branch)
        and one.figures == other.figures
        and bool(one.digest or one.commit)
    )


def chosen(measurements: Sequence[Measurement], name: str, platform: str = "", branch: str = "") -> list[Measurement]:
    """Those of one image, oldest first; with a platform or a branch only those of it."""
    return [
        one
        for one in measurements
        if one.name == name
        and (not platform or not one.platform or one.platform == platform)
        and (not branch or one.branch == branch)
    ]


def _refused(path: str, error: OSError) -> KezuriError:
    return KezuriError.of(f"{path}: cannot be written: {error.strerror}", exit_code=125)
