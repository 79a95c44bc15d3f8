"""Which system calls a step may make: a list of those that are allowed, as a BPF program for the kernel and as JSON for
OCI runtimes."""

import struct
from typing import Any

from kezuri.linux import syscalls

# Grouped by purpose: reading and writing, opening, paths and metadata, attributes, watching, memory, processes,
# signals, ids, limits, scheduling, futexes, time, polling, sockets, System V and POSIX queues. A call that is not
# listed is refused, among them those for mounts, namespaces, kernel modules, keys, setting clocks, swap, tracing the
# kernel, NUMA policy, io_uring and opening file handles.
_ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek sendfile sendfile64 splice tee
vmsplice copy_file_range readahead fadvise64 fadvise64_64 sync fsync fdatasync syncfs sync_file_range fallocate
truncate truncate64 ftruncate ftruncate64
open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2 memfd_create
memfd_secret name_to_handle_at cachestat
stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 access faccessat
faccessat2 getdents getdents64 readlink readlinkat getcwd chdir fchdir chroot umask
chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat utime utimes utimensat
utimensat_time64 futimesat rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat mkdir mkdirat rmdir
mknod mknodat statmount listmount
getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr
fremovexattr getxattrat setxattrat listxattrat removexattrat
inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
brk mmap mmap2 munmap mremap mprotect msync madvise mincore mlock mlock2 mlockall munlock munlockall remap_file_pages
membarrier pkey_alloc pkey_free pkey_mprotect map_shadow_stack mseal
fork vfork execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill pidfd_open pidfd_send_signal
process_mrelease ptrace process_vm_readv process_vm_writev prctl arch_prctl modify_ldt set_thread_area get_thread_area
set_tid_address set_robust_list get_robust_list rseq restart_syscall seccomp landlock_create_ruleset
landlock_add_rule landlock_restrict_self capget capset
rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
signalfd signalfd4 pause alarm
getpid getppid gettid getpgid getpgrp setpgid getsid setsid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid
getegid32 getgroups getgroups32 getresuid getresuid32 getresgid getresgid32 setuid setuid32 setgid setgid32 setreuid
setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32
setgroups setgroups32
getrlimit setrlimit ugetrlimit prlimit64 getrusage getpriority setpriority ioprio_get ioprio_set sysinfo uname times
getcpu getrandom
sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval
sched_rr_get_interval_time64
futex futex_time64 futex_waitv futex_wake futex_wait futex_requeue
time gettimeofday clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64
clock_adjtime clock_adjtime64 adjtimex nanosleep getitimer setitimer timer_create timer_delete timer_getoverrun
timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
timerfd_settime timerfd_settime64
poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl epoll_wait
epoll_pwait epoll_pwait2 epoll_ctl_old epoll_wait_old eventfd eventfd2 io_setup io_destroy io_submit io_cancel
io_getevents io_pgetevents io_pgetevents_time64
socketcall socketpair bind listen accept accept4 connect shutdown send sendto sendmsg sendmmsg recv recvfrom recvmsg
recvmmsg recvmmsg_time64 getsockname getpeername getsockopt setsockopt
ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget mq_open
mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
riscv_flush_icache riscv_hwprobe uretprobe
"""

ALLOWED = frozenset(_ALLOWED.split())
"""System calls that are allowed with any arguments. The kernel checks permissions after this filter, as ever."""

NAMESPACE_FLAGS = 0x7E020000
"""The flags of clone(2) that make namespaces."""

PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""The arguments of personality(2) that are allowed: Linux, 32-bit Linux (PER_LINUX32), both of them with UNAME26, and
0xffffffff, which asks for the present one."""

_ALG, _VSOCK, _AFTER_LAST = 38, 40, 46
"""Socket families that are refused: AF_ALG (the kernel's ciphers), AF_VSOCK (the way to a hypervisor), and all families
from this number on, which are younger than the list."""
_EPERM, _ENOSYS = 1, 38
ALLOW, _ERRNO = 0x7FFF0000, 0x00050000

# linux/audit.h: the machine of a system call, and the table of its numbers.
AUDIT = {"x86_64": 0xC000003E, "i386": 0x40000003, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3}
WITH = {
    "x86_64": ("x86_64", "i386"),
    "amd64": ("x86_64", "i386"),
    "aarch64": ("aarch64",),
    "arm64": ("aarch64",),
    "riscv64": ("riscv64",),
}

LD, JEQ, _JGE, _JSET, JA, RET = 0x20, 0x15, 0x35, 0x45, 0x05, 0x06
NUMBER, ARCH, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; arguments are little-endian here

Code = list[tuple[int, int, int, int]]


def is_known(machine: str) -> bool:
    """Whether there is a table of system calls for this machine (`uname -m`)."""
    return machine in WITH


_programs: dict[str, bytes] = {}


def program(machine: str) -> bytes:
    """The filter for the machine (`uname -m`) as an array of struct sock_filter.

    Refused calls give EPERM; calls that the tables do not know, and those of another machine's or the x32 numbering,
    give ENOSYS, so that programs fall back to older calls. ValueError for a machine without a table.
    """
    if machine in _programs:
        return _programs[machine]
    if machine not in WITH:
        raise ValueError(machine)
    code: Code = [(LD, 0, 0, ARCH)]
    for name in WITH[machine]:
        body = _for_machine(name)
        code += [(JEQ, 1, 0, AUDIT[name]), (JA, 0, 0, len(body)), *body]
    code.append((RET, 0, 0, _ERRNO | _ENOSYS))
    made = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
    _programs[machine] = made
    return made


def _for_machine(machine: str) -> Code:
    numbers = syscalls.table(machine)
    special = {
        "personality": _personality(),
        "clone": _unless_set(NAMESPACE_FLAGS),
        "clone3": [(RET, 0, 0, _ERRNO | _ENOSYS)],  # A filter cannot read the flags, which lie in memory.
        "socket": [
            (LD, 0, 0, FIRST_ARGUMENT),
            (_JGE, 2, 0, _AFTER_LAST),
            (JEQ, 1, 0, _ALG),
            (JEQ, 0, 1, _VSOCK),
            _refuse(),
            (RET, 0, 0, ALLOW),
        ],
    }
    top = max(numbers.values())
    known = {number: name for name, number in numbers.items()}
    leaves: list[tuple[int, Code]] = []  # pairs: the first number of a range, and what is done with calls in it
    for number in range(top + 1):
        name = known.get(number, "")
        if name in special:
            leaf = special[name]
        elif name in ALLOWED:
            leaf = [(RET, 0, 0, ALLOW)]
        else:
            leaf = [_refuse()] if name else [(RET, 0, 0, _ERRNO | _ENOSYS)]
        if not leaves or leaves[-1][1] != leaf:
            leaves.append((number, leaf))
    # Calls of the x32 ABI have bit 30 set, so their numbers are beyond the last known one, like those of later kernels.
    leaves.append((top + 1, [(RET, 0, 0, _ERRNO | _ENOSYS)]))
    return [(LD, 0, 0, NUMBER), *search(leaves)]


def search(leaves: list[tuple[int, Code]]) -> Code:
    """A binary search for the range that holds the call's number, which takes about eight comparisons."""
    if len(leaves) == 1:
        return leaves[0][1]
    middle = len(leaves) // 2
    low, high = search(leaves[:middle]), search(leaves[middle:])
    return [(_JGE, 0, 1, leaves[middle][0]), (JA, 0, 0, len(low)), *low, *high]


def _personality() -> Code:
    code: Code = [(LD, 0, 0, FIRST_ARGUMENT)]
    for value in PERSONALITIES:
        code += [(JEQ, 0, 1, value), (RET, 0, 0, ALLOW)]
    return [*code, _refuse()]


def _unless_set(flags: int) -> Code:
    return [(LD, 0, 0, FIRST_ARGUMENT), (_JSET, 0, 1, flags), _refuse(), (RET, 0, 0, ALLOW)]


def _refuse() -> tuple[int, int, int, int]:
    return (RET, 0, 0, _ERRNO | _EPERM)


def oci_profile(machine: str) -> dict[str, Any]:
    """The same rules as the `linux.seccomp` object of an OCI runtime's config.json. ValueError as for `program`."""
    if machine not in WITH:
        raise ValueError(machine)
    names = {"x86_64": "SCMP_ARCH_X86_64", "i386": "SCMP_ARCH_X86", "aarch64": "SCMP_ARCH_AARCH64"}
    names["riscv64"] = "SCMP_ARCH_RISCV64"
    known = {name for m in WITH[machine] for name in syscalls.table(m)}

    def rule(name: str, *conditions: dict[str, Any], errno: int | None = None) -> dict[str, Any]:
        made: dict[str, Any] = {"names": [name], "action": "SCMP_ACT_ALLOW" if errno is None else "SCMP_ACT_ERRNO"}
        if errno is not None:
            made["errnoRet"] = errno
        if conditions:
            made["args"] = list(conditions)
        return made

    def none_of(flags: int) -> dict[str, Any]:
        return {"index": 0, "value": flags, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}

    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": [names[m] for m in WITH[machine]],
        "syscalls": [
            {"names": sorted(ALLOWED & known), "action": "SCMP_ACT_ALLOW"},
            *(rule("personality", {"index": 0, "value": p, "op": "SCMP_CMP_EQ"}) for p in PERSONALITIES),
            rule("clone", none_of(NAMESPACE_FLAGS)),
            rule("clone3", errno=_ENOSYS),
            rule("socket", {"index": 0, "value": _ALG, "op": "SCMP_CMP_LT"}),
            *(
                rule("socket", {"index": 0, "value": family, "op": "SCMP_CMP_EQ"})
                for family in range(_ALG + 1, _AFTER_LAST)
                if family != _VSOCK
            ),
        ],
    }
