"""The system call filter, run in an interpreter of our own: what the kernel would do with every number."""

import struct
from pathlib import Path

import pytest

from kezuri.linux import syscalls
from kezuri.sandbox import ids_filter, seccomp

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50001, 0x50026
AUDIT = {"x86_64": 0xC000003E, "i386": 0x40000003, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3}


def answer(program: bytes, machine: int, number: int, *arguments: int) -> int:
    """Run classic BPF as far as seccomp filters use it (linux/filter.h)."""
    code = list(struct.iter_unpack("=HBBI", program))
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, machine, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    at, a = 0, 0
    for _ in range(len(code)):
        op, yes, no, k = code[at]
        at += 1
        if op == 0x20:
            (a,) = struct.unpack_from("<I", data, k)
        elif op == 0x06:
            return int(k)
        elif op == 0x05:
            at += k
        elif op == 0x54:
            a &= k
        else:
            holds = {0x15: a == k, 0x35: a >= k, 0x45: bool(a & k)}[op]
            at += yes if holds else no
    raise AssertionError("the program does not end")


@pytest.mark.parametrize("host", ["x86_64", "aarch64", "riscv64"])
def test_every_number_is_answered_by_the_list(host: str) -> None:
    program = seccomp.program(host)
    assert len(program) % 8 == 0 and len(program) // 8 <= 4096
    for machine in seccomp.WITH[host]:
        names = {number: name for name, number in syscalls.table(machine).items()}
        for number in range(600):
            name = names.get(number)
            said = answer(program, AUDIT[machine], number)
            if name in ("clone", "personality", "socket"):
                assert said == ALLOW  # with a harmless first argument
            elif name in seccomp.ALLOWED:
                assert said == ALLOW, name
            elif name is None or name == "clone3":
                assert said == ENOSYS, number
            else:
                assert said == EPERM, name


def test_arguments_are_looked_at() -> None:
    program, machine = seccomp.program("x86_64"), AUDIT["x86_64"]
    numbers = syscalls.table("x86_64")
    for shift in (17, 25, 26, 27, 28, 29, 30):
        assert answer(program, machine, numbers["clone"], 1 << shift | 17) == EPERM
    assert answer(program, machine, numbers["clone"], 0x1200011) == ALLOW
    for family in range(64):
        refused = family in (38, 40) or family >= 46  # AF_ALG, AF_VSOCK, and what came after these rules
        assert answer(program, machine, numbers["socket"], family) == (EPERM if refused else ALLOW), family
    for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF):
        assert answer(program, machine, numbers["personality"], value) == ALLOW
    assert answer(program, machine, numbers["personality"], 0x40000) == EPERM


def test_other_numberings_are_not_there() -> None:
    program = seccomp.program("x86_64")
    assert answer(program, AUDIT["x86_64"], 0x40000000) == ENOSYS  # x32
    assert answer(program, AUDIT["x86_64"], -1) == ENOSYS
    assert answer(program, AUDIT["aarch64"], 63) == ENOSYS
    assert answer(seccomp.program("aarch64"), 0x40000028, 3) == ENOSYS  # 32-bit Arm
    with pytest.raises(ValueError, match="s390x"):
        seccomp.program("s390x")


def test_dangerous_calls_are_in_no_list() -> None:
    dangerous = "mount umount2 pivot_root setns bpf init_module kexec_load reboot swapon keyctl add_key io_uring_setup"
    dangerous += " open_by_handle_at perf_event_open userfaultfd settimeofday open_tree fsopen move_mount quotactl"
    assert not seccomp.ALLOWED & set(dangerous.split())


def test_the_runtimes_are_told_the_same() -> None:
    profile = seccomp.oci_profile("x86_64")
    allowed = {
        n for r in profile["syscalls"] if r["action"] == "SCMP_ACT_ALLOW" and "args" not in r for n in r["names"]
    }
    known = {n for m in ("x86_64", "i386") for n in syscalls.table(m)}
    assert allowed == seccomp.ALLOWED & known
    assert {n for r in profile["syscalls"] if "args" in r for n in r["names"]} == {
        "clone",
        "personality",
        "socket",
    }


def recorded() -> dict[str, set[str]]:
    """The calls that moby's profile allows, by machine."""
    found: dict[str, set[str]] = {}
    for line in (Path(__file__).parent / "moby_seccomp.txt").read_text().splitlines():
        if line.endswith(":"):
            names = found.setdefault(line[:-1], set())
        elif not line.startswith("#"):
            names |= set(line.split())
    return found


@pytest.mark.parametrize("host", ["x86_64", "aarch64", "riscv64"])
def test_the_list_is_that_of_container_engines(host: str) -> None:
    """What they allow and we do not know has no number on the machine, which the kernel's headers say."""
    theirs = recorded()["all"] | recorded()[host]
    known = {name for machine in seccomp.WITH[host] for name in syscalls.table(machine)}
    assert seccomp.ALLOWED & known == theirs & known
    elsewhere = {name for machine in ("x86_64", "i386", "aarch64", "riscv64") for name in syscalls.table(machine)}
    # The last ones are 32-bit Arm's, whose programs we answer with ENOSYS.
    arm = {"arm_fadvise64_64", "arm_sync_file_range", "sync_file_range2", "breakpoint", "cacheflush", "set_tls"}
    assert theirs - elsewhere <= {"recv", "send"} | arm


HAND_OVER, SUCCEED = 0x7FC00000, 0x50000


@pytest.mark.parametrize("host", ["x86_64", "aarch64", "riscv64"])
@pytest.mark.parametrize("answered", [True, False])
def test_calls_about_owners_and_ids_are_handed_over_and_no_others(host: str, answered: bool) -> None:
    program = ids_filter.program(host, answered)
    for machine in seccomp.WITH[host]:
        names = {number: name for name, number in syscalls.table(machine).items()}
        for number in range(600):
            name = names.get(number, "")
            word = name.removesuffix("32")
            expected = ALLOW
            if word in (*ids_filter.OWNERS, *ids_filter.CHANGES):
                expected = HAND_OVER if answered else SUCCEED
            elif word in ids_filter.QUESTIONS or (name in ids_filter.STATUS and not _is_old(machine, name)):
                expected = HAND_OVER if answered else ALLOW
            assert answer(program, AUDIT[machine], number) == expected, (machine, name)
    assert answer(program, AUDIT["x86_64"], 0x40000000 + 92) == ALLOW  # x32, which the other filter refuses


def _is_old(machine: str, name: str) -> bool:
    return machine == "i386" and name != "statx"


def test_of_nodes_only_devices_are_handed_over() -> None:
    program, machine, numbers = ids_filter.program("x86_64"), AUDIT["x86_64"], syscalls.table("x86_64")
    for mode, said in ((0o100644, ALLOW), (0o10644, ALLOW), (0o20644, HAND_OVER), (0o60600, HAND_OVER), (0, ALLOW)):
        assert answer(program, machine, numbers["mknod"], 0, mode) == said
        assert answer(program, machine, numbers["mknodat"], 0, 0, mode) == said
