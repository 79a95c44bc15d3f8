"""A performer that does each task in another process, with a store of its own, and keeps every task's JSON."""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from tests.step.step_worker import give_layer, named, stacks, take_layer

from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.plan.operation import SecretMount
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox.step import Output
from kezuri.step import encoding
from kezuri.step.task import Outcome, Picked, Run, Supplies, Task
from kezuri.store.store import Store
from kezuri.tree.selection import Selected, Selection

HERE = Path(__file__).parents[2]


class Elsewhere:
    """Made as LocalPerformer is. `root`, the other store, is set by a subclass (see `elsewhere`)."""

    root = ""
    performed: list[str]

    def __init__(
        self, store: Store, forms: Forms, supplies: Supplies, sandbox: Callable[[], Any], ca_bundle: str = ""
    ) -> None:
        self._store, self._forms, self._supplies = store, forms, supplies

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def left(self, name: str) -> None:
        return None

    def renew(self, families: Iterable[str]) -> None:
        with tempfile.TemporaryDirectory() as box:
            self._work(Path(box), "", list(families), {})

    def perform(self, task: Task, output: Output, cancel: CallOff) -> Outcome:
        text = encoding.encode(task)
        self.performed.append(text)
        mounts = task.work.mounts if isinstance(task.work, Run) else ()
        secrets = {m.id: self._supplies.secret(m.id) for m in mounts if isinstance(m, SecretMount)}
        with tempfile.TemporaryDirectory() as directory:
            box = Path(directory)
            for stack in stacks(task):
                for layer in stack:
                    give_layer(self._store, self._forms, layer, box / layer)
            for files in named(task):
                if isinstance(files, Picked):
                    (box / files.digest).write_bytes(pickle.dumps(packed(self._supplies.selection(files))))
            self._work(box, text, [], secrets)
            for stream, data in pickle.loads((box / "output").read_bytes()):
                output(stream, data)
            if (box / "error").exists():
                message, hint, code = json.loads((box / "error").read_text())
                raise KezuriError.of(message, hint=hint, exit_code=code)
            outcome = encoding.outcome((box / "outcome").read_text())
            if outcome.failure is None:
                take_layer(self._store, self._forms, outcome.layer, task.below, box / f"made-{outcome.layer}")
        return outcome

    def _work(self, box: Path, text: str, families: list[str], secrets: dict[str, bytes | None]) -> None:
        (box / "task").write_text(text)
        (box / "renew").write_text(json.dumps(families))
        (box / "secrets").write_bytes(pickle.dumps(secrets))
        environ = {**os.environ, "PYTHONPATH": f"{HERE / 'src'}:{HERE}"}
        command = [sys.executable, "-m", "tests.step.step_worker", str(box), self.root]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def packed(selection: Selection) -> Selection:
    """The selection with the bytes of its files in it, so that it can travel."""

    def whole(item: Selected) -> Selected:
        content = Path(item.content).read_bytes() if isinstance(item.content, str) else item.content
        return item._replace(content=content, stamp=None)

    return tuple(r._replace(top=whole(r.top), items=tuple(map(whole, r.items))) for r in selection)


def elsewhere(root: Path) -> type[Elsewhere]:
    """The performer whose processes have their store at `root`."""
    return type("ElsewhereAt", (Elsewhere,), {"root": str(root), "performed": []})
