"""What a base costs is the time of its FROM: it is fetched, unpacked and listed before a step's clock starts."""

from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import busybox_tar
from tests.build.build_workshop import Workshop, tar_of, write_layout

from kezuri.forms.listings import Listings
from kezuri.forms.unpacking import Unpacking
from kezuri.progress.events import StepCached, StepDone, StepStarted


class Clocked(Workshop):
    """A workshop in whose story the work on bases has its place."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, tar: bytes) -> None:
        super().__init__(directory)
        self.base = (("base", f"oci-layout://{write_layout(directory / 'base', [tar])}"),)
        self.write(**{"a.txt": "a"})
        for kind, name in ((Unpacking, "_unpack"), (Listings, "_listing")):
            original = getattr(kind, name)

            def slow(part: object, *given: Any, original: Any = original) -> Any:
                found = original(part, *given)
                self.work.append(len(self.said.events))
                return found

            monkeypatch.setattr(kind, name, slow)
        self.work: list[int] = []

    def told(self, dockerfile: str, **more: Any) -> list[str]:
        """What was told of steps, with `work` where something was done with a base."""
        self.work.clear()
        self.build(dockerfile, build_contexts=self.base, **more)
        names = {e.step: str(e.name).partition("@")[0] for e in self.said.events if isinstance(e, StepStarted)}
        out = []
        words = {StepStarted: "start", StepDone: "done", StepCached: "cached"}
        for i, event in enumerate(self.said.events):
            out += ["work"] * self.work.count(i)
            word = words.get(type(event))
            if word and not any(s in names[event.step] for s in ("internal", "export")):  # type: ignore[union-attr]
                out.append(f"{word} {names[event.step]}")  # type: ignore[union-attr]
        return list(dict.fromkeys(out))


def test_a_copy_onto_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Clocked(tmp_path, monkeypatch, tar_of(("etc", None), ("etc/passwd", b"app:x:7:8::/:/x\n")))
    text = "FROM base\nCOPY a.txt /etc/\nCOPY a.txt /b\n"
    base, first, second = "[1/3] FROM base", "[2/3] COPY a.txt /etc/", "[3/3] COPY a.txt /b"
    assert shop.told(text) == [
        f"start {base}",
        "work",
        f"done {base}",
        f"start {first}",
        f"done {first}",
        f"start {second}",
        f"done {second}",
    ]
    told = [f"start {base}", f"cached {base}"]
    for step in (first, second):
        told += [f"start {step}", f"cached {step}"]
    assert shop.told(text) == told


def test_a_base_that_nobody_looks_at_is_told_of_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Clocked(tmp_path, monkeypatch, tar_of(("etc", None)))
    told = shop.told("FROM base\nCOPY --link a.txt /x/\n", outputs=())
    base, copy = "[1/2] FROM base", "[2/2] COPY --link a.txt /x/"
    assert told[:4] == [f"start {copy}", f"done {copy}", f"start {base}", f"done {base}"]


@pytest.mark.slow
def test_a_run_on_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Clocked(tmp_path, monkeypatch, busybox_tar())
    base, first = "[1/2] FROM base", "[2/2] RUN true"
    told = shop.told("FROM base\nRUN true\n")
    assert told == [f"start {base}", "work", f"done {base}", f"start {first}", f"done {first}"]
