"""Forecasts of builds that run steps, held against these builds."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import BUSYBOX, RUNS_STEPS
from tests.build.build_foreseen import agree, came, forecast
from tests.build.build_workshop import Workshop, tar_of, write_layout

TEXT = """\
FROM base AS tools
RUN sleep 0.3; echo 1 > /tool
FROM base AS app
COPY a /a
RUN cat /a > /made
COPY b /b
RUN --mount=type=bind,from=tools,source=/tool,target=/t cat /t /b > /both
FROM base
COPY --from=app /made /made
COPY --link --from=app /both /both
RUN cat /made /both > /all
"""

pytestmark = RUNS_STEPS


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    names = ("sh", "cat", "echo", "sleep", "touch")
    busybox = Path(BUSYBOX).read_bytes()
    tar = tar_of(("bin", None), *((f"bin/{name}", busybox) for name in names))
    write_layout(tmp_path / "base", [tar])
    shop = Workshop(tmp_path)
    shop.write(a="a", b="b", Dockerfile=TEXT)
    return shop


EDITS: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, int]]] = {
    "nothing": ({}, {}, {"cached": 8}),
    "an early file": ({"a": "2"}, {}, {"cached": 1, "runs": 4, "depends": 3}),
    "a late file": ({"b": "2"}, {}, {"cached": 3, "runs": 2, "depends": 3}),
    "a file that nothing takes": ({"other": "2"}, {}, {"cached": 8}),
    "an argument": ({"Dockerfile": TEXT.replace("sleep 0.3", "sleep 0.2")}, {}, {"cached": 3, "runs": 1, "depends": 4}),
    "the last step": ({"Dockerfile": TEXT.replace("> /all", "> /other")}, {}, {"cached": 7, "runs": 1}),
    "no cache for a stage": ({}, {"no_cache_filter": ("tools",)}, {"cached": 3, "runs": 1, "depends": 4}),
    "no cache at all": ({}, {"no_cache": True}, {"runs": 8}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_forecast_comes_true(shop: Workshop, tmp_path: Path, edit: str) -> None:
    contexts = (("base", f"oci-layout://{tmp_path}/base"),)
    shop.build(build_contexts=contexts)
    files, options, expected = EDITS[edit]
    shop.write(**files)
    foresight = forecast(shop, build_contexts=contexts, **options)
    found: dict[str, int] = {}
    for step in foresight.steps:
        found[step.outcome] = found.get(step.outcome, 0) + 1
    assert found == expected
    assert all(
        step.past is not None for step in foresight.steps if "/other" not in step.title and "0.2" not in step.title
    )
    assert foresight.expense.work <= foresight.expense.work_most
    shop.build(build_contexts=contexts, **options)
    assert agree(foresight, came(shop))
    shop.build(build_contexts=contexts)
    assert {step.outcome for step in forecast(shop, build_contexts=contexts).steps} == {"cached"}


def test_work_and_clock_differ_where_stages_run_beside_each_other(shop: Workshop, tmp_path: Path) -> None:
    contexts = (("base", f"oci-layout://{tmp_path}/base"),)
    shop.build(
        "FROM base AS one\nRUN sleep 0.5\nFROM base AS two\nRUN sleep 0.4; touch /x\nFROM one\nCOPY --from=two /x /x\n",
        build_contexts=contexts,
    )
    cost = forecast(shop, build_contexts=contexts, no_cache=True, parallelism=2).expense
    assert cost.work > 0.9 and 0.5 <= cost.wall <= cost.work - 0.4 and cost.unknown == 0
    alone = forecast(shop, build_contexts=contexts, no_cache=True, parallelism=1).expense
    assert alone.wall == pytest.approx(cost.work)


def test_a_build_of_which_only_the_base_is_known(shop: Workshop, tmp_path: Path) -> None:
    contexts = (("base", f"oci-layout://{tmp_path}/base"),)
    foresight = forecast(shop, build_contexts=contexts)
    assert {step.outcome for step in foresight.steps} == {"runs"} and len(foresight.pulls) == 1
    assert os.listdir(shop.root / "layers") == os.listdir(shop.root / "listings") == []
    shop.build(build_contexts=contexts)
    assert agree(foresight, came(shop))
