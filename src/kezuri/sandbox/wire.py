"""How the main process and its helpers talk: length-prefixed marshal over sockets, both ends the same interpreter.

Nothing that a step controls ever reaches these sockets: they are closed before its program starts.
"""

import marshal
import struct
from typing import TYPE_CHECKING, Any

from kezuri.sandbox import step as steps
from kezuri.sandbox.step import Step

if TYPE_CHECKING:
    from socket import socket

_HEAD = struct.Struct("!I")
_MOST = 1 << 30

_MOUNTS = {
    kind.__name__: kind
    for kind in (
        steps.TreeMount,
        steps.HostMount,
        steps.TmpfsMount,
        steps.SecretMount,
        steps.AgentMount,
        steps.FileMount,
    )
}


def send(to: "socket", value: Any) -> None:
    """Send one message of plain values. OSError when the other end is gone."""
    data = marshal.dumps(value)
    to.sendall(_HEAD.pack(len(data)) + data)


def receive(source: "socket") -> Any:
    """The next message; EOFError when the other end is closed."""
    (size,) = _HEAD.unpack(_exactly(source, _HEAD.size))
    if size > _MOST:
        raise EOFError("message too long")
    return marshal.loads(_exactly(source, size))


def _exactly(source: "socket", size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = source.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise EOFError("closed")
        data += piece
    return bytes(data)


def plain(step: Step) -> dict[str, Any]:
    """The step as values that marshal takes."""
    fields: dict[str, Any] = step._asdict()
    fields["root"] = tuple(step.root)
    fields["mounts"] = tuple((type(m).__name__, tuple(m)) for m in step.mounts)
    fields["ports"] = tuple(tuple(p) for p in step.ports)
    fields["uplink"] = tuple(step.uplink) if step.uplink else None
    return fields


def from_plain(fields: dict[str, Any]) -> Step:
    """The step that `plain` was given."""
    fields = dict(fields)
    fields["root"] = steps.Root(*fields["root"])
    fields["mounts"] = tuple(_MOUNTS[name](*values) for name, values in fields["mounts"])
    fields["ports"] = tuple(steps.Port(*p) for p in fields["ports"])
    fields["uplink"] = steps.Uplink(*fields["uplink"]) if fields["uplink"] else None
    return Step(**fields)
