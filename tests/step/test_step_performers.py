"""The scheduler with two performers: that of this machine, and one in other processes with a store of their own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop, asked, lines, tar_of
from tests.source.source_remote_servers import MODIFIED, Repository, WebServer, web_server
from tests.step.step_elsewhere import elsewhere

from kezuri.app import debugging, performing
from kezuri.app.build import build as build_and_look
from kezuri.app.request import AgentSource, SecretSource, Settings
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
    "privileges": "FROM base\nUSER 1000\nRUN grep NoNewPrivs /proc/self/status\n",
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


def build(shop: Workshop, base: Path, text: str, **more: Any) -> Any:
    secret = shop.directory / "the secret"
    secret.write_text(SECRET)
    return shop.build(
        text,
        build_contexts=(("base", f"oci-layout://{base}"),),
        secrets=(SecretSource("s", "file", str(secret)),),
        source_date_epoch="1000000000",
        **more,
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


def test_set_id_programs_give_nothing_where_the_task_says_so(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = elsewhere(tmp_path / "worker")
    monkeypatch.setattr(performing, "LocalPerformer", other)
    shop = shop_at(tmp_path / "there")
    for asked_for, said in ((False, b"0"), (True, b"1")):
        build(shop, base, BUILDS["privileges"], no_new_privileges=asked_for)
        assert shop.said.output.split() == [b"NoNewPrivs:", said]
    assert len(other.performed) == 2


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of an agent that has one key."""
    address = str(tmp_path / "agent of this machine")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.DEVNULL)
    try:
        key = str(tmp_path / "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        for _ in range(100):
            if os.path.exists(address):
                break
            time.sleep(0.02)
        environ = {**os.environ, "SSH_AUTH_SOCK": address}
        subprocess.run(["ssh-add", "-q", key], env=environ, check=True, stderr=subprocess.DEVNULL)
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs openssh-client")
def test_both_reach_the_agent(tmp_path: Path, base: Path, agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = shutil.which("ssh-add")
    assert program is not None
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    tools = tmp_path / "tools"
    for path in (program, *(word for word in said.split() if word.startswith("/"))):
        (tools / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(path), tools / path[1:])
    text = (
        f"FROM base\nCOPY --from=tools / /\nRUN --mount=type=ssh,required echo $SSH_AUTH_SOCK; {program} -l > /keys\n"
        f"RUN --mount=type=ssh,id=more,target=/s SSH_AUTH_SOCK=/s {program} -l > /more\n"
        "RUN --mount=type=ssh,id=none test ! -e /run/buildkit\n"
    )
    agents = (AgentSource("default", socket=agent), AgentSource("more", socket=agent))
    other = elsewhere(tmp_path / "worker")
    made = []
    for kind in ("here", "there"):
        if kind == "there":
            monkeypatch.setattr(performing, "LocalPerformer", other)
        shop = shop_at(tmp_path / kind)
        contexts = (("base", f"oci-layout://{base}"), ("tools", str(tools)))
        files = shop.files(shop.build(text, build_contexts=contexts, agents=agents))
        made.append((files["keys"], files["more"], shop.said.output))
    assert made[0] == made[1] and made[0][2] == b"/run/buildkit/ssh_agent.0\n"
    assert isinstance(made[0][0], bytes) and b"ED25519" in made[0][0] and made[0][0] == made[0][1]
    assert len(other.performed) == 4 and not [text for text in other.performed if "agent of this machine" in text]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    with web_server() as server:
        server.repositories = tmp_path / "served"
        yield server


def test_both_add_what_lies_elsewhere(
    tmp_path: Path, base: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(tmp_path / "made", tmp_path / "served", "repo")
    repository.commit("one", f="one", dir__d="d")
    web.file("/file.txt", b"from the web", Last_Modified=MODIFIED)
    web.file("/made.tar", tar_of(("in", b"in"), ("dir", None)), Last_Modified=MODIFIED)
    address = web.url.replace("://", "://someone:a-password@")
    text = (
        f"FROM base\nADD a.txt {address}/file.txt {web.url}/file.txt src /many/\n"
        f"ADD --unpack=true {web.url}/made.tar /unpacked/\nADD {web.url}/made.tar /packed/\n"
        f"ADD --exclude=dir {web.url}/git/repo.git /git/\n"
        "RUN find /many /git /unpacked /packed -type f -exec md5sum {} +\n"
    )
    other = elsewhere(tmp_path / "worker")
    made = []
    for kind in ("here", "there"):
        if kind == "there":
            monkeypatch.setattr(performing, "LocalPerformer", other)
        shop = shop_at(tmp_path / kind)
        result = build(shop, base, text)
        made.append((shop.layers(result), [m.mtime for m in shop.members(result).values()], shop.said.output))
    assert made[0] == made[1]
    assert len(other.performed) == 5 and not [text for text in other.performed if "a-password" in text]


def test_both_tell_at_the_word_what_is_not_there(
    tmp_path: Path, base: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is pinned, so that its key is known before anybody asks for it."""
    text = f"FROM scratch\nADD --checksum=sha256:{'0' * 64} {web.url}/gone /\n"
    told = []
    for kind in ("here", "there"):
        if kind == "there":
            monkeypatch.setattr(performing, "LocalPerformer", elsewhere(tmp_path / "worker"))
        with pytest.raises(KezuriError) as caught:
            build(shop_at(tmp_path / kind), base, text)
        first = caught.value.diagnostics[0]
        assert first.span is not None
        told.append((first.message, text[first.span.start : first.span.end], first.hint))
    assert told[0] == told[1] and told[0][1] == f"{web.url}/gone"


def test_what_a_failed_step_left_can_be_looked_at_with_both(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    def look(wreck: Any, error: KezuriError, sandbox: object, tell: object) -> None:
        files = {name: Path(wreck.changes, name).read_text() for name in sorted(os.listdir(wreck.changes))}
        seen.append((error.diagnostics[0].message, files))

    monkeypatch.setattr(debugging, "look", look)
    text = "FROM base\nRUN echo before > /before\nRUN echo kept > /kept; exit 3\n"
    for kind in ("here", "there"):
        if kind == "there":
            monkeypatch.setattr(performing, "LocalPerformer", elsewhere(tmp_path / "worker"))
        shop = shop_at(tmp_path / kind)
        shop.write(Dockerfile=text)
        request = asked(context=str(shop.context), build_contexts=(("base", f"oci-layout://{base}"),))
        for given in (lambda *_: None, None):
            with pytest.raises(KezuriError, match="exit code: 3"):
                build_and_look(request, Settings(str(shop.root)), shop.said, look=given)
        assert shop.check() == []
    assert len(seen) == 2 and seen[0] == seen[1] and seen[0][1] == {"kept": "kept\n"}
