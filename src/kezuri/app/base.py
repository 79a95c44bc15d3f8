"""`kezuri base`: which base an image or a Dockerfile stands on, how old it is, and which would be better."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kezuri.advisories.age import remarks
from kezuri.alternatives.catalogue import Catalogue, embedded, of_directory
from kezuri.alternatives.choosing import Choice, choose, is_distroless, runtime_of
from kezuri.alternatives.tags import Tag
from kezuri.alternatives.values import Advice, Base, Contents, Refresh, Row, Way
from kezuri.app.base_candidates import Candidates
from kezuri.app.base_images import BaseImages, FoundImage, same_layers
from kezuri.app.base_subject import Subject, dockerfile_of, of_dockerfile, of_image
from kezuri.app.image_files import located
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference

if TYPE_CHECKING:
    from kezuri.advisories.database import Database
    from kezuri.advisories.lifecycles import Lifecycles

_GUESSES = 6
"""So many names that may be an image's base are held against its layers."""
_NAMED = 3
"""So many tags are named of those that a registry does not have."""


class BaseRequest(NamedTuple):
    """What is asked. `subject` is an image as `kezuri ls` finds it, the path of a Dockerfile or of a directory with
    one. `base` is what the user knows of an image's base; `target` and `arguments` are of a Dockerfile. `place` is
    where candidates are looked for instead of registries; `catalogue` a directory instead of the catalogue that comes
    with kezuri; `most` how many candidates are looked at; `attached`: the bills that lie beside images are
    believed, and their layers not read. `now` is the time in seconds since 1970."""

    subject: str
    platform: str = ""
    base: str = ""
    target: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    place: str = ""
    catalogue: str = ""
    most: int = 10
    attached: bool = False
    now: float = 0.0


def base(settings: Settings, request: BaseRequest, say: Callable[[str], None] = lambda text: None) -> Advice:
    """The base and what could replace it; `say` hears which image is being looked at. Where a registry does not answer,
    or there is no database, that is told, and nothing is counted. KezuriError where the subject cannot be read."""
    with Session(settings, reading=True) as session, ExitStack() as held:
        return _Advising(settings, session, request, say, held).advice()


class _Advising:
    def __init__(
        self, settings: Settings, session: Session, request: BaseRequest, say: Callable[[str], None], held: ExitStack
    ) -> None:
        from kezuri.advisories.lifecycles import lifecycles
        from kezuri.oci.dates import timestamp

        self._session = session
        self._settings = settings
        self._request = request
        self._say = say
        self._held = held
        self._platform = Platform.parse(request.platform) if request.platform else Platform.host()
        self._catalogue: Catalogue = of_directory(request.catalogue) if request.catalogue else embedded()
        self._lives: Lifecycles = lifecycles()
        self._day = timestamp(request.now)[:10]
        self._told: list[str] = []
        self._doubts: dict[tuple[bool, str], list[str]] = {}
        self._images = self._looking()
        self._candidates = Candidates(say)
        self._database, self._no_data = self._opened(settings)

    def _opened(self, settings: Settings) -> "tuple[Database | None, str]":
        from kezuri.app.advisories import opened_database

        try:
            return self._held.enter_context(opened_database(settings)), ""
        except KezuriError as error:
            first = error.diagnostics[0]
            return None, f"{first.message}: {first.hint}" if first.hint else first.message

    def _looking(self) -> BaseImages:
        request = self._request
        return self._held.enter_context(BaseImages(self._session, self._platform, request.place, request.attached))

    def advice(self) -> Advice:
        """All of it."""
        subject = self._subject()
        reference = Reference.maybe(subject.base)
        found, newest, refresh, why = self._found(subject, reference)
        if subject.image is None and found is None:
            raise KezuriError.of(f"{subject.base} could not be looked at: {why}", exit_code=125)
        image = subject.image if subject.image is not None else found
        assert image is not None
        row = self._row(subject.base or subject.name, "same", image, subject.layers)
        known = bool(subject.base) or subject.layers >= 0
        if row.contents is not None and subject.image is not None and known and subject.layers != len(image.layers):
            # The digest is that of the image on top of it.
            digest = newest.digest if newest is not None and refresh == "current" else ""
            row = row._replace(contents=row.contents._replace(digest=digest))
        newer = None
        if refresh == "newer" and newest is not None:
            newer = self._row(newest.name, "same", newest)
        choice = self._choice(reference) if reference is not None and reference.tag else None
        rows = self._rows(choice, image, found, row) if choice is not None else ()
        if reference is None:
            self._told.append("nothing tells which base it is, and nothing can be compared: --base NAME says it")
        elif choice is None:
            self._told.append(f"{reference.familiar} names no tag: nothing can be found that would replace it")
        chosen = Base(
            subject.base,
            subject.how,
            row,
            subject.layers,
            refresh,
            newer,
            None if choice is None else choice.made,
            why,
            subject.dockerfile,
            subject.line,
        )
        data = tuple(self._database.data()) if self._database is not None else ()
        self._told += [remark.message for remark in remarks(data, self._request.now, self._settings.db_age)]
        catalogue = " ".join(word for word in (self._catalogue.date, self._request.catalogue) if word)
        told = tuple(dict.fromkeys((*self._told, *self._doubted())))
        return Advice(
            self._request.subject,
            str(self._platform),
            chosen,
            rows,
            data,
            catalogue,
            self._no_data,
            told,
            self._candidates.left_out,
        )

    def _doubted(self) -> Iterator[str]:
        """What could not be counted, or in part only, each reason once."""
        for (nothing, why), names in self._doubts.items():
            of = ", ".join(dict.fromkeys(names))
            yield f"not counted: {of}: {why}" if nothing else f"counted in part: {of}: {why}"

    # the subject

    def _subject(self) -> Subject:
        request = self._request
        path = dockerfile_of(request.subject)
        if path:
            subject = of_dockerfile(path, request.target, dict(request.arguments), self._platform)
            if subject.platform is not None and subject.platform != self._platform:
                self._platform = subject.platform
                self._images = self._looking()
            return subject
        traffic = Traffic()
        scratch = self._held.enter_context(self._session.store.scratch("base"))
        name = self._images.within(request.subject, request.platform)
        found = self._held.enter_context(located(self._session, name, request.platform, traffic, scratch))
        subject = of_image(self._session, found, name, request.platform, request.base, traffic)
        return subject if subject.base else self._recognised(subject)

    def _recognised(self, subject: Subject) -> Subject:
        """The base of an image of which nothing says it: the image itself where it is an official one, else a guess
        that its layers prove."""
        from kezuri.alternatives.guessing import guesses

        image = subject.image
        assert image is not None
        own = Reference.maybe(_name_within(image.name))
        if own is not None and (self._catalogue.groups(own.repository) or is_distroless(own.repository)):
            return subject._replace(base=own.familiar, how="itself", layers=len(image.layers))
        self._say(image.name)
        listed: dict[str, frozenset[str]] = {}
        tried = 0
        for name in guesses(self._images.contents(image)):
            reference = Reference.parse(name)
            if reference.path not in listed:
                listed[reference.path] = self._known_tags(reference)
            if reference.tag not in listed[reference.path]:
                continue
            if tried == _GUESSES:
                break
            tried += 1
            try:
                found = self._images.find(reference)
            except KezuriError:
                continue
            if same_layers(image.config.diff_ids, found.config.diff_ids):
                return subject._replace(base=name, how="recognised", layers=len(found.config.diff_ids))
        return subject

    def _known_tags(self, reference: Reference) -> frozenset[str]:
        """The tags of a repository, none where nobody tells."""
        try:
            return self._images.tags(reference) or frozenset()
        except KezuriError:
            return frozenset()

    # the base and its newer build

    def _found(
        self, subject: Subject, reference: Reference | None
    ) -> tuple[FoundImage | None, FoundImage | None, Refresh, str]:
        """What a build would take, what the registry has by the tag now, whether that is another one, and why that is
        not known."""
        if reference is None:
            stored = self._stored(subject) if subject.image is None else None
            return stored, None, "unknown", "nothing tells the name of its base"
        self._say(reference.familiar)
        tagged = reference._replace(digest="") if reference.tag else reference
        newest, why = None, ""
        refresh: Refresh = "unknown"
        try:
            newest = self._images.find(tagged)
        except KezuriError as error:
            refresh = "gone" if self._images.missing(error) == "gone" else "unknown"
            why = _first(error)
        if subject.image is not None:
            if newest is not None and subject.layers > 0:
                of_base = subject.image.config.diff_ids[: subject.layers]
                refresh = "current" if tuple(of_base) == tuple(newest.config.diff_ids) else "newer"
            elif newest is not None:
                refresh = "current" if same_layers(subject.image.config.diff_ids, newest.config.diff_ids) else "newer"
            return newest, newest, refresh, why
        used = self._used(subject, reference)
        if used is not None and newest is not None:
            refresh = "current" if used.digest == newest.digest else "newer"
        elif newest is not None:
            refresh = "current"
        return used or newest, newest, refresh, why

    def _used(self, subject: Subject, reference: Reference) -> FoundImage | None:
        """What a build of the Dockerfile takes where that is not simply what the registry has: the store's image, or
        the one of the digest. KezuriError where there is none of that digest."""
        stored = None if self._images.apart else self._stored(subject)
        if reference.digest and stored is None:
            return self._images.find(reference._replace(tag=""))
        return stored

    def _stored(self, subject: Subject) -> FoundImage | None:
        try:
            return self._images.stored(subject.base, str(self._platform) if self._request.platform else "")
        except KezuriError:
            return None

    # what could replace it

    def _choice(self, reference: Reference) -> Choice:
        listed: frozenset[str] | None = None
        try:
            listed = self._images.tags(reference)
        except KezuriError as error:
            self._told.append(f"the tags of {reference.repository} are not known: {_first(error)}")
        architecture = self._platform.architecture
        variant = self._platform.variant
        named = f"{architecture}/{variant}" if architecture == "arm" and variant else architecture
        choice = choose(reference, self._catalogue, listed, named, self._request.most, self._ended)
        if listed is not None and not any(each.way == "newer" for each in choice.candidates):
            elsewhere = choose(reference, self._catalogue, None, named, self._request.most, self._ended)
            newer = [each.name for each in elsewhere.candidates if each.way == "newer"][:_NAMED]
            if newer:
                self._told.append(f"of newer lines its registry has none of the official tags: {', '.join(newer)}")
        return choice

    def _ended(self, reference: Reference, tag: Tag) -> bool:
        name = runtime_of(reference.repository)
        life = self._lives.of_runtime(name, tag.version) if name and tag.version else None
        return life is not None and life.standing(self._day) in ("ended", "unreleased")

    def _rows(self, choice: Choice, image: FoundImage, found: FoundImage | None, own: Row) -> tuple[Row, ...]:
        used = {image.digest, *((found.digest,) if found is not None else ())}
        base_ids = tuple(found.config.diff_ids) if found is not None else ()
        rows: dict[str, Row] = {}
        for candidate, answer in self._candidates.looked(self._images, choice.candidates, lambda: self._enough(rows)):
            if isinstance(answer, KezuriError):
                if candidate.known or self._images.missing(answer) != "gone":
                    row = Row(candidate.name, candidate.way, libc=candidate.tag.libc, absent=_first(answer))
                    rows[candidate.name] = row
                continue
            looked, contents = answer
            if looked.digest in used or (base_ids and tuple(looked.config.diff_ids) == base_ids):
                continue
            if looked.digest in rows:
                earlier = rows[looked.digest]
                rows[looked.digest] = earlier._replace(also=(*earlier.also, candidate.name))
                continue
            rows[looked.digest] = self._told_of(candidate.name, candidate.way, contents)
        order = {"same": 0, "newer": 1, "distroless": 2}
        return tuple(
            sorted(
                rows.values(),
                key=lambda row: (
                    bool(row.absent),
                    order[row.way],
                    row.counts is None or row.counts.partial,
                    row.counts.badness if row.counts is not None else (),
                    row.libc != own.libc,
                    row.contents.size if row.contents is not None else 0,
                ),
            )
        )

    def _enough(self, rows: Mapping[str, Row]) -> bool:
        return sum(not row.absent for row in rows.values()) >= self._request.most

    # one image

    def _row(self, name: str, way: Way, image: FoundImage, layers: int = -1) -> Row:
        self._say(name)
        try:
            contents = self._images.contents(image, layers)
        except KezuriError as error:
            return Row(name, way, absent=_first(error))
        return self._told_of(name, way, contents)

    def _told_of(self, name: str, way: Way, contents: Contents) -> Row:
        from kezuri.alternatives.counting import counted, ends
        from kezuri.sbom.foreign import Origins

        self._told += contents.told
        counts = None
        if self._database is not None:
            answer = counted(self._database, contents, Origins(contents.distribution).foreign)
            counts = answer.counts
            if counts is not None and contents.lacks_runtime(name):
                counts, answer = counts._replace(partial=True), answer._replace(why="nothing tells of its runtime")
            if answer.why:
                self._doubts.setdefault((answer.counts is None, answer.why), []).append(name)
        ended = ends(contents, self._lives, self._day)
        return Row(name, way, contents, counts, ended, contents.libc, contents.shell)


def _name_within(name: str) -> str:
    """The name that an image has in its place: `node:24` of `oci:images:node:24`."""
    from kezuri.transfer.places import LayoutPlace, read_place

    if not name.startswith("oci"):
        return name
    try:
        place = read_place(name)
    except KezuriError:
        return ""
    return place.selector if isinstance(place, LayoutPlace) else ""


def _first(error: KezuriError) -> str:
    return error.diagnostics[0].message
