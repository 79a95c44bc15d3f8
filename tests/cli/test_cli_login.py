"""`kezuri login` and `logout` as a stranger uses them, at real registries; what a login is good for; nothing leaks."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.cli_pty import OnTerminal
from tests.images.test_images_layout import NAME, write_layout
from tests.registry.registry_faults import make_image
from tests.registry.registry_servers import (
    PASSWORD,
    USER,
    Authority,
    RegistryServer,
    TokenServer,
    needs_openssl,
    needs_registry,
    needs_skopeo,
)

pytestmark = [pytest.mark.slow, needs_openssl, needs_registry, needs_skopeo]

IMAGE = make_image(b"one layer", b"another")
KEZURI = (sys.executable, "-m", "kezuri")
OWN = f"--dest-creds={USER}:{PASSWORD}"


class Stranger:
    """Somebody at a shell, with a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = home / ".docker/config.json"
        self.environment = {
            "HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}", "KEZURI_ROOT": str(home / "store"),
            "PYTHONPATH": ":".join(sys.path), "XDG_RUNTIME_DIR": str(home / "run"),
        }  # fmt: skip
        (home / "run").mkdir()

    def __call__(self, *argv: str, given: str = "", code: int = 0, **environment: str) -> str:
        """Type a command; everything that it printed."""
        program = KEZURI if argv[0] not in ("skopeo", "podman", "docker") else ()
        done = subprocess.run(
            [*program, *argv], input=given, capture_output=True, text=True, cwd=self.home,
            env=self.environment | environment,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def login(self, host: str, *argv: str, password: str = PASSWORD, code: int = 0) -> str:
        return self("login", *argv, "-u", USER, "--password-stdin", host, given=password + "\n", code=code)


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    (tmp_path / "home").mkdir()
    return Stranger(tmp_path / "home")


@pytest.fixture
def layout(tmp_path: Path) -> str:
    return write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"}))


@pytest.fixture
def basic(tmp_path: Path, layout: str) -> Iterator[RegistryServer]:
    (tmp_path / "basic").mkdir()
    with RegistryServer(tmp_path / "basic", password=True) as server:
        server.fill(layout, "team/app:1", OWN)
        yield server


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    (tmp_path / "tokens").mkdir()
    with TokenServer(tmp_path / "tokens") as server:
        yield server


@pytest.fixture
def guarded(tmp_path: Path, tokens: TokenServer, layout: str) -> Iterator[RegistryServer]:
    (tmp_path / "guarded").mkdir()
    with RegistryServer(tmp_path / "guarded", tokens=tokens) as server:
        server.fill(layout, "team/app:1", OWN)
        tokens.log.clear()
        yield server


def test_from_login_to_logout(stranger: Stranger, basic: RegistryServer) -> None:
    name = f"{basic.host}/team/app:1"
    refused = stranger("pull", name, code=1)
    assert f"the repository is private: `kezuri login {basic.host}`" in refused
    refused = stranger.login(basic.host, password="hush-hush", code=1)
    assert f"{basic.host} does not let you in: GET http://{basic.host}/v2/: 401 UNAUTHORIZED" in refused
    assert not stranger.config.exists()
    said = stranger.login(basic.host)
    assert said.startswith("Login Succeeded\n")
    assert f"the password is kept in {stranger.config}" in said
    assert stat.S_IMODE(stranger.config.stat().st_mode) == 0o600
    assert stranger("login", "--get-login", basic.host) == f"{USER}\n"
    assert stranger("login", basic.host).startswith("Login Succeeded\n")
    assert IMAGE.digest in stranger("pull", name)
    stranger("rmi", name)
    (stranger.home / "Dockerfile").write_text(f"FROM {name}\nLABEL a=b\n")
    stranger("build", "-t", "built", ".")
    assert stranger("logout", basic.host) == f"Removing login credentials for {basic.host}\n"
    assert stranger("logout", basic.host) == f"Not logged in to {basic.host}\n"
    assert stranger("login", "--get-login", basic.host, code=1) == f"error: nobody is logged in to {basic.host}\n"
    stranger("rmi", "built")
    stranger("prune", "--all", "--force")
    stranger("pull", name, code=1)


def test_a_token_server_checks_a_login(stranger: Stranger, guarded: RegistryServer, tokens: TokenServer) -> None:
    refused = stranger.login(guarded.host, password="hush-hush", code=1)
    assert "401 UNAUTHORIZED incorrect username or password" in refused
    assert "hush" not in refused
    stranger.login(guarded.host)
    assert tokens.log[-1].query == {"service": "tests", "offline_token": "true", "client_id": "kezuri"}
    stranger("pull", f"{guarded.host}/team/app:1")
    assert tokens.log[-1].scopes == ("repository:team/app:pull",)
    assert "offline_token" not in tokens.log[-1].query


def test_an_identity_token_takes_the_place_of_the_password(
    stranger: Stranger, guarded: RegistryServer, tokens: TokenServer
) -> None:
    tokens.refresh = {"identity"}
    assert f"a token of the registry is kept in {stranger.config}" in stranger.login(guarded.host)
    entry = json.loads(stranger.config.read_text())["auths"][guarded.host]
    assert entry == {"auth": b64encode(b"user:").decode(), "identitytoken": "identity"}
    stranger("pull", f"{guarded.host}/team/app:1")
    assert tokens.log[-1].method == "POST"
    # What was rotated away is not kept: the next login of the same account has the new one.
    tokens.rotates = True
    stranger("login", guarded.host)


def test_a_push_and_a_mount(stranger: Stranger, guarded: RegistryServer, tokens: TokenServer) -> None:
    (stranger.home / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    names = [f"{guarded.host}/{name}" for name in ("team/one:1", "team/two:1")]
    stranger("build", "-t", names[0], "-t", names[1], ".")
    assert f"nobody is logged in there: `kezuri login {guarded.host}`" in stranger("push", names[0], code=1)
    stranger.login(guarded.host)
    tokens.log.clear()
    assert ": Pushed" in stranger("push", names[0])
    assert [asked.scopes for asked in tokens.log] == [("repository:team/one:pull,push",)]
    assert ": Mounted from team/one" in stranger("push", names[1])
    assert tokens.log[-1].scopes == ("repository:team/two:pull,push", "repository:team/one:pull")


def test_nothing_that_is_printed_has_a_secret(
    stranger: Stranger, basic: RegistryServer, guarded: RegistryServer, tokens: TokenServer
) -> None:
    hush = b64encode(b"user:hush-hush").decode()
    names = [f"{basic.host}/team/app:1", f"{guarded.host}/team/app:1"]
    stranger.config.parent.mkdir()
    for secret, code in ((hush, 1), (b64encode(b"user:pass").decode(), 0)):
        auths = {server.host: {"auth": secret} for server in (basic, guarded)}
        stranger.config.write_text(json.dumps({"auths": auths}))
        for name in names:
            said = "".join(
                stranger("--debug", "pull", f"--progress={how}", name, code=code) for how in ("plain", "rawjson")
            )
            for word in ("hush", secret, "Basic ", "Bearer", *tokens.issued):
                assert word not in said
            if code:
                assert f"the credentials are those in {stranger.config}" in said


def test_nothing_that_is_kept_has_a_secret(
    stranger: Stranger, basic: RegistryServer, guarded: RegistryServer, tokens: TokenServer
) -> None:
    """The store, its journal and what an image leaves as, after everything that needs a credential."""
    for server in (basic, guarded):
        stranger.login(server.host)
        (stranger.home / "Dockerfile").write_text(f"FROM {server.host}/team/app:1\nLABEL a=b\n")
        names = [f"{server.host}/team/{name}:1" for name in ("built", "again")]
        stranger("build", "-t", names[0], "-t", names[1], "--push", "-o", f"type=oci,dest={server.port}.tar", ".")
        stranger("pull", names[0])
    stranger("why")
    words = [b64encode(f"{USER}:{PASSWORD}".encode()), b"Authorization", *(token.encode() for token in tokens.issued)]
    assert len(words) > 3
    looked = 0
    for path in stranger.home.rglob("*"):
        if path.is_file() and path != stranger.config:
            looked += 1
            content = path.read_bytes()
            assert not [word for word in words if word in content], path
    assert looked > 10


def test_tls_with_an_authority_and_client_certificates(stranger: Stranger, tmp_path: Path, layout: str) -> None:
    authority = Authority(tmp_path)
    shown, ours = authority.issue("registry", "IP:127.0.0.1"), authority.issue("client")
    with RegistryServer(tmp_path, tls=shown, clients=authority.certificate, password=True) as server:
        assert "is not trusted" in stranger.login(server.host, code=125)
        refused = stranger.login(server.host, "--ca-certificates", authority.certificate, code=125)
        assert f"{server.host} wants a certificate of ours" in refused
        assert f"~/.config/containers/certs.d/{server.host}" in refused
        directory = stranger.home / ".config/containers/certs.d" / server.host
        directory.mkdir(parents=True)
        for source, name in ((authority.certificate, "ca.crt"), (ours.certificate, "client.cert")):
            shutil.copy(source, directory / name)
        shutil.copy(ours.key, directory / "client.key")
        stranger.login(server.host)
        server.fill(layout, "team/app:1", OWN, "--dest-cert-dir", str(directory))
        stranger("pull", f"{server.host}/team/app:1")
        moved = stranger.home / "certificates"
        directory.rename(moved)
        stranger.login(server.host, "--cert-dir", "certificates")
        (moved / "ca.crt").unlink()
        assert "is not trusted" in stranger.login(server.host, "--cert-dir", "certificates", code=125)
        stranger.login(server.host, "--cert-dir", "certificates", "--tls-verify=false")


def test_a_registry_that_asks_for_nothing(stranger: Stranger, tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        assert f"{server.host} asks nobody for a password" in stranger.login(server.host)


def test_credentials_from_a_variable_and_from_another_file(stranger: Stranger, basic: RegistryServer) -> None:
    name = f"{basic.host}/team/app:1"
    auths = json.dumps({"auths": {basic.host: {"auth": b64encode(b"user:pass").decode()}}})
    stranger("pull", name, DOCKER_AUTH_CONFIG=auths)
    stranger.login(basic.host, "--authfile", "ci/auth.json")
    assert not stranger.config.exists()
    stranger("login", "--get-login", basic.host, code=1)
    stranger("pull", "--authfile", "ci/auth.json", name)
    stranger("pull", name, KEZURI_AUTHFILE="ci/auth.json")
    assert "there is no file" in stranger("pull", "--authfile", "none.json", name, code=125)
    assert stranger("logout", basic.host, KEZURI_AUTHFILE="ci/auth.json").startswith("Removing")


def test_what_others_wrote_is_read_and_the_other_way_round(stranger: Stranger, basic: RegistryServer) -> None:
    name = f"{basic.host}/team/app:1"
    options = ("--tls-verify=false", "-u", USER, "--password-stdin")
    stranger.login(basic.host)
    assert stranger("skopeo", "login", "--get-login", basic.host) == f"{USER}\n"
    stranger("skopeo", "inspect", "--tls-verify=false", f"docker://{name}")
    if shutil.which("podman") is not None:
        assert stranger("podman", "login", "--get-login", basic.host) == f"{USER}\n"
    stranger("logout", basic.host)
    stranger("skopeo", "login", *options, basic.host, given=PASSWORD)
    assert not json.loads(stranger.config.read_text())["auths"]
    stranger("pull", name)
    said = stranger("logout", basic.host)
    assert f"{stranger.home}/run/containers/auth.json still has credentials for {basic.host}" in said
    stranger("skopeo", "logout", basic.host)
    if shutil.which("docker") is not None:
        stranger.login(basic.host)
        stranger("docker", "logout", basic.host)
        stranger("login", "--get-login", basic.host, code=1)
        stranger.environment["DOCKER_HOST"] = "unix:///no/such"  # then it asks the registry itself
        stranger("docker", "login", "-u", USER, "--password-stdin", basic.host, given=PASSWORD)
        stranger("pull", name)
        stranger("docker", "logout", basic.host)
    # podman keeps what is for a part of a registry only under its path.
    stranger("skopeo", "login", *options, f"{basic.host}/team", given=PASSWORD)
    stranger("pull", name)
    assert stranger("login", "--get-login", f"{basic.host}/team") == f"{USER}\n"
    stranger("login", "--get-login", basic.host, code=1)


def test_docker_hub_is_written_as_docker_and_podman_know_it(stranger: Stranger) -> None:
    stranger.config.parent.mkdir()
    auth = b64encode(b"hubuser:x").decode()
    stranger.config.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": auth}}}))
    for host in ((), ("docker.io",), ("https://index.docker.io/v1/",)):
        assert stranger("login", "--get-login", *host) == "hubuser\n"
    assert stranger("skopeo", "login", "--get-login", "docker.io") == "hubuser\n"
    assert stranger("logout") == "Removing login credentials for docker.io\n"


def test_a_helper_keeps_a_login(stranger: Stranger, basic: RegistryServer) -> None:
    """A helper that is a shell script, with a directory for a store."""
    program = stranger.home / "bin/docker-credential-folder"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'store="$HOME/folder"; mkdir -p "$store"; echo "$*" >> "$HOME/argv"\n'
        'case $1 in store) cat > "$store/only";;\n'
        'erase) rm "$store/only";;\n'
        'get) cat "$store/only" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };;\n'
        "esac\n"
    )
    program.chmod(0o755)
    stranger.config.parent.mkdir()
    stranger.config.write_text('{"credsStore": "folder"}')
    assert stranger.login(basic.host) == "Login Succeeded\n"
    assert PASSWORD not in stranger.config.read_text()
    stranger("pull", f"{basic.host}/team/app:1")
    assert stranger("logout", basic.host).startswith("Removing login credentials")
    assert not (stranger.home / "folder/only").exists()
    assert json.loads(stranger.config.read_text()) == {"credsStore": "folder", "auths": {}}
    assert set((stranger.home / "argv").read_text().split()) == {"store", "get", "erase"}


def test_a_helper_that_is_missing(stranger: Stranger, basic: RegistryServer) -> None:
    """What is public can be had; of what is private it is said what is missing."""
    stranger.config.parent.mkdir()
    stranger.config.write_text('{"credsStore": "none-such"}')
    name = f"{basic.host}/team/app:1"
    (stranger.home / "report.txt").write_text("well")
    for argv in (
        ("pull", name),
        ("copy", f"docker://{name}", "oci:here"),
        ("tags", f"{basic.host}/team/app"),
        ("digest", f"docker://{name}"),
        ("ls", f"docker://{name}"),
        ("manifest", "inspect", name),
        ("manifest", "create", "list", name),
        ("imagetools", "inspect", name),
        ("imagetools", "create", "-t", f"{basic.host}/team/app:2", name),
        ("discover", f"docker://{name}"),
        ("attach", "--artifact-type", "text/plain", f"docker://{name}", "report.txt"),
    ):
        said = stranger(*argv, code=1)
        assert "the credential helper docker-credential-none-such is not installed" in said
        assert f"`kezuri login {basic.host}`" in said
    assert "is not installed" in stranger.login(basic.host, code=125)


def test_asked_on_a_terminal(stranger: Stranger, basic: RegistryServer) -> None:
    with OnTerminal((*KEZURI, "login", basic.host), stranger.environment, str(stranger.home)) as terminal:
        terminal.wait_for("Username: ")
        terminal.type(f"{USER}\n")
        terminal.wait_for("Password: ")
        limits = Path(f"/proc/{terminal.pid}/limits").read_text()
        assert "Max core file size        0 " in limits
        terminal.type(f"{PASSWORD}\n")
        seen = terminal.wait_for("Login Succeeded")
        assert terminal.end() == 0
    assert PASSWORD not in seen.partition("warning")[0]
    assert f"Username: {USER}\n" in terminal.text


def test_the_terminal_is_as_before_when_a_login_is_stopped(stranger: Stranger, basic: RegistryServer) -> None:
    argv = ("sh", "-c", '"$@"; stty -a | tr " " "\\n" | grep echo$', "sh", *KEZURI, "login", "-u", USER, basic.host)
    with OnTerminal(argv, stranger.environment, str(stranger.home)) as terminal:
        terminal.wait_for("Password: ")
        children = Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text()
        os.kill(int(children.split()[0]), signal.SIGTERM)
        terminal.wait_for("stopped by signal 15")
        assert terminal.end() == 0
    assert terminal.text.split()[-1] == "echo"
