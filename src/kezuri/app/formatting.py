"""`fmt`: Dockerfiles in one style, each proved to mean what it meant before it is written."""

from typing import NamedTuple

from kezuri.app.check_places import Found
from kezuri.app.rewriting import Original, Replacement, read_original, replace_all
from kezuri.app.standard import lost_output, standard_input
from kezuri.diagnostics import KezuriError, Place
from kezuri.dockerfile.parser import Dockerfile, decode, parse
from kezuri.format.equality import differences
from kezuri.format.formatter import formatted
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.plan.facts import Survey
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.plan.planner import Planner, PlanRequest
from kezuri.source.reading import limited

_MARK = b"\xef\xbb\xbf"


class Styled(NamedTuple):
    """A file as it is and as it should be, both without the byte order mark that it may have. `original` is None for
    standard input. `kept` are the places of instructions that have to stay as they are."""

    found: Found
    original: Original | None
    marked: bool
    before: str
    after: str
    kept: tuple[Place, ...]

    @property
    def changed(self) -> bool:
        """Whether it is not in the style yet."""
        return self.before != self.after

    def data(self, text: str) -> bytes:
        """The bytes of the file with this text."""
        return _MARK * self.marked + text.encode("utf-8", "surrogateescape")


def style(found: Found, reindent: bool = False) -> Styled:
    """Read a file and lay it out; with `reindent` the lines of commands too, which runs those steps again. KezuriError
    where it cannot be read or has errors, or where the proof fails."""
    original = read_original(found.path, found.shown) if found.path else None
    data = original.data if original is not None else limited(standard_input(), found.shown)
    if b"\0" in data:
        raise KezuriError.of(f"{found.shown} is no text: there are NUL bytes in it")
    text = decode(data)
    after, kept = _laid_out(text, found.shown, reindent)
    return Styled(found, original, data.startswith(_MARK), text, after, kept)


def styled_text(text: str, name: str) -> str:
    """The text in the style; KezuriError with what is wrong with it."""
    return _laid_out(text, name)[0]


def write(styled: Styled) -> None:
    """Put the new text in the place of the old one, at once. KezuriError where the file was changed meanwhile, or
    cannot be written."""
    if styled.original is not None:
        path, shown = styled.original.path, styled.found.shown
        replace_all([Replacement(path, shown, styled.data(styled.after), styled.original)])


def pour(styled: Styled) -> None:
    """The new text on standard output, byte for byte. KezuriError when it is not taken."""
    from kezuri.linux.descriptors import write_all

    try:
        write_all(1, styled.data(styled.after))
    except OSError as error:
        meaning = lost_output(error)
        raise meaning or KezuriError.of("standard output is closed", exit_code=125) from None


def _laid_out(text: str, name: str, reindent: bool = False) -> tuple[str, tuple[Place, ...]]:
    before = dockerfile = parse(text, name).verify()
    moved: frozenset[int] = frozenset()
    if reindent:
        from kezuri.format.indenting import reindented

        new, moved = reindented(before)
        dockerfile = parse(new, name)
        if not differences(before, dockerfile) <= moved:
            raise _refusal(name, "instructions")
    result = formatted(dockerfile)
    _prove(before, parse(result.text, name), ("command",) if moved else ())
    return result.text, tuple(i.node.place for i in before.instructions if i.node.number in result.kept)


def _prove(before: Dockerfile, after: Dockerfile, allowed: tuple[str, ...]) -> None:
    """KezuriError, unless both files are planned alike: operations, keys, configs and history of every stage, but for
    what is allowed."""
    from kezuri.proof.difference import undeclared
    from kezuri.proof.plans import survey_differences

    if before.source.text == after.source.text:
        return
    found = survey_differences(_survey(before), _survey(after))
    if allowed:
        found = undeclared(found, allowed)
    if found:
        raise _refusal(before.source.name, found[0].name)


def _refusal(name: str, what: str) -> KezuriError:
    return KezuriError.of(
        f"{name} is left as it is: laid out, it would not be the same build ({what})",
        hint="this is a mistake of kezuri's: please report it with the file",
        exit_code=125,
    )


def _survey(dockerfile: Dockerfile) -> Survey:
    """All stages, on images that exist only here: what a base image holds is the same before and after."""
    platform = Platform("linux", "amd64")

    def resolve(source: ImageSource, wanted: Platform) -> BaseImage:
        return BaseImage(source.text, "", ImageConfig(wanted), (), source)

    planner = Planner(dockerfile, PlanRequest(platform=None, build_platform=platform), resolve)
    return planner.look(everything=True)


def difference(styled: Styled) -> str:
    """What changes, as a unified diff that `patch` understands."""
    from kezuri.check.patch import unified

    return unified(styled.before, styled.after, styled.found.shown.lstrip("/"))
