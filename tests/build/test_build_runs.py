"""Builds that run steps, on a root file system of busybox: what steps see, what they leave, and what being killed,
crowded or out of space does to a store."""

import io
import json
import os
import pwd
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import BUSYBOX, RUNS_STEPS, has_one_id
from tests.build.build_workshop import Workshop, lines, oci, write_layout

from kezuri.app.prune import prune
from kezuri.app.request import AgentSource, SecretSource, Settings
from kezuri.diagnostics import KezuriError
from kezuri.linux import userns
from kezuri.store.store import Store

SOURCES = str(Path(__file__).parents[2] / "src")

pytestmark = RUNS_STEPS


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with one image: busybox under the names of its programs, and a few accounts."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:

        def add(name: str, data: bytes | None = None, mode: int = 0o755, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, link
            elif data is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)

        add("bin")
        add("bin/busybox", Path(BUSYBOX).read_bytes())
        names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            if name != "busybox":
                add(f"bin/{name}", link="busybox")
        add("tmp", mode=0o1777)
        add("etc")
        add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n", 0o644)
        add("etc/group", b"root:x:0:\napp:x:1000:\n", 0o644)
    return write_layout(tmp_path_factory.mktemp("base") / "layout", [out.getvalue()])


@pytest.fixture
def shop(tmp_path: Path, rootfs: Path) -> Workshop:
    class Shop(Workshop):
        def build(self, dockerfile: str | None = None, **more: Any) -> Any:
            contexts = (*more.pop("build_contexts", ()), ("base", f"oci-layout://{rootfs}"))
            return super().build(dockerfile, build_contexts=contexts, **more)

    return Shop(tmp_path)


def own(shop: Workshop, result: Any) -> dict[str, bytes | str | None]:
    """What the layers above the base hold."""
    merged: dict[str, bytes | str | None] = {}
    for layer in shop.layers(result)[1:]:
        merged.update(layer)
    return merged


def command(shop: Workshop, rootfs: Path, *words: str) -> list[str]:
    return [
        *(sys.executable, "-m", "kezuri", "build", "--root", str(shop.root), "--progress", "plain"),
        *("--build-context", f"base=oci-layout://{rootfs}", *words, str(shop.context)),
    ]


ENVIRON = {**os.environ, "PYTHONPATH": SOURCES}


class TestSteps:
    def test_changes_are_the_layer_and_nothing_else(self, shop: Workshop) -> None:
        result = shop.build("FROM base\nRUN echo hi > /f && rm /etc/group && mkdir -p /d/e\nRUN true")
        assert own(shop, result) == {"d": None, "d/e": None, "etc": None, "etc/.wh.group": b"", "f": b"hi\n"}
        assert shop.layers(result)[2] == {}
        shop.build()
        assert shop.said.ran == [] and shop.leftovers() == [] and shop.check() == []

    def test_environment_user_directory_and_shell(self, shop: Workshop) -> None:
        text = (
            "FROM base\nARG A=arg\nENV B=env\nWORKDIR /w\nUSER app\n"
            "RUN echo $A $B $PWD $HOME $(id -u):$(id -g) > /tmp/out\n"
            'USER 7:8\nSHELL ["/bin/sh", "-ec"]\nRUN false; true\n'
        )
        with pytest.raises(KezuriError) as caught:
            shop.build(text)
        assert lines(caught.value) == [9] and "exit code: 1" in str(caught.value)
        result = shop.build(text.replace("RUN false; true", "RUN id -u > /tmp/id"))
        files = own(shop, result)
        assert files["tmp/out"] == b"arg env /w /home/app 1000:1000\n" and files["tmp/id"] == b"7\n"
        assert shop.config(result)["config"]["User"] == "7:8"

    @pytest.mark.skipif(has_one_id(), reason="where there is one id, a USER has no further groups")
    def test_groups_of_a_step(self, shop: Workshop) -> None:
        text = "FROM base\nRUN echo extra:x:5:app >> /etc/group; id > /id\nUSER app\nRUN id -G > /tmp/app\n"
        files = own(shop, shop.build(text + "USER 7:8\nRUN id -G > /tmp/numbers\n"))
        assert files["id"] == b"uid=0(root) gid=0(root) groups=0(root)\n"
        assert (files["tmp/app"], files["tmp/numbers"]) == (b"1000 5\n", b"8\n")

    def test_a_tmpfs_keeps_the_mode_of_the_directory_below_it(self, shop: Workshop) -> None:
        mounts = " ".join(f"--mount=type=tmpfs,target={target}" for target in ("/d", "/tmp", "/new"))
        result = shop.build(f"FROM base\nRUN mkdir -m 2750 /d\nRUN {mounts} stat -c '%a %u' /d /tmp /new > /out\n")
        assert own(shop, result)["out"] == b"2750 0\n1777 0\n1777 0\n"

    @pytest.mark.parametrize("option", ["", ",rw"])
    def test_a_directory_of_the_context_is_bound_with_its_own_metadata(self, shop: Workshop, option: str) -> None:
        shop.write(d__f="f")
        os.chmod(shop.context / "d", 0o2775)
        os.utime(shop.context / "d", (1_500_000_000, 1_500_000_000))
        text = f"FROM base\nRUN --mount=source=d,target=/m{option} stat -c '%a %Y' /m > /out\n"
        assert own(shop, shop.build(text))["out"] == b"2775 1500000000\n"
        os.chmod(shop.context / "d", 0o700)
        assert own(shop, shop.build(text))["out"] == b"700 1500000000\n", "what the step sees is part of its key"

    def test_a_mount_that_cannot_be_made_shows_its_instruction(self, shop: Workshop) -> None:
        with pytest.raises(KezuriError) as caught:
            shop.build("FROM base\n\nRUN --mount=type=tmpfs,target=/etc/passwd/in true\n")
        assert lines(caught.value) == [3]

    def test_a_failing_step_shows_line_last_output_and_code_and_commits_nothing(self, shop: Workshop) -> None:
        text = "FROM base\nRUN echo before > /before\n\nRUN echo out; \\\n    echo err >&2; touch /after; exit 3\n"
        with pytest.raises(KezuriError) as caught:
            shop.build(text, tags=("x",))
        (diagnostic,) = caught.value.diagnostics
        assert lines(caught.value) == [4] and "exit code: 3" in diagnostic.message and caught.value.exit_code == 1
        assert diagnostic.output.split("\n") == ["out", "err"]
        with Store(str(shop.root)) as store:
            assert [r.kind for r in store.database.records()] == ["RUN"] and not store.names.all()
        assert shop.leftovers() == [] and shop.check() == []
        with pytest.raises(KezuriError):
            shop.build()
        assert shop.said.cached == ["RUN echo before > /before"]

    @pytest.mark.parametrize(
        ("run", "code", "hint"),
        [
            ('RUN ["/no/such"]', 127, "there is no /no/such"),
            ('RUN ["/etc/passwd"]', 126, "may not be executed"),
            ("RUN sh -c 'kill -9 $$'; exit $?", 137, "SIGKILL"),
        ],
    )
    def test_commands_that_cannot_be(self, shop: Workshop, run: str, code: int, hint: str) -> None:
        with pytest.raises(KezuriError) as caught:
            shop.build(f"FROM base\n{run}")
        (diagnostic,) = caught.value.diagnostics
        assert f"exit code: {code}" in diagnostic.message and hint in diagnostic.hint

    def test_an_unknown_user_is_said_at_the_line(self, shop: Workshop) -> None:
        with pytest.raises(KezuriError, match="nemo") as caught:
            shop.build("FROM base\nUSER nemo\nRUN true")
        assert lines(caught.value) == [3]

    def test_heredocs(self, shop: Workshop) -> None:
        text = (
            "FROM base\nRUN <<EOF\necho one > /one\necho two > /two\nEOF\n"
            "RUN <<EOF cat > /three\nthree\nEOF\nRUN <<EOF\n#!/bin/sh\necho $0 > /four\nEOF\n"
        )
        files = own(shop, shop.build(text))
        assert (files["one"], files["two"], files["three"]) == (b"one\n", b"two\n", b"three\n")
        assert files["four"] == b"/dev/pipes/EOF\n" and set(files) == {"one", "two", "three", "four"}

    def test_the_network_can_be_taken_away(self, shop: Workshop) -> None:
        files = own(shop, shop.build("FROM base\nRUN --network=none ls /sys/class/net > /n; ip link | grep -c : > /c"))
        assert files["c"] is not None

    def test_build_arguments_reach_steps_and_proxies_are_not_in_the_key(self, shop: Workshop) -> None:
        text = "FROM base\nARG A\nRUN echo $A $HTTP_PROXY > /out"
        first = shop.build(text, build_args=(("A", "1"), ("HTTP_PROXY", "http://one")))
        assert own(shop, first)["out"] == b"1 http://one\n"
        assert b"http://one" not in shop.blob(first.config_digest)
        shop.build(text, build_args=(("A", "1"), ("HTTP_PROXY", "http://two")))
        assert shop.said.ran == []
        shop.build(text, build_args=(("A", "2"),))
        assert len(shop.said.ran) == 1


class TestMounts:
    def test_of_every_type(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        shop.write(**{"in__file": "from context", "in__ignored": "x", ".dockerignore": "in/ignored"})
        text = (
            "FROM base AS tools\nRUN echo tool > /tool\n"
            "FROM base\nWORKDIR /w\n"
            "RUN --mount=target=ctx,source=in --mount=from=tools,source=/tool,target=/t/tool "
            "--mount=type=cache,target=/cache --mount=type=tmpfs,target=/fast,size=1m "
            "--mount=type=secret,id=s,target=/deep/er/s --mount=type=secret,id=s,env=S "
            "--mount=target=/rw,source=in,rw "
            "cat ctx/file /t/tool /deep/er/s > /out; echo $S >> /out; ls ctx >> /out; "
            "echo kept >> /cache/log; echo gone > /fast/x; echo gone > /rw/x; ! touch ctx/x 2>/dev/null\n"
        )
        monkeypatch.setenv("KEZURI_TEST_SECRET", "sesame-open")
        result = shop.build(text, secrets=(SecretSource("s", "env", "KEZURI_TEST_SECRET"),))
        files = own(shop, result)
        assert files["out"] == b"from contexttool\nsesame-opensesame-open\nfile\n"
        # Mount points and their parents are gone again.
        assert set(files) == {"w", "out"}

    def test_a_cache_outlives_builds_and_its_content_is_in_no_layer(self, shop: Workshop) -> None:
        text = "FROM base\nARG N\nRUN --mount=type=cache,target=/c,id=i{} echo $N >> /c/log; cat /c/log > /out"
        for n, want in (("1", b"1\n"), ("2", b"1\n2\n")):
            assert own(shop, shop.build(text.format(""), build_args=(("N", n),)))["out"] == want
        assert own(shop, shop.build(text.format(""), build_args=(("N", "3"),)))["out"] == b"1\n2\n3\n"
        assert own(shop, shop.build(text.format("2"), build_args=(("N", "4"),)))["out"] == b"4\n"

    def test_a_build_without_cache_begins_with_empty_caches(self, shop: Workshop) -> None:
        step = "RUN --mount=type=cache,target=/c,id=i echo $N >> /c/log; cat /c/log > /out"
        text = f"FROM base AS one\nARG N\n{step}\nFROM base AS two\nARG N\nCOPY --from=one /out /one\n{step}"
        said = []
        wishes: tuple[dict[str, Any], ...] = ({}, {"no_cache": True}, {}, {"no_cache_filter": ("two",)})
        for number, options in enumerate(wishes):
            files = own(shop, shop.build(text, build_args=(("N", str(number)),), **options))
            said.append((files["one"], files["out"]))
        assert said[0] == (b"0\n", b"0\n0\n") and said[1] == (b"1\n", b"1\n1\n")
        assert said[2] == (b"1\n1\n2\n", b"1\n1\n2\n2\n") and said[3] == (b"3\n", b"3\n3\n")

    def test_a_cache_is_seeded_from_a_stage_and_is_what_that_is(self, shop: Workshop) -> None:
        text = (
            "FROM base AS seed\nRUN mkdir -m 0710 /s && echo seed > /s/f && chown 7:8 /s\nFROM base\n"
            "RUN --mount=type=cache,target=/c,from=seed,source=/s,uid=1000,mode=0750 "
            "cat /c/f > /f; stat -c %u:%g:%a /c > /o"
        )
        for parallelism in (1, 2):
            files = own(shop, shop.build(text, parallelism=parallelism, no_cache=True))
            assert (files["f"], files["o"]) == (b"seed\n", b"7:8:710\n")

    def test_a_cache_belongs_to_whom_was_asked_and_is_new_then(self, shop: Workshop) -> None:
        text = (
            "FROM base AS seed\nRUN echo seed > /f\nFROM base\n"
            "RUN --mount=type=cache,target=/c,from=seed,uid=1000,mode=0750 ls /c > /f; stat -c %u:%a /c > /o"
        )
        files = own(shop, shop.build(text))
        assert (files["f"], files["o"]) == (b"", b"1000:750\n")

    def test_locked_caches_take_turns_and_private_ones_are_apart(self, shop: Workshop) -> None:
        step = (
            "FROM base AS {0}\nRUN --mount=type=cache,target=/c,sharing={1} "
            "if test -e /c/busy; then echo busy > /seen; fi; touch /c/busy; sleep 0.4; rm -f /c/busy; echo {0} > /{0}\n"
        )
        for sharing in ("locked", "private"):
            text = step.format("a", sharing) + step.format("b", sharing)
            text += (
                "FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\nRUN --mount=from=a,target=/m ! test -e /m/seen\n"
            )
            text += "RUN --mount=from=b,target=/m ! test -e /m/seen\n"
            shop.build(text, parallelism=4)

    def test_files_bound_from_the_context_count(self, shop: Workshop) -> None:
        shop.write(a="1", b="1")
        text = "FROM base\nRUN --mount=source=a,target=/a cat /a > /out"
        shop.build(text)
        shop.write(b="2")
        shop.build()
        assert shop.said.ran == []
        shop.write(a="2")
        assert own(shop, shop.build())["out"] == b"2"

    def test_what_is_not_there_to_bind_is_said_at_the_line(self, shop: Workshop) -> None:
        shop.write(ab="1")
        with pytest.raises(KezuriError, match='"a"') as caught:
            shop.build("FROM base\n\nRUN --mount=source=a,target=/a true")
        assert lines(caught.value) == [3]


SECRET = "correct horse battery staple"


class TestSecrets:
    def everywhere(self, directory: Path, value: bytes) -> list[str]:
        """The files below a directory in which a value stands, packed ones unpacked."""
        from kezuri.layer.decompression import decompress

        found = []
        for base, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(base, name)
                if not os.path.isfile(path) or os.path.islink(path):
                    continue
                data = Path(path).read_bytes()
                if value in data or (data[:2] == b"\x1f\x8b" and value in decompress(io.BytesIO(data), path).read()):
                    found.append(path)
        return found

    @pytest.mark.parametrize("kind", ["file", "env", "stdin"])
    def test_it_reaches_the_step_and_nothing_else(
        self, shop: Workshop, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "key").write_text(SECRET)
        monkeypatch.setenv("KEY", SECRET)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SECRET.encode())))
        source = SecretSource("k", kind, {"file": str(outside / "key"), "env": "KEY", "stdin": "-"}[kind])
        text = (
            "FROM base\nRUN --mount=type=secret,id=k,required --mount=type=secret,id=k,env=K "
            'cat /run/secrets/k; echo; echo "$K" >&2; printf "correct horse "; sleep 0.1; printf "battery staple\\n"; '
            "wc -c < /run/secrets/k > /size; stat -c %a:%u /run/secrets/k > /mode\n"
            "RUN cat /run/secrets/k > /leak 2>/dev/null; true\n"
        )
        result = shop.build(text, secrets=(source,), outputs=oci(tmp_path / "image.tar"), tags=("x",))
        files = own(shop, result)
        assert files["size"] == b"28\n" and files["mode"] == b"400:0\n" and files["leak"] == b""
        assert SECRET.encode() not in shop.said.output and shop.said.output.count(b"***") == 3
        assert self.everywhere(shop.root, SECRET.encode()) == []
        assert SECRET.encode() not in (tmp_path / "image.tar").read_bytes()
        assert not (set(os.listdir("/dev/shm")) & {"k"})

    def test_its_value_is_no_part_of_the_key(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        text = "FROM base\nRUN --mount=type=secret,id=k test -e /run/secrets/k"
        monkeypatch.setenv("KEY", "one value")
        shop.build(text, secrets=(SecretSource("k", "env", "KEY"),))
        monkeypatch.setenv("KEY", "another")
        shop.build(text, secrets=(SecretSource("k", "env", "KEY"),))
        assert shop.said.ran == []

    def test_it_is_not_in_the_error_of_a_failing_step(self, shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KEY", SECRET)
        with pytest.raises(KezuriError) as caught:
            shop.build(
                "FROM base\nRUN --mount=type=secret,id=k,env=K echo fails with $K; exit 1",
                secrets=(SecretSource("k", "env", "KEY"),),
            )
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.output == "fails with ***"

    def test_one_that_is_no_text(self, shop: Workshop, tmp_path: Path) -> None:
        (tmp_path / "key").write_bytes(b"\xff\xfe\x00binary")
        result = shop.build(
            "FROM base\nRUN --mount=type=secret,id=k wc -c < /run/secrets/k > /size",
            secrets=(SecretSource("k", "file", str(tmp_path / "key")),),
        )
        assert own(shop, result)["size"] == b"9\n"

    def test_one_that_is_missing_is_said_at_the_line_if_it_is_required(self, shop: Workshop) -> None:
        shop.build("FROM base\nRUN --mount=type=secret,id=k ! test -e /run/secrets/k")
        with pytest.raises(KezuriError, match="secret k") as caught:
            shop.build("FROM base\nRUN true\nRUN --mount=type=secret,id=k,required true")
        assert lines(caught.value) == [3] and "--secret id=k" in caught.value.diagnostics[0].hint


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs openssh-client")
@pytest.mark.skipif(has_one_id() and not userns.user_name(os.geteuid()), reason="ssh-keygen wants an account")
class TestAgents:
    @pytest.fixture
    def agent(self, tmp_path: Path) -> Iterator[str]:
        socket = str(tmp_path / "agent.sock")
        process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
        try:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")], check=True)
            environ = {**os.environ, "SSH_AUTH_SOCK": socket}
            for _ in range(100):
                if os.path.exists(socket):
                    break
                time.sleep(0.02)
            subprocess.run(["ssh-add", "-q", str(tmp_path / "id")], env=environ, check=True, stderr=subprocess.DEVNULL)
            yield socket
        finally:
            process.terminate()
            process.wait()

    def test_a_step_can_ask_it(self, shop: Workshop, agent: str, tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        program = shutil.which("ssh-add")
        assert program is not None
        for path in (program, *(w for w in _ldd(program) if w.startswith("/"))):
            target = tools / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(path), target)
        text = (
            "FROM base\nCOPY --from=tools / /\n"
            "RUN --mount=type=ssh,required echo $SSH_AUTH_SOCK > /sock; /usr/bin/ssh-add -l > /keys\n"
            "RUN test -z $SSH_AUTH_SOCK && test ! -e /run/buildkit && ! /usr/bin/ssh-add -l\n"
        )
        result = shop.build(text, agents=(AgentSource("default", agent),), build_contexts=(("tools", str(tools)),))
        files = own(shop, result)
        keys = files["keys"]
        assert isinstance(keys, bytes) and b"ED25519" in keys
        assert files["sock"] == b"/run/buildkit/ssh_agent.0\n" and "run" not in files
        with pytest.raises(KezuriError, match="ssh agent"):
            shop.build(text, build_contexts=(("tools", str(tools)),), no_cache=True)

    def test_its_address_is_no_secret(self, shop: Workshop, agent: str) -> None:
        shop.build("FROM base\nRUN --mount=type=ssh echo $SSH_AUTH_SOCK", agents=(AgentSource("default", agent),))
        assert shop.said.output == b"/run/buildkit/ssh_agent.0\n"

    def test_the_one_of_the_environment(self, shop: Workshop, agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
        shop.build("FROM base\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK", agents=(AgentSource("default", ""),))


class TestPrivileges:
    TEXT = "FROM base\nUSER 1000\nRUN grep NoNewPrivs /proc/self/status"

    def test_programs_gain_some(self, shop: Workshop) -> None:
        shop.build(self.TEXT)
        assert shop.said.output.split() == [b"NoNewPrivs:", b"0"]

    def test_programs_gain_none_where_that_is_asked_for(self, shop: Workshop) -> None:
        shop.build(self.TEXT)
        shop.build(self.TEXT, no_new_privileges=True)
        assert shop.said.output.split() == [b"NoNewPrivs:", b"1"]

    def test_sudo_that_fails_says_how(self, shop: Workshop) -> None:
        words = 'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.'
        with pytest.raises(KezuriError) as caught:
            shop.build(f"FROM base\nRUN echo '{words}' >&2; false")
        assert "--security-opt no-new-privileges" in caught.value.diagnostics[0].hint


def _ldd(path: str) -> list[str]:
    return subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout.split()


class TestTogether:
    def test_stages_run_at_the_same_time(self, shop: Workshop) -> None:
        stage = (
            "FROM base AS {0}\nRUN --mount=type=cache,target=/c,id=meet touch /c/{0}; "
            "for i in $(seq 600); do test -e /c/{1} && exit 0; sleep 0.1; done; exit 1\n"
        )
        text = stage.format("a", "b") + stage.format("b", "a") + "FROM a\nRUN --mount=from=b,target=/b true"
        shop.build(text, parallelism=2)

    def test_the_failure_that_came_first_is_told(self, shop: Workshop) -> None:
        text = "FROM base AS slow\nRUN sleep 300\nFROM base AS bad\nRUN sleep 0.3; echo reason; exit 9\nFROM slow\n"
        text += "RUN --mount=from=bad,target=/b true"
        begin = time.monotonic()
        with pytest.raises(KezuriError) as caught:
            shop.build(text)
        assert "exit code: 9" in str(caught.value) and lines(caught.value) == [4]
        assert time.monotonic() - begin < 250
        assert shop.leftovers() == []

    def test_two_builds_of_one_dockerfile_run_each_step_once(self, shop: Workshop, rootfs: Path) -> None:
        shop.write(
            Dockerfile="FROM base\nRUN --mount=type=cache,target=/c,id=n echo x >> /c/runs; sleep 1; date +%N > /now"
        )
        iids = [shop.directory / f"iid{i}" for i in range(3)]
        processes = [
            subprocess.Popen(
                command(shop, rootfs, "--iidfile", str(iid)),
                env=ENVIRON,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for iid in iids
        ]
        for process in processes:
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 0, said
        assert len({iid.read_text() for iid in iids}) == 1
        result = shop.build("FROM base\nRUN --mount=type=cache,target=/c,id=n wc -l < /c/runs > /n")
        assert own(shop, result)["n"] == b"1\n"

    def test_ctrl_c_ends_a_build_and_what_it_runs(self, shop: Workshop, rootfs: Path) -> None:
        mark = f"1000.{os.getpid()}"
        shop.write(Dockerfile=f"FROM base\nRUN echo started; exec sleep {mark}")
        process = subprocess.Popen(
            command(shop, rootfs), env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            if b"started" in line and b"echo" not in line:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        process.stdout.close()
        assert not _running(mark) and shop.leftovers() == [] and shop.check() == []

    def test_ctrl_c_ends_waiting_for_another_build(self, shop: Workshop, rootfs: Path) -> None:
        mark = f"2000.{os.getpid()}"
        shop.write(Dockerfile=f"FROM base\nRUN echo started; exec sleep {mark}")
        processes = []
        try:
            for seen in (b" started\n", b"load build definition"):
                process = subprocess.Popen(
                    command(shop, rootfs), env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
                )
                processes.append(process)
                assert process.stdout is not None
                next(line for line in process.stdout if seen in line)
            time.sleep(1.5)  # by now the second one waits for the first, most likely
            processes[1].send_signal(signal.SIGINT)
            assert processes[1].wait(30) == 130
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)
        assert not _running(mark)


def _running(word: str) -> list[int]:
    """The processes of this machine whose command line holds the word. It must be one that no other test uses, nor
    another process that runs tests."""
    found = []
    for name in os.listdir("/proc"):
        try:
            said = Path(f"/proc/{name}/cmdline").read_bytes() if name.isdigit() else b""
        except OSError:
            continue
        if word.encode() in said.replace(b"\0", b" ").split() and int(name) != os.getpid():
            found.append(int(name))
    return found


KILLED = """\
FROM base AS a
COPY in /in
RUN for i in $(seq 20); do cp /in/f /g$i; sleep 0.01; done; sync
FROM base AS b
RUN seq 5000 > /list; sleep 0.2; cat /list /list > /twice
FROM a
COPY --from=b /twice /twice
RUN --mount=type=cache,target=/c cat /g1 /twice > /c/x; mv /c/x /all; rm /in/f
WORKDIR /w
COPY in .
"""


OWN_SLEEP = f"1000.{os.getpid()}"
"""Seconds that nobody else on the machine sleeps: the same tests may run beside these, as another user."""


class TestKilled:
    def files(self, shop: Workshop, rootfs: Path) -> dict[str, bytes | str | None]:
        result = shop.build(KILLED)
        return shop.files(result)

    def test_at_random_moments_and_the_next_build_is_right(self, shop: Workshop, rootfs: Path) -> None:
        shop.write(in__f="content " * 5000, Dockerfile=KILLED)
        reference = Workshop(shop.directory / "reference")
        reference.context = shop.context
        want = reference.files(reference.build(build_contexts=(("base", f"oci-layout://{rootfs}"),)))
        dice = random.Random(7)
        for attempt in range(20):
            if attempt % 4 == 3:
                shutil.rmtree(shop.root, ignore_errors=True)
            process = subprocess.Popen(
                command(shop, rootfs, "-t", "x", *(["--no-cache"] if attempt % 2 else [])),
                env=ENVIRON,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            time.sleep(dice.uniform(0.05, 1.6))
            process.kill()
            process.wait()
            assert shop.root.exists() is False or shop.check() == []
            assert self.files(shop, rootfs) == want, attempt
            assert shop.check() == []
        prune(Settings(str(shop.root)))
        assert shop.leftovers() == []
        assert not [line for line in Path("/proc/mounts").read_text().splitlines() if str(shop.root) in line]

    def test_nothing_of_a_killed_build_goes_on(self, shop: Workshop, rootfs: Path) -> None:
        shop.write(Dockerfile=f"FROM base\nRUN echo started; exec sleep {OWN_SLEEP}")
        process = subprocess.Popen(command(shop, rootfs), env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.stdout is not None
        for line in process.stdout:
            if b"started" in line and b"echo" not in line:
                break
        process.kill()
        process.communicate()
        deadline = time.monotonic() + 5
        while _running(OWN_SLEEP) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _running(OWN_SLEEP)

    @pytest.mark.usefixtures("entered")
    def test_a_killed_step_is_a_failure_that_leaves_nothing(self, shop: Workshop) -> None:
        failure: list[KezuriError] = []

        def work() -> None:
            try:
                shop.build(f"FROM base\nRUN touch /f; exec sleep {OWN_SLEEP}")
            except KezuriError as error:
                failure.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        deadline = time.monotonic() + 20
        while not (found := _running(OWN_SLEEP)) and time.monotonic() < deadline:
            time.sleep(0.02)
        for number in found:
            with suppress(ProcessLookupError):  # one of them may have ended another
                os.kill(number, signal.SIGKILL)
        thread.join()
        assert "137" in str(failure[0]) and "SIGKILL" in failure[0].diagnostics[0].hint
        assert shop.leftovers() == [] and shop.check() == []
        with Store(str(shop.root)) as store:
            assert store.database.records() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small file system")
class TestFullDisk:
    @pytest.fixture
    def small(self, tmp_path: Path) -> Iterator[Path]:
        place = tmp_path / "small"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=True)
        yield place
        subprocess.run(["umount", place], check=True)

    @pytest.mark.parametrize(
        "text",
        [
            "FROM base\nCOPY big /",
            "FROM base\nCOPY big /\nRUN true",
            "FROM base AS a\nCOPY big /\nFROM base\nCOPY --from=a /big /",
            "FROM base\nRUN --mount=source=big,target=/big true",
        ],
    )
    def test_it_is_said_clearly_and_the_store_is_well(self, shop: Workshop, small: Path, text: str) -> None:
        (shop.context / "big").write_bytes(os.urandom(40 << 20))
        shop.root = small / "store"
        shop.build("FROM base\nRUN echo small > /small", tags=("kept",))
        with pytest.raises(KezuriError, match="no space left on the device") as caught:
            shop.build(text)
        assert caught.value.exit_code == 125 and "prune" in caught.value.diagnostics[0].hint
        assert shop.check() == [] and shop.leftovers() == []
        kept = shop.build("FROM base\nRUN echo small > /small")
        assert shop.said.ran == [] and own(shop, kept)["small"] == b"small\n"

    def test_a_step_that_fills_it_fails_itself(self, shop: Workshop, small: Path) -> None:
        shop.root = small / "store"
        with pytest.raises(KezuriError) as caught:
            shop.build("FROM base\nRUN dd if=/dev/zero of=/zeros bs=1M")
        assert "No space left" in caught.value.diagnostics[0].output and lines(caught.value) == [2]
        assert shop.check() == [] and shop.leftovers() == []
        shop.build("FROM base\nRUN true")

    def test_to_the_last_byte(self, shop: Workshop, small: Path) -> None:
        """Whatever the moment at which the space ends, it is one of our errors, and the store stays whole."""
        shop.root = small / "store"
        shop.build("FROM base\nRUN echo one > /one")
        filler = small / "filler"
        for left in (0, 1, 2, 3, 5, 8, 13, 40, 100):
            free = os.statvfs(small).f_bavail * 4096
            filler.write_bytes(b"\0" * max(0, free - (left << 12)))
            try:
                shop.build(f"FROM base\nCOPY Dockerfile /d{left}\nRUN seq 2000 > /f{left}", tags=(f"t{left}",))
            except KezuriError as error:
                said = str(error) + "".join(d.output + d.hint for d in error.diagnostics)
                assert "no space left" in said.lower(), said
            filler.unlink()
            assert shop.check() == [], left
        assert own(shop, shop.build("FROM base\nRUN echo one > /one"))["one"] == b"one\n"


class TestStates:
    TEXT = (
        "FROM base AS a\nRUN cat /dev/urandom | head -c 8 | od -x > /a\nRUN cat /a > /copy-of-a\n"
        "FROM a\nRUN cat /a > /again\n"
    )

    def whole(self, shop: Workshop, result: Any) -> bytes:
        """The random bytes; every file of the image must have been made from the same."""
        files = own(shop, result)
        assert files["a"] == files["copy-of-a"] == files["again"]
        made = files["a"]
        assert isinstance(made, bytes)
        return made

    def test_a_stage_without_cache_runs_again_with_everything_on_top(self, shop: Workshop) -> None:
        first = self.whole(shop, shop.build(self.TEXT))
        second = self.whole(shop, shop.build(self.TEXT, no_cache_filter=("a",)))
        assert first != second and len(shop.said.ran) == 3
        assert self.whole(shop, shop.build(self.TEXT)) == second and shop.said.ran == []

    @pytest.mark.parametrize("victim", [0, 1, 2])
    def test_one_forgotten_result_never_mixes_old_and_new(self, shop: Workshop, victim: int) -> None:
        self.whole(shop, shop.build(self.TEXT))
        with Store(str(shop.root)) as store:
            record = sorted(store.database.records(), key=lambda r: r.created)[victim]
            assert store.database.drop_record(record.key, record.used)
        self.whole(shop, shop.build(self.TEXT))
        assert len(shop.said.ran) == 3 - victim

    @pytest.mark.parametrize("victim", [0, 1, 2])
    def test_one_lost_directory_never_mixes_old_and_new(self, shop: Workshop, victim: int) -> None:
        self.whole(shop, shop.build(self.TEXT))
        with Store(str(shop.root)) as store:
            record = sorted(store.database.records(), key=lambda r: r.created)[victim]
            (row,) = store.database.directories(record.layer)
            shutil.rmtree(store.layer_directory(row.name))
        self.whole(shop, shop.build(self.TEXT))
        # Each layer is still there as a blob.
        assert shop.said.ran == []
        self.whole(shop, shop.build(self.TEXT + "RUN true\n"))

    def test_a_forgotten_record_and_another_machine_of_the_same_key(self, shop: Workshop) -> None:
        self.whole(shop, shop.build(self.TEXT))
        database = sqlite3.connect(shop.root / "kezuri.db")
        database.execute("DELETE FROM layer WHERE id IN (SELECT layer FROM record ORDER BY created LIMIT 1)")
        database.commit()
        database.close()
        self.whole(shop, shop.build(self.TEXT))
        assert len(shop.said.ran) == 3


class TestOrdinaryUser:
    def test_a_build_with_subordinate_ids(self, rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        user = next((u for u in pwd.getpwall() if _granted(u)), None)
        if user is None or not userns.find_program("newuidmap"):
            pytest.skip("no user here has subordinate ids")
        python = next((p for p in (sys.executable, "/usr/bin/python3") if _usable(p, user)), None)
        if python is None:
            pytest.skip("no Python that other users can read")
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory)
            shop = Workshop(place)
            shop.write(
                Dockerfile="FROM base\nRUN id -u > /id; touch /app; chown app:app /app\nUSER app\nRUN id -u > /tmp/id\n"
                "COPY --chown=7:7 f /f\n",
                f="f",
            )
            shutil.copytree(rootfs, place / "base")
            shutil.copytree(SOURCES, place / "src", ignore=shutil.ignore_patterns("__pycache__"))
            subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", directory], check=True)
            words = [
                "-m",
                "kezuri",
                "build",
                "--root",
                str(shop.root),
                "--progress",
                "plain",
                "-o",
                f"type=oci,dest={place}/i",
            ]
            words += ["--build-context", f"base=oci-layout://{place}/base", str(shop.context)]
            for expected in (b"DONE", b"CACHED"):
                done = subprocess.run(
                    [python, *words],
                    env={"PATH": os.environ["PATH"], "PYTHONPATH": str(place / "src"), "HOME": directory},
                    user=user.pw_uid,
                    group=user.pw_gid,
                    extra_groups=[],
                    cwd=directory,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
                assert done.returncode == 0 and expected in done.stdout, done.stdout
            owners = _owners(place / "i")
            assert owners["app"] == (1000, 1000) and owners["f"] == (7, 7) and owners["id"] == (0, 0)
            assert owners["tmp/id"] == (1000, 1000)


def _granted(user: pwd.struct_passwd) -> bool:
    return all(
        userns.subordinate(path, user.pw_name, user.pw_uid).ranges and user.pw_uid
        for path in ("/etc/subuid", "/etc/subgid")
    )


def _usable(python: str, user: pwd.struct_passwd) -> bool:
    try:
        done = subprocess.run(
            [python, "-c", "import sys, sqlite3; sys.exit(sys.version_info < (3, 11))"],
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _owners(archive: Path) -> dict[str, tuple[int, int]]:
    from kezuri.layer.decompression import decompress

    found = {}
    with tarfile.open(archive) as tar:

        def read(digest: str) -> bytes:
            file = tar.extractfile(f"blobs/sha256/{digest[7:]}")
            assert file is not None
            return file.read()

        index = tar.extractfile("index.json")
        assert index is not None
        manifest = json.loads(read(json.load(index)["manifests"][0]["digest"]))
        for layer in manifest["layers"]:
            data = decompress(io.BytesIO(read(layer["digest"])), "layer").read()
            with tarfile.open(fileobj=io.BytesIO(data)) as inner:
                found.update({m.name.rstrip("/"): (m.uid, m.gid) for m in inner})
    return found
