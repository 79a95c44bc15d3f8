"""Builds with remote sources, as a caller sees them: files, keys, errors at the word, contexts at addresses."""

import io
import os
import subprocess
import sys
import tarfile
import threading
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from tests.build.build_workshop import Workshop, lines, output, tar_of
from tests.source.source_remote_servers import MODIFIED, MTIME, Handler, Repository, WebServer, git, web_server

from kezuri.app.request import SecretSource, Settings
from kezuri.app.why import why
from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import decompress


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write(**{"a.txt": "a", "b.txt": "b"})
    return shop


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    with web_server() as server:
        server.repositories = tmp_path / "served"
        yield server


@pytest.fixture
def repository(tmp_path: Path, web: WebServer) -> Repository:
    made = Repository(tmp_path / "made", tmp_path / "served", "repo")
    made.commit("one", Dockerfile="FROM scratch\nCOPY . /\n", f="one", dir__d="d", **{".dockerignore": "f\n"})
    return made


def entries(shop: Workshop, dockerfile: str | None = None, **more: object) -> dict[str, tuple[str, int, int, int]]:
    """What a build gives: permissions as text, owner, group and modification time by path."""
    dest = shop.directory / "out.tar"
    shop.build(dockerfile, outputs=(output("tar", str(dest)),), **more)
    with tarfile.open(dest) as tar:
        return {m.name: (f"{m.type.decode()}{m.mode:o}", m.uid, m.gid, int(m.mtime)) for m in tar}


def files(shop: Workshop, dockerfile: str | None = None, **more: object) -> dict[str, bytes | str]:
    found = shop.files(shop.build(dockerfile, **more))
    return {path: content for path, content in found.items() if content is not None}


def failing(shop: Workshop, dockerfile: str | None = None, **more: object) -> KezuriError:
    with pytest.raises(KezuriError) as error:
        shop.build(dockerfile, **more)
    assert shop.leftovers() == []
    return error.value


def pointed(error: KezuriError) -> str:
    first = error.diagnostics[0]
    assert first.source is not None and first.span is not None
    return first.source.text[first.span.start : first.span.end]


@pytest.mark.usefixtures("entered")
class TestUrls:
    def test_one_address_with_two_credentials(self, shop: Workshop, web: WebServer) -> None:
        """Each word gets what its own credentials show."""

        def who(handler: Handler) -> None:
            given = handler.headers.get("Authorization", "").partition(" ")[2]
            handler.answer(200, b64decode(given) if given else b"nobody")

        web.replies["/f"] = who
        mine, yours = (web.url.replace("://", f"://{name}@") + "/f" for name in ("me:1", "you:2"))
        made = files(
            shop, f"FROM scratch AS other\nADD {yours} /b\nFROM scratch\nADD {mine} /a\nCOPY --from=other /b /\n"
        )
        assert made == {"a": b"me:1", "b": b"you:2"}

    def test_files_as_buildkit_makes_them(self, shop: Workshop, web: WebServer) -> None:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            member = tarfile.TarInfo("d/x")
            member.size, member.uid, member.gid, member.mtime, member.mode = 1, 1000, 1000, 5, 0o644
            tar.addfile(member, io.BytesIO(b"x"))
        web.file("/a/f.txt", b"hello\n", Last_Modified=MODIFIED)
        web.file("/a/undated", b"1")
        web.file("/", b"index", Last_Modified=MODIFIED)
        web.file("/a/sp%20ace", b"2", Last_Modified=MODIFIED)
        web.file("/t.tgz", archive.getvalue(), Last_Modified=MODIFIED)
        found = entries(
            shop,
            f"""FROM scratch
ADD {web.url}/a/f.txt?x=1 /d/
ADD {web.url}/a/undated /e
ADD {web.url}/ /root/
ADD {web.url}/a/sp%20ace /s/
ADD --chown=5:6 --chmod=640 {web.url}/a/f.txt /new/
ADD {web.url}/t.tgz /t/
ADD --unpack {web.url}/t.tgz /u/
ADD --unpack --chown=9:9 {web.url}/t.tgz /u2/
ADD --exclude=f.txt {web.url}/a/f.txt /x/
ADD a.txt {web.url}/a/f.txt b.txt /mix/
""",
        )
        assert {path: entry for path, entry in found.items() if entry[0][0] == "0" and not path.startswith("mix/")} == {
            "d/f.txt": ("0600", 0, 0, MTIME),
            "e": ("0600", 0, 0, 0),
            "root/__unnamed__": ("0600", 0, 0, MTIME),
            "s/sp ace": ("0600", 0, 0, MTIME),
            "new/f.txt": ("0640", 5, 6, MTIME),
            "t/t.tgz": ("0600", 0, 0, MTIME),
            "u/d/x": ("0644", 1000, 1000, 5),
            "u2/d/x": ("0644", 9, 9, 5),
            "x/f.txt": ("0600", 0, 0, MTIME),
        }
        assert {path for path in found if path.startswith("mix/")} == {"mix/a.txt", "mix/b.txt", "mix/f.txt"}

    def test_the_order_of_mixed_words_counts(self, shop: Workshop, web: WebServer) -> None:
        web.file("/a.txt", b"remote")
        assert files(shop, f"FROM scratch\nADD a.txt {web.url}/a.txt /d/")["d/a.txt"] == b"remote"
        assert files(shop, f"FROM scratch\nADD {web.url}/a.txt a.txt /d/")["d/a.txt"] == b"a"
        assert shop.said.ran == [f"ADD {web.url}/a.txt a.txt /d/"]

    def test_variables_are_expanded_before_a_word_is_looked_at(self, shop: Workshop, web: WebServer) -> None:
        web.file("/v1/f", b"1")
        text = f"FROM scratch\nARG A={web.url} V\nADD $A/v$V/f /"
        assert files(shop, text, build_args=(("V", "1"),)) == {"f": b"1"}

    def test_a_second_build_asks_and_runs_nothing(self, shop: Workshop, web: WebServer) -> None:
        web.file("/f", b"1", ETag='"1"')
        text = f"FROM scratch\nADD {web.url}/f a.txt /d/"
        first = shop.build(text)
        assert shop.build(text).digest == first.digest and shop.said.ran == []
        assert web.asked[-1][1]["if-none-match"] == '"1"' and len(web.asked) == 2
        web.file("/f", b"2", ETag='"2"')
        assert files(shop, text)["d/f"] == b"2" and len(shop.said.ran) == 1
        shop.write(**{"a.txt": "changed"})
        assert files(shop, text)["d/a.txt"] == b"changed" and len(shop.said.ran) == 1

    def test_a_pinned_file_needs_no_network_once_it_is_there(self, shop: Workshop, web: WebServer) -> None:
        web.file("/f", b"1")
        checksum = "sha256:" + sha256(b"1").hexdigest()
        text = f"FROM scratch\nARG S={checksum}\nADD --checksum=$S {web.url}/f /"
        shop.build(text)
        web.replies.clear()
        web.asked.clear()
        shop.build(text)
        shop.build(text, no_cache=True)
        assert web.asked == [] and shop.said.failed == []

    def test_the_history(self, shop: Workshop, web: WebServer) -> None:
        web.file("/f", b"1")
        result = shop.build(f"FROM scratch\nADD --chmod=600 a.txt {web.url}/f /d/")
        assert shop.config(result)["history"][0]["created_by"] == f"ADD --chmod=600 a.txt {web.url}/f /d/ # buildkit"

    def test_secrets(self, shop: Workshop, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
        web.file("/f", b"1")
        monkeypatch.setenv("TOKEN", "s3cret-token")
        secret = SecretSource("HTTP_AUTH_TOKEN_127.0.0.1", "env", "TOKEN")
        shop.build(f"FROM scratch\nADD {web.url}/f /", secrets=(secret,))
        assert web.asked[0][1]["authorization"] == "Bearer s3cret-token"
        assert "s3cret" not in str(shop.said.events)
        shop.build(f"FROM scratch\nADD {web.url}/f /")
        assert shop.said.ran == []

    @pytest.mark.parametrize(
        ("words", "word", "message"),
        [
            ("a.txt $A/gone b.txt", "$A/gone", "404 not found"),
            ("a.txt nothing $A/f", "nothing", '"nothing" was not found'),
            ("$A/f b.txt nothing", "nothing", '"nothing" was not found'),
            ("a.txt http://127.0.0.1:1/x", "http://127.0.0.1:1/x", "127.0.0.1:1"),
            ("--checksum=sha256:" + "0" * 64 + " $A/f", "$A/f", "was expected"),
        ],
    )
    def test_what_is_wrong_is_said_at_the_word(
        self, shop: Workshop, web: WebServer, words: str, word: str, message: str
    ) -> None:
        web.file("/f", b"1")
        error = failing(shop, f"FROM scratch\nARG A={web.url}\nADD {words} /d/")
        assert lines(error) == [3] and pointed(error) == word and message in str(error)

    def test_copy_takes_none(self, shop: Workshop) -> None:
        error = failing(shop, "FROM scratch\nCOPY a.txt https://example.com/x /")
        assert pointed(error) == "https://example.com/x" and "ADD does" in (error.diagnostics[0].hint or "")

    def test_a_stage_that_waits_is_called_off_with_the_others(self, shop: Workshop, web: WebServer) -> None:
        held = threading.Event()

        def reply(handler: Handler) -> None:
            handler.close_connection = True
            handler.answer(200, b"x" * 300_000, length=10**9)
            for _ in range(200):
                if held.wait(0.1):
                    return
                handler.wfile.write(b"y" * 300_000)

        web.replies["/slow"] = reply
        text = f"""FROM scratch AS one
COPY a.txt /
ADD {web.url}/slow /
FROM scratch AS two
COPY b.txt /
ADD http://127.0.0.1:1/x /
FROM scratch
COPY --from=one / /
COPY --from=two / /
"""
        try:
            assert "127.0.0.1:1" in str(failing(shop, text))
        finally:
            held.set()


SOURCES = os.path.join(os.path.dirname(__file__), "..", "..", "src")
NO_REMOTE = """
import sys
from kezuri.app.build import build
from kezuri.app.request import BuildRequest, Settings
build(BuildRequest(context=sys.argv[1]), Settings(sys.argv[2]), lambda event: None)
print(*(name for name in sys.modules if "remote" in name or name.startswith("kezuri.source.http")))
"""


def test_a_build_without_remote_sources_knows_nothing_of_them(shop: Workshop) -> None:
    shop.write(Dockerfile="FROM scratch\nCOPY a.txt /\nADD b.txt /\n")
    command = [sys.executable, "-c", NO_REMOTE, str(shop.context), str(shop.root)]
    environ = {**os.environ, "PYTHONPATH": SOURCES}
    assert subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip() == ""


@pytest.mark.usefixtures("entered")
class TestContexts:
    def test_an_archive(self, shop: Workshop, web: WebServer) -> None:
        data = tar_of(("Dockerfile", b"FROM scratch\nCOPY d /o\n"), ("d/x", b"x"), ("o", b"FROM scratch\nCOPY o /\n"))
        web.file("/c.tar", data)
        assert files(shop, context=f"{web.url}/c.tar") == {"o/x": b"x"}
        assert files(shop, context=f"{web.url}/c.tar", file="o") == {"o": b"FROM scratch\nCOPY o /\n"}
        assert 'no Dockerfile "p"' in str(failing(shop, context=f"{web.url}/c.tar", file="p"))

    def test_owners_are_those_of_the_archive(self, shop: Workshop, web: WebServer) -> None:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:xz") as tar:
            for name, data in (("Dockerfile", b"FROM scratch\nCOPY x /\n"), (".dockerignore", b"x\n"), ("x", b"1")):
                member = tarfile.TarInfo(name)
                member.size, member.uid, member.gid, member.mode = len(data), 7, 8, 0o640
                tar.addfile(member, io.BytesIO(data))
        web.file("/c", archive.getvalue())
        assert entries(shop, context=f"{web.url}/c") == {"x": ("0640", 7, 8, 0)}

    def test_a_dockerfile_alone(self, shop: Workshop, web: WebServer) -> None:
        text = b"FROM scratch\nCOPY . /x/\n"
        web.file("/some/file", text, Last_Modified=MODIFIED)
        assert files(shop, context=f"{web.url}/some/file") == {"x/context": text}
        assert entries(shop, context=f"{web.url}/some/file")["x/context"] == ("0600", 0, 0, MTIME)
        assert "is no archive" in str(failing(shop, context=f"{web.url}/some/file", file="other"))

    def test_a_dockerfile_at_a_url_for_a_directory(self, shop: Workshop, web: WebServer) -> None:
        web.file("/D", b"FROM scratch\nCOPY a.txt /\n")
        assert files(shop, file=f"{web.url}/D") == {"a.txt": b"a"}
        error = failing(shop, file=f"{web.url}/gone")
        assert "404" in str(error)

    def test_a_named_one_is_a_single_file(self, shop: Workshop, web: WebServer) -> None:
        data = tar_of(("x", b"1"))
        web.file("/c.tar", data)
        contexts = (("n", f"{web.url}/c.tar"),)
        assert files(shop, "FROM scratch\nCOPY --from=n / /", build_contexts=contexts) == {"context": data}
        shop.build("FROM scratch\nCOPY a.txt /", build_contexts=(("unused", "http://127.0.0.1:1/"),))

    def test_a_directory_comes_before_an_address(
        self, shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = tmp_path / "github.com/u/r"
        place.mkdir(parents=True)
        (place / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
        monkeypatch.chdir(tmp_path)
        assert list(files(shop, context="github.com/u/r")) == ["Dockerfile"]


@pytest.mark.slow
@pytest.mark.usefixtures("entered")
class TestGit:
    def test_add(self, shop: Workshop, web: WebServer, repository: Repository) -> None:
        first = repository.git("rev-parse", "HEAD").strip()
        url = f"{web.url}/git/repo.git"
        text = f"FROM scratch\nADD --chown=3:4 --exclude=f {url} /r\nADD {url}#trunk:dir a.txt /s/"
        assert files(shop, text) == {
            "r/Dockerfile": b"FROM scratch\nCOPY . /\n",
            "r/.dockerignore": b"f\n",
            "r/dir/d": b"d",
            "s/d": b"d",
            "s/a.txt": b"a",
        }
        shop.build(text)
        assert shop.said.ran == [] and shop.build(text).ran == 0
        repository.commit("two", f="two")
        assert files(shop, text)["s/d"] == b"d" and len(shop.said.ran) == 2
        assert files(shop, f"FROM scratch\nADD --checksum={first[:9]} {web.url}/git/repo.git#{first} /")["f"] == b"one"

    def test_a_pinned_commit_works_without_network(
        self, shop: Workshop, web: WebServer, repository: Repository
    ) -> None:
        first = repository.git("rev-parse", "HEAD").strip()
        text = f"FROM scratch\nADD {web.url}/git/repo.git#{first} /"
        shop.build(text)
        web.asked.clear()
        shop.build(text)
        shop.build(text, no_cache=True)
        assert web.asked == []

    def test_errors_are_at_the_word(self, shop: Workshop, web: WebServer, repository: Repository) -> None:
        for rest, message in (
            ("#nope", "no branch or tag"),
            ("#trunk:nope", "no directory"),
            ("?checksum=0", "expected"),
        ):
            word = f"{web.url}/git/repo.git{rest}"
            error = failing(shop, f"FROM scratch\nADD a.txt {word} /d/")
            assert pointed(error) == word and message in str(error)

    def test_a_context(self, shop: Workshop, web: WebServer, repository: Repository) -> None:
        url = f"{web.url}/git/repo.git"
        repository.commit("more", dir__Dockerfile="FROM scratch\nCOPY d /only\n", other="FROM scratch\nCOPY other /\n")
        # The .dockerignore of a context that is fetched has no say.
        assert set(files(shop, context=url)) == {".dockerignore", "Dockerfile", "dir/Dockerfile", "dir/d", "f", "other"}
        assert shop.build(context=url).ran == 0
        assert files(shop, context=f"{url}#trunk:dir") == {"only": b"d"}
        assert list(files(shop, context=url, file="other")) == ["other"]
        assert 'did you mean "other"?' in str(failing(shop, context=url, file="othr").diagnostics[0].hint)
        kept = files(shop, context=url, build_args=(("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "1"),))
        assert ".git/HEAD" in kept
        absolute = shop.directory / "Absolute"
        absolute.write_text("FROM scratch\nCOPY f /abs\n")
        assert files(shop, context=url, file=str(absolute)) == {"abs": b"one"}

    def test_why_compares_the_commits_of_a_context_and_tells_nobody_who_logs_in(
        self, shop: Workshop, web: WebServer, repository: Repository
    ) -> None:
        address = web.url.replace("://", "://me:hunter2@") + "/git/repo.git"
        shop.build(context=address)
        repository.commit("two", f="two", dir__d="edited")
        shop.build(context=address)
        explanation = why(Settings(str(shop.root)))
        (step,) = explanation.steps
        assert explanation.heading.asked.context == f"{web.url}/git/repo.git"
        assert sorted(f.path for f in step.because[0].files or ()) == ["dir/d", "f"]
        assert not any(b"hunter2" in path.read_bytes() for path in shop.root.rglob("kezuri.db*"))

    def test_a_context_has_the_commits_times_with_an_epoch(
        self, shop: Workshop, web: WebServer, repository: Repository
    ) -> None:
        epoch = (("SOURCE_DATE_EPOCH", "1700000000"),)
        result = shop.build(context=f"{web.url}/git/repo.git", build_args=epoch)
        (layer,) = shop.manifest(result)["layers"]
        data = decompress(io.BytesIO(shop.blob(layer["digest"])), "layer").read()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert {member.mtime for member in tar} == {1614834367}

    def test_a_named_one(self, shop: Workshop, web: WebServer, repository: Repository) -> None:
        contexts = (("n", f"{web.url}/git/repo.git#trunk"),)
        assert files(shop, "FROM scratch\nCOPY --from=n f dir /", build_contexts=contexts) == {"f": b"one", "d": b"d"}
        assert "n" not in os.listdir(shop.root)
        git(repository.work, "status")
