"""The broken recipes of the brief: each must fail where it fails, and say why."""

import json
import re

import pytest
from tests.integration.integration_bases import MADE_BY_KEZURI, Bases
from tests.integration.integration_command import Answer, Kezuri
from tests.integration.integration_entries import Copier, Entry, broken

CASES = broken()
BUILD = [case for case in CASES if case.data["fails"] == "build"]
RUN = [case for case in CASES if case.data["fails"] == "run"]
NEVER = [case for case in CASES if case.data["fails"] == "never"]
LINT = [case for case in CASES if case.data["fails"] == "lint" and case.dockerfile.is_file()]
FIXED = [case for case in CASES if case.data.get("fixed") == "Dockerfile.fixed"]
OURS = re.compile(r"^Traceback|something unexpected went wrong", re.MULTILINE)
"""A mistake of kezuri's own; a step's traceback is printed behind the step's number."""
SECRET = "npm_0000notarealtoken0000"


def _build(kezuri: Kezuri, bases: Bases, copied: Copier, case: Entry, image: str, dockerfile: str = "") -> Answer:
    # What is broken about a recipe may be the version of its base.
    bases.require(case.bases, of_that_version=True)
    argv = ["build", "--progress", "plain", "-f", str(case.directory / dockerfile if dockerfile else case.dockerfile)]
    argv += ["-t", image, *bases.arguments(case.bases)]
    if case.data.get("target"):
        argv += ["--target", case.data["target"]]
    for secret in case.data.get("secrets", ()):
        argv += ["--secret", f"id={secret['id']},src=-"]
    return kezuri(*argv, str(copied(case)), stdin=SECRET, timeout=600)


@pytest.mark.slow
@pytest.mark.parametrize("case", BUILD, ids=[case.name for case in BUILD])
def test_build_fails_with_the_right_message(kezuri: Kezuri, bases: Bases, copied: Copier, case: Entry) -> None:
    bases.require_as_official(case.data.get("own_bases_differ", ""))
    answer = _build(kezuri, bases, copied, case, f"broken/{case.name}")
    assert answer.code == 1, answer.text[-4000:]
    assert re.search(case.data["message"], answer.err), answer.text[-4000:]
    assert not OURS.search(answer.text)
    assert "Successfully tagged" not in answer.text
    assert kezuri("inspect", f"broken/{case.name}").code != 0


@pytest.mark.slow
@pytest.mark.parametrize("case", RUN, ids=[case.name for case in RUN])
def test_run_fails_with_the_right_message(kezuri: Kezuri, bases: Bases, copied: Copier, case: Entry) -> None:
    bases.require_as_official(case.data.get("own_bases_differ", ""))
    image = f"broken/{case.name}"
    made = _build(kezuri, bases, copied, case, image)
    assert made.code == 0, made.text[-4000:]
    answer = kezuri("run", "--rm", image, *case.data.get("command", ()))
    assert answer.code in (126, 127), answer.text
    assert re.search(case.data["message"], answer.text), answer.text
    assert not OURS.search(answer.text)
    kezuri("rmi", image)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*NEVER], ids=[case.name for case in NEVER])
def test_what_fails_elsewhere_works_here(kezuri: Kezuri, bases: Bases, copied: Copier, case: Entry) -> None:
    answer = _build(kezuri, bases, copied, case, f"broken/{case.name}")
    assert answer.code == 0, answer.text[-4000:]
    assert SECRET not in answer.text
    kezuri("rmi", f"broken/{case.name}")


@pytest.mark.slow
@pytest.mark.parametrize("case", LINT, ids=[case.name for case in LINT])
def test_check_finds_what_the_case_names(kezuri: Kezuri, case: Entry) -> None:
    """The other cases are not BuildKit's rules' business: they must stay without a finding until a rule names them."""
    names = set(case.data.get("checks", ()))
    for file in (case.dockerfile, case.directory / "Dockerfile.fixed"):
        if not file.is_file():
            continue
        wanted = names if file == case.dockerfile else set()
        answer = kezuri("build", "--call=check,format=json", "-f", str(file), str(case.context))
        assert answer.out, answer.err
        assert {warning["ruleName"] for warning in json.loads(answer.out)["warnings"]} == wanted
        assert answer.code == (1 if wanted else 0), answer.err


@pytest.mark.slow
@pytest.mark.parametrize("case", FIXED, ids=[case.name for case in FIXED])
def test_repaired_recipe_builds(kezuri: Kezuri, bases: Bases, copied: Copier, case: Entry) -> None:
    answer = _build(kezuri, bases, copied, case, f"broken/{case.name}", "Dockerfile.fixed")
    assert answer.code == 0, answer.text[-4000:]
    kezuri("rmi", f"broken/{case.name}")


IMAGES = [
    case
    for case in CASES
    if case.dockerfile.is_file() and case.data["fails"] != "build" and case.data.get("image_checks")
]


@pytest.mark.slow
@pytest.mark.parametrize("case", IMAGES, ids=[case.name for case in IMAGES])
def test_check_finds_in_the_image_what_the_case_names(
    kezuri: Kezuri, bases: Bases, copied: Copier, case: Entry
) -> None:
    bases.require_as_official(case.data.get("own_bases_differ", ""))
    image = f"broken/{case.name}-image"
    made = _build(kezuri, bases, copied, case, image)
    assert made.code == 0, made.text[-4000:]
    answer = kezuri("check", "--format", "json", image)
    found = {one["rule"] for one in json.loads(answer.out)}
    expected = set(case.data["image_checks"])
    if bases.origin == MADE_BY_KEZURI:
        expected -= set(case.data.get("own_bases_pass", ()))
    assert expected <= found, answer.text
    kezuri("rmi", image)
