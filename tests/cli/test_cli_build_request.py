"""Every flag of `kezuri build`, and what it becomes."""

import io
import socket
from pathlib import Path
from typing import Any

import pytest

from kezuri.app.outputs import (
    CacheOnly,
    DockerArchive,
    LayoutDirectory,
    LayoutTar,
    LoadedImage,
    PushedImage,
    RootDirectory,
    RootTar,
)
from kezuri.app.request import AgentSource, BuildRequest, BuiltinArguments, Salvage, SecretSource
from kezuri.app.stored_image import ImageOptions, StoredImage
from kezuri.cli.build_request import build_request
from kezuri.cli.commands.build import COMMAND
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.cli.options import UsageError, parse
from kezuri.diagnostics import KezuriError
from kezuri.edits.settings import Unset
from kezuri.export.annotations import Annotation
from kezuri.linux import cgroups
from kezuri.linux.cgroups import Limits


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def request(*argv: str, terminal: bool = False, **environ: str) -> BuildRequest:
    console = Console(Terminal() if terminal else io.StringIO(), io.StringIO(), environ)
    return build_request(parse(argv, COMMAND.options, environ), console)


CASES: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("dir", {"context": "dir"}),
    ("-", {"context": "-"}),
    ("-t a -t b:1 --tag=c", {"tags": ("a", "b:1", "c")}),
    ("-f Other", {"file": "Other"}),
    ("-fOther x", {"file": "Other", "context": "x"}),
    ("--file -", {"file": "-"}),
    ("--target=prod", {"target": "prod"}),
    ("--build-arg A=1 --build-arg B= --build-arg C=x=y", {"build_args": (("A", "1"), ("B", ""), ("C", "x=y"))}),
    ("--build-arg A=1 --build-arg A=2", {"build_args": (("A", "2"),)}),
    ("--build-arg HERE --build-arg NOT_HERE", {"build_args": (("HERE", "value"),)}),
    (
        "--build-context node:20=oci-layout://d:t --build-context x=.",
        {"build_contexts": (("node:20", "oci-layout://d:t"), ("x", "."))},
    ),
    ("--secret id=a", {"secrets": (SecretSource("a", "auto", "a"),)}),
    ("--secret id=a,src=f", {"secrets": (SecretSource("a", "file", "f"),)}),
    ("--secret source=f,id=a", {"secrets": (SecretSource("a", "file", "f"),)}),
    ("--secret id=a,src=-", {"secrets": (SecretSource("a", "stdin", "-"),)}),
    ("--secret id=a,env=V", {"secrets": (SecretSource("a", "env", "V"),)}),
    ("--secret id=a,type=env", {"secrets": (SecretSource("a", "env", "a"),)}),
    ("--secret type=env,id=a,src=V", {"secrets": (SecretSource("a", "env", "V"),)}),
    ("--secret type=file,id=a", {"secrets": (SecretSource("a", "file", "a"),)}),
    ("--ssh default", {"agents": (AgentSource("default", ""),)}),
    ("--ssh keys=/etc/passwd,/etc/group", {"agents": (AgentSource("keys", "", ("/etc/passwd", "/etc/group")),)}),
    ("-m 512m", {"limits": Limits(memory=512 << 20)}),
    ("--memory 1g --memory-swap -1", {"limits": Limits(memory=1 << 30, memory_swap=-1)}),
    ("--cpus 1.5 -c 512 --pids-limit 100", {"limits": Limits(cpu_quota=150_000, cpu_shares=512, pids=100)}),
    ("--cpus .01", {"limits": Limits(cpu_quota=1000)}),
    ("--cpu-quota 50000 --cpu-period 20000", {"limits": Limits(cpu_quota=50_000, cpu_period=20_000)}),
    ("--cpuset-cpus 0-1,3 --cpuset-mems 0", {"limits": Limits(cpus="0-1,3", nodes="0")}),
    ("--resource memory=2g --resource=cpu-quota=50000", {"limits": Limits(memory=2 << 30, cpu_quota=50_000)}),
    ("-m 1g --resource memory=2g", {"limits": Limits(memory=2 << 30)}),
    ("--pids-limit -1 --cpu-quota -1 -m 0", {}),
    ("--cpus 0", {}),
    ("--security-opt no-new-privileges=false", {}),
    ("--security-opt no-new-privileges", {"no_new_privileges": True}),
    ("--security-opt no-new-privileges:false --security-opt no-new-privileges", {"no_new_privileges": True}),
    ("--security-opt no-new-privileges --security-opt no-new-privileges=false", {}),
    ("--platform linux/amd64,linux/arm64 --platform local", {"platforms": ("linux/amd64", "linux/arm64", "local")}),
    ("-o out", {"outputs": (RootDirectory("out"),)}),
    ("-o -", {"outputs": (RootTar("-"),)}),
    ("-o type=tar", {"outputs": (RootTar("-"),)}),
    ("-o type=oci", {"outputs": (LayoutTar("-"),)}),
    ("-o type=oci,dest=i.tar", {"outputs": (LayoutTar("i.tar"),)}),
    ("-o type=local,dest=d", {"outputs": (RootDirectory("d"),)}),
    ("-o type=docker", {"outputs": (StoredImage(),)}),
    ("-o type=docker,dest=-", {"outputs": (DockerArchive("-"),)}),
    ("-o type=cacheonly", {"outputs": (CacheOnly(),)}),
    (
        "-o type=oci,dest=d,tar=false,compression=zstd",
        {"outputs": (LayoutDirectory("d", ImageOptions(compression="zstd")),)},
    ),
    ("-t a -o type=image,name=b,push=false", {"outputs": (StoredImage(ImageOptions(("b",))),), "tags": ("a",)}),
    ('-o type=docker,dest=d,"name=a,b:1"', {"outputs": (DockerArchive("d", ImageOptions(("a", "b:1"))),)}),
    ("-o one -o type=tar,dest=two", {"outputs": (RootDirectory("one"), RootTar("two"))}),
    ("-o type=local,dest=d,platform-split=F", {"outputs": (RootDirectory("d", False),)}),
    (
        "-o type=oci,dest=a,compression=zstd,compression-level=19 -o type=docker,dest=b --compression-level=3",
        {
            "outputs": (
                LayoutTar("a", ImageOptions(compression="zstd", level=19)),
                DockerArchive("b", ImageOptions(level=3)),
            )
        },
    ),
    (
        "-o type=oci,dest=a,annotation.k=own,annotation-index.i=1 --annotation k=v",
        {
            "outputs": (
                LayoutTar(
                    "a",
                    ImageOptions(
                        annotations=(
                            Annotation("manifest", None, "k", "own"),
                            Annotation("index", None, "i", "1"),
                            Annotation("manifest", None, "k", "v"),
                        )
                    ),
                ),
            )
        },
    ),
    ("--no-cache", {"no_cache": True}),
    ("--no-cache=false", {}),
    ("--no-cache-filter a,b --no-cache-filter c", {"no_cache_filter": ("a", "b", "c")}),
    ("--pull", {"pull": True}),
    ("--iidfile i --metadata-file m", {"iidfile": "i", "metadata_file": "m"}),
    ("--label a=b --label c --label d=e=f", {"labels": (("a", "b"), ("c", ""), ("d", "e=f"))}),
    (
        "--annotation index:a=b",
        {"outputs": (StoredImage(ImageOptions(annotations=(Annotation("index", None, "a", "b"),))),)},
    ),
    ("--add-host a:10.0.0.1 --add-host b=::1", {"hosts": (("a", "10.0.0.1"), ("b", "::1"))}),
    ("--add-host a:[fe80::1] --add-host b=[::1]", {"hosts": (("a", "fe80::1"), ("b", "::1"))}),
    ("--add-host a:host-gateway", {"hosts": (("a", "127.0.0.1"),)}),
    ("--add-host a:fe80::2", {"hosts": (("a", "fe80::2"),)}),
    ("--network none", {"network": "none"}),
    ("--network=host", {"network": "host"}),
    ("--ulimit nofile=1024:2048", {"ulimits": (("nofile", 1024, 2048),)}),
    ("--ulimit core=0 --ulimit memlock=-1", {"ulimits": (("core", 0, 0), ("memlock", -1, -1))}),
    ("--shm-size 128m", {"shm_size": 128 << 20}),
    ("--pull=missing", {}),
    ("--pull=always", {"pull": True}),
    ("--shm-size=1.5GiB", {"shm_size": 3 << 29}),
    ("--allow network.host,security.insecure", {"allow": ("network.host", "security.insecure")}),
    (
        "--compression zstd --compression-level 19",
        {"outputs": (StoredImage(ImageOptions(compression="zstd", level=19)),)},
    ),
    ("--compression-level=0", {"outputs": (StoredImage(ImageOptions(level=0)),)}),
    ("--compression uncompressed", {"outputs": (StoredImage(ImageOptions(compression="uncompressed")),)}),
    ("--push -t a", {"outputs": (PushedImage(),), "tags": ("a",)}),
    ("-o type=registry", {"outputs": (PushedImage(),)}),
    ("-o type=registry,push=false", {"outputs": (StoredImage(),)}),
    ("-o type=image,name=b,push=true,store=false", {"outputs": (PushedImage(ImageOptions(("b",)), kept=False),)}),
    (
        "-o type=image,name=b,push=true,push-by-digest=true,name-canonical=true",
        {"outputs": (PushedImage(ImageOptions(("b",)), by_digest=True, canonical=True),)},
    ),
    (
        "-o type=image,oci-mediatypes=false,compression=zstd --push",
        {"outputs": (PushedImage(ImageOptions(compression="zstd", docker_types=True)),)},
    ),
    (
        "--push -o type=oci,dest=d,name=b --compression zstd",
        {
            "outputs": (
                LayoutTar("d", ImageOptions(("b",), compression="zstd")),
                PushedImage(ImageOptions(compression="zstd")),
            )
        },
    ),
    (
        "-o type=image,compression=zstd,force-compression=true",
        {"outputs": (StoredImage(ImageOptions(compression="zstd", forced=True)),)},
    ),
    ("--load", {"outputs": (LoadedImage(),)}),
    ("--load=podman --push", {"outputs": (PushedImage(), LoadedImage(engine="podman"))}),
    ("--load=docker -o out", {"outputs": (RootDirectory("out"), LoadedImage(engine="docker"))}),
    # accepted without effect on the request
    ("--cache-from type=gha --cache-to type=gha", {}),
    ("--load=false --builder x --rm --force-rm --compress --call build --check", {}),
    ("--sbom=true", {"sbom": True}),
    ("--sbom false --attest type=sbom", {}),
    ("--attest type=sbom", {"sbom": True}),
    ("--attest sbom", {"sbom": True}),
    ("--provenance=true", {"provenance": "min"}),
    ("--provenance mode=max", {"provenance": "max"}),
    ("--provenance=max --attest type=sbom", {"provenance": "max", "sbom": True}),
    (
        "--attest type=provenance,mode=max,builder-id=https://ci/1,reproducible=true",
        {"provenance": "max", "builder_id": "https://ci/1", "reproducible": True},
    ),
    ("--attest type=provenance,mode=max --provenance=false", {}),
    ("--attest type=sbom,disabled=true --attest type=provenance,disabled=true", {}),
    (
        "--provenance=false --sbom=false --push=false --provenance false --sbom 0",
        {},
    ),
    ("--progress plain --quiet", {}),
    ("--watch", {}),
    ("--watch --run", {}),
    ("--watch --run=-p80:80", {}),
    ("--retry-network 3", {"retry_network": 3}),
    ("--squash", {"squash": "new"}),
    ("--scan=false", {}),
    ("--unset env=A --unset cmd", {"unset": (Unset("env", "A"), Unset("cmd"))}),
    ("--squash --squash-all", {"squash": "all"}),
    ("--on-error shell", {}),
    ("--on-error export,path=/out,dest=o --on-error=fail", {"salvage": (Salvage("/out", "o"),)}),
    (
        '--on-error=export,dest=o,path=a --on-error=export,"path=b,c",dest=o',
        {"salvage": (Salvage("a", "o"), Salvage("b,c", "o"))},
    ),
]


@pytest.mark.parametrize(("line", "fields"), CASES, ids=[line for line, _ in CASES])
def test_flags_become_the_request(line: str, fields: dict[str, Any]) -> None:
    found = request(*line.split(), HERE="value", SSH_AUTH_SOCK="/s")
    assert found == BuildRequest(**fields)
    # Tuples of different kinds are equal when what they hold is.
    assert list(map(type, found.outputs)) == list(map(type, BuildRequest(**fields).outputs))


def test_every_option_has_a_case() -> None:
    lines = " ".join(line for line, _ in CASES).replace("=", " ").split()
    for option in COMMAND.options:
        if not option.refused:
            assert set(option.names) & {word[:2] if word[1] != "-" else word for word in lines if len(word) > 1}, option


REFUSED = {option.key for option in COMMAND.options if option.refused}


def test_the_refused_options_are_those_that_we_know_of() -> None:
    assert {
        "--policy",
    } <= REFUSED


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_not_supported_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is not supported yet"):
        request(f"{name}=true")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-f - -", "standard input cannot be the context and the Dockerfile at once"),
        ("--secret id=x,src=- -", "standard input cannot be the context and secret x at once"),
        ("--build-arg =x", "--build-arg '=x'"),
        ("--build-context x", "--build-context 'x' is not of the form NAME=SOURCE"),
        ("--secret a", "'a' is not a key=value pair"),
        ("--secret src=x", "has no id"),
        ("--secret id=a,file=x", "unknown key 'file'"),
        ("--secret id=a,type=x", "the type is file or env"),
        ("--secret id=a,env=V,src=f", "a file and a variable at once"),
        ("--ssh default", "SSH_AUTH_SOCK is not set"),
        ("--ssh =x", "--ssh '=x'"),
        ("--ssh default=a,b", "a: No such file or directory"),
        ("--ssh default=/nowhere/at/all", "No such file or directory"),
        ("--ssh default=/etc", "/etc is no key file"),
        ("-m 5m", "--memory 5m: less than 6m"),
        ("-m much", "--memory: not a size: 'much'"),
        ("--memory-swap 1g", "--memory-swap needs --memory"),
        ("-m 1g --memory-swap 512m", "--memory-swap is less than --memory"),
        ("--cpus two", "--cpus: not a number of processors: 'two'"),
        ("--cpus 0.001", "--cpus 0.001: the least is 0.01"),
        ("--cpus 1 --cpu-quota 5000", "give it without --cpu-quota"),
        ("--cpu-quota 5", "--cpu-quota 5: the least is 1000"),
        ("--cpu-period 5000000", "--cpu-period is at most"),
        ("--cpu-shares 1", "--cpu-shares 1: the least is 2"),
        ("--cpuset-cpus 3-1", "--cpuset-cpus: not a list: '3-1'"),
        ("--cpuset-cpus 0,,1", "--cpuset-cpus: not a list"),
        ("--cpuset-mems all", "--cpuset-mems: not a list"),
        ("--pids-limit -2", "--pids-limit -2: the least is 1"),
        ("--pids-limit ten", "--pids-limit: not a number: 'ten'"),
        ("--resource memory", "--resource 'memory' is not of the form LIMIT=VALUE"),
        ("--resource memmory=1g", "did you mean memory=...?"),
        ("--resource cpus=x", "--resource cpus: not a number of processors"),
        ("--retry-network -1", "--retry-network is a number of times, not '-1'"),
        ("--retry-network 100", "at most 99"),
        ("--on-error exprt,path=a", "did you mean export?"),
        ("--on-error export", "--on-error cannot be 'export'"),
        ("--on-error shell,x", "--on-error cannot be 'shell,x'"),
        ("--on-error export,path=/a", "needs a path in the step and a directory here"),
        ("--on-error export,path=/a,dest=b,mode=1", "unknown key 'mode'"),
        ("--security-opt seccomp=unconfined", "--security-opt seccomp=unconfined is not supported"),
        ("--security-opt no-new-privileges=maybe", "is not supported"),
        ("-o type=local", "needs a directory"),
        ("-o type=registry,dest=x", "type=registry takes no dest"),
        ("-o type=oci,dest=x,push=true", "type=oci is not pushed"),
        ("-o type=registry,oci-mediatypes=false,annotation.a=b", "have no annotations"),
        ("-o type=registry,push-by-digest=x", "push-by-digest is true or false"),
        ("--load=crio", "to docker or podman, not to 'crio'"),
        ("-o type=occ,dest=x", "unknown type 'occ'"),
        ("-o dest=x", "has no type"),
        ("-o type=image,dest=x", "type=image takes no dest"),
        ("-o type=tar,x", "'x' is not a key=value pair"),
        ("-o type=oci,tar=false", "tar=false is a directory"),
        ("-o type=oci,tar=maybe,dest=x", "tar is true or false"),
        ("-o type=docker,dest=x --compression zstd", "cannot be loaded by most versions of docker"),
        ('-o type=oci,"dest=x', "is not closed"),
        ('-o type=oci,"dest=x"y', "follows a closing quote"),
        ("-o - -o type=oci", "cannot both go to standard output"),
        ("-q -o -", "both want standard output"),
        ("--annotation x", "--annotation 'x'"),
        ("--label =x", "--label '=x'"),
        ("--add-host x", "is not of the form HOST:IP"),
        ("--add-host x:1.2.3", "'1.2.3' is not an IP address"),
        ("--ulimit nofiles=1", "unknown limit 'nofiles'"),
        ("--ulimit nofile", "LIMIT=SOFT"),
        ("--ulimit nofile=a", "LIMIT=SOFT"),
        ("--ulimit nofile=2:1", "the soft limit is above the hard limit"),
        ("--ulimit nofile=-1:1", "the soft limit is above the hard limit"),
        ("--shm-size 1x", "not a size: '1x'"),
        ("--shm-size -1", "not a size: '-1'"),
        ("--shm-size nan", "not a size"),
        ("--allow network.hots", "--allow network.hots is not supported"),
        ("--compression-level 10", "gzip has levels 0 to 9"),
        ("--compression zstd --compression-level 23", "zstd has levels 0 to 22"),
        ("--network bridge", "--network cannot be 'bridge'"),
        ("--build-arg SOURCE_DATE_EPOCH=soon", "SOURCE_DATE_EPOCH is a number of seconds"),
    ],
)
def test_what_cannot_be_understood_is_named(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        request(*line.split())
    assert message in caught.value.diagnostics[0].message + caught.value.diagnostics[0].hint
    assert caught.value.exit_code == 2


def test_a_stream_is_not_written_to_a_terminal() -> None:
    with pytest.raises(UsageError, match="would go to the terminal"):
        request("-o", "-", terminal=True)
    assert request("-o", "type=tar,dest=f", terminal=True).outputs == (RootTar("f"),)


def test_an_agents_socket_is_accepted(tmp_path: Path) -> None:
    path = str(tmp_path / "agent")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        assert request("--ssh", f"x={path}").agents == (AgentSource("x", path),)


def test_source_date_epoch_counts_as_a_build_argument() -> None:
    found = request(".", SOURCE_DATE_EPOCH="1700000000")
    assert found.builtin.epoch == 1700000000
    assert found.build_args == (("SOURCE_DATE_EPOCH", "1700000000"),)
    found = request("--build-arg", "SOURCE_DATE_EPOCH=1", SOURCE_DATE_EPOCH="2")
    assert found.builtin.epoch == 1
    assert request("--build-arg", "SOURCE_DATE_EPOCH=", SOURCE_DATE_EPOCH="2").builtin.epoch is None
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        request(".", SOURCE_DATE_EPOCH="-5")


@pytest.mark.parametrize(
    ("argument", "fields"),
    [
        ("BUILDKIT_SYNTAX=a/b:1", {"syntax": "a/b:1"}),
        ("BUILDKIT_CACHE_MOUNT_NS=n", {"cache_namespace": "n"}),
        ("BUILDKIT_MULTI_PLATFORM=T", {"multi_platform": True}),
        ("BUILDKIT_MULTI_PLATFORM=0", {"multi_platform": False}),
        ("BUILDKIT_MULTI_PLATFORM=", {}),
        ("BUILDKIT_SANDBOX_HOSTNAME=h", {"hostname": "h"}),
        ("BUILDKIT_SANDBOX_HOSTNAME=", {}),
        ("BUILDKIT_CONTEXT_KEEP_GIT_DIR=True", {"keep_git_dir": True}),
        ("BUILDKIT_CONTEXT_KEEP_GIT_DIR=yes", {}),
        ("BUILDKIT_CONTEXT_KEEP_GIT_DIR=tRUE", {}),
        ("BUILDKIT_DOCKERFILE_CHECK=skip=all", {"checks": "skip=all"}),
        ("BUILDKIT_DOCKERFILE_CHECK=", {"checks": ""}),
    ],
)
def test_built_in_arguments_are_read_once(argument: str, fields: dict[str, Any]) -> None:
    assert request("--build-arg", argument).builtin == BuiltinArguments(**fields)


TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")


class TestOutputAttributes:
    """How BuildKit and buildx read the values of attributes, and what kezuri refuses by name."""

    @pytest.mark.parametrize(
        ("value", "kind"), [*((v, LayoutTar) for v in ("", *TRUE)), *((v, LayoutDirectory) for v in FALSE)]
    )
    def test_tar_is_read_as_go_does(self, value: str, kind: type) -> None:
        (found,) = request("-o", f"type=oci,dest=d,tar={value}").outputs
        assert type(found) is kind

    @pytest.mark.parametrize("value", ["no", "tRUE", "fALSE", "2", " true"])
    @pytest.mark.parametrize(
        "text",
        [
            "type=oci,dest=d,tar=",
            "type=docker,dest=d,tar=",
            "type=local,dest=d,platform-split=",
            "type=tar,dest=d,platform-split=",
            "type=image,oci-mediatypes=",
            "type=image,force-compression=",
            "type=image,push=",
            "type=image,store=",
            "type=image,unpack=",
            "type=oci,dest=d,rewrite-timestamp=",
        ],
    )
    def test_anything_else_is_an_error_with_the_name(self, text: str, value: str) -> None:
        name = text.rstrip("=").rpartition(",")[2]
        with pytest.raises(UsageError, match=rf"{name} is true or false, not '{value}'") as caught:
            request("-o", text + value)
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("value", FALSE)
    def test_false_in_every_spelling_is_refused_where_it_is_not_done(self, value: str) -> None:
        for text, name in (
            ("type=image,store=", "store=false"),
            ("type=docker,dest=d,tar=", "tar=false"),
        ):
            with pytest.raises(UsageError, match=f"{name} is not supported"):
                request("-o", text + value)
        assert request("-o", f"type=image,force-compression={value}").outputs == (StoredImage(),)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("type=local,dest=d,tar=false", "type=local has no attribute tar"),
            ("type=local,dest=d,name=x", "type=local has no attribute name"),
            ("type=tar,dest=d,compression=gzip", "type=tar has no attribute compression"),
            ("type=tar,annotation.k=v", "type=tar has no attribute annotation.k"),
            ("type=tar,mode=copy", "type=tar has no attribute mode"),
            ("type=image,tar=true", "type=image has no attribute tar"),
            ("type=oci,platform-split=1", "type=oci has no attribute platform-split"),
            ("type=oci,store=true", "type=oci has no attribute store"),
            ("type=cacheonly,name=x", "type=cacheonly has no attribute name"),
            ("type=oci,bogus=1", "type=oci: unknown attribute 'bogus'"),
            ("type=oci,rewrite-timestam=1", "did you mean rewrite-timestamp?"),
            ("type=oci,compression=estargz", "unknown compression 'estargz'"),
            ("type=oci,compression-level=x", "compression-level=x: gzip has levels 0 to 9"),
            ("type=oci,compression=zstd,compression-level=23", "zstd has levels 0 to 22"),
            ("type=docker,dest=d,compression=zstd", "cannot be loaded by most versions of docker"),
            ("type=oci,annotation-nowhere.k=v", "there is no place 'nowhere'"),
            ("type=local,dest=d,mode=delete", "mode=delete is not supported"),
        ],
    )
    def test_attributes_of_another_kind_are_refused_by_name(self, text: str, said: str) -> None:
        with pytest.raises(KezuriError) as caught:
            request("-o", text)
        assert said in caught.value.diagnostics[0].message + caught.value.diagnostics[0].hint
        assert caught.value.exit_code == 2


def test_docker_variables_are_ignored_politely() -> None:
    assert request(".", DOCKER_BUILDKIT="0", BUILDX_BUILDER="x", BUILDX_NO_DEFAULT_ATTESTATIONS="1") == BuildRequest()


def test_a_platform_that_nobody_has_heard_of_is_told() -> None:
    err = io.StringIO()
    parsed = parse(["--platform", "linux/x68,linux/arm64"], COMMAND.options, {})
    assert build_request(parsed, Console(io.StringIO(), err, {})).platforms == ("linux/x68", "linux/arm64")
    said = "warning: --platform linux/x68: no architecture called x68 is known\n  help: did you mean linux/amd64?\n"
    assert err.getvalue() == said


def test_limits_without_effect_are_told_first_also_under_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", dict)  # a machine without control groups
    (tmp_path / "Dockerfile").write_text("FROM nowhere.invalid/x\n")
    for quiet in ((), ("--quiet",)):
        err = io.StringIO()
        argv = ["build", "--root", str(tmp_path / "store"), *quiet, "--progress=plain", "--memory=64m", str(tmp_path)]
        call(argv, Console(io.StringIO(), err, {"HOME": "/nowhere"}))
        said = err.getvalue()
        assert said.startswith("warning: without effect here: --memory: ") and said.count("without effect") == 1
