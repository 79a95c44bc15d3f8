"""Opening the build context, its Dockerfile and its ignore file."""

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.source.source_trees import make

from kezuri.diagnostics import KezuriError
from kezuri.source import context as contexts
from kezuri.source import reading
from kezuri.source.context import open_context, open_named
from kezuri.tree.selection import SourceError, select


@pytest.fixture
def root(tmp_path: os.PathLike[str]) -> str:
    return make(
        f"{tmp_path}/app",
        {
            "Dockerfile": "FROM a\n",
            "dockerfile": "FROM lower\n",
            "deploy/prod.Dockerfile": "FROM b\n",
            "f": "",
            "g": "",
        },
    )


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def given(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)


def listed(context: contexts.Context) -> list[str]:
    return [item.entry.path for item in context.tree.scan("")]


def test_default(root: str, tmp_path: os.PathLike[str]) -> None:
    opened = open_context("app", cwd=str(tmp_path))
    assert (opened.root, opened.directory) == (root, root)
    assert (opened.dockerfile.name, opened.dockerfile.text) == ("app/Dockerfile", "FROM a\n")
    assert opened.ignore is None
    assert listed(opened) == ["Dockerfile", "deploy", "dockerfile", "f", "g"]
    item = opened.tree.stat("f")
    assert item is not None and (item.entry.uid, item.entry.gid) == (0, 0)


def test_lower_case(root: str) -> None:
    os.unlink(f"{root}/Dockerfile")
    assert open_context(root).dockerfile.text == "FROM lower\n"


def test_file_is_relative_to_the_working_directory(root: str, tmp_path: os.PathLike[str]) -> None:
    opened = open_context("..", "prod.Dockerfile", cwd=f"{root}/deploy")
    assert (opened.root, opened.dockerfile.text, opened.dockerfile.name) == (root, "FROM b\n", "prod.Dockerfile")
    with pytest.raises(KezuriError, match=r'"prod\.Dockerfile" was not found'):
        open_context(root, "prod.Dockerfile", cwd=root)
    write(f"{tmp_path}/elsewhere", "FROM c\n")
    assert open_context(root, f"{tmp_path}/elsewhere").dockerfile.text == "FROM c\n"


def test_links_are_followed(root: str) -> None:
    os.unlink(f"{root}/Dockerfile")
    os.symlink("deploy/prod.Dockerfile", f"{root}/Dockerfile")
    assert open_context(root).dockerfile.text == "FROM b\n"
    os.symlink(root, root + "2")
    assert open_context(root + "2").dockerfile.text == "FROM b\n"


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore", "deploy/x"])
def test_no_link_leads_out_of_the_context(root: str, tmp_path: os.PathLike[str], name: str) -> None:
    write(f"{tmp_path}/secret", "password\n")
    if os.path.lexists(f"{root}/{name}"):
        os.unlink(f"{root}/{name}")
    os.symlink("../" * (1 + name.count("/")) + "secret", f"{root}/{name}")
    with pytest.raises(KezuriError) as raised:
        open_context(root, f"{root}/{name}" if name.startswith("deploy") else "")
    assert 'secret", which is not in the build context' in str(raised.value)
    assert "password" not in str(raised.value)


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_a_pipe_in_the_context_is_not_waited_for(root: str, name: str) -> None:
    if name in os.listdir(root):
        os.unlink(f"{root}/{name}")
    os.mkfifo(f"{root}/{name}")
    with pytest.raises(KezuriError, match="it is no regular file"):
        open_context(root)


def test_a_pipe_that_was_named_is_read(root: str) -> None:
    read, write_end = os.pipe()
    os.write(write_end, b"FROM piped\n")
    os.close(write_end)
    assert open_context(root, f"/dev/fd/{read}").dockerfile.text == "FROM piped\n"
    os.close(read)


def test_dockerfile_from_stdin(root: str) -> None:
    write(f"{root}/.dockerignore", "g\n")
    opened = open_context(root, "-", stdin=given(b"FROM in\n"))
    assert (opened.dockerfile.name, opened.dockerfile.text, opened.directory) == ("<stdin>", "FROM in\n", "")
    assert "g" not in listed(opened)


def test_ignore_file(root: str) -> None:
    write(f"{root}/.dockerignore", "g\nDockerfile\n.dockerignore\n")
    opened = open_context(root)
    assert listed(opened) == ["deploy", "dockerfile", "f"]
    assert opened.dockerfile.text == "FROM a\n", "an excluded Dockerfile is read all the same"
    with pytest.raises(SourceError, match=r'the rule "g" on line 1 of .*/app/\.dockerignore excludes it'):
        select(opened.tree, ["g"])


def test_ignore_file_beside_the_dockerfile_takes_its_place(root: str) -> None:
    write(f"{root}/.dockerignore", "g\n")
    write(f"{root}/deploy/prod.Dockerfile.dockerignore", "f\n")
    opened = open_context(root, f"{root}/deploy/prod.Dockerfile")
    assert "g" in listed(opened) and "f" not in listed(opened)
    with pytest.raises(SourceError, match=r"line 1 of .*/app/deploy/prod\.Dockerfile\.dockerignore"):
        select(opened.tree, ["f"])


@pytest.mark.parametrize(
    ("context", "file", "message", "hint"),
    [
        ("gone", "", 'the build context "gone" was not found', "There is no"),
        ("apq", "", 'the build context "apq" was not found', 'Did you mean "app"?'),
        ("app/f", "", 'the build context "app/f" is not a directory', "--file"),
        ("app/deploy", "", 'there is no Dockerfile in the build context "app/deploy"', "prod.Dockerfile"),
        ("app", "app/deploy", 'the Dockerfile "app/deploy" is a directory', ""),
        ("app", "app/Dockerfil", 'the Dockerfile "app/Dockerfil" was not found', 'Did you mean "Dockerfile"?'),
        ("-", "-", "standard input cannot be both", ""),
    ],
)
def test_errors(root: str, tmp_path: os.PathLike[str], context: str, file: str, message: str, hint: str) -> None:
    with pytest.raises(KezuriError) as error:
        open_context(context, file, cwd=str(tmp_path), stdin=given(b""))
    assert message in str(error.value)
    assert hint in error.value.diagnostics[0].hint


def test_size_limit(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_DOCKERFILE", 1 << 20)
    write(f"{root}/Dockerfile", "#" * ((1 << 20) + 1))
    with pytest.raises(KezuriError, match=r"Dockerfile is larger than 1 MiB"):
        open_context(root)


def archive(**members: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("_", "."))
            info.uid, info.mtime, info.mode = 1234, 9, 0o600
            if data.startswith("-> "):
                info.type, info.linkname = tarfile.SYMTYPE, data[3:]
                tar.addfile(info)
                continue
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data.encode()))
    return out.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_archive_from_stdin(tmp_path: os.PathLike[str], pack: Callable[[bytes], bytes]) -> None:
    data = pack(archive(Dockerfile="FROM t\n", src__a="1", _dockerignore="src\n", b="x" * 100_000))
    opened = open_context("-", stdin=given(data), scratch=str(tmp_path))
    assert opened.dockerfile.text == "FROM t\n"
    assert (opened.root, opened.ignore) == ("", None)
    assert listed(opened) == [".dockerignore", "Dockerfile", "b", "src"]
    (root,) = select(opened.tree, ["src"])
    assert root.items[0].entry[:7] == ("src/a", "file", 0o600, 1234, 0, 1, 9 * 10**9)


def test_file_inside_the_archive(tmp_path: os.PathLike[str]) -> None:
    data = archive(deploy__x="FROM x\n", link="-> /deploy/x", out="-> ../../../../etc/passwd")
    assert open_context("-", "deploy/x", stdin=given(data), scratch=str(tmp_path)).dockerfile.text == "FROM x\n"
    assert open_context("-", "link", stdin=given(data), scratch=str(tmp_path)).dockerfile.text == "FROM x\n"
    for name in ("out", "", "../../etc/passwd"):
        with pytest.raises(KezuriError, match=r"there is no Dockerfile .* in the archive on standard input"):
            open_context("-", name, stdin=given(data), scratch=str(tmp_path))


def test_dockerfile_alone_on_stdin() -> None:
    opened = open_context("-", stdin=given(b"FROM scratch\n"))
    assert (opened.dockerfile.text, listed(opened)) == ("FROM scratch\n", [])
    with pytest.raises(SourceError, match=r'"app" was not found in the build context \(empty\)'):
        select(opened.tree, ["app"])
    with pytest.raises(KezuriError, match="standard input is no tar archive"):
        open_context("-", "Dockerfile", stdin=given(b"FROM scratch\n"))


def test_named_context(root: str, tmp_path: os.PathLike[str]) -> None:
    write(f"{root}/.dockerignore", "g\n")
    tree = open_named("assets", "app", cwd=str(tmp_path))
    assert "g" not in [item.entry.path for item in tree.scan("")]
    with pytest.raises(SourceError, match='was not found in the build context "assets"'):
        select(tree, ["zz"])
    with pytest.raises(KezuriError, match='the build context "assets=gone" was not found'):
        open_named("assets", "gone", cwd=str(tmp_path))


def test_malformed_ignore_file_is_named(root: str) -> None:
    write(f"{root}/.dockerignore", "ok\n[\n!\n")
    with pytest.raises(KezuriError) as error:
        open_context(".", cwd=root)
    assert [d.source.name for d in error.value.diagnostics if d.source] == [".dockerignore"] * 2


def test_a_dockerfile_that_is_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").symlink_to("deploy/Dockerfile")
    with pytest.raises(
        KezuriError, match=r'is a link to "deploy/Dockerfile", which is not in the build context'
    ) as caught:
        open_context(str(tmp_path), "")
    assert "Did you mean" not in caught.value.diagnostics[0].hint
