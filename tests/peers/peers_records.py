"""What peers answered, kept as facts: a comparison needs no peer then, and takes no longer than kezuri's own build.

A record belongs to a test. It holds the answers in the order in which the test asks, each with the digest of what was
asked: of the Dockerfile, its arguments, and the context. Whoever asks for something else is told that the record is
stale. An answer's tree is kept as what differs from the base image, so that a record holds on machines with another
busybox. `python -m tests.peers.peers_record` makes the records anew.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.base import Base
from tests.peers.peers_builders import Asked, Builder, Built
from tests.peers.peers_images import BEGINNING, Image, Node, nodes_of

DIRECTORY = Path(__file__).parent / "cases"
PEERS = ("docker", "buildah", "buildkit")
IN_THE_BASE = "bin/busybox"
"""A path that an image has when it stands on the base."""


class Stale(AssertionError):
    """What a test asks is not what was recorded."""


class Records:
    """The answers of one peer, by test."""

    def __init__(self, peer: str, version: str = "", answers: dict[str, list[Any]] | None = None) -> None:
        """`version` is the peer's own word for itself."""
        self.peer = peer
        self.version = version
        self.answers = answers or {}

    @classmethod
    def read(cls, peer: str) -> "Records":
        """Those that are kept; none where there are none."""
        try:
            data = json.loads(_file(peer).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(peer)
        return cls(peer, data["version"], data["answers"])

    def forget(self) -> None:
        """Remove what is kept."""
        _file(self.peer).unlink(missing_ok=True)

    def write(self) -> None:
        """Keep them: a line for each answer, so that changes can be read."""
        DIRECTORY.mkdir(exist_ok=True)
        tests = []
        for test, answers in sorted(self.answers.items()):
            lines = ",\n".join(json.dumps(answer, ensure_ascii=False, separators=(",", ":")) for answer in answers)
            tests.append(f"{json.dumps(test)}:[\n{lines}]")
        joined = ",\n".join(tests)
        text = f'{{"peer":{json.dumps(self.peer)},\n"version":{json.dumps(self.version)},\n"answers":{{\n{joined}}}}}\n'
        json.loads(text)
        _file(self.peer).write_text(text, encoding="utf-8")


class Recorded:
    """A peer as it is recorded: answers one test."""

    def __init__(self, records: Records, test: str, below: dict[str, Node]) -> None:
        """`below` is the tree of the base image."""
        self._records = records
        self._test = test
        self._below = below
        self._asked = 0

    def build(self, base: Base, asked: Asked, archive: str) -> Built:
        """The recorded answer. Raises Stale where something else was recorded."""
        answers = self._records.answers.get(self._test, [])
        digest = digest_of(base, asked)
        if self._asked >= len(answers) or answers[self._asked]["asked"] != digest:
            raise Stale(
                f"build {self._asked + 1} of {self._test} is not what {self._records.peer} was asked when it was "
                f"recorded; python -m tests.peers.peers_record {self._records.peer} asks it again"
            )
        self._asked += 1
        return _built(answers[self._asked - 1], self._below)


class Recording:
    """A peer that is there, and whose answers to one test are recorded."""

    def __init__(self, records: Records, test: str, below: dict[str, Node], peer: Builder) -> None:
        self._answers: list[Any] = []
        records.answers[test] = self._answers
        self._below = below
        self._peer = peer

    def build(self, base: Base, asked: Asked, archive: str) -> Built:
        """The peer's answer."""
        digest = digest_of(base, asked)
        built = self._peer.build(base, asked, archive)
        self._answers.append({"asked": digest, **_kept(built, self._below, os.path.dirname(archive))})
        return built


def tree_of(base: Base) -> dict[str, Node]:
    """The tree of a base image of one layer."""
    with open(f"{base.layout}/index.json") as file:
        entries = json.load(file)["manifests"]
    (manifest,) = (
        e["digest"] for e in entries if e.get("annotations", {}).get("org.opencontainers.image.ref.name") == base.name
    )
    (layer,) = json.loads(_blob(base, manifest).read_text())["layers"]
    with tarfile.open(_blob(base, layer["digest"])) as archive:
        return nodes_of(archive)


def digest_of(base: Base, asked: Asked) -> str:
    """Of all that a build is asked, but for the name of the base and where things lie."""
    with open(asked.dockerfile, encoding="utf-8") as file:
        text = file.read().replace(base.name, "{base}")
    parts = [text, asked.arguments, asked.target, [name for name, _ in asked.secrets], sorted(_things(asked.context))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _things(top: str) -> Iterator[tuple[str, int, int, bool, str]]:
    """Kind, mode, time and content of everything in a context; no attributes, which only root may give to files."""
    for directory, directories, files in os.walk(top):
        for name in (*directories, *files):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            content = ""
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            mode = 0 if os.path.islink(path) else status.st_mode
            # What a test left with the time of now is not the same in the next run.
            mtime = status.st_mtime_ns if status.st_mtime < BEGINNING else 0
            yield os.path.relpath(path, top), mode, mtime, status.st_nlink > 1 and bool(content), content


def _kept(built: Built, below: dict[str, Node], scratch: str) -> dict[str, Any]:
    kept: dict[str, Any] = {"steps": built.steps} if built.steps else {}
    if built.image is None:
        return {**kept, "error": built.error.replace(scratch, "")}
    image = built.image
    kept |= {"config": image.config, "history": image.history}
    if image.platform != _this_platform():
        kept["platform"] = image.platform
    under = below if IN_THE_BASE in image.tree else {}
    kept["based"] = bool(under)
    kept["tree"] = {path: node for path, node in sorted(image.tree.items()) if under.get(path) != node}
    gone = [path for path in under if path not in image.tree]
    return {**kept, "gone": gone} if gone else kept


def _built(kept: dict[str, Any], below: dict[str, Node]) -> Built:
    steps = tuple((name, cached) for name, cached in kept.get("steps", ()))
    if "error" in kept:
        return Built(None, kept["error"], steps)
    gone = set(kept.get("gone", ()))
    tree = {path: node for path, node in below.items() if path not in gone} if kept["based"] else {}
    tree |= {path: _node(fields) for path, fields in kept["tree"].items()}
    history = [(text, empty) for text, empty in kept["history"]]
    system, machine = kept.get("platform") or _this_platform()
    return Built(Image(tree, kept["config"], history, (system, machine)), "", steps)


def _node(fields: list[Any]) -> Node:
    kind, mode, uid, gid, mtime, link, content, xattrs, together = fields
    attributes = tuple((name, value) for name, value in xattrs)
    return Node(kind, mode, uid, gid, mtime, link, content, attributes, tuple(together))


def _this_platform() -> tuple[str, str]:
    machine = os.uname().machine
    return "linux", {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _blob(base: Base, digest: str) -> Path:
    return Path(base.layout, "blobs", *digest.split(":"))


def _file(peer: str) -> Path:
    return DIRECTORY / f"{peer}.json"
