"""How long instructions take is told from the builds of the same Dockerfile, as the range of the middle half."""

from pathlib import Path

import pytest
from tests.build.build_foreseen import forecast
from tests.build.build_workshop import Workshop

from kezuri.cache.journal import Asked, Heading, Journal, JournalBuild, JournalOutcome, JournalStage, JournalStep
from kezuri.forecast.durations import Durations, spread
from kezuri.progress.events import StepName
from kezuri.store.database import Database
from kezuri.store.store import Store


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([2.0], (2.0, 2.0)),
        ([1.0, 3.0], (1.5, 2.5)),
        ([5.0, 1.0, 2.0, 4.0, 3.0], (2.0, 4.0)),
        ([1.0, 1.0, 1.0, 100.0], (1.0, 25.75)),
    ],
)
def test_the_range_is_that_of_the_middle_half(seconds: list[float], expected: tuple[float, float]) -> None:
    assert spread(seconds) == expected


def written(journal: Journal, context: str, title: str, seconds: float, outcome: JournalOutcome = "ran") -> None:
    """A build of one step in the journal."""
    name = StepName(title, 1, 1)
    step = JournalStep(1, 0, 0, name, "RUN", 1, False, "k", (), outcome, seconds, "", "", "", True, "", False, (), ())
    stage = JournalStage(0, "", "", "", "scratch", "", -1, "", "", (step,))
    journal.add(JournalBuild(Heading(0, Asked(context, "D", "", (), "/"), 1.0, 0.0), 1.0, "", (stage,)), "f")


def test_what_ran_counts_of_the_same_instruction_of_the_same_project() -> None:
    journal = Journal(Database(":memory:"))
    written(journal, "/c", "RUN one", 1.0)
    written(journal, "/c", "RUN one", 2.0)
    written(journal, "/c", "RUN two", 7.0)
    written(journal, "/other", "RUN one", 8.0)
    written(journal, "/c", "RUN one", 9.0, "failed")
    written(journal, "/c", "RUN one", 0.0, "cached")
    durations = Durations(journal, "/c", "D")
    assert list(durations.of("RUN", "RUN one")) == [2.0, 1.0] and list(durations.of("RUN", "RUN two")) == [7.0]
    assert not durations.of("COPY", "RUN one") and not Durations(journal, "/c", "E").of("RUN", "RUN one")


def test_a_forecast_has_the_ranges_of_the_builds_before_it(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    text = "FROM scratch AS one\nCOPY a /a\nFROM scratch\nCOPY b /b\nCOPY --from=one /a /\n"
    for content in "123":
        shop.write(a=content, b=content, Dockerfile=text)
        shop.build()
    with Store(str(shop.root)) as store:
        # Builds that took one, two and three seconds for each step that ran.
        journal = Journal(store.database)
        for seconds, heading in enumerate(sorted(journal.headings(), key=lambda h: h.number), 1):
            build = journal.read(heading)
            assert build is not None
            stages = tuple(
                stage._replace(steps=tuple(step._replace(seconds=float(seconds)) for step in stage.steps))
                for stage in build.stages
            )
            journal.add(build._replace(stages=stages), f"{heading.number}")
            store.database.run("DELETE FROM build WHERE number = ?", heading.number)
        store.database.run("UPDATE record SET seconds = 2")
    shop.write(a="4", b="4")
    foresight = forecast(shop, parallelism=2)
    assert [(s.past.low, s.past.high) for s in foresight.steps if s.past is not None] == [(1.5, 2.5)] * 3
    cost = foresight.expense
    assert (cost.work_range, cost.wall_range) == ((4.5, 7.5), (3.0, 5.0))
    assert cost.critical_seconds == 4.0 and len(cost.critical) == 2 and cost.critical[-1] == (1, 1)
