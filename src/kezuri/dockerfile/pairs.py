"""Names and values: ENV, LABEL and ARG."""

import re

from kezuri.dockerfile.command import quote
from kezuri.dockerfile.flags import Flags
from kezuri.dockerfile.instructions import Arg, Env, Label
from kezuri.dockerfile.sentence import Sentence
from kezuri.dockerfile.words import split_quoted

_FIRST_GAP = re.compile(r"[\t\v\f\r ]+")


def _pairs(sentence: Sentence) -> tuple[tuple[tuple[str, str], ...], bool] | None:
    """Names and values of ENV and LABEL, and whether they are in the old form without `=`."""
    statement = sentence.statement
    keyword = statement.keyword
    words = split_quoted(statement.args, statement.at, statement.escape)
    if not words:
        sentence.wants_some(f"write {keyword} NAME=VALUE")
        return None
    if "=" not in words[0].text:
        name, *rest = _FIRST_GAP.split(statement.args, maxsplit=1)
        if not rest:
            sentence.error(f"{keyword} must have two arguments", f"write {keyword} {name}=VALUE")
            return None
        if not name:
            sentence.error(f"{keyword} names can not be blank")
            return None
        if rest[0].startswith("="):
            value = rest[0].lstrip("= \t")
            sentence.report.warning(
                "",
                f"{keyword} {name} is set to {quote(rest[0])}",
                statement.span,
                f"no blanks stand around the =: write {keyword} {name}={value}",
            )
        return ((name, rest[0]),), True
    pairs: list[tuple[str, str]] = []
    for word in words:
        name, equals, value = word.text.partition("=")
        span = statement.line.span(word.start, word.end)
        if not equals:
            sentence.report.error(
                f"Syntax error - can't find = in {quote(word.text)}. Must be of the form: name=value",
                span,
                "put a value with blanks in double quotes",
            )
        elif not name:
            sentence.report.error(f"{keyword} names can not be blank", span, "write a name before the =")
        pairs.append((name, value))
    return tuple(pairs), False


def read_env(sentence: Sentence, flags: Flags) -> Env | None:
    """ENV."""
    pairs = _pairs(sentence)
    return None if pairs is None else Env(sentence.node, *pairs)


def read_label(sentence: Sentence, flags: Flags) -> Label | None:
    """LABEL."""
    pairs = _pairs(sentence)
    return None if pairs is None else Label(sentence.node, *pairs)


def read_arg(sentence: Sentence, flags: Flags) -> Arg | None:
    """ARG."""
    statement = sentence.statement
    pairs: list[tuple[str, str | None]] = []
    for word in split_quoted(statement.args, statement.at, statement.escape):
        name, equals, value = word.text.partition("=")
        if not name:
            span = statement.line.span(word.start, word.end)
            sentence.report.error("ARG names can not be blank", span, "write a name before the =")
        pairs.append((name, value if equals else None))
    if not pairs:
        sentence.wants_some("write ARG NAME or ARG NAME=DEFAULT")
        return None
    return Arg(sentence.node, tuple(pairs))
