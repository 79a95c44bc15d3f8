"""`kezuri why` as it is typed: which build and which steps, for people and for machines."""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.cli.why_text import _apart

TWO = "FROM scratch AS one\nCOPY a b /d/\nFROM scratch\nCOPY --from=one /d /e\nCOPY <<EOF /f\n\nhere\nEOF\n"


class Desk:
    """A context, a store, and what the command line says."""

    def __init__(self, directory: Path) -> None:
        self.context = directory / "context"
        self.context.mkdir()
        self.root = directory / "store"
        for name in "ab":
            (self.context / name).write_text(name)

    def __call__(self, *words: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        code = call([*words, "--root", str(self.root)], Console(out, err, {"HOME": "/nowhere"}))
        return code, out.getvalue(), err.getvalue()

    def build(self, dockerfile: str = TWO) -> None:
        (self.context / "Dockerfile").write_text(dockerfile)
        code, _, err = self("build", "--quiet", str(self.context))
        assert code == 0, err

    def why(self, *words: str) -> str:
        """What it prints, with the times and digests taken out."""
        code, out, err = self("why", *words)
        assert (code, err) == (0, "")
        out = re.sub(r", [^,]* ago", ", AGO", out)
        return re.sub(r"\d+\.\d s", "TIME", re.sub(r"key [0-9a-f]{12}", "KEY", out)).replace(
            str(self.context), "CONTEXT"
        )

    def document(self, *words: str) -> Any:
        code, out, _ = self("why", "--format", "json", *words)
        assert code == 0
        return json.loads(out)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


CHANGED = """\
Build 2 of CONTEXT (Dockerfile), AGO: 3 of 3 steps ran, TIME

TIME of this build's TIME follow from a

#1 [one 1/1] COPY a b /d/   ran, TIME
   because: files differ: a (content)
#2 [stage-1 1/2] COPY --from=one /d /e   ran, TIME
   because: files differ in the stage one: d/a (content)
            where step 1 (COPY a b /d/) gave other files
#3 [stage-1 2/2] COPY <<EOF /f   ran, TIME
   because: step 2 (COPY --from=one /d /e) gave other files
"""


def change(desk: Desk) -> None:
    desk.build()
    (desk.context / "a").write_text("other")
    desk.build()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.slow
class TestText:
    def test_a_change(self, desk: Desk) -> None:
        change(desk)
        assert desk.why() == CHANGED

    def test_nothing(self, desk: Desk) -> None:
        desk.build()
        desk.build()
        assert desk.why() == (
            "Build 1 of CONTEXT (Dockerfile), AGO\nNothing ran: all 3 steps were found in the cache.\n\n"
            "What ran before that: kezuri why --build 1\n"
        )
        assert "it was never built before" in desk.why("--build", "1")

    def test_all(self, desk: Desk) -> None:
        change(desk)
        (desk.context / "Dockerfile").write_text(TWO.replace("here", "there"))
        desk.build(TWO.replace("here", "there"))
        assert "#1 [one 1/1] COPY a b /d/   cached\n   found: KEY\n" in desk.why("--all")
        assert "cached" not in desk.why()

    @pytest.mark.parametrize(
        "word, steps",
        [
            *(("1", [1]), ("#2", [2]), ("one", [1]), ("stage-1", [2, 3]), ("stage-1 2/2", [3])),
            *(("Dockerfile:2", [1]), (":7", [3]), ("copy", [1, 2, 3]), ("COPY  a", [1]), ("Dockerfile:99", [3])),
        ],
    )
    def test_steps_by_every_name(self, desk: Desk, word: str, steps: list[int]) -> None:
        desk.build()
        assert [step["step"] for step in desk.document(word)["steps"]] == steps
        assert [int(n) for n in re.findall(r"^#(\d+)", desk.why(word), re.MULTILINE)] == steps

    def test_the_document(self, desk: Desk) -> None:
        change(desk)
        found = desk.document()
        assert (found["build"], found["comparedWith"], found["nothingRan"], found["error"]) == (2, 1, False, "")
        first, second = found["steps"][:2]
        assert first["because"] == [
            {
                "kind": "files",
                "component": "files",
                "source": {"kind": "context", "name": "", "stage": -1},
                "files": [{"path": "a", "what": "content", "before": "", "after": ""}],
            }
        ]
        assert second["because"][0]["via"] == [{"kind": "step", "step": 1}]
        assert (first["line"], first["place"], first["outcome"], first["rootCause"]) == (2, "one 1/1", "ran", 0)
        (root,) = found["rootCauses"]
        assert root["step"] == 1 and root["steps"][:2] == [1, 2]


class TestMistakes:
    def test_there_is_no_build(self, desk: Desk) -> None:
        code, out, err = desk("why")
        assert (code, out) == (1, "") and "no build is in the journal" in err

    def test_unknown_steps_and_builds(self, desk: Desk) -> None:
        desk.build("FROM scratch\nCOPY a /\n")
        code, _, err = desk("why", "CPY a /")
        assert code == 2 and "build 1 has no step 'CPY a /'" in err and "did you mean 'COPY a /'?" in err
        code, _, err = desk("why", "7")
        assert code == 2 and "it has 1" in err
        code, _, err = desk("why", "--build", "9")
        assert code == 1 and "build 9 is not in the journal" in err and "there are 1" in err
        assert desk("why", "--build", "x")[0] == 2

    def test_a_build_without_steps(self, desk: Desk) -> None:
        desk.build("FROM scratch\nLABEL a=b\n")
        assert "Nothing ran: it has no steps" in desk.why()
        assert desk.document()["steps"] == []


def test_two_long_texts_are_cut_to_where_they_differ() -> None:
    same = " && ".join(f"echo step{i}" for i in range(30))
    for one, two, shown in (
        (f"RUN {same} && echo one", f"RUN {same} && echo two", ("&& echo one", "&& echo two")),
        (f"RUN a {same}", f"RUN b {same}", ("RUN a echo step0", "RUN b echo step0")),
        (f"RUN {same} more", f"RUN {same}", ("echo step29 more", "echo step29")),
        (f"RUN {same} x {same}", f"RUN {same} y {same}", ("step29 x echo", "step29 y echo")),
        (f"RUN {same}  x", f"RUN {same} x", ("step29  x", "step29 x")),
        ("RUN short", "RUN brief", ("RUN short", "RUN brief")),
        (None, "x", ("", "x")),
    ):
        before, after = _apart(one, two)
        assert before != after and shown[0] in before and shown[1] in after and max(map(len, (before, after))) <= 60
