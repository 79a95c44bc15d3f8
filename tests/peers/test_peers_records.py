"""What is recorded of a peer is what it answered, and answers nothing else."""

import os
from pathlib import Path
from typing import Any

import pytest
from benchmarks.base import Base
from tests.peers import peers_records
from tests.peers.peers_builders import Asked, Built
from tests.peers.peers_images import Image, Node
from tests.peers.peers_records import IN_THE_BASE, Recorded, Recording, Records, Stale, digest_of

BASE = Base("/nowhere", "docker.io/library/busybox:latest", "")


def file(content: str, **more: Any) -> Node:
    return Node("file", 0o644, 0, 0, 5, "", content, (), ())._replace(**more)


BELOW = {IN_THE_BASE: file("of the machine", mode=0o755), "etc/passwd": file("root"), "etc/group": file("root")}
ON_THE_BASE = Built(
    Image(
        {
            IN_THE_BASE: BELOW[IN_THE_BASE],
            "etc/passwd": file("other", mtime=None),
            "y": file("y", xattrs=(("a", "b"),)),
        },
        {"Env": ["A=b"]},
        [("RUN x", False), ("CMD", True)],
        ("linux", {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)),
    ),
    "",
    (("[1/2] COPY", True),),
)
ALONE = Built(Image({"f": file("f", together=("f", "g"))}, {}, [], ("linux", "s390x")), "", ())
REFUSED = Built(None, "Dockerfile:3 no such thing", ())


class Peer:
    """A builder that gives answers one after the other."""

    def __init__(self, *answers: Built) -> None:
        self._answers = list(answers)

    def build(self, base: Base, asked: Asked, archive: str) -> Built:
        return self._answers.pop(0)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    (tmp_path / "context").mkdir()
    (tmp_path / "context/f").write_text("f")
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE.name}\nCOPY f /\n")
    return Asked(str(tmp_path / "Dockerfile"), str(tmp_path / "context"))


def test_what_is_kept_is_what_was_answered(tmp_path: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_records, "DIRECTORY", tmp_path / "kept")
    records = Records("docker", "docker 1")
    answers = (ON_THE_BASE, ALONE, REFUSED)
    recording = Recording(records, "test", BELOW, Peer(*answers))
    for answer in answers:
        assert recording.build(BASE, asked, f"{tmp_path}/image.tar") == answer
    records.write()

    read = Records.read("docker")
    assert read.version == "docker 1"
    recorded = Recorded(read, "test", BELOW)
    assert tuple(recorded.build(BASE, asked, "") for _ in answers) == answers
    with pytest.raises(Stale):
        recorded.build(BASE, asked, "")
    read.forget()
    assert Records.read("docker").answers == {}


def test_on_a_base_with_another_shell_the_answer_has_that_shell(asked: Asked) -> None:
    records = Records("docker")
    Recording(records, "test", BELOW, Peer(ON_THE_BASE)).build(BASE, asked, "")
    here = {**BELOW, IN_THE_BASE: file("of another machine", mode=0o755), "bin/new": file("an applet")}
    image = Recorded(records, "test", here).build(BASE, asked, "").image
    assert image is not None and ON_THE_BASE.image is not None
    assert image.tree == {**ON_THE_BASE.image.tree, IN_THE_BASE: here[IN_THE_BASE], "bin/new": file("an applet")}


def test_something_else_is_stale(asked: Asked, tmp_path: Path) -> None:
    records = Records("docker")
    Recording(records, "test", BELOW, Peer(ALONE)).build(BASE, asked, "")
    for other in (asked._replace(arguments=("A=1",)), asked._replace(target="t")):
        with pytest.raises(Stale, match="peers_record docker"):
            Recorded(records, "test", BELOW).build(BASE, other, "")
    with pytest.raises(Stale):
        Recorded(records, "another test", BELOW).build(BASE, asked, "")
    (tmp_path / "context/f").write_text("g")
    with pytest.raises(Stale):
        Recorded(records, "test", BELOW).build(BASE, asked, "")


def test_the_bases_name_does_not_count_and_every_byte_does(asked: Asked, tmp_path: Path) -> None:
    before = digest_of(BASE, asked)
    (tmp_path / "Dockerfile").write_text("FROM other\nCOPY f /\n")
    assert digest_of(BASE._replace(name="other"), asked) == before
    (tmp_path / "context/f").chmod(0o600)
    assert digest_of(BASE._replace(name="other"), asked) != before
