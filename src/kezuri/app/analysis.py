"""Images analysed: their anatomy without what is meant to be so, dive's figures, and the rules of a `.dive-ci`."""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from kezuri.anatomy.thresholds import DEFAULTS, READERS, RULES, Thresholds
from kezuri.anatomy.values import Anatomy
from kezuri.app.anatomy import Named, anatomy, opened_dissection, opened_with_figures
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError, SourceText, Span, nearest

if TYPE_CHECKING:
    from kezuri.anatomy.dissection import Dissection
    from kezuri.anatomy.dive import DiveFigures
    from kezuri.dockerfile.ignore import Patterns
    from kezuri.documents.value import Mapping as Table
    from kezuri.documents.value import Value

DIVE_CI = ".dive-ci"
"""The file in the current directory that dive looks for."""


class DiveCi(NamedTuple):
    """What a `.dive-ci` says: limits by the names of the rules, as they are written, and paths to be ignored, which
    dive itself does not know."""

    limits: Mapping[str, str]
    ignore: tuple[str, ...] = ()


def analysed(settings: Settings, image: Named, ignore: Sequence[str] = ()) -> Anatomy:
    """The figures of an image; files whose path one of the patterns has are not among what could go. KezuriError as for
    `anatomy`, and for a pattern that is none."""
    if not ignore:
        return anatomy(settings, image)
    with Session(settings, reading=True) as session, opened_analysed(session, image, ignore) as (_, figures):
        return figures


@contextmanager
def opened_analysed(
    session: Session, image: Named, ignore: Sequence[str] = ()
) -> "Iterator[tuple[Dissection, Anatomy]]":
    """The image as `opened_dissection` gives it, and its figures as `analysed` does, its layers read once."""
    patterns = ignored(ignore)
    with opened_with_figures(session, image) as (dissection, figures):
        if ignore:
            from kezuri.anatomy.ignored import without

            figures = without(figures, dissection.pieces(), patterns.matches)
        yield dissection, figures


def dive_figures(settings: Settings, image: Named, ignore: Sequence[str] = ()) -> "DiveFigures":
    """The numbers that dive has for an image. KezuriError as for `analysed`, and where a layer cannot be read."""
    from kezuri.anatomy import dive

    patterns = ignored(ignore)
    with Session(settings, reading=True) as session, opened_dissection(session, image) as dissection:
        for number, layer in enumerate(dissection.layers, 1):
            if layer.unread:
                raise KezuriError.of(
                    f"layer {number} could not be read: {layer.unread}",
                    hint="leave out --compat: without it, the other layers are told of",
                    exit_code=125,
                )
        return dive.dive_figures(dissection, patterns.matches) if ignore else dive.dive_figures(dissection)


def ignored(patterns: Sequence[str]) -> "Patterns":
    """Patterns of paths as in an ignore file; the slash that paths are shown with may stand before them.
    KezuriError, with exit code 2, for one that is none."""
    from kezuri.dockerfile.ignore import Patterns

    try:
        return Patterns.of([re.sub("^(!?)/+", r"\1", pattern) for pattern in patterns])
    except KezuriError as error:
        raise KezuriError(*error.diagnostics, exit_code=2) from None


def thresholds(limits: Mapping[str, str]) -> Thresholds:
    """The limits of the rules, those that are not named being off. ValueError for one that cannot be read."""
    return Thresholds(*(READERS[rule](limits.get(rule, "disabled")) for rule in RULES))


def read_dive_ci(path: str) -> DiveCi:
    """What the file says, with dive's limits where it says nothing. KezuriError, at its key, for what cannot be
    understood; exit code 2."""
    from kezuri.documents.reader import LARGEST, read
    from kezuri.documents.value import Mapping as Table

    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise KezuriError.of(f"{path} is no file", exit_code=2)
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise KezuriError.of(f"cannot read {path}: {error.strerror}", exit_code=2) from error
    source = SourceText(path, text)
    yaml = read(source)
    if yaml.error is not None:
        raise KezuriError(*yaml.error.diagnostics, exit_code=2)
    limits = dict(DEFAULTS)
    if not yaml.documents:
        return DiveCi(limits)
    document = yaml.documents[0]
    if not isinstance(document, Table):
        raise KezuriError.of(f"{path} is no table of keys", source=source, span=Span(0, 1), exit_code=2)
    rules = document.get("rules")
    if isinstance(rules, Table):
        _read_limits(source, rules, limits)
    return DiveCi(limits, tuple(_texts(source, document.get("ignore"))))


def _read_limits(source: SourceText, rules: "Table", limits: dict[str, str]) -> None:
    from kezuri.documents.value import Scalar

    for entry in rules.all():
        rule, value = entry.key.text, entry.value
        if rule not in READERS:
            near = nearest(rule, RULES)
            hint = f"did you mean {near}?" if near else f"known: {', '.join(RULES)}"
            message = f"unknown rule {rule!r} in {source.name}"
            raise KezuriError.of(message, source=source, span=entry.key.span, hint=hint, exit_code=2)
        written = value.text if isinstance(value, Scalar) else None
        try:
            if written is None:
                raise ValueError
            READERS[rule](written)
        except ValueError:
            raise KezuriError.of(
                f"{rule} cannot be {written!r}" if written is not None else f"{rule} is one value",
                source=source,
                span=value.span,
                hint=limit_hint(rule),
                exit_code=2,
            ) from None
        limits[rule] = written


def limit_hint(rule: str) -> str:
    """What a rule's limit can be."""
    if rule == "highestWastedBytes":
        return "write bytes, like 20MB, or disabled"
    return "write a share from 0 to 1, like 0.95, or disabled"


def _texts(source: SourceText, value: "Value | None") -> list[str]:
    from kezuri.documents.value import Scalar
    from kezuri.documents.value import Sequence as Listed

    if value is None or (isinstance(value, Scalar) and value.null):
        return []
    items = [item.value for item in value.items] if isinstance(value, Listed) else [value]
    texts = [item.text for item in items if isinstance(item, Scalar)]
    if len(texts) < len(items):
        raise KezuriError.of("ignore is a list of patterns", source=source, span=value.span, exit_code=2)
    return texts
