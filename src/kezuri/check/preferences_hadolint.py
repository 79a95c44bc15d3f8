"""What `.hadolint.yaml` and the variables HADOLINT_… say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kezuri.check.names import canonical, canonicals, known
from kezuri.check.policy import Policy
from kezuri.check.preferences import THRESHOLDS, Preferences
from kezuri.check.preferences_toml import LABEL_FORMS, MOST_UNKNOWN, unknown_rule
from kezuri.check.rule import Level
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText, Span, nearest

if TYPE_CHECKING:
    from kezuri.documents.value import Mapping as Table
    from kezuri.documents.value import Scalar, Value

FORMATS: Mapping[str, str] = {
    "tty": "tty",
    "json": "json",
    "checkstyle": "checkstyle",
    "codeclimate": "gitlab",
    "gitlab_codeclimate": "gitlab",
    "gnu": "gnu",
    "sarif": "sarif",
    "junit": "junit",
    "codacy": "json",
    "sonarqube": "json",
}
"""hadolint's formats, and ours that come nearest."""

_LEVELS: tuple[Level, ...] = ("error", "warning", "info", "style")
_OTHERS = ("no-color", "verbose")
KEYS = (
    *("failure-threshold", "format", "ignored", "label-schema", "no-fail", "override", "strict-labels"),
    *("disable-ignore-pragma", "trustedRegistries", *_OTHERS),
)
_TRUE = frozenset(("1", "y", "on", "true", "yes"))


def read_hadolint(text: str, name: str, formats: tuple[str, ...] = ()) -> Preferences:
    """What a file says. KezuriError, at its key, for what hadolint would not read; a key that it does not know is a
    warning, as it passes over it."""
    from kezuri.documents.reader import read
    from kezuri.documents.value import Mapping as Table

    source = SourceText(name, text)
    yaml = read(source)
    if yaml.error is not None:
        raise KezuriError(*yaml.error.diagnostics, exit_code=2)
    if not yaml.documents:
        return Preferences()
    document = yaml.documents[0]
    if not isinstance(document, Table):
        raise KezuriError.of(f"{name} is no table of keys", source=source, span=Span(0, 1), exit_code=2)
    return _File(source, document).preferences()


class _File:
    def __init__(self, source: SourceText, table: "Table") -> None:
        self._source = source
        self._table = table
        self._warnings: list[Diagnostic] = []

    def preferences(self) -> Preferences:
        """All of it."""
        for entry in self._table.entries:
            if entry.key.text not in KEYS:
                near = nearest(entry.key.text, KEYS)
                hint = f"did you mean {near}?" if near else f"known: {', '.join(KEYS)}"
                message = f"unknown key {entry.key.text!r} in {self._source.name}"
                self._warnings.append(Diagnostic("warning", message, self._source, entry.key.span, hint))
        levels: dict[str, Level] = {}
        override = self._mapping("override")
        for entry in override.entries if override is not None else ():
            if entry.key.text not in _LEVELS:
                near = nearest(entry.key.text, _LEVELS)
                hint = f"did you mean {near}?" if near else f"known: {', '.join(_LEVELS)}"
                message = f"unknown level {entry.key.text!r} in {self._source.name}"
                self._warnings.append(Diagnostic("warning", message, self._source, entry.key.span, hint))
        for level in _LEVELS:
            listed = override.get(level) if override is not None else None
            for rule in self._texts(f"override.{level}", listed):
                levels[canonical(rule)] = level
        schema = self._mapping("label-schema")
        labels = [] if schema is None else [(e.key.text, self._label(e.key.text, e.value)) for e in schema.entries]
        pragmas = self._flag("disable-ignore-pragma")
        form = self._choice("format", tuple(FORMATS))
        registries = tuple(self._texts("trustedRegistries", self._table.get("trustedRegistries"), rules=False))
        return Preferences(
            ignored=canonicals(self._texts("ignored", self._table.get("ignored"))),
            levels=levels,
            threshold=self._choice("failure-threshold", THRESHOLDS),
            format=FORMATS[form] if form else "",
            no_fail=self._flag("no-fail"),
            heed=None if pragmas is None else not pragmas,
            policy=Policy(registries, tuple(labels), self._flag("strict-labels") is True),
            warnings=tuple(self._warnings),
        )

    def _wrong(self, value: "Value", message: str, hint: str = "") -> KezuriError:
        return KezuriError.of(
            message,
            hint=hint,
            source=self._source,
            span=value.span if value.span.end > value.span.start else Span(value.span.start, value.span.start + 1),
            exit_code=2,
        )

    def _scalar(self, key: str) -> "Scalar | None":
        from kezuri.documents.value import Scalar

        value = self._table.get(key)
        if value is None or isinstance(value, Scalar):
            return None if value is None or value.null else value
        raise self._wrong(value, f"{key} is one text in {self._source.name}")

    def _flag(self, key: str) -> bool | None:
        scalar = self._scalar(key)
        if scalar is None:
            return None
        if scalar.truth is None:
            raise self._wrong(scalar, f"{key} is true or false in {self._source.name}")
        return scalar.truth

    def _choice(self, key: str, choices: tuple[str, ...]) -> str:
        scalar = self._scalar(key)
        if scalar is None or scalar.text in choices:
            return "" if scalar is None else scalar.text
        near = nearest(scalar.text, choices)
        raise self._wrong(
            scalar,
            f"{key} cannot be {scalar.text!r} in {self._source.name}",
            f"did you mean {near}?" if near else f"one of: {', '.join(choices)}",
        )

    def _mapping(self, key: str) -> "Table | None":
        from kezuri.documents.value import Mapping as Table
        from kezuri.documents.value import Scalar

        value = self._table.get(key)
        if value is None or isinstance(value, Table):
            return value
        if isinstance(value, Scalar) and value.null:
            return None
        raise self._wrong(value, f"{key} is a table of keys in {self._source.name}")

    def _texts(self, key: str, value: "Value | None", rules: bool = True) -> list[str]:
        from kezuri.documents.value import Scalar, Sequence

        if value is None or (isinstance(value, Scalar) and value.null):
            return []
        if not isinstance(value, Sequence):
            raise self._wrong(value, f"{key} is a list in {self._source.name}")
        found = []
        for one in value.values:
            if not isinstance(one, Scalar):
                raise self._wrong(one, f"{key} is a list of texts in {self._source.name}")
            if rules and len(self._warnings) < MOST_UNKNOWN and not known(one.text):
                self._warnings.append(unknown_rule(one.text, self._source, one.span))
            found.append(one.text)
        return found

    def _label(self, label: str, value: "Value") -> str:
        from kezuri.documents.value import Scalar

        if isinstance(value, Scalar) and value.text in LABEL_FORMS:
            return value.text
        if isinstance(value, Scalar) and not value.text and not value.null:
            return "text"
        said = value.text if isinstance(value, Scalar) else "a table"
        near = nearest(said, LABEL_FORMS)
        hint = f"did you mean {near}?" if near else f"one of: {', '.join(LABEL_FORMS)}"
        raise self._wrong(value, f"label-schema.{label} cannot be {said!r} in {self._source.name}", hint)


def hadolint_variables(environ: Mapping[str, str]) -> Preferences:
    """What the variables say; as for hadolint, one that makes no sense says nothing."""

    def names(variable: str) -> list[str]:
        return [name.strip() for name in environ.get(variable, "").split(",") if name.strip()]

    def flag(variable: str) -> bool | None:
        return environ[variable].lower() in _TRUE if variable in environ else None

    levels: dict[str, Level] = {}
    for level in _LEVELS:
        for rule in names(f"HADOLINT_OVERRIDE_{level.upper()}"):
            levels[canonical(rule)] = level
    pairs = [text.partition(":") for text in names("HADOLINT_REQUIRE_LABELS")]
    registries = (*names("HADOLINT_TRUSTED_REGISTRIES"), *names("HADOLINT_ALLOWED_REGISTRIES"))
    threshold = environ.get("HADOLINT_FAILURE_THRESHOLD", "").lower()
    pragmas = flag("HADOLINT_DISABLE_IGNORE_PRAGMA")
    return Preferences(
        ignored=canonicals(names("HADOLINT_IGNORE")),
        levels=levels,
        threshold=threshold if threshold in THRESHOLDS else "",
        format=FORMATS.get(environ.get("HADOLINT_FORMAT", ""), ""),
        no_fail=flag("HADOLINT_NOFAIL"),
        heed=None if pragmas is None else not pragmas,
        policy=Policy(
            registries,
            tuple((label, form or "text") for label, _, form in pairs if not form or form in LABEL_FORMS),
            flag("HADOLINT_STRICT_LABELS") is True,
        ),
    )
