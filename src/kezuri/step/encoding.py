"""Tasks and outcomes as JSON text, and back: what is handed over to another process or machine."""

import json
from base64 import b64decode, b64encode
from typing import Any

from kezuri.forms.packing import Packing
from kezuri.keys.options import RunSettings
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import GitSource, UrlSource
from kezuri.plan.operation import AgentMount, SecretMount, TmpfsMount
from kezuri.step.task import (
    Bind,
    Cache,
    Copy,
    Failure,
    Fetched,
    MakeDirectory,
    Outcome,
    Picked,
    Run,
    Stacked,
    Task,
)

_TYPES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Task, Run, Copy, MakeDirectory, Picked, Stacked, Fetched, Bind, Cache, Outcome, Failure),
        *(TmpfsMount, SecretMount, AgentMount, UrlSource, GitSource, RunSettings, Packing, Platform),
    )
}
_TYPE, _BYTES = "type", "base64"


def encode(value: Task | Outcome) -> str:
    """The value as JSON: an object for each named tuple, with its `type` and its fields; bytes as `base64`."""
    return json.dumps(_plain(value), ensure_ascii=True, separators=(",", ":"))


def task(text: str) -> Task:
    """A task from its JSON. ValueError when the text is none."""
    found = _read(text)
    if not isinstance(found, Task):
        raise ValueError("not a task")
    return found


def outcome(text: str) -> Outcome:
    """An outcome from its JSON. ValueError when the text is none."""
    found = _read(text)
    if not isinstance(found, Outcome):
        raise ValueError("not an outcome")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        if fields is None:
            return [_plain(item) for item in value]
        return {_TYPE: type(value).__name__, **{name: _plain(getattr(value, name)) for name in fields}}
    return {_BYTES: b64encode(value).decode()} if isinstance(value, bytes) else value


def _read(text: str) -> Any:
    try:
        return _value(json.loads(text))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not what a task or an outcome consists of: {error}") from error


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(_value(item) for item in plain)
    if isinstance(plain, dict):
        if _BYTES in plain:
            return b64decode(plain[_BYTES], validate=True)
        fields = {name: _value(item) for name, item in plain.items() if name != _TYPE}
        return _TYPES[plain[_TYPE]](**fields)
    return plain
