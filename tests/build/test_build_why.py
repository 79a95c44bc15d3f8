"""`why` by scenario: something is changed between two builds, and the answer names just that."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import RUNS_STEPS, busybox_layout, busybox_tar, has_one_id
from tests.build.build_workshop import Workshop

from kezuri.app.prune import prune
from kezuri.app.request import SecretSource, Settings
from kezuri.app.why import why
from kezuri.cache.file_lists import FileLists
from kezuri.cache.journal import Journal
from kezuri.cli.why_text import WhyText
from kezuri.diagnostics import KezuriError
from kezuri.explain.answers import Explanation
from kezuri.store.store import Store

pytestmark = RUNS_STEPS

Answers = dict[str, list[str]]


@pytest.fixture(scope="session")
def tar() -> bytes:
    return busybox_tar()


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory, tar: bytes) -> Callable[..., Path]:
    """Layouts by what is in them; equal ones are made once."""
    made: dict[str, Path] = {}

    def base(more: str = "", **config: Any) -> Path:
        name = f"{more} {config}"
        if name not in made:
            made[name] = busybox_layout(tmp_path_factory.mktemp("base") / "layout", tar, more, config)
        return made[name]

    return base


class Shop(Workshop):
    """A workshop that asks why."""

    def __init__(self, directory: Path, base: Path) -> None:
        super().__init__(directory)
        self.base = base

    def build(self, dockerfile: str | None = None, **more: Any) -> Any:
        contexts = (*more.pop("build_contexts", ()), ("base", f"oci-layout://{self.base}"))
        return super().build(dockerfile, build_contexts=contexts, **more)

    def explain(self, build: int = 0) -> Explanation:
        return why(Settings(str(self.root)), build, str(self.context))

    def why(self, build: int = 0) -> Answers:
        """The reasons of each step that ran or failed, by its instruction."""
        explanation = self.explain(build)
        if explanation.quiet:
            assert not self.said.ran and not self.said.failed
            return {}
        text = WhyText(explanation)
        found: Answers = {}
        for answer in explanation.steps:
            if answer.step.outcome in ("ran", "failed"):
                head, *lines = text.step(answer)
                assert re.fullmatch(r"#\d+ \[.*\] .*   (ran|failed), \d+\.\d s", head)
                found[answer.step.title] = [re.sub(r"^ +(because: |and: )?", "", line) for line in lines]
        assert build or sorted(found) == sorted(self.said.ran + self.said.failed)
        return found

    def roots(self) -> list[str]:
        """What the build's seconds follow from."""
        lines = WhyText(self.explain()).roots()
        return sorted(re.sub(r"^.* s (of work )?(?=follow|are|went)", "", line) for line in lines)

    def again(self, dockerfile: str | None = None, **more: Any) -> Answers:
        """Build, and why that ran what it ran. Exactly what progress said ran has an answer."""
        self.build(dockerfile, **more)
        return self.why()


@pytest.fixture
def shop(tmp_path: Path, bases: Callable[..., Path]) -> Shop:
    shop = Shop(tmp_path, bases())
    shop.write(main="1", run="2", d__deep="3")
    return shop


TWO = "FROM base\nCOPY . /src/\nRUN cat /src/main > /out\n"
FOLLOWS = {"RUN cat /src/main > /out": ["step 1 (COPY . /src/) gave other files"]}
FIRST = "it was never built before, as far as the journal goes back"
NOTHING: Answers = {}


class TestFiles:
    """Of the context: what counts, and what does not."""

    def changed(self, shop: Shop, change: Callable[[Path], object]) -> list[str]:
        (shop.context / ".dockerignore").write_text("Dockerfile\n.dockerignore\n*.ignored\n")
        shop.build(TWO)
        assert shop.again() == NOTHING
        change(shop.context)
        found = shop.again()
        if not found:
            return []
        copied = found.pop("COPY . /src/")
        assert found == FOLLOWS and len(copied) == 1
        return copied

    def test_the_time_of_a_file_does_not_count(self, shop: Shop) -> None:
        assert self.changed(shop, lambda c: os.utime(c / "main", (1, 1))) == []

    def test_content(self, shop: Shop) -> None:
        assert self.changed(shop, lambda c: (c / "main").write_text("x")) == ["files differ: main (content)"]
        assert shop.roots() == ["follow from main"]

    def test_mode(self, shop: Shop) -> None:
        assert self.changed(shop, lambda c: (c / "run").chmod(0o755)) == ["files differ: run (mode 0644 -> 0755)"]

    def test_content_and_mode(self, shop: Shop) -> None:
        def change(context: Path) -> None:
            (context / "run").write_text("x")
            (context / "run").chmod(0o600)

        assert self.changed(shop, change) == ["files differ: run (content, mode 0644 -> 0600)"]

    @pytest.mark.skipif(has_one_id(), reason="needs another id to give a file to")
    def test_the_owner_on_this_machine_does_not_count(self, shop: Shop) -> None:
        assert self.changed(shop, lambda c: os.chown(c / "main", 7, 8)) == []

    def test_new(self, shop: Shop) -> None:
        assert self.changed(shop, lambda c: (c / "d" / "notes").write_text("n")) == ["files differ: d/notes (new)"]

    def test_deleted(self, shop: Shop) -> None:
        assert self.changed(shop, lambda c: (c / "run").unlink()) == ["files differ: run (gone)"]

    def test_renamed(self, shop: Shop) -> None:
        moved = self.changed(shop, lambda c: (c / "run").rename(c / "d" / "walk"))
        assert moved == ["files differ: d/walk (renamed from run)"]

    def test_a_link_that_points_elsewhere(self, shop: Shop) -> None:
        (shop.context / "link").symlink_to("a b+%")

        def change(context: Path) -> None:
            (context / "link").unlink()
            (context / "link").symlink_to("run")

        assert self.changed(shop, change) == ["files differ: link (target a b+% -> run)"]

    def test_a_file_that_becomes_a_directory(self, shop: Shop) -> None:
        def change(context: Path) -> None:
            (context / "run").unlink()
            (context / "run").mkdir()

        assert self.changed(shop, change) == ["files differ: run (file -> directory)"]

    def test_extended_attributes(self, shop: Shop) -> None:
        try:
            os.setxattr(shop.context / "main", "user.probe", b"1")
        except OSError:
            pytest.skip("no extended attributes here")
        changed = self.changed(shop, lambda c: os.setxattr(c / "main", "user.probe", b"2"))
        assert changed == ["files differ: main (extended attributes)"]

    def test_a_new_file_that_is_ignored(self, shop: Shop) -> None:
        assert self.changed(shop, lambda c: (c / "x.ignored").write_text("n")) == []

    def test_a_rule_that_hides_a_file(self, shop: Shop) -> None:
        def change(context: Path) -> None:
            with (context / ".dockerignore").open("a") as file:
                file.write("run\n")

        assert self.changed(shop, change) == ["files differ: run (gone)"]

    def test_the_same_files_of_a_context_and_of_a_stage(self, shop: Shop) -> None:
        """Their digest is the same, their paths are not."""
        text = "FROM base AS a\nCOPY d /deep/down\nRUN true\nFROM base\nCOPY --from=a /deep/down /x\nCOPY d /y\n"
        shop.build(text)
        shop.write(d__deep="other")
        found = shop.again()
        assert found["COPY d /deep/down"] == ["files differ: d/deep (content)"]
        assert found["COPY d /y"][-1] == "files differ: d/deep (content)"
        assert found["COPY --from=a /deep/down /x"][0] == "files differ in the stage a: deep/down/deep (content)"

    def test_what_is_stored_of_a_build_that_a_prune_came_across(self, shop: Shop) -> None:
        shop.build(TWO)
        with Store(str(shop.root)) as store:
            kept = {digest for digest, _ in FileLists(store.database).sizes()}
            prune(Settings(str(shop.root)), all=True)
            FileLists(store.database).keep("sha256:of a build that has not ended", "x")
            prune(Settings(str(shop.root)), all=True)
            left = {digest for digest, _ in FileLists(store.database).sizes()}
        assert kept and left == {*kept, "sha256:of a build that has not ended"}

    def test_many(self, shop: Shop) -> None:
        def change(context: Path) -> None:
            for i in range(9):
                (context / f"n{i}").write_text(f"{i}")

        assert self.changed(shop, change) == [
            "files differ: " + ", ".join(f"n{i} (new)" for i in range(6)) + ", and 3 more"
        ]
        assert shop.roots() == ["follow from n0, n1, n2 and 6 more files"]

    def test_files_that_a_step_does_not_take(self, shop: Shop) -> None:
        shop.build("FROM base\nCOPY main /\nRUN true")
        shop.write(run="other")
        assert shop.again() == NOTHING


class TestInstructions:
    def test_an_argument_that_a_step_sees(self, shop: Shop) -> None:
        text = "FROM base\nARG VERSION=1.2\nRUN echo one\nARG LATER=1\nRUN echo two\n"
        shop.build(text)
        assert shop.again(build_args=(("VERSION", "1.3"),)) == {
            "RUN echo one": ['ARG VERSION: "1.2" -> "1.3"'],
            "RUN echo two": ["step 1 (RUN echo one) ran again", 'ARG VERSION: "1.2" -> "1.3"'],
        }
        assert shop.roots() == ["follow from ARG VERSION"]

    def test_an_argument_that_no_step_sees_yet_or_ever(self, shop: Shop) -> None:
        shop.build("FROM base\nRUN echo one\nARG LATER=1\nRUN echo two\n")
        assert shop.again(build_args=(("LATER", "2"),)) == {"RUN echo two": ['ARG LATER: "1" -> "2"']}
        assert shop.again(build_args=(("LATER", "2"), ("UNKNOWN", "5"))) == NOTHING

    def test_env_set_changed_and_taken_away(self, shop: Shop) -> None:
        shop.build("FROM base\nRUN true\n")
        assert shop.again("FROM base\nENV A=1\nRUN true\n") == {"RUN true": ['ENV A is new: "1"']}
        assert shop.again("FROM base\nENV A=2\nRUN true\n") == {"RUN true": ['ENV A: "1" -> "2"']}
        assert shop.again("FROM base\nENV B=2\nRUN true\n") == {
            "RUN true": ['ENV A is gone, it was "2"', 'ENV B is new: "2"']
        }

    def test_values_that_look_secret_are_not_shown(self, shop: Shop) -> None:
        text = "FROM base\nARG API_TOKEN=hunter2\nARG URL=http://me:hunter2@host/\nRUN true\n"
        shop.build(text)
        assert shop.again(build_args=(("API_TOKEN", "hunter3"), ("URL", "http://me:hunter3@host/"))) == {
            "RUN true": [
                "ARG API_TOKEN has another value",
                "ARG URL has another value",
            ]
        }
        assert "hunter" not in repr(shop.explain().steps[0].because) + repr(shop.explain().roots)

    def test_text(self, shop: Shop) -> None:
        shop.build("FROM base\nRUN echo a > /a\nRUN echo b\n")
        assert shop.again("FROM base\nRUN echo a > /c\nRUN echo b\n") == {
            "RUN echo a > /c": ['the instruction changed: "RUN echo a > /a" -> "RUN echo a > /c"'],
            "RUN echo b": ["step 1 (RUN echo a > /c) ran again"],
        }
        assert shop.roots() == ["follow from the changed instruction of step 1 (RUN echo a > /c)"]

    def test_text_of_a_copy(self, shop: Shop) -> None:
        shop.build("FROM base\nCOPY main /\n")
        changed = shop.again("FROM base\nCOPY run /\n")
        assert changed == {"COPY run /": ['the instruction changed: "COPY main /" -> "COPY run /"']}

    def test_an_instruction_that_is_put_in_above(self, shop: Shop) -> None:
        shop.build(TWO)
        assert shop.again(TWO.replace("COPY", "RUN echo new\nCOPY")) == {
            "RUN echo new": ["the instruction is new"],
            "COPY . /src/": ["step 1 (RUN echo new) was not there before it", "files differ: Dockerfile (content)"],
            "RUN cat /src/main > /out": ["step 1 (RUN echo new) was not there before it"],
        }
        assert shop.roots() == ["follow from the new step 1 (RUN echo new)"]

    def test_an_instruction_that_is_taken_out(self, shop: Shop) -> None:
        shop.build("FROM base\nRUN echo one\nRUN echo two\nRUN echo three\n")
        gone = ["an instruction before it was taken out: RUN echo one"]
        assert shop.again("FROM base\nRUN echo two\nRUN echo three\n") == {"RUN echo two": gone, "RUN echo three": gone}

    def test_a_line_above_that_makes_no_files(self, shop: Shop) -> None:
        shop.build("FROM base\nRUN echo one\n")
        assert shop.again("# a comment\nFROM base\nLABEL a=b\nRUN echo one\n") == NOTHING
        assert [a.step.line for a in shop.explain().steps] == [4]

    def test_here_documents(self, shop: Shop) -> None:
        text = "FROM base\nCOPY <<EOF /f\none\ntwo\nEOF\nRUN <<EOF\necho a\necho b\nEOF\n"
        shop.build(text)
        assert shop.again(text.replace("echo b", "echo c")) == {
            "RUN <<EOF": ['here-document, line 2: "echo b" -> "echo c"']
        }
        assert shop.again(text.replace("two", "2").replace("echo b", "echo c")) == {
            "COPY <<EOF /f": ['here-document EOF, line 2: "two" -> "2"'],
            "RUN <<EOF": ["step 1 (COPY <<EOF /f) gave other files"],
        }

    def test_directory_user_and_shell(self, shop: Shop) -> None:
        shop.build("FROM base\nWORKDIR /a\nUSER app\nRUN true\n")
        assert shop.again("FROM base\nWORKDIR /a\nUSER root\nRUN true\n") == {"RUN true": ['USER: "app" -> "root"']}
        moved = shop.again("FROM base\nWORKDIR /b\nUSER root\nRUN true\n")
        assert moved == {
            "WORKDIR /b": ['the instruction changed: "WORKDIR /a" -> "WORKDIR /b"'],
            "RUN true": ["step 1 (WORKDIR /b) gave other files", 'WORKDIR: "/a" -> "/b"'],
        }
        shell = shop.again('FROM base\nWORKDIR /b\nUSER root\nSHELL ["/bin/ash", "-ec"]\nRUN true\n')
        assert shell == {"RUN true": ["SHELL: /bin/sh -c -> /bin/ash -ec"]}

    def test_who_logs_in_is_not_shown_of_an_instruction(self, shop: Shop) -> None:
        shop.build("FROM base\nRUN echo http://me:hunter2@host/\n")
        shop.build("FROM base\nRUN echo http://me:hunter3@host/ again\n")
        explanation = shop.explain()
        (step,) = explanation.steps
        assert step.because[0].after == "RUN echo http://(hidden)@host/ again"
        assert "hunter" not in "".join(WhyText(explanation).step(step)) and "hunter" not in repr(step.step.title)

    def test_a_stage_that_is_built_for_two_platforms(self, shop: Shop) -> None:
        text = (
            "FROM --platform=$BUILDPLATFORM base AS b\nCOPY main /\nARG TARGETARCH\n"
            "RUN echo $TARGETARCH > /out && cat /main >> /out\nFROM scratch\nCOPY --from=b /out /\n"
        )
        shop.build(text, platforms=("linux/amd64", "linux/arm64"))
        shop.write(main="edited")
        shop.build(text, platforms=("linux/amd64", "linux/arm64"))
        explanation = shop.explain()
        assert {b.kind for s in explanation.steps for b in s.because} == {"files", "step"}
        assert shop.roots() == ["follow from main"]


class TestBases:
    def test_another_digest_with_the_same_layers(self, shop: Shop, bases: Callable[..., Path]) -> None:
        shop.build(TWO)
        shop.base = bases(Labels={"a": "b"})
        assert shop.again() == NOTHING

    def test_other_layers(self, shop: Shop, bases: Callable[..., Path]) -> None:
        shop.build("FROM base\nRUN echo one\nCOPY --link main /linked\nRUN echo two\n")
        shop.base = bases("more")
        found = shop.again()
        assert sorted(found) == ["RUN echo one", "RUN echo two"]
        assert re.fullmatch(r"the image base is another one: [0-9a-f]{12} -> [0-9a-f]{12}", found["RUN echo one"][0])
        assert found["RUN echo two"] == found["RUN echo one"]
        assert shop.roots() == ["follow from the base image base"]

    def test_another_name(self, shop: Shop, bases: Callable[..., Path]) -> None:
        more = {"build_contexts": (("other", f"oci-layout://{bases('more')}"),)}
        shop.build("FROM base\nRUN echo one\n", **more)
        found = shop.again("FROM other\nRUN echo one\n", **more)
        assert found == {"RUN echo one": ["it stands on other, which was base"]}

    def test_a_trigger_of_a_base_that_changed(self, shop: Shop, bases: Callable[..., Path]) -> None:
        shop.build("FROM base\nRUN echo one\n")
        shop.base = bases(OnBuild=["RUN echo trigger"])
        assert shop.again() == {
            "RUN echo trigger": ["an ONBUILD instruction of the base image, which is new"],
            "RUN echo one": ["step 1 (RUN echo trigger) was not there before it"],
        }


class TestWhatNeverCounts:
    def test_the_value_of_a_secret(self, shop: Shop) -> None:
        text = "FROM base\nRUN --mount=type=secret,id=s cat /run/secrets/s\n"
        secrets = (SecretSource("s", "file", str(shop.directory / "secret")),)
        (shop.directory / "secret").write_text("hunter1")
        shop.build(text, secrets=secrets)
        (shop.directory / "secret").write_text("hunter2")
        assert shop.again(secrets=secrets) == NOTHING
        for path in shop.root.glob("kezuri.db*"):
            assert b"hunter" not in path.read_bytes()

    def test_the_proxy(self, shop: Shop) -> None:
        shop.build("FROM base\nRUN true\n", build_args=(("HTTP_PROXY", "http://a:1"),))
        assert shop.again(build_args=(("HTTP_PROXY", "http://b:1"),)) == NOTHING

    def test_the_umask_of_the_caller(self, shop: Shop) -> None:
        text = (
            "FROM base AS one\nRUN --mount=type=bind,target=/src,source=d stat -c %a / /src > /seen\n"
            'FROM scratch\nCOPY --from=one /bin /bin\nRUN ["/bin/stat", "-c", "%a", "/"]\n'
        )
        before = os.umask(0o077)
        try:
            shop.build(text)
        finally:
            os.umask(before)
        assert shop.said.output == b"755\n"
        assert shop.files(shop.build(text, target="one"))["seen"] == b"755\n755\n"
        assert shop.said.ran == []

    def test_what_a_cache_mount_holds(self, shop: Shop) -> None:
        cache = "--mount=type=cache,target=/c"
        shop.build(f"FROM base\nRUN {cache} echo 1 > /c/f\n")
        assert list(shop.again(f"FROM base\nRUN {cache} echo 1 > /c/f\nRUN {cache} echo 2 > /c/f\n")) == [
            f"RUN {cache} echo 2 > /c/f"
        ]
        assert shop.again() == NOTHING


STAGES = """\
FROM base AS build
COPY main run /src/
RUN cp /src/* /tmp
FROM base
COPY --from=build /src/run /r
RUN cat /r
"""


class TestStages:
    def test_a_stage_that_was_built_again_to_the_same_files(self, shop: Shop) -> None:
        shop.build(STAGES)
        shop.write(main="other")
        assert shop.again() == {
            "COPY main run /src/": ["files differ: main (content)"],
            "RUN cp /src/* /tmp": ["step 1 (COPY main run /src/) gave other files"],
        }

    def test_a_cascade_across_stages(self, shop: Shop) -> None:
        shop.build(STAGES)
        shop.write(run="other")
        assert shop.again() == {
            "COPY main run /src/": ["files differ: run (content)"],
            "RUN cp /src/* /tmp": ["step 1 (COPY main run /src/) gave other files"],
            "COPY --from=build /src/run /r": [
                "files differ in the stage build: src/run (content)",
                "where step 1 (COPY main run /src/) gave other files",
            ],
            "RUN cat /r": ["step 3 (COPY --from=build /src/run /r) gave other files"],
        }
        assert shop.roots() == ["follow from run"]

    def test_a_stage_on_a_stage(self, shop: Shop) -> None:
        shop.build("FROM base AS one\nCOPY main /\nFROM one AS two\nRUN echo two\nFROM two\nRUN echo three\n")
        shop.write(main="other")
        follows = ["step 1 (COPY main /) gave other files"]
        assert shop.again() == {
            "COPY main /": ["files differ: main (content)"],
            "RUN echo two": follows,
            "RUN echo three": follows,
        }

    def test_a_bound_file(self, shop: Shop) -> None:
        text = "FROM base\nRUN --mount=type=bind,target=/src,source=d cat /src/deep\n"
        title = "RUN --mount=type=bind,target=/src,source=d cat /src/deep"
        shop.build(text)
        assert shop.again() == NOTHING
        shop.write(d__deep="other", main="other")
        assert shop.again() == {title: ["files at /src differ: d/deep (content)"]}

    def test_a_file_bound_from_a_stage(self, shop: Shop) -> None:
        title = "RUN --mount=from=s,source=/x,target=/x ls -ld /x > /seen"
        text = f"FROM base AS s\nCOPY main /x/\nFROM base\n{title}\n"
        shop.build(text)
        shop.write(main="other")
        found = shop.again()
        assert found[title] == [
            "files at /x differ in the stage s: x/main (content)",
            "where step 1 (COPY main /x/) gave other files",
        ]

    def test_a_bound_directory_shows_its_own_mode(self, shop: Shop) -> None:
        title = "RUN --mount=from=s,source=/x,target=/x stat -c %a /x > /seen"
        text = f"FROM base AS s\nRUN mkdir -m 700 /x\nFROM base\n{title}\n"
        assert shop.files(shop.build(text))["seen"] == b"700\n"
        result = shop.build(text.replace("700", "755"))
        assert shop.files(result)["seen"] == b"755\n"
        assert shop.why()[title][0] == "files at /x differ in the stage s: x (mode 0700 -> 0755)"

    def test_what_seeds_a_cache_counts(self, shop: Shop) -> None:
        title = "RUN --mount=type=cache,id=c,from=s,source=/x,target=/x cat /x/main > /seen"
        text = f"FROM base AS s\nCOPY main /x/\nFROM base\n{title}\n"
        assert shop.files(shop.build(text))["seen"] == b"1"
        shop.write(main="other")
        assert shop.files(shop.build())["seen"] == b"other"
        assert shop.why()[title][0] == "files that seed /x differ in the stage s: x/main (content)"

    def test_two_targets(self, shop: Shop) -> None:
        text = "FROM base AS one\nRUN echo one\nFROM one AS two\nRUN echo two\n"
        shop.build(text, target="one")
        assert shop.again(target="two") == {"RUN echo two": ["the stage is new"]}
        assert shop.again(text.replace("echo one", "echo 1"), target="two") == {
            "RUN echo 1": ['the instruction changed: "RUN echo one" -> "RUN echo 1"'],
            "RUN echo two": ["step 1 (RUN echo 1) ran again"],
        }
        # The other target is compared with its own last build, and finds what this one made.
        assert shop.again(target="one") == NOTHING

    def test_what_another_target_built_is_a_reason_too(self, shop: Shop) -> None:
        text = "FROM base AS low\nCOPY main /\nFROM low AS one\nRUN echo one\nFROM low AS two\nRUN echo two\n"
        shop.build(text, target="one")
        shop.build(target="two")
        shop.write(main="other")
        shop.build(target="two")
        assert shop.again(target="one") == {
            "RUN echo one": ["step 1 (COPY main /) has another result than in build 1: files differ: main (content)"]
        }
        assert shop.roots() == ["follow from main"]


class TestTheCache:
    def test_no_cache(self, shop: Shop) -> None:
        shop.build(TWO)
        said = ["earlier results were not to be used (--no-cache)"]
        assert shop.again(no_cache=True) == {"COPY . /src/": said, "RUN cat /src/main > /out": said}
        assert shop.roots() == ["follow from --no-cache"]

    def test_no_cache_filter(self, shop: Shop) -> None:
        shop.build("FROM base AS one\nRUN echo one\nFROM one AS two\nRUN echo two\n")
        assert shop.again(no_cache_filter=("one",)) == {
            "RUN echo one": ["earlier results of its stage were not to be used (--no-cache-filter)"],
            "RUN echo two": ["step 1 (RUN echo one) ran again"],
        }
        assert shop.roots() == ["follow from --no-cache-filter"]

    def test_pruned(self, shop: Shop) -> None:
        shop.build(TWO)
        prune(Settings(str(shop.root)), all=True)
        assert shop.again() == {
            "COPY . /src/": ["it was built before with the same key, but the result was pruned"],
            "RUN cat /src/main > /out": ["it was built before with the same key, but the result was pruned"],
        }
        assert shop.roots() == ["are for results that were pruned"]

    def test_a_layer_that_is_gone(self, shop: Shop) -> None:
        shop.build("FROM base\nRUN echo one\nRUN echo two\n")
        with Store(str(shop.root)) as store:
            first = shop.explain().steps[0].step.layer
            for form in store.database.forms(first):
                store.database.drop_form(first, form.encoder)
            (row,) = store.database.directories(first)
            shutil.rmtree(store.layer_directory(row.name))
            store.database.drop_directory(first)
        assert shop.again() == {
            "RUN echo one": ["it was built before with the same key, but its layer is not in the store any more"],
            "RUN echo two": ["step 1 (RUN echo one) ran again"],
        }
        assert shop.roots() == ["are for layers that are not in the store any more"]

    def test_a_failure_and_what_mended_it(self, shop: Shop) -> None:
        text = "FROM base\nCOPY main /\nRUN test $(cat /main) = good\nRUN echo after\n"
        for _ in range(2):
            with pytest.raises(KezuriError):
                shop.build(text)
        assert shop.why() == {
            "RUN test $(cat /main) = good": [
                "it ran before with the same key and failed; only what succeeds is kept",
                shop.explain().steps[1].step.message and f"it failed: {shop.explain().steps[1].step.message}",
            ]
        }
        assert [a.step.outcome for a in shop.explain().steps] == ["cached", "failed", "not reached"]
        assert shop.explain().error
        shop.write(main="good")
        assert shop.again() == {
            "COPY main /": ["files differ: main (content)"],
            "RUN test $(cat /main) = good": ["step 1 (COPY main /) gave other files"],
            "RUN echo after": [FIRST],
        }

    def test_a_step_behind_a_failure_is_compared_with_the_time_it_ran(self, shop: Shop) -> None:
        text = "FROM base\nCOPY main /\nRUN test -e /main\nRUN echo after\n"
        shop.build(text)
        shop.write(main="2")
        with pytest.raises(KezuriError):
            shop.build(text.replace("test -e /main", "false"))
        assert shop.again(text.replace("test -e /main", "true")) == {
            "RUN true": ['the instruction changed: "RUN false" -> "RUN true"'],
            "RUN echo after": ["step 1 (COPY main /) has another result than in build 1: files differ: main (content)"],
        }

    def test_a_source_that_is_missing(self, shop: Shop) -> None:
        with pytest.raises(KezuriError):
            shop.build("FROM base\nRUN true\nCOPY nothing /\n")
        steps = shop.explain().steps
        assert [a.step.outcome for a in steps] == ["ran", "failed"]
        assert '"nothing" was not found' in steps[1].step.message

    def test_an_equal_step_of_the_same_build(self, shop: Shop) -> None:
        shop.build("FROM base AS a\nRUN echo same\nFROM base\nRUN echo same\nCOPY --from=a /etc/group /g\n")
        outcomes = sorted(a.step.outcome for a in shop.explain().steps if a.step.kind == "RUN")
        assert outcomes in (["ran", "shared"], ["cached", "ran"])

    def test_a_change_in_equal_steps_of_two_stages(self, shop: Shop) -> None:
        text = "FROM base AS a\nCOPY main /\nRUN sleep 0.1; echo a\nFROM base\nCOPY main /\nRUN echo b\n"
        text += "COPY --from=a /etc/group /g\n"
        shop.build(text)
        shop.write(main="other")
        shop.build()
        text_of = WhyText(shop.explain())
        for answer in shop.explain().steps:
            lines = list(text_of.step(answer))
            if answer.step.title == "COPY main /":
                assert answer.step.outcome in ("ran", "shared")
                assert lines[-1] == "   because: files differ: main (content)"
            elif answer.step.kind == "RUN":
                assert re.fullmatch(r"   because: step [13] \(COPY main /\) gave other files", lines[-1])
        assert shop.roots() == ["follow from main"]

    def test_the_first_build_and_its_neighbours(self, shop: Shop, tmp_path: Path, bases: Callable[..., Path]) -> None:
        shop.build("FROM base\nENV A=1\nRUN echo one\n")
        assert shop.why() == {"RUN echo one": [FIRST]}
        other = Shop(tmp_path / "other", bases())
        other.root = shop.root
        assert other.again("FROM base\nENV A=2\nRUN echo one\n") == {
            "RUN echo one": [
                FIRST,
                'the nearest result of another build differs in ENV A: "1" -> "2"',
            ]
        }

    def test_what_is_remembered_is_bounded(self, shop: Shop) -> None:
        for i in range(23):
            shop.build(f"FROM scratch\nCOPY <<EOF /f\n{i}\nEOF\n")
        with Store(str(shop.root)) as store:
            assert [h.number for h in Journal(store.database).headings()] == list(range(23, 3, -1))
        assert list(shop.why(23).values()) == [['here-document EOF, line 1: "21" -> "22"']]

    def test_a_build_that_finds_everything_writes_one_moment(self, shop: Shop) -> None:
        shop.build(TWO)
        shop.build()
        with Store(str(shop.root)) as store:
            (row,) = Journal(store.database).headings()
            assert row.repeated > row.began
        assert shop.explain().quiet and not shop.explain(1).quiet

    def test_advice(self, shop: Shop) -> None:
        (shop.context / ".dockerignore").write_text("Dockerfile\n")
        text = "FROM base\nCOPY . /src/\nRUN echo npm ci\n"
        shop.write(**{".git__HEAD": "1", "package.json": "{}"})
        shop.build(text)
        shop.write(main="2", **{".git__HEAD": "2"})
        shop.build()
        assert shop.explain().advice == (
            "leave .git out with .dockerignore: what changes there makes step 1 run again",
            "COPY package.json and package-lock.json alone before step 2 (RUN echo npm ci) and the rest after it: "
            "then it runs only when these change",
        )
        shop.write(**{"package.json": "{ }"})
        shop.build()
        assert shop.explain().advice == ()
