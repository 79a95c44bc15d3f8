"""What a step is shown of the machine's own: devices, masks, a terminal; and that nothing of it leads outside."""

import os
import stat
from collections.abc import Callable

import pytest
from tests.sandbox.conftest import isolated, run
from tests.sandbox.sandbox_fuzz import fuzz
from tests.sandbox.sandbox_machine import devices, differences, own_devices, record

from kezuri.diagnostics import KezuriError
from kezuri.sandbox import kernelfs
from kezuri.sandbox.choice import choose
from kezuri.sandbox.step import FileMount, HostMount, Mount, TmpfsMount, TreeMount

pytestmark = pytest.mark.slow

Layers = tuple[str, ...]


def trap(base: str) -> str:
    """A directory whose entries are named like devices and lead to a file outside of it."""
    victim, links = f"{base}/victim", f"{base}/links"
    with open(victim, "w") as f:
        f.write("secret of the machine\n")
    os.chmod(victim, 0o666)
    os.mkdir(links)
    for entry in (*kernelfs.DEVICES, *(str(number) for number in range(5))):
        os.symlink(victim, f"{links}/{entry}")
    for entry, target in (("ptmx", "/dev/ptmx"), ("console", f"{base}/made-by-the-step")):
        os.symlink(target, f"{links}/{entry}")
    for entry in ("pts", "shm", "mqueue"):
        os.mkdir(f"{links}/{entry}")
    return links


@isolated
def test_masks_and_devices_lead_to_nothing_that_a_mount_holds(
    name: str, who: str, layers: Layers, scratch: str
) -> None:
    links = trap(scratch)
    before = record(scratch)
    image = f"{scratch}/image"
    os.mkdir(image)
    os.symlink("dev", f"{image}/alias")
    attack = (
        "for p in /proc/interrupts /proc/keys /proc/timer_list /proc/kcore /dev/null; do echo x >> $p; cat $p; done"
    )
    refused: tuple[Mount, ...] = (
        TreeMount((links,), "/", "/dev"),
        TreeMount((links,), "/", "/alias", writable=True),
        HostMount(links, "/dev"),
        HostMount(links, "/proc"),
        HostMount(links, "/sys"),
    )
    with choose(name) as sandbox:
        for mount in refused:
            with pytest.raises(KezuriError, match="belongs to the"):
                run(sandbox, (image, *layers), attack, mounts=(mount,))
        for mount in (TmpfsMount("/dev"), TmpfsMount("/dev/shm"), HostMount(links, "/dev/pts"), TmpfsMount("/sys")):
            ran = run(sandbox, (image, *layers), attack, mounts=(mount,))
            assert "secret" not in ran.out + ran.err and ran.out == "", ran
    os.unlink(f"{image}/alias")
    os.rmdir(image)
    before.pop(scratch)
    assert not differences(before, {k: v for k, v in record(scratch).items() if k != scratch})


@isolated
def test_mounts_below_dev_work(name: str, who: str, layers: Layers, scratch: str) -> None:
    mounts = (
        TmpfsMount("/dev/shm", 1 << 20),
        HostMount(scratch, "/dev/cache/deep"),
        FileMount("/dev/file", b"a file\n"),
        TmpfsMount("/sys/fs/cgroup"),
    )
    with choose(name) as sandbox:
        ran = run(
            sandbox, layers, "cat /dev/file; echo > /dev/cache/deep/kept; ls /sys/fs/cgroup; stat -f -c %b /dev/shm",
            mounts=mounts,
        )  # fmt: skip
        assert ran.out == "a file\n256\n" and os.listdir(scratch) == ["kept"], ran
        ran = run(sandbox, layers, "ls /dev/shm; head -c 1 /dev/zero; echo x > /dev/null", mounts=(TmpfsMount("/dev"),))
        assert (ran.out, ran.err) == ("\0", ""), ran


@isolated
def test_the_machine_keeps_its_devices(name: str, who: str, layers: Layers) -> None:
    own_devices()
    before = devices()
    command = (
        "for d in null zero full random urandom; do p=/dev/$d; touch -d 2001-01-01 $p; touch $p; chmod 600 $p;"
        "chown 7:7 $p; done; for p in /proc/keys /proc/timer_list /proc/self/fd/0; do"
        " touch $p; chmod 644 $p; chown 7 $p; done; true"
    )
    with choose(name) as sandbox:
        for uid in (0,) if who == "single" else (0, 1000):
            assert run(sandbox, layers, command, uid=uid).code == 0
        ran = run(sandbox, layers, "stat -L -c %F /proc/self/fd/0; cat; echo x > /dev/null; head -c 1 /dev/zero")
    assert ran.out == "fifo\n\0" and ran.err == "", ran
    assert not differences(before, devices())


@pytest.mark.parametrize("who", ["as-is"], indirect=True)
@isolated
def test_nodes_of_the_step_are_its_own(who: str, layers: Layers) -> None:
    if os.geteuid() != 0:
        return  # an ordinary user is shown the machine's nodes, read-only
    with choose("kezuri") as sandbox:
        ran = run(sandbox, layers, "chmod 640 /dev/zero; chown 7:8 /dev/zero; stat -c '%a %u %g' /dev/zero /dev/null")
        assert ran.out == "640 7 8\n666 0 0\n", ran
        assert run(sandbox, layers, "stat -c '%a %u %g' /dev/zero").out == "666 0 0\n"


@isolated
def test_a_terminal_is_the_step_s_own(who: str, layers: Layers, scratch: str) -> None:
    links = trap(scratch)
    before = record(scratch)
    uid = 0 if who == "single" else 1000
    with choose("kezuri") as sandbox:
        ran = run(sandbox, layers, "tty; stat -c %u $(tty)", tty=True, uid=uid)
        assert ran.out == f"/dev/pts/0\r\n{uid}\r\n", ran
        for target in ("/dev/pts", "/dev/console"):
            mount = HostMount(links if target == "/dev/pts" else f"{links}/shm", target)
            try:
                ran = run(sandbox, layers, "echo x", tty=True, uid=uid, mounts=(mount,))
                assert ran.out == "x\r\n", ran
            except KezuriError as error:
                assert target in str(error)
    assert not differences(before, record(scratch))


@pytest.mark.parametrize("kind", ["fifo", "device", "socket"])
@isolated
def test_a_single_node_is_shown_and_never_opened(kind: str, who: str, layers: Layers, scratch: str) -> None:
    tree = f"{scratch}/tree"
    os.mkdir(tree)
    os.mkfifo(f"{tree}/fifo", 0o640)
    os.mknod(f"{tree}/socket", stat.S_IFSOCK | 0o640)
    if kind == "device":
        try:
            os.mknod(f"{tree}/device", stat.S_IFCHR | 0o640, os.makedev(1, 5))
        except PermissionError:
            return  # no layer of such a user holds a device
    os.chmod(f"{tree}/{kind}", 0o640)
    before = record(tree)
    with choose("kezuri") as sandbox:
        for writable in (False, True):
            mount = TreeMount((tree,), kind, "/mnt/node", writable)
            ran = run(
                sandbox, layers, "stat -c '%F %a' /mnt/node; chmod 600 /mnt/node; touch /mnt/node; head -c 9 /dev/null;"
                "test -p /mnt/node || cat /mnt/node",
                mounts=(mount,),
            )  # fmt: skip
            shown = {"device": "character special file"}.get(kind, kind)
            assert ran.out == f"{shown} 640\n", ran
            assert kind == "fifo" or "cat: " in ran.err, ran
    assert not differences(before, record(tree))


@isolated
def test_a_layer_that_comes_twice(name: str, who: str, layers: Layers, scratch: str) -> None:
    for layer, entry in (("one", "a"), ("two", "b")):
        os.makedirs(f"{scratch}/{layer}/d")
        for path in (f"d/{entry}", "d/both"):
            with open(f"{scratch}/{layer}/{path}", "w") as f:
                f.write(f"{layer}\n")
    one, two = f"{scratch}/one", f"{scratch}/two"
    mounts = (
        TreeMount((one, one), "/", "/once"),
        TreeMount((two, one, two), "d", "/part", writable=True),
        TreeMount((two, one, two), "/", "/whole", writable=True),
    )
    with choose(name) as sandbox:
        ran = run(
            sandbox, (one, two, one, one, *layers, two), "cat /d/both /part/both /whole/d/both /once/d/a; ls /d",
            scratch, mounts=mounts,
        )  # fmt: skip
        assert ran.out == "one\ntwo\ntwo\none\na\nb\nboth\n", ran
        ran = run(sandbox, (*layers, *layers), "ls /d; echo fine", readonly=True)
        assert ran.out == "fine\n", ran


@isolated
def test_a_missing_working_directory_is_the_user_s(name: str, who: str, layers: Layers, scratch: str) -> None:
    uid, gid = (0, 0) if who == "single" else (1000, 1001)
    os.makedirs(f"{scratch}/image/there")
    os.symlink("there/behind", f"{scratch}/image/link")
    os.chmod(f"{scratch}/image", 0o755)
    command = "stat -c '%n %u %g %a' / /there /there/behind /there/behind/deep; touch made && pwd"
    with choose(name) as sandbox:
        ran = run(
            sandbox, (f"{scratch}/image", *layers), command, scratch, uid=uid, gid=gid,
            cwd="/link/deep", mounts=(TmpfsMount("/there/behind/deep/cache"),),
        )  # fmt: skip
    made = f"{uid} {gid} 755\n"
    assert ran.out == f"/ 0 0 755\n/there 0 0 755\n/there/behind {made}/there/behind/deep {made}/there/behind/deep\n", (
        ran
    )
    assert sorted(os.listdir(f"{scratch}/upper/there/behind/deep")) == ["made"]


@pytest.mark.parametrize("who", ["as-is", "subordinate"], indirect=True)
def test_nothing_outside_is_touched_whatever_is_mounted(
    who: str, layers_of: Callable[[str], tuple[str, str]], scratch: str
) -> None:
    layers = layers_of(who)

    @isolated
    def act(who: str) -> None:
        assert fuzz(scratch, layers, seed=3, steps=25)["ran"] >= 25

    act(who=who)
    assert os.listdir(scratch) == []
