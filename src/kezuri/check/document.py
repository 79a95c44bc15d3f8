"""Documents beside a Dockerfile that rules look at: workflows, Compose files, ignore files; what they are known by."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from kezuri.check.rule import Edit, Finding, Fix, FixClass, Level, RulePage
from kezuri.diagnostics import KezuriError, Place, SourceText, Span

if TYPE_CHECKING:
    from kezuri.check.policy import Policy
    from kezuri.check.surroundings import Surroundings
    from kezuri.dockerfile.ignore import Ignore
    from kezuri.documents.edits import TextEdit
    from kezuri.documents.reader import Yaml
    from kezuri.documents.value import Value

Facts = TypeVar("Facts")

Kind = Literal["workflow", "gitlab", "compose", "ignore"]


class DocumentSubject:
    """One document as rules see it.

    `path` is where it lies, with `/`. `value` is what a YAML document says, None for an ignore file; `error` is what
    stopped its reading: what was read until then is in `value`. `surroundings` is the directory that `home` names:
    that of a Compose or ignore file, the root of the repository for a workflow; None where it is not known.
    """

    def __init__(
        self,
        kind: Kind,
        source: SourceText,
        path: str,
        yaml: "Yaml | None" = None,
        surroundings: "Surroundings | None" = None,
        policy: "Policy | None" = None,
    ) -> None:
        self.kind = kind
        self.source = source
        self.path = path
        self.yaml = yaml
        self.surroundings = surroundings
        self.policy = policy
        self.value: Value | None = yaml.documents[-1] if yaml is not None and yaml.documents else None
        self.error: KezuriError | None = yaml.error if yaml is not None else None
        self.ignore: Ignore | None = None
        self._facts: dict[Any, Any] = {}
        if kind == "ignore":
            from kezuri.dockerfile import ignore

            try:
                self.ignore = ignore.Ignore.parse(source.text, source.name)
            except KezuriError as error:
                self.error = error

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def home(self) -> str:
        """The directory whose files it speaks of, empty for the one that paths begin in."""
        directory = self.path.rpartition("/")[0]
        if self.kind == "workflow" and (f"/{directory}").endswith("/workflows"):
            return directory.rpartition("/")[0].rpartition("/")[0]
        return directory

    def facts(self, make: "Callable[[DocumentSubject], Facts]") -> "Facts":
        """What `make` (`Workflow`, `Compose`) says of the document, made once."""
        if make not in self._facts:
            self._facts[make] = make(self)
        found: Facts = self._facts[make]
        return found

    def place(self, span: Span) -> Place:
        """A part of the document."""
        return Place(self.source, span)


class DocumentRule(RulePage):
    """One check of a document of one of the `kinds`. A `whole` rule speaks of what is missing: it is not asked about a
    document that could not be read to its end."""

    kinds: ClassVar[tuple[Kind, ...]]
    whole: ClassVar[bool] = False

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        """Every place where the rule is broken."""
        raise NotImplementedError

    def asks(self, document: DocumentSubject) -> bool:
        """Whether the rule is one for this document."""
        return document.kind in self.kinds and not (self.whole and document.error is not None)

    def found(
        self,
        document: DocumentSubject,
        span: Span,
        message: str,
        hint: str = "",
        fix: Fix | None = None,
        level: Level | None = None,
        source: SourceText | None = None,
    ) -> Finding:
        """A finding at a place of the document, or of another text that it was read with."""
        place = Place(source, span) if source is not None else document.place(span)
        return Finding(self, message, None, fix=fix, hint=hint, place=place, level=level)


def fix_of(
    document: DocumentSubject,
    title: str,
    edits: "Iterable[TextEdit | None]",
    kind: FixClass = "A",
    changes: Iterable[str] = (),
) -> Fix | None:
    """A fix of edits of the document; None where one of them could not be written. `changes` are the paths of what
    changes for a reader, with dots, as `kezuri.documents.difference` gives them."""
    made: list[Edit] = []
    for edit in edits:
        if edit is None:
            return None
        made.append(Edit(edit.span, edit.text, document.source))
    return Fix(title, tuple(made), kind, frozenset(changes))


def document_of(
    source: SourceText,
    path: str,
    surroundings: "Surroundings | None" = None,
    policy: "Policy | None" = None,
) -> DocumentSubject | None:
    """The document that a file is, by its name and its content; None where it is none that there are rules for."""
    name = path.rsplit("/", 1)[-1]
    if name in (".dockerignore", ".containerignore") or name.endswith((".dockerignore", ".containerignore")):
        return DocumentSubject("ignore", source, path, None, surroundings, policy)
    if not name.endswith((".yml", ".yaml")):
        return None
    from kezuri.documents.reader import read

    kind = kind_by_name(path)
    if kind is None and not any(word in source.text for word in ("jobs:", "services:", "uses:", "run:")):
        return None
    yaml = read(source)
    value = yaml.documents[-1] if yaml.documents else None
    if kind is None or (value is not None and not _fits(kind, value)):
        kind = _kind_by_content(value) if value is not None else None
    return None if kind is None else DocumentSubject(kind, source, path, yaml, surroundings, policy)


def kind_by_name(path: str) -> Kind | None:
    """What a file's path says that it is; None where it says nothing."""
    directory, _, name = path.rpartition("/")
    if name in (".dockerignore", ".containerignore") or name.endswith((".dockerignore", ".containerignore")):
        return "ignore"
    stem, dot, ending = name.rpartition(".")
    if not dot or ending not in ("yml", "yaml"):
        return None
    if f"/{directory}".endswith(("/.github/workflows", "/.gitea/workflows", "/.forgejo/workflows")):
        return "workflow"
    if stem in (".gitlab-ci", "gitlab-ci"):
        return "gitlab"
    if stem.split(".")[0].split("-")[0] == "compose" or stem.startswith(("docker-compose", "docker_compose")):
        return "compose"
    return None


_COMPOSE = frozenset(("version", "name", "services", "networks", "volumes", "secrets", "configs", "include", "models"))


def _fits(kind: Kind, value: "Value") -> bool:
    from kezuri.documents.value import Mapping

    if kind == "compose":
        return isinstance(value, Mapping) and value.own("services") is not None
    return isinstance(value, Mapping)


def _kind_by_content(value: "Value") -> Kind | None:
    from kezuri.documents.value import Mapping, Sequence

    if isinstance(value, Sequence):
        steps = [item for item in value.values if isinstance(item, Mapping)]
        whole = len(steps) == len(value.items) > 0
        return "workflow" if whole and all(s.own("uses") or s.own("run") for s in steps) else None
    if not isinstance(value, Mapping):
        return None
    jobs, runs, services = value.get("jobs"), value.get("runs"), value.get("services")
    if isinstance(jobs, Mapping) and (value.own("on") or value.own("true")):
        return "workflow"
    if isinstance(runs, Mapping) and runs.text("using") == "composite":
        return "workflow"
    if isinstance(services, Mapping) and services.entries:
        names = {entry.key.text for entry in value.entries}
        if all(name in _COMPOSE or name.startswith("x-") for name in names):
            made = [entry.value for entry in services.all() if isinstance(entry.value, Mapping)]
            if made and any(service.entry("image") or service.entry("build") for service in made):
                return "compose"
    return None
