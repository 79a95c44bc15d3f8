"""`run`: one container in the foreground, through the sandbox that builds use."""

import os
import threading
from contextlib import ExitStack
from typing import Literal

from kezuri.app.request import RunRequest, Settings
from kezuri.app.session import Session
from kezuri.app.standard import Relay, input_descriptor
from kezuri.build.state import base_state
from kezuri.diagnostics import KezuriError
from kezuri.layer.stack import StackView
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.plan.operation import BaseImage, ImageSource
from kezuri.plan.signals import signal_number
from kezuri.plan.variables import DEFAULT_PATH
from kezuri.sandbox import step as door
from kezuri.source.accounts import home, user_ids


def run(request: RunRequest, settings: Settings) -> int:
    """Run the container to its end; its exit code, 125 when kezuri could not start it (KezuriError says why)."""
    cancel = threading.Event()
    with ExitStack() as held:
        session = held.enter_context(Session(settings, pull=request.pull == "always"))
        image = _find(session, request)
        for layer, descriptor in zip(image.config.diff_ids, image.layers):
            session.forms.know_pulled(layer, descriptor)
        session.open_sandbox()
        state = base_state(image)
        lowers = session.forms.directories(state.layers)
        view = session.forms.view(state.layers)
        scratch = held.enter_context(session.store.scratch("run"))
        foreign: tuple[door.Mount, ...] = ()
        if image.config.platform != Platform.host():
            from kezuri.sandbox.foreign import emulator

            foreign = emulator(image.config.platform, scratch)
        upper, work = os.path.join(scratch, "diff"), os.path.join(scratch, "work")
        os.mkdir(upper, 0o755)
        os.mkdir(work, 0o755)
        if lowers:
            status = os.stat(lowers[0])
            os.chmod(upper, status.st_mode & 0o7777)
        step = _step(request, image.config, view, door.Root(lowers, upper, work), session.ca_bundle)
        step = step._replace(mounts=(*step.mounts, *foreign))
        if not request.network and not request.ports:
            step = step._replace(network="host")
        relay = Relay()
        return relay.conclude(session.sandbox().run(step, relay, cancel).exit_code)


def _find(session: Session, request: RunRequest) -> BaseImage:
    from kezuri.app.images import choose, find_image

    platform = Platform.parse(request.platform) if request.platform else Platform.host()
    try:
        full, _ = find_image(session.store, request.image)
        digest, _, _ = choose(session.store, request.image, request.platform)
        name = full or request.image
        image = session.images.local(f"{name.rpartition(':')[0]}@{digest}", platform, other=True) if full else None
        if image is not None:
            return image
    except KezuriError:
        if request.pull == "never":
            raise
    if request.pull == "never":
        raise KezuriError.of(f"no such image: {request.image}", hint="--pull missing fetches it", exit_code=125)
    return session.images.resolve(ImageSource("registry", request.image), platform)


def _step(request: RunRequest, config: ImageConfig, view: StackView, root: door.Root, ca_bundle: str) -> door.Step:
    user = request.user or config.user
    uid, gid, groups = user_ids(user, view)
    env = config.env_map()
    env.setdefault("PATH", DEFAULT_PATH)
    env.setdefault("HOSTNAME", request.hostname or request.name or "kezuri")
    if request.tty:
        env.setdefault("TERM", os.environ.get("TERM", "xterm"))
    env.update(request.env)
    env.setdefault("HOME", home(uid, view))
    return door.Step(
        root=root,
        argv=_command(request, config),
        env=tuple(env.items()),
        cwd=request.workdir or config.working_dir or "/",
        uid=uid,
        gid=gid,
        groups=groups,
        hostname=env["HOSTNAME"] if not request.hostname else request.hostname,
        mounts=tuple(_volume(*volume) for volume in request.volumes),
        network=_network(request),
        hosts=request.hosts,
        ulimits=request.ulimits,
        shm_size=request.shm_size or 64 << 20,
        ca_bundle=ca_bundle,
        tty=request.tty,
        stdin=input_descriptor() if request.interactive else -1,
        ports=request.ports,
        readonly=request.readonly,
        stop_signal=signal_number(config.stop_signal) or 15 if config.stop_signal else 15,
    )


def _volume(host: str, container: str, readonly: bool) -> door.Mount:
    source = os.path.abspath(os.path.expanduser(host))
    if not os.path.exists(source):
        raise KezuriError.of(f"the volume {host} does not exist", hint="make it first, or name another", exit_code=125)
    return door.HostMount(source, container, not readonly)


def _network(request: RunRequest) -> Literal["host", "none", "private"]:
    if request.network == "none":
        return "none"
    if request.network == "host":
        if request.ports:
            raise KezuriError.of(
                "ports cannot be published with --network host",
                hint="the container has this machine's ports already",
                exit_code=2,
            )
        return "host"
    return "private"


def _command(request: RunRequest, config: ImageConfig) -> tuple[str, ...]:
    entrypoint, cmd = config.entrypoint or (), config.cmd or ()
    if request.entrypoint is not None:
        entrypoint, cmd = ((request.entrypoint,) if request.entrypoint else ()), ()
    if request.command:
        cmd = request.command
    argv = (*entrypoint, *cmd)
    if not argv:
        raise KezuriError.of("the image names no command", hint="give one after the image's name", exit_code=125)
    return argv
