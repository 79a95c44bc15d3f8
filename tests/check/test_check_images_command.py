"""`kezuri check IMAGE` and `--built`, and what a build says of its image, as they are typed: images of scratch, in a
store and in layouts."""

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kezuri.app import after_build
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.elf.minimal import minimal_elf

TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF6hJk"
BAD = """\
FROM scratch AS files
COPY . /

FROM scratch
COPY server /server
COPY config.json /etc/config.json
# kezuri ignore=UserUnknown
USER app
CMD ["/server"]
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def found(self) -> dict[str, list[int]]:
        """The lines by rule, of what was said as JSON."""
        names: dict[str, list[int]] = {}
        for one in json.loads(self.out):
            names.setdefault(one["rule"], []).append(one["line"])
        return names


class Kezuri:
    def __init__(self, place: Path) -> None:
        self.place = place
        self.context = place / "context"
        self.context.mkdir()
        (self.context / "server").write_bytes(minimal_elf("/lib64/ld-linux-x86-64.so.2", ("libc.so.6",)))
        (self.context / "server").chmod(0o755)
        (self.context / "config.json").write_text(json.dumps({"token": TOKEN}))
        self.environ = {"HOME": str(place), "KEZURI_ROOT": str(place / "root")}

    def __call__(self, *argv: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        code = call(argv, Console(out, err, self.environ))
        return Said(code, out.getvalue(), err.getvalue().replace(str(self.context), "context"))

    def build(self, text: str = BAD, *argv: str) -> Said:
        (self.context / "Dockerfile").write_text(text)
        return self("build", "--progress", "plain", "-t", "app:1", *argv, str(self.context))

    def images(self) -> int:
        return len(json.loads(self("images", "--format", "json").out or "[]"))


@pytest.fixture
def kezuri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kezuri:
    monkeypatch.chdir(tmp_path)
    return Kezuri(tmp_path)


def test_an_image_of_the_store(kezuri: Kezuri) -> None:
    assert kezuri.build().code == 0
    said = kezuri("check", "-f", "json", "app:1")
    assert said.code == 1
    assert said.found.keys() >= {"SecretInLayer", "UserUnknown", "LoaderMissing"}
    assert said.found["LoaderMissing"] == [1] and said.found["SecretInLayer"] == [2]
    assert TOKEN not in said.out + said.err
    text = kezuri("check", "app:1")
    assert "--> history of app:1:2:1" in text.out and "2 | COPY config.json /etc/config.json" in text.out


def test_rules_are_chosen_and_silenced_by_every_name(kezuri: Kezuri) -> None:
    kezuri.build()
    assert kezuri("check", "-f", "json", "--rule", "CIS-DI-0010", "app:1").found == {"SecretInLayer": [2]}
    ignored = kezuri("check", "-f", "json", "--ignore", "CIS-DI-0010,UserUnknown,LoaderMissing", "app:1")
    assert ignored.code == 0 and "SecretInLayer" not in ignored.found
    Path(".dockleignore").write_text("CIS-DI-0010\n")
    assert "SecretInLayer" not in kezuri("check", "-f", "json", "app:1").found


def test_an_image_of_a_layout_and_of_an_archive(kezuri: Kezuri) -> None:
    kezuri.build()
    kezuri("copy", "store:app:1", f"oci:{kezuri.place}/layout:app")
    kezuri("copy", "store:app:1", f"docker-archive:{kezuri.place}/app.tar")
    wanted = kezuri("check", "-f", "json", "app:1").found
    wanted.pop("LatestBaseImage", None)
    for name in (f"oci:{kezuri.place}/layout:app", f"docker-archive:{kezuri.place}/app.tar"):
        assert kezuri("check", "-f", "json", name).found == wanted


def test_what_is_neither_a_file_nor_an_image(kezuri: Kezuri) -> None:
    said = kezuri("check", "nothing")
    assert said.code == 1 and "there is no file nothing" in said.err
    assert "no such image" in kezuri("check", "store:nothing").err


def test_a_damaged_layer_is_told(kezuri: Kezuri) -> None:
    kezuri.build()
    kezuri("copy", "store:app:1", f"oci:{kezuri.place}/layout:app")
    blobs = sorted((kezuri.place / "layout/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    for blob in blobs:
        data = blob.read_bytes()
        if data[:2] == b"\x1f\x8b":
            blob.write_bytes(data[:-20])
            break
    said = kezuri("check", f"oci:{kezuri.place}/layout:app")
    assert said.code == 1 and "damaged" in said.err
    assert "Traceback" not in said.err


def test_the_image_of_a_dockerfile_is_checked_at_its_lines(kezuri: Kezuri) -> None:
    (kezuri.context / "Dockerfile").write_text(BAD)
    before = kezuri.images()
    said = kezuri("check", "--built", "-f", "json", "context")
    assert said.found["LoaderMissing"] == [5]
    assert 6 in said.found["SecretInLayer"]
    assert "UserUnknown" not in said.found, "a comment above the line silences it"
    assert kezuri.images() == before, "what was built for the check goes again"
    assert "LoaderMissing" not in kezuri("check", "-f", "json", "context").found


def test_a_named_image_stays_when_its_dockerfile_is_checked(kezuri: Kezuri) -> None:
    kezuri.build()
    before = kezuri.images()
    kezuri("check", "--built", "context")
    assert kezuri.images() == before and kezuri("inspect", "app:1").code == 0


def test_a_dockerfile_that_does_not_build_is_checked_all_the_same(kezuri: Kezuri) -> None:
    (kezuri.context / "Dockerfile").write_text("FROM scratch\nMAINTAINER me\nCOPY nothing /\n")
    said = kezuri("check", "--built", "-f", "json", "context")
    assert said.code == 1 and "MaintainerDeprecated" in said.found
    assert "nothing" in said.err


def test_a_build_warns_of_what_its_image_lacks(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(after_build, "SHARE", 1e9)
    said = kezuri.build(BAD.replace("# kezuri ignore=UserUnknown\n", ""))
    assert "UserUnknown: " in said.err and "LoaderMissing: /server asks for the loader" in said.err
    assert "(line 5)" in said.err
    # What was paid for is not looked at again.
    again = kezuri.build(BAD.replace("# kezuri ignore=UserUnknown\n", ""))
    assert again.code == 0 and "LoaderMissing" not in again.err


def test_a_build_does_not_look_where_that_would_be_felt(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(after_build, "SHARE", 0.0)
    said = kezuri.build()
    assert said.code == 0 and "LoaderMissing" not in said.err


def test_comments_silence_what_a_build_says_of_its_image(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(after_build, "SHARE", 1e9)
    said = kezuri.build("FROM scratch\n# kezuri ignore=LoaderMissing\nCOPY server /server\nCMD /server\n")
    assert "LoaderMissing" not in said.err and "StartProgramMissing: CMD starts /bin/sh" in said.err


def test_a_rule_that_raises_does_not_fail_a_build(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    from kezuri.check.rules import image_start

    def raises(*_: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(after_build, "SHARE", 1e9)
    monkeypatch.setattr(image_start.StartProgramMissing, "look", raises)
    assert kezuri.build().code == 0


def test_a_rule_that_raises_is_told_by_its_name(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    from kezuri.check.image.secret_files import Secrets
    from kezuri.check.rules import image_start

    def raises(*_: Any) -> None:
        raise RuntimeError("a mistake")

    kezuri.build()
    monkeypatch.setattr(image_start.UserUnknown, "look", raises)
    said = kezuri("check", "-f", "json", "app:1")
    assert "the rule UserUnknown could not be asked" in said.err and "LoaderMissing" in said.found
    monkeypatch.setattr(Secrets, "take", raises)
    said = kezuri("check", "-f", "json", "app:1")
    assert "a mistake" in said.err and "HealthcheckMissing" in said.found
