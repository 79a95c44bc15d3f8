"""What kezuri check finds with BuildKit's rules beyond a build, and the fixes that it has for them."""

import pytest
from tests.check.check_dockerfiles import Seen, examine

from kezuri.check.catalogue import by_name, every_rule
from kezuri.check.rule import Rule, apply
from kezuri.check.subject import Subject

RULES = [rule for rule in every_rule() if isinstance(rule, Rule)]


def seen(text: str, *names: str, absent: tuple[str, ...] = (), beyond: bool = True) -> Seen:
    rules = [rule for rule in (by_name()[name.lower()] for name in names) if isinstance(rule, Rule)]
    return examine(text, rules=rules, beyond=beyond, absent=absent)


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        (
            "DuplicateStageName",
            "FROM x AS s\nFROM s AS t\nFROM y AS s\nCOPY --from=t a b\nFROM s\n",
            "FROM x AS s-1\nFROM s-1 AS t\nFROM y AS s\nCOPY --from=t a b\nFROM s\n",
        ),
        (
            "ReservedStageName",
            "FROM x AS context\nFROM context\nCOPY --from=context a /b\nRUN --mount=from=context,target=/c d\n",
            "FROM x AS context-stage\nFROM context-stage\nCOPY --from=context-stage a /b\n"
            "RUN --mount=from=context-stage,target=/c d\n",
        ),
        ("JSONArgsRecommended", "FROM x\nCMD exec node 'a b'\n", 'FROM x\nCMD ["node", "a b"]\n'),
        ("JSONArgsRecommended", "FROM x\nENTRYPOINT run me\n", 'FROM x\nENTRYPOINT ["run", "me"]\n'),
        (
            "JSONArgsRecommended",
            "FROM x\nHEALTHCHECK --interval=5s CMD check it\n",
            'FROM x\nHEALTHCHECK --interval=5s CMD ["check", "it"]\n',
        ),
        (
            "MultipleInstructionsDisallowed",
            'FROM x\nCMD ["a"]\n# why\nENTRYPOINT ["b", \\\n "b"]\nCMD ["c"]\nENTRYPOINT ["d"]\n',
            'FROM x\n# why\nCMD ["c"]\nENTRYPOINT ["d"]\n',
        ),
        ("WorkdirRelativePath", "FROM x\nWORKDIR a\nWORKDIR ../b\n", "FROM x\nWORKDIR /a\nWORKDIR /b\n"),
        ("WorkdirRelativePath", "FROM x AS y\nWORKDIR /q\nFROM y\nWORKDIR a\n", "FROM x AS y\nWORKDIR /q\nFROM y\n"
         "WORKDIR /q/a\n"),
        ("RedundantTargetPlatform", "FROM --platform=${TARGETPLATFORM}  x\n", "FROM x\n"),
        ("ExposeInvalidFormat", "FROM x\nEXPOSE 127.0.0.1:80:8080 1:2/udp\n", "FROM x\nEXPOSE 8080 2/udp\n"),
        ("UndefinedArgInFrom", "ARG VERSION=1\nFROM x:$VERSOIN\n", "ARG VERSION=1\nFROM x:$VERSION\n"),
        ("ConsecutiveRuns", "FROM x\nRUN [ -e a ] || b\nRUN if [ -e c ]; then d; fi\n", "FROM x\nRUN [ -e a ] || b \\\n"
         "    && if [ -e c ]; then d; fi\n"),
    ],
)  # fmt: skip
def test_fixes(name: str, bad: str, good: str) -> None:
    text = bad
    for _ in range(4):
        text = apply(text, [f.fix for f in seen(text, name).findings if f.fix is not None])
    assert text == good


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("JSONArgsRecommended", "FROM x\nCMD a && b\n"),
        ("JSONArgsRecommended", "FROM x\nCMD cd /srv\n"),
        ("JSONArgsRecommended", "FROM x\nCMD A=1 b\n"),
        ("JSONArgsRecommended", "FROM x\nENTRYPOINT a\nCMD [\"b\"]\n"),
        ("WorkdirRelativePath", "FROM gone\nWORKDIR a\n"),
        ("UndefinedArgInFrom", "ARG VERSION1=1\nARG VERSION2=1\nFROM x:$VERSION3\n"),
        ("ConsecutiveRuns", "FROM x\nRUN a;\nRUN b\n"),
        ("ConsecutiveRuns", "FROM x\nRUN if [ -e a ]; then b; fi;\nRUN c\n"),
        ("ConsecutiveRuns", "FROM x\nRUN a\nRUN [ -e b ] || c\n"),
        ("ConsecutiveRuns", "FROM x\nRUN a\nRUN b=1; c\n"),
        ("ConsecutiveRuns", "FROM x\nRUN a &\nRUN b\n"),
        ("ConsecutiveRuns", "FROM x\nRUN a\nRUN b &\n"),
    ],
)  # fmt: skip
def test_no_fix_where_the_meaning_would_change(name: str, text: str) -> None:
    found = seen(text, name, absent=("gone",)).findings
    assert found and all(finding.fix is None for finding in found)


def test_a_build_is_told_what_buildkit_tells() -> None:
    text = 'FROM x\nSHELL ["/bin/bash", "-c"]\nCMD a\nWORKDIR /a\nWORKDIR b\nARG USERNAME\nHEALTHCHECK CMD c\n'
    names = ("JSONArgsRecommended", "WorkdirRelativePath", "SecretsUsedInArgOrEnv")
    assert seen(text, *names, beyond=False).names == []
    found = seen(text, *names).findings
    assert {(f.rule.name, f.level) for f in found} == {*((name, "info") for name in names), (names[0], "style")}


def test_what_is_not_read_is_known_by_what_takes_its_place() -> None:
    (here,) = seen('FROM x\nCMD ["a"]\nCMD ["b"]\n', "MultipleInstructionsDisallowed").findings
    (there,) = seen('FROM x\nCMD ["a"]\nCMD ["b"]\n', "MultipleInstructionsDisallowed", beyond=False).findings
    assert here.node is not None and there.node is not None
    assert (here.node.place.line, there.node.place.line) == (3, 2)
    assert here.aliases == ("DL4003", "DS-0016")


class Digests:
    """One image is known."""

    def digest(self, image: str) -> str | None:
        return "sha256:" + "1" * 64 if image == "debian:latest" else None


def test_a_digest_is_written_where_it_is_known() -> None:
    for text in ("FROM debian\n", "FROM debian:latest\n"):
        subject = seen(text, "UntaggedBaseImage").subject
        known = Subject(subject.dockerfile, subject.survey, subject.platform, data=Digests())
        fixes = [f.fix for rule in RULES if rule.name.endswith("BaseImage") for f in rule.all(known) if f.fix]
        assert [fix.kind for fix in fixes] == ["D"]
        assert apply(text, fixes) == f"FROM debian:latest@sha256:{'1' * 64}\n"
    assert [f.fix for f in seen("FROM debian\n", "UntaggedBaseImage").findings] == [None]
