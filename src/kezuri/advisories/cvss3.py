"""The base score of CVSS 3.0 and 3.1 (https://www.first.org/cvss/v3.1/specification-document, §7.1, appendix A)."""

import math
from collections.abc import Mapping
from typing import Final

_WEIGHTS: Final = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES: Final = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
"""By the scope."""


def base(metrics: Mapping[str, str], newer: bool) -> float | None:
    """The score of a vector's metrics, of 3.1 if it is the `newer`; None where one of them is missing or unknown."""
    scope = metrics.get("S", "")
    privileges = _PRIVILEGES.get(scope, {}).get(metrics.get("PR", ""))
    weights = [values.get(metrics.get(name, "")) for name, values in _WEIGHTS.items()]
    known = [weight for weight in weights if weight is not None]
    if privileges is None or len(known) < len(weights):
        return None
    vector, complexity, interaction, confidentiality, integrity, availability = known
    lost = 1 - (1 - confidentiality) * (1 - integrity) * (1 - availability)
    changed = scope == "C"
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * vector * complexity * privileges * interaction
    whole = min(10.0, (1.08 if changed else 1.0) * (impact + exploitability))
    return _up(whole) if newer else math.ceil(round(whole * 10, 9)) / 10


def _up(value: float) -> float:
    """Rounded up to one digit, in whole numbers, so that all machines do it alike (appendix A of 3.1)."""
    number = round(value * 100_000)
    return number / 100_000 if number % 10_000 == 0 else (number // 10_000 + 1) / 10
