"""What holds of every plan."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.plan_dockerfiles import last, plan

from kezuri.diagnostics import SourceText, Span
from kezuri.plan.operation import CopyOperation, Operation, RunOperation, StagePlan, WorkdirOperation

LINES = st.sampled_from(
    (
        "RUN one $A",
        'RUN ["two", "$B"]',
        "RUN --mount=type=cache,target=c,id=$A <<EOF\nthree\nEOF",
        "COPY $A /d/",
        "COPY --chown=$B a b c/",
        "WORKDIR /w/$A",
        "WORKDIR rel",
        "ENV A=1 B=$A",
        "ENV B=2",
        "ENV C ${A:-x} y",
        "LABEL l=$A m=$B",
        "EXPOSE 80 ${A:-81}",
        "USER u$B",
        "VOLUME /v$A",
        'SHELL ["/bin/bash", "-c"]',
        "STOPSIGNAL 9",
        "HEALTHCHECK CMD x",
        "CMD x",
    )
)
BODIES = st.lists(LINES, max_size=6)
NAMES = st.text("XYZ_", min_size=1, max_size=4)


def bare(operation: Operation) -> Operation:
    """The operation without its place in the file, and a RUN's environment without its order: that is the image's
    below a FROM, and the one of the assignments elsewhere."""
    node = operation.node._replace(span=Span(0, 0), keyword_span=Span(0, 0), number=0, source=SourceText("", ""))
    if isinstance(operation, CopyOperation):
        return operation._replace(node=node, source_spans=())
    if isinstance(operation, RunOperation):
        return operation._replace(node=node, env=tuple(sorted(operation.env)))
    assert isinstance(operation, WorkdirOperation)
    return operation._replace(node=node)


def gist(*stages: StagePlan) -> object:
    """What stages that follow each other come to."""
    operations = [bare(o) for stage in stages for o in stage.operations]
    return operations, stages[-1].config, [item.created_by for item in stages[-1].history]


@settings(deadline=None)
@given(BODIES, BODIES)
def test_a_stage_can_be_cut_in_two(first: list[str], second: list[str]) -> None:
    whole = last("\n".join(("FROM base", *first, *second)))
    made = plan("\n".join(("FROM base AS a", *first, "FROM a", *second)))
    assert gist(*made.stages) == gist(whole)


@settings(deadline=None)
@given(BODIES, st.dictionaries(NAMES, st.text("ab $", max_size=3)))
def test_build_arguments_that_are_not_declared_change_nothing(body: list[str], given: dict[str, str]) -> None:
    text = "\n".join(("FROM base", *body))
    assert plan(text, args=given) == plan(text)


@settings(deadline=None)
@given(BODIES, st.sampled_from(("HTTP_PROXY", "https_proxy", "No_Proxy")), st.text("ab:/", min_size=1))
def test_a_proxy_changes_what_runs_are_given_beside_their_environment_and_nothing_else(
    body: list[str], name: str, value: str
) -> None:
    text = "\n".join(("FROM base", *body))
    plain, proxied = last(text), last(text, args={name: value})
    expected = ((name.upper(), value), (name.lower(), value))
    for one, other in zip(plain.operations, proxied.operations, strict=True):
        assert (one._replace(proxy=expected) if isinstance(one, RunOperation) else one) == other
    assert proxied._replace(operations=()) == plain._replace(operations=())


@settings(deadline=None)
@given(BODIES, BODIES, BODIES)
def test_stages_that_the_target_does_not_need_change_nothing(
    before: list[str], body: list[str], after: list[str]
) -> None:
    text = "\n".join(("FROM x AS other", *before, "FROM base AS t", *body, "FROM y AS more", *after))
    made, alone = plan(text, target="t"), last("\n".join(("FROM base AS t", *body)))
    (stage,) = made.stages
    assert gist(stage._replace(history=alone.history)) == gist(alone)
    assert [i.created_by for i in stage.history] == [i.created_by for i in alone.history]


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, st.text("ab", max_size=2)), max_size=5))
def test_an_argument_stands_for_what_was_said_of_it_last(pairs: list[tuple[str, str]]) -> None:
    body = [f"ARG {name}={value}" for name, value in pairs]
    (run,) = last("\n".join(("FROM base", *body, "RUN x"))).operations
    assert isinstance(run, RunOperation)
    env = dict(run.env)
    assert {name: env[name] for name, _ in pairs} == dict(pairs)
    declared = list(dict.fromkeys(name for name, _ in pairs))
    said = f"|{len(declared)} {' '.join(f'{n}={env[n]}' for n in declared)} " if declared else ""
    assert run.history == f"RUN {said}/bin/sh -c x # buildkit"
