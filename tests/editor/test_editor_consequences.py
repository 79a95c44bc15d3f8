"""What a change of an instruction runs again."""

import pytest
from tests.check.check_dockerfiles import examine

from kezuri.editor.consequences import followers

TEXT = """\
ARG V=1
FROM alpine AS one
ENV A=1
COPY a /a
RUN first
LABEL x=y
COPY --link b /b
RUN second
FROM one AS two
WORKDIR /w
FROM alpine AS three
RUN third
COPY --from=one /a /c
RUN fourth
FROM scratch
COPY --from=three /a /c
COPY other /d
CMD ["x"]
"""


REST = "RUN second; WORKDIR /w; COPY --from=one /a /c?; RUN fourth?; COPY --from=three /a /c?; COPY other /d?"
"""What stands on `RUN first`."""


def after(line: int) -> list[str]:
    """What runs again after a change of a line: the instructions, those that perhaps do with a `?`."""
    subject = examine(TEXT).subject
    starts = [0]
    for text in TEXT.splitlines(keepends=True):
        starts.append(starts[-1] + len(text))
    (instruction,) = [i for i in subject.dockerfile.instructions if i.node.span.start == starts[line - 1]]
    return [f.operation.title + "?" * f.perhaps for f in followers(subject.survey, instruction)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            3,
            f"RUN first; {REST}",
        ),
        (
            4,
            f"RUN first; {REST}",
        ),
        (5, REST),
        (6, ""),
        (7, REST),
        (8, REST.removeprefix("RUN second; ")),
        (9, "WORKDIR /w"),
        (12, "COPY --from=one /a /c; RUN fourth; COPY --from=three /a /c?; COPY other /d?"),
        (13, "RUN fourth; COPY --from=three /a /c?; COPY other /d?"),
        (16, "COPY other /d"),
        (17, ""),
        (18, ""),
    ],
)
def test_what_runs_again(line: int, expected: str) -> None:
    assert after(line) == [title for title in expected.split("; ") if title]


def test_the_global_argument_changes_nothing_by_itself() -> None:
    assert after(1) == []
