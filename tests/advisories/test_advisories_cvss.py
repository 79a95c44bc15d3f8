"""Base scores of CVSS, by the examples of the specifications, and all vectors there are against another reckoning."""

import hashlib
from itertools import product

import pytest

from kezuri.advisories.cvss import rating, score

PUBLISHED = {
    # https://www.first.org/cvss/v2/guide, §3.3.
    "AV:N/AC:L/Au:N/C:N/I:N/A:C": 7.8,
    "AV:N/AC:L/Au:N/C:C/I:C/A:C": 10.0,
    "AV:L/AC:H/Au:N/C:C/I:C/A:C": 6.2,
    # https://www.first.org/cvss/v3.1/examples
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": 6.1,
    "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N": 6.4,
    "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N": 3.1,
    "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H": 9.9,
    "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L": 4.2,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N": 7.5,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 9.8,
    "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N": 6.8,
    "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 6.8,
    "CVSS:3.0/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H": 9.3,
    "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H": 9.6,
    "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N": 0.0,
    # https://www.first.org/cvss/v4.0/examples
    "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N": 7.3,
    "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N": 7.7,
    "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N": 8.3,
    "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N": 4.6,
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N": 5.1,
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N": 6.9,
    "CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:N/VI:N/VA:N/SC:H/SI:N/SA:N": 5.9,
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N": 8.7,
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H": 10.0,
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N": 9.3,
}


@pytest.mark.parametrize(("vector", "wanted"), PUBLISHED.items())
def test_published_examples(vector: str, wanted: float) -> None:
    assert score(vector) == wanted


def test_what_is_no_base_metric_does_not_change_the_score() -> None:
    assert score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/CR:L") == 9.8
    assert score("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U/MAV:P") == 9.3
    assert score("(AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF)") == 10.0


def test_what_is_no_vector_has_no_score() -> None:
    whole = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    for text in (
        "",
        "high",
        "7.5",
        "CVSS:9.9/AV:N",
        whole[:-4],
        f"{whole}/AV:P",
        whole.replace("AV:N", "AV:Q"),
        "/" * 500,
    ):
        assert score(text) is None
    assert score("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:S/SA:N") is None


def test_ratings() -> None:
    wanted = {
        10.0: "critical",
        9.0: "critical",
        8.9: "high",
        7.0: "high",
        6.9: "medium",
        4.0: "medium",
        3.9: "low",
        0.1: "low",
    }
    assert {each: rating(each) for each in wanted} == wanted
    assert rating(0.0) == "unknown"


METRICS = {
    "": {"AV": "LAN", "AC": "HML", "Au": "MSN", "C": "NPC", "I": "NPC", "A": "NPC"},
    "CVSS:3.1/": {"AV": "NALP", "AC": "LH", "PR": "NLH", "UI": "NR", "S": "UC", "C": "HLN", "I": "HLN", "A": "HLN"},
    "CVSS:4.0/": {
        "AV": "NALP",
        "AC": "LH",
        "AT": "NP",
        "PR": "NLH",
        "UI": "NPA",
        **dict.fromkeys(("VC", "VI", "VA", "SC", "SI", "SA"), "HLN"),
    },
}
DIGESTS = {
    "": "0d7f597f3dfe6d2aa59a2fdc8f08a60db941e58712969a57185138f53c627e52",
    "CVSS:3.1/": "8677560b45eafda3e5b1398ba3e46e49239e3c001e40e004f5ce5358ecc0a2ce",
    "CVSS:4.0/": "d70158036aff0942928c92f7e1bf30e7a5b6f0bc197b88d668e965c34f7ce8f3",
}


@pytest.mark.parametrize("start", ["", "CVSS:3.1/", pytest.param("CVSS:4.0/", marks=pytest.mark.slow)])
def test_all_vectors_there_are(start: str) -> None:
    """The digest is that of the scores which Red Hat's `cvss` 3.6 (PyPI) gives for them, in this order."""
    names = METRICS[start]
    vectors = (start + "/".join(map(":".join, zip(names, values))) for values in product(*names.values()))
    digest = hashlib.sha256("".join(f"{score(vector)} " for vector in vectors).encode()).hexdigest()
    assert digest == DIGESTS[start]
