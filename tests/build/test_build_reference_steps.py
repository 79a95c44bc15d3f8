"""What steps see and leave, and how they share cache mounts, where the language's reference says so and no other test
does."""

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop

from kezuri.app.request import AgentSource, SecretSource

pytestmark = RUNS_STEPS

PROGRAM = "#!/bin/sh\necho ran as a program\n"


class Steps(Workshop):
    def __init__(self, directory: Path, base: Path) -> None:
        super().__init__(directory)
        self.base = base

    def build(self, dockerfile: str | None = None, **more: Any) -> Any:
        return super().build(dockerfile, build_contexts=(("base", f"oci-layout://{self.base}"),), **more)

    def says(self, dockerfile: str, **more: Any) -> list[str]:
        """The lines that the steps of a build on the base print."""
        self.build(f"FROM base\n{dockerfile}\n", **more)
        return self.said.output.decode().splitlines()

    def leaves(self, dockerfile: str, **more: Any) -> dict[str, bytes | str | None]:
        """What the layers above the base hold."""
        merged: dict[str, bytes | str | None] = {}
        for layer in self.layers(self.build(f"FROM base\n{dockerfile}\n", **more))[1:]:
            merged.update(layer)
        return merged


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busybox_layout(tmp_path_factory.mktemp("base") / "layout", busybox_tar())


@pytest.fixture
def shop(tmp_path: Path, base: Path) -> Steps:
    return Steps(tmp_path, base)


class TestSurroundings:
    def test_hosts_limits_and_shared_memory_are_those_of_the_request(self, shop: Steps) -> None:
        said = shop.says(
            "RUN cat /etc/hosts; ulimit -Sn; ulimit -Hn; df -k /dev/shm | tail -n 1",
            hosts=(("db", "10.1.2.3"), ("six", "fe80::1")),
            ulimits=(("nofile", 111, 222),),
            shm_size=8 << 20,
        )
        assert {"10.1.2.3 db", "fe80::1 six", "111", "222"} <= set(said)
        assert said[-1].split()[1] == "8192"

    def test_shared_memory_is_64_mebibytes_otherwise(self, shop: Steps) -> None:
        assert shop.says("RUN df -k /dev/shm | tail -n 1")[0].split()[1] == "65536"

    def test_the_umask_is_0022_whoever_builds(self, shop: Steps) -> None:
        before = os.umask(0o077)
        try:
            said = shop.says("RUN umask; mkdir /d; touch /f; stat -c %a /d /f")
        finally:
            os.umask(before)
        assert said == ["0022", "755", "644"]

    def test_without_a_network_there_is_loopback(self, shop: Steps) -> None:
        text = "RUN{} ls /sys/class/net; ping -c 1 127.0.0.1 > /dev/null && echo answers"
        assert shop.says(text.format(" --network=none")) == ["lo", "answers"]
        assert shop.says(text.format(""), network="none", no_cache=True) == ["lo", "answers"]

    def test_home_is_that_of_the_account_unless_it_is_set(self, shop: Steps) -> None:
        text = "RUN echo $HOME\nUSER app\nRUN echo $HOME\nUSER 1000\nRUN echo $HOME\nUSER 4711\nRUN echo $HOME\n"
        assert shop.says(text + "ENV HOME=/else\nRUN echo $HOME") == [
            "/root",
            "/home/app",
            "/home/app",
            "/",
            "/else",
        ]

    def test_what_is_written_to_devices_and_the_kernels_directories_is_in_no_layer(self, shop: Steps) -> None:
        left = shop.leaves(
            "RUN touch /dev/x /dev/shm/y; mkdir /run; touch /run/z /tmp/t; echo n > /etc/hosts 2>/dev/null; true"
        )
        assert set(left) == {"run", "run/z", "tmp", "tmp/t"}


class TestMounts:
    def test_a_tmpfs_has_the_size_that_it_is_given(self, shop: Steps) -> None:
        text = (
            "RUN --mount=type=tmpfs,target=/t,size={} dd if=/dev/zero of=/t/x bs=64k count=32 2>/dev/null || echo full"
        )
        assert shop.says(text.format("1m")) == ["full"]
        assert shop.says(text.format("4m")) == []

    def test_what_is_written_to_a_bound_directory_goes_nowhere(self, shop: Steps) -> None:
        shop.write(d__f="f")
        left = shop.leaves(
            "RUN --mount=target=/m,rw --mount=source=d/f,target=/g,rw echo x > /m/d/new; echo x > /m/d/f; echo y > /g\n"
            "RUN --mount=source=d,target=/d ls /d > /names; cat /d/f >> /names"
        )
        assert left == {"names": b"f\nf"}
        assert os.listdir(shop.context / "d") == ["f"] and (shop.context / "d" / "f").read_text() == "f"

    def test_each_selection_of_one_source_counts(self, shop: Steps) -> None:
        shop.write(a="1", b="1")
        text = "RUN --mount=source=a,target=/x --mount=source=b,target=/y --mount=source=a,target=/z cat /x /y /z"
        assert shop.says(text) == ["111"]
        shop.write(b="2")
        assert shop.says(text) == ["121"]
        shop.write(a="3")
        assert shop.says(text) == ["323"]

    def test_a_script_with_an_interpreter_is_a_program_that_cannot_be_written_and_leaves_nothing(
        self, shop: Steps
    ) -> None:
        script = "RUN <<E\n#!/bin/sh\necho $0\nstat -c %a $0\n(echo more >> $0) 2> /dev/null || echo read-only\nE"
        assert shop.says(script) == ["/dev/pipes/E", "755", "read-only"]
        assert shop.leaves(script) == {}


class TestSecrets:
    @pytest.fixture
    def secrets(self, tmp_path: Path) -> tuple[SecretSource, ...]:
        (tmp_path / "secret").write_text(PROGRAM)
        return (SecretSource("dir/k", "file", str(tmp_path / "secret")),)

    def test_it_is_named_by_the_last_part_of_its_id(self, shop: Steps, secrets: tuple[SecretSource, ...]) -> None:
        said = shop.says("RUN --mount=type=secret,id=dir/k stat -c '%n %a %u:%g' /run/secrets/k", secrets=secrets)
        assert said == ["/run/secrets/k 400 0:0"]

    def test_it_can_be_run_where_its_mode_says_so(self, shop: Steps, secrets: tuple[SecretSource, ...]) -> None:
        text = "RUN --mount=type=secret,id=dir/k,target=/k,mode={} /k || echo refused"
        # The shell says in pieces that it may not, on another stream.
        assert any(line.endswith("refused") for line in shop.says(text.format("0444"), secrets=secrets))
        assert shop.says(text.format("0500"), secrets=secrets) == ["ran as a program"]

    def test_without_a_source_it_is_the_variable_of_its_id_or_else_the_file(
        self, shop: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "TOKEN").write_text("of the file")
        text = "RUN --mount=type=secret,id=TOKEN wc -c < /run/secrets/TOKEN"
        given = (SecretSource("TOKEN", "auto", "TOKEN"),)
        assert shop.says(text, secrets=given) == ["11"]
        monkeypatch.setenv("TOKEN", "variable")
        assert shop.says(text, secrets=given, no_cache=True) == ["8"]

    def test_a_missing_one_is_an_empty_variable_and_no_file(self, shop: Steps) -> None:
        text = (
            "ENV WAS=before\nRUN --mount=type=secret,id=k,env=NEW --mount=type=secret,id=k,env=WAS,target=/k "
            "echo ${NEW-unset}:${WAS-unset}; test -e /k || echo no file"
        )
        assert shop.says(text) == [":", "no file"]


class TestAgents:
    def test_each_has_a_socket_and_the_first_is_announced(self, shop: Steps, tmp_path: Path) -> None:
        agents = []
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
            for name, listener in (("a", one), ("b", two)):
                listener.bind(str(tmp_path / name))
                listener.listen()
                agents.append(AgentSource(name, str(tmp_path / name)))
            said = shop.says(
                "RUN --mount=type=ssh,id=a --mount=type=ssh,id=b,mode=0666 "
                "echo $SSH_AUTH_SOCK; stat -c '%n %a %F' /run/buildkit/*",
                agents=tuple(agents),
            )
        assert said == [
            "/run/buildkit/ssh_agent.0",
            "/run/buildkit/ssh_agent.0 600 socket",
            "/run/buildkit/ssh_agent.1 666 socket",
        ]

    def test_a_missing_one_is_announced_and_not_there(self, shop: Steps) -> None:
        said = shop.says("RUN --mount=type=ssh echo $SSH_AUTH_SOCK; test -e /run || echo nothing")
        assert said == ["/run/buildkit/ssh_agent.0", "nothing"]


MEET = "touch /m/{0}; for i in $(seq 100); do test -e /m/{1} && exit 0; sleep 0.1; done; exit 1"
"""A command that ends well once another step is running that does the same."""


class TestCacheMounts:
    def pair(self, shop: Steps, first: str, second: str, **more: Any) -> list[str]:
        """Two stages of one step each that run at the same time, with what they print."""
        meeting = "--mount=type=cache,id=meeting,target=/m"
        text = (
            f"FROM base AS one\nRUN {meeting} {first}\nFROM base AS two\nRUN {meeting} {second}\n"
            "FROM base\nCOPY --from=one /etc/passwd /1\nCOPY --from=two /etc/passwd /2\n"
        )
        shop.build(text, parallelism=4, **more)
        return sorted(shop.said.output.decode().splitlines())

    @pytest.mark.parametrize("sharing", ["shared", "private", "locked"])
    def test_one_cache_at_two_places_of_a_step_is_one_directory(self, shop: Steps, sharing: str) -> None:
        mount = f"--mount=type=cache,id=c,sharing={sharing},target="
        assert shop.says(f"RUN {mount}/a {mount}/b echo one > /a/f; cat /b/f") == ["one"]

    def test_steps_that_lock_the_same_caches_in_another_order_do_not_wait_for_each_other(self, shop: Steps) -> None:
        mount = "--mount=type=cache,sharing=locked,id={},target=/{}"
        one, two = (f"{mount.format('x', a)} {mount.format('y', b)}" for a, b in (("1", "2"), ("2", "1")))
        for _ in range(3):
            said = self.pair(shop, f"{one} sleep 0.1; echo one", f"{two} sleep 0.1; echo two", no_cache=True)
            assert said == ["one", "two"]

    def test_shared_ones_are_used_at_the_same_time(self, shop: Steps) -> None:
        cache = "--mount=type=cache,id=c,target=/c"
        self.pair(
            shop,
            f"{cache} touch /c/1; {MEET.format('a', 'b')}",
            f"{cache} {MEET.format('b', 'a')}; test -e /c/1",
        )

    def test_each_kind_gets_the_directory_that_is_there(self, shop: Steps) -> None:
        shop.says("RUN --mount=type=cache,id=c,target=/c touch /c/old")
        for sharing in ("shared", "private", "locked"):
            assert shop.says(f"RUN --mount=type=cache,id=c,sharing={sharing},target=/c ls /c # {sharing}") == ["old"]

    def test_a_locked_one_waits_for_those_who_share_it(self, shop: Steps) -> None:
        said = self.pair(
            shop,
            "--mount=type=cache,id=c,target=/c touch /c/busy /m/started; sleep 1; rm /c/busy; echo shared",
            "--mount=type=cache,id=n,target=/n true\n"
            "RUN --mount=type=cache,id=meeting,target=/m while ! test -e /m/started; do sleep 0.05; done\n"
            "RUN --mount=type=cache,id=c,sharing=locked,target=/c test ! -e /c/busy && echo alone",
        )
        assert said == ["alone", "shared"]

    def test_a_private_one_goes_elsewhere_while_it_is_shared(self, shop: Steps) -> None:
        said = self.pair(
            shop,
            "--mount=type=cache,id=c,target=/c touch /c/mine /m/started; "
            "for i in $(seq 100); do test -e /m/done && exit 0; sleep 0.1; done; exit 1",
            "while ! test -e /m/started; do sleep 0.05; done\n"
            "RUN --mount=type=cache,id=meeting,target=/m --mount=type=cache,id=c,sharing=private,target=/c "
            "touch /m/done; ls /c; echo looked",
        )
        assert said == ["looked"]

    def test_a_private_one_is_taken_again_when_it_is_free(self, shop: Steps) -> None:
        text = "RUN --mount=type=cache,id=c,sharing=private,target=/c echo x >> /c/log; wc -l < /c/log"
        assert [shop.says(f"{text} # {time}") for time in range(2)] == [["1"], ["2"]]

    def test_one_that_is_read_only(self, shop: Steps) -> None:
        shop.says("RUN --mount=type=cache,id=c,target=/c echo kept > /c/f")
        said = shop.says("RUN --mount=type=cache,id=c,target=/c,ro cat /c/f; touch /c/x 2> /dev/null || echo read-only")
        assert said == ["kept", "read-only"]

    def test_it_is_seeded_once(self, shop: Steps) -> None:
        text = (
            "RUN mkdir /s && echo seed > /s/f\nFROM base\n"
            "RUN --mount=type=cache,id=c,target=/c,from=0,source=/s cat /c/f; echo more >> /c/f"
        )
        assert [shop.says(f"{text} # {time}") for time in range(2)] == [["seed"], ["seed", "more"]]


def test_a_mode_of_a_cache_mount_makes_another_cache(shop: Steps) -> None:
    shop.says("RUN --mount=type=cache,target=/c touch /c/f")
    said = shop.says("RUN --mount=type=cache,target=/c,mode=0711 ls /c; stat -c %a /c")
    assert said == ["711"]
    (made,) = [p for p in (shop.root / "mounts").iterdir() if stat.S_IMODE(p.stat().st_mode) == 0o711]
    assert made.is_dir()
