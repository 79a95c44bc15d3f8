"""A performer that does each task in another process, with a store of its own, and keeps every task's JSON."""

import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from tests.step.step_worker import fetched_name, give_layer, named, stacks, take_layer

from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.keys.stepkeys import at_word
from kezuri.plan.operation import AgentMount, SecretMount
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox.step import Output
from kezuri.step import encoding
from kezuri.step.task import Fetched, Outcome, Picked, Run, Supplies, Task
from kezuri.store.store import Store
from kezuri.tree.selection import Root, Selected, Selection

HERE = Path(__file__).parents[2]


class Elsewhere:
    """Made as LocalPerformer is. `root`, the other store, is set by a subclass (see `elsewhere`)."""

    root = ""
    performed: list[str]

    def __init__(
        self,
        store: Store,
        forms: Forms,
        supplies: Supplies,
        sandbox: Callable[[], Any],
        ca_bundle: str = "",
        mounts: object = None,
    ) -> None:
        self._store, self._forms, self._supplies = store, forms, supplies

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def left(self, name: str) -> "Left | None":
        changes = Path(f"{self.root} left") / name
        return Left(str(changes)) if changes.exists() else None

    def renew(self, families: Iterable[str]) -> None:
        with tempfile.TemporaryDirectory() as box:
            self._work(Path(box), "", list(families), {}, {})

    def perform(self, task: Task, output: Output, cancel: CallOff) -> Outcome:
        text = encoding.encode(task)
        self.performed.append(text)
        mounts = task.work.mounts if isinstance(task.work, Run) else ()
        secrets = {m.id: self._supplies.secret(m.id) for m in mounts if isinstance(m, SecretMount)}
        agents = {m.id: self._supplies.agent(m.id) for m in mounts if isinstance(m, AgentMount)}
        with ExitStack() as held:
            box = Path(held.enter_context(tempfile.TemporaryDirectory()))
            for stack in stacks(task):
                for layer in stack:
                    give_layer(self._store, self._forms, layer, box / layer)
            for files in named(task):
                if isinstance(files, Picked):
                    (box / files.digest).write_bytes(pickle.dumps(packed(self._supplies.selection(files))))
                elif isinstance(files, Fetched):
                    (box / fetched_name(files)).write_bytes(pickle.dumps(packed((self._fetched(files),))))
            forwarded = {
                id: held.enter_context(forwarding(box / f"agent {i}", there)) if there else None
                for i, (id, there) in enumerate(agents.items())
            }
            self._work(box, text, [], secrets, forwarded)
            for stream, data in pickle.loads((box / "output").read_bytes()):
                output(stream, data)
            if (box / "error").exists():
                message, hint, code = json.loads((box / "error").read_text())
                raise KezuriError.of(message, hint=hint, exit_code=code)
            outcome = encoding.outcome((box / "outcome").read_text())
            if outcome.failure is not None and outcome.failure.left:
                shutil.copytree(box / "left", Path(f"{self.root} left") / outcome.failure.left, symlinks=True)
            if outcome.failure is None:
                take_layer(self._store, self._forms, outcome.layer, task.below, box / f"made-{outcome.layer}")
        return outcome

    def _fetched(self, files: Fetched) -> Root:
        try:
            return self._supplies.fetched(files)
        except KezuriError as error:
            raise at_word(error, files.word) from error

    def _work(
        self,
        box: Path,
        text: str,
        families: list[str],
        secrets: dict[str, bytes | None],
        agents: dict[str, str | None],
    ) -> None:
        (box / "task").write_text(text)
        (box / "renew").write_text(json.dumps(families))
        (box / "secrets").write_bytes(pickle.dumps(secrets))
        (box / "agents").write_text(json.dumps(agents))
        environ = {**os.environ, "PYTHONPATH": f"{HERE / 'src'}:{HERE}"}
        command = [sys.executable, "-m", "tests.step.step_worker", str(box), self.root]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class Left:
    """What a failed command left, brought here."""

    def __init__(self, changes: str) -> None:
        self.changes = changes


@contextmanager
def forwarding(here: Path, there: str) -> Iterator[str]:
    """A socket of the worker's machine, whose connections go on to the socket of an agent on this one."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(here))
        listening.listen()
        here.chmod(0o666)

        def pump(source: socket.socket, sink: socket.socket) -> None:
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

        def serve() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller, socket.socket(socket.AF_UNIX) as agent:
                    agent.connect(there)
                    asking = threading.Thread(target=pump, args=(caller, agent))
                    asking.start()
                    pump(agent, caller)
                    asking.join()

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield str(here)
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            serving.join()


def packed(selection: Selection) -> Selection:
    """The selection with the bytes of its files in it, so that it can travel."""

    def whole(item: Selected) -> Selected:
        content = Path(item.content).read_bytes() if isinstance(item.content, str) else item.content
        return item._replace(content=content, stamp=None)

    return tuple(r._replace(top=whole(r.top), items=tuple(map(whole, r.items))) for r in selection)


def elsewhere(root: Path) -> type[Elsewhere]:
    """The performer whose processes have their store at `root`."""
    return type("ElsewhereAt", (Elsewhere,), {"root": str(root), "performed": []})
