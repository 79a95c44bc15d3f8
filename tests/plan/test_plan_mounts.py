"""`RUN --mount=`: options as written to mounts as planned."""

import pytest
from tests.plan.plan_dockerfiles import errors, last, runs

from kezuri.plan.inputs import ContextInput, StageInput
from kezuri.plan.operation import AgentMount, BindMount, CacheMount, RunMount, SecretMount, TmpfsMount
from kezuri.scalars.sizes import parse_size


def mounts(*written: str, before: str = "") -> tuple[RunMount, ...]:
    flags = " ".join(f"--mount={w}" for w in written)
    return runs(last(f"FROM s AS stage\nFROM base\n{before}RUN {flags} x"))[0].mounts


def wrong(written: str) -> tuple[str, str]:
    ((line, message, hint),) = errors(f"FROM base\nRUN --mount={written} x")
    assert line == 2
    return message, hint


CACHE = CacheMount("/c", "/c", "shared", None, "/", None, None, None, False)


@pytest.mark.parametrize(
    ("written", "mount"),
    [
        ("target=/b", BindMount("/b", ContextInput(), "/", False)),
        ("type=bind,src=a,dst=/b,rw", BindMount("/b", ContextInput(), "a", True)),
        ("type=bind,source=a,destination=b,readwrite=false", BindMount("/b", ContextInput(), "a", False)),
        ("from=stage,source=/a,target=/b,ro", BindMount("/b", StageInput(0), "/a", False)),
        ("TYPE=Cache,Target=/c", CACHE),
        ("type=cache,target=/c/../c/", CACHE),
        ("type=cache,id=x,target=/c,sharing=locked", CACHE._replace(id="x", sharing="locked")),
        ("type=cache,target=/c,mode=0700,uid=1,gid=2", CACHE._replace(mode=0o700, uid=1, gid=2)),
        ("type=cache,target=/c,readonly", CACHE._replace(readonly=True)),
        ("type=cache,target=/c,from=stage,source=/s", CACHE._replace(input=StageInput(0), source="/s")),
        ("type=tmpfs,target=/t", TmpfsMount("/t", 0)),
        ("type=tmpfs,target=/t,size=64m", TmpfsMount("/t", 64 << 20)),
        ("type=secret,id=k", SecretMount("k", "/run/secrets/k", "", False, 0o400, 0, 0)),
        ("type=secret,source=k", SecretMount("k", "/run/secrets/k", "", False, 0o400, 0, 0)),
        ("type=secret,id=a/k", SecretMount("a/k", "/run/secrets/k", "", False, 0o400, 0, 0)),
        ("type=secret,target=/x/k", SecretMount("k", "/x/k", "", False, 0o400, 0, 0)),
        ("type=secret,id=k,env=K", SecretMount("k", "", "K", False, 0o400, 0, 0)),
        ("type=secret,id=k,env=K,target=/k", SecretMount("k", "/k", "K", False, 0o400, 0, 0)),
        (
            "type=secret,id=k,required,mode=0444,uid=5,gid=6",
            SecretMount("k", "/run/secrets/k", "", True, 0o444, 5, 6),
        ),
        ("type=secret,id=k,required=false", SecretMount("k", "/run/secrets/k", "", False, 0o400, 0, 0)),
        ("type=ssh", AgentMount("default", "/run/buildkit/ssh_agent.0", False, 0o600, 0, 0)),
        ("type=ssh,id=k,target=/s,required=true", AgentMount("k", "/s", True, 0o600, 0, 0)),
    ],
)
def test_a_mount(written: str, mount: RunMount) -> None:
    assert mounts(written) == (mount,)


def test_relative_targets_join_the_working_directory() -> None:
    assert mounts("target=b", before="WORKDIR /w\n")[0].target == "/w/b"


def test_values_are_expanded_and_from_is_known_as_well() -> None:
    made = mounts("type=cache,id=$A,target=/$A,from=$S", before="ARG A=x\nARG S=stage\n")
    assert made == (CACHE._replace(id="x", target="/x", input=StageInput(0)),)


def test_parents_come_before_what_is_mounted_in_them() -> None:
    made = mounts("type=tmpfs,target=/a/b/c", "type=tmpfs,target=/z", "target=/a", "type=cache,target=/a/b")
    assert [m.target for m in made] == ["/a", "/a/b", "/a/b/c", "/z"]


def test_two_agents_have_sockets_of_their_own() -> None:
    assert len({m.target for m in mounts("type=ssh,id=a", "type=ssh,id=b")}) == 2


@pytest.mark.parametrize(
    ("written", "said", "hint"),
    [
        ("type=cahce,target=/x", "unsupported mount type", "cache"),
        ("type=bind", "invalid mount target", "target="),
        ("type=tmpfs", "invalid mount target", ""),
        ("target=/", "invalid mount target", ""),
        ("type=cache,target=/x/..", "invalid mount target", ""),
        ("type=bind,target=/x,mode=1", "mode not allowed", ""),
        ("required,type=secret,id=x", "unexpected key 'required' for mount type 'bind'", "type=secret"),
        ("target=/x,size=1m", "unexpected key 'size'", "type=tmpfs"),
        ("type=bind,target=/x,sharing=shared", "invalid cache sharing", ""),
        ("type=secret,id=x,from=stage", "should not have a from", ""),
        ("type=ssh,source=x", "ssh does not support source", "id="),
        ("type=bind,target=/x,soruce=1", "unexpected key", "source"),
        ("type=tmpfs,target=/x,size=big", "invalid value for size", "64m"),
        ("type=tmpfs,target=/x,size=-1", "invalid value for size", ""),
        ("type=cache,target=/x,sharing=alone", "unsupported sharing value", "locked"),
        ("type=cache,target=/x,mode=999", "invalid value '999' for mode", "octal"),
        ("type=cache,target=/x,uid=me", "invalid value 'me' for uid", ""),
        ("type=bind,target=/x,rw=maybe", "invalid value for rw", ""),
        ("type=secret,id=k,required=perhaps", "invalid value for required", ""),
        ("type=secret", "one of source, target required", "id="),
        ("type=secret,id=a,source=b", "both source and id", ""),
        ("type=bind,target=/x,from=9", "stage index 9 does not exist", ""),
    ],
)
def test_what_is_wrong_is_said_at_the_line(written: str, said: str, hint: str) -> None:
    message, advice = wrong(written)
    assert said in message and hint in advice


def test_several_wrong_runs_are_all_told() -> None:
    found = errors("FROM base\nRUN --mount=type=x,target=/a b\nRUN --mount=type=y,target=/a b")
    assert [line for line, _, _ in found] == [2, 3]


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1024", 1024), ("64m", 64 << 20), ("1.5GiB", 3 << 29), ("2 kb", 2048), ("3B", 3), ("1T", 1 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "1x", "1mm", "-5", "nan", "inf", "1 2", "0x10"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)
