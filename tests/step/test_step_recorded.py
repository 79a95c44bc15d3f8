"""The tasks of recorded Dockerfiles: each survives JSON, and none holds a path of this machine or a secret.

All that stands in `tests/peers` and `tests/plan/cases` is planned here, with the contexts, secrets and agents of a
machine whose paths would be noticed. Contexts are digested as they are; layers of stages and images have made-up ids.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from tests.peers.peers_cases import CASES, make_context
from tests.plan.plan_recorded import plan_of, recorded

from kezuri.cache.file_lists import FileLists
from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.forms.packing import Packing
from kezuri.keys.inputs import Context, Inputs
from kezuri.keys.options import Options, RunSettings
from kezuri.keys.state import SCRATCH, State, StateOf, base_state, next_state
from kezuri.keys.stepkeys import StepKeys
from kezuri.plan.inputs import BaseImage, Choice, ContextInput, GitSource, ImageInput, Remote, StageInput
from kezuri.plan.key import digest, state_of
from kezuri.plan.operation import Plan
from kezuri.step import encoding
from kezuri.step.task import Fetched, Run, Task
from kezuri.step.tasks import Tasks
from kezuri.store.store import Store
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.stat_index import StatIndex

MACHINE = "a machine that nobody else has"
SECRET = b"the-value-of-a-secret"
PASSWORD = "someone:a-password"


class Secrets:
    """Has a secret of every id."""

    def get(self, id: str) -> bytes | None:
        return SECRET


class Agents(Mapping[str, str]):
    """Has an agent of every id."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, id: str) -> str:
        return str(self._directory / f"agent {id}")

    def __contains__(self, id: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Recorded(Inputs):
    """Inputs whose contexts are real and all the same, and whose stages, images and remote sources are made up."""

    def digest(self, choice: Choice, states: StateOf) -> str:
        if isinstance(choice.input, ContextInput):
            try:
                return super().digest(choice._replace(input=ContextInput()), states)
            except KezuriError:
                return "what is not in the context of the peers"
        return f"sha256:{state_of(repr(choice))}"

    def state(self, source: StageInput | ImageInput, states: StateOf) -> State:
        return states(source) if isinstance(source, StageInput) else self.image(source.image)

    def image(self, image: BaseImage) -> State:
        return base_state(image)

    def identity(self, source: Remote) -> tuple[str, str]:
        return ("git" if isinstance(source, GitSource) else "url", f"sha256:{state_of(repr(source))}")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("machine") / MACHINE
    (directory / "context").mkdir(parents=True)
    make_context(str(directory / "context"))
    return directory


@pytest.fixture(scope="module")
def inputs(machine: Path) -> Iterator[Recorded]:
    indexes, context = str(machine / "store" / "contexts"), str(machine / "context")
    with Store(str(machine / "store")) as store, StatIndex(indexes, context) as index:
        lists = FileLists(store.database)
        contexts = {"": Context(DirectoryTree(context), index)}
        yield Recorded(contexts, cast(Forms, None), store.database, index, lambda: lists)


def tasks_of(plan: Plan, inputs: Inputs, machine: Path) -> list[Task]:
    """A task for each operation of the plan, as a build makes them."""
    options = Options(
        RunSettings((("db", "10.0.0.1"),), (("nofile", 1, 2),), 1 << 20),
        Secrets(),
        Agents(machine),
        str(machine / "authorities.pem"),
        allow=frozenset(("network.host", "security.insecure")),
    )
    keys, tasks = StepKeys(inputs, options), Tasks(inputs, options, Packing(), "namespace", True)
    ends: dict[int, State] = {}
    found = []
    for stage in plan.stages:
        state = SCRATCH
        if isinstance(stage.base, StageInput):
            state = ends[stage.base.stage]
        elif stage.base is not None:
            state = base_state(stage.base)
        for operation in stage.operations:
            components = keys.components(operation, state, lambda source: ends[source.stage])
            found.append(tasks.task(operation, components, state, lambda source: ends[source.stage], True))
            state = next_state(state, f"layer-{digest(components)}")
        ends[stage.number] = state
    return found


ELSEWHERE = (
    f"FROM busybox\nADD https://{PASSWORD}@example.org/one f https://example.org/two /d/\n"
    f"ADD --keep-git-dir=true https://{PASSWORD}@example.org/repo.git#main:sub /repo\n"
    f"ADD --checksum=sha256:{'0' * 64} https://example.org/pinned.tar.gz /pinned/\n"
)


def peers() -> list[dict[str, Any]]:
    """The Dockerfiles of the comparisons, and one whose sources lie elsewhere."""
    cases = [
        {
            "name": case.name,
            "dockerfile": case.text.replace("{base}", "busybox"),
            "args": dict(argument.split("=", 1) for argument in case.arguments if "=" in argument),
        }
        for case in CASES
    ]
    return [*cases, {"name": "elsewhere", "dockerfile": ELSEWHERE}]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["peers", "language", "random"])
def test_tasks_of_recorded_dockerfiles(name: str, inputs: Recorded, machine: Path) -> None:
    gone = [MACHINE, str(machine), str(machine.parent), SECRET.decode(), PASSWORD, "a-password", "authorities.pem"]
    planned, kinds, shapes = 0, set[str](), set[str]()
    for case in peers() if name == "peers" else recorded(name):
        try:
            plan = plan_of(case)
        except KezuriError as error:
            if name == "peers":
                raise AssertionError(case["name"]) from error
            continue  # one that is refused, as it is recorded
        planned += 1
        for task in tasks_of(plan, inputs, machine):
            text = encoding.encode(task)
            back = encoding.task(text)
            # Named tuples are equal to tuples: the types are compared by what they print.
            assert (back, repr(back)) == (task, repr(task)), case["name"]
            assert [word for word in gone if word in text] == [], case["name"]
            kinds.add(type(task.work).__name__)
            parts = task.work.mounts if isinstance(task.work, Run) else getattr(task.work, "files", ())
            shapes |= {type(part).__name__ for part in parts}
            assert all(not part.source.credentials for part in parts if isinstance(part, Fetched))
    assert planned >= {"peers": len(CASES) + 1, "language": 150, "random": 80}[name], planned
    assert kinds == {"Run", "Copy", "MakeDirectory"}
    mounts = {"Bind", "Cache", "TmpfsMount", "SecretMount", "AgentMount"}
    more = {"peers": {"Fetched"}, "language": mounts, "random": set[str]()}[name]
    assert {"Picked", "Stacked", *more} <= shapes, shapes
