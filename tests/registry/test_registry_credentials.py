"""Where credentials are found: files of docker and podman, helpers, the order; and how they are written down."""

import json
import os
import stat
import subprocess
import sys
import threading
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.registry.challenge import Credential, Deferred
from kezuri.registry.credential_file import CredentialFile, change_file, entry_of, read_file
from kezuri.registry.credentials import Kept, MachineCredentials
from kezuri.registry.helper import Helper, HelperMissing
from kezuri.registry.server import Server

HUB_KEY = "https://index.docker.io/v1/"


def packed(username: str, password: str) -> str:
    return b64encode(f"{username}:{password}".encode()).decode()


def document(*keys: str, **more: Any) -> bytes:
    """A file whose entries have their own key as the user's name."""
    return json.dumps({"auths": {key: {"auth": packed(key.replace(":", "."), "pw")} for key in keys}} | more).encode()


def user(found: Credential | None) -> str:
    return "" if found is None else found.username


@pytest.mark.parametrize(
    ("text", "host", "path", "key"),
    [
        ("ghcr.io", "ghcr.io", "", "ghcr.io"),
        ("GHCR.io:443/", "ghcr.io:443", "", "ghcr.io:443"),
        ("https://ghcr.io", "ghcr.io", "", "ghcr.io"),
        ("https://ghcr.io/v1/", "ghcr.io", "", "ghcr.io"),
        ("http://localhost:5000/v2/", "localhost:5000", "", "localhost:5000"),
        ("quay.io/team/app", "quay.io", "team/app", "quay.io/team/app"),
        (HUB_KEY, "docker.io", "", HUB_KEY),
        ("index.docker.io/v1/", "docker.io", "", HUB_KEY),
        ("docker.io", "docker.io", "", HUB_KEY),
        ("registry-1.docker.io", "docker.io", "", HUB_KEY),
        ("docker.io/library", "docker.io", "library", "docker.io/library"),
        ("quay.io/v2", "quay.io", "v2", "quay.io/v2"),
        ("[::1]:5000", "[::1]:5000", "", "[::1]:5000"),
    ],
)
def test_names_of_servers(text: str, host: str, path: str, key: str) -> None:
    server = Server.of(text)
    assert (server, server.key) == ((host, path), key)
    assert Server.of(server.key) == server


@pytest.mark.parametrize(
    ("keys", "host", "path", "found"),
    [
        (["r.example"], "r.example", "a", "r.example"),
        (["https://r.example"], "r.example", "a", "https.//r.example"),
        (["https://r.example/v1/"], "r.example", "a", "https.//r.example/v1/"),
        (["https://r.example/v1/", "r.example"], "r.example", "a", "r.example"),
        (["r.example:5000"], "r.example:5000", "a", "r.example.5000"),
        (["r.example:5000"], "r.example", "a", ""),
        (["r.example"], "evil-r.example", "a", ""),
        (["r.example"], "r.example.evil", "a", ""),
        ([HUB_KEY], "registry-1.docker.io", "library/node", "https.//index.docker.io/v1/"),
        (["docker.io"], "registry-1.docker.io", "library/node", "docker.io"),
        (["r.example", "r.example/team", "r.example/team/app"], "r.example", "team/app", "r.example/team/app"),
        (["r.example", "r.example/team", "r.example/team/app"], "r.example", "team/other", "r.example/team"),
        (["r.example", "r.example/team"], "r.example", "teams/app", "r.example"),
        (["r.example/team"], "r.example", "", ""),
    ],
)
def test_which_entry_is_for_a_repository(keys: list[str], host: str, path: str, found: str) -> None:
    assert user(CredentialFile.parse(document(*keys), "file").find(host, path)) == found


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"auth": packed("u", "p:q")}, Credential("u", "p:q", source="file")),
        ({"auth": packed("u", "pp").rstrip("=")}, Credential("u", "pp", source="file")),
        ({"auth": packed("u", "p\0\0")}, Credential("u", "p", source="file")),
        ({"username": "u", "password": "p"}, Credential("u", "p", source="file")),
        ({"auth": packed("u", ""), "identitytoken": "t"}, Credential("u", "", "t", source="file")),
        ({"identitytoken": "t"}, Credential("", "", "t", source="file")),
        ({"registrytoken": "t"}, Credential("", "", "", "t", source="file")),
        ({"auth": packed("_json_key", '{\n"a": ":"}')}, Credential("_json_key", '{\n"a": ":"}', source="file")),
        ({}, None),
        (None, None),
        ({"auth": packed("u", "")}, None),
        ({"email": "a@b"}, None),
    ],
)
def test_what_an_entry_says(entry: Any, found: Credential | None) -> None:
    file = CredentialFile.parse(json.dumps({"auths": {"r": entry}}).encode(), "file")
    assert file.find("r", "") == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"auths": {"r": {"auth": "hush', r"file: not JSON \(line 1, column"),
        (b"[]", "file: not a JSON object"),
        (b"[" * 100_000, "file: not JSON"),
        (b'{"auths": ["hush"]}', "file: `auths` is not an object"),
        (b'{"credHelpers": "hush"}', "file: `credHelpers` is not an object"),
        (b'{"credsStore": ["hush"]}', "file: `credsStore` is not a text"),
        (b'{"auths": {"r": "hush"}}', "file: the entry of r is not an object"),
        (b'{"auths": {"r": {"auth": 1}}}', "file: a field of r is not a text"),
        (b'{"auths": {"r": {"auth": "hush hush"}}}', "file: the `auth` of r is not base64"),
        (b'{"auths": {"r": {"auth": "aHVzaGh1c2g="}}}', "file: the `auth` of r is not a name and a password"),
        (b'{"auths": {"r": {"registrytoken": "hush\\r\\nX: y"}}}', "file: a token of r has characters"),
        (b'{"auths": {"r": {"identitytoken": "hush hush"}}}', "file: a token of r has characters"),
        (b'{"credHelpers": {"r": 1}}', "file: the helper of r is not a text"),
    ],
)
def test_a_file_in_disorder_is_named_and_not_shown(text: bytes, words: str) -> None:
    with pytest.raises(KezuriError, match=words) as caught:
        file = CredentialFile.parse(text, "file")
        assert not file.helper("r")
        file.find("r", "")
    assert "hush" not in str(caught.value)
    assert caught.value.exit_code == 125


def test_disorder_elsewhere_in_a_file_does_not_matter() -> None:
    file = CredentialFile.parse(b'{"auths": {"bad": 1, "r": {"username": "u", "password": "p"}}, "x": [1]}', "file")
    assert user(file.find("r", "")) == "u"
    assert CredentialFile.parse(b" \n", "file").find("r", "") is None


_FIELD = st.none() | st.integers() | st.text(max_size=8) | st.lists(st.none(), max_size=1)
_ENTRY = _FIELD | st.dictionaries(st.sampled_from(["auth", "username", "password", "identitytoken"]), _FIELD)
_DOCUMENT = _FIELD | st.fixed_dictionaries(
    {},
    optional={
        "auths": _FIELD | st.dictionaries(st.sampled_from(["r", "r/a", "https://r/v1/", "", "/", "://"]), _ENTRY),
        "credHelpers": _FIELD | st.dictionaries(st.sampled_from(["r", ""]), _FIELD),
        "credsStore": _FIELD,
    },
)


@given(_DOCUMENT)
def test_any_document_is_read_or_refused(content: Any) -> None:
    try:
        file = CredentialFile.parse(json.dumps(content).encode(), "file")
        file.helper("r")
        file.servers()
        file.find("r", "a")
    except KezuriError as error:
        assert error.exit_code == 125


class Home:
    """A user's directories, and what looks up credentials in them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.warnings: list[Diagnostic] = []
        self.environment = {"HOME": str(base), "PATH": str(base / "bin"), "XDG_RUNTIME_DIR": str(base / "run")}

    def put(self, name: str, text: bytes) -> Path:
        path = self.base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        return path

    def helper(self, name: str, script: str) -> None:
        """A program docker-credential-NAME."""
        path = self.put(f"bin/docker-credential-{name}", f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n".encode())
        path.chmod(0o755)

    def credentials(self, authfile: str = "", **environment: str) -> MachineCredentials:
        return MachineCredentials(self.environment | environment, authfile, self.warnings.append)

    def source(self, authfile: str = "", **environment: str) -> str:
        """Where the credential of r.example is found, below the home."""
        found = self.credentials(authfile, **environment).find("r.example", "a")
        return "" if found is None else found.source.removeprefix(f"{self.base}/")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_the_order_of_the_places(home: Home) -> None:
    places = [".config/containers/auth.json", "run/containers/auth.json", ".docker/config.json"]
    assert home.source() == ""
    for place in places:
        home.put(place, document("other"))
        assert home.source() == ""
    for place in places:
        home.put(place, document("r.example"))
        assert home.source() == place
    home.put("d/config.json", document("r.example"))
    assert home.source(DOCKER_CONFIG=f"{home.base}/d") == "d/config.json"
    # Whoever sets DOCKER_CONFIG has no ~/.docker; podman's files are still there.
    assert home.source(DOCKER_CONFIG=f"{home.base}/none") == "run/containers/auth.json"
    named = {"REGISTRY_AUTH_FILE": str(home.put("named.json", document("other")))}
    assert home.source(**named) == ""
    home.put("named.json", document("r.example"))
    assert home.source(**named) == "named.json"
    inline = {"DOCKER_AUTH_CONFIG": document("r.example").decode()}
    assert home.source(**named, **inline) == "$DOCKER_AUTH_CONFIG"
    assert home.source(**named, DOCKER_AUTH_CONFIG=document("other").decode()) == "named.json"
    with pytest.raises(KezuriError, match=r"\$DOCKER_AUTH_CONFIG: not JSON") as caught:
        home.source(DOCKER_AUTH_CONFIG="/etc/auth.json")
    assert "the content of a config.json, not its path" in caught.value.diagnostics[0].hint
    authfile = str(home.put("auth.json", document("other")))
    assert home.source(authfile, **named, **inline) == ""
    home.put("auth.json", document("r.example"))
    assert home.source(authfile, **named, **inline) == "auth.json"


def test_a_file_is_read_once_and_not_before_it_is_needed(home: Home) -> None:
    path = home.put(".docker/config.json", b"no JSON")
    credentials = home.credentials()
    path.write_bytes(document("r.example", "other"))
    assert user(credentials.find("r.example", "a")) == "r.example"
    path.unlink()
    assert user(credentials.find("other", "a")) == "other"
    made: list[int] = []

    def make() -> MachineCredentials:
        made.append(1)
        return credentials

    deferred = Deferred(make)
    assert made == []
    assert user(deferred.find("other", "a")) == user(deferred.find("other", "b")) == "other"
    assert made == [1]


def test_files_after_the_answer_are_not_read(home: Home) -> None:
    home.put(".docker/config.json", document("r.example"))
    home.put("run/containers/auth.json", b"no JSON")
    credentials = home.credentials()
    assert user(credentials.find("r.example", "a")) == "r.example"
    for _ in range(2):  # whoever needs the second one is told, each time
        with pytest.raises(KezuriError, match=r"run/containers/auth\.json: not JSON"):
            credentials.find("other", "a")
    assert user(credentials.find("r.example", "b")) == "r.example"


def test_files_that_cannot_be_read(home: Home) -> None:
    """A directory in the file's place: even root cannot read that one."""
    (home.base / ".docker/config.json").mkdir(parents=True)
    home.put(".config/containers/auth.json", document("r.example"))
    assert home.source() == ".config/containers/auth.json"
    (warning,) = home.warnings
    assert "/.docker/config.json cannot be read: Is a directory" in warning.message
    assert warning.severity == "warning"
    with pytest.raises(KezuriError, match="cannot be read: Is a directory"):
        home.source(DOCKER_CONFIG=f"{home.base}/.docker")
    with pytest.raises(KezuriError, match="authfile: there is no file /no/such"):
        home.source("/no/such")
    with pytest.raises(KezuriError, match=r"config\.json: larger than 4 MiB"):
        home.source(DOCKER_CONFIG=str(home.put("large/config.json", b" " * (5 << 20)).parent))


GIVES = """read server; echo "$1 $server" >> "$0.log"
case $server in r.example) echo '{"Username": "h", "Secret": "s"}';;
t.example) echo '{"Username": "<token>", "Secret": "s"}';;
*) echo 'credentials not found in native keychain'; exit 1;; esac"""


def test_helpers(home: Home) -> None:
    home.helper("all", GIVES)
    home.helper("one", 'echo \'{"Username": "one", "Secret": "s"}\'')
    home.put(
        ".docker/config.json",
        document("r.example", "u.example", "v.example", credsStore="all", credHelpers={"v.example": "one"}),
    )
    credentials = home.credentials()
    assert credentials.find("r.example", "a") == Credential("h", "s", source="docker-credential-all")
    token = Credential("<token>", "", "s", source="docker-credential-all")
    assert credentials.find("t.example", "a") == token
    assert user(credentials.find("u.example", "a")) == "u.example"  # the store has none, the file has
    assert user(credentials.find("v.example", "a")) == "one"
    assert credentials.find("registry-1.docker.io", "a") is None
    log = (home.base / "bin/docker-credential-all.log").read_text()
    assert log.split("\n") == [
        "get r.example", "get t.example", "get u.example", f"get {HUB_KEY}", "get docker.io", "",
    ]  # fmt: skip
    assert credentials.find("r.example", "a") == credentials.find("r.example", "b")
    assert (home.base / "bin/docker-credential-all.log").read_text() == log


def test_a_helper_that_is_missing_is_warned_of(home: Home) -> None:
    home.put(".docker/config.json", document("u.example", credsStore="desktop.exe"))
    credentials = home.credentials()
    assert credentials.find("r.example", "a") is None
    assert user(credentials.find("u.example", "a")) == "u.example"
    assert home.warnings[0].message == "the credential helper docker-credential-desktop.exe is not installed"
    assert ".docker/config.json names it" in home.warnings[0].hint
    with pytest.raises(HelperMissing):
        credentials.keep(Server.of("r.example"), Credential("u", "p"))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cat >/dev/null; echo 'gpg: no key'; exit 2", r"failed \(get r\.example, exit code 2\): gpg: no key"),
        ("echo 'no key' >&2; exit 1", r"exit code 1\): no key"),
        ("exit 1", "it says nothing"),
        ("echo hush", "does not answer with a name and a secret"),
        ("echo '[\"hush\"]'", "does not answer with a name and a secret"),
        ('echo \'{"Username": 1, "Secret": "hush"}\'', "does not answer with a name and a secret"),
        ('echo \'{"Username": "<token>", "Secret": "hush hush"}\'', "does not answer with a name and a secret"),
        ("sleep 60 & echo $! > $0.pid; wait", r"took longer than 0\.3 s"),
        ("exec yes hush", "says more than 1 MiB"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_helpers_that_fail(home: Home, script: str, words: str) -> None:
    home.helper("odd", script)
    with pytest.raises(KezuriError, match=words) as caught:
        Helper("odd", "file", home.environment, 0.3).get("r.example")
    assert "hush" not in str(caught.value)
    assert "file names it" in caught.value.diagnostics[0].hint
    left = home.base / "bin/docker-credential-odd.pid"
    if left.exists():
        os.kill(int(left.read_text()), 9)


def test_a_helper_that_repeats_what_it_was_told(home: Home) -> None:
    home.helper("odd", "echo no room for $(cat); exit 1")
    with pytest.raises(KezuriError, match=r'no room for .*"Secret": "\*\*\*"'):
        Helper("odd", "file", home.environment).store("r.example", Credential("u", "hush"))


def test_helpers_have_names_and_no_paths(home: Home) -> None:
    for name in ("../evil", "a/b", "", "-x", "a b"):
        with pytest.raises(KezuriError, match="is not the name of a credential helper"):
            Helper(name, "file", home.environment).get("r")


def test_a_secret_goes_to_a_helper_by_its_standard_input(home: Home) -> None:
    home.helper("keeps", 'cat > "$0.$1"; echo "$@" >> "$0.argv"')
    path = home.put(".docker/config.json", b'{"credsStore": "keeps", "HttpHeaders": {"X": "1"}}')
    assert home.credentials().keep(Server.of("r.example"), Credential("u", "p")) == Kept(
        str(path), "docker-credential-keeps"
    )
    told = json.loads((home.base / "bin/docker-credential-keeps.store").read_text())
    assert told == {"ServerURL": "r.example", "Username": "u", "Secret": "p"}
    assert (home.base / "bin/docker-credential-keeps.argv").read_text() == "store\n"
    # docker marks with an empty entry that the helper has it.
    assert json.loads(path.read_text()) == {
        "credsStore": "keeps", "HttpHeaders": {"X": "1"}, "auths": {"r.example": {}},
    }  # fmt: skip
    home.credentials().keep(Server.of("r.example"), Credential("u", "", "identity"))
    told = json.loads((home.base / "bin/docker-credential-keeps.store").read_text())
    assert told == {"ServerURL": "r.example", "Username": "<token>", "Secret": "identity"}


def test_what_is_kept_is_found(home: Home) -> None:
    path = home.put(
        ".docker/config.json",
        document("a.example", "https://r.example/v1/", "docker.io", psFormat="x", aliases={"b": "c"}),
    )
    path.chmod(0o644)
    credentials = home.credentials()
    for server in ("r.example", "docker.io", "q.example/team"):
        kept = credentials.keep(Server.of(server), Credential("ü", "p:ß"))
        assert kept == Kept(str(path))
    assert credentials.find("r.example", "") == Credential("ü", "p:ß", source=str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    after = json.loads(path.read_text())
    assert list(after) == ["auths", "psFormat", "aliases"]
    assert list(after["auths"]) == ["a.example", "r.example", HUB_KEY, "q.example/team"]
    assert after["auths"]["a.example"] == {"auth": packed("a.example", "pw")}
    assert user(credentials.find("q.example", "team/app")) == "ü"
    assert credentials.drop(Server.of("r.example"))
    assert not credentials.drop(Server.of("r.example"))
    assert credentials.find("r.example", "") is None
    assert list(json.loads(path.read_text())["auths"]) == ["a.example", HUB_KEY, "q.example/team"]
    (path.parent / "config.json.kezuri-0123abcd").write_text("of one who was killed")
    credentials.keep(Server.of("r.example"), Credential("u", "p"))
    assert os.listdir(path.parent) == ["config.json"]


def test_a_directory_is_made_for_nobody_else(home: Home) -> None:
    home.credentials().keep(Server.of("r"), Credential("u", "p"))
    assert stat.S_IMODE((home.base / ".docker").stat().st_mode) == 0o700
    assert stat.S_IMODE((home.base / ".docker/config.json").stat().st_mode) == 0o600


def test_a_link_stays_a_link(home: Home) -> None:
    target = home.put("dotfiles/docker.json", b"{}")
    (home.base / ".docker").mkdir()
    link = home.base / ".docker/config.json"
    link.symlink_to("../dotfiles/docker.json")
    home.credentials().keep(Server.of("r"), Credential("u", "p"))
    assert link.is_symlink()
    assert json.loads(target.read_text()) == {"auths": {"r": entry_of(Credential("u", "p"))}}


def test_two_who_write_at_once_lose_nothing(home: Home) -> None:
    threads = [
        threading.Thread(target=lambda n=n: home.credentials().keep(Server.of(f"r{n}"), Credential("u", "p")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads((home.base / ".docker/config.json").read_text())["auths"]) == 8


def test_a_file_that_cannot_be_changed(home: Home) -> None:
    path = home.put("file", b"{}")
    with pytest.raises(KezuriError, match=r"cannot write .*/file/config\.json"):
        change_file(str(path / "config.json"), lambda before: {"a": 1})
    broken = home.put("broken.json", b"{")
    with pytest.raises(KezuriError, match="not JSON"):
        change_file(str(broken), lambda before: {"a": 1})
    assert broken.read_bytes() == b"{"
    change_file(str(path), lambda before: None)
    assert path.read_bytes() == b"{}"


def test_what_is_no_regular_file_is_not_replaced_by_one(home: Home) -> None:
    """As root it would be /dev/null, which REGISTRY_AUTH_FILE names where no credentials are wanted."""
    pipe = home.put("file", b"").with_name("pipe")
    os.mkfifo(pipe)
    (home.base / "link").symlink_to(pipe)
    for path in (pipe, home.base / "link"):
        writer = threading.Thread(target=pipe.write_bytes, args=(b"{}",))
        writer.start()
        with pytest.raises(KezuriError, match="is no regular file"):
            change_file(str(path), lambda before: {"a": 1})
        writer.join()
        assert stat.S_ISFIFO(os.lstat(pipe).st_mode)
    change_file("/dev/null", lambda before: None)


@given(st.text(st.characters(codec="utf-8", exclude_characters=":\0"), min_size=1), st.text(min_size=1))
def test_any_name_and_password_comes_back(username: str, password: str) -> None:
    password = password.encode("utf-8", "replace").decode().strip("\0")
    document = {"auths": {"r": entry_of(Credential(username, password))}}
    found = CredentialFile.parse(json.dumps(document).encode(), "file").find("r", "")
    assert found == (Credential(username, password, source="file") if password else None)


def test_an_anonymous_pull_does_not_pay() -> None:
    """Nothing of this is loaded before a registry demands credentials."""
    script = (
        "import sys; from kezuri.registry.challenge import Deferred; from kezuri.registry.client import Registry\n"
        "import kezuri.app.registries, kezuri.registry.exchange\n"
        "Registry(credentials=Deferred(lambda: kezuri.app.registries.credentials(None, None)))\n"
        "print(*[m for m in sys.modules if m.startswith('kezuri.registry.') and m.split('.')[2] in"
        " ('credentials', 'credential_file', 'helper', 'server', 'forbidden', 'login')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_no_file_is_none(tmp_path: Path) -> None:
    assert read_file(str(tmp_path / "none")) is None
    assert read_file(str(tmp_path / "none/none")) is None
