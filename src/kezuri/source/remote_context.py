"""Build contexts that lie elsewhere: git repositories, archives and Dockerfiles at URLs."""

from collections.abc import Callable
from typing import BinaryIO

from kezuri.diagnostics import KezuriError, SourceText, nearest
from kezuri.layer.entry import Entry
from kezuri.plan.operation import GitSource, Remote, UrlSource
from kezuri.plan.remote import CONTEXT_FILE, is_url, remote_context, url_source
from kezuri.source.context import OWNER, Context, decode, limited, read_dockerfile
from kezuri.source.http_download import shown
from kezuri.source.remotes import Remotes
from kezuri.tree.content import on_hand
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.item_tree import ItemTree
from kezuri.tree.tree import Tree, clean, resolve

_MAGIC = (b"BZh", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")


class Wishes:
    """How a remote context is wanted: `keep_git_dir`, and `commit_times` for files that have the commit's time."""

    __slots__ = ("commit_times", "keep_git_dir")

    def __init__(self, keep_git_dir: bool = False, commit_times: bool = False) -> None:
        self.keep_git_dir = keep_git_dir
        self.commit_times = commit_times

    def applied(self, source: GitSource) -> GitSource:
        """The source as it is wanted; what its address says comes first."""
        return source._replace(
            keep_git_dir=source.keep_git_dir or self.keep_git_dir,
            mtime="commit" if self.commit_times or source.mtime == "commit" else "",
        )


def open_remote(
    text: str, file: str, remotes: Remotes, wishes: Wishes, scratch: str, stdin: Callable[[], BinaryIO]
) -> Context | None:
    """The context at an address; None when the text is none.

    There are no ignore rules (Dockerfile reference, ".dockerignore files"). The Dockerfile is the one of that name in
    the context; an absolute path, a URL and `-` (standard input) are one from elsewhere. What is no archive at a URL
    is a Dockerfile, with itself as the only file of the context, under the name `context`. Archives are unpacked below
    `scratch`. KezuriError when something is not there.
    """
    remote = remote_context(text)
    if remote is None:
        return None
    if isinstance(remote, GitSource):
        remote = wishes.applied(remote)
        root = remotes.directory(remote)
        tree: Tree = DirectoryTree(root, None, OWNER, name=f"the build context ({remote.remote})")
        address = remote.remote + (f" {remote.subdir}" if remote.subdir else "")
        return Context(tree, _dockerfile(tree, file, remotes, stdin), root, "", None, address)
    archive = _archive(remote, remotes, scratch)
    if archive is not None:
        return Context(archive, _dockerfile(archive, file, remotes, stdin), "", "", None, shown(remote))
    tree = _single(remote, remotes, "the build context")
    if file and not _elsewhere(file):
        raise KezuriError.of(
            f'{shown(remote)} is no archive, so "{file}" cannot be in it',
            hint="a context at a URL is a tar archive, or a Dockerfile alone",
            exit_code=2,
        )
    return Context(tree, _dockerfile(tree, file or CONTEXT_FILE, remotes, stdin), "", "", None, shown(remote))


def open_remote_named(name: str, text: str, remotes: Remotes) -> tuple[Tree, str] | None:
    """The tree of `--build-context name=address` and its directory on this machine (empty: it has none); None when
    the text is no address. What is at a URL, be it an archive, is one file by the name `context`, as in BuildKit."""
    remote = remote_context(text)
    if remote is None:
        return None
    if isinstance(remote, UrlSource):
        return _single(remote, remotes, f'the build context "{name}"'), ""
    root = remotes.directory(remote)
    return DirectoryTree(root, None, OWNER, name=f'the build context "{name}" ({remote.remote})'), root


def remote_text(file: str, remotes: Remotes) -> SourceText:
    """The Dockerfile at a URL. KezuriError when it does not come."""
    source = url_source(file, "Dockerfile")
    with open(remotes.content(source), "rb") as stream:
        return decode(shown(source), limited(stream, shown(source)))


def _elsewhere(file: str) -> bool:
    return file == "-" or file.startswith("/") or is_url(file)


def _dockerfile(tree: Tree, file: str, remotes: Remotes, stdin: Callable[[], BinaryIO]) -> SourceText:
    if file == "-":
        return decode("<stdin>", limited(stdin(), "<stdin>"))
    if is_url(file):
        return remote_text(file, remotes)
    if file.startswith("/"):
        return decode(file, read_dockerfile(file, file))

    def lookup(path: str) -> Entry | None:
        there = tree.stat(path)
        return there.entry if there is not None else None

    for name in (file,) if file else ("Dockerfile", "dockerfile"):
        found = tree.stat(resolve(clean(name), lookup))
        if found is None or found.entry.kind != "file":
            continue
        content = on_hand(found.content)
        if isinstance(content, str):
            return decode(name, read_dockerfile(content, name))
        return decode(name, content or b"")
    wanted = file or "Dockerfile"
    there = tree.stat(clean(wanted))
    if there is not None:
        raise KezuriError.of(
            f'"{wanted}" in {tree.name} is '
            + ("a link that leads to no file there" if there.entry.kind == "symlink" else "no file"),
            hint="--file names a file in the context",
        )
    near = nearest(wanted, [item.entry.path for item in tree.scan("")])
    raise KezuriError.of(
        f'there is no Dockerfile "{wanted}" in {tree.name}',
        hint=f'did you mean "{near}"?' if near else "--file names a path in the context",
    )


def _archive(source: Remote, remotes: Remotes, scratch: str) -> ItemTree | None:
    assert isinstance(source, UrlSource)
    from kezuri.layer.decompression import decompress
    from kezuri.tree.archive import Archives, is_archive

    name = shown(source)
    with open(remotes.content(source), "rb") as stream:
        head = stream.read(8)
        stream.seek(0)
        if not head.startswith(_MAGIC) and not is_archive(stream):
            return None
        stream.seek(0)
        # Owners are those of the archive, as BuildKit has it for contexts that it unpacks itself.
        return ItemTree(Archives(scratch).items(decompress(stream, name), name), f"the build context ({name})")


def _single(source: UrlSource, remotes: Remotes, what: str) -> ItemTree:
    found = remotes.download(source)
    entry = Entry(source.name, "file", 0o600, 0, 0, found.size, found.mtime)
    top = Entry("", "dir", 0o755, mtime=found.mtime)
    return ItemTree(((top, None), (entry, remotes.content(source))), f"{what} ({shown(source)})")
