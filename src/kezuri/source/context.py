"""Opening what a build reads: the context, its Dockerfile, its ignore file, and named contexts."""

import errno
import os
import stat
from collections.abc import Callable
from typing import BinaryIO, NamedTuple, Protocol, cast

from kezuri.diagnostics import KezuriError, SourceText, nearest
from kezuri.dockerfile.ignore import Ignore
from kezuri.layer.entry import Entry
from kezuri.source.reading import USUAL, decode, limited, opened, read_dockerfile, stray
from kezuri.tree.content import on_hand
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.tree import Tree, clean, resolve

OWNER = (0, 0)
"""Whom the files of a context that is a directory belong to, whoever owns them on this machine."""


class Context(NamedTuple):
    """An opened build context.

    `tree` has the ignore rules applied. `root` is the directory on this machine, empty for a context that is an
    archive. `directory` is the Dockerfile's own directory on this machine, empty when it has none. `address` says where
    a remote context comes from, without who logs in there and without the commit: what stays when it changes.
    `identity` is what does not: `commit HEX` or `sha256:HEX`, with what else was taken of it behind a comma.
    """

    tree: Tree
    dockerfile: SourceText
    root: str
    directory: str
    ignore: Ignore | None
    address: str = ""
    identity: str = ""


class Elsewhere(Protocol):
    """Fetches what does not lie on this machine; see `kezuri.source.remote_context`, which is loaded when it is asked.

    KezuriError when something is not there.
    """

    def context(self, address: str, file: str, scratch: str, stdin: Callable[[], BinaryIO]) -> Context | None:
        """The context at an address, with `file` as its Dockerfile; None when the text is no address."""

    def tree(self, name: str, address: str) -> tuple[Tree, str] | None:
        """The tree of a named context and its directory on this machine, empty when it has none; None when the text is
        no address."""

    def dockerfile(self, url: str) -> SourceText:
        """The Dockerfile at a URL."""


def open_context(
    context: str = ".",
    file: str = "",
    *,
    cwd: str = "",
    stdin: Callable[[], BinaryIO] | None = None,
    scratch: str = "",
    elsewhere: Callable[[], Elsewhere] | None = None,
) -> Context:
    """Open a build context as `docker build` does.

    `context` is a directory, or `-` for standard input, which holds a tar archive (unpacked below `scratch`) or, when
    it is none, a Dockerfile for an empty context, or the address of a git repository, an archive or a Dockerfile, which
    `elsewhere` fetches.
    `file` is the Dockerfile as given: relative to `cwd` for a directory (default: the process's), inside the archive
    for standard input, `-` for standard input, a URL; without it, the first of `USUAL` in the context.
    `<Dockerfile>.dockerignore` beside it takes the place of the context's `.dockerignore`; where there is neither, a
    Containerfile has the context's `.containerignore`; archives have no ignore rules (Dockerfile reference,
    ".dockerignore files"). KezuriError when something is not there.
    """
    if context == "-":
        if file == "-":
            raise KezuriError.of(
                "standard input cannot be both the build context and the Dockerfile",
                hint="Give a directory as the context, or a path with --file.",
                exit_code=2,
            )
        return _from_stdin(_stream(stdin), file, scratch)
    if elsewhere is not None and _may_be_remote(context, cwd):
        opened = elsewhere().context(context, file, scratch, lambda: _stream(stdin))
        if opened is not None:
            return opened
    root = os.path.abspath(os.path.join(cwd, context))
    _check_directory(root, context)
    beside: tuple[str, str] | None = None
    directory = ""
    if file == "-":
        text = decode("<stdin>", limited(_stream(stdin), "<stdin>"))
    elif elsewhere is not None and file.startswith(("http://", "https://")):
        text = elsewhere().dockerfile(file)
    else:
        path = os.path.abspath(os.path.join(cwd, file)) if file else _default_file(root, context)
        shown = file or os.path.join(context, os.path.basename(path))
        text = decode(shown, read_dockerfile(path, shown, root if path.startswith(root + "/") else "", context))
        beside, directory = (path + ".dockerignore", shown + ".dockerignore"), os.path.dirname(path)
    ignore = _ignore(root, context, beside)
    if ignore is None and beside is not None and os.path.basename(beside[0]).startswith("Containerfile"):
        ignore = _ignore(root, context, None, ".containerignore")
    tree = DirectoryTree(root, ignore, OWNER, name=f"the build context ({root})")
    return Context(tree, text, root, directory, ignore)


def open_named(name: str, path: str, *, cwd: str = "") -> DirectoryTree:
    """The directory of `--build-context name=path`, with the rules of its own `.dockerignore`.

    KezuriError when it is no directory.
    """
    root = os.path.abspath(os.path.join(cwd, path))
    _check_directory(root, f"{name}={path}")
    return DirectoryTree(root, _ignore(root, path, None), OWNER, name=f'the build context "{name}" ({root})')


def open_named_tree(name: str, path: str, elsewhere: Callable[[], Elsewhere]) -> tuple[Tree, str]:
    """The tree of `--build-context name=path`, where the path may be an address, and its directory on this machine;
    empty when it has none. KezuriError when it is not there."""
    if _may_be_remote(path, ""):
        opened = elsewhere().tree(name, path)
        if opened is not None:
            return opened
    tree = open_named(name, path)
    return tree, tree.root


def _may_be_remote(text: str, cwd: str) -> bool:
    """Whether it is worth to look closer: a directory of this machine comes first, as in buildx."""
    if "://" not in text and "@" not in text and not text.startswith("github.com/"):
        return False
    return not os.path.isdir(os.path.join(cwd, text))


def _check_directory(root: str, written: str) -> None:
    try:
        is_directory = stat.S_ISDIR(os.stat(root).st_mode)
        there = True
    except (FileNotFoundError, NotADirectoryError):
        is_directory, there = False, os.path.lexists(root)
    except OSError as error:
        raise _unreadable(root, written, error) from None
    except ValueError:
        is_directory = there = False
    if is_directory:
        return
    if there:
        hint = "Name the directory; a Dockerfile is given with --file." if os.path.isfile(root) else ""
        raise KezuriError.of(f'the build context "{written}" is not a directory', hint=hint)
    try:
        near = nearest(os.path.basename(root), sorted(os.listdir(os.path.dirname(root))))
    except (OSError, ValueError):
        near = None
    raise KezuriError.of(
        f'the build context "{written}" was not found',
        hint=f'Did you mean "{near}"?' if near else f'There is no "{root}".',
    )


def _unreadable(root: str, written: str, error: OSError) -> KezuriError:
    """A context that this user may not search, or that the machine does not give."""
    from kezuri.linux.disk import user
    from kezuri.linux.refusal import abridged

    hint = ""
    if error.errno == errno.EACCES:
        hint = f"Make it readable for {user(os.geteuid())}, or run kezuri as somebody who may read it."
    return KezuriError.of(f'cannot read the build context "{abridged(written)}": {error.strerror}', hint=hint)


def _default_file(root: str, context: str) -> str:
    for name in USUAL:
        path = os.path.join(root, name)
        try:
            os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(root, context, error) from None
        return path
    try:
        others = sorted(n for n in os.listdir(root) if "dockerfile" in n.lower() or "containerfile" in n.lower())
    except OSError:
        others = []
    hint = f"Choose one with --file: {', '.join(others[:5])}" if others else "Create one, or name it with --file."
    raise KezuriError.of(f'there is no Dockerfile in the build context "{context}"', hint=hint)


def dockerfile_in(tree: Tree, file: str) -> SourceText | None:
    """The Dockerfile in a tree, by its path there or, where `file` is empty, by its usual names; None when no file is
    there. Links are followed within the tree."""

    def lookup(path: str) -> Entry | None:
        there = tree.stat(path)
        return there.entry if there is not None else None

    for name in (file,) if file else USUAL:
        found = tree.stat(resolve(clean(name), lookup))
        if found is not None and found.entry.kind == "file":
            content = on_hand(found.content)
            return decode(name, read_dockerfile(content, name) if isinstance(content, str) else content or b"")
    return None


def _ignore(root: str, written: str, beside: tuple[str, str] | None, name: str = ".dockerignore") -> Ignore | None:
    """The ignore rules that hold, None when there are none.

    `written` is what the user calls the context, `beside` the path and the name of the file beside the Dockerfile,
    `name` that of the context's own.
    """
    own = (os.path.join(root, name), os.path.normpath(os.path.join(written, name)))
    for path, shown in (beside, own) if beside is not None else (own,):
        try:
            with opened(path, root if path.startswith(root + "/") else "") as file:
                text = limited(file, shown)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                if os.path.islink(path):
                    raise stray(path, f'the ignore file "{shown}"', root) from None
                continue
            raise KezuriError.of(f'cannot read the ignore file "{shown}": {error.strerror}') from None
        return Ignore.parse(text.decode("utf-8", "surrogateescape"), shown)
    return None


def _from_stdin(stream: BinaryIO, file: str, scratch: str) -> Context:
    """A context from standard input: an archive, or else a Dockerfile with nothing beside it."""
    from kezuri.layer.decompression import decompress
    from kezuri.tree.archive import Archives, is_tar_header
    from kezuri.tree.item_tree import ItemTree

    plain = decompress(stream, "standard input")
    head = plain.read(512)
    rest = cast(BinaryIO, _Rest(head, plain))
    if not is_tar_header(head):
        if file:
            raise KezuriError.of(
                f'standard input is no tar archive, so "{file}" cannot be in it',
                hint="Give a directory as the context, or leave --file out.",
                exit_code=2,
            )
        text = decode("<stdin>", limited(rest, "<stdin>"))
        return Context(ItemTree((), "the build context (empty)", OWNER), text, "", "", None)
    name = "the build context (standard input)"
    # Owners are those of the archive, as BuildKit has it for contexts that it unpacks itself.
    tree = ItemTree(Archives(scratch).items(rest, "standard input"), name)
    source = dockerfile_in(tree, file)
    if source is not None:
        return Context(tree, source, "", "", None)
    raise KezuriError.of(
        f'there is no Dockerfile "{file or "Dockerfile"}" in the archive on standard input',
        hint="--file names a path inside the archive.",
    )


def _stream(stdin: Callable[[], BinaryIO] | None) -> BinaryIO:
    if stdin is None:
        raise KezuriError.of("there is no standard input to read", exit_code=2)
    return stdin()


class _Rest:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._stream.read(size)
        data = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(data) :]
        return data if size >= 0 else data + self._stream.read()
