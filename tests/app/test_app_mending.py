"""Fixes as transactions: what does what it says is kept, what does more is refused, and every round comes to an end."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.app.app_fixes import Replaces, mend, plan_prover

from kezuri.check.mending import Verdict
from kezuri.check.patch import unified
from kezuri.check.revision import Round, Texts
from kezuri.check.rule import Fix, NewFile, Rule
from kezuri.check.rules import RULES

TEXT = "FROM alpine\nRUN one\nRUN two\n"


def test_a_fix_that_does_what_it_says_is_kept() -> None:
    mended = mend(TEXT, Replaces("RUN one", "RUN  three", "command"))
    assert mended.texts == {"": TEXT.replace("one", " three")}
    assert [tried.proved for tried in mended.kept] == [("the plan differs in command only",)] and not mended.refused
    assert mended.settled


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        ("RUN three", ()),
        ("RUN three", ("env", "config", "mount")),
        ("RUN three\nUSER root", ("command",)),
        ("RUN three\nRUN four", ("command",)),
        ("", ()),
        ("RUN three && (", ("command",)),
        ("FROM alpine\nRUN three", ("command", "operation.new")),
        ("COPY --from=nobody a b", ("command", "operation", "kind")),
        ("RUN three", ("nonsense",)),
        ("ENV A=b\nRUN one", ("config.Env A",)),
    ],
)
def test_a_fix_that_lies_is_refused(make: str, changes: tuple[str, ...]) -> None:
    mended = mend(TEXT, Replaces("RUN one", make, *changes))
    assert mended.texts == {"": TEXT} and not mended.kept
    (refused,) = mended.refused
    assert refused.reasons and refused.finding.rule.name == "Replaces"


def test_what_is_right_for_the_default_of_an_argument_only_is_refused() -> None:
    text = "FROM alpine\nARG WHERE=/a\nCOPY x $WHERE\n"
    assert not mend(text, Replaces("$WHERE\n", "/a\n")).kept
    assert mend(text, Replaces("$WHERE\n", "${WHERE}\n")).kept


def test_one_that_fails_keeps_no_other_from_being_made() -> None:
    mended = mend(TEXT, Replaces("RUN one", "RUN 1"), Replaces("RUN two", "RUN 2", "command", name="Other"))
    assert mended.texts == {"": TEXT.replace("two", "2")}
    assert len(mended.kept) == len(mended.refused) == 1


class Counts:
    """A prover that counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._plans = plan_prover()

    def prove(self, before: Texts, after: Texts, fix: Fix) -> Verdict:
        self.asked += 1
        return self._plans.prove(before, after, fix)


@pytest.mark.parametrize(("lie", "proofs"), [(False, 1), (True, 41)])
def test_fixes_that_change_nothing_are_proved_together_unless_one_lies(lie: bool, proofs: int) -> None:
    text = "FROM alpine\n" + "".join(f"RUN  a{number}\n" for number in range(40))
    prover = Counts()
    mended = mend(text, Replaces("RUN  a", "RUN a"), prover=prover)
    assert mended.texts[""] == text.replace("RUN  ", "RUN ") and len(mended.kept) == 40 and prover.asked == 1
    if lie:
        prover = Counts()
        mended = mend(text, Replaces("RUN  a", "RUN a"), Replaces("RUN  a7\n", "RUN b\n", name="Other"), prover=prover)
        assert mended.texts[""] == text.replace("RUN  ", "RUN ")
        assert len(mended.kept) == 40 and prover.asked <= proofs + 2


def test_fixes_that_overlap_are_made_one_after_the_other() -> None:
    mended = mend(
        TEXT,
        Replaces("RUN one\nRUN two", "RUN one\nRUN three", "command"),
        Replaces("one\nRUN t", "1\nRUN t", "command", name="Other"),
    )
    assert mended.texts == {"": "FROM alpine\nRUN 1\nRUN three\n"} and len(mended.kept) == 2


def test_two_that_undo_each_other_come_to_an_end() -> None:
    mended = mend(TEXT, Replaces("one", "1", "command"), Replaces("RUN 1", "RUN one", "command", name="Other"))
    assert mended.settled and len(mended.kept) == 1
    assert [tried.reasons for tried in mended.refused] == [("it undoes what another fix made",)]


@pytest.mark.parametrize("make", ["one", "one one", "one # one"])
def test_what_leaves_its_own_finding_is_refused(make: str) -> None:
    mended = mend(TEXT, Replaces("one", make, "command"))
    assert mended.texts == {"": TEXT} and mended.settled and len(mended.refused) == 1


@pytest.mark.parametrize("kinds", [("V",), ("D",), ()])
def test_other_classes_are_left_alone(kinds: tuple[str, ...]) -> None:
    assert mend(TEXT, Replaces("one", "1", "command"), kinds=kinds).texts == {"": TEXT}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["FROM alpine\r\nRUN one\r\nRUN two", "\ufeffFROM alpine\nRUN one", "FROM a\n# é\nRUN one"]
)
def test_all_other_bytes_stay(text: str) -> None:
    mended = mend(text, Replaces("RUN one", "RUN 1 && \\\n    2", "command"))
    newline = "\r\n" if "\r" in text else "\n"
    assert mended.texts[""] == text.replace("RUN one", f"RUN 1 && \\{newline}    2")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ""])
def test_a_file_outside_the_context_is_never_made(path: str) -> None:
    fix = Fix("make it", (), "V", files=(NewFile(path, "x"),))
    with pytest.raises(ValueError, match="outside the build context"):
        Round({"": TEXT}, "Dockerfile").apply({"": TEXT}, fix)


def test_a_fix_with_edits_that_overlap_is_refused() -> None:
    mended = mend(TEXT, Replaces("one\nRUN", "1\nRUN", "command", also=(("RUN two", "RUN 2"),)))
    assert [tried.reasons for tried in mended.refused] == [("its edits overlap",)]


@given(st.text("abc\n\r", max_size=20), st.text("abc\n\r", max_size=20))
def test_a_diff_says_what_is_to_be_done(before: str, after: str) -> None:
    said = unified(before, after, "x")
    assert bool(said) == (before != after)
    lines = said.split("\n")[2:]
    kept = [line[1:] for line in lines if line[:1] in (" ", "+")]
    if before != after and len(before.split("\n")) < 4:
        assert "\n".join(kept) == after.removesuffix("\n")


def test_the_rules_of_every_build_leave_nothing_to_mend_the_second_time() -> None:
    text = 'from alpine as Build\nENV A b\nMAINTAINER me\nrun a && \\\n\n  b\nEXPOSE 80/TCP\nFROM Build\nCMD echo "x"\n'
    mended = mend(text, *RULES)
    assert mended.kept and mended.settled
    again = mend(mended.texts[""], *RULES)
    assert again.texts == mended.texts and not again.kept


def _examples() -> list[Rule]:
    return [rule for rule in RULES if rule.fix_class or rule.bad]


@pytest.mark.parametrize("rule", _examples(), ids=lambda rule: rule.name)
def test_every_fix_of_class_a_of_the_bad_examples_is_proved(rule: Rule) -> None:
    mended = mend(rule.bad.text, rule)
    assert [(t.fix.title, t.reasons) for t in mended.refused] == []


def test_an_add_of_what_may_be_an_archive_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ADD knows archives by their first bytes: found by the corpus, a file whose name said nothing."""
    from kezuri.app.fixing import Fixer, FixRequest
    from kezuri.app.lint import CheckRequest, check_all
    from kezuri.app.request import Settings

    monkeypatch.chdir(tmp_path)
    (tmp_path / "packed").write_bytes(b"\x1f\x8b\x08\0" + bytes(20))
    (tmp_path / "plain").write_text("text")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nADD ./packed /a\nADD plain /b\n")
    settings = Settings(str(tmp_path / "root"))
    fixer = Fixer(FixRequest(), "", lambda: settings, lambda event: None)
    check_all(CheckRequest((str(tmp_path / "Dockerfile"),)), lambda: settings, fixer)
    assert (tmp_path / "Dockerfile").read_text() == "FROM scratch\nADD ./packed /a\nCOPY plain /b\n"
