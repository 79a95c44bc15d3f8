"""The graph of stages: what the target reaches, names, indexes, circles, named contexts, and all errors in one go."""

import itertools

import pytest
from tests.plan.plan_dockerfiles import AMD64, ARM64, Shelf, copies, errors, last, plan, runs

from kezuri.oci.config import ImageConfig
from kezuri.plan.contexts import NamedContext
from kezuri.plan.inputs import BaseImage, ContextInput, ImageInput, StageInput


def labels(text: str, **more: object) -> list[str]:
    return [s.label for s in plan(text, **more).stages]  # type: ignore[arg-type]


FILE = "FROM one AS a\nRUN a\nFROM two AS b\nCOPY --from=a /x /y\nFROM three AS unused\nRUN u\nFROM b\nRUN c"


def test_only_what_the_target_reaches_is_planned_each_after_what_it_needs() -> None:
    shelf = Shelf(missing=["three"])
    assert labels(FILE, shelf=shelf) == ["a", "b", "stage-3"]
    assert {text for _, text, _ in shelf.asked} == {"one", "two"}


def test_stages_that_stand_on_each_other_may_be_many() -> None:
    lines = ["FROM scratch AS s0\nCOPY x /x"]
    lines += [f"FROM scratch AS s{n}\nCOPY --from=s{n - 1} /x /x" for n in range(1, 1000)]
    assert len(labels("\n".join(lines))) == 1000


def test_an_image_is_asked_for_once() -> None:
    shelf = Shelf()
    plan("FROM one AS a\nFROM one AS b\nCOPY --from=a x y\nCOPY --from=one x y", shelf=shelf)
    assert len(shelf.asked) == 1


def test_errors_of_stages_that_are_not_reached_are_none() -> None:
    assert labels("FROM one AS bad\nEXPOSE nonsense\nFROM two AS good\nRUN x") == ["good"]


class TestTarget:
    def test_by_name_whatever_the_case(self) -> None:
        assert labels(FILE, target="B") == ["a", "b"]

    def test_the_last_of_two_of_a_name(self) -> None:
        made = plan("FROM one AS a\nFROM two AS a\nFROM three", target="a")
        assert made.target == 1

    def test_an_unknown_one_is_an_error_with_the_nearest_name(self) -> None:
        ((_, message, hint),) = errors("FROM one AS build\nFROM build AS tests", target="test")
        assert "test" in message and "tests" in hint


class TestFrom:
    def test_an_earlier_stage_a_later_name_is_an_image(self) -> None:
        shelf = Shelf()
        made = plan("FROM b AS a\nFROM one AS b\nFROM a", shelf=shelf)
        assert [t for _, t, _ in shelf.asked] == ["b"]
        assert made.stage(made.target).base == StageInput(0)

    def test_a_name_in_capitals_is_no_stage(self) -> None:
        assert last("FROM one AS Build\nFROM build").base == StageInput(0)
        ((line, _, hint),) = errors("FROM one AS Build\nFROM BUILD")
        assert line == 2 and "`build`" in hint

    def test_the_nearest_of_two_stages_of_one_name(self) -> None:
        made = plan("FROM one AS a\nRUN 1\nFROM two AS a\nRUN 2\nFROM a\nRUN 3")
        assert made.stage(made.target).base == StageInput(1)

    def test_an_empty_name_says_how_to_fill_it(self) -> None:
        ((line, message, hint),) = errors("# x\nFROM $IMAGE")
        assert line == 2 and "should not be blank" in message and "--build-arg" in hint

    def test_a_platform_that_is_none(self) -> None:
        ((line, message, _),) = errors("FROM --platform=linux/a/b/c/d one")
        assert line == 1 and "not a platform" in message
        ((_, message, _),) = errors("FROM --platform=$NOTHING one")
        assert "empty platform" in message

    def test_images_are_for_the_platform_of_the_stage(self) -> None:
        shelf = Shelf()
        plan(
            "FROM --platform=$BUILDPLATFORM one AS a\nFROM two\nCOPY --from=a x y\nCOPY --from=three x y",
            platform=ARM64,
            shelf=shelf,
        )
        assert {t: p for _, t, p in shelf.asked} == {"one": AMD64, "two": ARM64, "three": ARM64}

    def test_an_image_that_is_not_there_is_an_error_at_its_name_with_the_nearest_stage(self) -> None:
        shelf = Shelf(missing=["biuld"])
        ((line, message, hint),) = errors("FROM one AS build\nFROM biuld", shelf=shelf)
        assert line == 2 and "biuld" in message and "`build`" in hint


class TestCopyFrom:
    def test_stage_index_image(self) -> None:
        stage = last("FROM one AS a\nFROM two\nCOPY --from=A x y\nCOPY --from=0 x y\nCOPY --from=img:1 x y\nCOPY x y")
        inputs = [c.input for c in copies(stage)]
        assert inputs[:2] == [StageInput(0), StageInput(0)]
        assert isinstance(inputs[2], ImageInput) and inputs[2].image.name == "img:1"
        assert inputs[3] == ContextInput()

    def test_a_variable_is_known_when_the_plan_is_made(self) -> None:
        text = "ARG S=b\nFROM one AS a\nFROM two AS b\nFROM three\nARG S\nCOPY --from=$S x y"
        assert copies(last(text))[0].input == StageInput(1)
        assert copies(last(text, args={"S": "a"}))[0].input == StageInput(0)
        ((line, message, _),) = errors("FROM one\nCOPY --from=$NOTHING x y")
        assert line == 2 and "empty" in message

    @pytest.mark.parametrize(
        ("value", "found"),
        [("a", StageInput(0)), ("A", StageInput(0)), ("b", StageInput(1)), ("0", StageInput(0)), ("1", StageInput(1))],
    )
    def test_a_variable_names_a_stage_by_name_or_number_in_copy_and_mount(self, value: str, found: StageInput) -> None:
        text = "FROM one AS a\nFROM two AS b\nFROM three\nARG S\nCOPY --from=$S x y\nRUN --mount=from=${S},target=/m z"
        stage = last(text, args={"S": value})
        assert copies(stage)[0].input == found
        assert [getattr(m, "input", None) for m in runs(stage)[0].mounts] == [found]

    def test_a_variable_names_an_image_or_a_part_of_its_name(self) -> None:
        text = "ARG TAG=1\nFROM one\nARG TAG\nARG IMG=img:$TAG\nCOPY --from=$IMG x y\nCOPY --from=img:${TAG}-x x y"
        shelf = Shelf()
        last(text, args={"TAG": "2"}, shelf=shelf)
        assert [t for _, t, _ in shelf.asked] == ["one", "img:2", "img:2-x"]

    def test_a_global_variable_needs_its_arg_in_the_stage(self) -> None:
        text = "ARG S=a\nFROM one AS a\nFROM two\n{}COPY --from=$S x y"
        assert copies(last(text.format("ARG S\n")))[0].input == StageInput(0)
        ((line, message, hint),) = errors(text.format(""))
        assert line == 4 and "from=$S is empty" in message and "ARG" in hint

    def test_a_variable_in_a_trigger_is_the_childs(self) -> None:
        shelf = Shelf({"base": ImageConfig(AMD64, on_build=("ARG S", "COPY --from=$S x y"))})
        text = "FROM one AS a\nFROM two AS b\nFROM base"
        assert copies(last(text, args={"S": "b"}, shelf=shelf))[0].input == StageInput(1)
        ((line, message, _),) = errors(text, shelf=shelf)
        assert line == 3 and "empty" in message

    def test_a_variable_that_leads_to_a_later_stage_or_nowhere_is_an_error(self) -> None:
        text = "FROM one AS a\nARG S\nCOPY --from=$S x y\nFROM two AS b\nFROM a"
        for value, said in (("b", "needs to be defined before"), ("a", "circular"), ("9", "stage index 9")):
            ((line, message, _),) = errors(text, args={"S": value})
            assert line == 3 and said in message, value

    def test_an_index_that_is_not_there(self) -> None:
        ((line, message, hint),) = errors("FROM one\nCOPY --from=7 x y")
        assert line == 2 and "7" in message and "0" in hint

    def test_mounts_lead_to_stages_as_well(self) -> None:
        text = "FROM one AS a\nFROM b AS c\nFROM d\nRUN --mount=from=a,target=/a --mount=type=cache,from=c,target=/c x"
        assert labels(text) == ["a", "c", "stage-2"]

    def test_scratch_is_an_image_without_files(self) -> None:
        shelf = Shelf()
        stage = last("FROM one\nCOPY --from=scratch x y\nRUN --mount=from=scratch,target=/m z", shelf=shelf)
        (mount,) = runs(stage)[0].mounts
        assert [t for _, t, _ in shelf.asked] == ["one"]
        for found in (copies(stage)[0].input, getattr(mount, "input", None)):
            assert isinstance(found, ImageInput) and found.image.name == "scratch" and found.image.layers == ()

    def test_a_stage_that_comes_later_cannot_be_copied_from(self) -> None:
        text = "FROM one AS a\nCOPY --from=b x y\nFROM two AS b\nFROM a"
        ((line, message, hint),) = errors(text)
        assert line == 2 and 'cannot copy from stage "b"' in message and hint


class TestCircles:
    def test_the_stages_are_named_in_their_order(self) -> None:
        text = (
            "FROM one AS a\nCOPY --from=b x y\nFROM one AS b\nCOPY --from=c x y\nFROM one AS c\nCOPY --from=a x y\n"
            "FROM c"
        )
        found = errors(text)
        assert len(found) == 1
        line, message, hint = found[0]
        assert "circular dependency" in message and line in (2, 4, 6)
        circle = hint.removeprefix("the circle is ").split(" -> ")
        assert len(circle) == 4 and circle[0] == circle[-1]
        around = {"a": "b", "b": "c", "c": "a"}
        assert all(around[x] == y for x, y in itertools.pairwise(circle))

    def test_a_stage_that_copies_from_itself(self) -> None:
        ((line, message, hint),) = errors("FROM one AS a\nCOPY --from=a x y")
        assert line == 2 and message.endswith("stage: a") and "a -> a" in hint

    def test_a_circle_through_a_mount(self) -> None:
        found = errors("FROM one AS a\nRUN --mount=from=b,target=/b x\nFROM a AS b")
        assert any("needs to be defined before" in message for _, message, _ in found)


class TestNamedContexts:
    def test_a_directory_is_copied_from(self) -> None:
        made = plan("FROM one\nCOPY --from=docs x y\nCOPY x y", contexts={"docs": NamedContext("directory", "/d")})
        assert [c.input for c in copies(made.stages[0])] == [ContextInput("docs"), ContextInput()]
        assert made.contexts == ("docs",)

    def test_a_directory_stands_for_a_stage_by_name_and_by_number(self) -> None:
        text = "FROM one AS docs\nRUN never\nFROM two\nCOPY --from=docs x y\nCOPY --from=0 x y"
        made = plan(text, contexts={"docs": NamedContext("directory", "/d")})
        assert [c.input for c in copies(made.stages[0])] == [ContextInput("docs"), ContextInput("docs")]

    def test_one_for_the_platform_comes_first(self) -> None:
        contexts = {"docs": NamedContext("directory", "/d"), "docs::linux/arm64": NamedContext("directory", "/arm")}
        for platform, key in ((AMD64, "docs"), (ARM64, "docs::linux/arm64")):
            made = plan("FROM one\nCOPY --from=docs x y", contexts=contexts, platform=platform)
            assert made.contexts == (key,) and copies(made.stages[0])[0].input == ContextInput(key)

    def test_one_that_is_not_used_is_not_opened(self) -> None:
        assert plan("FROM one", contexts={"docs": NamedContext("directory", "/d")}).contexts == ()

    def test_an_image_by_any_of_its_names(self) -> None:
        for written in ("node", "docker.io/library/node", "node:latest"):
            shelf = Shelf()
            plan("FROM node", contexts={written: NamedContext("layout", "/l:tag")}, shelf=shelf)
            assert shelf.asked == [("layout", "/l:tag", AMD64)], written

    def test_a_stage_of_that_name_is_replaced_with_all_its_instructions(self) -> None:
        shelf = Shelf()
        made = plan(
            "FROM one AS deps\nRUN never\nFROM deps\nRUN x",
            contexts={"deps": NamedContext("registry", "ready")},
            shelf=shelf,
        )
        assert [t for _, t, _ in shelf.asked] == ["ready"]
        assert [r.argv[-1] for s in made.stages for r in runs(s)] == ["x"]

    def test_a_directory_is_no_image(self) -> None:
        ((line, message, hint),) = errors("FROM docs", contexts={"docs": NamedContext("directory", "/d")})
        assert line == 1 and "is a directory" in message and hint

    def test_scratch_by_another_name(self) -> None:
        assert last("FROM node", contexts={"node": NamedContext("registry", "scratch")}).base is None


class TestErrors:
    def test_all_of_one_file_in_one_run_in_the_order_of_lines(self) -> None:
        text = (
            "FROM one\n"
            "RUNN x\n"
            "EXPOSE 99999\n"
            "COPY a\n"
            "COPY --from=9 a b\n"
            "STOPSIGNAL SIGFOO\n"
            "RUN --mount=type=bnid,target=/x y\n"
        )
        lines = [line for line, _, _ in errors(text)]
        assert lines == sorted(lines) and {2, 4, 5} <= set(lines)

    def test_errors_of_evaluation_come_together(self) -> None:
        text = "FROM one\nEXPOSE x\nSTOPSIGNAL y\nRUN --mount=type=z,target=/a b\nCOPY --from=5 a b\nENV $A=1"
        assert [line for line, _, _ in errors(text)] == [2, 3, 4, 5, 6]

    def test_errors_of_several_stages_come_together(self) -> None:
        text = "FROM one AS a\nEXPOSE x\nFROM two\nCOPY --from=a x y\nEXPOSE y"
        assert [line for line, _, _ in errors(text)] == [2, 5]

    def test_a_stage_with_an_error_that_is_used_twice_says_it_once(self) -> None:
        shelf = Shelf(missing=["gone"])
        text = "FROM gone AS a\nFROM two\nCOPY --from=a x y\nCOPY --from=a x z"
        assert [line for line, _, _ in errors(text, shelf=shelf)] == [1]
        assert [t for _, t, _ in shelf.asked].count("gone") == 1

    def test_a_file_without_a_stage(self) -> None:
        assert errors("ARG A=1")
        assert errors("")

    def test_an_error_in_a_global_argument_is_at_its_line(self) -> None:
        ((line, message, _),) = errors("ARG A=1\nARG B=${A:?}${C:?must}\nFROM one")
        assert line == 2 and "must" in message


def test_a_base_image_is_a_value_that_says_where_it_came_from() -> None:
    base = last("FROM one").base
    assert isinstance(base, BaseImage) and base.source == ("registry", "one")
