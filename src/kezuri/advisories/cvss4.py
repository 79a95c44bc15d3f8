"""CVSS 4.0's base score, CVSS-B (https://www.first.org/cvss/v4-0/specification-document, §8.2).

The metrics of a vector fall into groups, the levels of which are a macro vector. Each of these has a score that experts
gave it; a vector lies between its macro vector and the ones below it, as far down as it is from the worst vector of its
group. Threat and environment, which a base score leaves out, stand as the specification has them by default: attacked
(`E:A`), and all requirements high.
"""

from collections.abc import Mapping
from typing import Final

_ORDER: Final = {
    "AV": "NALP",
    "PR": "NLH",
    "UI": "NPA",
    "AC": "LH",
    "AT": "NP",
    "VC": "HLN",
    "VI": "HLN",
    "VA": "HLN",
    "SC": "HLN",
    "SI": "HLN",
    "SA": "HLN",
}
"""The values of each metric, the worst first: a step of severity lies between two neighbours."""

_SCORES: Final = {
    "0000": (10.0, 9.3), "0001": (9.6, 9.0), "0010": (9.3, 8.8), "0011": (9.2, 8.0), "0021": (7.9, 6.9),
    "0100": (9.5, 9.2), "0101": (9.1, 8.1), "0110": (9.2, 8.4), "0111": (8.2, 7.0), "0121": (7.1, 6.3),
    "1000": (9.4, 8.7), "1001": (8.9, 7.5), "1010": (8.6, 7.2), "1011": (7.6, 5.7), "1021": (6.5, 5.3),
    "1100": (9.0, 7.7), "1101": (7.7, 6.6), "1110": (7.4, 6.1), "1111": (5.9, 5.2), "1121": (5.8, 2.3),
    "2000": (8.6, 7.0), "2001": (7.4, 5.4), "2010": (7.2, 5.3), "2011": (5.7, 3.6), "2021": (4.7, 2.4),
    "2100": (7.3, 5.4), "2101": (5.5, 4.3), "2110": (6.1, 4.6), "2111": (5.1, 1.8), "2121": (2.4, 1.0),
}  # fmt: skip
"""Macro vectors that base metrics, and the ones below them, have: by the levels of EQ1, EQ2, EQ3 and EQ6, the scores
for EQ4 of level 1 and 2. EQ5 is 0 (§8.3, table of macro vectors)."""

_Group = tuple[tuple[dict[str, str], ...], int]
"""The worst vectors of a level, and how many steps deep the level is."""

_EQ1: Final[dict[int, _Group]] = {
    0: (({"AV": "N", "PR": "N", "UI": "N"},), 1),
    1: (({"AV": "A", "PR": "N", "UI": "N"}, {"AV": "N", "PR": "L", "UI": "N"}, {"AV": "N", "PR": "N", "UI": "P"}), 4),
    2: (({"AV": "P", "PR": "N", "UI": "N"}, {"AV": "A", "PR": "L", "UI": "P"}), 5),
}
_EQ2: Final[dict[int, _Group]] = {
    0: (({"AC": "L", "AT": "N"},), 1),
    1: (({"AC": "H", "AT": "N"}, {"AC": "L", "AT": "P"}), 2),
}
_EQ3: Final[dict[int, _Group]] = {
    0: (({"VC": "H", "VI": "H", "VA": "H"},), 7),
    1: (({"VC": "L", "VI": "H", "VA": "H"}, {"VC": "H", "VI": "L", "VA": "H"}), 8),
    2: (({"VC": "L", "VI": "L", "VA": "L"},), 10),
}
_EQ4: Final[dict[int, _Group]] = {
    1: (({"SC": "H", "SI": "H", "SA": "H"},), 5),
    2: (({"SC": "L", "SI": "L", "SA": "L"},), 4),
}


def base(metrics: Mapping[str, str]) -> float | None:
    """The score of a vector's metrics; None where one of them is missing or unknown."""
    values = {name: metrics.get(name, "") for name in _ORDER}
    if any(len(value) != 1 or value not in _ORDER[name] for name, value in values.items()):
        return None
    if all(values[name] == "N" for name in ("VC", "VI", "VA", "SC", "SI", "SA")):
        return 0.0
    easy = [values[name] == "N" for name in ("AV", "PR", "UI")]
    eq1 = 0 if all(easy) else 1 if any(easy) and values["AV"] != "P" else 2
    eq2 = 0 if values["AC"] == "L" and values["AT"] == "N" else 1
    high = [values[name] == "H" for name in ("VC", "VI", "VA")]
    eq3 = 0 if high[0] and high[1] else 1 if any(high) else 2
    eq4 = 1 if "H" in (values["SC"], values["SI"], values["SA"]) else 2
    eq6 = 0 if any(high) else 1

    def of(one: int, two: int, three: int, six: int, four: int) -> float | None:
        scores = _SCORES.get(f"{one}{two}{three}{six}")
        return scores[four - 1] if scores is not None and four < 3 else None

    whole = of(eq1, eq2, eq3, eq6, eq4)
    assert whole is not None
    if eq3 == 0:
        below3 = max(of(eq1, eq2, 0, 1, eq4) or 0.0, of(eq1, eq2, 1, 0, eq4) or 0.0) or None
    else:
        below3 = of(eq1, eq2, 1, 1, eq4) if eq3 == 1 else None
    groups = (
        (of(eq1 + 1, eq2, eq3, eq6, eq4), _EQ1[eq1]),
        (of(eq1, eq2 + 1, eq3, eq6, eq4), _EQ2[eq2]),
        (below3, _EQ3[eq3]),
        (of(eq1, eq2, eq3, eq6, eq4 + 1), _EQ4[eq4]),
    )
    # EQ5 has a macro vector below, from which an attacked vector is no step away: it counts, and adds nothing.
    lowered, counted = 0.0, 1
    for below, (worst, depth) in groups:
        if below is not None:
            lowered += (whole - below) * _steps(values, worst) / depth
            counted += 1
    score = min(10.0, max(0.0, whole - lowered / counted))
    # Half of a tenth is rounded up, also where the machine's numbers fall short of it by a hair (§8.2).
    return int((score + 1e-6) * 10 + 0.5) / 10


def _steps(values: Mapping[str, str], worst: tuple[dict[str, str], ...]) -> int:
    """How many steps a vector is below the first of the worst vectors that it is nowhere above."""
    for vector in worst:
        steps = [_ORDER[name].index(values[name]) - _ORDER[name].index(value) for name, value in vector.items()]
        if min(steps) >= 0:
            return sum(steps)
    return 0
