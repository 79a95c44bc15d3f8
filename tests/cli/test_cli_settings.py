"""Where settings come from, and which word is the last."""

import os
from pathlib import Path

import pytest
from tests.users.users_child import in_child

from kezuri.app.registries import registry_config
from kezuri.app.request import Settings
from kezuri.cli.options import parse
from kezuri.cli.settings import GLOBAL, KEYS, settings
from kezuri.diagnostics import KezuriError


def read(*argv: str, **environ: str) -> Settings:
    environ.setdefault("HOME", "/home/u")
    return settings(parse(argv, GLOBAL, environ), environ)


def test_defaults() -> None:
    assert read() == Settings(root="/home/u/.local/share/kezuri")
    assert read(XDG_DATA_HOME="/data").root == "/data/kezuri"
    assert read(XDG_DATA_HOME="relative").root == "/home/u/.local/share/kezuri"


def test_a_home_directory_that_is_none_is_looked_up() -> None:
    import pwd

    home = pwd.getpwuid(os.getuid()).pw_dir
    for value in ("", "relative", "~"):
        assert read(HOME=value).root == f"{home}/.local/share/kezuri"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes a user whom nobody knows")
def test_a_user_without_a_home_directory_names_the_store() -> None:
    """As in a pod with a number of its own: no directory called `~` is made where kezuri happens to be started."""

    def ask() -> list[str]:
        os.setresuid(54321, 54321, 54321)
        root = read("--root", "/r", HOME="").root
        try:
            read(HOME="")
        except KezuriError as error:
            return [root, str(error), error.diagnostics[0].hint]
        return [root]

    root, error, hint = in_child(ask)
    assert root == "/r" and "HOME is not set" in error and "54321" in error and "KEZURI_ROOT" in hint


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "kezuri").mkdir()
    (tmp_path / "kezuri/config.toml").write_text(
        'root = "store"\nruntime = "crun"\nmax-parallelism = 3\n'
        'insecure-registry = ["a:5000", "b:5000"]\n[registry-mirror]\n"ghcr.io" = "http://m"\n'
    )
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = read(**home)
    assert file == Settings(
        root=f"{tmp_path}/kezuri/store",
        runtime="crun",
        mirrors=(("ghcr.io", "http://m"),),
        insecure=("a:5000", "b:5000"),
        max_parallelism=3,
    )
    variables = {
        "KEZURI_ROOT": "/e",
        "KEZURI_RUNTIME": "runc",
        "KEZURI_REGISTRY_MIRROR": "https://one/,quay.io=https://two",
        "KEZURI_INSECURE_REGISTRY": "c",
        "KEZURI_MAX_PARALLELISM": "4",
    }
    environment = read(**home, **variables)
    assert environment == Settings(
        root="/e",
        runtime="runc",
        mirrors=(("docker.io", "https://one"), ("quay.io", "https://two")),
        insecure=("c",),
        max_parallelism=4,
    )
    flags = ("--root=r", "--runtime=kezuri", "--registry-mirror=http://x?a=b", "--insecure-registry=d")
    flag = read(*flags, "--max-parallelism=5", **home, **variables)
    assert flag == Settings(
        root=os.path.abspath("r"), mirrors=(("docker.io", "http://x?a=b"),), insecure=("d",), max_parallelism=5
    )


def test_certificates_are_an_absolute_path_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    (tmp_path / "config.toml").write_text('ca_certificates = "ca.pem"\n')
    assert read("--config", str(tmp_path / "config.toml")).ca_certificates == f"{tmp_path}/ca.pem"
    assert read(KEZURI_CA_CERTIFICATES=f"{tmp_path}/ca.pem").ca_certificates == f"{tmp_path}/ca.pem"
    assert read("--ca-certificates", "~/ca.pem", HOME=str(tmp_path)).ca_certificates == f"{tmp_path}/ca.pem"
    for argv, environ, origin in (
        (("--ca-certificates", "/no/ca.pem"), {}, "--ca-certificates must"),
        ((), {"KEZURI_CA_CERTIFICATES": "/no/ca.pem"}, "$KEZURI_CA_CERTIFICATES must"),
    ):
        with pytest.raises(KezuriError, match=r"there is no file /no/ca\.pem") as caught:
            read(*argv, **environ)
        assert origin in caught.value.diagnostics[0].hint
        assert caught.value.exit_code == 2


def test_a_missing_file_matters_only_when_it_was_asked_for(tmp_path: Path) -> None:
    assert read(XDG_CONFIG_HOME=str(tmp_path)).runtime == "kezuri"
    for argv, environ in ((("--config", "/no/such"), {}), ((), {"KEZURI_CONFIG": "/no/such"})):
        with pytest.raises(KezuriError, match="/no/such: No such file"):
            read(*argv, **environ)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("rooot = 'x'", "unknown setting 'rooot'", "did you mean root?"),
        ("zzzzzzzzz = 1", "unknown setting 'zzzzzzzzz'", "known: root"),
        ("root = 1", "root in", ""),
        ("runtime = ['a']", "a text", ""),
        ("insecure-registry = [1]", "a text or a list of texts", ""),
        ("[registry-mirror]\nx = 1", "a text or a list of texts", ""),
        ("max-parallelism = 'x'", "is a number", ""),
        ("max-parallelism = true", "is a number", ""),
        ("max-parallelism = -1", "is a number of steps, not '-1'", "max-parallelism in"),
        ("= 1", "is not TOML", ""),
        ("\x00", "is not TOML", ""),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(KezuriError) as caught:
        read("--config", str(path))
    assert caught.value.exit_code == 2
    assert message in caught.value.diagnostics[0].message
    assert hint in caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    "flag",
    ["--registry-mirror=x", "--registry-mirror=ftp://x", "--registry-mirror=a=b", "--registry-mirror=https://",
     "--registry-mirror==https://x", "--insecure-registry=http://x", "--max-parallelism=two"],
)  # fmt: skip
def test_wrong_values(flag: str) -> None:
    with pytest.raises(KezuriError) as caught:
        read(flag)
    assert caught.value.exit_code == 2


def test_the_file_knows_what_the_flags_know() -> None:
    assert {f"--{key}" for key in KEYS} == {o.key for o in GLOBAL} - {"--config", "--debug", "--tls-verify"}


def test_what_holds_for_registries_alone(tmp_path: Path) -> None:
    """Git repositories and URLs are still checked, whatever is said of registries."""
    given = read("--tls-verify=false", "--authfile", "~/a.json", "--cert-dir", str(tmp_path), HOME="/home/u")
    assert (given.tls_verify, given.authfile, given.certificates) == (False, "/home/u/a.json", str(tmp_path))
    assert given.insecure == ()
    config = registry_config(given)
    assert config.is_insecure("registry.example")
    assert config.certificates == str(tmp_path)
    assert not registry_config(read(HOME="/home/u")).is_insecure("registry.example")
    (tmp_path / "config.toml").write_text('authfile = "ci/auth.json"\n')
    assert read("--config", str(tmp_path / "config.toml")).authfile == f"{tmp_path}/ci/auth.json"
    with pytest.raises(KezuriError, match="cert-dir: there is no directory /no/such"):
        read(KEZURI_CERT_DIR="/no/such", HOME="/home/u")
