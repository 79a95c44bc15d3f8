"""No result is found again for a build that would give another one: pairs of builds that are alike but for one thing
that a key could miss."""

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.build.build_busybox import BUSYBOX, busybox_layout, busybox_tar
from tests.build.build_workshop import Workshop, tar_of

from kezuri.layer.decompression import decompress

BEFORE = 1_500_000_000


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return busybox_layout(tmp_path_factory.mktemp("stale") / "layout", busybox_tar())


def rename_over(path: Path) -> None:
    """As an editor or `cp -p` with a rename does it: same size, same name, an older time."""
    other = path.with_name("aside")
    other.write_text(path.read_text().swapcase())
    shutil.copymode(path, other)
    os.utime(other, (BEFORE - 1000, BEFORE - 1000))
    other.rename(path)


def write_in_place(path: Path) -> None:
    """Same inode, size and modification time: only the change time tells."""
    status = path.stat()
    with path.open("r+") as file:
        file.write(path.read_text().swapcase())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap(path: Path) -> None:
    """Two files of the same size and time change names."""
    other = path.with_name("other")
    other.rename(path.with_name("aside"))
    path.rename(other)
    path.with_name("aside").rename(path)


class TestContext:
    @pytest.mark.parametrize("edit", [rename_over, write_in_place, swap], ids=lambda edit: edit.__name__)
    @pytest.mark.parametrize("settled", [False, True], ids=["young", "settled"])
    def test_another_content_that_looks_the_same(
        self, shop: Workshop, edit: Callable[[Path], None], settled: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if settled:
            monkeypatch.setattr("kezuri.tree.stat_index._SETTLED", -(10**12))
        shop.write(d__f="content", d__other="another")
        for name in ("f", "other"):
            os.utime(shop.context / "d" / name, (BEFORE, BEFORE))
        shop.build("FROM scratch\nCOPY d/f /f\n")
        edit(shop.context / "d" / "f")
        wanted = (shop.context / "d" / "f").read_bytes()
        assert wanted != b"content"
        assert shop.files(shop.build()) == {"f": wanted}

    def test_names_of_one_file_that_become_files_of_their_own(self, shop: Workshop) -> None:
        """What a step writes to one name of a file is in all of them."""
        shop.write(d__a="same")
        os.link(shop.context / "d" / "a", shop.context / "d" / "b")
        text = "FROM scratch\nCOPY d /d\n"
        assert shop.files(shop.build(text))["d/b"] == "d/a", "a link"
        (shop.context / "d" / "b").unlink()
        shutil.copy2(shop.context / "d" / "a", shop.context / "d" / "b")
        assert shop.files(shop.build())["d/b"] == b"same"
        assert shop.said.ran == ["COPY d /d"]

    def test_a_directory_that_was_asked_for_and_one_that_only_holds_something(self, shop: Workshop) -> None:
        """The one takes its owner from the source, the other keeps the owner that it has in the image."""
        shop.write(d__f="f", e__x="x")
        above = "FROM scratch\nCOPY --chown=5:6 e /x/d/\n"
        owners = {}
        for words in ("d", "d/f"):
            result = shop.build(f"{above}COPY --parents {words} /x/\n")
            assert f"COPY --parents {words} /x/" in shop.said.ran
            last = shop.blob(shop.manifest(result)["layers"][-1]["digest"])
            owners[words] = _owner_of(last, "x/d")
        assert owners == {"d": (0, 0), "d/f": (5, 6)}

    @pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
    def test_the_umask_of_who_builds_is_in_no_result(self, shop: Workshop, mask: int) -> None:
        shop.write(d__f="f")
        (shop.context / "a.tar").write_bytes(tar_of(("in", b"x"), ("deep/er", b"y")))
        text = "FROM scratch AS a\nWORKDIR /w/x\nCOPY d /new/dir/\nADD a.tar /t/u/\nFROM scratch\nCOPY --from=a / /\n"
        os.chmod(shop.context / "d", 0o755)
        os.chmod(shop.context / "d" / "f", 0o644)
        old = os.umask(mask)
        try:
            result = shop.build(text)
        finally:
            os.umask(old)
        modes = _modes_of(shop.blob(shop.manifest(result)["layers"][-1]["digest"]))
        assert {mode for path, mode in modes.items() if not path.endswith(("f", "in", "er"))} == {0o755}
        assert {mode for path, mode in modes.items() if path.endswith(("f", "in", "er"))} == {0o644}

    def test_a_link_in_the_way_that_leads_elsewhere(self, shop: Workshop) -> None:
        shop.write(one__f="1", two__f="2")
        os.symlink("one", shop.context / "now")
        assert shop.files(shop.build("FROM scratch\nCOPY now/f /f\n"))["f"] == b"1"
        (shop.context / "now").unlink()
        os.symlink("two", shop.context / "now")
        assert shop.files(shop.build())["f"] == b"2"

    def test_what_is_left_out_by_another_route(self, shop: Workshop) -> None:
        shop.write(d__a="a", d__b="b")
        assert "d/b" in shop.files(shop.build("FROM scratch\nCOPY d /d\n"))
        assert "d/b" not in shop.files(shop.build("FROM scratch\nCOPY --exclude=b d /d\n"))
        assert "d/b" in shop.files(shop.build("FROM scratch\nCOPY --exclude=a d /d\n"))
        shop.write(**{".dockerignore": "d/a\n"})
        assert shop.files(shop.build("FROM scratch\nCOPY d /d\n")) == {"d": None, "d/b": b"b"}


class TestDestination:
    """What a COPY gives depends on what is there: equal sources are not enough."""

    @pytest.mark.parametrize("flags", ["", "--chmod=700 ", "--link --chmod=700 "])
    def test_a_directory_in_the_place_of_the_name(self, shop: Workshop, flags: str) -> None:
        shop.write(f="f", e__x="x")
        assert "p" in shop.files(shop.build(f"FROM scratch\nCOPY {flags}f /p\n"))
        files = shop.files(shop.build(f"FROM scratch\nCOPY e /p/\nCOPY {flags}f /p\n"))
        assert files["p/f"] == b"f"

    def test_a_link_in_the_place_of_the_name(self, shop: Workshop) -> None:
        shop.write(f="f", l__x="x")
        for target in ("here", "there"):
            (shop.context / "l" / "p").unlink(missing_ok=True)
            os.symlink(target, shop.context / "l" / "p")
            files = shop.files(shop.build("FROM scratch\nCOPY l /\nCOPY f /p/\n"))
            assert files[f"{target}/f"] == b"f"

    @pytest.mark.parametrize("instruction", ["COPY --chown=app f /f", "USER app\nWORKDIR /f"])
    def test_a_name_that_stands_for_another_number(self, shop: Workshop, instruction: str) -> None:
        shop.write(f="f")
        found = []
        for number in (5, 7):
            shop.write(etc__passwd=f"app:x:{number}:{number}::/:/bin/sh\n")
            result = shop.build(f"FROM scratch\nCOPY etc /etc/\n{instruction}\n")
            found.append(_owner_of(shop.blob(shop.manifest(result)["layers"][-1]["digest"]), "f"))
        assert found == [(5, 5), (7, 7)]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static")
class TestSteps:
    @pytest.fixture
    def out(self, shop: Workshop, base: Path) -> Callable[..., object]:
        def out(dockerfile: str, **more: Any) -> object:
            contexts = (*more.pop("build_contexts", ()), ("base", f"oci-layout://{base}"))
            return shop.files(shop.build(dockerfile, build_contexts=contexts, **more))["out"]

        return out

    @pytest.mark.parametrize("source", ["context", "stage", "cache"])
    def test_a_mount_of_a_directory_whose_name_looks_like_a_wildcard(
        self, shop: Workshop, out: Callable[..., object], source: str
    ) -> None:
        mount = {
            "context": "type=bind,source=app/[id]",
            "stage": "type=bind,from=a,source=/app/[id]",
            "cache": "type=cache,from=a,source=/app/[id]",
        }[source]
        text = f"FROM base AS a\nCOPY app /app\nFROM base\nRUN --mount={mount},target=/m cat /m/page > /out\n"
        for content in ("one", "two"):
            shop.write(**{"app__[id]__page": content, "app__i__page": "another directory"})
            assert out(text) == content.encode()

    def test_links_of_a_stage_that_lead_elsewhere(self, shop: Workshop, out: Callable[..., object]) -> None:
        shop.write(one="1", two="2")
        for target in ("one", "two"):
            text = f"FROM base AS a\nCOPY one two /\nRUN ln -s {target} /now\n"
            assert out(f"{text}FROM scratch\nCOPY --from=a /now /out\n") == shop.context.joinpath(target).read_bytes()

    def test_the_user_is_who_the_name_stands_for_now(self, shop: Workshop, out: Callable[..., object]) -> None:
        for number in (5, 7):
            shop.write(passwd=f"app:x:{number}:{number}::/h{number}:/bin/sh\n")
            text = "FROM base\nCOPY passwd /etc/passwd\nRUN touch /out && chmod 666 /out\nUSER app\nRUN id -u > /out\n"
            assert out(text) == f"{number}\n".encode()

    @pytest.mark.parametrize("mask", [0o000, 0o077])
    def test_the_umask_and_limits_of_who_builds_reach_no_step(self, out: Callable[..., object], mask: int) -> None:
        old = os.umask(mask)
        try:
            assert out("FROM base\nRUN umask > /out\n") == b"0022\n"
        finally:
            os.umask(old)

    def test_what_a_build_gives_its_steps(self, out: Callable[..., object]) -> None:
        assert out("FROM base\nRUN ulimit -n > /out\n", ulimits=(("nofile", 100, 100),)) == b"100\n"
        assert out("FROM base\nRUN ulimit -n > /out\n", ulimits=(("nofile", 200, 200),)) == b"200\n"

    def test_an_argument_by_another_route(self, out: Callable[..., object]) -> None:
        run = "RUN echo $A${B-unset} > /out\n"
        assert out(f"FROM base\nARG A=1\n{run}") == b"1unset\n"
        assert out(f"FROM base\nENV A=1\n{run}") == b"1unset\n"
        assert out(f"FROM base\nARG A=1\nARG B=\n{run}") == b"1\n"
        assert out(f"FROM base\nARG A=1\n{run}", build_args=(("A", "2"),)) == b"2unset\n"
        assert out(f"ARG A=3\nFROM base\nARG A\n{run}") == b"3unset\n"
        assert out(f"FROM base\nARG A\nARG B=1\n{run}") == b"1\n"

    def test_here_documents_shells_and_words(self, out: Callable[..., object]) -> None:
        assert out("FROM base\nRUN <<E\necho 1 > /out\nE\n") == b"1\n"
        assert out("FROM base\nRUN <<E\necho 2 > /out\nE\n") == b"2\n"
        assert out("FROM base\nRUN echo -n a\\ b > /out\n") == b"a b"
        assert out('FROM base\nSHELL ["/bin/sh","-xc"]\nRUN echo $- > /out\n') != out("FROM base\nRUN echo $- > /out\n")


def _entries(blob: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(decompress(io.BytesIO(blob), "layer").read()))


def _owner_of(blob: bytes, path: str) -> tuple[int, int]:
    with _entries(blob) as tar:
        member = tar.getmember(path)
        return member.uid, member.gid


def _modes_of(blob: bytes) -> dict[str, int]:
    with _entries(blob) as tar:
        return {member.name: member.mode for member in tar}
