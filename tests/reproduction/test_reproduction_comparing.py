"""Two builds compared: causes told from what follows, and what a user lets pass."""

from collections.abc import Mapping, Sequence
from typing import Any

from kezuri.reproduction.comparing import compared
from kezuri.reproduction.passing import without
from kezuri.reproduction.values import LeftEntry, Made, Reproduction, StepLeft, StepUnlike

CREATED = "2026-11-28T00:00:00Z"


def entry(data: bytes = b"", **changed: object) -> LeftEntry:
    from hashlib import sha256

    made = LeftEntry("file", 0o644, (0, 0), len(data), 0, "", (), sha256(data).digest())
    return made._replace(**changed)  # type: ignore[arg-type]


class Twin:
    """Two builds that are put together step by step: of each path the bytes, or the entry, in both."""

    def __init__(self) -> None:
        self.steps: tuple[list[StepLeft], list[StepLeft]] = ([], [])
        self.bytes: dict[tuple[int, int], dict[str, tuple[bytes, bytes]]] = {}

    def step(
        self,
        stage: int,
        text: str,
        files: Mapping[str, tuple[bytes, bytes]],
        stages: tuple[int, ...] = (),
        **entries: Any,
    ) -> "Twin":
        position = sum(one.stage == stage for one in self.steps[0])
        self.bytes[stage, position] = dict(files)
        for side in (0, 1):
            left = {path: entry(pair[side]) for path, pair in files.items()}
            left |= {path: pair[side] for path, pair in entries.items() if pair[side] is not None}
            name = f"stage-{stage} {position}"
            kind = text.partition(" ")[0]
            self.steps[side].append(
                StepLeft(stage, position, name, text, 1 + len(self.steps[side]), kind, stages, left)
            )
        return self

    def compared(self, dated: bool = False) -> tuple[StepUnlike, ...]:
        one, two = (
            Made(f"sha256:{side}", {"created": CREATED, "config": {}}, tuple(self.steps[side]), 100.0 + side, 101.0)
            for side in (0, 1)
        )

        def contents(step: StepLeft, paths: Sequence[str]) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
            known = self.bytes[step.stage, step.position]
            return {path: known[path][0] for path in paths}, {path: known[path][1] for path in paths}

        return compared(one, two, contents, dated)


def told(steps: tuple[StepUnlike, ...]) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    return [(step.name, step.follows, [(u.path, u.what, u.kind) for u in step.found]) for step in steps]


TIMES = (b"at 10:00:01\n", b"at 11:01:02\n")
SAME = (b"x", b"x")
OTHER = (b"some\n", b"thing\n")


def test_a_copy_follows_the_stage_that_it_copies_from() -> None:
    twin = Twin().step(0, "RUN date > /when", {"when": TIMES}).step(1, "COPY --from=a /when /", {"when": TIMES}, (0,))
    twin.step(1, "RUN make", {"made": OTHER}).step(1, "RUN date", {"now": TIMES}).step(2, "RUN other", {"o": OTHER})
    assert told(twin.compared()) == [
        ("stage-0 0", "", [("when", "bytes", "time")]),
        ("stage-1 0", "stage-0 0", [("when", "bytes", "time")]),
        ("stage-1 1", "stage-0 0", [("made", "bytes", "content")]),
        ("stage-1 2", "", [("now", "bytes", "time")]),
        ("stage-2 0", "", [("o", "bytes", "content")]),
    ]


def test_times_and_modes_of_files_are_no_cause() -> None:
    twin = Twin().step(0, "COPY a /", {"a": SAME}, b=(entry(mtime=1), entry(mtime=2)), c=(entry(), entry(mode=0o664)))
    twin.step(0, "RUN x", {"y": OTHER})
    first, second = twin.compared()
    assert [(u.path, u.what) for u in first.found] == [("b", "mtime"), ("c", "mode")] and not second.follows
    assert "--chmod" in first.found[1].mending and "--build-arg SOURCE_DATE_EPOCH" in first.found[0].mending
    assert "older than SOURCE_DATE_EPOCH" in twin.compared(dated=True)[0].found[0].mending


def test_modes_are_copied_from_a_stage() -> None:
    loose: dict[str, Any] = {"a": (entry(), entry(mode=0o664))}
    twin = Twin().step(0, "COPY a /", {}, **loose).step(1, "COPY --from=x /a /", {}, (0,), **loose)
    twin.step(1, "COPY a /b", {}, **loose).step(2, "COPY --from=y /a /", {}, (1,), **loose)
    assert [step.follows for step in twin.compared()] == ["", "stage-0 0", "", "stage-0 0"]


def test_what_the_command_says_that_wrote_it() -> None:
    text = "RUN echo $RANDOM > /r && date +%j >/srv/d; cat /proc/meminfo | head > 'm' && make > o && ls > date"
    text += " && python3 x > p"
    files = dict.fromkeys(("r", "srv/d", "m", "o", "q", "date"), OTHER)
    (step,) = Twin().step(0, text, files | {"p": (b"a b\n", b"b a\n")}).compared()
    known = {u.path: u for u in step.found}
    kinds = {path: unlike.kind for path, unlike in known.items()}
    content = dict.fromkeys(("m", "o", "q"), "content")
    assert kinds == {"r": "random", "srv/d": "time", "date": "content", "p": "order"} | content
    assert known["m"].about.startswith("what the machine says") and known["m"].mending and not known["o"].mending
    assert "PYTHONHASHSEED=0" in known["p"].mending


def test_what_only_one_has() -> None:
    only: dict[str, Any] = {"tmp/a1": (entry(), None), "tmp/b2": (None, entry()), "long": (None, entry())}
    twin = Twin().step(0, "RUN x", {}, **only)
    assert told(twin.compared()) == [
        ("stage-0 0", "", [("long", "new", "content"), ("tmp/a1", "gone", "random"), ("tmp/b2", "new", "random")])
    ]


def test_other_things_of_an_entry() -> None:
    pairs: dict[str, Any] = {
        "a": (entry(kind="dir"), entry(kind="file")),
        "b": (entry(kind="symlink", link="x"), entry(kind="symlink", link="y")),
        "c": (entry(), entry(owner=(1, 2))),
        "d": (entry(), entry(attributes=(("user.x", b"1"),))),
    }
    (step,) = Twin().step(0, "RUN x", {}, **pairs).compared()
    assert [u.what for u in step.found] == ["kind", "link", "owner", "attributes"]


def test_what_is_known_of_paths() -> None:
    files = {"etc/shadow": OTHER, "usr/lib/x.pyc": OTHER, "var/log/apt/history.log": TIMES, "a.gz": OTHER}
    (step,) = Twin().step(0, "RUN x", files).compared()
    known = {u.path: (u.kind, u.mending) for u in step.found}
    assert known["etc/shadow"][0] == "time" and "useradd" in known["etc/shadow"][1]
    assert "PYTHONDONTWRITEBYTECODE" in known["usr/lib/x.pyc"][1]
    assert "/var/log/apt" in known["var/log/apt/history.log"][1] and known["a.gz"][1] == "gzip -n"


def test_the_config() -> None:
    histories = [{"created_by": "x", "created": f"{side}"} for side in (1, 2)]
    one, two = (
        Made(
            "sha256:x",
            {"created": each["created"], "history": [each], "config": {"User": side}, "rootfs": side},
            (),
            0,
            1,
        )
        for side, each in enumerate(histories)
    )
    (step,) = compared(one, two, lambda step, paths: ({}, {}))
    assert [(u.path, u.kind) for u in step.found] == [("created", "time"), ("history", "time"), ("config", "config")]


def test_what_is_let_pass() -> None:
    files = {"var/log/a": TIMES, "var/log/apt/b": TIMES, "srv/x.log": TIMES, "srv/deep/y.log": TIMES}
    found = Reproduction("a", "b", (), (), Twin().step(0, "RUN x", files).compared())
    for patterns, paths in (
        ([], sorted(files)),
        (["var/log"], ["srv/deep/y.log", "srv/x.log"]),
        (["/var/log/**", "srv/*.log"], ["srv/deep/y.log"]),
        (["**/*.log"], ["var/log/a", "var/log/apt/b"]),
        (["**"], []),
    ):
        left, passed = without(found, patterns)
        assert [u.path for step in left.steps for u in step.found] == paths
        assert passed == len(files) - len(paths)
