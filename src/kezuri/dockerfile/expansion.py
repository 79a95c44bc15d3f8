"""Variables in the words of a Dockerfile: `$v` and the forms of `${v…}`, quotes removed."""

from collections.abc import Callable, Mapping

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.dockerfile.command import quote
from kezuri.dockerfile.lexer import Lexer, LexError

MOST = 4 << 20
"""How many characters an expansion may have beyond what stands in the file: variables can double in every line."""

_SHOWN = 200


class ExpansionError(KezuriError):
    """A word that cannot be expanded; the message is BuildKit's, and names the word."""


def expand(
    text: str, variables: Mapping[str, str], escape: str = "\\", on_missing: Callable[[str], None] | None = None
) -> str:
    """The text with its variables replaced and its quotes and escapes removed.

    `on_missing` is told every name that has no value, once each. Raises ExpansionError.
    """
    return _run(text, variables, escape, on_missing, False, True)[0]


def expand_words(
    text: str, variables: Mapping[str, str], escape: str = "\\", on_missing: Callable[[str], None] | None = None
) -> tuple[str, ...]:
    """As expand, then split on blanks that were not quoted: a variable may hold several words (EXPOSE)."""
    return _run(text, variables, escape, on_missing, True, True)[1]


def expand_heredoc(body: str, variables: Mapping[str, str], on_missing: Callable[[str], None] | None = None) -> str:
    """The body of a COPY or ADD here-document with its variables replaced.

    Quotes are text. The escape character is always the backslash, whatever the file says, and it is removed before any
    character, as BuildKit does.
    """
    return _run(body, variables, "\\", on_missing, False, False)[0]


def _run(
    text: str,
    variables: Mapping[str, str],
    escape: str,
    on_missing: Callable[[str], None] | None,
    collect: bool,
    quotes: bool,
) -> tuple[str, tuple[str, ...]]:
    if not collect and "$" not in text and escape not in text and not (quotes and ("'" in text or '"' in text)):
        return text.removeprefix("\ufeff"), ()
    missing: set[str] = set()

    def lookup(name: str) -> str | None:
        value = variables.get(name)
        if value is None and on_missing is not None and name not in missing:
            missing.add(name)
            on_missing(name)
        return value

    lexer = Lexer(text, lookup, escape, quotes=quotes, collect=collect, most=len(text) + MOST)
    try:
        value = lexer.run()
    except LexError as error:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        message = f"failed to process {quote(shown)}: {error}"
        raise ExpansionError(Diagnostic("error", message, hint=_hint(str(error)))) from None
    return value, tuple(word.text for word in lexer.words)


def _hint(message: str) -> str:
    if "single-quote" in message:
        return "close the quote, or write \\' for an apostrophe"
    if "double-quote" in message:
        return 'close the quote, or write \\" for the character'
    if "bad substitution" in message:
        return "a name must follow ${; write \\${ for the characters themselves"
    if "unsupported modifier" in message:
        return "known are ${v:-w} ${v:+w} ${v:?m} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}"
    return ""
