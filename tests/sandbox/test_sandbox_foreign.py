"""Which platforms' steps this machine runs, and what is said of the others."""

from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.linux import binfmt
from kezuri.oci.platform import Platform
from kezuri.sandbox import foreign
from kezuri.sandbox.foreign import Here, emulator
from kezuri.sandbox.step import HostMount

V3 = frozenset(word for _, words in foreign._LEVELS[:2] for word in words.split())
PROCESSOR = Here(Platform("linux", "amd64"), V3)


def ask(text: str, here: Here = PROCESSOR, scratch: Path = Path("/nonexistent")) -> tuple[HostMount, ...]:
    return emulator(Platform.normal(*text.split("/")), str(scratch), here)


@pytest.mark.parametrize("text", ["linux/amd64", "linux/amd64/v1", "linux/amd64/v2", "linux/amd64/v3"])
def test_levels_that_the_processor_has_need_nothing(text: str) -> None:
    assert ask(text) == ()


def test_a_level_that_the_processor_lacks_is_refused() -> None:
    with pytest.raises(KezuriError, match=r"linux/amd64/v4: it lacks avx512f, avx512bw"):
        ask("linux/amd64/v4")
    with pytest.raises(KezuriError, match=r"linux/amd64/v4: it lacks movbe"):
        ask("linux/amd64/v4", PROCESSOR._replace(flags=V3 - {"movbe"}))
    assert ask("linux/amd64/v4", PROCESSOR._replace(flags=frozenset())) == ()


def test_variants_of_arm_are_left_to_the_processor() -> None:
    assert ask("linux/arm/v6", Here(Platform("linux", "arm", "v7"))) == ()


def test_another_system_is_refused() -> None:
    with pytest.raises(KezuriError, match="windows/amd64 cannot run here"):
        ask("windows/amd64")


def test_an_architecture_that_nobody_knows_is_refused() -> None:
    with pytest.raises(KezuriError, match=r"does not run programs for linux/sparc64") as caught:
        ask("linux/sparc64")
    assert "$BUILDPLATFORM" in caught.value.diagnostics[0].hint
    assert "qemu-user-static" in caught.value.diagnostics[0].hint


class TestEmulators:
    """Handlers for programs that this machine starts anyway: the list decides what a step is shown."""

    @pytest.fixture
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
        # To the table, this machine's own programs are another platform's.
        own = foreign._MACHINES[Platform.host().architecture]
        monkeypatch.setitem(foreign._MACHINES, "elsewhere", own)
        (tmp_path / "handlers").mkdir()
        return Here(Platform.host(), frozenset(), str(tmp_path / "handlers"))

    def register(self, here: Here, interpreter: Path, flags: str) -> None:
        magic = binfmt.program(binfmt.MACHINES[foreign._MACHINES["elsewhere"]])[:20].hex()
        text = f"enabled\ninterpreter {interpreter}\nflags: {flags}\noffset 0\nmagic {magic}\n"
        (Path(here.handlers) / "qemu").write_text(text)

    def test_where_none_is_to_be_seen_nothing_is_shown(self, here: Here, tmp_path: Path) -> None:
        assert ask("linux/elsewhere", here, tmp_path) == ()

    def test_one_that_the_kernel_holds_open_needs_not_be_shown(self, here: Here, tmp_path: Path) -> None:
        self.register(here, tmp_path / "qemu", "OCF")
        assert ask("linux/elsewhere", here, tmp_path) == ()

    def test_another_is_shown_at_its_own_path(self, here: Here, tmp_path: Path) -> None:
        (tmp_path / "qemu").write_bytes(binfmt.program(next(iter(binfmt.MACHINES.values()))))
        self.register(here, tmp_path / "qemu", "OC")
        path = str(tmp_path / "qemu")
        assert ask("linux/elsewhere", here, tmp_path) == (HostMount(path, path, writable=False),)

    def test_one_that_needs_libraries_is_refused(self, here: Here, tmp_path: Path) -> None:
        self.register(here, Path("/bin/sh"), "")
        with pytest.raises(KezuriError, match="/bin/sh, cannot be shown to a step"):
            ask("linux/elsewhere", here, tmp_path)
