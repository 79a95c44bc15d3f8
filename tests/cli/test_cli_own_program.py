"""The kezuri that `compare` starts has the settings of the one that was started, whatever said them."""

import tomllib
from pathlib import Path

from kezuri.app.request import Settings
from kezuri.cli.own_program import OwnProgram
from kezuri.cli.settings import SETTINGS

LEFT_OUT = {"root", "progress", "max-used-space", "min-free-space", "reserved-space", "keep-age", "max-local-cache"}
"""Said otherwise, or left out on purpose: limits would take away what is measured."""


def test_every_setting_reaches_it(tmp_path: Path) -> None:
    given = Settings(
        root="/r",
        runtime="crun",
        ca_certificates="/ca.pem",
        mirrors=(("docker.io", 'http://127.0.0.1:1/"\\é'),),
        insecure=("a.example", "b.example:5000"),
        max_parallelism=3,
        authfile="/auth.json",
        certificates="/certs",
        tls_verify=False,
        allow_private=("c.example",),
        db="/advisories.db",
        db_age=86400,
        db_origins=(("kev", "http://127.0.0.1/kev.json"),),
    )
    OwnProgram(given, str(tmp_path), {})
    told = tomllib.loads((tmp_path / "config.toml").read_text())
    # A setting that is added one day has to be told, too, or to be left out on purpose.
    assert set(told) == {setting.name for setting in SETTINGS} - LEFT_OUT
    assert told["registry-mirror"] == ['docker.io=http://127.0.0.1:1/"\\é']
    assert told["insecure-registry"] == ["a.example", "b.example:5000"] and told["max-parallelism"] == 3
