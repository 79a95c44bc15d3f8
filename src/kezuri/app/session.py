"""The collaborators of one command, wired once: store, forms, images, sandbox."""

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kezuri.app.request import Settings
from kezuri.diagnostics import Diagnostic
from kezuri.linux.ownership import Privilege
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.progress.calling_off import CallOff
from kezuri.store.store import Store

if TYPE_CHECKING:
    from kezuri.forms.forms import Forms
    from kezuri.images.layout import Layout
    from kezuri.images.origins import Images, Progress
    from kezuri.linux.cgroups import Limits
    from kezuri.plan.inputs import BaseImage
    from kezuri.registry.client import Registry
    from kezuri.sandbox.step import Sandbox


class Session:
    """What a command works with. Use it in a `with`; everything is released at the end.

    What needs other ids or mounts asks `privilege` for it at that moment: a command that finds everything in the cache
    needs no namespaces.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        pull: bool = False,
        reading: bool = False,
        progress: "Progress | None" = None,
        stand_ins: Callable[[str], None] | None = None,
        warn: Callable[[str], None] = lambda text: None,
        cancel: CallOff | None = None,
    ) -> None:
        """`reading`: nothing is built or kept, so that a store that cannot be written will do. `warn` hears what could
        not be made of an image's files; `cancel` ends what is being fetched when it is set."""
        self._warn = warn
        self._cancel = cancel if cancel is not None else CallOff()
        self.settings = settings
        self.ca_bundle = _authorities(settings)
        self._pull = pull
        self._reading = reading
        self._progress = progress
        self._stand_ins = stand_ins
        self._held = ExitStack()
        self._sandbox: Sandbox | None = None
        self._registry: Registry | None = None
        self._images: Images | None = None
        self._forms: Forms | None = None
        self._making = threading.Lock()
        self._layouts: dict[str, tuple[Layout, str]] = {}
        self._bringing: dict[str, Callable[[Descriptor], None]] = {}
        self.privilege = Privilege()

    def __enter__(self) -> Self:
        with ExitStack() as held:
            self.store = held.enter_context(Store(self.settings.root, reading=self._reading))
            self._held = held.pop_all()
        return self

    @property
    def images(self) -> "Images":
        """Images by name, wherever they are; made when they are first asked for."""
        with self._making:
            if self._images is None:
                from kezuri.images.origins import Images

                self._images = Images(
                    self.store, self.registry, self.layout, self._pull, self._progress, self._stand_in(), self._cancel
                )
            return self._images

    @property
    def forms(self) -> "Forms":
        """The forms of the store's layers; made when they are first asked for."""
        with self._making:
            if self._forms is None:
                from kezuri.forms.forms import Forms
                from kezuri.store.owners import Owners

                self._forms = Forms(self.store, Owners(self.store, self.privilege), self, self._warn, self._cancel)
            return self._forms

    @forms.setter
    def forms(self, forms: "Forms") -> None:
        self._forms = forms

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, trace)

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        """Bring a layer's blob (the door that Forms asks at)."""
        bring = self._bringing.get(descriptor.digest)
        if bring is None:
            self.images.fetch(layer, descriptor)
        elif not self.store.blobs.has(descriptor.digest):
            with self.store.lock(f"blob-{descriptor.digest[7:47]}", cancel=self._cancel):
                bring(descriptor)

    def know_blobs(self, digests: Iterable[str], bring: Callable[[Descriptor], None]) -> None:
        """Have these blobs brought into the store by this function when a layer of them is read."""
        self._bringing.update(dict.fromkeys(digests, bring))

    def open_sandbox(
        self, no_new_privileges: bool = False, limits: "Limits | None" = None, foretold: bool = False
    ) -> None:
        """Make the sandbox, while there is one thread only. `no_new_privileges`: set-id programs
        (sudo) give none. `limits` hold for each process that is run, with all that it starts; a warning says which of
        them cannot be had here, unless that was `foretold`. KezuriError for a limit that the kernel refuses."""
        if self._sandbox is None:
            from kezuri.sandbox.choice import choose

            self.privilege.mount()
            groups = None
            if limits is not None:
                from kezuri.app.limits import groups as limited

                groups = limited(limits, _unheard if foretold else self._warn, self._held)
            sandbox = choose(self.settings.runtime, no_new_privileges, groups)
            self._held.callback(sandbox.close)
            self._sandbox = sandbox

    def sandbox(self) -> "Sandbox":
        """The sandbox, made before."""
        if self._sandbox is None:
            raise RuntimeError("the sandbox is opened before threads start")
        return self._sandbox

    def registry(self) -> "Registry":
        """The client of registries."""
        if self._registry is None:
            from kezuri.app.registries import credentials, registry_config
            from kezuri.registry.challenge import Deferred
            from kezuri.registry.client import Registry

            config = registry_config(self.settings)
            if self._stand_ins is not None:
                # There is another way: no need to be patient with a network that may not be there.
                config = config._replace(connect_timeout=4.0)
            found = Deferred(lambda: credentials(self.settings, self._warned))
            self._registry = Registry(config, credentials=found, warn=self._odd)
            self._held.callback(self._registry.close)
            self._cancel.then(self._registry.close)
        return self._registry

    def _warned(self, warning: Diagnostic) -> None:
        self._warn(f"{warning.message}: {warning.hint}" if warning.hint else warning.message)

    def _odd(self, warning: Diagnostic) -> None:
        """What a registry does wrong. That an image is for another platform is said by the command: a build's linter
        says it with the place, and not everybody wants to run what is fetched."""
        if warning.code != "InvalidBaseImagePlatform":
            self._warned(warning)

    def reconnect(self) -> None:
        """After work was called off: connections are opened again when they are needed."""
        self._registry = None

    def layout(self, text: str) -> "tuple[Layout, str]":
        """The layout that `directory[:tag|@digest]` names, and which image in it."""
        known = self._layouts.get(text)
        if known is None:
            from kezuri.images.layout import LayoutAddress, open_layout

            address = LayoutAddress.parse(text)
            known = (self._held.enter_context(open_layout(address.path)), address.selector)
            self._layouts[text] = known
        return known

    def _stand_in(self) -> "Callable[[Reference, Platform], BaseImage | None] | None":
        if self._stand_ins is None:
            return None
        from kezuri.app.bases import StandIns

        return StandIns(self.store, self.ca_bundle, self._stand_ins).find


def _unheard(text: str) -> None:
    pass


def _authorities(settings: Settings) -> str:
    if not settings.ca_certificates:
        return ""
    from kezuri.app.registries import ca_bundle

    return ca_bundle(settings.ca_certificates)
