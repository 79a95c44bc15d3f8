"""The image config (OCI image spec: config.md, with the Docker fields that BuildKit keeps)."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from kezuri.oci.descriptor import valid_digest
from kezuri.oci.fields import Fields
from kezuri.oci.platform import Platform

_EMPTY: Mapping[str, Any] = {}
_T = TypeVar("_T", str, tuple[str, ...])
_RFC_3339 = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d(?:[.,]\d+)?(?:Z|[+-][0-2]\d:[0-5]\d)\Z", re.ASCII)


class HistoryEntry(NamedTuple):
    """One line of an image's history; `created` is RFC 3339 text or empty."""

    created: str = ""
    created_by: str = ""
    comment: str = ""
    empty_layer: bool = False
    author: str = ""

    @classmethod
    def parse(cls, fields: Fields) -> "HistoryEntry":
        """From the JSON object."""
        return cls(
            _time(fields),
            fields.text("created_by"),
            fields.text("comment"),
            fields.flag("empty_layer"),
            fields.text("author"),
        )

    def to_json(self) -> dict[str, Any]:
        """As the JSON object, empty fields left out."""
        out: dict[str, Any] = {}
        if self.created:
            out["created"] = self.created
        if self.author:
            out["author"] = self.author
        if self.created_by:
            out["created_by"] = self.created_by
        if self.comment:
            out["comment"] = self.comment
        if self.empty_layer:
            out["empty_layer"] = True
        return out


class ImageConfig(NamedTuple):
    """What an image is and how it starts. Tuples of strings keep the order of the source; None means not set.

    `healthcheck` is the JSON object as stored; durations in it are nanoseconds.
    """

    platform: Platform
    diff_ids: tuple[str, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    created: str = ""
    author: str = ""
    user: str = ""
    exposed_ports: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: tuple[str, ...] = ()
    working_dir: str = ""
    labels: Mapping[str, str] = _EMPTY
    stop_signal: str = ""
    args_escaped: bool = False
    healthcheck: Mapping[str, Any] | None = None
    on_build: tuple[str, ...] = ()
    shell: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, data: bytes, where: str) -> "ImageConfig":
        """From the raw bytes; KezuriError naming `where` and the field when they are no image config. Unknown fields
        are dropped, as BuildKit drops them, which reads a config into types of its own and writes these out again. An
        empty list is the same as none."""
        fields = Fields.parse(data, where)
        inner = fields.object("config")
        diff_ids = fields.object("rootfs").texts("diff_ids")
        for i, diff_id in enumerate(diff_ids):
            if not valid_digest(diff_id):
                raise fields.wrong(f"rootfs.diff_ids[{i}]", f"is not a sha256 digest: {diff_id[:100]!r}")
        return cls(
            Platform.parse_json(fields),
            diff_ids,
            tuple(HistoryEntry.parse(entry) for entry in fields.objects("history")),
            _time(fields),
            fields.text("author"),
            _usable(inner, "User", inner.text("User")),
            _usable(inner, "ExposedPorts", inner.keys("ExposedPorts")),
            _usable(inner, "Env", inner.texts("Env")),
            _usable(inner, "Entrypoint", inner.texts("Entrypoint")) or None,
            _usable(inner, "Cmd", inner.texts("Cmd")) or None,
            _usable(inner, "Volumes", inner.keys("Volumes")),
            _usable(inner, "WorkingDir", inner.text("WorkingDir")),
            inner.map("Labels"),
            inner.text("StopSignal"),
            inner.flag("ArgsEscaped"),
            _healthcheck(inner),
            inner.texts("OnBuild"),
            _usable(inner, "Shell", inner.texts("Shell")) or None,
        )

    def to_json(self) -> dict[str, Any]:
        """As the JSON document, in a fixed order, empty fields left out."""
        config: dict[str, Any] = {}
        if self.user:
            config["User"] = self.user
        if self.exposed_ports:
            config["ExposedPorts"] = {p: {} for p in sorted(self.exposed_ports)}
        if self.env:
            config["Env"] = list(self.env)
        if self.entrypoint is not None:
            config["Entrypoint"] = list(self.entrypoint)
        if self.cmd is not None:
            config["Cmd"] = list(self.cmd)
        if self.volumes:
            config["Volumes"] = {v: {} for v in sorted(self.volumes)}
        if self.working_dir:
            config["WorkingDir"] = self.working_dir
        if self.labels:
            config["Labels"] = {k: self.labels[k] for k in sorted(self.labels)}
        if self.stop_signal:
            config["StopSignal"] = self.stop_signal
        if self.args_escaped:
            config["ArgsEscaped"] = True
        if self.healthcheck is not None:
            config["Healthcheck"] = dict(self.healthcheck)
        if self.on_build:
            config["OnBuild"] = list(self.on_build)
        if self.shell is not None:
            config["Shell"] = list(self.shell)
        out: dict[str, Any] = {}
        if self.created:
            out["created"] = self.created
        if self.author:
            out["author"] = self.author
        out["architecture"] = self.platform.architecture
        if self.platform.variant:
            out["variant"] = self.platform.variant
        out["os"] = self.platform.os
        if self.platform.os_version:
            out["os.version"] = self.platform.os_version
        out["config"] = config
        out["rootfs"] = {"type": "layers", "diff_ids": list(self.diff_ids)}
        out["history"] = [h.to_json() for h in self.history]
        return out

    def made_for(self, platform: Platform) -> "ImageConfig":
        """The config of an image for this platform. A variant or a version of the system that the platform does not
        name stays as it is, if system and architecture do (BuildKit's rule)."""
        have = self.platform
        if (have.os, have.architecture) != (platform.os, platform.architecture):
            return self._replace(platform=platform)
        return self._replace(
            platform=platform._replace(
                variant=platform.variant or have.variant, os_version=platform.os_version or have.os_version
            )
        )

    def env_map(self) -> dict[str, str]:
        """The environment as a mapping; entries without `=` are left out."""
        return dict(e.split("=", 1) for e in self.env if "=" in e)


def chain_id(diff_ids: Sequence[str]) -> str:
    """The ChainID of a stack of layers, lowest first (config.md, Layer ChainID); empty for no layers."""
    chain = ""
    for diff_id in diff_ids:
        chain = diff_id if not chain else "sha256:" + sha256(f"{chain} {diff_id}".encode()).hexdigest()
    return chain


def _time(fields: Fields) -> str:
    text = fields.text("created")
    if text and not _RFC_3339.match(text):
        raise fields.wrong("created", f"is not a time (RFC 3339): {text[:100]!r}")
    return text


def _usable(fields: Fields, name: str, value: _T) -> _T:
    """The value, with which processes will be started: no process can be started with a text that holds a NUL."""
    if "\0" in value or any("\0" in text for text in value):
        raise fields.wrong(name, "contains a NUL character")
    return value


def _healthcheck(fields: Fields) -> Mapping[str, Any] | None:
    if fields.raw("Healthcheck") is None:
        return None
    check = fields.object("Healthcheck")
    check.texts("Test")
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"):
        check.number(name)
    found: Mapping[str, Any] = fields.raw("Healthcheck")
    return found
