"""The commit and the branch that a directory is at: from the variables of CI, else from the files of git."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_MOST = 1 << 16
_MOST_PACKED = 16 << 20
_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "CIRCLE_SHA1", "GIT_COMMIT", "BITBUCKET_COMMIT")
_BRANCHES = (
    "GITHUB_HEAD_REF",
    "GITHUB_REF_NAME",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "CI_COMMIT_REF_NAME",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
    "GIT_BRANCH",
    "BITBUCKET_BRANCH",
)


class Revision(NamedTuple):
    """A commit and a branch; empty where nobody knows."""

    commit: str = ""
    branch: str = ""


def revision(directory: str, environ: Mapping[str, str]) -> Revision:
    """What the variables of GitHub, GitLab, Buildkite, CircleCI, Jenkins and Bitbucket say, else what git's files do.
    git itself is not run: a repository can make it run something else."""
    own = _of_git(directory)
    commit = next((environ[name] for name in _COMMITS if environ.get(name)), "") or own.commit
    branch = next((environ[name] for name in _BRANCHES if environ.get(name)), "") or own.branch
    return Revision(commit[:100], branch.removeprefix("refs/heads/")[:200])


def _of_git(directory: str) -> Revision:
    at = os.path.abspath(directory)
    while True:
        found = _git_directory(os.path.join(at, ".git"))
        if found:
            break
        above = os.path.dirname(at)
        if above == at:
            return Revision()
        at = above
    head = _line(os.path.join(found, "HEAD"))
    if _COMMIT.match(head):
        return Revision(head)
    if not head.startswith("ref: refs/") or ".." in head:
        return Revision()
    name = head.removeprefix("ref: ")
    common = _line(os.path.join(found, "commondir"))
    places = (found, os.path.normpath(os.path.join(found, common))) if common else (found,)
    branch = name.removeprefix("refs/heads/")
    for place in places:
        commit = _line(os.path.join(place, name))
        if _COMMIT.match(commit):
            return Revision(commit, branch)
    for place in places:
        for line in _text(os.path.join(place, "packed-refs"), _MOST_PACKED).splitlines():
            commit, _, packed = line.partition(" ")
            if packed == name and _COMMIT.match(commit):
                return Revision(commit, branch)
    return Revision("", branch)


def _git_directory(path: str) -> str:
    """The directory that `.git` is, or leads to where it is a file; empty where there is none."""
    if os.path.isdir(path):
        return path
    line = _line(path)
    if not line.startswith("gitdir: "):
        return ""
    return os.path.normpath(os.path.join(os.path.dirname(path), line.removeprefix("gitdir: ")))


def _line(path: str) -> str:
    return _text(path, _MOST).partition("\n")[0].strip()


def _text(path: str, most: int) -> str:
    try:
        if not os.path.isfile(path):
            return ""
        with open(path, "rb") as file:
            return file.read(most).decode("utf-8", "replace")
    except OSError:
        return ""
