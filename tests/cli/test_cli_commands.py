"""What the commands print, given what `kezuri.app` answers."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from kezuri.app.answers import Check, HistoryLine, ImageSummary, Removed
from kezuri.app.demo import Demonstration
from kezuri.app.pull import Pulled
from kezuri.app.push import Pushed, PushedBlob
from kezuri.app.request import BuildResult, Settings
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.images.kept import NoSuchImage
from kezuri.oci.reference import Reference
from kezuri.progress import Listener, StepDone, StepStarted, Warned
from kezuri.upkeep.piece import Piece, Use
from kezuri.upkeep.worth import Candidate

Missed = Callable[[KezuriError], None]
ID = "sha256:" + "0123456789abcdef" * 4
DIGEST = "sha256:" + "fedcba9876543210" * 4


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Stand in for functions of a module of `kezuri.app`."""

    def stand_in(name: str, **functions: object) -> None:
        module = ModuleType(f"kezuri.app.{name}")
        module.__dict__.update(functions)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(sys.modules["kezuri.app"], name, module, raising=False)

    return stand_in


def kezuri(*argv: str, **environ: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = call(argv, Console(out, err, {"HOME": "/nowhere", **environ}))
    return code, out.getvalue(), err.getvalue()


App = Callable[..., None]
RESULT = BuildResult(DIGEST, ID, ("docker.io/library/web:1", "ghcr.io/a/b:2"), 1000, 3, 2)


def test_build(app: App) -> None:
    requests = []

    def build(request: Any, settings: Settings, listener: Listener, **more: Any) -> BuildResult:
        requests.append(request)
        listener(StepStarted(1, "[1/1] COPY a a", 1.0))
        listener(Warned(1.0, Diagnostic("warning", "odd")))
        listener(StepDone(1, 1.0, 0.0))
        return RESULT

    app("build", build=build)
    said = "Successfully built 0123456789ab\nSuccessfully tagged web:1\nSuccessfully tagged ghcr.io/a/b:2\n"
    said += "Image size: 1kB compressed\n"
    assert kezuri("build", "-t", "web:1", ".") == (
        0,
        "",
        "#1 [1/1] COPY a a\n#1 DONE 0.0s\n\nwarning: odd\n" + said,
    )
    assert requests[0].tags == ("web:1",)
    app("build", build=lambda *_, **more: RESULT._replace(unpacked=3000))
    assert kezuri("build", ".")[2].endswith("\nImage size: 3kB unpacked, 1kB compressed\n")
    told = kezuri("build", ".", LC_ALL="ja_JP.UTF-8")[2].splitlines()[-1]
    assert told == "イメージの大きさ: 展開後 3kB、圧縮後 1kB"
    app("build", build=build)
    assert kezuri("build", "-q", ".") == (0, ID + "\n", "")
    assert kezuri("build", "--progress=none", ".") == (0, "", "")
    code, out, err = kezuri("build", ".", KEZURI_PROGRESS="rawjson")
    assert (code, out) == (0, "") and all(json.loads(line) for line in err.splitlines())
    assert kezuri("build", "--progress=tty")[0] == 2


def test_a_failed_build_shows_what_still_ran(app: App) -> None:
    def build(request: Any, settings: Settings, listener: Listener, **more: Any) -> BuildResult:
        listener(StepStarted(1, "[1/1] RUN x", 1.0))
        raise KezuriError.of("it failed", output="words")

    app("build", build=build)
    code, out, err = kezuri("build", ".")
    assert (code, out) == (1, "")
    assert err == "#1 [1/1] RUN x\n#1 CANCELED\noutput:\n  | words\nerror: it failed\n"
    assert kezuri("build", "-q", ".") == (1, "", "output:\n  | words\nerror: it failed\n")


IMAGES = (
    ImageSummary(
        "docker.io/library/node:20-alpine", DIGEST, ID, "2000-01-01T00:00:00Z", 133_400_000, "linux/amd64", 42
    ),
    ImageSummary("localhost:5000/a/b:1", DIGEST, ID, "", 999, "linux/arm64", 500),
    ImageSummary("", DIGEST, ID, "", None, "linux/amd64", 0),
)


def test_images(app: App) -> None:
    asked = []
    wanted: list[bool] = []

    def images(
        settings: Settings, filters: tuple[str, ...], warn: object, *, measured: bool
    ) -> tuple[ImageSummary, ...]:
        asked.append(filters)
        wanted.append(measured)
        return IMAGES

    app("images", images=images)
    code, out, _ = kezuri("images")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == (
        "REPOSITORY           TAG         IMAGE ID       PLATFORM      CREATED        COMPRESSED   SIZE"
    )
    first = ["node", "20-alpine", "0123456789ab", "linux/amd64"]
    assert lines[1].split() == [*first, *lines[1].split()[4:7], "42B", "133MB"]
    assert lines[1].split()[6] == "ago"
    assert lines[2] == (
        "localhost:5000/a/b   1           0123456789ab   linux/arm64   N/A            500B         999B"
    )
    assert lines[3].split() == ["<none>", "<none>", "0123456789ab", "linux/amd64", "N/A", "0B", "N/A"]
    assert kezuri("images", "-n")[1].splitlines() == lines[1:]
    assert set(wanted) == {True}
    assert kezuri("images", "-q", "--no-trunc")[1] == f"{ID}\n" * 3 and wanted[-1] is False
    assert "DIGEST" in kezuri("images", "--digests")[1] and DIGEST in kezuri("images", "--digests")[1]
    form = "{{.Repository}}:{{.Tag}} {{.Size}}"
    assert kezuri("image", "ls", "--format", form)[1].splitlines()[0] == "node:20-alpine 133MB"
    form = r"table {{.Repository}}\t{{.Platform}}"
    assert kezuri("images", "--format", form)[1].splitlines()[:2] == [
        "REPOSITORY           PLATFORM",
        "node                 linux/amd64",
    ]
    first = json.loads(kezuri("images", "--format", "{{json .}}")[1].splitlines()[0])
    assert first == json.loads(kezuri("images", "--format", "json")[1].splitlines()[0])
    assert first["Repository"] == "node" and first["ID"] == "0123456789ab"
    asked.clear()
    kezuri("images", "-a", "--filter", "label=x", "node*")
    assert asked == [("label=x", "reference=node*")]
    assert kezuri("images", "--filter", "x")[0] == 2
    code, out, err = kezuri("images", "--format", "{{.Repo}}")
    assert (code, out) == (2, "") and "has no field 'Repo'" in err


def test_a_wrong_field_is_found_even_when_there_is_nothing_to_list(app: App) -> None:
    app("images", images=lambda settings, filters, warn, measured: ())
    assert kezuri("images")[1].split() == [
        "REPOSITORY",
        "TAG",
        "IMAGE",
        "ID",
        "PLATFORM",
        "CREATED",
        "COMPRESSED",
        "SIZE",
    ]
    assert kezuri("images", "--format", "{{.Repozitory}}")[0] == 2
    assert kezuri("images", "-q") == (0, "", "")


def test_inspect(app: App) -> None:
    found = [{"Id": ID, "Config": {"User": "app", "Labels": {"é": "ü"}}}]
    platforms: list[str] = []

    def inspect(settings: Settings, names: tuple[str, ...], platform: str, missed: Missed) -> list[Any]:
        platforms.append(platform)
        for name in names:
            if name == "none":
                missed(KezuriError.of("no such image: none"))
        return found * (len(names) - names.count("none"))

    app("images", inspect=inspect)
    assert json.loads(kezuri("inspect", "a")[1]) == found
    assert kezuri("inspect", "a")[1].startswith('[\n    {\n        "Id"')
    assert kezuri("inspect", "--format", "{{.Config.User}}", "a", "b")[1] == "app\napp\n"
    assert kezuri("inspect", "-f", "{{json .Config.Labels}}", "a")[1] == '{"é":"ü"}\n'
    assert json.loads(kezuri("image", "inspect", "--format=json", "a")[1]) == found
    assert kezuri("inspect")[0] == 2
    code, out, err = kezuri("inspect", "a", "none", "b")
    assert code == 1 and json.loads(out) == found * 2 and err == "error: no such image: none\n"
    assert kezuri("inspect", "-f", "{{.Id}}", "none", "b")[:2] == (1, f"{ID}\n")
    assert kezuri("inspect", "none")[:2] == (1, "[]\n")
    assert set(platforms) == {""}
    assert kezuri("inspect", "--platform", "linux/arm64", "a")[0] == 0 and platforms[-1] == "linux/arm64"


def test_history(app: App) -> None:
    lines = (
        HistoryLine("2000-01-01T00:00:00Z", 'CMD ["node"]', 0, "buildkit.dockerfile.v0", "", True),
        HistoryLine("", "RUN " + "x" * 60 + "\n\ty # buildkit", 7_050_000, "", DIGEST, False, 1_000),
    )
    app("images", history=lambda settings, name, platform: lines if platform in ("", "arm64") else ())
    shown = kezuri("history", "a")[1].splitlines()
    assert shown[0].split() == ["LAYER", "CREATED", "CREATED", "BY", "COMPRESSED", "SIZE", "COMMENT"]
    assert shown[1].startswith("<empty>        ") and 'CMD ["node"]' in shown[1]
    assert "fedcba987654   N/A" in shown[2] and "x" * 40 + "…" in shown[2] and shown[2].endswith("1kB          7.05MB")
    whole = kezuri("history", "--no-trunc", "--human=false", "a")[1]
    assert DIGEST in whole and "x" * 60 + "  y # buildkit" in whole and "7050000" in whole and "CREATED AT" in whole
    assert kezuri("history", "--format", "{{.ID}} {{.CreatedBy}}", "a")[1].startswith('<empty> CMD ["node"]\n')
    assert len(kezuri("history", "--platform=arm64", "a")[1].splitlines()) == 3


def test_tag_and_rmi(app: App) -> None:
    calls: list[tuple[object, ...]] = []

    def remove(settings: Settings, names: tuple[str, ...], force: bool, missed: Missed) -> tuple[Removed, ...]:
        calls.append((names, force))
        for name in names:
            if name == "none":
                missed(NoSuchImage.of("no such image: none"))
            if name == "two":
                missed(KezuriError.of("image two has 2 names: a, b"))
        if names == ("none",):
            return ()
        return Removed("untagged", "a:1"), Removed("deleted", ID), Removed("blob", DIGEST, 5)

    app("images", remove=remove, tag=lambda settings, source, target: calls.append((source, target)))
    assert kezuri("rmi", "a:1") == (0, f"Untagged: a:1\nDeleted: {ID}\n", "")
    assert kezuri("image", "rm", "-f", "a", "b")[0] == 0
    assert kezuri("tag", "a", "b") == (0, "", "")
    gone = f"Untagged: a:1\nDeleted: {ID}\n"
    assert kezuri("rmi", "none", "a") == (1, gone, "error: no such image: none\n")
    assert kezuri("rmi", "-f", "none", "a") == (0, gone, "warning: no such image: none\n")
    assert kezuri("rmi", "-i", "none") == (0, "", "warning: no such image: none\n")
    assert kezuri("rmi", "-f", "two", "none") == (
        1,
        gone,
        "error: image two has 2 names: a, b\nerror: no such image: none\n",
    )
    del calls[3:]
    assert calls == [(("a:1",), False), (("a", "b"), True), ("a", "b")]


def test_prune(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def prune(settings: Settings, **wishes: Any) -> tuple[Removed, ...]:
        calls.append(wishes)
        return Removed("untagged", "a:1"), Removed("blob", DIGEST, 1500), Removed("record", "x", 500)

    app("prune", prune=prune, foresee_prune=lambda settings, **wishes: ())
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, err = kezuri("prune")
    assert code == 2 and "--force" in err and not calls
    assert kezuri("prune", "-f") == (0, "Untagged: a:1\nTotal reclaimed space: 2kB\n", "")
    out = kezuri("builder", "prune", "-af", "--filter", "until=24h", "--filter=type=x", "--keep-storage", "1g",
                 "--verbose")[1]  # fmt: skip
    assert f"Blob: {DIGEST}\n" in out
    assert calls == [
        {"all": False, "until": None, "filters": (), "budget": (None, None, None)},
        {"all": True, "until": 86400.0, "filters": ("type=x",), "budget": (None, None, 1 << 30)},
    ]
    assert kezuri("prune", "-f", "--filter", "until=soon")[0] == 2


def test_prune_in_a_form_for_programs(app: App) -> None:
    gone: list[str] = []

    def prune(settings: Settings, **wishes: Any) -> tuple[Removed, ...]:
        gone.append("x")
        return (Removed("record", "x", 500),)

    piece = Piece("sha256:" + "ab" * 32, "regular", "RUN x", 2000, Use(90.0, 100.0, 2, 3.5))
    app("prune", prune=prune, foresee_prune=lambda settings, **wishes: (Candidate((piece,), 7.0, 2000),))
    assert kezuri("prune", "-f", "--format", "{{.Nothing}}")[0] == 2 and not gone
    out = kezuri("prune", "-f", "--format", "json")[1]
    assert json.loads(out) == {"Type": "record", "ID": "x", "Size": "500B", "Bytes": 500}
    (told,) = [json.loads(line) for line in kezuri("prune", "--dry-run", "--format", "json")[1].splitlines()]
    assert (told["ID"], told["Bytes"], told["WorthSeconds"]) == (piece.id, 2000, 7.0) and len(gone) == 1
    assert kezuri("prune", "--dry-run", "--format", "{{.Description}}")[1] == "RUN x\n"


def test_bases_in_a_form_for_programs() -> None:
    rows = [json.loads(line) for line in kezuri("bases", "--format", "json")[1].splitlines()]
    assert "busybox:latest" in [row["Name"] for row in rows] and all(row["Description"] for row in rows)
    assert kezuri("bases", "--format", "{{.Name}}")[1].splitlines() == [row["Name"] for row in rows]


def test_prune_asks_at_a_terminal(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    app("prune", prune=lambda settings, **wishes: ())
    for answer, code in (("y\n", 0), ("n\n", 1), ("", 1)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        out, err = io.StringIO(), Terminal()
        assert call(["prune", "--root", "/r"], Console(out, err, {})) == code
        assert err.getvalue() == "This removes what is not used any more from /r. Go on? [y/N] "
        assert bool(out.getvalue()) is (code == 0)


def test_du(app: App) -> None:
    app("prune", usage=lambda settings: (("blob", 3, 1_500_000), ("snapshot", 1, 500_000)))
    assert kezuri("du")[1] == (
        "TYPE       COUNT     SIZE\nblob       3         1.5MB\nsnapshot   1         500kB\n\nTotal: 2MB\n"
    )
    assert kezuri("du", "--format", "{{.Type}}={{.Bytes}}")[1] == "blob=1500000\nsnapshot=500000\n"


def test_pull(app: App) -> None:
    asked: list[tuple[str, str]] = []

    def pull(
        settings: Settings, name: str, platform: str, listener: Listener, layers: Callable[[str, bool], None]
    ) -> str:
        asked.append((name, platform))
        listener(StepStarted(1, "pull", 0.0))
        listener(StepDone(1, 1.0, 1.0))
        layers("sha256:" + "1" * 64, True)
        layers("sha256:" + "2" * 64, False)
        return DIGEST

    def pull_all(
        settings: Settings, name: str, platform: str, listener: Listener, layers: Callable[[str, bool], None]
    ) -> Iterator[Pulled]:
        asked.append((name, platform))
        for number in ("1", "2"):
            layers("sha256:" + "1" * 64, number == "2")
            yield Pulled(Reference.parse(f"{name}:{number}"), DIGEST)

    app("pull", pull=pull, pull_all=pull_all)
    assert kezuri("pull", "alpine") == (
        0,
        DIGEST + "\n",
        "#1 pull\n#1 DONE 1.0s\n111111111111: Already exists\n222222222222: Pull complete\n",
    )
    assert kezuri("pull", "-q", "--platform", "linux/arm64", "alpine") == (0, DIGEST + "\n", "")
    assert kezuri("pull", "--all-tags", "alpine") == (
        0,
        f"alpine:1@{DIGEST}\nalpine:2@{DIGEST}\n",
        "111111111111: Pull complete\n",
    )
    assert asked == [("alpine", ""), ("alpine", "linux/arm64"), ("alpine", "")]


def test_push(app: App) -> None:
    layers = (
        PushedBlob("sha256:" + "1" * 64, 5, "there"),
        PushedBlob("sha256:" + "2" * 64, 5, "sent"),
        PushedBlob("sha256:" + "3" * 64, 5, "mounted", "team/base"),
    )

    def push(settings: Settings, name: str, listener: Listener, *, all_tags: bool, platform: str) -> tuple[Pushed, ...]:
        listener(StepStarted(1, "push", 0.0))
        listener(StepDone(1, 1.0, 1.0))
        reference = Reference.parse(name)
        if not all_tags:
            return (Pushed(reference, DIGEST, 559, layers, "sha256:index" if platform else ""),)
        return tuple(Pushed(reference._replace(tag=tag), DIGEST, 559, layers) for tag in ("1", "2"))

    app("push", push=push)
    lines = "111111111111: Layer already exists\n222222222222: Pushed\n333333333333: Mounted from team/base\n"
    refers = "The push refers to repository [r.example/app]\n"
    progress = "#1 push\n#1 DONE 1.0s\n"
    last = f": digest: {DIGEST} size: 559\n"
    assert kezuri("push", "r.example/app:v1") == (0, f"{refers}{lines}v1{last}", progress)
    assert kezuri("push", "r.example/app")[1] == f"Using default tag: latest\n{refers}{lines}latest{last}"
    assert kezuri("push", "-a", "r.example/app")[1] == f"{refers}{lines}1{last}2{last}"
    assert kezuri("push", "-q", "app") == (0, "docker.io/library/app:latest\n", "")
    single = kezuri("push", "--platform", "linux/arm64", "r.example/app:v1")[2]
    assert single.endswith(f"{DIGEST} was pushed in the place of the index sha256:index\n")
    (line,) = kezuri("push", "--format", "json", "r.example/app:v1")[1].splitlines()
    told = json.loads(line)
    assert (told["Name"], told["Digest"], told["Size"]) == ("r.example/app:v1", DIGEST, 559)
    assert told["Layers"][2] == {"Digest": layers[2].digest, "Size": 5, "Status": "mounted", "Source": "team/base"}


def test_doctor_and_store_check(app: App) -> None:
    checks = (
        Check("user namespaces", "ok", "allowed"),
        Check("uid range", "warning", "none", "add a line to /etc/subuid\nthen log in again"),
    )
    repairs: list[bool] = []

    def check_store(settings: Settings, repair: bool) -> tuple[Check, ...]:
        repairs.append(repair)
        return (*checks, Check("blob", "error", "damaged"))

    app("doctor", doctor=lambda settings: checks, check_store=check_store)
    assert kezuri("doctor") == (
        0,
        "ok       user namespaces  allowed\n"
        "warning  uid range        none\n"
        "                          -> add a line to /etc/subuid\n"
        "                          -> then log in again\n",
        "",
    )
    code, out, _ = kezuri("store", "check", "--repair", "--format", "json")
    assert code == 1 and json.loads(out)[2] == {"name": "blob", "state": "error", "detail": "damaged", "remedy": ""}
    assert kezuri("store", "check")[0] == 1
    assert repairs == [True, False]


def test_demo(app: App) -> None:
    def demo(settings: Settings, listener: Listener, stand_ins: Callable[[str], None]) -> Demonstration:
        stand_ins("made from packages")
        listener(StepStarted(1, "a", 0.0))
        return Demonstration(8000, "hello\n", 1_500_000, 60_000_000, 3, 4, 2.04, "sha256:0123456789abcdef")

    more = {"example_directory": lambda: "/x", "NAME": "d:latest", "BASE": "go:1", "CONTAINER_PORT": 80}
    app("demo", demo=demo, **more)
    code, out, err = kezuri("demo")
    assert (code, err) == (0, "#1 a\n#1 CANCELED\n")
    assert out == (
        "building /x (a Go web server: go:1 to build, scratch to run)\n"
        "made from packages\n"
        "\nthe program in the image answered on port 8000: hello\n\n"
        "image       d:latest\n"
        "built on    60.0 MB compressed (go:1)\n"
        "what ships  1.5 MB compressed, 98 % less\n"
        "steps       3 ran, 4 from the cache, 2.0 s\n"
        "id          0123456789ab\n"
        "\ntry it yourself:  kezuri run --rm -p 8080:80 d\n"
    )


def test_bases(app: App) -> None:
    made: list[tuple[tuple[str, ...], str]] = []

    def make(settings: Settings, names: tuple[str, ...], out_dir: str, say: Callable[[str], None]) -> None:
        made.append((names, out_dir))
        say("making")

    listed = (("alpine:3.20", "small"), ("node:20", "Node"))
    app("bases", make=make, names=lambda: listed, is_offered=lambda name: name == "node:20.1")
    assert kezuri("bases")[1] == "NAME          WHAT IT IS\nalpine:3.20   small\nnode:20       Node\n"
    assert kezuri("bases", "node:20", "--out", "d") == (0, "", "making\n")
    assert kezuri("bases", "--all")[0] == 0
    assert made == [(("node:20",), "d"), (("alpine:3.20", "node:20"), "")]
    assert kezuri("bases", "node:20.1")[0] == 0 and made[-1] == (("node:20.1",), "")
    code, _, err = kezuri("bases", "node:21")
    assert code == 2 and "did you mean node:20?" in err
    assert kezuri("bases", "--out", "d")[0] == 2
