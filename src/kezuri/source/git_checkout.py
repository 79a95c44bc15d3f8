"""The files of a commit as a directory, made once and kept in the store."""

import json
import os
import re
import stat
from collections.abc import Iterator
from hashlib import sha256

from kezuri.diagnostics import KezuriError, nearest
from kezuri.linux.directory import make_plain
from kezuri.plan.inputs import GitSource
from kezuri.registry.challenge import private_refusal
from kezuri.registry.origin import Origin
from kezuri.source.git_failure import unreachable
from kezuri.source.git_program import GitFailed, GitProgram
from kezuri.source.git_repository import Commit, GitRepositories, Output
from kezuri.store.database import boot_id
from kezuri.store.store import Store

_DEEPEST = 16
"""How deep submodules may be nested."""
_URL = re.compile(
    r"(?P<scheme>[a-z0-9+.-]+)://(?:[^/?#]*@)?(?P<host>\[[^\]/]*\]|[^/:?#]*)(?::(?P<port>\d{1,5}))?", re.IGNORECASE
)
_SECURE_SHELL = re.compile(r"(?:[^/:]*@)?(?P<host>\[[^\]/]*\]|[^/:]+):")


class GitCheckouts:
    """Directories with the files of commits. Nothing of the machine that made them is in them, so that any build may
    use them; only the modification times are those of the checkout, unless the source asks for the commit's."""

    def __init__(self, store: Store, program: GitProgram, repositories: GitRepositories) -> None:
        self._store = store
        self._program = program
        self._repositories = repositories

    def directory(self, source: GitSource, commit: Commit, output: Output) -> str:
        """The directory with what the source names of the commit. KezuriError when that cannot be had."""
        path = self._path(source, commit)
        with self._store.lock(f"make-git-tree-{os.path.basename(path)}"):
            if os.path.isdir(path):
                os.utime(path)
                return path
            with self._store.scratch("git") as scratch:
                try:
                    with self._store.lock(self._repositories.lock_name(source)):
                        bare = self._repositories.fetch(source, commit, output)
                        tree = self._make(scratch, bare, source, commit, output)
                except GitFailed as error:
                    raise unreachable(source, error, self._repositories.access(source)) from None
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.rename(_below(tree, source), path)
                os.utime(path)
        return path

    def has(self, source: GitSource, commit: Commit) -> bool:
        """Whether the directory is there already."""
        return os.path.isdir(self._path(source, commit))

    def _path(self, source: GitSource, commit: Commit) -> str:
        meant = commit if _keeps(source) else Commit(commit.commit, commit.commit, "")
        identity = [source._replace(ref="", checksum="", credentials=""), meant]
        name = sha256(json.dumps(identity).encode("utf-8", "surrogateescape")).hexdigest()[:40]
        # The machine's boot id is part of the name, because a checkout is not forced to the disk: one that was written
        # before the machine last started may be incomplete, and is not found again.
        return self._store.path("git", "trees", f"{boot_id()[:8]}-{name}")

    def _make(self, scratch: str, bare: str, source: GitSource, commit: Commit, output: Output) -> str:
        tree = os.path.join(scratch, "tree")
        make_plain(tree)
        keep = _keeps(source)
        git_dir = os.path.join(tree, ".git") if keep else os.path.join(scratch, "git")
        run = self._program.run
        kind = ("--object-format=sha256",) if len(commit.object) == 64 else ()
        if keep:
            run("init", "--quiet", "--template=", *kind, tree)
            where = f"{commit.object}:{commit.ref}" if commit.ref else commit.object
            # A file:// URL makes git copy objects through its protocol. From a plain path it would link or copy the
            # repository's files as they stand, and follow symbolic links that were planted among them.
            fetch = ("fetch", "--quiet", "--no-tags", "--update-head-ok", "--depth=1", "--", f"file://{bare}", where)
            run(*fetch, git_dir=git_dir, protocols="file")
        else:
            run("init", "--quiet", "--template=", *kind, git_dir=git_dir, work_tree=tree)
            os.makedirs(os.path.join(git_dir, "objects", "info"), exist_ok=True)
            with open(os.path.join(git_dir, "objects", "info", "alternates"), "w") as file:
                file.write(os.path.join(bare, "objects") + "\n")
            if os.path.exists(os.path.join(bare, "shallow")):
                with open(os.path.join(bare, "shallow")) as known, open(os.path.join(git_dir, "shallow"), "w") as copy:
                    copy.write(known.read())
        run("remote", "add", "origin", source.remote, git_dir=git_dir)
        run("checkout", "--quiet", "--force", "--detach", commit.object, git_dir=git_dir, work_tree=tree)
        if source.submodules and _is_file(os.path.join(tree, ".gitmodules")):
            try:
                self._submodules(tree, git_dir, source, output)
            except GitFailed as error:
                failure = unreachable(source, error, self._repositories.access(source))
                raise KezuriError.of(
                    f"the submodules of {source.remote} cannot be fetched: {error.reason}",
                    hint=failure.diagnostics[0].hint or "submodules=false in the address leaves them out",
                ) from None
            if not keep:
                _drop_links(tree)
        if keep:
            for name in ("FETCH_HEAD", "ORIG_HEAD"):
                if os.path.exists(os.path.join(git_dir, name)):
                    os.unlink(os.path.join(git_dir, name))
        if source.mtime == "commit":
            said = run("show", "--no-patch", "--format=%ct", f"{commit.object}^{{commit}}", git_dir=git_dir)
            _set_times(tree, int(said.split()[-1]))
        return tree

    def _submodules(self, tree: str, git_dir: str, source: GitSource, output: Output, depth: int = 1) -> None:
        """Fetch the submodules of the repository that is checked out in `tree`, and theirs; `git_dir` may be empty
        where the tree has its own. Not by git's own recursion: each address is looked at before it is spoken to."""
        run = self._program.run
        run("submodule", "--quiet", "init", git_dir=git_dir, work_tree=tree)
        for url in self._told(tree, git_dir, "config", "-z", "--get-regexp", r"^submodule\..*\.url$"):
            refusal = address_refusal(url.partition("\n")[2], source.remote)
            if refusal:
                raise KezuriError.of(
                    f"a submodule of {source.remote} is not fetched: {refusal}",
                    hint="submodules=false in the address leaves them out",
                )

        def update(*more: str) -> None:
            command = ("submodule", "--quiet", "update", *more)
            self._repositories.following(
                source,
                lambda access: run(*command, git_dir=git_dir, work_tree=tree, access=access, told=output, remote=True),
            )

        try:
            update("--depth=1")
        except GitFailed as error:
            if "shallow" not in error.said and "--depth" not in error.said:
                raise
            # An old server, or one that only serves the repository's files, cannot cut a history short: the whole of it
            # is fetched.
            update()
        for entry in self._told(tree, git_dir, "ls-files", "-z", "--stage"):
            mode, _, path = entry.partition(" ")[0], *entry.partition("\t")[1:]
            inner = os.path.join(tree, path)
            if mode != "160000" or not _is_file(os.path.join(inner, ".gitmodules")):
                continue
            if depth >= _DEEPEST:
                raise KezuriError.of(f"the submodules of {source.remote} are nested more than {_DEEPEST} deep")
            self._submodules(inner, os.path.join(inner, ".git"), source, output, depth + 1)

    def _told(self, tree: str, git_dir: str, *arguments: str) -> list[str]:
        """What git lists, with a NUL behind each; nothing when it ends with an error, as where there is nothing."""
        try:
            told = self._program.run(*arguments, git_dir=git_dir, work_tree=tree)
        except GitFailed:
            return []
        return told.decode("utf-8", "surrogateescape").split("\0")[:-1]


def address_refusal(address: str, remote: str) -> str:
    """Why a submodule at this address is not fetched for the repository at `remote`, or an empty text: whoever wrote a
    public repository has no business with the network that we are in. As with redirects, a name that resolves to a
    private address is not seen."""
    target, first = _host(address), _host(remote)
    if target is None or first is None:
        return ""  # a path, or what no git takes for an address
    refusal = private_refusal(target, first, False)
    return f"it is at {target.host}, and {refusal}" if refusal else ""


def _host(address: str) -> Origin | None:
    """The host of an address, as curl and ssh find it: percent signs and other scripts' digits are read, too."""
    from unicodedata import normalize
    from urllib.parse import unquote

    found = _URL.match(address) or _SECURE_SHELL.match(address)
    if not found:
        return None
    host = normalize("NFKC", unquote(found["host"])).strip("[]").lower()
    return Origin(found.groupdict().get("scheme") or "ssh", host, int(found.groupdict().get("port") or 0))


def _keeps(source: GitSource) -> bool:
    """Whether the git directory is kept: below a part of the repository there is none, as in BuildKit."""
    return source.keep_git_dir and not source.subdir


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _drop_links(tree: str) -> None:
    """Remove the files by which submodules point at git directories that stay behind. A repository cannot hold an
    entry of that name itself."""
    for base, directories, files in os.walk(tree):
        if ".git" in files:
            os.unlink(os.path.join(base, ".git"))
        if ".git" in directories:
            directories.remove(".git")


def _below(tree: str, source: GitSource) -> str:
    """The directory of the source in the tree; no links lead there."""
    path = tree
    for part in source.subdir.split("/") if source.subdir else ():
        inner = os.path.join(path, part)
        try:
            mode = os.lstat(inner).st_mode
        except OSError:
            near = nearest(part, sorted(name for name in os.listdir(path) if name != ".git"))
            raise KezuriError.of(
                f'there is no directory "{source.subdir}" in {source.remote}{"#" + source.ref if source.ref else ""}',
                hint=f"did you mean {near}?" if near else "what stands behind the colon is a path in the repository",
            ) from None
        if not stat.S_ISDIR(mode):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "a file"
            raise KezuriError.of(
                f'"{os.path.relpath(inner, tree)}" in {source.remote} is {what}, not a directory',
                hint="what stands behind the colon is a directory in the repository",
            )
        path = inner
    return path


def _set_times(tree: str, seconds: int) -> None:
    """Give everything the time, what lies in a directory before the directory. KezuriError for one out of range."""
    try:
        for path in _bottom_up(tree):
            os.utime(path, (seconds, seconds), follow_symlinks=False)
    except OverflowError:
        raise KezuriError.of(
            f"the commit's date, {seconds} seconds since 1970, is later than any that a file can have",
            hint="leave mtime=commit out of the address",
        ) from None


def _bottom_up(tree: str) -> Iterator[str]:
    for base, directories, files in os.walk(tree, topdown=False):
        for name in (*files, *directories):
            yield os.path.join(base, name)
    yield tree
