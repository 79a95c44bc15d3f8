"""Where settings come from, and which word is the last."""

import io
import os
from pathlib import Path

import pytest
from tests.users.users_child import in_child

from kezuri.app.registries import registry_config
from kezuri.app.request import Settings
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.cli.options import parse
from kezuri.cli.settings import GLOBAL, SETTINGS, settings
from kezuri.diagnostics import KezuriError


def read(*argv: str, **environ: str) -> Settings:
    environ.setdefault("HOME", "/home/u")
    return settings(parse(argv, GLOBAL, environ), environ)


def test_defaults() -> None:
    assert read() == Settings(root="/home/u/.local/share/kezuri", db="/home/u/.cache/kezuri/advisories.db")
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
        db="/home/u/.cache/kezuri/advisories.db",
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
        db="/home/u/.cache/kezuri/advisories.db",
    )
    flags = ("--root=r", "--runtime=kezuri", "--registry-mirror=http://x?a=b", "--insecure-registry=d")
    flag = read(*flags, "--max-parallelism=5", **home, **variables)
    assert flag == Settings(
        root=os.path.abspath("r"),
        mirrors=(("docker.io", "http://x?a=b"),),
        insecure=("d",),
        max_parallelism=5,
        db="/home/u/.cache/kezuri/advisories.db",
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
        ("root = 1", "root is a text", ""),
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
     "--registry-mirror==https://x", "--insecure-registry=http://x", "--insecure-registry=*", "--max-parallelism=two"],
)  # fmt: skip
def test_wrong_values(flag: str) -> None:
    with pytest.raises(KezuriError) as caught:
        read(flag)
    assert caught.value.exit_code == 2


def test_the_page_has_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]
    for setting, (name, _, default, flag, variable, told) in zip(SETTINGS, rows, strict=True):
        assert (name, default, variable) == (f"`{setting.name}`", setting.default, f"`{setting.variable}`")
        assert flag == (f"`--{setting.name}`" if setting.flag else "")
        assert setting.help in (told, f"{told} (default {setting.default})", f"{told} (default: {setting.default})")


def test_the_system_has_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "kezuri").mkdir()
    (tmp_path / "kezuri/config.toml").write_text('runtime = "crun"\ninsecure-registry = "a"\n')
    (tmp_path / "system.toml").write_text('insecure-registry = ["b", "c"]\nmax_parallelism = 7\nroot = "store"\n')
    own, system = {"XDG_CONFIG_HOME": str(tmp_path)}, {"KEZURI_CONFIG_SYSTEM": str(tmp_path / "system.toml")}
    both = read(**own, **system)
    assert (both.runtime, both.insecure, both.max_parallelism) == ("crun", ("a",), 7)
    assert both.root == f"{tmp_path}/store"
    assert read(**system).insecure == ("b", "c")
    assert read("--insecure-registry", "d", **own, **system).insecure == ("d",)
    (tmp_path / "system.toml").write_text("nothing = 1")
    with pytest.raises(KezuriError, match="unknown setting 'nothing'") as caught:
        read(**own, **system)
    assert caught.value.diagnostics[0].line == 1
    assert read(**own, KEZURI_CONFIG_SYSTEM="").runtime == "crun"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(KezuriError, match="cannot read the settings file") as caught:
        read(**own, KEZURI_CONFIG_SYSTEM=str(tmp_path / "loop"))
    assert "KEZURI_CONFIG_SYSTEM=" in caught.value.diagnostics[0].hint
    with pytest.raises(KezuriError, match="Is a directory"):
        read(**own, KEZURI_CONFIG_SYSTEM=str(tmp_path))


def test_limits_of_the_cache(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('max-used-space = "2GB"\nkeep-age = "2d"\nmin_free_space = 5\n')
    found = read("--config", str(tmp_path / "c.toml"))
    assert (found.max_used_space, found.keep_age, found.min_free_space) == (2 << 30, 2 * 86400, 5) and found.limited
    assert read("--config", str(tmp_path / "c.toml"), KEZURI_KEEP_AGE="3h").keep_age == 3 * 3600
    assert not read(KEZURI_RESERVED_SPACE="1k").limited
    exported = read(KEZURI_MAX_LOCAL_CACHE="20GB")
    assert exported.max_local_cache == 20 << 30 and not exported.limited
    for text, told in (
        ("keep-age = 'soon'", "keep-age in .*c.toml:1: not a dur"),
        ("max-used-space = -1", "not a size"),
        ("\nmin-free-space = [1]", "a text or a number"),
        ("keep-age = 1\nkeep_age = 2", "is twice"),
        ("progress = 'loud'", "progress cannot be"),
    ):
        (tmp_path / "c.toml").write_text(text)
        with pytest.raises(KezuriError, match=told) as caught:
            read("--config", str(tmp_path / "c.toml"))
        assert caught.value.exit_code == 2


def test_progress_of_a_file_comes_last(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('progress = "plain"')
    config = ("--config", str(tmp_path / "c.toml"))
    assert read(*config).progress == "plain"
    assert read(*config, KEZURI_PROGRESS="quiet").progress == ""


def config(*argv: str, **environ: str) -> list[str]:
    told = io.StringIO()
    code = call(("config", *argv), Console(told, told, {"HOME": "/home/u", "KEZURI_CONFIG_SYSTEM": "", **environ}))
    return [str(code), *told.getvalue().splitlines()]


def test_the_command_says_where_values_come_from(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('\nruntime = "crun"\n[registry-mirror]\n"docker.io" = "https://me:secret@m"\n')
    lines = config("--config", str(path), "--insecure-registry", "a", KEZURI_MAX_PARALLELISM="4")
    assert lines[0] == "0"
    found = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert set(found) == {setting.name for setting in SETTINGS}
    assert found["runtime"] == ["crun", f"{path}:2"]
    assert found["insecure-registry"] == ["a", "--insecure-registry"]
    assert found["max-parallelism"] == ["4", "$KEZURI_MAX_PARALLELISM"]
    assert found["root"] == ["/home/u/.local/share/kezuri", "default"]
    assert found["registry-mirror"] == ["docker.io=https://***@m", f"{path}:3"]
    assert config("runtime", "--config", str(path)) == ["0", "crun"]
    assert config("insecure-registry", KEZURI_INSECURE_REGISTRY="a,b") == ["0", "a", "b"]
    assert config("--format", "{{.Name}} {{json .Values}}", "runtime") == ["0", 'runtime ["kezuri"]']
    assert config("rumtime")[:3] == ["2", "error: there is no setting 'rumtime'", "  help: did you mean runtime?"]
    wrong = config(KEZURI_KEEP_AGE="soon")
    assert wrong[0] == "2" and any("soon" in line and "$KEZURI_KEEP_AGE" in line for line in wrong[1:])


def test_the_file_knows_what_the_flags_know() -> None:
    every = {f"--{setting.name}" for setting in SETTINGS if setting.flag == "every"}
    assert every == {o.key for o in GLOBAL} - {"--config", "--debug", "--tls-verify"}


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
