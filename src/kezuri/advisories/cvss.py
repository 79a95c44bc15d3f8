"""Base scores of CVSS vectors, by the specifications of FIRST: versions 2.0, 3.0, 3.1 and 4.0."""

from kezuri.advisories.values import Severity


def score(vector: str) -> float | None:
    """The base score of a vector, 0 to 10; None for a text that is no whole vector of a version that is known."""
    raise NotImplementedError(vector)


def rating(score: float) -> Severity:
    """The word for a score, by the scale of 3.1 §5 and 4.0 §6: `unknown` for 0, which both call none."""
    raise NotImplementedError(score)
