"""Git repositories, over smart HTTP and over git's own protocol: refs, commits, checkouts, secrets, hostile content."""

import base64
import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import sleep, time

import pytest
from tests.source.source_remote_fetching import fetching
from tests.source.source_remote_servers import Repository, WebServer, git, git_daemon, web_server

from kezuri.diagnostics import KezuriError
from kezuri.linux.activity import activity
from kezuri.linux.ownership import Privilege
from kezuri.plan.inputs import GitSource
from kezuri.plan.remote import git_source
from kezuri.progress.calling_off import CalledOff
from kezuri.registry.retry import Stall
from kezuri.source import git_program, git_repository
from kezuri.source.git_checkout import address_refusal
from kezuri.source.git_program import GitFailed, GitProgram, Waiting
from kezuri.source.remote_context import RemoteContexts
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits
from kezuri.upkeep.figures import Figures

pytestmark = pytest.mark.slow

MADE = 1614834367
"""When the repositories' commits were made, in seconds since the epoch."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    with web_server() as server:
        server.repositories = tmp_path / "served"
        yield server


@pytest.fixture
def repository(tmp_path: Path, web: WebServer) -> Repository:
    made = Repository(tmp_path / "made", tmp_path / "served", "repo")
    made.work.joinpath("bin").mkdir()
    made.work.joinpath("bin/run").write_text("#!/bin/sh\n")
    made.work.joinpath("bin/run").chmod(0o755)
    made.work.joinpath("link").symlink_to("dir/deep")
    made.commit("one", f="one", dir__deep__d="d")
    return made


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def source(web: WebServer, rest: str = "", name: str = "repo") -> GitSource:
    return at(f"{web.url}/git/{name}.git{rest}")


def at(text: str) -> GitSource:
    found = git_source(text)
    assert found is not None
    return found[0]._replace(keep_git_dir=bool(found[1]))


def listed(directory: str, skip: str = ".git/") -> dict[str, str]:
    """Every path with its kind and permissions, and its content or target."""
    found = {}
    for base, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = os.path.join(base, name)
            relative = os.path.relpath(path, directory)
            if relative.startswith(skip):
                continue
            mode = os.lstat(path).st_mode
            if os.path.islink(path):
                found[relative] = f"-> {os.readlink(path)}"
            elif os.path.isdir(path):
                found[relative] = oct(mode & 0o777)
            else:
                found[relative] = f"{mode & 0o777:o} {Path(path).read_bytes()!r}"
    return found


def failure(store: Path, wanted: GitSource, secrets: dict[str, str] | None = None, **more: str) -> KezuriError:
    with pytest.raises(KezuriError) as error, fetching(store, secrets, **more) as remotes:
        remotes.directory(wanted)
    assert os.listdir(store / "tmp") == []
    return error.value


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until it holds; fails when it does not for twenty seconds."""
    end = time() + 20
    while not holds():
        assert time() < end
        sleep(0.02)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def hint(error: KezuriError) -> str:
    return error.diagnostics[0].hint or ""


class TestFiles:
    @pytest.mark.parametrize("umask", [0o077, 0o002])
    def test_what_a_checkout_holds(self, store: Path, web: WebServer, repository: Repository, umask: int) -> None:
        before = os.umask(umask)
        try:
            with fetching(store) as remotes:
                root = remotes.root(source(web), (), False)
        finally:
            os.umask(before)
        entries = {item.path: item.entry for item in root.items}
        assert {path: (e.kind, e.mode, e.uid, e.gid) for path, e in entries.items()} == {
            "bin": ("dir", 0o755, 0, 0),
            "bin/run": ("file", 0o755, 0, 0),
            "dir": ("dir", 0o755, 0, 0),
            "dir/deep": ("dir", 0o755, 0, 0),
            "dir/deep/d": ("file", 0o644, 0, 0),
            "f": ("file", 0o644, 0, 0),
            "link": ("symlink", 0o777, 0, 0),
        }
        assert root.directory and root.top.entry.mode == 0o755

    def test_a_part_of_it(self, store: Path, web: WebServer, repository: Repository) -> None:
        with fetching(store) as remotes:
            assert listed(remotes.directory(source(web, "#trunk:dir"))) == {"deep": "0o755", "deep/d": "644 b'd'"}
            assert [item.path for item in remotes.root(source(web), ("bin", "link"), False).items] == [
                "dir", "dir/deep", "dir/deep/d", "f",
            ]  # fmt: skip

    @pytest.mark.parametrize(
        ("subdir", "message", "hinted"),
        [
            ("dri", 'no directory "dri"', "did you mean dir?"),
            ("dir/x", 'no directory "dir/x"', "a path in the repository"),
            ("f", "is a file", "a directory"),
            ("link", "is a symbolic link", "a directory"),
            ("link/d", "is a symbolic link", "a directory"),
        ],
    )
    def test_parts_that_are_not_there(
        self, store: Path, web: WebServer, repository: Repository, subdir: str, message: str, hinted: str
    ) -> None:
        error = failure(store, source(web, f"#trunk:{subdir}"))
        assert message in str(error) and hinted in hint(error)

    def test_times(self, store: Path, web: WebServer, repository: Repository) -> None:
        begun = time() - 5
        with fetching(store) as remotes:
            made = remotes.directory(source(web))
            assert os.stat(f"{made}/f").st_mtime >= begun
            made = remotes.directory(source(web, "?mtime=commit"))
            assert {os.lstat(os.path.join(made, path)).st_mtime for path in listed(made)} == {MADE}
            assert "times of the commit" in remotes.identity(source(web, "?mtime=commit"))[1]

    def test_the_git_directory_is_kept_when_asked_for(
        self, store: Path, web: WebServer, repository: Repository
    ) -> None:
        tag = repository.tag("v1", annotated=True)
        sha = repository.git("rev-parse", "HEAD").strip()
        with fetching(store) as remotes:
            made = Path(
                remotes.directory(at(f"http://me:word@127.0.0.1:{web.server_port}/git/repo.git?keep-git-dir#v1"))
            )
            assert remotes.identity(source(web, "?keep-git-dir#v1")) == (
                "source git",
                f"commit {tag}, with its git directory (refs/tags/v1)",
            )
            assert remotes.identity(source(web, "#v1")) == ("source git", f"commit {sha}")
        assert git(made, "rev-parse", "HEAD").strip() == sha and git(made, "status", "--porcelain") == ""
        assert git(made, "describe").strip() == "v1"
        assert git(made, "remote", "get-url", "origin").strip() == f"{web.url}/git/repo.git"
        assert not {"FETCH_HEAD", "logs", "hooks"} & set(os.listdir(made / ".git"))
        assert "word" not in (made / ".git/config").read_text() and str(store) not in (made / ".git/config").read_text()
        with fetching(store) as remotes:
            assert ".git" not in listed(remotes.directory(source(web, "?keep-git-dir#v1:dir")))


class TestRefs:
    def test_every_way_to_name_a_commit(self, store: Path, web: WebServer, repository: Repository) -> None:
        first = repository.git("rev-parse", "HEAD").strip()
        tag = repository.tag("v1", annotated=True)
        repository.tag("light")
        repository.git("branch", "feature/x")
        second = repository.commit("two", f="two")
        for rest, commit, content in (
            ("", second, "two"),
            ("#HEAD", second, "two"),
            ("#trunk", second, "two"),
            ("#refs/heads/trunk", second, "two"),
            ("?branch=trunk", second, "two"),
            ("#v1", first, "one"),
            ("#tags/v1", first, "one"),
            ("?tag=v1", first, "one"),
            ("#light", first, "one"),
            ("#feature/x", first, "one"),
            (f"#{first}", first, "one"),
            (f"?checksum={first[:7]}#v1", first, "one"),
            (f"?checksum={tag[:7]}#v1", first, "one"),
            (f"?checksum={first}&fetch-by-commit", first, "one"),
            (f"?checksum={first}&fetch-by-commit&branch=trunk", first, "one"),
        ):
            with fetching(store) as remotes:
                assert remotes.identity(source(web, rest)) == ("source git", f"commit {commit}"), rest
                assert Path(remotes.directory(source(web, rest)), "f").read_text() == content, rest

    def test_a_branch_comes_before_a_tag(self, store: Path, web: WebServer, repository: Repository) -> None:
        repository.git("tag", "both")
        repository.git("checkout", "--quiet", "-b", "both")
        newer = repository.commit("on the branch", f="two")
        with fetching(store) as remotes:
            assert remotes.identity(source(web, "#both"))[1] == f"commit {newer}"

    @pytest.mark.parametrize(
        ("rest", "message", "hinted"),
        [
            ("#trnk", 'no branch or tag "trnk"', "did you mean trunk?"),
            ("#zzz", 'no branch or tag "zzz"', "it has trunk"),
            ("#5456a7c", "no branch or tag", "full hash"),
            ("#" + "5" * 40, f"no commit {'5' * 40}", "right repository"),
            ("?checksum=abc", "and abc was expected", "moved"),
            ("?checksum=abc#" + "5" * 40, "and abc was expected", ""),
            ("?fetch-by-commit", "needs the full hash", ""),
            ("?fetch-by-commit&checksum=abc", "needs the full hash", ""),
        ],
    )
    def test_what_is_not_there(
        self, store: Path, web: WebServer, repository: Repository, rest: str, message: str, hinted: str
    ) -> None:
        error = failure(store, source(web, rest))
        assert message in str(error) and hinted in hint(error)

    def test_an_empty_repository(self, store: Path, web: WebServer, tmp_path: Path) -> None:
        Repository(tmp_path / "made", tmp_path / "served", "empty")
        assert "no default branch" in str(failure(store, source(web, name="empty")))

    def test_refs_that_move(self, store: Path, web: WebServer, repository: Repository) -> None:
        repository.tag("v")
        for content in ("two", "three"):
            commit = repository.commit(content, f=content)
            repository.tag("v", annotated=content == "three")
            for rest in ("", "#v"):
                with fetching(store) as remotes:
                    assert remotes.identity(source(web, rest))[1] == f"commit {commit}"
                    assert Path(remotes.directory(source(web, rest)), "f").read_text() == content

    def test_a_branch_that_becomes_a_directory_of_branches(
        self, store: Path, web: WebServer, repository: Repository
    ) -> None:
        repository.git("branch", "a")
        repository.publish()
        for name in ("a", "a/b"):
            with fetching(store) as remotes:
                assert Path(remotes.directory(source(web, f"#{name}")), "f").read_text() == "one"
            repository.git("branch", "-D", "a")
            repository.git("branch", "a/b")
            repository.commit("more", g="x")
            break
        with fetching(store) as remotes:
            assert Path(remotes.directory(source(web, "#a/b")), "f").exists()

    def test_a_commit_deep_in_the_history_where_no_hash_may_be_asked_for(
        self, store: Path, web: WebServer, repository: Repository
    ) -> None:
        first = repository.git("rev-parse", "HEAD").strip()
        for number in range(4):
            repository.commit(str(number), f=str(number))
        git(repository.bare, "config", "protocol.version", "0")
        git(repository.bare, "config", "uploadpack.allowAnySHA1InWant", "false")
        with fetching(store) as remotes:
            assert Path(remotes.directory(source(web)), "f").read_text() == "3"
        with fetching(store) as remotes:
            assert Path(remotes.directory(source(web, f"#{first}")), "f").read_text() == "one"

    def test_over_gits_own_protocol(self, store: Path, repository: Repository, tmp_path: Path) -> None:
        with git_daemon(tmp_path / "served") as url, fetching(store) as remotes:
            assert "f" in listed(remotes.directory(at(f"{url}/repo.git#trunk")))
        error = failure(store, at(f"{url}/repo.git#trunk"))
        assert "cannot be fetched" in str(error) and "server running" in hint(error)

    def test_over_ssh(self, store: Path, web: WebServer, repository: Repository, tmp_path: Path) -> None:
        """The program ssh is a stand-in that notes its arguments and its agent, and runs the command here."""
        fake, seen = tmp_path / "bin", tmp_path / "seen"
        fake.mkdir()
        (fake / "ssh").write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" "agent $SSH_AUTH_SOCK" >> {seen}\n'
            f'for word; do last=$word; done\ncd {tmp_path}/served && eval "$last"\n'
        )
        (fake / "ssh").chmod(0o755)
        wanted = at("git@host.example:repo.git#trunk:dir")
        with fetching(
            store, {"GIT_AUTH_TOKEN": "no"}, agent="/a/socket", PATH=f"{fake}:{os.environ['PATH']}"
        ) as remotes:
            assert "deep/d" in listed(remotes.directory(wanted))
        said = seen.read_text().splitlines()
        assert "git@host.example" in said and "agent /a/socket" in said and "BatchMode=yes" in said
        assert "IdentityFile=none" in said
        assert any(str(store / "git" / "known_hosts") in word for word in said)

    def test_ssh_without_an_agent(self, store: Path, tmp_path: Path) -> None:
        fake = tmp_path / "bin"
        fake.mkdir()
        (fake / "ssh").write_text("#!/bin/sh\necho 'git@host.example: Permission denied (publickey).' >&2\nexit 255\n")
        (fake / "ssh").chmod(0o755)
        error = failure(store, at("git@host.example:repo.git"), PATH=f"{fake}:{os.environ['PATH']}")
        assert "Permission denied (publickey)" in str(error) and "--ssh default" in hint(error)

    def test_a_pinned_commit_that_is_there_needs_no_network(
        self, store: Path, web: WebServer, repository: Repository
    ) -> None:
        commit = repository.git("rev-parse", "HEAD").strip()
        pinned = source(web, f"#{commit}")
        with fetching(store) as remotes:
            assert remotes.identity(pinned) == ("source git", f"commit {commit}") and web.asked == []
            remotes.directory(pinned)
        web.asked.clear()
        with fetching(store) as remotes:
            assert "f" in listed(remotes.directory(pinned)) and "deep" in listed(
                remotes.directory(source(web, f"#{commit}:dir"))
            )
        assert web.asked == []

    def test_a_commit_is_fetched_once_for_all_its_parts(
        self, store: Path, web: WebServer, repository: Repository
    ) -> None:
        with fetching(store) as remotes:
            parts = [source(web, rest) for rest in ("", "#trunk:dir", "#trunk:bin")]
            threads = [threading.Thread(target=remotes.directory, args=(part,)) for part in parts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert all(listed(remotes.directory(part)) for part in parts)
        assert len(os.listdir(store / "git" / "repositories")) == 1


class TestSubmodules:
    @pytest.fixture
    def inner(self, tmp_path: Path, repository: Repository) -> Repository:
        inner = Repository(tmp_path / "made", tmp_path / "served", "inner")
        commit = inner.commit("s", s="inside")
        inner.commit("later", s="later")
        self.add(repository, "mods/inner", "../inner.git", commit)
        return inner

    def add(self, repository: Repository, path: str, url: str, commit: str) -> None:
        with open(repository.work / ".gitmodules", "a") as file:
            file.write(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
        repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        repository.git("add", ".gitmodules")
        repository.git("commit", "--quiet", "--message", "a submodule")
        repository.publish()

    def test_they_are_part_of_it(self, store: Path, web: WebServer, repository: Repository, inner: Repository) -> None:
        with fetching(store) as remotes:
            made = listed(remotes.directory(source(web)))
            assert made["mods/inner/s"] == "644 b'inside'" and "mods/inner/.git" not in made
            made = listed(remotes.directory(source(web, "?submodules=false")))
            assert made["mods/inner"] == "0o755" and "mods/inner/s" not in made
            assert remotes.identity(source(web, "?submodules=0"))[1].endswith("without submodules")
            kept = Path(remotes.directory(source(web, "?keep-git-dir")))
        assert git(kept, "submodule", "status").strip().endswith("mods/inner (heads/trunk~1)") or git(
            kept, "submodule", "status"
        ).startswith(" ")
        assert str(store) not in (kept / "mods/inner/.git").read_text()

    def test_of_a_server_without_shallow_histories(
        self, store: Path, web: WebServer, repository: Repository, inner: Repository
    ) -> None:
        """One that only serves files."""
        git(inner.bare, "update-server-info")
        for path in inner.bare.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                web.replies[f"/files/inner.git/{path.relative_to(inner.bare)}"] = lambda h, d=data: h.answer(200, d)  # type: ignore[misc]
        modules = repository.work / ".gitmodules"
        modules.write_text(modules.read_text().replace("../inner.git", f"{web.url}/files/inner.git"))
        repository.git("add", ".gitmodules")
        repository.git("commit", "--quiet", "--message", "elsewhere")
        repository.publish()
        with fetching(store) as remotes:
            assert listed(remotes.directory(source(web)))["mods/inner/s"] == "644 b'inside'"

    def test_an_address_that_changed_is_not_remembered(
        self, store: Path, web: WebServer, repository: Repository, inner: Repository, tmp_path: Path
    ) -> None:
        with fetching(store) as remotes:
            remotes.directory(source(web))
        os.rename(inner.bare, tmp_path / "served" / "moved.git")
        modules = repository.work / ".gitmodules"
        modules.write_text(modules.read_text().replace("inner.git", "moved.git"))
        repository.git("add", ".gitmodules")
        repository.git("commit", "--quiet", "--message", "moved")
        repository.publish()
        with fetching(store) as remotes:
            assert "mods/inner/s" in listed(remotes.directory(source(web)))

    @pytest.mark.parametrize(
        "url", ["file:///etc", "/etc", "ext::sh -c touch% /tmp/x", "-u./x", "ssh://-oProxyCommand=x/y"]
    )
    def test_addresses_that_are_traps(
        self, store: Path, web: WebServer, repository: Repository, url: str, tmp_path: Path
    ) -> None:
        self.add(repository, "trap", url, "5" * 40)
        error = failure(store, source(web))
        assert "submodules" in str(error)
        with fetching(store) as remotes:
            assert "f" in listed(remotes.directory(source(web, "?submodules=false")))

    def test_a_local_repository_is_no_submodule(
        self, store: Path, web: WebServer, repository: Repository, tmp_path: Path
    ) -> None:
        private = Repository(tmp_path / "private", tmp_path / "private", "p")
        commit = private.commit("p", secret="s")
        self.add(repository, "trap", str(private.bare), commit)
        error = failure(store, source(web))
        assert "not allowed" in str(error) and "only http, https, git and ssh" in hint(error)

    @pytest.mark.parametrize(
        "url",
        ["http://169.254.169.254/latest.git", "http://user@169.254.169.254:80/x.git", "ssh://git@169.254.169.254/x.git",
         "git@169.254.169.254:x.git", "git://2852039166/x.git", "http://%31%36%39.254.169.254/x.git"],
    )  # fmt: skip
    def test_a_submodule_in_our_own_network_is_not_asked_for(
        self, store: Path, web: WebServer, repository: Repository, url: str
    ) -> None:
        self.add(repository, "mods/trap", url, "5" * 40)
        began = time()
        error = failure(store, source(web))
        assert "a submodule of" in str(error) and "private address" in str(error)
        assert time() - began < 20

    def test_a_submodule_of_a_submodule_is_not_asked_for_there_either(
        self, store: Path, web: WebServer, repository: Repository, inner: Repository
    ) -> None:
        self.add(inner, "trap", "http://169.254.169.254/latest.git", "5" * 40)
        self.add(repository, "mods/outer", "../inner.git", inner.git("rev-parse", "HEAD").strip())
        error = failure(store, source(web))
        assert "a submodule of" in str(error) and "private address" in str(error)

    def test_submodules_of_submodules(
        self, store: Path, web: WebServer, repository: Repository, inner: Repository, tmp_path: Path
    ) -> None:
        innermost = Repository(tmp_path / "made", tmp_path / "served", "innermost")
        commit = innermost.commit("t", t="innermost")
        self.add(inner, "deep/er", "../innermost.git", commit)
        self.add(repository, "mods/outer", "../inner.git", inner.git("rev-parse", "HEAD").strip())
        with fetching(store) as remotes:
            made = listed(remotes.directory(source(web)))
        assert made["mods/outer/deep/er/t"] == "644 b'innermost'" and "mods/outer/deep/er/.git" not in made

    def test_a_submodule_that_has_moved(self, store: Path, web: WebServer, repository: Repository) -> None:
        query = "/info/refs?service=git-upload-pack"
        web.redirect(f"/old/inner.git{query}", f"{web.url}/git/repo.git{query}")
        self.add(repository, "moved", f"{web.url}/old/inner.git", repository.git("rev-parse", "HEAD~0").strip())
        with fetching(store) as remotes:
            assert "moved/f" in listed(remotes.directory(source(web)))


def test_a_server_that_says_nothing_is_not_waited_for(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_repository, "_LISTING", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(store, at(f"git://127.0.0.1:{silent.getsockname()[1]}/x.git"))
    assert "no whole answer within 0.5 s" in str(error)


def test_a_server_that_stops_sending_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_program, "_LOOK", 0.05)
    monkeypatch.setattr(Stall, "_WINDOW", 0.6)
    program = GitProgram(dict(os.environ), str(tmp_path / "hosts"), "", threading.Event())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"git://127.0.0.1:{silent.getsockname()[1]}/x.git"
        program.run("init", "--quiet", "--bare", str(tmp_path / "r"))
        with pytest.raises(GitFailed, match="operation too slow"):
            program.run("fetch", "--quiet", address, git_dir=str(tmp_path / "r"), remote=True)


def test_what_works_is_not_taken_for_waiting() -> None:
    time = iter(range(0, 1000, 6))
    done = subprocess.Popen(["sh", "-c", "while :; do :; done"], process_group=0)
    idle = subprocess.Popen(["sleep", "60"], process_group=0)
    try:
        works, waits = (Waiting(p.pid, lambda: float(next(time))) for p in (done, idle))
        waits.in_vain()
        # On a busy machine `sleep` begins to sleep late.
        settled = -1
        while (now := activity(idle.pid)) != settled:
            settled = now
            sleep(0.2)
        before = activity(done.pid)
        while activity(done.pid) == before:
            pass
        assert not works.in_vain()
        assert any(waits.in_vain() for _ in range(60))
    finally:
        for process in (done, idle):
            process.kill()
            process.wait()
    with pytest.raises(ProcessLookupError):
        activity(idle.pid)


def test_git_and_what_it_started_end_when_we_are_killed(tmp_path: Path) -> None:
    (tmp_path / "git").write_text(f"#!/bin/sh\nsleep 61 &\necho $! $$ > {tmp_path}/pids.new\nmv {tmp_path}/pids.new "
                                  f"{tmp_path}/pids\nsleep 62\n")  # fmt: skip
    (tmp_path / "git").chmod(0o755)
    code = (
        "import os, threading; from kezuri.source.git_program import GitProgram; "
        f"GitProgram({{'PATH': '{tmp_path}:' + os.environ['PATH']}}, '', '', threading.Event()).run('fetch')"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as running:
        eventually((tmp_path / "pids").exists)
        running.kill()
    for pid in (tmp_path / "pids").read_text().split():
        eventually(partial(ended, int(pid)))


class TestRedirects:
    QUERY = "/info/refs?service=git-upload-pack"

    def test_a_repository_that_has_moved(self, store: Path, web: WebServer, repository: Repository) -> None:
        web.redirect(f"/old.git{self.QUERY}", f"{web.url}/older.git{self.QUERY}")
        web.redirect(f"/older.git{self.QUERY}", f"{web.url}/git/repo.git{self.QUERY}")
        with fetching(store) as remotes:
            assert "f" in listed(remotes.directory(at(f"{web.url}/old.git")))

    @pytest.mark.parametrize(
        "target", ["http://169.254.169.254/r.git", "http://[::ffff:169.254.169.254]/r.git", "file:///r.git", "ext::x"]
    )
    def test_into_our_own_network_none_is_followed(self, store: Path, web: WebServer, target: str) -> None:
        web.redirect(f"/old.git{self.QUERY}", f"{target}{self.QUERY}")
        error = failure(store, at(f"{web.url}/old.git"))
        assert "sends us to" in str(error)

    def test_to_something_else_none_is_followed(self, store: Path, web: WebServer) -> None:
        web.redirect(f"/old.git{self.QUERY}", f"{web.url}/page")
        web.file("/page", b"hello")
        assert "no git repository" in str(failure(store, at(f"{web.url}/old.git")))


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("https://example.com/x.git", False),
        ("http://10.0.0.1/x.git", True),
        ("http://user:password@127.0.0.1:8080/x.git", True),
        ("HTTP://LOCALHOST/x.git", True),
        ("http://0x7f.1/x.git", True),
        ("http://2130706433/x.git", True),
        ("http://１２７.0.0.1/x.git", True),
        ("http://%6cocalhost/x.git", True),
        ("http://[::1]:80/x.git", True),
        ("http://127.0.0.1?@example.com/x.git", True),
        ("http://a@b@127.0.0.1/x.git", True),
        ("ssh://git@192.168.0.1:22/x.git", True),
        ("git@[::1]:x.git", True),
        ("10.1.2.3:x.git", True),
        ("git@example.com:x.git", False),
        ("../other.git", False),
    ],
)
def test_addresses_that_a_public_repository_may_name(address: str, refused: bool) -> None:
    for remote in ("https://github.com/a/b.git", "git@github.com:a/b.git", "ssh://git@github.com/a/b.git"):
        assert bool(address_refusal(address, remote)) is refused
    assert not address_refusal("http://10.0.0.2/x.git", "http://10.0.0.1/y.git")


class TestSecrets:
    TOKEN = "gh-T0ken"

    def basic(self, text: str) -> str:
        return "basic " + base64.b64encode(text.encode()).decode()

    @pytest.mark.parametrize(
        "name", ["GIT_AUTH_TOKEN", "GIT_AUTH_TOKEN.{host}", "GIT_AUTH_HEADER", "GIT_AUTH_HEADER.{host}"]
    )
    def test_what_opens_a_private_repository(
        self, store: Path, web: WebServer, repository: Repository, name: str
    ) -> None:
        header = self.basic(f"x-access-token:{self.TOKEN}")
        web.guard = (header,)
        name = name.format(host=f"127.0.0.1:{web.server_port}")
        value = f"{self.TOKEN}\n" if "TOKEN" in name else header
        with fetching(store, {name: value, "GIT_AUTH_TOKEN.other": "no"}) as remotes:
            made = remotes.directory(source(web, "?keep-git-dir"))
            assert "f" in listed(made)
            assert self.TOKEN not in json.dumps(remotes.identity(source(web, "?keep-git-dir")))
        hidden = header.partition(" ")[2].encode()
        for base, _, files in os.walk(store):
            for file in files:
                data = (Path(base) / file).read_bytes()
                assert self.TOKEN.encode() not in data and hidden not in data

    def test_name_and_password_of_an_address(self, store: Path, web: WebServer, repository: Repository) -> None:
        web.guard = (self.basic("me:pass word"),)
        with fetching(store) as remotes:
            wanted = at(f"http://me:pass%20word@127.0.0.1:{web.server_port}/git/repo.git")
            assert "f" in listed(remotes.directory(wanted))
            assert all("pass" not in step.name for step in remotes.listening.steps)

    def test_without_one(self, store: Path, web: WebServer, repository: Repository) -> None:
        web.guard = ("something",)
        assert "--secret id=GIT_AUTH_TOKEN" in hint(failure(store, source(web)))
        error = failure(store, source(web), {"GIT_AUTH_TOKEN": self.TOKEN})
        assert "does not open it" in hint(error) and self.TOKEN not in str(error)

    def test_it_does_not_go_elsewhere(self, store: Path, web: WebServer, repository: Repository) -> None:
        with web_server() as other:
            web.redirect("/moved.git/info/refs?service=git-upload-pack", f"{other.url}/x.git/info/refs")
            error = failure(store, at(f"{web.url}/moved.git"), {"GIT_AUTH_TOKEN": self.TOKEN})
            assert other.asked == [] and "does not go there" in hint(error)

    def test_it_is_not_among_the_arguments(self, store: Path, web: WebServer, tmp_path: Path) -> None:
        """Those any user of the machine can read."""
        fake = tmp_path / "bin"
        fake.mkdir()
        seen = tmp_path / "seen"
        (fake / "git").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {seen}\nexit 1\n')
        (fake / "git").chmod(0o755)
        path = f"{fake}:{os.environ['PATH']}"
        failure(store, source(web), {"GIT_AUTH_TOKEN": self.TOKEN}, PATH=path)
        said = seen.read_text()
        assert "ls-remote" in said and self.TOKEN not in said and "Authorization" not in said


class TestTheProgram:
    def test_that_it_is_not_there(self, store: Path, tmp_path: Path) -> None:
        error = failure(store, at("git://127.0.0.1/x"), PATH=str(tmp_path))
        assert "the program git, which was not found" in str(error) and "apt install git" in hint(error)

    def test_nothing_of_the_users_settings_counts(
        self, store: Path, web: WebServer, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = tmp_path / "home"
        home.mkdir()
        mark = tmp_path / "mark"
        (home / ".gitconfig").write_text(
            f'[url "file:///nowhere/"]\n\tinsteadOf = http://\n[core]\n\tfsmonitor = touch {mark}\n'
            f"[credential]\n\thelper = !touch {mark}\n"
        )
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("GIT_DIR", "/nonexistent")
        monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {mark}")
        with fetching(store) as remotes:
            assert "f" in listed(remotes.directory(source(web)))
        assert not mark.exists()

    def test_filters_and_hooks_of_a_repository_do_not_run(
        self, store: Path, web: WebServer, repository: Repository, tmp_path: Path
    ) -> None:
        repository.commit("attributes", **{".gitattributes": "* filter=evil diff=evil\n"})
        with fetching(store) as remotes:
            assert listed(remotes.directory(source(web)))["f"] == "644 b'one'"

    def test_calling_it_off(self, store: Path, tmp_path: Path) -> None:
        fake = tmp_path / "bin"
        fake.mkdir()
        (fake / "git").write_text("#!/bin/sh\nsleep 60 &\nsleep 60\n")
        (fake / "git").chmod(0o755)
        cancel = threading.Event()
        program = GitProgram({"PATH": f"{fake}:{os.environ['PATH']}"}, "/nonexistent", "", cancel)
        threading.Timer(0.3, cancel.set).start()
        with pytest.raises(CalledOff):
            program.run("ls-remote")
        left = subprocess.run(["pgrep", "-f", str(fake)], capture_output=True, check=False).stdout
        assert left == b""

    def test_a_copy_that_is_damaged_is_made_again(self, store: Path, web: WebServer, repository: Repository) -> None:
        with fetching(store) as remotes:
            remotes.directory(source(web))
        (bare,) = (store / "git" / "repositories").iterdir()
        for path in (*bare.rglob("objects/*/*"), bare / "config"):
            if path.is_file():
                path.chmod(0o644)
                path.write_bytes(b"")
        commit = repository.commit("two", f="two")
        with fetching(store) as remotes:
            assert Path(remotes.directory(source(web, f"#{commit}")), "f").read_text() == "two"


class TestCollection:
    def collect(self, root: Path, **how: object) -> list[str]:
        with Store(str(root)) as store:
            return [gone.kind for gone in Collector(store, Privilege()).collect(Limits(**how))]  # type: ignore[arg-type]

    def test_what_goes_when(self, store: Path, web: WebServer, repository: Repository) -> None:
        with fetching(store) as remotes:
            remotes.directory(source(web))
            assert self.collect(store, everything=True) == []
        with Store(str(store)) as opened:
            usage = {kind: size for kind, _, size in Figures(opened, Privilege()).usage()}
        assert usage["git repositories"] > 0
        assert self.collect(store) == [] == self.collect(store, before=time() - 3600)
        (tree,) = (store / "git" / "trees").iterdir()
        os.utime(tree, (time() - 3 * 86400,) * 2)
        assert self.collect(store) == ["git"] and os.listdir(store / "git" / "trees") == []
        assert self.collect(store, everything=True) == ["git"]
        with fetching(store) as remotes:
            assert "f" in listed(remotes.directory(source(web)))
        assert self.collect(store, before=time() + 60) == ["git", "git"]


class TestDockerfiles:
    def test_a_link_that_leads_out_is_none(self, store: Path, web: WebServer, repository: Repository) -> None:
        (repository.work / "Outside").symlink_to("/etc/passwd")
        repository.commit("a link")
        address = f"{web.url}/git/repo.git"
        with fetching(store) as remotes, pytest.raises(KezuriError, match=r"Outside.* is a link that leads to no file"):
            RemoteContexts(remotes).context(address, "Outside", "", io.BytesIO)
