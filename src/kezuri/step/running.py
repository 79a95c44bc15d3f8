"""RUN: running it in the sandbox on the layers below it."""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kezuri.forms.forms import Forms
from kezuri.linux import overlay
from kezuri.linux.directory import make_plain
from kezuri.oci.platform import Platform
from kezuri.plan.operation import AgentMount, SecretMount, TmpfsMount
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox import step as door
from kezuri.step.cachemounts import CacheMounts
from kezuri.step.redaction import Redaction
from kezuri.step.selections import Selections, as_tree
from kezuri.step.tail import Tail
from kezuri.step.task import Bind, Cache, Failure, Run, Stacked, Supplies, Task
from kezuri.store.store import Store
from kezuri.tree.accounts import home, user_ids
from kezuri.tree.checksum import verify_unchanged
from kezuri.tree.materialise import materialise
from kezuri.tree.stack import StackView

if TYPE_CHECKING:
    from kezuri.step.wreck import Wreck


_LONGEST_PAUSE = 30
"""Seconds at most before a command is run again."""


class Ran(NamedTuple):
    """What came of a command: the id of the layer, or how it failed; and whether a client in it gave up. `again` says
    what the network did to it, where it is to be run again."""

    layer: str
    gave_up: bool = False
    failure: Failure | None = None
    again: str = ""


class Running:
    """Runs the commands of tasks. Several threads may share it."""

    def __init__(
        self,
        store: Store,
        forms: Forms,
        selections: Selections,
        caches: CacheMounts,
        supplies: Supplies,
        sandbox: Callable[[], door.Sandbox],
        ca_bundle: str = "",
    ) -> None:
        """`ca_bundle` is a file of this machine with certificates that every command is shown (see `door.Step`)."""
        self._store = store
        self._forms = forms
        self._selections = selections
        self._caches = caches
        self._supplies = supplies
        self._sandbox = sandbox
        self._ca_bundle = ca_bundle
        self._emulators: dict[Platform, tuple[door.Mount, ...]] = {}
        self._emulators_lock = threading.Lock()
        self._told = False
        self._wrecks: dict[str, Wreck] = {}
        self._wrecks_lock = threading.Lock()

    def run(self, work: Run, task: Task, output: door.Output, cancel: CallOff) -> Ran:
        """Run the command and keep its changes as a layer. When it ends badly nothing of it remains, but for what is
        kept to be looked at (`left`). One that failed by the network alone is run again as the work says, from the
        same files as before; `output` is told."""
        for tries in range(1, work.retries + 1):
            ran = self._once(work, task, output, cancel, tries)
            if not ran.again:
                return ran
            pause = min(2 ** (tries - 1), _LONGEST_PAUSE)
            output(2, f"kezuri: the network failed this step ({ran.again})\n".encode())
            output(2, f"kezuri: again in {pause} s (retry {tries} of {work.retries})\n".encode())
            cancel.wait(pause)
            cancel.check()
        return self._once(work, task, output, cancel, work.retries + 1)

    def _once(self, work: Run, task: Task, output: door.Output, cancel: CallOff, tries: int) -> Ran:
        lowers = self._forms.directories(task.below)
        view = self._forms.view(task.below)
        tail = Tail()

        def heard(stream: int, data: bytes) -> None:
            tail.add(data)
            output(stream, data)

        with ExitStack() as held:
            scratch = held.enter_context(self._store.scratch("step"))
            upper, overlay_work = os.path.join(scratch, "diff"), os.path.join(scratch, "work")
            overlay.make_writable(upper, overlay_work, lowers)
            emulator = self._emulator(work.platform, scratch)
            inside = self._mounts(work, scratch, held, cancel)
            inside = inside._replace(mounts=(*inside.mounts, *emulator))
            secrets = tuple(m.data for m in inside.mounts if isinstance(m, door.SecretMount))
            redaction = Redaction((*secrets, *inside.secrets), heard)
            step = self._step(work, view, door.Root(lowers, upper, overlay_work), inside)
            if self._forms.recorded:
                self._tell_of_the_user(step)
            ended = self._sandbox().run(step, redaction, cancel)
            redaction.flush()
            cancel.check()
            if ended.exit_code:
                failure = Failure(
                    ended.exit_code,
                    ended.signal,
                    ended.oom,
                    tail.text(),
                    tail.intercepted,
                    tail.unprivileged,
                    _is_full(scratch),
                    bool(self._ca_bundle),
                    peak=ended.peak,
                    memory=ended.memory,
                    tries=tries,
                )
                if ended.oom:
                    here = _memory_here()
                    if not 0 < ended.memory <= here:  # no limit of its own, or one that something around it is below
                        failure = failure._replace(peak=0, memory=here)
                failure = failure._replace(network=_network(failure))
                if failure.network and tries <= work.retries:
                    return Ran("", failure=failure, again=failure.network)
                failure = failure._replace(cause=self._cause(work, step, failure))
                return Ran("", tail.abandoned, failure._replace(left=self._keep(work, step, scratch, held)))
            if tail.abandoned and tries <= work.retries:
                return Ran("", again="a client gave up on it and still said that all is well")
            layer = f"run-{os.urandom(16).hex()}"
            if self._forms.recorded:
                from kezuri.layer.claiming import claim

                claim(upper, step.uid, step.gid, view, userxattr=self._forms.userxattr)
            self._forms.publish_directory(layer, upper)
        return Ran(layer, tail.abandoned)

    def _tell_of_the_user(self, step: door.Step) -> None:
        """Say once what a user is where there is one id only."""
        if (step.uid, step.gid) == (0, 0) or self._told:
            return
        self._told = True
        who = f"{step.uid}:{step.gid}"
        self._forms.warn(
            f"you have one user id here, so USER {who} runs under another name of it and may change root's files, too; "
            f"its own files are {who} in the image"
        )

    def _cause(self, work: Run, step: door.Step, failure: Failure) -> str:
        """What its last lines and the files of its root, as it left them, say to why a command failed."""
        from kezuri.step.cause import Scene, cause
        from kezuri.tree.layers import DirectoryLayer

        layers = (*reversed(step.root.lowers), step.root.upper)
        root = StackView([DirectoryLayer(layer, self._forms.userxattr, self._forms.recorded) for layer in layers])
        lacking = [m for m in work.mounts if isinstance(m, SecretMount) and self._supplies.secret(m.id) is None]
        who = (step.uid, step.gid, step.groups)
        return cause(Scene(work, *who, root, failure.output, failure.exit_code, lacking))

    def _keep(self, work: Run, step: door.Step, scratch: str, held: ExitStack) -> str:
        """Keep what a failed command holds, if that is wanted and it is the first; what it is called then, or
        nothing."""
        if not work.keep:
            return ""
        from kezuri.step.wreck import Wreck

        with self._wrecks_lock:
            if self._wrecks:
                return ""
            name = os.path.basename(scratch)
            self._wrecks[name] = Wreck(
                work.argv, step, scratch, self._forms.userxattr, self._forms.recorded, held.pop_all()
            )
            return name

    def left(self, name: str) -> "Wreck | None":
        """What a failed command left, by the name that its failure gives; None when that was not kept, or is gone."""
        return self._wrecks.get(name)

    def close(self) -> None:
        """Let go of what failed commands left."""
        while self._wrecks:
            self._wrecks.popitem()[1].close()

    def _step(self, work: Run, view: StackView, root: door.Root, inside: "_Inside") -> door.Step:
        uid, gid, groups = user_ids(work.user, view)
        env = dict(work.env)
        env.update(work.proxy)
        env.update(inside.env)
        env.setdefault("HOME", home(uid, view))
        return door.Step(
            root=root,
            argv=work.argv,
            env=tuple(env.items()),
            cwd=work.cwd,
            uid=uid,
            gid=gid,
            groups=groups,
            hostname=work.settings.hostname,
            mounts=inside.mounts,
            network="none" if work.network == "none" else "host",
            hosts=work.settings.hosts,
            ulimits=work.settings.ulimits,
            shm_size=work.settings.shm_size or 64 << 20,
            insecure=work.insecure,
            ca_bundle=self._ca_bundle,
        )

    def _mounts(self, work: Run, scratch: str, held: ExitStack, cancel: CallOff) -> "_Inside":
        mounts: list[door.Mount] = []
        env: dict[str, str] = {}
        secrets: list[bytes] = []
        agents = 0
        caches = [mount for mount in work.mounts if isinstance(mount, Cache)]
        directories = iter(held.enter_context(self._caches.hold(caches, cancel)) if caches else ())
        for position, mount in enumerate(work.mounts):
            match mount:
                case Bind():
                    mounts.append(self._bind(mount, os.path.join(scratch, f"bind{position}")))
                case Cache():
                    mounts.append(door.HostMount(next(directories), mount.target, not mount.readonly))
                case TmpfsMount():
                    mounts.append(door.TmpfsMount(mount.target, mount.size))
                case SecretMount():
                    value = self._supplies.secret(mount.id)
                    if value is None:
                        if mount.env:
                            env[mount.env] = ""
                        continue
                    if mount.target:
                        mounts.append(door.SecretMount(mount.target, value, mount.mode, mount.uid, mount.gid))
                    if mount.env:
                        secrets.append(value)
                        env[mount.env] = value.decode("utf-8", "surrogateescape")
                case AgentMount():
                    socket = self._supplies.agent(mount.id)
                    if socket is None:
                        continue
                    mounts.append(door.AgentMount(mount.target, socket, mount.mode, mount.uid, mount.gid))
                    if not agents and "SSH_AUTH_SOCK" not in dict(work.env):
                        env["SSH_AUTH_SOCK"] = mount.target
                    agents += 1
        if work.script:
            mounts.append(door.FileMount(f"/dev/pipes/{work.script_name}", work.script, 0o755))
        return _Inside(tuple(mounts), tuple(env.items()), tuple(secrets))

    def _emulator(self, platform: Platform, scratch: str) -> tuple[door.Mount, ...]:
        """What the command has to be shown so that programs of its platform start."""
        if platform == Platform.host():
            return ()
        from kezuri.sandbox.foreign import emulator

        with self._emulators_lock:
            known = self._emulators.get(platform)
            if known is None:
                known = self._emulators[platform] = emulator(platform, scratch)
        return known

    def _bind(self, mount: Bind, scratch: str) -> door.Mount:
        files = mount.files
        # A mount names one path.
        (source,) = files.words
        if isinstance(files, Stacked):
            lowers = self._forms.directories(files.layers)
            if not lowers:
                make_plain(scratch)
                lowers = (scratch,)
            return door.TreeMount(lowers, source, mount.target, mount.writable)
        # The step sees what the builder would copy: ignored files left out, everything owned by 0:0.
        selection = self._selections.select(files)
        items, place = as_tree(selection)
        materialise(items, scratch, recorded=self._forms.recorded)
        verify_unchanged(selection)
        if source.strip("/."):
            for root in selection:
                if root.directory:
                    os.chmod(scratch, root.top.entry.mode)
                    os.utime(scratch, ns=(root.top.entry.mtime, root.top.entry.mtime))
        return door.TreeMount((scratch,), place, mount.target, mount.writable)


class _Inside(NamedTuple):
    mounts: tuple[door.Mount, ...]
    env: tuple[tuple[str, str], ...]
    secrets: tuple[bytes, ...]


def _network(failure: Failure) -> str:
    from kezuri.step.network import network_failure

    return network_failure(failure)


def _memory_here() -> int:
    from kezuri.linux.cgroup_files import memory_here

    return memory_here()


def _is_full(directory: str) -> bool:
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize < 1 << 20
