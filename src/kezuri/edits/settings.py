"""Settings of an image put and taken away: what it declares of itself, without a change of its files."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.edits.image import Image
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, Manifest
from kezuri.oci.platform import Platform

UNSETTABLE = (
    *("label", "env", "port", "volume", "annotation"),
    *("entrypoint", "cmd", "user", "workdir", "stop-signal", "healthcheck", "shell", "onbuild", "author"),
)
"""What can be taken away by name; of the first five one can be named, too."""
_KEYED = UNSETTABLE[:5]
_CALLED = {
    "labels": "label",
    "environment": "env",
    "envs": "env",
    "ports": "port",
    "expose": "port",
    "volumes": "volume",
    "annotations": "annotation",
    "command": "cmd",
    "health": "healthcheck",
    "health-cmd": "healthcheck",
    "working-dir": "workdir",
    "stopsignal": "stop-signal",
    "on-build": "onbuild",
}


class Unset(NamedTuple):
    """One thing that an image shall not declare any more: `kind` is of UNSETTABLE; an empty `key` means all of them."""

    kind: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> "Unset":
        """From `label=KEY`, `env=KEY`, `port=80/tcp`, `volume=/PATH`, `annotation=KEY`, or the name of a setting alone.
        KezuriError for anything else, with exit code 2."""
        name, equals, key = text.partition("=")
        kind = name.strip().lower().replace("_", "-")
        kind = _CALLED.get(kind, kind)
        if kind not in UNSETTABLE:
            near = nearest(kind, UNSETTABLE)
            hint = f"did you mean {near}?" if near else f"one of: {', '.join(UNSETTABLE)}"
            raise KezuriError.of(f"--unset {text}: an image has no setting {name!r}", hint=hint, exit_code=2)
        if equals and (kind not in _KEYED or not key):
            raise KezuriError.of(
                f"--unset {text}: {f'there is only one {kind}' if key else 'there is nothing after the ='}",
                hint=f"write --unset {kind}",
                exit_code=2,
            )
        if kind == "port" and key and "/" not in key:
            key += "/tcp"
        return cls(kind, key)

    def __str__(self) -> str:
        return f"{self.kind}={self.key}" if self.key else self.kind

    def found(self, image: Image) -> bool:
        """Whether the image declares it."""
        config = image.config
        if self.kind in _KEYED:
            keys: Iterable[str] = {
                "label": config.labels,
                "env": [_name(entry) for entry in config.env],
                "port": config.exposed_ports,
                "volume": config.volumes,
                "annotation": image.manifest.annotations,
            }[self.kind]
            return self.key in keys if self.key else bool(list(keys))
        return bool(getattr(config, _FIELDS[self.kind]))

    def of(self, image: Image) -> Image:
        """The image without it."""
        config, key = image.config, self.key

        def stays(name: str) -> bool:
            return bool(key) and name != key

        if self.kind == "annotation":
            notes = {k: v for k, v in image.manifest.annotations.items() if stays(k)}
            return image._replace(manifest=image.manifest._replace(annotations=notes))
        if self.kind == "label":
            config = config._replace(labels={k: v for k, v in config.labels.items() if stays(k)})
        elif self.kind == "env":
            config = config._replace(env=tuple(entry for entry in config.env if stays(_name(entry))))
        elif self.kind == "port":
            config = config._replace(exposed_ports=tuple(filter(stays, config.exposed_ports)))
        elif self.kind == "volume":
            config = config._replace(volumes=tuple(filter(stays, config.volumes)))
        else:
            field = _FIELDS[self.kind]
            empty: Any = None if field in ("entrypoint", "cmd", "shell", "healthcheck") else ""
            if field == "on_build":
                empty = ()
            config = config._replace(**{field: empty})
        return image._replace(config=config)


_FIELDS = {
    "entrypoint": "entrypoint",
    "cmd": "cmd",
    "user": "user",
    "workdir": "working_dir",
    "stop-signal": "stop_signal",
    "healthcheck": "healthcheck",
    "shell": "shell",
    "onbuild": "on_build",
    "author": "author",
}


class Changes(NamedTuple):
    """Settings that an image gets; None and nothing leave what it has. What is `unset` goes first.

    As in a Dockerfile, an entry point takes the command of before away, unless a command is given with it; an empty
    entry point is none. `healthcheck` is the JSON object as a config has it; `created` is RFC 3339 text.
    """

    unset: tuple[Unset, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    stop_signal: str | None = None
    healthcheck: Mapping[str, Any] | None = None
    shell: tuple[str, ...] | None = None
    author: str | None = None
    created: str | None = None
    platform: Platform | None = None

    def of(self, image: Image) -> Image:
        """The image with these changes. Its layers and its history stay as they are."""
        given = dict(self.env)
        for unset in self.unset:
            if unset.kind != "env" or unset.key not in given:  # A variable that is set anyway keeps its place.
                image = unset.of(image)
        config = image.config
        if self.labels:
            config = config._replace(labels={**config.labels, **dict(self.labels)})
        if self.ports:
            config = config._replace(exposed_ports=tuple(sorted({*config.exposed_ports, *self.ports})))
        if self.volumes:
            config = config._replace(volumes=tuple(sorted({*config.volumes, *self.volumes})))
        config = config._replace(env=with_variables(config.env, self.env))
        if self.entrypoint is not None:
            config = config._replace(entrypoint=self.entrypoint or None, cmd=None)
        if self.cmd is not None:
            config = config._replace(cmd=self.cmd or None)
        for field in ("user", "working_dir", "stop_signal", "healthcheck", "shell", "author", "created"):
            given = getattr(self, field)
            if given is not None:
                config = config._replace(**{field: given})
        if self.platform is not None:
            config = config._replace(platform=self.platform)
        return image._replace(config=config)

    def missed(self, images: Iterable[Image]) -> tuple[Unset, ...]:
        """Those of the settings to be taken away that none of the images declares."""
        images = tuple(images)
        return tuple(unset for unset in self.unset if not any(unset.found(image) for image in images))


def without(config: ImageConfig, unsets: Iterable[Unset]) -> ImageConfig:
    """A config that declares none of these. Annotations are not in a config."""
    image = Image(config, Manifest(Descriptor("", "", 0), ()))
    for unset in unsets:
        image = unset.of(image)
    return image.config


def with_variables(env: tuple[str, ...], variables: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The environment with these variables: each in the place of the one of its name, else at the end."""
    entries = list(env)
    for name, value in variables:
        at = [number for number, entry in enumerate(entries) if _name(entry) == name]
        if at:
            entries[at[-1]] = f"{name}={value}"
        else:
            entries.append(f"{name}={value}")
    return tuple(entries)


def _name(entry: str) -> str:
    """The name of the variable that an entry of an environment sets."""
    return entry.partition("=")[0]
