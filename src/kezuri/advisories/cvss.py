"""Base scores of CVSS vectors, by the specifications of FIRST: versions 2.0, 3.0, 3.1 and 4.0."""

from kezuri.advisories.values import Severity


def score(vector: str) -> float | None:
    """The base score of a vector, 0 to 10; None for a text that is no whole vector of a version that is known."""
    start, _, rest = vector.strip().rstrip("/").partition("/")
    if start in ("CVSS:3.1", "CVSS:3.0"):
        from kezuri.advisories.cvss3 import base

        return base(_metrics(rest), start == "CVSS:3.1")
    if start == "CVSS:4.0":
        from kezuri.advisories.cvss4 import base as base4

        return base4(_metrics(rest))
    if start.startswith("CVSS:"):
        return None
    from kezuri.advisories.cvss2 import base as base2

    return base2(_metrics(vector.strip().strip("()").removeprefix("CVSS2#")))


def rating(score: float) -> Severity:
    """The word for a score, by the scale of 3.1 §5 and 4.0 §6: `unknown` for 0, which both call none."""
    if score >= 9.0:
        return "critical"
    if score >= 7.0:
        return "high"
    if score >= 4.0:
        return "medium"
    return "low" if score > 0.0 else "unknown"


def _metrics(text: str) -> dict[str, str]:
    """The metrics of a vector; none at all where one of them stands twice, which all versions forbid."""
    found: dict[str, str] = {}
    for part in text.split("/")[:64]:
        name, colon, value = part.partition(":")
        if not colon or name in found:
            return {}
        found[name] = value
    return found
