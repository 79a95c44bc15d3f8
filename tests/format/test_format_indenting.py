"""Commands whose lines are moved: the shell sees the same, and what is in doubt stays."""

import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kezuri.app.check_places import Found
from kezuri.app.formatting import style, styled_text
from kezuri.dockerfile.instructions import Run
from kezuri.dockerfile.parser import parse
from kezuri.format.indenting import reindented
from kezuri.shell.shape import shape


def moved(run: str, top: str = "FROM a\n") -> str:
    text, _ = reindented(parse(top + run, "Dockerfile").verify())
    assert text.startswith(top)
    return text.removeprefix(top)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RUN a && \\\n  b && \\\n  c\n", "RUN a && \\\n    b && \\\n    c\n"),
        ("RUN a && \\\nb\n", "RUN a && \\\n    b\n"),
        ("RUN a && \\\n\tb\n", "RUN a && \\\n    b\n"),
        ("RUN a && \\\n        b\n", "RUN a && \\\n    b\n"),
        ("RUN if a; then \\\n  b; \\\n    c; \\\n  fi\n", "RUN if a; then \\\n    b; \\\n      c; \\\n    fi\n"),
        ("RUN --network=none \\\n  a && \\\n  # why\n  b\n", "RUN --network=none \\\n    a && \\\n    # why\n    b\n"),
        ("RUN for i in a \\\n  b; do c; done\n", "RUN for i in a \\\n    b; do c; done\n"),
    ],
)
def test_lines_are_moved_together(before: str, after: str) -> None:
    assert moved(before) == after
    assert moved(after) == after


@pytest.mark.parametrize(
    "run",
    [
        'RUN echo "a \\\n  b"\n',
        "RUN echo 'a \\\n  b'\n",
        'RUN for i in "a \\\n  b"; do c; done\n',
        'RUN echo "$x \\\n  $y"\n',
        "RUN echo a\\ \\\n  b\n",
        'RUN x="$(a \\\n  b)" c\n',
        "RUN echo a\\\nb\n",
        "RUN a # why \\\n  b\n",
        "RUN a ( \\\n  b\n",
        "RUN a && \\\n    b\n",
        'RUN ["a", \\\n  "b"]\n',
        "RUN <<E cat \\\n  x\na\nE\n",
        "CMD a \\\n  b\n",
    ],
)
def test_what_would_be_another_command_stays(run: str) -> None:
    assert moved(run) == run


def test_other_shells_are_not_read() -> None:
    run = "RUN a && \\\n  b\n"
    assert moved(run, 'FROM a\nSHELL ["powershell", "-c"]\n') == run
    assert moved("RUN a && `\n  b\n", "# escape=`\nFROM a\n") == "RUN a && `\n  b\n"
    assert moved(run, 'FROM a\nSHELL ["/bin/bash", "-c"]\n') != run


def test_the_whole_way_is_taken_once(tmp_path: "object") -> None:
    text = "from a\nrun --network=none \\\n  a  && \\\n  b\n"
    path = f"{tmp_path}/Dockerfile"
    with open(path, "w") as file:
        file.write(text)
    found = Found(path, "Dockerfile", f"{tmp_path}")
    after = style(found, reindent=True).after
    assert after == "FROM a\nRUN --network=none \\\n    a  && \\\n    b\n"
    with open(path, "w") as file:
        file.write(after)
    assert not style(found, reindent=True).changed and not style(found).changed
    assert styled_text(text, "Dockerfile") == "FROM a\nRUN --network=none \\\n  a  && \\\n  b\n"


QUOTED = ("'b c'", '"d $x e"', "'", '"')
SIGNS = ("&&", ";", "|", "#", "(", ")", "{", "}", "=", "`", "<", ">&2", "!", "\\", "\\ ")
words = st.sampled_from(["printf %s", "a", "$x", "x=1", "$((1 + 2))", "for i in", "do", "done", *QUOTED, *SIGNS])
gaps = st.sampled_from([" ", " \\\n", " \\\n  ", "\\\n\t", "\\\n", "   \\\n      ", "\\\n  "])
commands = st.lists(st.tuples(words, gaps), min_size=1, max_size=8).map(
    lambda parts: "RUN printf '<%s>' " + "".join(word + gap for word, gap in parts) + "end\n"
)


quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(commands)
def test_a_moved_command_prints_the_same(tmp_path_factory: pytest.TempPathFactory, run: str) -> None:
    prints_the_same(tmp_path_factory, run)


@pytest.mark.slow
@settings(quick, max_examples=1500)
@given(commands)
def test_many_more_moved_commands_print_the_same(tmp_path_factory: pytest.TempPathFactory, run: str) -> None:
    prints_the_same(tmp_path_factory, run)


def prints_the_same(tmp_path_factory: pytest.TempPathFactory, run: str) -> None:
    """Asked of the machine's own shell, which knows nothing of our grammar."""
    before = parse("FROM a\n" + run, "Dockerfile")
    if before.errors:
        return
    text, numbers = reindented(before)
    if not numbers:
        return
    after = parse(text, "Dockerfile")
    pair = [i.command.argv[0] for of in (before, after) for i in of.instructions if isinstance(i, Run)]
    assert shape(pair[0]) == shape(pair[1]) is not None
    shell = shutil.which("dash") or "/bin/sh"
    place = tmp_path_factory.getbasetemp()
    said = [
        subprocess.run([shell, "-c", f"x='1 2'; {one}"], capture_output=True, check=False, cwd=place, env={})
        for one in pair
    ]
    assert (said[0].returncode, said[0].stdout) == (said[1].returncode, said[1].stdout)
