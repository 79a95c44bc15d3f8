"""The style, rule by rule: what a file looks like before and after."""

import pytest

from kezuri.dockerfile.parser import parse
from kezuri.format.formatter import Formatted, formatted


def laid_out(text: str) -> str:
    return _formatted(text).text


def _formatted(text: str) -> Formatted:
    return formatted(parse(text, "Dockerfile").verify())


def body(text: str, escape: str = "\\") -> str:
    """What becomes of instructions after a FROM."""
    top = "" if escape == "\\" else f"# escape={escape}\n"
    result = laid_out(f"{top}FROM a\n{text}")
    assert result.startswith(f"{top}FROM a\n")
    return result.removeprefix(f"{top}FROM a\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("run a\n", "RUN a\n"),
        ("Run\ta\n", "RUN a\n"),
        ("  RUN   a  b  \n", "RUN a  b\n"),
        ("copy  --link   --chown=1:2  a   b\n", "COPY --link --chown=1:2 a b\n"),
        ("HEALTHCHECK  --interval=5s  cmd  a  b\n", "HEALTHCHECK --interval=5s CMD a  b\n"),
        ("healthcheck none\n", "HEALTHCHECK NONE\n"),
        ("onbuild  run  a  b\n", "ONBUILD run  a  b\n"),
        ("EXPOSE 80   443\n", "EXPOSE 80 443\n"),
        ("ARG A=1   B\n", "ARG A=1 B\n"),
        ("WORKDIR   /a  b\n", "WORKDIR /a  b\n"),
        ("ENV  A  b  c\n", "ENV A  b  c\n"),
        ("RUN a", "RUN a\n"),
        ("RUN a\n\n\n\n", "RUN a\n"),
        ("RUN a\n\n\n\nRUN b\n", "RUN a\n\nRUN b\n"),
    ],
)
def test_casing_blanks_and_blank_lines(before: str, after: str) -> None:
    assert body(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('CMD ["a","b"]\n', 'CMD ["a", "b"]\n'),
        ('CMD [ "a" ,  "b" ]\n', 'CMD ["a", "b"]\n'),
        ('CMD ["a  b\\"","\\u0041"]\n', 'CMD ["a  b\\"", "\\u0041"]\n'),
        ("CMD []\n", "CMD []\n"),
        ("CMD [ a ]\n", "CMD [ a ]\n"),
        ('CMD ["a",\\\n"b" ]\n', 'CMD ["a", \\\n     "b"]\n'),
        ('CMD [\\\n"a",\\\n"b"\\\n]\n', 'CMD [ \\\n    "a", \\\n    "b" \\\n]\n'),
        ('COPY ["a","b c"]\n', 'COPY ["a", "b c"]\n'),
        ('HEALTHCHECK cmd ["a","b"]\n', 'HEALTHCHECK CMD ["a", "b"]\n'),
    ],
)
def test_arrays(before: str, after: str) -> None:
    assert body(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ENV A=1 B=2\n", "ENV A=1 \\\n    B=2\n"),
        ("ENV A=1   \\\n\n  B=2\n", "ENV A=1 \\\n    B=2\n"),
        ("ENV \\\n  A=1 B=2\n", "ENV \\\n    A=1 \\\n    B=2\n"),
        ('LABEL A="x \\\n  y"  B=2\n', 'LABEL A="x \\\n  y" \\\n    B=2\n'),
        ("LABEL A=1 \\\n# why\n  B=2\n", "LABEL A=1 \\\n    # why\n    B=2\n"),
        ("COPY a \\\n  b    c \\\n        d\n", "COPY a \\\n    b c \\\n    d\n"),
        ("ENV a=b\\  c=d\n", "ENV a=b\\  \\\n    c=d\n"),
        ("ENV a=x\\\ny z=1\n", "ENV a=x\\\ny \\\n    z=1\n"),
    ],
)
def test_continuation_lines(before: str, after: str) -> None:
    assert body(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RUN a   && \\\n  b\\\n      c\n", "RUN a   && \\\n  b\\\n      c\n"),
        ("RUN a \\  \n\n  # why\n    b\n", "RUN a \\\n    # why\n    b\n"),
        ("RUN --mount=type=tmpfs,target=/t   \\\n--network=none   a \\\n  b\n", None),
        ("RUN --network=no\\\nne   a \\\n  b\n", "RUN --network=no\\\nne a \\\n  b\n"),
        ("RUN \\\n      a \\\n  b\n", "RUN \\\n  a \\\n  b\n"),
        ('RUN echo "a \\\n      b"\n', 'RUN echo "a \\\n      b"\n'),
        ("ONBUILD RUN a \\\n   b\n", "ONBUILD RUN a \\\n   b\n"),
    ],
)
def test_what_a_shell_gets_stays(before: str, after: str | None) -> None:
    expected = "RUN --mount=type=tmpfs,target=/t \\\n  --network=none a \\\n  b\n" if after is None else after
    assert body(before) == expected


def test_here_documents_stay() -> None:
    text = "RUN  <<E   cat\n a  \n\n\n# no comment\n\tE\nE\ncopy   <<-'F  G' --link   /a\n\tx \\\n\tF  G\n"
    assert body(text) == text.replace("RUN  <<E", "RUN <<E").replace("copy   <<", "COPY <<")


def test_the_escape_character_is_the_files() -> None:
    assert body("COPY a `\n  b\nENV A=1 B=2\nRUN a \\\n", "`") == "COPY a `\n    b\nENV A=1 `\n    B=2\nRUN a \\\n"


def test_a_blank_line_stands_before_a_stage() -> None:
    text = "ARG V\nFROM a\nRUN a\n# the second\n# stage\nFROM b\nRUN b\n\n# of c\nFROM c\n"
    assert laid_out(text) == text.replace("RUN a\n", "RUN a\n\n")


def test_stage_names_keep_their_case() -> None:
    assert laid_out("from a As Build\n") == "FROM a AS Build\n"


@pytest.mark.parametrize(
    "text",
    [
        "# syntax=x\n# escape=`\nFROM a\n",
        "  # escape=`\nFROM a\nCOPY a `\n    b\n",
        "\n# escape=`\nFROM a\n",
        "  # syntax=x\nFROM a\n",
        "FROM a\n  # check=skip=all\nRUN a\n",
        "#!/usr/bin/env x\n# syntax=y\nFROM a\n",
    ],
)
def test_directives_and_what_could_become_one_stay(text: str) -> None:
    assert laid_out(text) == text


def test_line_endings_are_those_of_most_lines() -> None:
    assert laid_out("FROM a\r\n\r\nRUN  b\r\nRUN c") == "FROM a\r\n\r\nRUN b\r\nRUN c\r\n"
    assert laid_out("FROM a\nRUN b\nRUN c\r\n") == "FROM a\nRUN b\nRUN c\n"
    assert laid_out("FROM a\r\nRUN <<E\r\na\nE\r\nRUN  b") == "FROM a\r\nRUN <<E\r\na\nE\r\nRUN b\r\n"


def test_what_would_be_read_otherwise_is_written_as_it_stands() -> None:
    text = "FROM a\nRUN \u00a0--network=none  \\\n  a\nRUN  b\n"
    result = _formatted(text)
    assert result.kept == (1,)
    assert result.text == text.replace("RUN  b", "RUN b")


@pytest.mark.parametrize(
    "text",
    [
        "FROM a AS x\nFROM b AS y\nFROM x\nRUN c\n",
        "FROM a\nRUN --network=none \\\n    b \\\n        && c \\\n        && d\n",
    ],
    ids=["a list of stages", "what hangs below the first line of a body"],
)
def test_what_an_author_laid_out_stays(text: str) -> None:
    assert laid_out(text) == text


def test_a_blank_line_parts_stages_with_steps() -> None:
    assert laid_out("FROM a\nRUN b\nFROM c\n") == "FROM a\nRUN b\n\nFROM c\n"
