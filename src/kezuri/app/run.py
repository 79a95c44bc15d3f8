"""`run`: one container in the foreground, through the sandbox that builds use."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.app.standard import Relay, input_descriptor
from kezuri.containers.container import Container
from kezuri.containers.definition import define
from kezuri.containers.health import Health, healthcheck
from kezuri.containers.request import RunRequest
from kezuri.containers.signals import Signals
from kezuri.containers.tools import add as add_tools
from kezuri.containers.volumes import named, nameless
from kezuri.diagnostics import KezuriError
from kezuri.images.origins import made_for
from kezuri.keys.state import base_state
from kezuri.linux import overlay
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.sandbox.step import Mount, Output, Root
from kezuri.store.store import Store
from kezuri.store.volumes import Volumes
from kezuri.upkeep.leftovers import Leftovers


def run(
    request: RunRequest,
    settings: Settings,
    say: Callable[[str], None] = lambda text: None,
    begun: Callable[[Container], None] = lambda container: None,
    output: Output | None = None,
) -> int:
    """Run the container to its end; its exit code, 125 when kezuri could not start it (KezuriError says why).

    `say` hears what its user should know meanwhile; `begun` is told when it has started. What it writes goes to
    `output`, to our own standard streams where there is none.
    """
    with ExitStack() as held:
        if request.cidfile:
            held.push(_write_id(request.cidfile))
        session = held.enter_context(Session(settings, pull=request.pull == "always", warn=say))
        image = _find(session, request)
        if request.name:
            held.enter_context(_named(session.store, request.name))
        session.store.blobs.touch(image.digest)
        scratch = held.enter_context(session.store.scratch("run"))
        foreign = _emulator(image, scratch)
        for layer, descriptor in zip(image.config.diff_ids, image.layers):
            session.forms.know_pulled(layer, descriptor)
        session.open_sandbox(request.no_new_privileges, request.limits)
        Leftovers(session.store).clear()
        state = base_state(image)
        lowers = session.forms.directories(state.layers)
        view = session.forms.view(state.layers)
        upper, work = os.path.join(scratch, "diff"), os.path.join(scratch, "work")
        overlay.make_writable(upper, work, lowers)
        _warn_of_directories(request, Volumes(session.store), say)
        keeps = held.enter_context(named(request.named, Volumes(session.store), session.forms.owners, view, scratch))
        step = define(request, image.config, view, Root(lowers, upper, work), say)
        stdin = input_descriptor() if request.interactive else -1
        volumes = (*image.config.volumes, *request.volumes)
        step = step._replace(mounts=(*step.mounts, *keeps))
        own = nameless(volumes, step.mounts, view, step.root, step.readonly, scratch)
        step = step._replace(mounts=(*step.mounts, *own, *foreign), stdin=stdin, ca_bundle=session.ca_bundle)
        if request.tools:
            step = add_tools(step, os.path.join(scratch, "tools"), lambda: _stored_tools(session, request))
        relay = Relay()
        signals = Signals(request.sig_proxy, request.grace, say)
        check = healthcheck(image.config.healthcheck, request.health, image.config.shell)
        health = Health(check) if check else None
        container = Container(session.sandbox(), step, signals, health, say, begun)
        return relay.conclude(container.run(output or relay).exit_code)


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
        if lacking is None:
            raise
        # That it is there for other platforms only is more to the point than that nobody answers.
        raise lacking if isinstance(lacking, NoSuchPlatform) else _neither(reference, lacking, error) from error
    if not made_for(image, platform):
        raise KezuriError.of(
            f"image {reference.familiar} is for {image.config.platform}, not for {platform}", exit_code=125
        )
    keep(session, reference, image)
    return image


@contextmanager
def _named(store: Store, name: str) -> Iterator[None]:
    """Hold the container's name: nobody else has it while the block runs. KezuriError when somebody has it."""
    with store.lock(f"container-{name}", wait=False) as free:
        if not free:
            raise KezuriError.of(
                f"the name {name} is taken by a container that runs",
                hint="stop that one, or choose another --name",
                exit_code=125,
            )
        yield


def _warn_of_directories(request: RunRequest, volumes: Volumes, say: Callable[[str], None]) -> None:
    """Tell of new volumes that are called as directories here are: those may have been meant."""
    for name in (one.name for one in request.named):
        if os.path.isdir(name) and volumes.find(name) is None:
            say(f"{name} is a new volume of the store; the directory {name} here is ./{name}")


def _neither(reference: Reference, lacking: KezuriError, unanswered: KezuriError) -> KezuriError:
    """The error for an image that the store has not, and of which no registry tells anything."""
    from kezuri.app.bases import is_offered

    advice = lacking.diagnostics[0].hint
    if is_offered(reference.familiar):
        advice = f"`kezuri bases {reference.familiar}` makes a stand-in"
    other = f"`kezuri build -t {reference.familiar} DIR` makes it; --registry-mirror asks another registry"
    return KezuriError.of(
        f"the store has no image {reference.familiar}, and {unanswered.diagnostics[0].message}",
        hint="\n".join((advice, other)),
        exit_code=125,
    )


def _emulator(image: BaseImage, scratch: str) -> tuple[Mount, ...]:
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


def _write_id(path: str) -> Callable[[object, object, object], None]:
    """Write a new id to the file; what takes it back where an error ends what follows. KezuriError when the file is
    there."""
    from secrets import token_hex

    try:
        with open(path, "x") as file:
            file.write(token_hex(32))
    except FileExistsError:
        raise KezuriError.of(
            f"the file {path} is there: is another container running?", hint="remove it, or name another", exit_code=125
        ) from None
    except OSError as error:
        raise KezuriError.of(f"cannot write the id to {path}: {error.strerror}", exit_code=125) from None

    def undo(kind: object, error: object, trace: object) -> None:
        if kind is not None:
            os.unlink(path)

    return undo


def _stored_tools(session: Session, request: RunRequest) -> bytes | None:
    """The busybox of the store's image of that name; None when there is none."""
    from kezuri.images.kept import choose

    try:
        found = choose(session.store, "busybox", request.platform)
        source = ImageSource("registry", "busybox")
        image = session.images.stored(session.store, source, "busybox", found.digest, found.config.platform)
        for layer, descriptor in zip(image.config.diff_ids, image.layers):
            session.forms.know_pulled(layer, descriptor)
        return session.forms.view(base_state(image).layers).read("bin/busybox")
    except KezuriError:
        return None
