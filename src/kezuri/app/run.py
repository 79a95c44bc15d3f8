"""`run`: one container in the foreground, through the sandbox that builds use."""

import os
import threading
from contextlib import ExitStack
from typing import Literal

from kezuri.app.request import RunRequest, Settings
from kezuri.app.session import Session
from kezuri.app.standard import Relay, input_descriptor
from kezuri.diagnostics import KezuriError
from kezuri.images.origins import made_for
from kezuri.keys.state import base_state
from kezuri.linux import overlay
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.operation import BaseImage, ImageSource
from kezuri.plan.signals import signal_number
from kezuri.plan.variables import DEFAULT_PATH
from kezuri.sandbox import step as door
from kezuri.tree.accounts import home, user_ids
from kezuri.tree.stack import StackView


def run(request: RunRequest, settings: Settings) -> int:
    """Run the container to its end; its exit code, 125 when kezuri could not start it (KezuriError says why)."""
    cancel = threading.Event()
    with ExitStack() as held:
        session = held.enter_context(Session(settings, pull=request.pull == "always"))
        image = _find(session, request)
        session.store.blobs.touch(image.digest)
        scratch = held.enter_context(session.store.scratch("run"))
        foreign = _emulator(image, scratch)
        for layer, descriptor in zip(image.config.diff_ids, image.layers):
            session.forms.know_pulled(layer, descriptor)
        session.open_sandbox()
        state = base_state(image)
        lowers = session.forms.directories(state.layers)
        view = session.forms.view(state.layers)
        upper, work = os.path.join(scratch, "diff"), os.path.join(scratch, "work")
        overlay.make_writable(upper, work, lowers)
        step = _step(request, image.config, view, door.Root(lowers, upper, work), session.ca_bundle)
        step = step._replace(mounts=(*step.mounts, *foreign))
        if not request.network and not request.ports:
            step = step._replace(network="host")
        relay = Relay()
        return relay.conclude(session.sandbox().run(step, relay, cancel).exit_code)


def _find(session: Session, request: RunRequest) -> BaseImage:
    """The image: the store's own unless `--pull=always`, else from its registry, then kept as `pull` keeps it."""
    from kezuri.app.pull import keep
    from kezuri.images.kept import NoSuchImage, NoSuchPlatform, choose, looks_like_id
    from kezuri.registry.failure import Unanswered

    name, lacking = request.image, None
    if request.pull != "always" or looks_like_id(name):
        try:
            found = choose(session.store, name, request.platform)
            source = ImageSource("registry", name)
            return session.images.stored(session.store, source, name, found.digest, found.config.platform)
        except NoSuchImage as error:
            if request.pull == "never" or looks_like_id(name):
                raise
            lacking = error
    platform = Platform.parse(request.platform) if request.platform else Platform.host()
    reference = Reference.parse(name)
    try:
        image = session.images.resolve(ImageSource("registry", name), platform)
    except Unanswered as error:
        # That it is there for other platforms only is more to the point than that nobody answers.
        raise lacking if isinstance(lacking, NoSuchPlatform) else error from error
    if not made_for(image, platform):
        raise KezuriError.of(
            f"image {reference.familiar} is for {image.config.platform}, not for {platform}", exit_code=125
        )
    keep(session, reference, image)
    return image


def _emulator(image: BaseImage, scratch: str) -> tuple[door.Mount, ...]:
    """What an image for another machine needs in order to run here; KezuriError naming it when it cannot."""
    if not image.config.platform.architecture or image.config.platform == Platform.host():
        return ()
    from kezuri.sandbox.foreign import emulator

    try:
        return emulator(image.config.platform, scratch)
    except KezuriError as error:
        raise KezuriError.of(
            f"image {image.name} is for {image.config.platform}: {error}",
            hint="`apt-get install qemu-user-static` registers emulators; `--platform` asks for another image",
            exit_code=125,
        ) from error


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
