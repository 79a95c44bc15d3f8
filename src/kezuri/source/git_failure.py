"""What a user is told when a git repository cannot be had."""

from kezuri.diagnostics import KezuriError
from kezuri.plan.inputs import GitSource
from kezuri.source.git_program import Access, GitFailed

_PASSING = (
    "early eof", "rpc failed", "connection reset", "connection timed out", "operation timed out", "timed out",
    "returned error: 429", "returned error: 500", "returned error: 502", "returned error: 503",
    "returned error: 504", "temporary failure in name resolution", "the remote end hung up unexpectedly",
    "unexpected disconnect", "operation too slow",
)  # fmt: skip
_DAMAGED = (
    "bad object", "corrupt", "loose object", "object file", "not a git repository", "bad pack", "bad index file",
    "does not point to a valid object", "invalid shallow", "unable to update local ref", "refname conflict",
)  # fmt: skip


def passing(error: GitFailed) -> bool:
    """Whether the same command may succeed a moment later."""
    said = error.said.lower()
    return any(words in said for words in _PASSING) and "not found" not in error.reason.lower()


def damaged(error: GitFailed) -> bool:
    """Whether it is our own copy of the repository that is at fault."""
    said = error.said.lower()
    return any(words in said for words in _DAMAGED)


def unreachable(source: GitSource, error: GitFailed, access: Access) -> KezuriError:
    """The error for a remote that does not give what is asked of it."""
    return KezuriError.of(
        f"the git repository {source.remote} cannot be fetched: {error.reason}", hint=_hint(source, error, access)
    )


def _hint(source: GitSource, error: GitFailed, access: Access) -> str:
    said = error.said.lower()
    web = source.remote.startswith(("http://", "https://"))
    if "permission denied (publickey" in said or "no such identity" in said:
        if not access.agent:
            return "an agent with the key for it is given with --ssh default"
        return "the agent that --ssh default gives has no key that this host takes"
    if "host key verification failed" in said or "host identification has changed" in said:
        return "the host shows another key than before: if that is right, remove its line from known_hosts"
    if "could not resolve host" in said or "name or service not known" in said or "name resolution" in said:
        return "is the host's name spelled right, and the network there?"
    if "certificate" in said:
        return (
            "if your network or the server has its own certificate authority, name its PEM file in the "
            "`ca-certificates` setting"
        )
    if any(words in said for words in ("could not read username", "authentication failed", "error: 401", "error: 403")):
        if access.authorization:
            return "the secret that was given for it does not open it"
        return "it does not exist or is private: a token is given with --secret id=GIT_AUTH_TOKEN,…"
    if any(f"error: {status}" in said for status in (301, 302, 303, 307, 308)) and access.authorization:
        return "the server sends us elsewhere, and a secret does not go there: write the address that it sends us to"
    if "transport" in said and "not allowed" in said:
        return "only http, https, git and ssh addresses are fetched, also for submodules"
    if "connection refused" in said or "unable to connect" in said or "no route to host" in said:
        return "is the address right, and the server running?"
    if "not found" in said or "does not exist" in said or "not appear to be a git repository" in said:
        hint = "is the address spelled right? "
        return hint + ("A private repository needs --secret id=GIT_AUTH_TOKEN,…" if web else "")
    if passing(error):
        return "the network or the server is in trouble: try again later"
    return ""
