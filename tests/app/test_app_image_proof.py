"""Fixes of class V proved by real builds: kept when image and behaviour are what was declared, refused when not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar

from kezuri.app.image_proof import Ground, ImageProver, aside
from kezuri.app.images import images
from kezuri.app.probing import Probes
from kezuri.app.request import BuildRequest, Settings
from kezuri.check.mending import Verdict
from kezuri.check.rule import Fix
from kezuri.proof.probes import Patience

pytestmark = RUNS_STEPS

SERVER = (
    "FROM base\nRUN mkdir -p /www /var/keep && echo hello > /www/index.html && echo log > /var/keep/log\n"
    "EXPOSE 8080\nHEALTHCHECK CMD wget -q -O /dev/null http://127.0.0.1:8080/\nCMD httpd -f -p 8080 -h /www\n"
)
PROGRAM = 'FROM base\nCOPY . /app\nCMD ["cat", "/app/data"]\n'


class Laboratory:
    """A context with a store of its own that has a base."""

    def __init__(self, directory: Path, layout: Path) -> None:
        self.context = directory / "context"
        self.context.mkdir()
        (self.context / "data").write_text("data\n")
        self.settings = Settings(str(directory / "root"))
        request = BuildRequest(build_contexts=(("base", f"oci-layout://{layout}"),))
        (self.context / "Dockerfile").write_text("")
        ground = Ground(str(self.context), str(self.context / "Dockerfile"), request, {"data": "data"})
        probes = Probes(self.settings, Patience(alive=0.5, answer=20))
        self.prover = ImageProver(ground, self.settings, lambda event: None, probes)

    def prove(self, before: str, after: str, *changes: str, **others: tuple[str, str]) -> Verdict:
        """`others` are further texts before and after, by the key of Texts."""
        (self.context / "Dockerfile").write_text(before)
        old = {"": before, **{key: pair[0] for key, pair in others.items() if pair[0]}}
        new = {"": after, **{key: pair[1] for key, pair in others.items()}}
        return self.prover.prove(old, new, Fix("a fix", (), "V", frozenset(changes)))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(busybox_layout(tmp_path_factory.mktemp("base") / "base", busybox_tar()))


@pytest.fixture
def laboratory(tmp_path: Path, layout: Path) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path, layout)
    yield laboratory
    laboratory.prover.close()
    assert list(images(laboratory.settings)) == []


def test_a_server_answers_before_and_after(laboratory: Laboratory) -> None:
    verdict = laboratory.prove(SERVER, SERVER.replace("CMD httpd", "CMD exec httpd"), "config.Cmd")
    assert verdict.reasons == ()
    assert verdict.proved[-1] == "started before and after: stays alive, 8080/tcp HTTP 200, healthy"


@pytest.mark.parametrize(
    ("find", "make", "changes", "said"),
    [
        ("/www\n", "/nothing\n", ("config.Cmd",), "probe.answer 8080/tcp"),
        ("-p 8080", "-p 8081", ("config.Cmd",), "probe.answer 8080/tcp"),
        ("CMD httpd -f", "CMD httpd", ("config.Cmd",), "probe.alive"),
        ("CMD httpd", "CMD nothing-of-this-name; httpd", ("config.Env A",), "config.Cmd"),
        ("echo log > /var/keep/log", "true", (), "file.gone (var/keep/log)"),
        ("echo log", "echo lug", ("file.content var/lib",), "file.content (var/keep/log)"),
        ("RUN mkdir", "RUN mkdirr", ("file",), "it breaks the build"),
        ("8080/\n", "8082/\n", ("config.Healthcheck",), "probe.health"),
        ("EXPOSE 8080\n", "EXPOSE 8080\nUSER nobody-here\n", ("config.User",), "probe.start"),
    ],
)
def test_what_was_not_declared_is_refused(
    laboratory: Laboratory, find: str, make: str, changes: tuple[str, ...], said: str
) -> None:
    verdict = laboratory.prove(SERVER, SERVER.replace(find, make), *changes)
    assert verdict.reasons and said in " ".join(verdict.reasons), verdict


def test_what_was_declared_may_vanish(laboratory: Laboratory) -> None:
    after = SERVER.replace("echo log > /var/keep/log", "true")
    assert not laboratory.prove(SERVER, after, "file.gone var/keep").reasons


def test_what_no_two_builds_have_in_common_is_no_difference(laboratory: Laboratory) -> None:
    before = "FROM base\nRUN head -c 8 /dev/urandom > /random && date +%s%N > /when && echo 1 > /what\nCMD true\n"
    assert not laboratory.prove(before, before.replace("RUN head", "RUN  head")).reasons
    assert laboratory.prove(before, before.replace("echo 1", "echo 2")).reasons


def test_a_file_that_does_not_build_as_it_is_proves_nothing(laboratory: Laboratory) -> None:
    verdict = laboratory.prove("FROM base\nRUN false\n", "FROM base\nRUN true\n", "file")
    assert "does not build as it is" in verdict.reasons[0]
    assert not laboratory.prove("FROM base\nRUN false\n", "FROM base\nRUN true\n", "error.gone").reasons
    assert laboratory.prove("FROM base\nRUN false\n", "FROM base\nRUN false a\n", "error.gone").reasons


def test_files_beside_the_dockerfile_are_built_with_it(laboratory: Laboratory) -> None:
    more = {"new:.dockerignore": ("", "ignored\n")}
    (laboratory.context / "ignored").write_text("x")
    verdict = laboratory.prove(PROGRAM, PROGRAM, **more)
    assert verdict.reasons and "file.gone (app/ignored)" in verdict.reasons[0]
    assert not laboratory.prove(PROGRAM, PROGRAM, "file.gone app/ignored", **more).reasons
    assert not (laboratory.context / ".dockerignore").exists()
    verdict = laboratory.prove(PROGRAM, PROGRAM, data=("data\n", "other\n"))
    assert not verdict.reasons and (laboratory.context / "data").read_text() == "data\n"


def test_a_path_that_leaves_the_context_is_refused(laboratory: Laboratory) -> None:
    verdict = laboratory.prove(PROGRAM, PROGRAM, "file", **{"new:../out": ("", "x")})
    assert "outside the build context" in verdict.reasons[0]
    assert not (laboratory.context.parent / "out").exists()


def test_an_image_that_names_no_command_is_proved_without_a_probe(laboratory: Laboratory) -> None:
    before = "FROM scratch\nCOPY data /\n"
    verdict = laboratory.prove(before, before + "LABEL a=b\n", "config.Labels a")
    assert not verdict.reasons and "the image names no command" in verdict.proved[-1]


STAGES = "FROM base AS test\nRUN echo 1 > /x\nFROM base AS unused\nRUN echo 2 > /y\nFROM base\nCMD true\n"


def test_a_stage_that_nobody_needs_is_built_too(laboratory: Laboratory) -> None:
    assert laboratory.prove(STAGES, STAGES.replace("echo 2", "echo 3")).reasons
    assert laboratory.prove(STAGES, STAGES.replace("RUN echo 1", "RUN false")).reasons
    assert not laboratory.prove(STAGES, STAGES.replace("echo 2", "echo  2")).reasons


@pytest.mark.parametrize(
    ("find", "make", "expected"),
    [("echo 1", "echo 3", ("test",)), ("echo 2", "echo 3", ("unused",)), ("CMD true", "CMD false", ()), ("x", "x", ())],
)
def test_which_stages_those_are(find: str, make: str, expected: tuple[str, ...]) -> None:
    found = aside(STAGES, STAGES.replace(find, make), BuildRequest())
    assert found == expected or (find == make and not expected)
