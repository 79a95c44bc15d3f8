"""The scheduler with two performers: that of this machine, and one in other processes with a store of their own."""

from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop, lines, tar_of
from tests.step.step_elsewhere import elsewhere

from kezuri.app import performing
from kezuri.app.request import SecretSource
from kezuri.diagnostics import KezuriError
from kezuri.step import encoding

pytestmark = RUNS_STEPS
SECRET = "a-secret-that-nobody-may-read"

BUILDS = {
    "copies": "FROM scratch\nCOPY src /src\nCOPY --chmod=600 a.txt /x/\nADD made.tar /unpacked/\nWORKDIR /w/d\n",
    "heredocs and links": "FROM base\nCOPY <<a <<b /d/\n1\na\n2\nb\nCOPY --link src /linked/\nWORKDIR /linked/more\n",
    "stages": "FROM base AS one\nCOPY src /src\nFROM scratch\nCOPY --from=one /src /bin/busybox /two/\n",
    "runs": "FROM base AS one\nRUN echo 1 > /f && rm /etc/group\nFROM one\nRUN cat /f > /g\nCOPY --from=one /f /h\n",
    "mounts": (
        "FROM base AS one\nCOPY src /seed\nFROM base\n"
        "RUN --mount=source=src,target=/m --mount=from=one,source=/seed,target=/s cat /m/one /s/one > /bound\n"
        "RUN --mount=type=cache,target=/c,from=one,source=/seed cat /c/one > /seeded; echo 2 > /c/two\n"
        "RUN --mount=type=cache,target=/c,from=one,source=/seed cat /c/two > /again\n"
        "RUN --mount=type=tmpfs,target=/t touch /t/x\n"
        "RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S wc -c < /run/secrets/s > /size; echo $S\n"
    ),
    "equal steps": "FROM base AS a\nCOPY src /s\nFROM base AS b\nCOPY src /s\nFROM a\nCOPY --from=b /s /t\n",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busybox_layout(tmp_path_factory.mktemp("base") / "layout", busybox_tar())


def shop_at(directory: Path) -> Workshop:
    shop = Workshop(directory)
    shop.write(src__one="one", src__two="two", **{"a.txt": "a"})
    (shop.context / "made.tar").write_bytes(tar_of(("in", b"in"), ("dir", None)))
    return shop


def build(shop: Workshop, base: Path, text: str) -> Any:
    secret = shop.directory / "the secret"
    secret.write_text(SECRET)
    return shop.build(
        text,
        build_contexts=(("base", f"oci-layout://{base}"),),
        secrets=(SecretSource("s", "file", str(secret)),),
        source_date_epoch="1000000000",
    )


@pytest.mark.parametrize("name", BUILDS)
def test_both_performers_give_the_same(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    here = shop_at(tmp_path / "here")
    ours = build(here, base, BUILDS[name])
    other = elsewhere(tmp_path / "worker")
    monkeypatch.setattr(performing, "LocalPerformer", other)
    there = shop_at(tmp_path / "there")
    theirs = build(there, base, BUILDS[name])
    assert there.layers(theirs) == here.layers(ours)
    assert there.config(theirs)["config"] == here.config(ours)["config"]
    if "RUN" not in BUILDS[name]:
        assert theirs.digest == ours.digest
    assert there.said.ran == here.said.ran and sorted(there.said.output) == sorted(here.said.output)
    steps = [line for line in BUILDS[name].splitlines() if line.split()[0] in ("RUN", "COPY", "ADD", "WORKDIR")]
    assert 0 < len(other.performed) <= len(steps)
    # Nothing of this machine is in a task: no path of a store, a context or a layout, no value of a secret.
    for text in other.performed:
        assert encoding.encode(encoding.task(text)) == text
        assert str(tmp_path) not in text and str(base) not in text and SECRET not in text
    build(there, base, BUILDS[name])
    assert there.said.ran == [] and there.check() == []


def test_failures_of_both_are_told_alike(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = (
        "FROM base\n\nRUN echo said && exit 7\n",
        "FROM base\nUSER nobody-here\nRUN true\n",
        "FROM scratch\nCOPY a.txt /x\nCOPY src /x/y/\n",
        "FROM scratch\nCOPY a.txt /x\nWORKDIR /x\n",
    )

    def told(directory: Path) -> list[tuple[str, list[int], str, str, int]]:
        found = []
        for text in texts:
            with pytest.raises(KezuriError) as caught:
                build(shop_at(directory), base, text)
            first = caught.value.diagnostics[0]
            found.append((first.message, lines(caught.value), first.hint, first.output, caught.value.exit_code))
        return found

    ours = told(tmp_path / "here")
    monkeypatch.setattr(performing, "LocalPerformer", elsewhere(tmp_path / "worker"))
    assert told(tmp_path / "there") == ours
    assert [line for _, line, *_ in ours] == [[3], [3], [3], [3]] and "exit code: 7" in ours[0][0]
    assert ours[0][3].endswith("said")
