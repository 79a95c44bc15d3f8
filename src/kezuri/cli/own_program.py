"""kezuri run by kezuri: a process of its own with the settings of this one, on another store."""

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING

from kezuri.cli.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kezuri.app.compare_request import Ran
    from kezuri.app.request import Settings

_MOST_SAID = 64 << 10


class OwnProgram:
    """Runs `kezuri`: see `kezuri.app.compare.Program`. The settings reach it by a file, written into `directory`: what
    flags, variables and files said of them is one thing here. Limits of the store are left out, since they would take
    away what is measured."""

    def __init__(self, settings: "Settings", directory: str, environ: "Mapping[str, str]") -> None:
        self._file = os.path.join(directory, "config.toml")
        with open(self._file, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(_toml(settings))
        self._flags = () if settings.tls_verify else ("--tls-verify=false",)
        told = {setting.variable for setting in SETTINGS} | {"KEZURI_CONFIG"}
        # PYTHONPATH and the like stay: it has to be the same kezuri.
        self._environ = {key: value for key, value in environ.items() if key not in told}
        self._environ["KEZURI_CONFIG_SYSTEM"] = ""

    def __call__(self, root: str, *words: str) -> "Ran":
        """As the door has it."""
        import subprocess

        from kezuri.app.compare_request import Ran

        argv = [sys.executable, "-P", "-m", "kezuri", "--config", self._file, "--root", root, *self._flags, *words]
        began = monotonic()
        ran = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self._environ
        )
        seconds = monotonic() - began
        return Ran(ran.returncode, seconds, ran.stderr[-_MOST_SAID:].decode("utf-8", "replace"))


def _toml(settings: "Settings") -> str:
    import json

    said: dict[str, object] = {
        "runtime": settings.runtime,
        "ca-certificates": settings.ca_certificates,
        "registry-mirror": [f"{host}={url}" for host, url in settings.mirrors],
        "insecure-registry": list(settings.insecure),
        "cert-dir": settings.certificates,
        "allow-private": list(settings.allow_private),
        "authfile": settings.authfile,
        "max-parallelism": settings.max_parallelism,
        "db": settings.db,
        "db-age": str(settings.db_age) if settings.db_age is not None else "",
        "db-origin": [f"{name}={url}" for name, url in settings.db_origins],
    }
    # Texts and lists of texts are written alike in JSON and in TOML.
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in said.items() if value)
