"""Steps of a foreign architecture through an emulator that the kernel was told of, in a user namespace with handlers of
its own (binfmt_misc, Linux 6.7): nothing is registered on the machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.build.build_workshop import tar_of, write_layout

from kezuri.linux.binfmt import MACHINES, program

SOURCES = str(Path(__file__).parents[2] / "src")
FOREIGN = "s390x" if os.uname().machine == "aarch64" else "aarch64"
PLATFORM = "linux/s390x" if FOREIGN == "s390x" else "linux/arm64"
EMULATOR = shutil.which(f"qemu-{FOREIGN}-static") or shutil.which(f"qemu-{FOREIGN}")
KERNEL = tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2])

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(EMULATOR is None, reason="needs qemu-user-static"),
    pytest.mark.skipif(KERNEL < (6, 7), reason="handlers of a namespace's own came with Linux 6.7"),
]

DOCKERFILE = 'FROM base\nCOPY f /f\nRUN ["/bin/program"]\nCMD ["/bin/program"]\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "context" / "f").write_text("f")
    tar = tar_of(("bin", None), ("bin/program", program(MACHINES[FOREIGN])))
    write_layout(tmp_path / "base", [tar])
    return tmp_path


def within(place: Path, flags: str, *commands: str) -> "subprocess.CompletedProcess[str]":
    """Run commands of kezuri where the emulator is registered with these flags."""
    head = program(MACHINES[FOREIGN])[:20]
    mask = bytes([255] * 7 + [0] + [255] * 8 + [254, 255, 255, 255])
    magic, cover = ("".join(f"\\x{byte:02x}" for byte in data) for data in (head, mask))
    (place / "line").write_text(f":foreign:M::{magic}:{cover}:{EMULATOR}:{flags}")
    script = "\n".join(
        [
            "set -e",
            "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc",
            *([f"cat {place}/line > /proc/sys/fs/binfmt_misc/register"] if flags != "none" else []),
            *(f"{sys.executable} -m kezuri {command}" for command in commands),
        ]
    )
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": SOURCES, "KEZURI_ROOT": str(place / "store")},
    )


def build(place: Path, *more: str) -> str:
    words = ("build", "--progress=plain", f"--platform={PLATFORM}", f"--build-context=base=oci-layout://{place}/base")
    return " ".join((*words, *more, f"{place}/context"))


@pytest.mark.parametrize("flags", ["F", ""], ids=["held open by the kernel", "shown to the step"])
def test_a_step_is_emulated_and_nothing_of_it_stays(place: Path, flags: str) -> None:
    done = within(
        place, flags, build(place, "--tag=app"), f"run --platform={PLATFORM} app", build(place, f"-o {place}/out")
    )
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr and "] RUN" in done.stderr
    files = [str(p.relative_to(place / "out")) for p in (place / "out").rglob("*") if not p.is_dir()]
    assert sorted(files) == ["bin/program", "f"]
    assert not any(EMULATOR and p.name == os.path.basename(EMULATOR) for p in (place / "out").rglob("*"))


def test_without_an_emulator_the_step_is_refused(place: Path) -> None:
    done = within(place, "none", build(place))
    assert done.returncode == 1
    assert f"does not run programs for {PLATFORM}, and no emulator is registered" in done.stderr
    assert "Dockerfile:3:1" in done.stderr
