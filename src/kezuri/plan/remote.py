"""Source words and contexts that name something elsewhere: files at URLs, and git repositories."""

import posixpath
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from kezuri.diagnostics import KezuriError, Span, nearest
from kezuri.dockerfile.instructions import Node
from kezuri.plan.inputs import GitSource, Remote, UrlSource
from kezuri.scalars import parse_bool

_SCHEME = re.compile(r"([a-zA-Z0-9]+)://")
_SECURE_SHELL = re.compile(r"([a-zA-Z0-9_-]+)@([a-zA-Z0-9.-]+):(.*?)(?:\?(.*?))?(?:#(.*))?", re.DOTALL)
_GIT_SCHEMES = ("http", "https", "ssh", "git")
_QUERIES = (
    "ref", "tag", "branch", "subdir", "checksum", "commit", "keep-git-dir", "submodules", "mtime", "fetch-by-commit",
)  # fmt: skip

CONTEXT_FILE = "context"
"""What a file that was given as a context by its URL is called in that context."""


class Words(NamedTuple):
    """The source words of an instruction, expanded, with where each stands in the Dockerfile."""

    node: Node
    sources: tuple[str, ...]
    spans: tuple[Span, ...]

    def located(self, error: KezuriError, index: int) -> KezuriError:
        """The error, pointing at the word."""
        return error.at(self.node.part(self.spans[index] if index < len(self.spans) else None))


def remote_words(words: Words, checksum: str | None, keep_git_dir: bool | None) -> tuple[Remote | None, ...]:
    """For each source word what it is when it is remote, None for one that is not; an empty tuple when none is.

    `checksum` and `keep_git_dir` are the instruction's flags, None when not given. KezuriError, at the word, for an
    address that cannot be understood, for flags that contradict it, and for remote words of a COPY.
    """
    found: list[Remote | None] = []
    for index, word in enumerate(words.sources):
        try:
            remote = _word(words.node.keyword, word)
            if isinstance(remote, GitSource):
                remote = _with_flags(remote, checksum, keep_git_dir, word)
            elif isinstance(remote, UrlSource) and checksum:
                remote = remote._replace(checksum=_sha256(checksum))
        except KezuriError as error:
            raise words.located(error, index) from None
        found.append(remote)
    if checksum is not None:
        if len(words.sources) != 1:
            raise KezuriError.of(
                "--checksum cannot be given for several sources", hint="write one ADD for each of them"
            )
        if found[0] is None:
            raise words.located(KezuriError.of("--checksum needs a source that is a URL or a git repository"), 0)
    return tuple(found) if any(remote is not None for remote in found) else ()


def remote_context(text: str) -> Remote | None:
    """What a build context (or a named one) is when it is remote: a git repository, also in the form
    `github.com/user/repository`, or else a file at a URL. KezuriError for an address that cannot be understood."""
    git = git_source(f"https://{text}", any_path=True) if text.startswith("github.com/") else git_source(text)
    if git is not None:
        return git[0]._replace(keep_git_dir=bool(git[1]))
    return url_source(text, CONTEXT_FILE) if is_url(text) else None


def is_url(text: str) -> bool:
    """Whether the text is the address of a file: BuildKit knows the schemes in small letters only."""
    return text.startswith(("http://", "https://"))


def is_secure_shell(text: str) -> bool:
    """Whether the text is the address of a git repository that is spoken to over ssh."""
    found = git_source(text)
    return found is not None and not found[0].remote.startswith(("http://", "https://", "git://"))


def url_source(text: str, name: str = "") -> UrlSource:
    """A file at a URL, called `name`, or like the last part of its path. KezuriError for what is no URL."""
    url, path, credentials = _parts(text)
    if not name:
        base = path.rstrip("/").rpartition("/")[2]
        name = _safe_name(base) if base else "__unnamed__"
    return UrlSource(url, name, "", credentials)


def git_source(text: str, any_path: bool = False) -> tuple[GitSource, bool | None] | None:
    """A git repository, and what its address says of keeping the git directory; None for anything else.

    An http or https address is a repository's if its path ends in `.git` (or with `any_path`). KezuriError for a query
    that cannot be understood.
    """
    scheme = _SCHEME.match(text)
    credentials = ""
    if scheme:
        if scheme[1].lower() not in _GIT_SCHEMES:
            return None
        try:
            bare, path, credentials = _parts(text)
        except KezuriError:
            return None
        web = scheme[1].lower() in ("http", "https")
        if web and not any_path and not path.endswith(".git"):
            return None
        head, _, fragment = text.partition("#")
        query = head.partition("?")[2]
        remote = bare.partition("#")[0].partition("?")[0]
        if not web and credentials:
            # With ssh it is the name of an account, which is no secret; a password is of no use there.
            remote = remote.replace("://", f"://{credentials.partition(':')[0]}@", 1)
            credentials = ""
        fragment = unquote(fragment)
    else:
        shell = _SECURE_SHELL.fullmatch(text)
        if not shell:
            return None
        query, fragment = shell[4] or "", shell[5] or ""
        remote = f"{shell[1]}@{shell[2]}:{shell[3]}"
    ref, _, subdir = fragment.partition(":")
    given = GitSource(remote, ref, _clean(subdir), credentials=credentials)
    found, keep = _with_query(given, query)
    if found.ref.startswith("-") or any(c <= " " or c == "\x7f" for c in found.ref):
        raise KezuriError.of(f"not a git ref: {found.ref!r}", hint="a branch, a tag or a full commit hash")
    return found, keep


def is_commit(text: str) -> bool:
    """Whether the text is the full hash of a git object: 40 or 64 small hexadecimal digits."""
    return len(text) in (40, 64) and not text.strip("0123456789abcdef")


def _word(keyword: str, word: str) -> Remote | None:
    git = git_source(word)
    if git is not None:
        if keyword == "COPY":
            raise KezuriError.of(f"COPY takes no git repository: {word}", hint="ADD does")
        source, keep = git
        return source._replace(keep_git_dir=bool(keep))
    if not is_url(word):
        return None
    if keyword == "COPY":
        raise KezuriError.of(f"COPY takes no URL: {word}", hint="ADD does")
    return url_source(word)


def _with_flags(source: GitSource, checksum: str | None, keep: bool | None, word: str) -> GitSource:
    if keep is not None:
        said = git_source(word)
        if said is not None and said[1] is not None and said[1] != keep:
            raise KezuriError.of("--keep-git-dir and keep-git-dir in the address contradict each other")
        source = source._replace(keep_git_dir=keep)
    if checksum:
        if source.checksum and source.checksum != checksum:
            raise KezuriError.of(
                f"--checksum={checksum} and the checksum {source.checksum} in the address contradict each other"
            )
        source = source._replace(checksum=checksum)
    if source.checksum.strip("0123456789abcdefABCDEF"):
        raise KezuriError.of(
            f"the checksum of a git repository is a commit hash or its beginning, not {source.checksum!r}"
        )
    return source._replace(checksum=source.checksum.lower())


def _sha256(checksum: str) -> str:
    algorithm, colon, digits = checksum.partition(":")
    if colon and algorithm in ("sha384", "sha512"):
        raise KezuriError.of(f"--checksum with {algorithm} is not supported", hint="write sha256: and 64 digits")
    if algorithm != "sha256" or len(digits) != 64 or digits.strip("0123456789abcdef"):
        raise KezuriError.of(
            f"not a checksum: {checksum!r}",
            hint="write sha256: and 64 small hexadecimal digits, as sha256sum says them",
        )
    return checksum


def _with_query(source: GitSource, query: str) -> tuple[GitSource, bool | None]:
    keep: bool | None = None
    refs = {"ref": source.ref} if source.ref else {}
    seen: set[str] = set()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _QUERIES:
            near = nearest(name, _QUERIES)
            raise KezuriError.of(
                f"unknown query {name!r} in a git address",
                hint=f"did you mean {near}?" if near else f"there are {', '.join(_QUERIES)}",
            )
        if name in seen:
            raise KezuriError.of(f"the query {name!r} has several values")
        seen.add(name)
        if name in ("keep-git-dir", "submodules", "fetch-by-commit"):
            yes = _bool(name, value)
            if name == "keep-git-dir":
                keep = yes
            elif name == "submodules":
                source = source._replace(submodules=yes)
            else:
                source = source._replace(fetch_by_commit=yes)
        elif not value:
            raise KezuriError.of(f"the query {name!r} has no value")
        elif name in ("ref", "tag", "branch"):
            prefix = {"tag": "refs/tags/", "branch": "refs/heads/"}.get(name, "")
            full = value if value.startswith(prefix) else prefix + value
            for other, said in refs.items():
                if said != full:
                    raise KezuriError.of(f"the address names two refs: {said!r} ({other}) and {full!r} ({name})")
            refs[name] = full
            source = source._replace(ref=full)
        elif name == "subdir":
            subdir = _clean(value)
            if source.subdir and source.subdir != subdir:
                raise KezuriError.of(f"the address names two directories: {source.subdir!r} and {value!r}")
            source = source._replace(subdir=subdir)
        elif name == "mtime":
            if value not in ("checkout", "commit"):
                raise KezuriError.of(f"mtime is checkout or commit, not {value!r}")
            source = source._replace(mtime="commit" if value == "commit" else "")
        else:
            source = source._replace(checksum=value)
    return source, keep


def _bool(name: str, value: str) -> bool:
    found = parse_bool(value or "true")
    if found is None:
        raise KezuriError.of(f"{name} is true or false, not {value!r}")
    return found


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")


def _parts(text: str) -> tuple[str, str, str]:
    """The URL without `user:password@` and fragment, its path decoded, and what stood before the `@`, decoded."""
    scheme, _, rest = text.partition("://")
    cut = re.search(r"[/?#]", rest)
    place, tail = (rest[: cut.start()], rest[cut.start() :]) if cut else (rest, "")
    credentials, _, host = place.rpartition("@")
    tail = tail.partition("#")[0]
    path = re.split(r"[?]", tail, maxsplit=1)[0]
    if not host or any(c < " " or c == "\x7f" for c in text) or re.search(r"%(?![0-9a-fA-F]{2})", path):
        raise KezuriError.of(f"not a URL: {text!r}", hint="write https://HOST/PATH, with % before two digits only")
    tail = re.sub(r'[ "<>\\]', lambda found: f"%{ord(found[0]):02X}", tail)
    return f"{scheme.lower()}://{host}{tail}", unquote(path, errors="surrogateescape"), unquote(credentials)


def _safe_name(name: str) -> str:
    """A name that is one part of a path and nothing else, as BuildKit makes it; bytes that are no UTF-8 are no name."""
    name = name.strip().rstrip("/").rpartition("/")[2]
    if name in ("", ".", "..") or any(c < " " or "\x7f" <= c < "\xa0" or "\ud800" <= c < "\ue000" for c in name):
        return "download"
    return name
