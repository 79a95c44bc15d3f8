"""What `kezuri check` is pointed at: files and directories, recognised by name, and what lies around a Dockerfile."""

import os
import stat
from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

from kezuri.check.surroundings import LARGEST
from kezuri.diagnostics import KezuriError, nearest
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.parser import decode
from kezuri.source.reading import USUAL, limited, read_dockerfile

_MOST_NAMES = 5000
"""Names of one directory that are looked at."""

_MOST_GUESSED = 50
"""YAML files of one directory that are looked into whether they are workflows or Compose files."""


class Found(NamedTuple):
    """A file to check. `path` is empty for standard input; `shown` is what the user calls it; `directory` is its own,
    empty for standard input."""

    path: str
    shown: str
    directory: str

    @property
    def document(self) -> bool:
        """Whether its name says that it is no Dockerfile but something beside one."""
        return is_document(os.path.basename(self.path))

    def read(self, stdin: Callable[[], BinaryIO]) -> str:
        """Its text. KezuriError for what cannot be read, is too large or is no text."""
        if not self.path:
            data = limited(stdin(), self.shown)
        else:
            data = _from_pipe(self.path, self.shown) if _is_pipe(self.path) else read_dockerfile(self.path, self.shown)
        if _no_text(data):
            raise KezuriError.of(f"{self.shown} is no text", hint="name a Dockerfile, or what lies beside one")
        return decode(data)


_TEXT = bytes(range(8, 14)) + b"\x1b"


def _no_text(data: bytes) -> bool:
    """Whether bytes are those of something else: a NUL is in them, or they begin with many other control characters."""
    if b"\0" in data:
        return True
    head = data[:4096]
    controls = sum(byte < 32 for byte in head.translate(None, _TEXT))
    return controls * 20 > len(head)


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def _from_pipe(path: str, shown: str) -> bytes:
    """What somebody writes into a pipe, to its end; KezuriError where nobody does, since waiting might never end."""
    from select import POLLHUP, POLLIN, poll

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise KezuriError.of(f"cannot read {shown}: {error.strerror}") from None
    with open(descriptor, "rb", 0) as file:
        asked = poll()
        asked.register(descriptor, POLLIN)
        left = dict(asked.poll(0)).get(descriptor, 0) & POLLHUP
        first = file.read(1 << 16)  # None: somebody is there and has not written yet
        if first == b"" and not left:
            raise KezuriError.of(f"nobody writes into the pipe {shown}")
        os.set_blocking(descriptor, True)
        return (first or b"") + limited(file, shown)


class NoFile(KezuriError):
    """There is nothing of this name on the disk."""


def find(path: str, stdin: str = "-") -> list[Found]:
    """The files that a path of the command line means: itself, or what there is to check in a directory: Dockerfiles,
    ignore files, Compose files and workflows. KezuriError where it means none, `NoFile` where nothing is there.
    `stdin` is what standard input is called."""
    if path == "-":
        return [Found("", stdin or "-", "")]
    if not path or "\0" in path:
        raise KezuriError.of(f"not a path: {path!r}")
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path) from None
    except OSError as error:
        raise KezuriError.of(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISDIR(mode):
        return [Found(path, path, os.path.dirname(os.path.abspath(path)))]
    found = _in(path, lambda name: is_dockerfile(name) or _beside_it(name))
    for hub in (".github", ".gitea", ".forgejo"):
        if os.path.isdir(os.path.join(path, hub, "workflows")):
            found += _in(os.path.join(path, hub, "workflows"), lambda name: name.endswith((".yml", ".yaml")))
    others = _in(path, lambda name: name.endswith((".yml", ".yaml")) and not _beside_it(name))
    found += [one for one in others[:_MOST_GUESSED] if _says_what_it_is(one)]
    if not found:
        raise KezuriError.of(f"there is nothing to check in {path}", hint="name the file")
    return found


def _says_what_it_is(found: Found) -> bool:
    """Whether a YAML file is a workflow or a Compose file, though its name does not say so."""
    data = _regular(found.path)
    if data is None or _no_text(data):
        return False
    from kezuri.check.document import document_of
    from kezuri.diagnostics import SourceText

    return document_of(SourceText(found.shown, decode(data)), os.path.basename(found.path)) is not None


def _in(path: str, wanted: Callable[[str], bool]) -> list[Found]:
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if wanted(entry.name) and entry.is_file())
    except OSError as error:
        raise KezuriError.of(f"cannot read {path}: {error.strerror}") from None
    directory = os.path.abspath(path)
    return [Found(os.path.join(path, name), os.path.normpath(os.path.join(path, name)), directory) for name in names]


def is_document(name: str) -> bool:
    """Whether a file of this name is YAML or an ignore file."""
    return name.endswith((".yml", ".yaml", ".dockerignore", ".containerignore"))


def _beside_it(name: str) -> bool:
    from kezuri.check.document import kind_by_name

    return is_document(name) and kind_by_name(name) is not None


def is_dockerfile(name: str) -> bool:
    """Whether a file of this name is a Dockerfile: `Dockerfile`, `Dockerfile.web`, `Dockerfile-web`, `web.Dockerfile`,
    and the same with Containerfile."""
    low = name.lower()
    if low.endswith(_OTHERS) or (low.endswith(_CODE) and not name.startswith(("Dockerfile", "Containerfile"))):
        return False
    usual = {name.lower() for name in USUAL}
    return low.partition(".")[0].partition("-")[0] in usual or low.rpartition(".")[2] in usual


_OTHERS = (
    *(".dockerignore", ".containerignore", ".yml", ".yaml", ".json", ".toml", ".md", ".rst", ".txt", ".adoc", ".html"),
    *(".orig", ".rej", ".bak", ".old", ".save", ".swp", "~", ".gz", ".log", ".lock", ".diff", ".patch"),
    *(".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".template", ".erb", ".ejs", ".mustache", ".hbs", ".m4", ".in"),
)
_CODE = (".sh", ".py", ".go", ".js", ".ts", ".rb", ".rs", ".java", ".php", ".c", ".cs", ".lua", ".vim", ".el")
"""`dockerfile.go` is a program about Dockerfiles, `Dockerfile.go` is one for a program."""


def _missing(path: str) -> KezuriError:
    directory, name = os.path.split(path)
    try:
        near = nearest(name, sorted(os.listdir(directory or ".")))
    except OSError:
        near = None
    hint = f"did you mean {os.path.join(directory, near)}?" if near else ""
    if not hint and (":" in path or "/" in path.strip("./")):
        return NoFile.of(
            f"there is no file {path}, and the store has no such image",
            hint=f"an image of a registry is named docker://{path}",
        )
    return NoFile.of(f"there is no file {path}", hint=hint)


class Beside:
    """Surroundings that are a directory of this machine. Links are followed within it only; what was read is
    remembered."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._names: dict[str, tuple[str, ...]] = {}
        self._texts: dict[str, str | None] = {}
        self._there: dict[str, bool] = {}
        self._ignores: dict[str, Ignore | None] = {}

    def names(self, directory: str = "") -> Iterable[str]:
        """As the door has it; of a directory with very many names the first."""
        known = self._names.get(directory)
        if known is None:
            known = self._names[directory] = self._list(directory)
        return known

    def read(self, path: str) -> str | None:
        """As the door has it."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def exists(self, path: str) -> bool:
        """As the door has it. A link is there, whatever it leads to."""
        known = self._there.get(path)
        if known is None:
            directory, _, name = path.rstrip("/").rpartition("/")
            at = self._path(directory)
            known = name != ".." and at is not None and os.path.lexists(f"{at}/{name}")
            self._there[path] = known
        return known

    @property
    def root(self) -> str:
        """The directory."""
        return self._root

    def ignore(self, dockerfile: str) -> Ignore | None:
        """The ignore rules that hold for a Dockerfile: those beside it, or else those of this context. Of a file that
        cannot be read, none."""
        if dockerfile not in self._ignores:
            self._ignores[dockerfile] = self._ignore(dockerfile)
        return self._ignores[dockerfile]

    def _ignore(self, dockerfile: str) -> Ignore | None:
        own = os.path.join(self._root, ".dockerignore")
        container = os.path.join(self._root, ".containerignore")
        beside = [f"{dockerfile}.dockerignore"] if dockerfile else []
        last = [container] if os.path.basename(dockerfile).startswith("Containerfile") else []
        for path in (*beside, own, *last):
            data = _regular(path)
            if data is not None:
                return Ignore.parse(data.decode("utf-8", "surrogateescape"), os.path.relpath(path))
        return None

    def _path(self, path: str) -> str | None:
        """The path on this machine with its links followed; None where that leaves the context."""
        if "\0" in path:
            return None
        at = os.path.realpath(f"{self._root}/{path}")
        return at if at == self._root or at.startswith(self._root.rstrip("/") + "/") else None

    def _list(self, directory: str) -> tuple[str, ...]:
        at = self._path(directory)
        if at is None:
            return ()
        names = []
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    names.append(entry.name + "/" * entry.is_dir(follow_symlinks=False))
                    if len(names) == _MOST_NAMES:
                        break
        except OSError:
            return ()
        return tuple(sorted(names))

    def _read(self, path: str) -> str | None:
        at = self._path(path)
        data = None if at is None else _regular(at)
        if data is None or b"\0" in data:
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None


def _regular(path: str) -> bytes | None:
    """The bytes of a regular file; None where it is none, is a link, or is too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST)
    except OSError:
        return None
    finally:
        os.close(descriptor)
