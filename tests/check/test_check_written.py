"""A file as written: what has no place in it, and what stands behind ONBUILD, is looked at too."""

from kezuri.check.written import parts
from kezuri.dockerfile.instructions import Copy, Maintainer, Run, User
from kezuri.dockerfile.parser import parse


def shown(text: str) -> list[tuple[int, str, list[str]]]:
    dockerfile = parse(text, "Dockerfile")
    return [
        (
            part.number,
            part.start.image if part.start is not None else "",
            [("+" if piece.trigger else "") + piece.instruction.node.keyword for piece in part.pieces],
        )
        for part in parts(dockerfile)
    ]


def test_parts_are_numbered_like_stages() -> None:
    assert shown("ARG A\nFROM a\nRUN x\nFROM b\n") == [(-1, "", ["ARG"]), (0, "a", ["RUN"]), (1, "b", [])]
    assert shown("FROM a\nFROM b\nCMD x\n") == [(0, "a", []), (1, "b", ["CMD"])]
    assert shown("# nothing\n") == []


def test_what_has_no_stage_is_there() -> None:
    assert shown("RUN x\nMAINTAINER me\n") == [(-1, "", ["RUN", "MAINTAINER"])]
    assert shown("USER x\nARG A\nFROM a\n") == [(-1, "", ["USER", "ARG"]), (0, "a", [])]


def test_triggers_are_opened_at_their_places() -> None:
    text = "FROM a\nONBUILD RUN x \\\n  && y\nonbuild \\\n  user root\n"
    text += "ONBUILD COPY <<E /\nUSER x\nE\nONBUILD # x\nRUN z\n"
    dockerfile = parse(text, "Dockerfile")
    (part,) = parts(dockerfile)
    kinds = [(type(piece.instruction), piece.trigger) for piece in part.pieces]
    assert kinds == [(Run, True), (User, True), (Copy, True), (Run, False)]
    run, user = part.pieces[0].instruction.node, part.pieces[1].instruction.node
    assert text[run.span.start : run.span.end] == "RUN x \\\n  && y"
    assert (run.number, user.number, user.place.line) == (1, 2, 5)


def test_homeless_instructions_are_no_instructions_of_the_build() -> None:
    dockerfile = parse("MAINTAINER me\nFROM a\n", "Dockerfile")
    assert [type(i) for i in dockerfile.strays] == [Maintainer]
    assert len(dockerfile.instructions) == 1
    assert len(dockerfile.errors) == 1


def test_what_may_not_stand_behind_onbuild_is_there() -> None:
    text = "FROM a\nONBUILD FROM b\nONBUILD ONBUILD RUN x\nONBUILD MAINTAINER me\nRUN y\n"
    assert shown(text) == [(0, "a", ["+FROM", "+ONBUILD", "+MAINTAINER", "RUN"])]
    assert shown("ONBUILD FROM a\nONBUILD RUN x\n") == [(-1, "", ["+FROM", "+RUN"])]
