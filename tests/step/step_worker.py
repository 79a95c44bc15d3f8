"""A process that performs one task with a store of its own: what it needs lies in a directory, and what it made, too.

Layers come and go as tar files named by their ids, selections by their digests; the task and its outcome are JSON. What
a failed command left goes back as a directory.
"""

import json
import pickle
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.forms.packing import Packing
from kezuri.layer.unpacker import unpack
from kezuri.linux.directory import make_plain
from kezuri.progress.calling_off import CallOff
from kezuri.step import encoding
from kezuri.step.local import LocalPerformer
from kezuri.step.task import Bind, Cache, Copy, Fetched, Picked, Run, Stacked, Task
from kezuri.store.store import Store
from kezuri.tree.selection import Root, Selection


def stacks(task: Task) -> list[tuple[str, ...]]:
    """All stacks of layers that a task names."""
    return [task.below, *(files.layers for files in named(task) if isinstance(files, Stacked))]


def named(task: Task) -> list[Picked | Stacked | Fetched]:
    """All files that a task names beside the layers below it."""
    if isinstance(task.work, Copy):
        return list(task.work.files)
    if not isinstance(task.work, Run):
        return []
    found: list[Picked | Stacked | Fetched] = []
    for mount in task.work.mounts:
        if isinstance(mount, Bind):
            found.append(mount.files)
        elif isinstance(mount, Cache) and mount.seed is not None:
            found.append(mount.seed)
    return found


def take_layer(store: Store, forms: Forms, layer: str, below: tuple[str, ...], tar: Path) -> None:
    """Make a layer known to a store from its tar."""
    if forms.usable(layer):
        return
    with store.scratch("taken") as scratch, open(tar, "rb", buffering=0) as blob:
        made = str(Path(scratch) / "diff")
        make_plain(made)
        lower = forms.view(below) if below else None
        unpack(blob, made, lower=lower, userxattr=forms.userxattr, where=layer)
        forms.publish_directory(layer, made)


def give_layer(store: Store, forms: Forms, layer: str, tar: Path) -> None:
    """Write a layer of a store as a tar (or compressed, as it came)."""
    if not tar.exists():
        tar.write_bytes(Path(store.blobs.path(forms.blob(layer, Packing("none")).digest)).read_bytes())


def fetched_name(files: Fetched) -> str:
    """What the file of the box is called that holds a remote source."""
    return sha256(repr(files).encode()).hexdigest()


class Box:
    """The supplies that lie in a directory."""

    def __init__(self, box: Path) -> None:
        self.box = box
        self.secrets: dict[str, bytes | None] = pickle.loads((box / "secrets").read_bytes())
        self.agents: dict[str, str | None] = json.loads((box / "agents").read_text())

    def selection(self, files: Picked) -> Selection:
        found: Selection = pickle.loads((self.box / files.digest).read_bytes())
        return found

    def fetched(self, files: Fetched) -> Root:
        found: Selection = pickle.loads((self.box / fetched_name(files)).read_bytes())
        return found[0]

    def secret(self, id: str) -> bytes | None:
        return self.secrets[id]

    def agent(self, id: str) -> str | None:
        return self.agents[id]


def no_new_privileges(text: str) -> bool:
    """Whether the task wants set-id programs to give nothing."""
    work = encoding.task(text).work if text else None
    return isinstance(work, Run) and work.settings.no_new_privileges


def main(box: Path, root: str) -> None:
    families = json.loads((box / "renew").read_text())
    text = (box / "task").read_text()
    with Session(Settings(root)) as session:
        session.open_sandbox(no_new_privileges(text))
        with LocalPerformer(session.store, session.forms, Box(box), session.sandbox) as performer:
            performer.renew(families)
            if not text:
                return
            task = encoding.task(text)
            for stack in stacks(task):
                for i, layer in enumerate(stack):
                    take_layer(session.store, session.forms, layer, stack[:i], box / layer)
            printed: list[tuple[int, bytes]] = []
            try:
                outcome = performer.perform(task, lambda *said: printed.append(said), CallOff())
            except KezuriError as error:
                first = error.diagnostics[0]
                (box / "error").write_text(json.dumps([first.message, first.hint, error.exit_code]))
                return
            finally:
                (box / "output").write_bytes(pickle.dumps(printed))
            if outcome.failure is None:
                give_layer(session.store, session.forms, outcome.layer, box / f"made-{outcome.layer}")
            elif outcome.failure.left:
                wreck = performer.left(outcome.failure.left)
                assert wreck is not None
                subprocess.run(["cp", "-a", wreck.changes, str(box / "left")], check=True)
            (box / "outcome").write_text(encoding.encode(outcome))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
