"""What differs between two builds of the same thing and says nothing: one table, with reasons."""

from typing import NamedTuple

from kezuri.proof.difference import Difference, covers


class Noise(NamedTuple):
    """Differences of files that mean nothing: `word` as in `kezuri.proof.vocabulary`, and why."""

    word: str
    reason: str


_LOGS = "a log: it holds the times at which packages were installed"
_PREVIOUS = "what a file was before a package changed it: nothing reads it"
_TIMED = "a cache that holds times or random names, and is made again when it is needed"
_BYTECODE = "compiled when a module is first imported, with the time of its source in it"
_IDENTITY = "a random number that tells machines apart, made when the package is configured"

NOISE = (
    Noise("file var/log/apt", _LOGS),
    Noise("file var/log/dpkg.log", _LOGS),
    Noise("file var/log/alternatives.log", _LOGS),
    Noise("file var/log/bootstrap.log", _LOGS),
    Noise("file var/log/dnf*.log", _LOGS),
    Noise("file var/log/yum.log", _LOGS),
    Noise("file var/log/hawkey.log", _LOGS),
    Noise("file var/log/apk.log", _LOGS),
    Noise("file **/.npm/_logs", _LOGS),
    Noise("file etc/passwd-", _PREVIOUS),
    Noise("file etc/group-", _PREVIOUS),
    Noise("file etc/shadow-", _PREVIOUS),
    Noise("file etc/gshadow-", _PREVIOUS),
    Noise("file etc/subuid-", _PREVIOUS),
    Noise("file etc/subgid-", _PREVIOUS),
    Noise("file var/cache/debconf/*-old", _PREVIOUS),
    Noise("file var/lib/dpkg/*-old", _PREVIOUS),
    Noise("file.content etc/ld.so.cache", "made anew by ldconfig from the libraries, which are compared themselves"),
    Noise("file var/cache/ldconfig/aux-cache", "it holds inode numbers and times of the machine that made it"),
    Noise("file var/cache/apt/*.bin", _TIMED),
    Noise("file var/cache/fontconfig", _TIMED),
    Noise("file **/.cache/pip", _TIMED),
    Noise("file **/.cache/node-gyp", _TIMED),
    Noise("file **/.cache/go-build", _TIMED),
    Noise("file **/.npm/_cacache", _TIMED),
    Noise("file **/.npm/_update-notifier-last-checked", _TIMED),
    Noise("file **/node_modules/.cache", _TIMED),
    Noise("file.content **/node_modules/.modules.yaml", "it holds the time at which pnpm last removed something"),
    Noise("file tmp/node-compile-cache", _TIMED),
    Noise("file tmp/v8-compile-cache-*", _TIMED),
    Noise("file.content etc/ssl/certs/java/cacerts", "each certificate in it has the time at which it was put there"),
    Noise("file **/__pycache__", _BYTECODE),
    Noise("file **/*.pyc", _BYTECODE),
    Noise("file.content etc/machine-id", _IDENTITY),
    Noise("file.content var/lib/dbus/machine-id", _IDENTITY),
    Noise("file.content etc/ssl/private/ssl-cert-snakeoil.key", _IDENTITY),
    Noise("file.content etc/ssl/certs/ssl-cert-snakeoil.pem", _IDENTITY),
    Noise("file.content etc/ssh/ssh_host_*", _IDENTITY),
)
"""The table."""


def marked(difference: Difference, noise: tuple[Noise, ...] = NOISE) -> Difference:
    """The difference, with the reason of the table where it says nothing."""
    for word, reason in noise:
        if covers(word, difference):
            return difference._replace(noise=reason)
    return difference
