"""The builder by itself, with doors in memory: what is performed, in which order, how often, and what ends it."""

import signal
import threading
from collections.abc import Callable

import pytest
from tests.build.build_doors import Hands, Memory, Run
from tests.plan.plan_dockerfiles import plan

from kezuri.build.turn import Turn
from kezuri.diagnostics import KezuriError
from kezuri.plan.operation import Plan
from kezuri.progress.calling_off import CalledOff, CallOff
from kezuri.step.task import Outcome

SECONDS = 20
"""How long a test waits for another thread before it fails."""

LINE = "FROM scratch AS one\nRUN a\nRUN b\nFROM one AS two\nRUN c\nFROM two\nRUN d\n"
SIDES = (
    "FROM scratch AS left\nRUN l1\nRUN l2\nFROM scratch AS right\nRUN r1\nRUN r2\n"
    "FROM scratch AS both\nCOPY --from=left / /l\nCOPY --from=right / /r\n"
)


def titles(made: Plan) -> list[str]:
    return [operation.title for stage in made.stages for operation in stage.operations]


class TestOrder:
    def test_operations_come_after_what_they_stand_on(self) -> None:
        run = Run(plan(LINE), Memory())
        built = run.build()
        assert run.hands.performed == titles(plan(LINE)) and (built.ran, built.cached) == (4, 0)
        (state,) = built.states.values()
        assert [layer.split()[2:] for layer in state.layers] == [
            ["RUN", "a", "in", "one"], ["RUN", "b", "in", "one"], ["RUN", "c", "in", "two"], ["RUN", "d", "in"],
        ]  # fmt: skip
        assert list(built.layers.values()) == list(state.layers)

    def test_operations_come_after_what_they_take(self) -> None:
        run = Run(plan(SIDES), Memory())
        run.build()
        order = run.hands.performed
        assert sorted(order) == sorted(titles(plan(SIDES)))
        copies = [title for title in order if title.startswith("COPY")]
        assert order.index(copies[0]) > order.index("RUN l2") and order.index(copies[1]) > order.index("RUN r2")
        assert order.index("RUN l1") < order.index("RUN l2") and order.index("RUN r1") < order.index("RUN r2")

    def test_independent_stages_are_performed_at_the_same_time(self) -> None:
        # Each waits for the other one: one after the other, both would wait in vain.
        barrier = threading.Barrier(2)

        def work(title: str) -> None:
            if title in ("RUN l1", "RUN r1"):
                barrier.wait(SECONDS)

        run = Run(plan(SIDES), Memory(), work)
        run.build()
        assert run.hands.most == 2

    def test_no_more_than_allowed_at_the_same_time(self) -> None:
        many = "".join(f"FROM scratch AS s{i}\nRUN {i}\n" for i in range(6))
        many += "FROM scratch\n" + "".join(f"COPY --from=s{i} / /{i}\n" for i in range(6))
        pause = threading.Event()

        def work(title: str) -> None:
            pause.wait(0.01)

        run = Run(plan(many), Memory(), work, parallelism=2)
        run.build()
        assert len(run.hands.performed) == 12 and 1 <= run.hands.most <= 2

    @pytest.mark.parametrize("parallelism", [0, 1])
    def test_one_slot_is_enough_for_stages_that_wait_for_each_other(self, parallelism: int) -> None:
        """A stage that waits holds no slot: the one that it waits for could never be performed."""
        run = Run(plan(SIDES), Memory(), parallelism=parallelism)
        assert run.build().ran == 6 and run.hands.most == 1

    def test_a_stage_nobody_needs_is_left_alone(self) -> None:
        run = Run(plan("FROM scratch AS idle\nRUN never\nFROM scratch\nRUN a\n"), Memory())
        run.build()
        assert run.hands.performed == ["RUN a"]


class TestLookingUp:
    def test_what_is_there_is_not_performed_and_nothing_is_opened(self) -> None:
        memory = Memory()
        first = Run(plan(SIDES), memory)
        made = first.build()
        again = Run(plan(SIDES), memory)
        found = again.build()
        assert again.hands.performed == [] and again.hands.ahead == [] and again.hands.finished == 0
        assert found.states == made.states and found.layers == made.layers
        assert (found.ran, found.cached) == (0, 6) and again.heard.said_of("found") == titles(plan(SIDES))
        assert (first.hands.finished, first.hands.open) == (1, 0)

    def test_only_what_lacks_is_performed(self) -> None:
        memory = Memory()
        Run(plan(SIDES), memory).build()
        changed = plan(SIDES.replace("RUN r2", "RUN r3"))
        run = Run(changed, memory)
        built = run.build()
        # Another right side: the copies that stand on each other after it are made anew, the first of them is not.
        right = titles(changed)[-1]
        assert run.hands.performed == ["RUN r3", right] and (built.ran, built.cached) == (2, 4)
        assert run.hands.ahead == [(1, 1), (2, 1)] and run.hands.prepared == run.hands.performed
        assert run.heard.misses == ["absent", "absent"]

    def test_layers_of_stages_that_wait_are_handed_on_also_where_they_are_found(self) -> None:
        memory = Memory(ignoring=["one"])
        Run(plan(LINE), memory).build()
        run = Run(plan(LINE), memory)
        run.build()
        # `one` gives the same layers again, so what follows is found: after it, not at the first look.
        assert run.heard.said_of("ran") == ["RUN a", "RUN b"] and run.heard.said_of("found") == ["RUN c", "RUN d"]
        assert len(run.hands.layers) == 4 and run.heard.misses == ["no-cache-filter"] * 2

    def test_ignored_results_are_made_again_once(self) -> None:
        memory = Memory(ignoring=["one"])
        Run(plan(LINE), memory).build()
        memory.asked.clear()
        assert Run(plan(LINE), memory).build().ran == 2
        # What is ignored is not looked at first: its key may cost much.
        assert memory.asked.count("RUN a") == 1

    def test_equal_operations_are_performed_once(self) -> None:
        twice = "FROM scratch AS a\nRUN x\nRUN y\nFROM scratch AS b\nRUN x\nRUN y\n"
        twice += "FROM scratch\nCOPY --from=a / /a\nCOPY --from=b / /b\n"
        pause = threading.Event()

        def work(title: str) -> None:
            pause.wait(0.02)  # time enough for the other stage to come to the same operation

        for _ in range(3):
            run = Run(plan(twice), Memory(), work)
            built = run.build()
            assert sorted(run.hands.performed)[2:] == ["RUN x", "RUN y"]
            assert sorted(run.heard.said_of("shared")) == ["RUN x", "RUN y"]
            assert built.layers[(0, 0)] == built.layers[(1, 0)] and built.layers[(0, 1)] == built.layers[(1, 1)]


class TestDoubt:
    def test_a_doubtful_result_serves_its_build_and_no_later_one(self) -> None:
        twice = "FROM scratch AS a\nRUN x\nFROM scratch AS b\nRUN x\nFROM scratch\n"
        twice += "COPY --from=a / /a\nCOPY --from=b / /b\n"

        def doubtful(title: str) -> Outcome | None:
            return Outcome("doubtful", 0.0, gave_up=True) if title == "RUN x" else None

        memory = Memory()
        run = Run(plan(twice), memory, doubtful)
        run.build()
        assert run.hands.performed.count("RUN x") == 1 and run.heard.said_of("shared") == ["RUN x"]
        assert sorted(run.heard.believable) == [False, True, True]
        again = Run(plan(twice), memory)
        again.build()
        assert again.hands.performed.count("RUN x") == 1

    def test_what_follows_a_doubtful_result_is_found_only_on_the_same_layer(self) -> None:
        memory = Memory()
        text = "FROM scratch\nRUN x\nRUN y\n"
        Run(plan(text), memory, lambda t: Outcome(f"doubtful {t}", 0.0, gave_up=t == "RUN x")).build()
        run = Run(plan(text), memory)
        run.build()
        assert run.hands.performed == ["RUN x", "RUN y"]


class TestFailures:
    def test_the_first_failure_is_the_error_and_ends_the_others(self) -> None:
        begun, failed = threading.Event(), threading.Event()

        def work(title: str) -> None:
            if title == "RUN l1":
                begun.set()
                assert failed.wait(SECONDS)
            if title == "RUN r1":
                assert begun.wait(SECONDS)
                raise KezuriError.of("r1 is broken")

        run = Run(plan(SIDES), Memory(), work)
        run.cancel.then(failed.set)
        with pytest.raises(KezuriError, match="r1 is broken"):
            run.build()
        # l1 came to its end, and nothing was begun after it.
        assert sorted(run.hands.performed) == ["RUN l1", "RUN r1"]
        assert run.heard.said_of("failed") == ["RUN r1"] and run.heard.said_of("ended") == []
        assert run.cancel.is_set()

    def test_what_others_gave_before_is_kept(self) -> None:
        memory = Memory()
        left = threading.Event()

        def work(title: str) -> None:
            if title == "RUN l2":
                left.set()
            if title == "RUN r1":
                assert left.wait(SECONDS)
                raise KezuriError.of("r1 is broken")

        with pytest.raises(KezuriError):
            Run(plan(SIDES), memory, work).build()
        run = Run(plan(SIDES), memory)
        run.build()
        assert "RUN l1" not in run.hands.performed and "RUN r1" in run.hands.performed

    def test_a_key_that_cannot_be_had_fails_at_the_first_look(self) -> None:
        memory = Memory()
        memory.unkeyed = {"RUN c"}
        run = Run(plan("FROM scratch\nRUN c\n"), memory)
        with pytest.raises(KezuriError, match="RUN c: no key"):
            run.build()
        assert run.heard.said_of("unkeyed") == ["RUN c"] and run.hands.ahead == []

    def test_a_key_that_cannot_be_had_later_ends_the_build(self) -> None:
        memory = Memory()
        memory.unkeyed = {"RUN c"}
        run = Run(plan(LINE), memory)
        with pytest.raises(KezuriError, match="RUN c: no key"):
            run.build()
        assert run.hands.performed == ["RUN a", "RUN b"]
        # What is based on the stage that failed was not begun.
        assert run.heard.said_of("began") == ["one", "two"]

    def test_ground_that_cannot_be_laid_fails_the_operation(self) -> None:
        class Groundless(Hands):
            def prepare(self, turn: Turn, base: Callable[[Callable[[], None]], None]) -> None:
                raise KezuriError.of("no such blob")

        run = Run(plan("FROM scratch\nRUN a\n"), Memory(), hands=Groundless)
        with pytest.raises(KezuriError, match="no such blob"):
            run.build()
        assert run.heard.said_of("failed") == ["RUN a"] and run.hands.performed == []

    def test_what_is_no_error_of_ours_comes_out_as_it_is(self) -> None:
        def work(title: str) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            Run(plan(LINE), Memory(), work).build()


class TestCallingOff:
    def test_nothing_is_begun_once_it_is_called_off(self) -> None:
        cancel = CallOff()

        def work(title: str) -> None:
            cancel.set()

        run = Run(plan(LINE), Memory(), work, cancel=cancel)
        with pytest.raises(CalledOff):
            run.build()
        assert run.hands.performed == ["RUN a"] and run.heard.said_of("ended") == []

    def test_what_is_called_off_while_others_wait_for_it_is_no_result(self) -> None:
        cancel = CallOff()

        def work(title: str) -> None:
            cancel.set()
            raise CalledOff

        run = Run(plan(SIDES), Memory(), work, cancel=cancel)
        with pytest.raises(CalledOff):
            run.build()
        assert run.heard.said_of("ran") == [] and set(run.heard.said_of("called off")) <= {"RUN l1", "RUN r1"}

    def test_an_interrupt_waits_for_what_is_being_performed(self) -> None:
        cancel, ended = CallOff(), threading.Event()

        def work(title: str) -> None:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert cancel.wait(SECONDS)
            ended.set()

        run = Run(plan(LINE), Memory(), work, cancel=cancel)
        with pytest.raises(KeyboardInterrupt):
            run.build()
        assert ended.is_set() and run.hands.finished == 0 and run.hands.performed == ["RUN a"]
