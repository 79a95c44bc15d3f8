"""What two versions of a file differ in, told by their looks: each kind, and what is no such kind."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Sequence
from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.suites.suites_folded import folded

from kezuri.reproduction.traces import Window, trace

FIRST, SECOND = Window(1_795_860_000, 1_795_860_010), Window(1_795_950_061, 1_795_950_070)
ONE, TWO = 1_795_860_005, 1_795_950_065
UUIDS = b"id: 6fa459ea-ee8a-3ca4-894e-db77e160355e\n", b"id: 16fd2706-8baf-433b-82eb-8c7fada847da\n"


def zipped(names: Sequence[str], year: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 2, 3, 4, 6)), name)
    return out.getvalue()


def tarred(names: Sequence[str], mtime: int, mode: int = 0o644) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.mtime, info.mode, info.size = mtime, mode, len(name)
            archive.addfile(info, io.BytesIO(name.encode()))
    return out.getvalue()


def archived(mtime: int) -> bytes:
    return b"!<arch>\n" + f"{'a.o/':16}{mtime:<12}{0:<6}{0:<6}{644:<8}{4:<10}`\n".encode() + b"data"


def pyc(mtime: int) -> bytes:
    return struct.pack("<4sIII", b"\xa7\r\r\n", 0, mtime, 9) + b"\xe3code"


@folded(
    [
        ("date", b"built on 2026-11-28T10:00:00Z\n", b"built on 2026-11-29T11:01:01Z\n", "time"),
        ("of date(1)", b"Sat Nov 28 10:00:05 UTC 2026\n", b"Sun Nov 29 11:01:06 UTC 2026\n", "time"),
        ("of HTTP", b"Date: Sat, 28 Nov 2026 10:00:05 GMT\n", b"Date: Sun, 29 Nov 2026 11:01:06 GMT\n", "time"),
        ("seconds", b"stamp=%d;\n" % ONE, b"stamp=%d;\n" % TWO, "time"),
        ("milliseconds", b'{"at":%d123}' % ONE, b'{"at":%d456}' % TWO, "time"),
        ("compact", b"v20261128100005\n", b"v20261129110106\n", "content"),
        ("compact alone", b"20261128100005\n", b"20261129110106\n", "time"),
        ("took", b"done in 3.2s\n", b"done in 12s\n", "time"),
        ("a number that is no time", b"n=123456789\n", b"n=987654321\n", "content"),
        ("lines", b"a\nb\nc\n", b"c\na\nb\n", "order"),
        ("words", b'["a","b"]', b'["b","a"]', "order"),
        ("lines with times", b"1 at 10:00:01\n2 at 10:00:02\n", b"2 at 10:00:08\n1 at 10:00:09\n", "order"),
        ("addresses", b"<object at 0x7f3a4c3d8290>\n", b"<object at 0x7f11aa3d8290>\n", "address"),
        ("uuid", *UUIDS, "random"),
        ("temporary name", b"cp /tmp/tmp.aB3dE6gH x\n", b"cp /tmp/tmp.Zz9yX8wV x\n", "random"),
        ("token", b"t=Zm9vYmFyYmF6cXV4MTIz\n", b"t=c29tZXRoaW5nZWxzZTQ1\n", "random"),
        ("digits of od", b"0000000 9f3a 11bc 77d0 52e8\n", b"0000000 04be 8a61 c9d3 fe27\n", "random"),
        (
            "figures",
            b"MemFree: 1234567 Cached: 12345678 Dirty: 90",
            b"MemFree: 7654321 Cached: 87654321 Dirty: 09",
            "content",
        ),
        ("words that differ", b"hello world\n", b"hello there\n", "content"),
        ("longer", b"a\n", b"a\nb\n", "content"),
        ("processors", b"workers 4, threads 4\n", b"workers 1, threads 1\n", "content"),
        ("gzip", gzip.compress(b"x", mtime=ONE), gzip.compress(b"x", mtime=TWO), "time"),
        ("gzip of something else", gzip.compress(b"x" * 9, mtime=0), gzip.compress(b"y" * 9, mtime=0), "content"),
        ("gzip of times", gzip.compress(b"at 10:00:05", mtime=0), gzip.compress(b"at 11:01:06", mtime=0), "time"),
        ("gzip of gzip", gzip.compress(gzip.compress(b"x")), gzip.compress(gzip.compress(b"y")), "content"),
        ("broken gzip", b"\x1f\x8b12345678", b"\x1f\x8b87654321", "content"),
        ("zip", zipped("ab", 2020), zipped("ab", 2021), "time"),
        ("zip in another order", zipped("ab", 2020), zipped("ba", 2020), "order"),
        ("zip with others in it", zipped("ab", 2020), zipped("ac", 2020), "content"),
        ("tar", tarred("ab", 1), tarred("ab", 2), "time"),
        ("tar in another order", tarred("ab", 1), tarred("ba", 1), "order"),
        ("tar with other modes", tarred("ab", 1), tarred("ab", 1, 0o600), "mode"),
        ("tar in another order with other modes", tarred("ab", 1), tarred("ba", 1, 0o600), "order"),
        ("seconds with a fraction", b"\0\5" + pack(">d", ONE + 0.25), b"\0\5" + pack(">d", TWO + 0.7), "time"),
        ("fractions that are no times", b"\0\5" + pack("<d", 0.25), b"\0\5" + pack("<d", 0.7), "content"),
        ("a set with an address", b"{'a', 'b'} 0x7f3a4c3d8290", b"{'b', 'a'} 0x7f11aa3d8290", "address"),
        ("ar", archived(ONE), archived(TWO), "time"),
        ("compiled Python", pyc(ONE), pyc(TWO), "time"),
        (
            "little end first",
            b"\0\1" + struct.pack("<I", ONE) + b"\0",
            b"\0\1" + struct.pack("<I", TWO) + b"\0",
            "time",
        ),
        ("big end first", b"\0\1" + struct.pack(">Q", ONE) + b"\0", b"\0\1" + struct.pack(">Q", TWO) + b"\0", "time"),
        ("a build id", b"\x7fELF\0" + bytes(range(9, 29)), b"\x7fELF\0" + bytes(range(99, 119)), "random"),
        (
            "a date and a build id",
            b"\x7fELF\0" + bytes(range(9, 29)) + bytes(30) + b"Nov 28 2026\x0010:00:05\0",
            b"\x7fELF\0" + bytes(range(99, 119)) + bytes(30) + b"Nov 29 2026\x0011:01:06\0",
            "time",
        ),
        ("bytes", b"\0" * 9 + b"\1", b"\0" * 9 + b"\2", "content"),
    ],
    lambda case: case[0],
)
def test_kinds(case: tuple[str, bytes, bytes, str]) -> None:
    name, one, two, kind = case
    path = "x.pyc" if name == "compiled Python" else "x"
    assert trace(path, one, two, FIRST, SECOND).kind == kind


def test_the_kernel_has_another_clock() -> None:
    real, ahead = TWO - 90_061, SECOND._replace(ahead=90_061)
    for form in (b"%d\n", b"\0" + b"%d" + b"\0"):
        assert trace("x", form % ONE, form % real, FIRST, ahead).kind == "time"
        assert trace("x", form % ONE, form % real, FIRST, SECOND).kind != "time"
        assert trace("x", form % ONE, form % TWO, FIRST, ahead).kind == "time"


def test_the_number_of_processors() -> None:
    first, second = FIRST._replace(cores=4), SECOND._replace(cores=1)
    assert trace("x", b"workers 4, of 9\n", b"workers 1, of 9\n", first, second).about == "the number of processors"
    assert trace("x", b"workers 4, of 9\n", b"workers 1, of 8\n", first, second).about == "line 1"
    assert trace("x", b"workers 4\n", b"workers 1\n", FIRST, SECOND).about == "line 1"


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b", b"!<arch>\n", b"\x7fELF"]), st.binary(), st.binary())
def test_any_bytes_have_a_kind(head: bytes, one: bytes, two: bytes) -> None:
    if one != two:
        assert trace("x.zip", head + one, head + two, FIRST, SECOND).kind in (
            *("time", "order", "random", "address", "content"),
        )
