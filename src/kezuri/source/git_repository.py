"""Git repositories: a shared copy of each in the store, commits resolved and fetched into it."""

import os
import threading
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.plan.inputs import GitSource
from kezuri.plan.remote import is_commit
from kezuri.registry.retry import delay
from kezuri.source.git_failure import damaged, passing, unreachable
from kezuri.source.git_program import Access, GitFailed, GitProgram
from kezuri.store.store import Store, remove_tree

_TRIES = 3
_LISTING = 60.0
"""Seconds that a server gets to say which refs it has: git waits for ever by itself, unless it speaks HTTP."""
_MOST_MOVED = 100
"""How many addresses, of a repository and its submodules, may lead to others."""
_HUBS = ("https://github.com/", "https://www.github.com/")

Output = Callable[[bytes], object]


class Commit(NamedTuple):
    """What a ref stood for: the object that it names (of an annotated tag, the tag), the commit behind it, and its
    full name, empty where a commit was named by its hash."""

    object: str
    commit: str
    ref: str


class GitRepositories:
    """Bare repositories in the store, one for each remote."""

    def __init__(
        self,
        store: Store,
        program: GitProgram,
        secret: Callable[[str], bytes | None],
        agent: Callable[[], str],
        verifies: Callable[[str], bool],
        locate: Callable[[str], str],
        cancel: threading.Event,
    ) -> None:
        """`secret` gives the value of a secret of the build, `agent` the socket of its default ssh agent, empty when
        it has none; `verifies` tells of a URL whether its host's certificate is checked; `locate` gives the URL to
        which the server of one sends us, KezuriError when we must not go there."""
        self._store = store
        self._program = program
        self._secret = secret
        self._agent = agent
        self._verifies = verifies
        self._locate = locate
        self._cancel = cancel
        self._accesses: dict[tuple[str, str], Access] = {}

    def resolve(self, source: GitSource, output: Output) -> Commit:
        """What the source's ref stands for now. A full commit hash is taken at its word: no network is asked.
        KezuriError when there is no such ref, or it is another commit than the checksum says."""
        if is_commit(source.ref):
            if not source.ref.startswith(source.checksum):
                raise _mismatch(source, source.ref)
            return Commit(source.ref, source.ref, "")
        if source.fetch_by_commit:
            if not is_commit(source.checksum):
                raise KezuriError.of(
                    "fetch-by-commit needs the full hash of the commit", hint="as the ref, or as the checksum"
                )
            ref = source.ref if source.ref.startswith("refs/") or not source.ref else f"refs/heads/{source.ref}"
            return Commit(source.checksum, source.checksum, ref)
        if source.ref in ("", "HEAD"):
            found = self._default_branch(source)
        else:
            found = self._named(source)
        output(f"{found.commit}\t{found.ref or 'HEAD'}\n".encode())
        if not found.object.startswith(source.checksum) and not found.commit.startswith(source.checksum):
            raise _mismatch(source, *dict.fromkeys((found.object, found.commit)))
        return found

    def fetch(self, source: GitSource, commit: Commit, output: Output) -> str:
        """The path of the bare repository, which has the commit. The caller holds `lock` for the remote."""
        path = self.path(source)
        try:
            return self._fetch(path, source, commit, output)
        except GitFailed as error:
            if not damaged(error):
                raise unreachable(source, error, self.access(source)) from None
        # The copy is damaged after a crash of the machine, or has a branch `a` where the remote has `a/b` by now. It
        # holds nothing that the remote does not have: it is made again.
        remove_tree(path)
        try:
            return self._fetch(path, source, commit, output)
        except GitFailed as error:
            raise unreachable(source, error, self.access(source)) from None

    def path(self, source: GitSource) -> str:
        """Where the bare repository of the remote is, or would be."""
        return self._store.path("git", "repositories", _name(source.remote))

    def lock_name(self, source: GitSource) -> str:
        """The store's lock for the bare repository."""
        return f"make-git-{_name(source.remote)}"

    def access(self, source: GitSource) -> Access:
        """How the remote is spoken to."""
        key = (source.remote, source.credentials)
        known = self._accesses.get(key)
        if known is None:
            known = self._find_access(source)
            if source.remote.startswith("https://") and not self._verifies(source.remote):
                known = known._replace(unchecked="/".join(source.remote.split("/", 3)[:3]))
            self._accesses[key] = known
        return known

    def _find_access(self, source: GitSource) -> Access:
        remote = source.remote
        if remote.startswith("git://"):
            return Access()
        if not remote.startswith(("http://", "https://")):
            return Access(agent=self._agent())
        from base64 import b64encode

        from kezuri.source.http_download import header_text

        scope = next((hub for hub in _HUBS if remote.startswith(hub)), remote)
        host = remote.partition("://")[2].partition("/")[0]
        for name in (f"GIT_AUTH_HEADER.{host}", f"GIT_AUTH_TOKEN.{host}", "GIT_AUTH_HEADER", "GIT_AUTH_TOKEN"):
            value = self._secret(name)
            if value is None:
                continue
            text = header_text(value, name)
            if "TOKEN" in name:
                text = "basic " + b64encode(f"x-access-token:{text}".encode("latin-1")).decode()
            return Access(scope, text)
        if source.credentials:
            text = source.credentials if ":" in source.credentials else source.credentials + ":"
            return Access(remote, "basic " + b64encode(text.encode("utf-8", "surrogateescape")).decode())
        return Access()

    def following(self, source: GitSource, run: Callable[[Access], bytes]) -> bytes:
        """What `run` gives with the access to a remote; again when a server had sent it to another address, if we may
        go there. An Authorization goes nowhere else."""
        while True:
            access = self.access(source)
            try:
                return run(access)
            except GitFailed as error:
                url = error.moved
                if not url or access.authorization or len(access.moved) >= _MOST_MOVED:
                    raise
                target = self._locate(url)
                if target == url or (url, target) in access.moved:
                    raise
                moved = ((url, target), *access.moved)
                self._accesses[source.remote, source.credentials] = access._replace(moved=moved)

    def _remotely(self, source: GitSource, *arguments: str, git_dir: str = "", output: Output | None = None) -> bytes:
        """Run git where it speaks to the remote: what may pass is tried again."""
        tries = 0
        while True:
            try:
                return self.following(
                    source,
                    lambda access: self._program.run(
                        *arguments,
                        git_dir=git_dir,
                        access=access,
                        told=output,
                        seconds=_LISTING if arguments[0] == "ls-remote" else float("inf"),
                        remote=True,
                    ),
                )
            except GitFailed as error:
                tries += 1
                if tries >= _TRIES or not passing(error) or self._cancel.wait(delay(tries, 0.5)):
                    raise

    def _ask(self, source: GitSource, *arguments: str) -> list[tuple[str, str]]:
        try:
            answer = self._remotely(source, "ls-remote", *arguments)
        except GitFailed as error:
            raise unreachable(source, error, self.access(source)) from None
        lines = answer.decode("utf-8", "surrogateescape").splitlines()
        return [(line.partition("\t")[0], line.partition("\t")[2]) for line in lines]

    def _default_branch(self, source: GitSource) -> Commit:
        name = commit = ""
        for value, ref in self._ask(source, "--symref", "--", source.remote, "HEAD"):
            if ref == "HEAD" and value.startswith("ref: "):
                name = value.removeprefix("ref: ")
            elif ref == "HEAD":
                commit = value
        if not is_commit(commit):
            raise KezuriError.of(
                f"the git repository {source.remote} has no default branch",
                hint="name a branch or a tag: write #BRANCH behind the address",
            )
        return Commit(commit, commit, name if name.startswith("refs/heads/") else "")

    def _named(self, source: GitSource) -> Commit:
        ref = source.ref
        found = {name: value for value, name in self._ask(source, "--", source.remote, ref, ref + "^{}")}
        bare = ref.removeprefix("refs/")
        tag = "refs/tags/" + ref.removeprefix("refs/tags/")
        # In this order, as git checkout has it: a branch comes before a tag of the same name.
        for name in (f"refs/{bare}", "refs/heads/" + ref.removeprefix("refs/heads/"), tag):
            if is_commit(value := found.get(name, "")):
                return Commit(value, found.get(name + "^{}", value), name)
        raise self._no_ref(source)

    def _no_ref(self, source: GitSource) -> KezuriError:
        ref = source.ref
        if 4 <= len(ref) < 40 and not ref.strip("0123456789abcdef"):
            hint = "a commit is named by its full hash"
        else:
            there = [name.split("/", 2)[-1] for _, name in self._ask(source, "--heads", "--tags", "--", source.remote)]
            names = [name for name in dict.fromkeys(there) if not name.endswith("^{}")]
            near = nearest(ref.removeprefix("refs/heads/").removeprefix("refs/tags/"), names)
            hint = f"did you mean {near}?" if near else f"it has {', '.join(names[:8])}" + ", …" * (len(names) > 8)
            hint = hint if names else "it has neither branches nor tags"
        return KezuriError.of(f'the git repository {source.remote} has no branch or tag "{ref}"', hint=hint)

    def _fetch(self, path: str, source: GitSource, commit: Commit, output: Output) -> str:
        run = self._program.run
        if not os.path.exists(os.path.join(path, "HEAD")):
            remove_tree(path)
            os.makedirs(path)
            kind = ("--object-format=sha256",) if len(commit.object) == 64 else ()
            run("init", "--quiet", "--bare", "--template=", *kind, path)
            run("config", "uploadpack.allowAnySHA1InWant", "true", git_dir=path)
        # Collection goes by the time of a directory and spares what was used since the oldest running build began.
        os.utime(path)
        if self._has(path, commit):
            return path
        for name in ("shallow.lock", "packed-refs.lock"):
            try:
                os.unlink(os.path.join(path, name))
            except FileNotFoundError:
                pass
        keep = f"refs/kezuri/{commit.object}"
        fetch = ("fetch", "--quiet", "--no-tags", "--force", "--no-write-fetch-head", "--no-recurse-submodules")
        attempts: list[tuple[str, ...]] = []
        if commit.ref and not source.fetch_by_commit:
            # First by the ref's name, because not every server gives a commit by its hash. The ref may have moved since
            # it was resolved; then the next attempt asks for the commit itself.
            attempts.append(("--depth=1", "--", source.remote, f"+{commit.ref}:refs/kezuri/latest"))
        attempts.append(("--depth=1", "--", source.remote, f"+{commit.object}:{keep}"))
        everything = ("--", source.remote, "+refs/heads/*:refs/kezuri/heads/*", "+refs/tags/*:refs/kezuri/tags/*")
        attempts.append(everything)
        trouble: GitFailed | None = None
        for attempt in attempts:
            if attempt is everything and os.path.exists(os.path.join(path, "shallow")):
                attempt = ("--unshallow", *attempt)
            try:
                self._remotely(source, *fetch, *attempt, git_dir=path, output=output)
            except GitFailed as error:
                if not _asks_too_much(error):
                    raise
                trouble = error
                continue
            if self._has(path, commit):
                run("update-ref", keep, commit.object, git_dir=path)
                return path
        if trouble is not None and not _asks_too_much(trouble):
            raise trouble
        raise KezuriError.of(
            f"the git repository {source.remote} has no commit {commit.object}",
            hint="is it the right repository? A commit that no branch or tag reaches cannot be fetched everywhere",
        )

    def _has(self, path: str, commit: Commit) -> bool:
        try:
            self._program.run("cat-file", "-e", f"{commit.object}^{{tree}}", git_dir=path)
        except GitFailed:
            return False
        return True


def _asks_too_much(error: GitFailed) -> bool:
    """Whether the server gives no single commits, or no shallow histories."""
    said = error.said.lower()
    return any(
        words in said
        for words in ("not our ref", "unadvertised object", "shallow", "--depth", "couldn't find remote ref")
    )


def _mismatch(source: GitSource, *found: str) -> KezuriError:
    return KezuriError.of(
        f"{source.remote}{'#' + source.ref if source.ref else ''} is commit {' or '.join(found)}, "
        f"and {source.checksum} was expected",
        hint="either the ref was moved, or the checksum is for another one",
    )


def _name(remote: str) -> str:
    return sha256(remote.encode("utf-8", "surrogateescape")).hexdigest()[:32]
