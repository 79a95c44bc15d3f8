"""CVSS 2.0's base score (https://www.first.org/cvss/v2/guide, §3.2.1)."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

_WEIGHTS: Final = {
    "AV": {"L": 0.395, "A": 0.646, "N": 1.0},
    "AC": {"H": 0.35, "M": 0.61, "L": 0.71},
    "Au": {"M": 0.45, "S": 0.56, "N": 0.704},
    "C": {"N": 0.0, "P": 0.275, "C": 0.660},
    "I": {"N": 0.0, "P": 0.275, "C": 0.660},
    "A": {"N": 0.0, "P": 0.275, "C": 0.660},
}


def base(metrics: Mapping[str, str]) -> float | None:
    """The score of a vector's metrics; None where one of them is missing or unknown."""
    weights = {name: values.get(metrics.get(name, "")) for name, values in _WEIGHTS.items()}
    vector, complexity, authentication, confidentiality, integrity, availability = weights.values()
    if vector is None or complexity is None or authentication is None:
        return None
    if confidentiality is None or integrity is None or availability is None:
        return None
    impact = 10.41 * (1 - (1 - confidentiality) * (1 - integrity) * (1 - availability))
    exploitability = 20 * vector * complexity * authentication
    whole = (0.6 * impact + 0.4 * exploitability - 1.5) * 1.176 if impact else 0.0
    return float(Decimal(repr(round(whole, 6))).quantize(Decimal("0.1"), ROUND_HALF_UP))
