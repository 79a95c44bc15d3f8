"""How long instructions take is told from the builds of the same Dockerfile, as the range of the middle half."""

from pathlib import Path

import pytest
from tests.build.build_foreseen import forecast
from tests.build.build_workshop import Workshop, asked
from tests.plan.plan_dockerfiles import plan

from kezuri.app.build import build
from kezuri.app.request import Settings
from kezuri.cache.journal import Asked, Heading, Journal, JournalBuild, JournalOutcome, JournalStage, JournalStep
from kezuri.forecast.durations import Durations, spread
from kezuri.forecast.expectation import expectation
from kezuri.forecast.graph import graph
from kezuri.progress.events import Event, StepName, StepStarted
from kezuri.progress.expected import Expected
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


def written(
    journal: Journal, context: str, title: str, seconds: float, outcome: JournalOutcome = "ran", kind: str = "RUN"
) -> None:
    """A build of one step in the journal."""
    name = StepName(title, 1, 1)
    step = JournalStep(1, 0, 0, name, kind, 1, False, "k", (), outcome, seconds, "", "", "", True, "", False, (), ())
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


def built_thrice(shop: Workshop, text: str) -> None:
    """Builds of which every step that ran took one, two and three seconds, then a change of everything."""
    for content in "123":
        shop.write(a=content, b=content, Dockerfile=text)
        shop.build()
    with Store(str(shop.root)) as store:
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


def test_a_forecast_has_the_ranges_of_the_builds_before_it(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    built_thrice(shop, "FROM scratch AS one\nCOPY a /a\nFROM scratch\nCOPY b /b\nCOPY --from=one /a /\n")
    foresight = forecast(shop, parallelism=2)
    assert [(s.past.low, s.past.high) for s in foresight.steps if s.past is not None] == [(1.5, 2.5)] * 3
    cost = foresight.expense
    assert (cost.work_range, cost.wall_range) == ((4.5, 7.5), (3.0, 5.0))
    assert cost.critical_seconds == 4.0 and len(cost.critical) == 2 and cost.critical[-1] == (1, 1)
    critical = [node.critical for group in graph(foresight).groups for node in group.nodes if node.step is not None]
    assert critical == [(0, 0) in cost.critical, (1, 0) in cost.critical, True]


def test_what_may_run_counts_at_the_slow_end_only(tmp_path: Path) -> None:
    """Files of another stage may turn out to be the same."""
    shop = Workshop(tmp_path)
    built_thrice(shop, "FROM scratch AS one\nCOPY a /a\nFROM scratch\nCOPY --from=one /a /\n")
    foresight = forecast(shop, parallelism=2)
    assert [step.outcome for step in foresight.steps] == ["runs", "depends"]
    cost = foresight.expense
    assert (cost.work_range, cost.wall_range) == ((1.5, 5.0), (1.5, 5.0))
    assert cost.critical == ((0, 0),) and cost.critical_seconds == 2.0


def test_a_build_tells_once_what_it_may_take_before_its_first_step(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    text = "FROM scratch AS one\nCOPY a /a\nFROM scratch\nCOPY b /b\nCOPY --from=one /a /\n"
    told: list[Expected] = []
    heard: list[Event] = []

    def expect(expected: Expected) -> None:
        told.append(expected)
        heard.clear()

    def built(**files: str) -> None:
        shop.write(**files, Dockerfile=text)
        told.clear()
        request = asked(context=str(shop.context))
        build(request, Settings(str(shop.root)), heard.append, expect=expect)

    built(a="1", b="1")
    (first,) = told
    assert first.steps == {} and len(first.ahead) == 3 and (first.low, first.high) == (0.0, 0.0)
    built(a="1", b="1")
    assert told == [], "everything was found"
    text += "COPY b /again\n"
    built(a="1", b="1")
    (added,) = told
    assert {str(name) for name in added.ahead} == {"[stage-1 3/3] COPY b /again"}, "the others are found"
    built(a="1", b="2")
    (second,) = told
    assert {str(name) for name in second.ahead} == {
        "[stage-1 1/3] COPY b /b",
        "[stage-1 2/3] COPY --from=one /a /",
        "[stage-1 3/3] COPY b /again",
    }
    assert second.steps.keys() == second.ahead and 0 < second.low <= second.high
    begun = {event.name for event in heard if isinstance(event, StepStarted) and isinstance(event.name, StepName)}
    assert begun == second.ahead, "nothing of what it speaks of had begun"


def test_of_a_command_that_never_ran_nobody_knows() -> None:
    journal = Journal(Database(":memory:"))
    made = plan("FROM scratch\nCOPY a /a\nRUN make\nWORKDIR /w\n")
    ahead = [(0, 0), (0, 1), (0, 2)]
    written(journal, "/c", "WORKDIR /w", 4.0, kind="WORKDIR")
    expected = expectation(made, ahead, Durations(journal, "/c", "D"), 2)
    assert (expected.low, expected.high) == (0.0, 0.0) and list(expected.steps.values()) == [(4.0, 4.0)]
    written(journal, "/c", "RUN make", 7.0)
    expected = expectation(made, ahead, Durations(journal, "/c", "D"), 2)
    assert (expected.low, expected.high) == (11.0, 11.0) and len(expected.ahead) == 3
