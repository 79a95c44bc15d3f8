"""Causes by law, on builds of made-up plans: every step that ran has a reason, and what began it began it."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from kezuri.cache.journal import Asked, Heading, JournalBuild, JournalStage, JournalStep, Source
from kezuri.explain.causes import Answer, Causes, Reason
from kezuri.plan.key import Components, digest
from kezuri.progress.events import StepName


class Instruction(NamedTuple):
    """A step to be: `value` stands for what it depends on beside what comes before it; `source` is an earlier stage
    from which a COPY takes files, -1 for none."""

    kind: str
    text: str
    value: str
    source: int = -1


class Draft(NamedTuple):
    """A stage to be. `base` is an image, or the number of an earlier stage."""

    base: str | int
    steps: tuple[Instruction, ...]


def state(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def simulate(drafts: Iterable[Draft], number: int, known: set[str], **step: Any) -> JournalBuild:
    """The build as the builder would make it, with the keys known before; they are added."""
    stages: list[JournalStage] = []
    ends: list[str] = []
    count = 0
    for index, draft in enumerate(drafts):
        on_stage = isinstance(draft.base, int) and draft.base < index
        begin = ends[int(draft.base)] if on_stage else state("base", str(draft.base))
        now, steps = begin, []
        for position, instruction in enumerate(draft.steps):
            count += 1
            taken = instruction.source if instruction.source < index and instruction.kind == "COPY" else -1
            value = ends[taken] if taken >= 0 else instruction.value
            components: Components = (
                ("kind", instruction.kind),
                ("state before", now),
                ("files" if instruction.kind == "COPY" else "env V", f"sha256:{value}"),
            )
            key = digest(components)
            now = state(now, key)
            sources = (Source("files", "stage", stage=taken),) if taken >= 0 else ()
            made = JournalStep(
                number=count,
                stage=index,
                position=position,
                name=StepName(instruction.text, position, len(draft.steps), f"s{index}"),
                kind=instruction.kind,
                line=count,
                trigger=False,
                key=key,
                components=components,
                outcome="cached" if key in known else "ran",
                seconds=1.0,
                layer=f"layer {key}",
                state=now,
                miss="" if key in known else "absent",
                kept=True,
                message="",
                made=False,
                sources=sources,
                arguments=(),
            )
            known.add(key)
            steps.append(made._replace(**step))
        base = int(draft.base) if on_stage else -1
        kind = "stage" if on_stage else "image"
        stages.append(
            JournalStage(index, "", f"s{index}", "", kind, str(draft.base), base, "sha256:x", begin, tuple(steps))
        )
        ends.append(now)
    return JournalBuild(Heading(number, Asked("/c", "D", "", (), "/"), float(number), 0.0), 1.0, "", tuple(stages))


def explain(build: JournalBuild, *earlier: JournalBuild) -> tuple[Answer, ...]:
    return Causes(build, earlier, lambda step: None).answers()


INSTRUCTIONS = st.builds(
    Instruction,
    st.sampled_from(["RUN", "COPY"]),
    st.sampled_from(["one", "two", "three words here"]),
    st.sampled_from("12"),
    st.integers(-1, 1),
)
DRAFTS = st.lists(
    st.builds(
        Draft,
        st.sampled_from(["alpine", "debian", 0, 1]),
        st.lists(INSTRUCTIONS, max_size=4).map(tuple),
    ),
    min_size=1,
    max_size=3,
)


def everything(reasons: Iterable[Reason]) -> list[Reason]:
    return [found for reason in reasons for found in (reason, *everything(reason.via))]


@given(DRAFTS, DRAFTS, DRAFTS)
def test_what_ran_has_a_reason_and_what_is_the_same_has_none(
    one: list[Draft], two: list[Draft], now: list[Draft]
) -> None:
    known: set[str] = set()
    first, second = simulate(one, 1, known), simulate(two, 2, known)
    build = simulate(now, 3, known)
    before = {step.key for old in (first, second) for step in old.steps}
    for answer in explain(build, second, first):
        if answer.step.outcome == "ran":
            assert answer.step.key not in before
            assert answer.reasons and answer.root is not None
        if answer.was is not None:
            assert bool(answer.reasons) == (answer.was.key != answer.step.key)


@given(DRAFTS, DRAFTS)
def test_what_began_it_does_not_follow_from_anything(one: list[Draft], two: list[Draft]) -> None:
    known: set[str] = set()
    first = simulate(one, 1, known)
    answers = {a.step.number: a for a in explain(simulate(two, 2, known), first)}
    for number, answer in answers.items():
        for reason in everything(answer.reasons):
            assert 0 <= reason.step <= number
            assert reason.kind != "elsewhere"
        if answer.root is None:
            continue
        assert answer.root.kind not in ("step", "elsewhere")
        if answer.root.kind == "inserted":
            # A stage that stands on another one now, which is what it was.
            assert answers[answer.root.step].reasons == ()
        if answer.root.kind in ("base", "removed"):
            assert answer.root_step == 0
            continue
        first_reason = next(iter(answers[answer.root_step].reasons), None)
        if first_reason is None:
            # A step that is new here and was found: the same was made elsewhere before.
            assert answer.root.kind == "new step" and answers[answer.root_step].step.outcome == "cached"
        else:
            # The step that is said to have begun it says so of itself.
            assert first_reason == answer.root


def test_a_stage_that_stands_on_another_one_now() -> None:
    """The other one is what it was: where this one begins is what has changed."""
    run = (Instruction("RUN", "one", "1"),)
    known: set[str] = set()
    first = simulate([Draft("alpine", run), Draft("alpine", run)], 1, known)
    answers = explain(simulate([Draft("alpine", run), Draft(0, run)], 2, known), first)
    assert answers[0].reasons == ()
    assert answers[1].reasons == (Reason("inserted", after="one", step=1),)
    assert (answers[1].root, answers[1].root_step) == (answers[1].reasons[0], 2)


def test_a_stage_that_stands_on_one_that_is_written_alike() -> None:
    """The stage that it stood on took the same name from elsewhere: nobody ran anything again in between."""
    copy, run = Instruction("COPY", "two", "1"), Instruction("RUN", "one", "1")
    known: set[str] = set()
    first = simulate(
        [Draft("alpine", (copy,)), Draft("alpine", (copy._replace(source=0),)), Draft(1, (run,))], 1, known
    )
    answers = explain(simulate([Draft("alpine", (copy,)), Draft("debian", ()), Draft(0, (run,))], 2, known), first)
    assert answers[0].reasons == ()
    assert answers[1].reasons == (Reason("inserted", after="two", step=1),)
    assert (answers[1].root, answers[1].root_step) == (answers[1].reasons[0], 2)


@given(DRAFTS)
def test_a_build_that_is_made_again_has_no_reasons(drafts: list[Draft]) -> None:
    known: set[str] = set()
    first = simulate(drafts, 1, known)
    assert all(not answer.reasons for answer in explain(simulate(drafts, 2, known), first))


@given(DRAFTS, st.data())
def test_one_change_is_the_only_root(drafts: list[Draft], data: st.DataObject) -> None:
    """Another value of one instruction that takes its files from nowhere else: everything follows from it."""
    places = [(i, j) for i, d in enumerate(drafts) for j, s in enumerate(d.steps) if s.source < 0 or s.kind == "RUN"]
    if not places:
        return
    known: set[str] = set()
    first = simulate(drafts, 1, known)
    stage, position = data.draw(st.sampled_from(places))
    steps = list(drafts[stage].steps)
    steps[position] = steps[position]._replace(value="another")
    changed = [*drafts[:stage], drafts[stage]._replace(steps=tuple(steps)), *drafts[stage + 1 :]]
    build = simulate(changed, 2, known)
    number = build.stages[stage].steps[position].number
    answers = explain(build, first)
    assert answers[number - 1].reasons[0].after == "sha256:another"
    assert {a.root_step for a in answers if a.reasons} == {number}


def test_a_step_that_another_build_ran_again_in_between() -> None:
    """Its key is what it was, and what it led to is not."""
    drafts = [Draft("alpine", (Instruction("RUN", "one", "1"), Instruction("RUN", "two", "2")))]
    known: set[str] = set()
    first, second = simulate(drafts, 1, known), simulate(drafts, 2, known)
    low, high = second.steps
    high = high._replace(components=(("kind", "RUN"), ("state before", "other"), high.components[2]), outcome="ran")
    steps = (low._replace(state="other"), high._replace(key=digest(high.components)))
    second = second._replace(stages=(second.stages[0]._replace(steps=steps),))
    answers = explain(second, first)
    assert answers[0].reasons == ()
    (reason,) = answers[1].reasons
    assert (reason.kind, reason.step, [r.kind for r in reason.via]) == ("step", 1, ["elsewhere"])
    assert answers[1].root == Reason("elsewhere") and answers[1].root_step == 1


def test_reasons_that_are_not_in_the_key() -> None:
    drafts = [Draft("alpine", (Instruction("RUN", "one", "1"),))]
    first = simulate(drafts, 1, set())
    for expected, change in (
        ("no-cache", {"miss": "no-cache"}),
        ("no-cache-filter", {"miss": "no-cache-filter"}),
        ("lost", {"miss": "lost"}),
        ("pruned", {"miss": "absent"}),
    ):
        (answer,) = explain(simulate(drafts, 2, set(), outcome="ran", **change), first)
        assert [r.kind for r in answer.reasons] == [expected]
    before: tuple[tuple[str, dict[str, Any]], ...] = (
        ("failed", {"outcome": "failed"}),
        ("canceled", {"outcome": "canceled"}),
        ("unbelieved", {"kept": False}),
    )
    for expected, was in before:
        (answer,) = explain(simulate(drafts, 2, set()), simulate(drafts, 1, set(), **was))
        assert [r.kind for r in answer.reasons] == [expected]


def test_stages_that_are_alike_are_told_apart_by_what_they_build_for() -> None:
    """A build for several platforms has the same stage once for each target: their steps tell which is which, and
    the order in which the platforms were asked for does not matter."""

    def build(number: int, *targets: str) -> JournalBuild:
        drafts = [Draft("alpine", (Instruction("RUN", "compile", target),)) for target in targets]
        made = simulate(drafts, number, set())
        stages = []
        for stage, target in zip(made.stages, targets, strict=True):
            steps = tuple(
                step._replace(name=step.name._replace(stage="s", platform="linux/amd64", target=f"linux/{target}"))
                for step in stage.steps
            )
            stages.append(stage._replace(label="s", platform="linux/amd64", steps=steps))
        return made._replace(stages=tuple(stages))

    for answer in explain(build(2, "s390x", "arm64"), build(1, "arm64", "s390x")):
        assert answer.was is not None and answer.was.place == answer.step.place
        assert [reason.kind for reason in answer.reasons] == ["pruned"], "nothing about its key is new"


def test_steps_without_a_counterpart_tell_why_their_results_were_not_used() -> None:
    drafts = [Draft("alpine", (Instruction("RUN", "one", "1"),))]
    for miss in ("no-cache", "no-cache-filter", "lost"):
        (answer,) = explain(simulate(drafts, 1, set(), miss=miss))
        assert [reason.kind for reason in answer.reasons] == [miss]
        assert answer.root == answer.reasons[0] and answer.root_step == 1


def test_a_step_without_a_counterpart_is_compared_with_the_nearest_result_that_there_is() -> None:
    build = simulate([Draft("alpine", (Instruction("RUN", "one", "1"),))], 1, set())
    (step,) = build.steps
    near = (*step.components[:2], ("env V", "other"))
    (answer,) = Causes(build, (), lambda _: near).answers()
    assert answer.reasons == (Reason("new build"), Reason("nearest", "env V", "other", "sha256:1"))
