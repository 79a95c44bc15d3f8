"""`reproduce`: the same build twice, in surroundings that differ in all that should not matter, and what came of it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from time import sleep
from typing import Any, NamedTuple

from kezuri.app.clearing import remove
from kezuri.app.reproduction_process import Asked, Consecutive
from kezuri.app.request import BuildRequest, Settings
from kezuri.diagnostics import KezuriError
from kezuri.progress.events import Event, Listener
from kezuri.reproduction.comparing import compared
from kezuri.reproduction.values import ASPECTS, Aspect, Made, Reproduction, StepLeft, Surroundings, Unvaried

AHEAD = 25 * 3600 + 61
"""How far ahead the second clock is: another day, hour, minute and second; not so far that what a build fetches would
have run out."""
_APART = 2.1
"""Seconds between both builds, so that files of the second one have another time, in zip archives, too."""
_NOBODY = 65534
_STEMS = ("C.UTF-8", "tr_TR.UTF-8"), ("UTC", "Pacific/Kiritimati")


class Wish(NamedTuple):
    """What shall differ between the two builds, and how far ahead the second clock is, in seconds."""

    vary: tuple[Aspect, ...] = ASPECTS
    ahead: int = AHEAD


def reproduce(request: BuildRequest, settings: Settings, wish: Wish, listener: Listener) -> Reproduction:
    """Build twice and compare. Both builds are made anew, in stores of their own that are gone afterwards; the base
    images are taken from the user's. KezuriError when it cannot be built."""
    from tempfile import mkdtemp

    if "-" in (request.context, request.file) or any(secret.kind == "stdin" for secret in request.secrets):
        raise KezuriError.of("standard input cannot be read twice", hint="name a directory", exit_code=2)
    place = mkdtemp(prefix="kezuri-reproduce-")
    try:
        os.chmod(place, 0o711)
        return _Twice(request, settings, wish, listener, place).run()
    finally:
        remove(place)


class _Twice:
    def __init__(self, request: BuildRequest, settings: Settings, wish: Wish, listener: Listener, place: str) -> None:
        self._request = request._replace(
            tags=(), iidfile="", metadata_file="", cache_from=(), cache_to=(), outputs=BuildRequest().outputs
        )
        self._settings = settings
        self._wish = wish
        self._listener = Consecutive(listener)
        self._place = place
        self._unvaried: list[Unvaried] = []
        self._uid = -1
        self._copied = self._file = ""

    def run(self) -> Reproduction:
        if "user" in self._wish.vary:
            why = self._one_user()
            if why:
                self._leave("user", why)
            else:
                self._uid = _NOBODY
        bases = self._bases()
        first, second = self._surroundings()
        with ExitStack() as held:
            one = held.enter_context(self._worker("first", first, bases))
            made = [self._built(one, first)]
            sleep(_APART)
            try:
                two = held.enter_context(self._worker("second", second, bases))
                made.append(self._built(two, second))
            except KezuriError as error:
                if second.uid < 0:
                    raise _elsewhere(error) from error
                # It may be the other user that it cannot be built as.
                self._leave("user", f"it cannot be built as another user: {_first(error)}")
                second = second._replace(uid=-1)
                two = held.enter_context(self._worker("again", second, bases))
                try:
                    made.append(self._built(two, second))
                except KezuriError as again:
                    raise _elsewhere(again) from again

            def contents(step: StepLeft, paths: Sequence[str]) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
                asked = (step.stage, step.position, tuple(paths))
                return one.ask("contents", asked), two.ask("contents", asked)

            steps = compared(made[0], made[1], contents, self._request.builtin.epoch is not None, second.shift)
        left = {each.aspect for each in self._unvaried}
        varied = tuple(aspect for aspect in self._wish.vary if aspect not in left)
        return Reproduction(made[0].digest, made[1].digest, varied, tuple(self._unvaried), steps)

    def _leave(self, aspect: Aspect, why: str) -> None:
        if aspect in self._wish.vary:
            self._unvaried.append(Unvaried(aspect, why))

    def _bases(self) -> list[tuple[str, str]]:
        """The images that the build stands on, as far as the user's store has them: in a layout that both read."""
        from kezuri.app.definition import Definition
        from kezuri.app.session import Session
        from kezuri.app.transfers import CopyRequest, copy_image
        from kezuri.images.kept import find_all
        from kezuri.progress.reporter import Reporter

        brought: list[tuple[str, str]] = []
        with ExitStack() as held:
            session = held.enter_context(Session(self._settings, pull=self._request.pull))
            definition = Definition(self._request, session, Reporter(_unheard), _unheard, held)
            definition.plan()
            names = [image.source.text for image in definition.images if image.source.kind == "registry"]
            self._copy_context(definition)
            known = [name for name in dict.fromkeys(names) if find_all(session.store, name)]
        for number, name in enumerate(known):
            layout = f"{self._place}/base-{number}"
            try:
                copy_image(self._settings, CopyRequest(f"store:{name}", f"oci:{layout}"), _unheard)
            except KezuriError:
                continue  # Not all of it is here: both builds fetch it.
            brought.append((f"oci:{layout}", name))
        return brought

    def _copy_context(self, definition: Any) -> None:
        """The context as somebody else has it who checks it out now, under another umask."""
        context = definition.context
        if not context.root:
            for aspect in ("umask", "order"):
                self._leave(aspect, "the context is not a directory of this machine")
            return
        if not {"clock", "umask", "order"} & set(self._wish.vary):
            return
        from kezuri.app.checkout import check_out

        self._copied = f"{self._place}/context"
        loose = "umask" in self._wish.vary
        keep = "clock" not in self._wish.vary
        turned = "order" in self._wish.vary
        check_out(context.tree, self._copied, backwards=turned, loose=loose, keep_times=keep, uid=self._uid)
        name = os.path.basename(context.dockerfile.name) or "Dockerfile"
        os.mkdir(f"{self._place}/file", 0o755)
        self._file = f"{self._place}/file/{name if name != '<stdin>' else 'Dockerfile'}"
        texts = [(self._file, context.dockerfile.text)]
        if context.ignore is not None:
            texts.append((f"{self._file}.dockerignore", context.ignore.source.text))
        for path, text in texts:
            with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(text)

    def _surroundings(self) -> tuple[Surroundings, Surroundings]:
        from kezuri.sandbox.choice import is_own
        from kezuri.sandbox.disguise import has_clock

        vary = set(self._wish.vary)
        own = is_own(self._settings.runtime)
        if not has_clock():
            self._leave(
                "clock", f"no other clock is known for {os.uname().machine}: only the time between both went by"
            )
        if not own:
            self._leave("order", f"{self._settings.runtime} shows steps their directories as they are")
        elif _owns_one_id():
            self._leave("order", "with a single user id steps are shown their directories as they are")
        cores = len(os.sched_getaffinity(0))
        if cores < 2:
            self._leave("cores", "this machine has one processor")
        second = Surroundings(
            self._wish.ahead if "clock" in vary and has_clock() else 0,
            self._uid,
            0o077 if "umask" in vary else 0o022,
            _STEMS[0]["locale" in vary],
            _STEMS[1]["locale" in vary],
            False,
            1 if "cores" in vary and cores > 1 else 0,
            self._copied,
            self._file,
        )
        # A user with a single id cannot have directories turned around: it is done for the one who runs us.
        return Surroundings(reverse="order" in vary and own), second

    def _one_user(self) -> str:
        """Why no other user can build it; empty where one can try."""
        if os.geteuid() != 0:
            return "only root can build as another user"
        if self._request.secrets or self._request.agents:
            return "another user is not shown secrets and keys"
        import sys

        import kezuri

        for path in (self._place, os.path.dirname(kezuri.__file__), os.path.realpath(sys.executable)):
            closed = _closed(path)
            if closed:
                return f"another user cannot get into {closed}"
        return ""

    def _worker(self, name: str, around: Surroundings, bases: Sequence[tuple[str, str]]) -> "Asked":
        from kezuri.sandbox.disguise import clock, has_clock

        root = f"{self._place}/{name}"
        os.mkdir(root, 0o755)
        if around.uid >= 0:
            os.chown(root, around.uid, around.uid)
        preload = ""
        if has_clock() and "clock" in self._wish.vary:
            preload = f"{self._place}/{name}.so"
            with open(preload, "wb") as file:
                file.write(clock(around.shift))
            os.chmod(preload, 0o755)
        most = around.cores or self._settings.max_parallelism
        settings = self._settings._replace(root=f"{root}/store", max_parallelism=most)
        return Asked(settings, around, preload, self._listener, bases)

    def _built(self, worker: "Asked", around: Surroundings) -> Made:
        from kezuri.sandbox.disguise import Disguise, has_clock

        disguise = Disguise("clock" in self._wish.vary and has_clock(), around.shift, around.reverse)
        request = self._request._replace(
            context=around.context or os.path.abspath(self._request.context)
            if os.path.isdir(self._request.context)
            else self._request.context,
            file=around.dockerfile or self._request.file,
            disguise=disguise,
        )
        made: Made = worker.ask("build", (request,))
        return made


def _owns_one_id() -> bool:
    """Whether steps that we run have a single id: the kernel lets one process only answer their calls, which is the one
    that answers for owners then."""
    from kezuri.linux.ownership import ownership
    from kezuri.linux.recorded import is_single

    return is_single() or ownership().recorded


def _closed(path: str) -> str:
    """The uppermost directory on the way to the path that not everybody may pass through; empty where all are open."""
    found = ""
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            found = path
    return found


def _elsewhere(error: KezuriError) -> KezuriError:
    return error.hinted("it was built once, and not a second time in other surroundings")


def _first(error: KezuriError) -> str:
    return error.diagnostics[0].message.partition("\n")[0] if error.diagnostics else "no reason is known"


def _unheard(event: Event) -> None:
    pass
