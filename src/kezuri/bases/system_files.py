"""The files that every base image has besides its programs: accounts, certificates, time zones, licences."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import LayerWriter
from kezuri.diagnostics import KezuriError

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_UNNEEDED = ("usr/share/man/", "usr/share/lintian", "usr/share/locale/", "usr/share/info/", "usr/share/bug/")


class Account(NamedTuple):
    """A user and the group of the same name; `gid` may be another group's."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str = "/sbin/nologin"


def accounts(
    layer: LayerWriter,
    users: Iterable[Account],
    groups: Iterable[tuple[str, int]],
    shadow: bool,
    *,
    replaces: bool = False,
) -> None:
    """/etc/passwd, /etc/group and, if wanted, /etc/shadow in which every account is locked.

    A user whose gid no group of `groups` has gets a group of its own name. `replaces` says that a layer below has such
    files already, which these take the place of."""
    users = tuple(users)
    named = dict(groups)
    for user in users:
        if user.gid not in named.values():
            named[user.name] = user.gid
    passwd = "".join(f"{u.name}:x:{u.uid}:{u.gid}:{u.name}:{u.home}:{u.shell}\n" for u in users)
    layer.file("etc/passwd", passwd, replaces=replaces)
    layer.file("etc/group", "".join(f"{name}:x:{gid}:\n" for name, gid in named.items()), replaces=replaces)
    if shadow:
        locked = "".join(f"{u.name}:*::0:::::\n" for u in users)
        layer.file("etc/shadow", locked, mode=0o640, gid=named.get("shadow", 0), replaces=replaces)


def certificates(layer: LayerWriter, deb: Deb) -> None:
    """Mozilla's authorities in one file, as update-ca-certificates would have written it."""
    folder = "usr/share/ca-certificates/mozilla/"
    found = sorted(
        (entry.path, content.read())
        for entry, content in deb.members()
        if content is not None and entry.path.startswith(folder) and entry.path.endswith(".crt")
    )
    if not found:
        raise KezuriError.of(f"{deb.package.name} {deb.package.version} holds no certificates under {folder}")
    layer.file(BUNDLE, b"".join(data.rstrip(b"\n") + b"\n" for _, data in found))


def zones(layer: LayerWriter, deb: Deb) -> None:
    """The time zones under /usr/share/zoneinfo."""
    layer.take(deb, plain)


def plain(path: str) -> str | None:
    """Where most packages' files go: where they are, without documentation other than the licence."""
    if path.startswith("usr/share/doc"):
        return path if path.endswith("/copyright") else None
    return None if path.startswith(_UNNEEDED) else path


def licence(path: str) -> str | None:
    """Only the licence, for packages whose files are taken one by one."""
    return path if path.startswith("usr/share/doc/") and path.endswith("/copyright") else None


def only(*prefixes: str) -> Callable[[str], str | None]:
    """A package's files under these prefixes, and its licence."""

    def place(path: str) -> str | None:
        return path if any(path == p or path.startswith(p + "/") for p in prefixes) else licence(path)

    return place


def records(layer: LayerWriter, debs: Mapping[str, Deb]) -> None:
    """What dpkg would know, one file a package, as distroless images have it and scanners read it."""
    for name in sorted(debs):
        layer.file(f"var/lib/dpkg/status.d/{name}", debs[name].control())


def script(name: str) -> bytes:
    """A shell script that comes with kezuri."""
    with open(os.path.join(os.path.dirname(__file__), "files", name), "rb") as file:
        return file.read()
