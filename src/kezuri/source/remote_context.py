"""Build contexts that lie elsewhere: git repositories, archives and Dockerfiles at URLs."""

from collections.abc import Callable
from typing import BinaryIO

from kezuri.diagnostics import KezuriError, SourceText, nearest
from kezuri.layer.entry import Entry
from kezuri.plan.inputs import GitSource, UrlSource
from kezuri.plan.remote import CONTEXT_FILE, is_url, remote_context, url_source
from kezuri.source.context import OWNER, Context, dockerfile_in
from kezuri.source.http_download import shown
from kezuri.source.reading import decode, limited, read_dockerfile
from kezuri.source.remotes import Remotes
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.item_tree import ItemTree
from kezuri.tree.tree import Tree, clean

_MAGIC = (b"BZh", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")


class RemoteContexts:
    """Opens contexts by their addresses; `kezuri.source.context` asks it (see `Elsewhere` there).

    `keep_git_dir` and `commit_times` say how checkouts of git repositories are wanted: with their git directory, and
    with the commit's time for every file. What an address says itself comes first.
    """

    def __init__(self, remotes: Remotes, keep_git_dir: bool = False, commit_times: bool = False) -> None:
        self._remotes = remotes
        self._keep_git_dir = keep_git_dir
        self._commit_times = commit_times

    def context(self, address: str, file: str, scratch: str, stdin: Callable[[], BinaryIO]) -> Context | None:
        """The context at an address; None when the text is none.

        There are no ignore rules (Dockerfile reference, ".dockerignore files"). The Dockerfile is the one of that name
        in the context; an absolute path, a URL and `-` (standard input) are one from elsewhere. What is no archive at a
        URL is a Dockerfile, with itself as the only file of the context, under the name `context`. Archives are
        unpacked below `scratch`. KezuriError when something is not there.
        """
        remote = remote_context(address)
        if remote is None:
            return None
        if isinstance(remote, GitSource):
            remote = self._wanted(remote)
            root = self._remotes.directory(remote)
            tree: Tree = DirectoryTree(root, None, OWNER, name=f"the build context ({remote.remote})")
            place = remote.remote + (f" {remote.subdir}" if remote.subdir else "")
            identity = self._remotes.identity(remote)[1]
            return Context(tree, self._dockerfile(tree, file, stdin), root, "", None, place, identity)
        archive = self._archive(remote, scratch)
        if archive is not None:
            identity = self._remotes.identity(remote)[1]
            return Context(archive, self._dockerfile(archive, file, stdin), "", "", None, shown(remote), identity)
        tree = self._single(remote, "the build context")
        if file and not _elsewhere(file):
            raise KezuriError.of(
                f'{shown(remote)} is no archive, so "{file}" cannot be in it',
                hint="a context at a URL is a tar archive, or a Dockerfile alone",
                exit_code=2,
            )
        identity = self._remotes.identity(remote)[1]
        dockerfile = self._dockerfile(tree, file or CONTEXT_FILE, stdin)
        return Context(tree, dockerfile, "", "", None, shown(remote), identity)

    def tree(self, name: str, address: str) -> tuple[Tree, str] | None:
        """The tree of `--build-context name=address` and its directory on this machine (empty: it has none); None when
        the text is no address. What is at a URL, be it an archive, is one file by the name `context`, as in
        BuildKit."""
        remote = remote_context(address)
        if remote is None:
            return None
        if isinstance(remote, UrlSource):
            return self._single(remote, f'the build context "{name}"'), ""
        root = self._remotes.directory(remote)
        return DirectoryTree(root, None, OWNER, name=f'the build context "{name}" ({remote.remote})'), root

    def dockerfile(self, url: str) -> SourceText:
        """The Dockerfile at a URL. KezuriError when it does not come."""
        source = url_source(url, "Dockerfile")
        with open(self._remotes.content(source), "rb") as stream:
            return decode(shown(source), limited(stream, shown(source)))

    def _wanted(self, source: GitSource) -> GitSource:
        return source._replace(
            keep_git_dir=source.keep_git_dir or self._keep_git_dir,
            mtime="commit" if self._commit_times or source.mtime == "commit" else "",
        )

    def _dockerfile(self, tree: Tree, file: str, stdin: Callable[[], BinaryIO]) -> SourceText:
        if file == "-":
            return decode("<stdin>", limited(stdin(), "<stdin>"))
        if is_url(file):
            return self.dockerfile(file)
        if file.startswith("/"):
            return decode(file, read_dockerfile(file, file))
        source = dockerfile_in(tree, file)
        if source is not None:
            return source
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

    def _archive(self, source: UrlSource, scratch: str) -> ItemTree | None:
        from kezuri.layer.decompression import decompress
        from kezuri.tree.archive import Archives, is_archive

        name = shown(source)
        with open(self._remotes.content(source), "rb") as stream:
            head = stream.read(8)
            stream.seek(0)
            if not head.startswith(_MAGIC) and not is_archive(stream):
                return None
            stream.seek(0)
            # Owners are those of the archive, as BuildKit has it for contexts that it unpacks itself.
            return ItemTree(Archives(scratch).items(decompress(stream, name), name), f"the build context ({name})")

    def _single(self, source: UrlSource, what: str) -> ItemTree:
        found = self._remotes.download(source)
        entry = Entry(source.name, "file", 0o600, 0, 0, found.size, found.mtime)
        top = Entry("", "dir", 0o755, mtime=found.mtime)
        return ItemTree(((top, None), (entry, self._remotes.content(source))), f"{what} ({shown(source)})")


def _elsewhere(file: str) -> bool:
    return file == "-" or file.startswith("/") or is_url(file)
