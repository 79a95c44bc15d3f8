"""The instructions of the language as values: what each line says, before any variable is expanded."""

from typing import Literal, NamedTuple

from kezuri.diagnostics import Place, SourceText, Span


class Heredoc(NamedTuple):
    """A here-document. `body` is verbatim, without the terminator line, tabs not yet stripped.

    `expand` is false when the name was quoted; `strip_tabs` is true for `<<-`; `fd` is the digits before `<<`
    (-1: none). `span` covers the `<<NAME` word, `body_span` the body.
    """

    name: str
    body: str
    expand: bool
    strip_tabs: bool
    fd: int
    span: Span
    body_span: Span

    @property
    def text(self) -> str:
        """The body as the builder uses it, with leading tabs removed where `<<-` asks for that."""
        if not self.strip_tabs:
            return self.body
        return "\n".join(line.lstrip("\t") for line in self.body.split("\n"))


class Node(NamedTuple):
    """What every instruction carries.

    `keyword` is upper-case, `written` as the file has it. `span` covers the whole instruction with continuations and
    heredoc bodies, without the trailing newline; `keyword_span` the word. `original` is the logical line: continued
    lines joined, comments within dropped, flags included, heredoc bodies excluded. `comment` is the comment block
    directly above (its lines without `#` and one blank), `number` counts instructions of the file from 0. `source` is
    the file, which the spans of the instruction are spans of.
    """

    keyword: str
    written: str
    span: Span
    keyword_span: Span
    original: str
    comment: tuple[str, ...]
    number: int
    source: SourceText

    @property
    def place(self) -> Place:
        """Where the whole instruction stands."""
        return Place(self.source, self.span)

    def part(self, span: Span | None) -> Place:
        """Where a part of it stands; the whole where the part is not known."""
        return Place(self.source, span or self.span)


class Command(NamedTuple):
    """A command in shell form (`argv` is the one text) or in exec form (`argv` are the words)."""

    shell: bool
    argv: tuple[str, ...]


class MountOption(NamedTuple):
    """One `--mount` of a RUN, as written: its options in order, keys lower-case, those without `=` with None."""

    options: tuple[tuple[str, str | None], ...]
    span: Span


class From(NamedTuple):
    """FROM [--platform=…] image [AS name]; `name` is lower-case, `written_name` as the file has it."""

    node: Node
    image: str
    platform: str | None
    name: str | None
    written_name: str | None
    as_keyword: str
    image_span: Span

    @property
    def image_place(self) -> Place:
        """Where the image is named."""
        return self.node.part(self.image_span)


class Run(NamedTuple):
    """RUN. With heredocs `command.argv` is the one logical line including the `<<NAME` words."""

    node: Node
    command: Command
    heredocs: tuple[Heredoc, ...]
    mounts: tuple[MountOption, ...]
    network: str | None
    security: str | None
    devices: tuple[str, ...]


class Copy(NamedTuple):
    """COPY or ADD (see `node.keyword`). `sources` are the words before the last one, heredoc sources as `<<NAME`
    words left out and held in `heredocs`; `order` tells their order: an index >= 0 into `sources`, or -1 - i for
    `heredocs[i]`. `json` says that the words came as a JSON array."""

    node: Node
    sources: tuple[str, ...]
    destination: str
    heredocs: tuple[Heredoc, ...]
    order: tuple[int, ...]
    json: bool
    source_image: str | None
    chown: str | None
    chmod: str | None
    link: bool
    parents: bool
    excludes: tuple[str, ...]
    checksum: str | None
    keep_git_dir: bool | None
    unpack: bool | None
    source_spans: tuple[Span, ...]
    from_span: Span | None


class Env(NamedTuple):
    """ENV; `legacy` for the form without `=`. Values are unexpanded and still quoted."""

    node: Node
    pairs: tuple[tuple[str, str], ...]
    legacy: bool


class Label(NamedTuple):
    """LABEL; as Env."""

    node: Node
    pairs: tuple[tuple[str, str], ...]
    legacy: bool


class Arg(NamedTuple):
    """ARG; a value of None means that no default is given. Values are unexpanded and still quoted."""

    node: Node
    pairs: tuple[tuple[str, str | None], ...]


class Cmd(NamedTuple):
    """CMD."""

    node: Node
    command: Command


class Entrypoint(NamedTuple):
    """ENTRYPOINT."""

    node: Node
    command: Command


class Shell(NamedTuple):
    """SHELL."""

    node: Node
    argv: tuple[str, ...]


class Workdir(NamedTuple):
    """WORKDIR."""

    node: Node
    path: str


class User(NamedTuple):
    """USER."""

    node: Node
    user: str


class Expose(NamedTuple):
    """EXPOSE, words as written."""

    node: Node
    ports: tuple[str, ...]


class Volume(NamedTuple):
    """VOLUME."""

    node: Node
    paths: tuple[str, ...]


class Stopsignal(NamedTuple):
    """STOPSIGNAL."""

    node: Node
    signal: str


class Healthcheck(NamedTuple):
    """HEALTHCHECK; `command` is None for NONE. Durations are nanoseconds, None where not given."""

    node: Node
    command: Command | None
    interval: int | None
    timeout: int | None
    start_period: int | None
    start_interval: int | None
    retries: int | None


class Onbuild(NamedTuple):
    """ONBUILD; `text` is the trigger with its heredoc bodies, to be parsed when it fires."""

    node: Node
    text: str


class Maintainer(NamedTuple):
    """MAINTAINER."""

    node: Node
    name: str


Instruction = (
    From
    | Run
    | Copy
    | Env
    | Label
    | Arg
    | Cmd
    | Entrypoint
    | Shell
    | Workdir
    | User
    | Expose
    | Volume
    | Stopsignal
    | Healthcheck
    | Onbuild
    | Maintainer
)


class Directive(NamedTuple):
    """A parser directive at the top of the file: `syntax`, `escape` or `check`."""

    name: Literal["syntax", "escape", "check"]
    value: str
    span: Span
