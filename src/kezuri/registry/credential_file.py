"""Credential files: docker's config.json and podman's auth.json, read, changed, and written whole."""

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.registry.challenge import Credential, is_token, octets
from kezuri.registry.server import Server

_MOST = 4 << 20
_ASIDE = r"\.kezuri-[0-9a-f]{8}"
"""How a file that is being written is called after its name."""


class CredentialFile(NamedTuple):
    """What such a file says. `where` names it in errors, which never show what is in it; `document` is all of it."""

    where: str
    document: Mapping[str, Any] = {}  # read only

    @classmethod
    def parse(cls, text: bytes, where: str) -> "CredentialFile":
        """From the file's bytes; KezuriError for what is no such document. An empty file says nothing."""
        try:
            document = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as error:
            place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            raise _wrong(where, f"not JSON{place}") from None
        if not isinstance(document, dict):
            raise _wrong(where, "not a JSON object")
        for name in ("auths", "credHelpers"):
            if not isinstance(document.get(name) or {}, dict):
                raise _wrong(where, f"`{name}` is not an object")
        if not isinstance(document.get("credsStore") or "", str):
            raise _wrong(where, "`credsStore` is not a text")
        return cls(where, document)

    def helper(self, host: str) -> str:
        """The name of the helper that keeps what is for a host; empty where the file keeps it itself."""
        for key, name in (self.document.get("credHelpers") or {}).items():
            if Server.of(key).serves(host, ""):
                if not isinstance(name, str):
                    raise _wrong(self.where, f"the helper of {key} is not a text")
                return name
        return str(self.document.get("credsStore") or "")

    def servers(self) -> tuple[Server, ...]:
        """All that it has entries for."""
        keys = (*(self.document.get("auths") or {}), *(self.document.get("credHelpers") or {}))
        return tuple(dict.fromkeys(Server.of(key) for key in keys))

    def find(self, host: str, path: str) -> Credential | None:
        """What the file itself keeps for a repository of a host; of several entries the one with the longest path. None
        where it has none, or an empty one."""
        entries = [
            (server, key == str(server), key)
            for key in self.document.get("auths") or {}
            if (server := Server.of(key)).serves(host, path)
        ]
        for server, _, key in sorted(entries, key=lambda e: (-len(e[0].path), not e[1])):
            found = self._entry(key, server)
            if found is not None:
                return found
        return None

    def _entry(self, key: str, server: Server) -> Credential | None:
        entry = self.document["auths"][key] or {}
        if not isinstance(entry, dict):
            raise _wrong(self.where, f"the entry of {server} is not an object")
        texts = [entry.get(n) or "" for n in ("username", "password", "identitytoken", "registrytoken", "auth")]
        if not all(isinstance(text, str) for text in texts):
            raise _wrong(self.where, f"a field of {server} is not a text")
        username, password, identity, bearer, packed = texts
        if not all(is_token(token) for token in (identity, bearer) if token):
            raise _wrong(self.where, f"a token of {server} has characters that no token has")
        if packed:
            username, password = self._unpacked(packed, server)
        if not (password or identity or bearer):
            return None
        return Credential(username, password, identity, bearer, self.where)

    def _unpacked(self, packed: str, server: Server) -> tuple[str, str]:
        from base64 import b64decode
        from binascii import Error

        try:
            clear = b64decode(packed.strip().rstrip("=") + "=" * (-len(packed.strip().rstrip("=")) % 4), validate=True)
        except (Error, ValueError):
            raise _wrong(self.where, f"the `auth` of {server} is not base64") from None
        username, colon, password = clear.decode("utf-8", "surrogateescape").partition(":")
        if not colon:
            raise _wrong(self.where, f"the `auth` of {server} is not a name and a password with a colon between them")
        return username, password.strip("\0")

    def keeping(self, server: Server, entry: Mapping[str, str]) -> dict[str, Any]:
        """The document with this entry for a server in the place of all that it has for it; else as it was."""
        auths = {k: v for k, v in (self.document.get("auths") or {}).items() if Server.of(k) != server}
        return {**self.document, "auths": {**auths, server.key: dict(entry)}}

    def without(self, server: Server) -> dict[str, Any]:
        """The document with no entry for a server; else as it was."""
        auths = {k: v for k, v in (self.document.get("auths") or {}).items() if Server.of(k) != server}
        return {**self.document, "auths": auths} if "auths" in self.document else dict(self.document)


def entry_of(credential: Credential) -> dict[str, str]:
    """A credential as an entry of `auths`, as docker writes it."""
    from base64 import b64encode

    password = "" if credential.identity else credential.password
    packed = b64encode(octets(f"{credential.username}:{password}")).decode()
    return {"auth": packed} | ({"identitytoken": credential.identity} if credential.identity else {})


def read_file(path: str) -> CredentialFile | None:
    """The file at a path, or None where there is none. KezuriError for one that is no such document, OSError for one
    that cannot be read."""
    try:
        with open(path, "rb") as file:
            text = file.read(_MOST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(text) > _MOST:
        raise _wrong(path, f"larger than {_MOST >> 20} MiB")
    return CredentialFile.parse(text, path)


def change_file(path: str, change: Callable[[CredentialFile], dict[str, Any] | None]) -> None:
    """Replace the file at a path by what `change` makes of it (None: leave it). Two who do so at once do it one after
    the other. The new file is there at once and whole; only its owner can read it, and a link to it stays one;
    a device or a pipe keeps its place, and is an error. KezuriError naming the file when that cannot be done."""
    import fcntl

    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        fence = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fence, fcntl.LOCK_EX)
            _clear(target)
            before = read_file(target)
            document = change(before if before is not None else CredentialFile(path))
            if document is not None:
                if os.path.exists(target) and not os.path.isfile(target):
                    raise KezuriError.of(
                        f"cannot write {path}: it is no regular file",
                        hint="name a file that you can write with --authfile",
                        exit_code=125,
                    )
                _write(target, json.dumps(document, indent="\t", ensure_ascii=False).encode("utf-8", "surrogatepass"))
        finally:
            os.close(fence)
    except OSError as error:
        hint = "name a file that you can write with --authfile"
        if error.errno in (16, 18):  # EBUSY, EXDEV: a single file that was mounted into a container
            hint = (
                f"it is a mount point by itself: mount {directory} in its place, or name another file with --authfile"
            )
        raise KezuriError.of(f"cannot write {path}: {error.strerror}", hint=hint, exit_code=125) from None


def _clear(target: str) -> None:
    """Remove what processes left behind that were killed while they wrote. The lock is held: nobody is writing now."""
    directory, name = os.path.split(target)
    left = re.compile(re.escape(name) + _ASIDE)
    for other in os.listdir(directory):
        if left.fullmatch(other):
            os.unlink(os.path.join(directory, other))


def _write(target: str, data: bytes) -> None:
    aside = f"{target}.kezuri-{os.urandom(4).hex()}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            try:
                before = os.stat(target)
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, before.st_uid, before.st_gid)  # sudo: it stays its owner's
            except (FileNotFoundError, PermissionError):
                pass
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.rename(aside, target)
    except BaseException:
        os.unlink(aside)
        raise


def _wrong(where: str, why: str) -> KezuriError:
    hint = "mend it by hand, or move it away and log in again"
    if where.startswith("$"):
        hint = "the variable has the content of a config.json, not its path"
    return KezuriError.of(f"{where}: {why}", hint=hint, exit_code=125)
