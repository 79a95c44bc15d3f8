"""Plans of several platforms as one graph: what is the same exists once."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from tests.plan.plan_dockerfiles import AMD64, ARM64, Shelf, copies, plan, runs

from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ImageInput, StageInput
from kezuri.plan.operation import BindMount, CopyOperation, Plan, RunOperation
from kezuri.plan.platforms import merge

ARM = Platform("linux", "arm", "v7")


def merged(text: str, *platforms: Platform, args: Mapping[str, str] | None = None) -> Plan:
    shelf = Shelf()
    return merge([(p, plan(text, platform=p, shelf=shelf, args=args)) for p in platforms])


def labels(made: Plan) -> list[tuple[str, str]]:
    return [(str(s.platform), s.label) for s in made.stages]


CROSS = """
FROM --platform=$BUILDPLATFORM golang AS fetch
RUN download
FROM fetch AS build
ARG TARGETARCH
RUN compile $TARGETARCH
FROM base
COPY --from=build /out /out
COPY --from=fetch /data /data
"""


def test_what_does_not_ask_for_its_target_exists_once() -> None:
    made = merged(CROSS, AMD64, ARM64)
    assert labels(made) == [
        ("linux/amd64", "fetch"),
        ("linux/amd64", "build"),
        ("linux/amd64", "stage-2"),
        ("linux/amd64", "build"),
        ("linux/arm64", "stage-2"),
    ]
    assert [(t.platform, made.stage(t.stage).platform) for t in made.targets] == [(AMD64, AMD64), (ARM64, ARM64)]
    assert made.target == made.targets[0].stage
    fetch, build, _, other, last = made.stages
    assert build.base == other.base == StageInput(fetch.number)
    assert [c.input for c in copies(last)] == [StageInput(other.number), StageInput(fetch.number)]
    assert dict(runs(build)[0].env)["TARGETARCH"] == "amd64" and dict(runs(other)[0].env)["TARGETARCH"] == "arm64"
    assert {runs(s)[0].platform for s in (fetch, build, other)} == {AMD64}
    assert [s.ordinal for s in made.stages] == [0, 1, 2, 1, 2]


def test_the_history_tells_of_the_stages_own_layers() -> None:
    made = merged("FROM base AS a\nRUN x\nFROM a\nCOPY f f\n", AMD64, ARM64)
    for target in made.targets:
        stage = made.stage(target.stage)
        assert isinstance(stage.base, StageInput)
        places = [(i.stage, i.operation) for i in stage.history]
        assert places == [(stage.base.stage, 0), (stage.number, 0)]


def test_mounts_lead_to_the_stages_of_the_same_platform() -> None:
    made = merged("FROM base AS a\nRUN x\nFROM base\nRUN --mount=from=a,target=/m y\n", AMD64, ARM64)
    for target in made.targets:
        (run,) = runs(made.stage(target.stage))
        (mount,) = run.mounts
        assert isinstance(mount, BindMount) and isinstance(mount.input, StageInput)
        assert made.stage(mount.input.stage).platform == target.platform


def test_one_platform_stays_as_it_is_but_for_its_target() -> None:
    alone = plan(CROSS, platform=ARM64, shelf=Shelf())
    made = merge([(ARM64, alone)])
    assert tuple(s._replace(written=-1) for s in made.stages) == alone.stages
    assert made.target == alone.target and [t.platform for t in made.targets] == [ARM64]


def test_a_target_that_is_the_same_for_both_is_one_stage_only_where_its_config_is() -> None:
    text = "FROM --platform=$BUILDPLATFORM base\nRUN x\n"
    made = merged(text, AMD64, ARM64)
    assert [made.stage(t.stage).config.platform for t in made.targets] == [AMD64, ARM64]
    assert len(made.stages) == 2 and {s.platform for s in made.stages} == {AMD64}
    assert len(merged(text, AMD64, AMD64).stages) == 1


def test_an_image_that_each_platform_has_of_its_own_is_not_shared() -> None:
    made = merged("FROM --platform=$BUILDPLATFORM base AS a\nCOPY --from=tool x y\nFROM a\n", AMD64, ARM64)
    found = {c.input.image.config.platform for s in made.stages for c in copies(s) if isinstance(c.input, ImageInput)}
    assert found == {AMD64, ARM64}


PIECES = (
    "RUN a",
    "RUN echo $TARGETARCH",
    "ARG TARGETARCH",
    "ARG TARGETPLATFORM",
    "COPY x y",
    "COPY --from=0 x y",
    "RUN --mount=from=0,target=/m b",
    "COPY --from=other x y",
    "WORKDIR /w",
    "ENV A=$TARGETARCH",
)


@st.composite
def dockerfiles(draw: st.DrawFn) -> str:
    lines = []
    for number in range(draw(st.integers(1, 4))):
        base = draw(st.sampled_from(["base", "scratch", *(f"s{i}" for i in range(number))]))
        flag = draw(st.sampled_from(["", "--platform=$BUILDPLATFORM ", "--platform=linux/arm64 "]))
        lines.append(f"FROM {flag}{base} AS s{number}")
        pieces = draw(st.lists(st.sampled_from(PIECES), max_size=4))
        lines += [p for p in pieces if number or "from=0" not in p]
    return "\n".join(lines) + "\n"


@given(dockerfiles(), st.lists(st.sampled_from([AMD64, ARM64, ARM]), min_size=1, max_size=3, unique=True))
def test_each_target_is_what_its_own_plan_says(text: str, platforms: list[Platform]) -> None:
    """Laws: unfolded from its target, the merged graph is the plan of that platform alone; every stage comes after
    those it needs and has a number of its own; no two stages are equal."""
    made = merged(text, *platforms)
    numbers = [s.number for s in made.stages]
    assert len(set(numbers)) == len(numbers)
    for target, platform in zip(made.targets, platforms):
        alone = plan(text, platform=platform, shelf=Shelf())
        assert target.platform == platform
        assert unfolded(made, target.stage) == unfolded(alone, alone.target)
    forms = [unfolded(made, n) for n in numbers]
    assert all(a != b for i, a in enumerate(forms) for b in forms[:i])
    seen: set[int] = set()
    for stage in made.stages:
        assert {s.stage for s in inputs(made, stage.number)} <= seen
        seen.add(stage.number)


def inputs(made: Plan, number: int) -> list[StageInput]:
    stage = made.stage(number)
    found: list[object] = [stage.base]
    for operation in stage.operations:
        if isinstance(operation, CopyOperation):
            found.append(operation.input)
        elif isinstance(operation, RunOperation):
            found += [getattr(m, "input", None) for m in operation.mounts]
    return [f for f in found if isinstance(f, StageInput)]


def unfolded(made: Plan, number: int) -> object:
    """The stage with everything that it needs in place of the numbers."""
    stage = made.stage(number)
    own = tuple((i.created_by, i.operation, -1 if i.stage < 0 else made.stage(i.stage).ordinal) for i in stage.history)
    operations = [
        o._replace(input=None)  # type: ignore[arg-type]
        if isinstance(o, CopyOperation)
        else (o._replace(mounts=()) if isinstance(o, RunOperation) else o)
        for o in stage.operations
    ]
    images = [c.input for c in copies(stage) if not isinstance(c.input, StageInput)]
    return (
        stage.ordinal,
        stage.platform,
        stage.config,
        stage.base if isinstance(stage.base, BaseImage) else None,
        stage.crossing,
        own,
        operations,
        images,
        [unfolded(made, s.stage) for s in inputs(made, number)],
    )


class TestCrossing:
    def test_a_stage_that_knows_its_target_builds_for_it(self) -> None:
        made = merged("FROM --platform=$BUILDPLATFORM b\nRUN a\nARG TARGETARCH\nRUN b\nARG TARGETVARIANT\nRUN c\n", ARM)
        assert made.stages[0].crossing == (None, ARM, ARM)

    def test_the_whole_platform_counts_most(self) -> None:
        made = merged("FROM b\nARG TARGETPLATFORM\nARG TARGETARCH=ppc64le\nRUN a\n", ARM64)
        assert made.stages[0].crossing == (ARM64,)

    def test_what_is_left_open_is_the_stages_own(self) -> None:
        made = merged("FROM --platform=linux/arm64 b\nARG TARGETOS=windows\nRUN a\n", AMD64, args={})
        assert made.stages[0].crossing[0] is not None and made.stages[0].crossing[0].architecture == "arm64"
