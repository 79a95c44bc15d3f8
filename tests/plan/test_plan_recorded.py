"""What BuildKit makes of a Dockerfile, recorded, and kezuri makes of it, too.

`language.json` has a case for each rule of the language that is decided when a plan is made, named so that one finds
it; those named TRAP are what is easily got wrong. `random.json` has Dockerfiles that were put together at random.
"""

import pytest
from tests.plan.plan_recorded import Case, config_of, history_of, operations_of, plan_of, recorded

from kezuri.diagnostics import KezuriError

LANGUAGE, RANDOM = recorded("language"), recorded("random")


def compare(case: Case) -> None:
    if "error" in case:
        with pytest.raises(KezuriError) as caught:
            plan_of(case)
        if "line" in case:
            assert case["line"] in [
                d.source.position(d.span.start)[0] for d in caught.value.diagnostics if d.source and d.span
            ]
        return
    plan = plan_of(case)
    assert config_of(plan) == case["config"]
    assert history_of(plan) == case["history"]
    assert operations_of(plan) == case["operations"]


@pytest.mark.parametrize("case", LANGUAGE, ids=[c["name"] for c in LANGUAGE])
def test_rule(case: Case) -> None:
    compare(case)


@pytest.mark.parametrize("case", RANDOM, ids=[c["name"] for c in RANDOM])
def test_at_random(case: Case) -> None:
    compare(case)
