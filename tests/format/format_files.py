"""Dockerfiles to lay out: those of the other tests, and random ones of pieces that are awkward."""

import json
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st
from tests.peers.peers_cases import CASES

from kezuri.dockerfile.parser import Dockerfile, parse
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.plan.facts import Survey
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.plan.planner import Planner, PlanRequest

ROOT = Path(__file__).parents[2]

TOPS = (
    "FROM a\n",
    "FROM a\n",
    "FROM a\n",
    "# escape=`\nFROM a\n",
    "\n# c\nFROM a\n",
    "\n\n# escape=`\nFROM a\n",
    "# syntax=y\n\n\n# check=skip=x\nFROM a\n",
    " # escape=`\nFROM a\n",
    "  # syntax=y\nFROM a\n",
    "ARG x=1\nFROM a:$x\n",
    "\ufeffFROM a\n",
    "#!/x\n# syntax=y\nFROM a\n",
)
PIECES = (
    "FROM a",
    "from b as C",
    "FROM --platform=linux/amd64  b\tAS d",
    "RUN a",
    "run --mount=type=cache,target=/x   --network=none \\\n b \\\n\n  # c\n\t&& d",
    'RUN ["a",  "b"]',
    "RUN [ a ]",
    'CMD [ "x" ,"y"\\\n,"z" ]',
    'CMD ["x", \\\n"y \\\n z" \\\n]',
    'CMD [ \\\n"x" \\\n]',
    'ENV A=1 B="2 \\\n  3" C=4',
    "ENV A  b",
    "ENV a=b\\  c=d",
    "ENV a=x\\\ny z=1",
    "LABEL a=b",
    "LABEL a=b \\\n # x\n c=d",
    "LABEL \"a b\"=c  d='e  f'",
    "EXPOSE 1   2",
    "EXPOSE 80 \\\n\n 90",
    "COPY a  b",
    "COPY --chown=1:2   --link \\\n a \\\n# why\n   b",
    "COPY --from=x <<EOF /a\nhello\n# not a comment \n\n\nEOF",
    "COPY << E  F /a\n a\nE",
    'COPY ["a" , \\\n "b",\\\n# d\n"c"\\\n]',
    "RUN <<E\n a  \n\n\n  # b\nE",
    "RUN <<-E cat   >x\n\ta\n\tE",
    "HEALTHCHECK --interval=5s  cmd  foo bar",
    "HEALTHCHECK --interval=5s \\\n --timeout=1s \\\n  cmd  foo \\\n  bar",
    "healthcheck none",
    "ONBUILD  run  a   b ",
    "onbuild copy a \\\n   b",
    'VOLUME ["a"]',
    "VOLUME a   b",
    "WORKDIR  /a  b",
    "USER  x",
    "STOPSIGNAL  9",
    "MAINTAINER  a  b",
    "ARG A",
    'ARG A=1   B  C="b \\\n c"',
    'SHELL ["a","b"]',
    "ENTRYPOINT  x  y",
    "RUN -- a",
    "RUN \\\n  --network=none \\\n  -- \\\n  x",
    "R\\\nUN a",
    "RUN a\\\n\\\n   \\\nb",
    "RUN a \\",
    "CMD x ` y \\",
    "RUN a `\n   b",
    "\tRUN x\t",
    "\\",
    "  # indented",
    "# c",
    "#",
    "# check=skip=all",
    "  # check=skip=all",
    "  # syntax=x",
    "# escape=`",
    "",
    "",
    "  ",
)

signs = ("\\", "`", "'", '"', "$", "[", "]", ",", "#", "=", "<<E", "\n", "\r", " ", "\t", "\u00a0", "é")
noise = st.sampled_from(signs)
joints = st.sampled_from(["\n", "\n", "\n", "\r\n"])
files = st.builds(
    lambda top, lines, end, crlf: (top + "".join(lines) + end).replace("\n", "\r\n" if crlf else "\n"),
    st.sampled_from(TOPS),
    st.lists(st.builds(lambda piece, joint: piece + joint, st.sampled_from(PIECES), joints), max_size=7),
    st.sampled_from(["", "RUN last", "\n\n", "# the end"]),
    st.booleans(),
)
broken = st.builds(
    lambda text, at, sign: text[: at % (len(text) + 1)] + sign + text[at % (len(text) + 1) :],
    files,
    st.integers(0, 1000),
    noise,
)


def corpus() -> Iterator[str]:
    """The Dockerfiles of the other tests and of the examples."""
    for case in json.loads((ROOT / "tests/dockerfile/cases/parser.json").read_text("utf-8"))["cases"]:
        yield case["text"]
    for kept in CASES:
        yield kept.text.replace("{base}", "base")
    for path in sorted((ROOT / "tests" / "dockerfile" / "golden").rglob("Dockerfile")):
        yield path.read_bytes().decode("utf-8", "surrogateescape")
    for path in sorted((ROOT / "examples").rglob("Dockerfile*")):
        if path.is_file():
            yield path.read_text("utf-8")


def surveyed(dockerfile: Dockerfile) -> Survey:
    """The file as it is planned on images that exist only here."""

    def resolve(source: ImageSource, wanted: Platform) -> BaseImage:
        return BaseImage(source.text, "", ImageConfig(wanted), (), source)

    request = PlanRequest(build_platform=Platform("linux", "amd64"))
    return Planner(dockerfile, request, resolve).look(everything=True)


def laws(text: str) -> bool:
    """What holds for every file: the plan, the comments and the here-documents stay, and a second time nothing changes.
    False where the file has errors, which are nobody's to lay out."""
    from kezuri.format.equality import differences, remarks
    from kezuri.format.formatter import formatted
    from kezuri.proof.plans import survey_differences

    before = parse(text, "Dockerfile")
    if before.errors:
        return False
    result = formatted(before)
    after = parse(result.text, "Dockerfile")
    assert not after.errors
    assert not differences(before, after)
    assert remarks(before) == remarks(after)
    assert not survey_differences(surveyed(before), surveyed(after))
    assert bodies(before) == bodies(after)
    again = formatted(after)
    assert again.text == result.text
    return True


def bodies(dockerfile: Dockerfile) -> list[str]:
    """The here-documents."""
    return [h.body for instruction in dockerfile.instructions for h in getattr(instruction, "heredocs", ())]
