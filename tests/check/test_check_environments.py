"""What ENV and ARG say before a RUN, in files of any length."""

import tracemalloc

from tests.check.check_dockerfiles import examine

from kezuri.check.runs import WrittenRun, written_runs


def runs(text: str) -> tuple[WrittenRun, ...]:
    return written_runs(examine(text).subject)


def test_env_goes_over_arg_and_the_first_arg_over_later_ones() -> None:
    (one, two, three) = runs(
        "FROM a AS base\nENV A=base B=base\nARG H=hidden\n"
        "FROM base\nARG A=arg C=1\nARG C=2 C=3\nRUN one\nENV C='env' A=\"x\" A=y\nRUN two\n"
        "FROM scratch\nARG D\nRUN three\n"
    )
    assert [one.environment.get(name, "-") for name in "ABCH"] == ["base", "base", "1", "-"]
    assert [two.environment.get(name, "-") for name in "ABCH"] == ["y", "base", "env", "-"]
    assert [three.environment.get(name, "-") for name in "ABD"] == ["-", "-", "-"]


def test_nothing_is_copied_for_each_of_many_instructions() -> None:
    """Copies would be half a million variables for these, and half a gigabyte for ten times as many."""
    subject = examine("FROM a\n" + "".join(f"ENV A{n}=1\nRUN x\n" for n in range(1000))).subject
    written_runs(subject)  # the shell of each RUN is kept by the subject
    tracemalloc.start()
    try:
        found = written_runs(subject)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found[-1].environment.get("A999") == "1" and found[0].environment.get("A1") == ""
    assert size < 5 << 20
