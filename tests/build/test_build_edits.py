"""After a single edit exactly those steps run again that its files matter to."""

from pathlib import Path

import pytest
from tests.build.build_edits import EDITS, Edited, lay
from tests.build.build_workshop import Workshop


@pytest.mark.parametrize("edited", EDITS, ids=lambda edited: edited.name)
def test_what_runs_again(edited: Edited, tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    lay(str(workshop.context))
    written = edited.dockerfile.splitlines()
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\n" + edited.dockerfile)
    workshop.build(file=str(dockerfile))
    assert workshop.said.ran == sorted(written)
    workshop.build(file=str(dockerfile))
    assert workshop.said.cached == sorted(written)
    edited.edit(str(workshop.context))
    workshop.build(file=str(dockerfile))
    assert workshop.said.ran == sorted(written[number] for number in edited.again)
    assert workshop.said.cached == sorted(line for n, line in enumerate(written) if n not in edited.again)
