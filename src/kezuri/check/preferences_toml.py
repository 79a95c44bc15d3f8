"""The table `[check]` of kezuri.toml and of the settings files; what is wrong in it is named by file, line and key."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from kezuri.check.names import canonical, canonicals, known, meant
from kezuri.check.policy import Policy
from kezuri.check.preferences import THRESHOLDS, Preferences
from kezuri.check.rule import Level
from kezuri.check.told import LEVELS
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText, Span, nearest

LABEL_FORMS = ("text", "rfc3339", "semver", "url", "hash", "spdx", "email")
"""What the value of a label may have to be."""

Form = Literal["names", "texts", "keywords", "levels", "labels", "threshold", "format", "flag"]
KEYS: Mapping[str, Form] = {
    "ignore": "names",
    "rules": "names",
    "select": "names",
    "levels": "levels",
    "failure-threshold": "threshold",
    "format": "format",
    "no-fail": "flag",
    "heed-comments": "flag",
    "trusted-registries": "texts",
    "required-labels": "texts",
    "label-schema": "labels",
    "strict-labels": "flag",
    "forbidden-instructions": "keywords",
    "forbidden-bases": "texts",
}
"""What the table may say."""

_KEY = r"""^[ \t]*\[?[ \t]*(?:check[ \t]*\.[ \t]*)?["']?({})["']?[ \t]*(?:=|\]|\.)"""
_INLINE = r"""[{{,][ \t]*["']?({})["']?[ \t]*="""
MOST_UNKNOWN = 50
"""Names that no rule has, of which one file is told: each is compared with every name."""


def read_project(text: str, name: str, formats: tuple[str, ...]) -> Preferences:
    """What a kezuri.toml says. KezuriError for one that is malformed."""
    import tomllib

    source = SourceText(name, text)
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _not_toml(source, str(error)) from None
    for key in table:
        if key != "check":
            hint = f"did you mean {near}?" if (near := nearest(key, ("check",))) else "there is [check]"
            raise _Table(source, table).wrong(key, f"unknown table {key!r} in {name}", hint)
    return read_table(table.get("check", {}), source, formats)


def read_table(table: Any, source: SourceText, formats: tuple[str, ...]) -> Preferences:
    """What the table says. KezuriError, at its key, for what has a wrong form; a rule that nobody knows is a
    warning."""
    reading = _Table(source, table)
    if not isinstance(table, dict):
        raise reading.wrong("check", f"check is a table in {source.name}", "write [check], and the keys below it")
    said: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name not in KEYS:
            near = nearest(name, KEYS)
            hint = f"did you mean {near}?" if near else f"known: {', '.join(KEYS)}"
            raise reading.wrong(key, f"unknown key {key!r} of [check] in {source.name}", hint)
        if name in said:
            raise reading.wrong(key, f"{name} is twice in {source.name}", "once with - and once with _: leave out one")
        said[name] = reading.value(name, key, value, formats)
    policy = Policy(
        said.get("trusted-registries", ()),
        said.get("label-schema", ()),
        said.get("strict-labels", False),
        said.get("required-labels", ()),
        said.get("forbidden-instructions", ()),
        said.get("forbidden-bases", ()),
    )
    return Preferences(
        canonicals(said.get("ignore", ())),
        canonicals(said["rules"]) if "rules" in said else None,
        canonicals(said.get("select", ())),
        said.get("levels", {}),
        said.get("failure-threshold", ""),
        said.get("format", ""),
        said.get("no-fail"),
        said.get("heed-comments"),
        policy,
        tuple(reading.warnings),
    )


def _not_toml(source: SourceText, message: str) -> KezuriError:
    found = re.search(r" ?\(at line (\d+), column (\d+)\)", message)
    span = Span(0, 1)
    if found is not None:
        lines = source.text.split("\n")[: int(found[1]) - 1]
        at = sum(len(line) + 1 for line in lines) + int(found[2]) - 1
        span = Span(at, at + 1)
        message = message.replace(found[0], "")
    return KezuriError.of(f"{source.name} is not TOML: {message}", source=source, span=span, exit_code=2)


class _Table:
    """A table and the text in which its keys are found again."""

    def __init__(self, source: SourceText, table: object) -> None:
        self._source = source
        self.warnings: list[Diagnostic] = []
        start = re.search(r"^[ \t]*\[[ \t]*check\b|^[ \t]*check[ \t]*[.=]", source.text, re.MULTILINE)
        self._start = start.start() if start is not None else 0

    def span(self, key: str, word: str = "") -> Span:
        """Where a key stands, or a word of its value."""
        written = re.escape(key)
        found = re.compile(_KEY.format(written), re.MULTILINE).search(self._source.text, self._start)
        found = found or re.compile(_INLINE.format(written)).search(self._source.text, self._start)
        if found is None:
            return Span(self._start, self._start + 1)
        at = self._source.text.find(word, found.end()) if word else -1
        return Span(*found.span(1)) if at < 0 else Span(at, at + len(word))

    def wrong(self, key: str, message: str, hint: str = "") -> KezuriError:
        """The error for a key."""
        return KezuriError.of(message, hint=hint, source=self._source, span=self.span(key), exit_code=2)

    def value(self, name: str, key: str, value: Any, formats: tuple[str, ...]) -> Any:
        """A value in the form that it is asked for."""
        form = KEYS[name]
        if form == "flag":
            if not isinstance(value, bool):
                raise self.wrong(key, f"{name} is true or false")
            return value
        if form in ("threshold", "format"):
            return self._choice(name, key, value, THRESHOLDS if form == "threshold" else formats)
        if form == "labels":
            return self._labels(name, key, value)
        if form == "levels":
            return self._levels(name, key, value)
        texts = self._texts(name, key, value)
        if form == "names":
            for text in texts:
                self._known(text, key)
        if form == "keywords":
            for text in texts:
                self._keyword(text, key)
        return texts

    def _choice(self, name: str, key: str, value: Any, choices: tuple[str, ...]) -> str:
        if value in choices:
            return str(value)
        near = nearest(value, choices) if isinstance(value, str) else None
        hint = f"did you mean {near}?" if near else f"one of: {', '.join(choices)}"
        raise self.wrong(key, f"{name} cannot be {value!r}", hint)

    def _texts(self, name: str, key: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise self.wrong(key, f"{name} is a text or a list of texts")

    def _pairs(self, name: str, key: str, value: Any, hint: str) -> dict[str, str]:
        if isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
            return value
        raise self.wrong(key, f"{name} is a table of texts", hint)

    def _labels(self, name: str, key: str, value: Any) -> tuple[tuple[str, str], ...]:
        pairs = self._pairs(name, key, value, 'write for instance "org.opencontainers.image.version" = "semver"')
        for label, form in pairs.items():
            self._choice(f"{name}.{label}", label, form, LABEL_FORMS)
        return tuple(pairs.items())

    def _levels(self, name: str, key: str, value: Any) -> dict[str, Level]:
        pairs = self._pairs(name, key, value, 'write for instance DL3008 = "warning"')
        levels: dict[str, Level] = {}
        for rule, level in pairs.items():
            self._known(rule, rule)
            self._choice(f"{name}.{rule}", rule, level, LEVELS)
            levels[canonical(rule)] = level  # type: ignore[assignment]
        return levels

    def _keyword(self, text: str, key: str) -> None:
        from kezuri.dockerfile.statement import KEYWORDS

        if text.upper() not in KEYWORDS:
            near = nearest(text.upper(), KEYWORDS)
            hint = f"did you mean {near}?" if near else f"an instruction is one of {', '.join(KEYWORDS)}"
            message = f"there is no instruction {text!r}"
            self.warnings.append(Diagnostic("warning", message, self._source, self.span(key, text), hint))

    def _known(self, rule: str, key: str) -> None:
        if len(self.warnings) < MOST_UNKNOWN and not known(rule):
            self.warnings.append(unknown_rule(rule, self._source, self.span(key, rule if rule != key else "")))


def unknown_rule(rule: str, source: SourceText, span: Span | None) -> Diagnostic:
    """What is said about a name that no rule has."""
    near = meant(rule)
    hint = f"did you mean {near}?" if near else "`kezuri check --list` shows the rules"
    return Diagnostic("warning", f"there is no rule {rule!r}", source, span, hint)


Reader = Callable[[str, str, tuple[str, ...]], Preferences]
"""Reads a file of preferences: its text, its name, and the formats that there are."""
