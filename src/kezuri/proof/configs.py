"""Two image configs compared, field by field."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kezuri.oci.config import ImageConfig
from kezuri.proof.difference import Difference


def config_differences(before: ImageConfig, after: ImageConfig, where: str = "") -> tuple[Difference, ...]:
    """The fields in which two configs differ. Layers, history and the time of making are not compared."""
    return tuple(_differences(before, after, where))


def _differences(before: ImageConfig, after: ImageConfig, where: str) -> Iterator[Difference]:
    if before.author != after.author:
        yield Difference("author", before.author or None, after.author or None, where)
    if before.platform != after.platform:
        yield Difference("stage.platform", str(before.platform), str(after.platform), where)
    old, new = before.to_json()["config"], after.to_json()["config"]
    for field in sorted(old.keys() | new.keys()):
        was, now = old.get(field), new.get(field)
        if was == now:
            continue
        if field == "Env":
            yield from _of_env(was or [], now or [], where)
        elif isinstance(was or now, Mapping) and field != "Healthcheck":
            yield from _of_map(f"config.{field}", was or {}, now or {}, where)
        else:
            yield Difference(f"config.{field}", _text(was), _text(now), where)


def _of_env(was: list[str], now: list[str], where: str) -> Iterator[Difference]:
    old, new = (dict(line.partition("=")[::2] for line in lines) for lines in (was, now))
    if old == new:
        yield Difference("config.Env", _text(was), _text(now), where)  # another order
    yield from _of_map("config.Env", old, new, where)


def _of_map(name: str, was: Mapping[str, Any], now: Mapping[str, Any], where: str) -> Iterator[Difference]:
    for key in sorted(was.keys() | now.keys()):
        if was.get(key) != now.get(key) or (key in was) != (key in now):
            yield Difference(f"{name} {key}", _text(was.get(key)), _text(now.get(key)), where)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
