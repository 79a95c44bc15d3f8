"""Who sees which value of ARG and ENV."""

import pytest
from tests.plan.plan_dockerfiles import AMD64, ARM64, Shelf, copies, errors, last, plan, run_env, runs

from kezuri.oci.config import ImageConfig
from kezuri.plan.contexts import NamedContext
from kezuri.plan.inputs import ContextInput, StageInput
from kezuri.plan.variables import DEFAULT_PATH


def test_a_global_argument_is_seen_in_from_lines_and_later_global_defaults_only() -> None:
    shelf = Shelf()
    stage = last("ARG A=one\nARG B=${A}-two\nFROM base:$B\nRUN true\nCOPY x /$A", shelf=shelf)
    assert shelf.asked[0][1] == "base:one-two"
    assert "A" not in dict(runs(stage)[0].env)
    assert copies(stage)[0].destination == "/"


def test_a_global_default_is_unquoted() -> None:
    shelf = Shelf()
    plan("ARG A=\"a b\"\nARG B='1.2'\nFROM base:$B", shelf=shelf)
    assert shelf.asked[0][1] == "base:1.2"


def test_a_build_argument_beats_a_global_default() -> None:
    shelf = Shelf()
    plan("ARG A=1\nFROM base:$A", args={"A": "2"}, shelf=shelf)
    assert shelf.asked[0][1] == "base:2"


@pytest.mark.parametrize(
    ("line", "args", "value"),
    [
        ("ARG X", {}, "global"),
        ("ARG X", {"X": "given"}, "given"),
        ("ARG X=own", {}, "own"),
        ("ARG X=own", {"X": "given"}, "given"),
        ("ARG X=", {}, ""),
    ],
)
def test_a_stage_argument(line: str, args: dict[str, str], value: str) -> None:
    assert run_env(f"ARG X=global\nFROM base\n{line}\nRUN true", args=args)["X"] == value


def test_an_argument_without_any_value_leaves_an_inherited_variable_alone() -> None:
    shelf = Shelf({"base": ImageConfig(AMD64, env=("X=image",))})
    assert run_env("FROM base\nARG X\nRUN true", shelf=shelf)["X"] == "image"


def test_a_default_is_expanded_in_the_stage_at_that_point_and_not_when_a_value_is_given() -> None:
    text = "FROM base\nENV V=1\nARG A=${V}a\nENV V=2\nARG B=${NO?needed}\nRUN true"
    assert run_env(text, args={"B": "given"})["A"] == "1a"
    ((line, message, _),) = errors(text)
    assert line == 5 and "NO: needed" in message


def test_several_arguments_of_one_line_see_the_ones_before() -> None:
    env = run_env("FROM base\nARG A=1 B=${A}2\nRUN true")
    assert (env["A"], env["B"]) == ("1", "12")


def test_env_of_one_line_sees_the_values_before_the_line() -> None:
    env = run_env("FROM base\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc\nRUN true")
    assert (env["abc"], env["def"], env["ghi"]) == ("bye", "hello", "bye")


def test_a_stage_inherits_arguments_and_variables_of_its_base_stage_and_of_no_other() -> None:
    text = "FROM base AS a\nARG X=1\nENV Y=2\nFROM base AS other\nRUN true\nFROM a\nRUN true"
    env = run_env(text)
    assert (env["X"], env["Y"]) == ("1", "2")
    other = run_env(text, target="other")
    assert "X" not in other and "Y" not in other


def test_env_after_arg_wins_and_is_kept() -> None:
    stage = last("FROM base\nARG X=arg\nENV X=env\nRUN true", args={"X": "given"})
    assert dict(runs(stage)[0].env)["X"] == "env"
    assert "X=env" in stage.config.env


def test_arg_after_env_is_seen_by_steps_and_the_image_keeps_the_env() -> None:
    stage = last("FROM base\nENV X=env\nARG X=arg\nRUN true")
    assert dict(runs(stage)[0].env)["X"] == "arg"
    assert "X=env" in stage.config.env and "X=arg" not in stage.config.env


def test_a_changed_argument_reaches_every_later_run_and_no_earlier_one() -> None:
    text = "FROM base\nRUN one\nARG X=1\nRUN two"
    before, after = (runs(last(text, args={"X": x})) for x in "12")
    assert before[0].env == after[0].env and before[1].env != after[1].env


def test_an_undeclared_build_argument_is_ignored() -> None:
    assert "X" not in run_env("FROM base\nRUN true", args={"X": "1"})


class TestProxies:
    def test_they_reach_every_run_and_neither_history_nor_environment_nor_expansion(self) -> None:
        stage = last("FROM base\nRUN true\nCOPY x /x$HTTP_PROXY", args={"HTTP_PROXY": "http://p", "no_proxy": "n"})
        (run,) = runs(stage)
        assert run.proxy == (
            ("HTTP_PROXY", "http://p"),
            ("http_proxy", "http://p"),
            ("NO_PROXY", "n"),
            ("no_proxy", "n"),
        )
        assert "HTTP_PROXY" not in dict(run.env) and "http://p" not in run.history
        assert copies(stage)[0].destination == "/x"
        assert not any("http://p" in e for e in stage.config.env)

    def test_declared_they_are_ordinary(self) -> None:
        (run,) = runs(last("FROM base\nARG HTTP_PROXY\nRUN true", args={"HTTP_PROXY": "http://p"}))
        assert dict(run.env)["HTTP_PROXY"] == "http://p" and "http://p" in run.history
        assert "http_proxy" not in dict(run.env)


class TestPlatformArguments:
    def test_they_need_a_declaration_in_the_stage(self) -> None:
        text = "FROM base AS final\n{}RUN true"
        assert "TARGETARCH" not in run_env(text.format(""))
        env = run_env(
            text.format("ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH TARGETSTAGE\n"),
            platform=ARM64,
            target="final",
        )
        assert env["TARGETPLATFORM"] == "linux/arm64" and env["TARGETARCH"] == "arm64" and env["TARGETOS"] == "linux"
        assert env["BUILDPLATFORM"] == "linux/amd64" and env["BUILDARCH"] == "amd64"
        assert env["TARGETVARIANT"] == "" and env["TARGETSTAGE"] == "final"

    def test_the_stage_is_called_default_when_it_has_no_name(self) -> None:
        assert run_env("FROM base\nARG TARGETSTAGE\nRUN true")["TARGETSTAGE"] == "default"

    def test_a_build_argument_of_the_same_name_wins(self) -> None:
        assert run_env("FROM base\nARG TARGETARCH\nRUN true", args={"TARGETARCH": "mips"})["TARGETARCH"] == "mips"

    def test_they_are_seen_in_from_lines_without_a_declaration(self) -> None:
        shelf = Shelf()
        plan("FROM --platform=$BUILDPLATFORM base-$TARGETARCH", platform=ARM64, shelf=shelf)
        assert shelf.asked == [("registry", "base-arm64", AMD64)]


def test_a_base_without_path_gets_one_in_environment_and_config() -> None:
    shelf = Shelf({"base": ImageConfig(AMD64)})
    stage = last("FROM base\nRUN true", shelf=shelf)
    assert dict(runs(stage)[0].env)["PATH"] == DEFAULT_PATH
    assert f"PATH={DEFAULT_PATH}" in stage.config.env
    assert f"PATH={DEFAULT_PATH}" in last("FROM scratch\nRUN true").config.env


def test_names_of_variables_are_case_sensitive() -> None:
    assert copies(last("FROM base\nENV a=1\nCOPY x /$A$a"))[0].destination == "/1"


def test_a_run_knows_the_arguments_that_it_sees() -> None:
    head = "FROM base\nARG A=1 B\nARG C=3\nARG BUILDKIT_SBOM_SCAN_STAGE=true\n"
    one, two = runs(last(f"{head}ENV C=2\nRUN one\nENV A=3\nARG D\nRUN two"))
    assert one.arguments == ("A", "B")
    assert two.arguments == ("B", "D")


def test_an_operation_knows_its_kind_and_its_inputs() -> None:
    text = (
        "FROM base AS a\nWORKDIR /w\n"
        "RUN --mount=from=other,target=/b --mount=type=cache,target=/c,from=a2 --mount=type=tmpfs,target=/t x\n"
        "COPY --from=a0 x /\nADD y /"
    )
    workdir, run, copy, add = last(
        f"FROM base AS a0\nFROM base AS a2\n{text}", contexts={"other": NamedContext("directory", "d")}
    ).operations
    assert [o.kind for o in (workdir, run, copy, add)] == ["WORKDIR", "RUN", "COPY", "ADD"]
    assert workdir.inputs == workdir.key_inputs == ()
    assert run.inputs == run.key_inputs == (ContextInput("other"), StageInput(1))
    assert copy.inputs == copy.key_inputs == (StageInput(0),)
    assert add.inputs == add.key_inputs == (ContextInput(),)
