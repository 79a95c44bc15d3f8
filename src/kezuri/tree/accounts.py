"""Users and groups of an image: what the names in --chown and USER stand for."""

from collections.abc import Iterator
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.dockerfile.chown import MAX_ID, number_of
from kezuri.layer.view import View

PASSWD = "etc/passwd"
GROUP = "etc/group"
_MAX_USER_ID = (1 << 31) - 1
_TOO_LARGE = 1 << 32
"""What stands for every number of a passwd or group file that is no id: the kernel takes 2**32 - 1 for "leave it"."""


class User(NamedTuple):
    """A line of passwd."""

    name: str
    uid: int
    gid: int
    home: str


class Group(NamedTuple):
    """A line of group."""

    name: str
    gid: int
    members: tuple[str, ...]


def parse_passwd(data: bytes) -> Iterator[User]:
    """The users in a passwd file, in order; lines that are not of its form are passed over."""
    for fields in _lines(data):
        if len(fields) >= 4 and fields[2].isdecimal() and fields[3].isdecimal():
            yield User(fields[0], _number(fields[2]), _number(fields[3]), fields[5] if len(fields) > 5 else "")


def parse_group(data: bytes) -> Iterator[Group]:
    """The groups in a group file, in order; lines that are not of its form are passed over."""
    for fields in _lines(data):
        if len(fields) >= 3 and fields[2].isdecimal():
            members = fields[3].split(",") if len(fields) > 3 else []
            yield Group(fields[0], _number(fields[2]), tuple(m.strip() for m in members if m.strip()))


def chown_ids(spec: str, view: View) -> tuple[int, int]:
    """The uid and gid of `--chown=user[:group]`, as BuildKit reads it.

    Numbers need no file, `root` is 0. Without a group, a number is the gid too, and a name brings its gid from
    passwd. An empty user is 0, an empty group as good as none. KezuriError for a name that the image does not know.
    """
    user, _, group = spec.partition(":")
    user = user or "0"
    uid = gid = number_of(user)
    if uid is None or gid is None:
        account = _user(user, view, f"--chown={spec}")
        uid, gid = account.uid, account.gid
    if group:
        number = number_of(group)
        gid = number if number is not None else _group(group, view, f"--chown={spec}").gid
    _check_range(f"--chown={spec}", MAX_ID, uid, gid)
    return uid, gid


def user_ids(spec: str, view: View) -> tuple[int, int, tuple[int, ...]]:
    """The uid, gid and supplementary groups that a process of `USER spec` has; an empty spec is root.

    A number that passwd knows brings the gid from there, else gid 0. The gid is the first of the groups; without a
    group in the spec, those that name the user in /etc/group follow. KezuriError for names the image does not know,
    and for ids that no process can have.
    """
    uid, gid, groups = _user_ids(spec, view)
    _check_range(f"USER {spec}", _MAX_USER_ID, uid, *groups)
    return uid, gid, groups


def _user_ids(spec: str, view: View) -> tuple[int, int, tuple[int, ...]]:
    user, colon, group = spec.partition(":")
    if not user:
        user = "0"
    uid = number_of(user)
    if colon and uid is not None:
        number = number_of(group) if group else None
        if number is not None:
            return uid, number, (number,)
    users = list(parse_passwd(_read(view, PASSWD)))
    wanted = _number(user) if user.isdecimal() else -1
    account = next((u for u in users if u.name == user or u.uid == wanted), None)
    if account is not None:
        uid, gid = account.uid, account.gid
    elif wanted >= 0:
        uid, gid = wanted, 0
    elif user == "root":
        uid, gid = 0, 0
    else:
        raise _unknown("user", user, PASSWD, view, [u.name for u in users], f"USER {spec}")
    if group:
        number = number_of(group)
        named = next((g for g in parse_group(_read(view, GROUP)) if g.name == group), None)
        if named is not None:
            return uid, named.gid, (named.gid,)
        if number is None:
            number = _group(group, view, f"USER {spec}").gid
        return uid, number, (number,)
    if account is None:
        return uid, gid, (gid,)
    extra = [g.gid for g in parse_group(_read(view, GROUP)) if account.name in g.members and g.gid != gid]
    return uid, gid, (gid, *extra)


def group_ids(names: tuple[str, ...], view: View) -> tuple[int, ...]:
    """The gids of `--group-add`, by name or number. KezuriError for a name that the image does not know."""
    found = []
    for name in names:
        number = number_of(name)
        found.append(number if number is not None else _group(name, view, f"--group-add {name}").gid)
        _check_range(f"--group-add {name}", _MAX_USER_ID, found[-1])
    return tuple(found)


def home(uid: int, view: View) -> str:
    """The home directory that passwd gives the uid; `/` when it gives none. It is HOME where a step has no HOME."""
    for user in parse_passwd(_read(view, PASSWD)):
        if user.uid == uid:
            return user.home or "/"
    return "/"


def _user(name: str, view: View, where: str) -> User:
    users = list(parse_passwd(_read(view, PASSWD)))
    for user in users:
        if user.name == name:
            return user
    raise _unknown("user", name, PASSWD, view, [u.name for u in users], where)


def _group(name: str, view: View, where: str) -> Group:
    groups = list(parse_group(_read(view, GROUP)))
    for group in groups:
        if group.name == name:
            return group
    raise _unknown("group", name, GROUP, view, [g.name for g in groups], where)


def _unknown(what: str, name: str, file: str, view: View, names: list[str], where: str) -> KezuriError:
    if not name:
        return KezuriError.of(f"{where}: the {what} is empty", hint="Write user[:group], by name or by number.")
    if view.read(file) is None:
        return KezuriError.of(
            f'{where}: unknown {what} "{name}": the image has no readable /{file}',
            hint="Use a number, which needs no file.",
        )
    near = nearest(name, names)
    hint = f'Did you mean "{near}"?' if near else f"Create the {what} in an earlier RUN, or use a number."
    return KezuriError.of(f'{where}: unknown {what} "{name}": /{file} of the image does not list it', hint=hint)


def _check_range(where: str, most: int, *ids: int) -> None:
    if max(ids) > most:
        raise KezuriError.of(
            f"{where}: uids and gids must be in range 0-{most}",
            hint="the image's /etc/passwd or /etc/group may hold a number that is none",
        )


def _number(text: str) -> int:
    number = number_of(text)
    return _TOO_LARGE if number is None else number


def _read(view: View, path: str) -> bytes:
    return view.read(path) or b""


def _lines(data: bytes) -> Iterator[list[str]]:
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        line = line.strip()
        if line and not line.startswith("#"):
            yield line.split(":")
