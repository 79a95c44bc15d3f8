"""What `.trivyignore` and `.dockleignore` leave out: names, one in a line."""

import re

from kezuri.check.names import canonicals
from kezuri.check.preferences import Preferences

_EXPIRY = re.compile(r"exp:(\d{4}-\d{2}-\d{2})")


def read_ignored(text: str, today: str) -> Preferences:
    """The names of a file: `#` begins a comment, and Trivy's `exp:YEAR-MONTH-DAY` the last day that a line holds.
    Names that no rule has are those of vulnerabilities and of other checks."""
    names = []
    for line in text.split("\n"):
        words = line.partition("#")[0].split()
        if not words:
            continue
        expiry = next((found[1] for word in words[1:] if (found := _EXPIRY.fullmatch(word))), "")
        if not expiry or expiry >= today:
            names.append(words[0])
    return Preferences(ignored=canonicals(names))
