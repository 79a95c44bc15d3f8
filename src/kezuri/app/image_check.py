"""Finished images checked: those that are named, and those that a Dockerfile is built to."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from kezuri.anatomy.history import History
from kezuri.app.image_whole import Whole, opened_whole
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.check.image.blotting import blotted
from kezuri.check.image.origin import Origin
from kezuri.check.image.sheet import check_image
from kezuri.check.image.subject import Image
from kezuri.check.pragmas import Silence
from kezuri.check.selection import Selection
from kezuri.check.told import Sheet
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText
from kezuri.progress.events import Event, Listener, Warned
from kezuri.progress.reporter import Reporter


class ImageSheet(NamedTuple):
    """What was found in an image, and what of it could not be looked at."""

    sheet: Sheet
    warnings: tuple[Diagnostic, ...]


def in_store(settings: Settings, name: str) -> bool:
    """Whether the store has an image of that name."""
    from kezuri.images.kept import find_all

    try:
        with Session(settings, reading=True) as session:
            return bool(find_all(session.store, name))
    except KezuriError:
        return False


def check_named(settings: Settings, name: str, platform: str, selection: Selection) -> ImageSheet:
    """What there is to say about the image of that name. KezuriError when it cannot be had."""
    heard: list[Diagnostic] = []
    with ExitStack() as held:
        session = held.enter_context(Session(settings, reading=True))
        whole = held.enter_context(opened_whole(session, name, platform, Traffic()))
        return ImageSheet(check_image(_image(whole, heard), selection), tuple(heard))


class Wish(NamedTuple):
    """What is asked about a Dockerfile's image: the build, the Dockerfile as findings are to name it, the rules, and
    whether comments in it silence them (`today` is a date such as 2026-12-31, by which some have run out)."""

    build: BuildRequest
    source: SourceText
    selection: Selection
    heed: bool = True
    today: str = ""


def check_built(settings: Settings, wish: Wish, listener: Listener) -> ImageSheet:
    """What there is to say about the image that a Dockerfile is built to; what the cache has is not built again, and an
    image that was not there before goes again. KezuriError when it cannot be built."""
    from kezuri.app.build import build

    heard: list[Diagnostic] = []

    def listen(event: Event) -> None:
        if not isinstance(event, Warned):  # The checks of the Dockerfile say it themselves.
            listener(event)

    with _nameless(settings) as built:
        digest = build(wish.build, settings, listen).digest
        built.append(digest)
        with ExitStack() as held:
            session = held.enter_context(Session(settings, reading=True))
            origin, silence = _origin(settings, wish)
            whole = held.enter_context(opened_whole(session, f"store:{digest}", "", Traffic()))
            image = _image(whole._replace(name=wish.source.name, names=()), heard, origin)
            return ImageSheet(check_image(image, wish.selection, silent=silence.silent), tuple(heard))


@contextmanager
def _nameless(settings: Settings) -> Iterator[list[str]]:
    """Takes images without a name, whose digests are put into the list, out of the store again, unless they were there
    before."""
    from kezuri.store.store import Store

    with Store(settings.root) as store:
        before = frozenset(descriptor.digest for descriptor in store.names.untagged())
    made: list[str] = []
    try:
        yield made
    finally:
        with Store(settings.root) as store:
            after = frozenset(descriptor.digest for descriptor in store.names.untagged())
            for digest in made:
                if digest in after - before:
                    store.names.drop(digest)


def _origin(settings: Settings, wish: Wish) -> tuple[Origin, Silence]:
    from kezuri.app.definition import Definition

    with ExitStack() as held:
        session = held.enter_context(Session(settings, reading=True))
        definition = Definition(wish.build, session, Reporter(_unheard), _unheard, held)
        subject = definition.examine(everything=False).subject
        silence = Silence(definition.dockerfile, wish.today, wish.heed)
        return Origin(subject, subject.survey.target, wish.source), silence


def _unheard(event: Event) -> None:
    pass


def _image(whole: Whole, heard: list[Diagnostic], origin: Origin | None = None) -> Image:
    def unchecked(text: str) -> None:
        if len(heard) < _MOST_TOLD:
            heard.append(Diagnostic("warning", f"not checked: {text}"))

    return image_of(whole, unchecked, origin)


_MOST_TOLD = 20


def image_of(
    whole: Whole, unchecked: Callable[[str], None], origin: Origin | None = None, base_layers: int | None = None
) -> Image:
    """The image as rules see it. Without an `origin`, `base_layers` is how many of its layers came with its base, as
    far as that is known."""
    nodes = origin.nodes if origin is not None else ()
    history = History(whole.name, whole.config.history, len(whole.layers), nodes, blotted)
    return Image(
        whole.name,
        whole.config,
        whole.layers,
        history,
        base_layers=origin.base_layers if origin is not None else base_layers,
        scratch=whole.scratch,
        names=whole.names,
        built=origin.built if origin is not None else None,
        unchecked=unchecked,
    )
