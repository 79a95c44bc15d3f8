"""The forms that a label's value can be asked to have."""

import re

from kezuri.check.licences import is_expression, licences

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)\Z", re.ASCII
)
_NUMBER = r"(?:0|[1-9]\d*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(?:-(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\Z",
    re.ASCII,
)
_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?://(?:[\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|\[[0-9A-Fa-f:.]+\])*)?"
    r"(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*(?:\?(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?\Z",
    re.ASCII,
)
_HASH = re.compile(r"(?:[0-9a-f]{7,40}|[0-9a-f]{64})\Z")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = re.compile(
    rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\]|\\.)*")@(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])\Z', re.ASCII
)

FORMS = ("text", "rfc3339", "semver", "url", "hash", "spdx", "email")


def fits(form: str, value: str) -> bool:
    """Whether the value has the form; every value is text."""
    if form == "rfc3339":
        return _is_time(value)
    if form == "spdx":
        return value in licences() or is_expression(value)
    pattern = {"semver": _SEMVER, "url": _URL, "hash": _HASH, "email": _EMAIL}.get(form)
    return pattern is None or pattern.match(value) is not None


def _is_time(value: str) -> bool:
    found = _TIME.match(value)
    if found is None:
        return False
    year, month, day, hour, minute, second = map(int, found.groups())
    if not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 60:
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= day <= (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
