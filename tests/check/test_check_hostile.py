"""Files that are made to be slow or to break rules: every rule answers, and none takes the others down."""

import pytest

from kezuri.check.policy import Policy
from kezuri.check.sheets import Terms, check_dockerfile
from kezuri.diagnostics import KezuriError
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, ImageSource

POLICY = Policy(
    trusted_registries=("docker.io", "*.example.com"),
    label_schema=(("a", "spdx"), ("b", "email"), ("c", "rfc3339"), ("d", "url"), ("e", "semver")),
    strict_labels=True,
    required_labels=("z",),
    forbidden_instructions=("VOLUME", "O*"),
    forbidden_bases=("*:latest", "["),
)
TEXTS = {
    "a chain of stages": "".join(f"FROM s{i - 1} AS s{i}\nCOPY --from=s{i - 1} a b\nUSER root\n" for i in range(100)),
    "stages of one name": "FROM x AS s\nCMD a\nCMD b\n" * 300,
    "triggers in triggers": "FROM a\n" + "ONBUILD " * 3000 + "RUN x\n",
    "many triggers": "FROM a\n" + "ONBUILD RUN cd x\n" * 500,
    "variables of one ENV": "FROM a\nENV " + " ".join(f"A{i}=$A{i + 1}" for i in range(1000)) + "\n",
    "quotes": "FROM a\nENV A=1 B=" + "\"'" * 3000 + "\n",
    "backslashes": "FROM a\nENV A=1 B=" + "\\" * 20000 + "x\n",
    "forms of labels": 'FROM a\nLABEL a="' + "(" * 1900 + 'MIT" b="' + "a." * 900 + "@" + "a-" * 900 + '" e=1.2.3-'
    "" + "0a." * 900 + '_ d="a:' + "%41" * 900 + '^"\n',
    "no text": "FROM a\0b\nRUN x\0y | z\nUSER \0\nCOPY --from=\0 a b\n",
    "no UTF-8": "FROM a\nRUN echo \udcff$x | y\nLABEL \udcff=\udcfe\nUSER \udcff\n",
    "numbers": "FROM a\nEXPOSE " + "9" * 5000 + " ٣٤٥٦٧٨\nUSER ²\nCOPY --from=² a b\nCOPY --from=٣ a b\n",
    "a huge number": "FROM a\nCOPY --from=" + "9" * 5000 + " a b\n",
    "substitutions": "FROM a\nRUN " + "$(" * 300 + "a" + ")" * 300 + " | b\n",
    "parentheses": "FROM a\nRUN " + "((" * 2000 + "\n",
    "braces": "FROM " + "{" * 2000 + ":" * 2000 + "\n",
    "nothing but pragmas": "# hadolint ignore=DL3003\n" * 2000,
}


def resolve(source: ImageSource, wanted: Platform) -> BaseImage:
    raise KezuriError.of("no registry is asked", exit_code=125)


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_no_rule_raises(text: str) -> None:
    sheet = check_dockerfile(text, "Dockerfile", Terms(resolve, policy=POLICY))
    assert sheet.defects == ()
    for told in sheet.told:
        assert told.span is None or 0 <= told.span.start <= told.span.end <= len(told.source.text)
