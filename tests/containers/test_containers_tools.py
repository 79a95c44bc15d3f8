"""A toolbox for images that have no shell."""

import os
import struct
import sys
from pathlib import Path

import pytest
from tests.build.build_busybox import BUSYBOX, RUNS_STEPS
from tests.containers.containers_place import Place

from kezuri.containers import tools
from kezuri.diagnostics import KezuriError
from kezuri.sandbox.step import Root, Step

STEP = Step(Root(()), ("sh",), env=(("PATH", "/bin"), ("A", "1")))


def test_what_is_static() -> None:
    assert not tools.is_static(Path(sys.executable).resolve().read_bytes())
    assert not tools.is_static(b"") and not tools.is_static(b"#!/bin/sh\n")
    head = bytearray(b"\x7fELF\x02\x01" + b"\0" * 58 + struct.pack("<I", 1) + b"\0" * 52)
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, 1)
    assert tools.is_static(bytes(head))
    struct.pack_into("<H", head, 56, 9)
    assert not tools.is_static(bytes(head)), "the headers lie beyond its end"


@pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")
def test_the_stores_own_is_the_second_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(BUSYBOX).read_bytes()
    monkeypatch.setattr(tools, "_own", lambda: None)
    step = tools.add(STEP, str(tmp_path / "tools"), lambda: program)
    assert dict(step.env)["PATH"] == f"/bin:{tools.PLACE}"
    assert (tmp_path / "tools" / "sh").read_bytes() == program
    with pytest.raises(KezuriError, match="no static busybox is installed"):
        tools.add(STEP, str(tmp_path / "other"), lambda: b"#!/bin/sh\n")
    with pytest.raises(KezuriError, match="no static busybox is installed"):
        tools.add(STEP, str(tmp_path / "other"), lambda: None)
    assert not (tmp_path / "other").exists()


class TestContainers:
    """With real ones."""

    pytestmark = RUNS_STEPS

    @pytest.mark.parametrize("runtime", ["kezuri", "crun"])
    def test_an_image_without_a_shell_gets_one(self, place: Place, runtime: str, programs: set[str]) -> None:
        if runtime not in programs:
            pytest.skip(f"{runtime} is not installed")
        name = f"bare-{runtime}"
        context = place.directory / name
        context.mkdir()
        (context / "Dockerfile").write_text(
            'FROM scratch\nCOPY Dockerfile /etc/data\nUSER 1000:1000\nENV A=7\nENTRYPOINT ["/x"]\n'
        )
        assert place("build", "-q", "-t", name, str(context)).returncode == 0
        run = ("--runtime", runtime, "--tools", name)
        said = place.run(*run, "sh", "-c", "id -u; echo $A; head -n 1 /etc/data; touch /dev/.kezuri/tools/x || ls /")
        assert said.stdout == "1000\n7\nFROM scratch\ndev\netc\nproc\nsys\n", said
        assert place.run(*run).returncode == 0, "a shell that reads nothing ends"
        assert place.run("--runtime", runtime, name).returncode == 127
