"""Tables and files of the kernel, as this machine has them."""

import os
import platform
import re

import pytest

from kezuri.linux import idmaps, libc, mounts, privileges, syscalls, userns

HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "i386": "/usr/include/x86_64-linux-gnu/asm/unistd_32.h",
}


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_are_those_of_the_headers(machine: str) -> None:
    if not os.path.exists(HEADERS[machine]):
        pytest.skip("the kernel's headers are not installed")
    with open(HEADERS[machine]) as f:
        known = {m[1]: int(m[2]) for m in re.finditer(r"#define __NR_(\w+)\s+(\d+)", f.read())}
    table = syscalls.table(machine)
    assert known and {name: table.get(name) for name in known} == known


def test_tables_are_plausible_on_every_machine() -> None:
    for machine in ("x86_64", "i386", "aarch64", "riscv64"):
        table = syscalls.table(machine)
        assert len(set(table.values())) == len(table)
        assert table["openat2"] == libc.OPENAT2 and table["mount_setattr"] == libc.MOUNT_SETATTR
        assert table["close_range"] == libc.CLOSE_RANGE and table["move_mount"] == libc.MOVE_MOUNT
    assert syscalls.table("aarch64")["pivot_root"] == 41 and syscalls.table("aarch64")["keyctl"] == 219
    assert syscalls.table("aarch64")["rseq"] == 293 and syscalls.table("aarch64")["statx"] == 291
    assert syscalls.table("x86_64")["pivot_root"] == 155 and syscalls.table("x86_64")["keyctl"] == 250
    assert syscalls.table("sparc") == {}


def test_this_machine_answers_to_its_numbers() -> None:
    table = syscalls.table(platform.machine())
    if not table:
        pytest.skip("a machine without a table")
    assert libc.syscall(table["getpid"]) == os.getpid()
    with pytest.raises(OSError) as caught:
        libc.syscall(table["chdir"], b"/no/such/place")
    assert caught.value.errno == 2


def test_subordinate_ids_are_found_by_name_and_by_number(tmp_path: os.PathLike[str]) -> None:
    path = f"{tmp_path}/subuid"
    with open(path, "w") as f:
        f.write("# note\nann:1000:5\nbob:100000:65536\n1001:200000:10\nbob:300000:0\nbob:x:1\n:7:7\n")
    assert userns.subordinate(path, "bob", 1001).ranges == ((100000, 65536), (200000, 10))
    assert userns.subordinate(path, "", 1001).ranges == ((200000, 10),)
    assert userns.subordinate(path, "eve", 5).ranges == ()
    assert userns.subordinate(f"{path}-not-there", "bob", 1).ranges == ()


def test_capabilities_are_as_the_kernel_shows_them() -> None:
    with open("/proc/self/status") as f:
        shown = dict(line.split(":", 1) for line in f if line.startswith("Cap"))
    effective, permitted, inheritable = privileges.capabilities()
    assert (effective, permitted, inheritable) == tuple(int(shown[k], 16) for k in ("CapEff", "CapPrm", "CapInh"))
    assert privileges.mask(("CHOWN", "CHECKPOINT_RESTORE")) == 1 | 1 << 40


def test_mounts_are_found() -> None:
    assert mounts.type_at("/proc/self/status") == "proc"
    assert "/proc" in mounts.points_below("/")
    assert mounts._unescape(rb"a\040b\134c") == rb"a b\c"


def test_id_maps() -> None:
    ranges = idmaps.id_map()
    assert idmaps.is_mapped(os.getuid(), ranges)
    assert not idmaps.is_mapped(5, ((0, 1000, 1),))
    assert idmaps.is_mapped(65536, ((0, 1000, 1), (1, 100000, 65536)))
    assert not idmaps.is_mapped(65537, ((0, 1000, 1), (1, 100000, 65536)))


def test_the_setting_that_forbids_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"kernel.apparmor_restrict_unprivileged_userns": "1"}
    monkeypatch.setattr(userns, "setting", lambda name: settings.get(name, ""))
    error = userns.forbidden(PermissionError(1, "Operation not permitted"))
    assert "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in error.diagnostics[0].hint
    settings.clear()
    settings["user.max_user_namespaces"] = "0"
    assert "user.max_user_namespaces" in userns.forbidden(OSError(28, "No space left")).diagnostics[0].hint
    settings.clear()
    assert "seccomp" in userns.forbidden(PermissionError(1, "no")).diagnostics[0].hint
