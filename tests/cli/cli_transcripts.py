"""Transcripts: what somebody wrote, what they typed, and every word that they were answered, as files that read well.

A file holds several, each begun by `=== TITLE`. Then come files (`--- NAME`, with words after it that say how:
`escaped` text with `\\xff` in it, `crlf` line ends, `utf-16`, `mode=755`, `-> TARGET` for a link), and commands
(`$ kezuri …`) with what they print and, in brackets, an exit code that is not 0.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kezuri.cli.console import Console
from kezuri.cli.main import call


class Written(NamedTuple):
    """A file that a transcript begins with, and how it is written."""

    name: str
    how: tuple[str, ...]
    text: str

    def put(self, directory: Path) -> None:
        """Write it below the directory."""
        path = directory / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.how[:1] == ("->",):
            path.symlink_to(self.how[1])
            return
        data = self.text.encode("utf-16" if "utf-16" in self.how else "utf-8")
        if "escaped" in self.how:
            data = self.text.encode().decode("unicode_escape").encode("latin-1")
        if "crlf" in self.how:
            data = data.replace(b"\n", b"\r\n")
        path.write_bytes(data)
        for word in self.how:
            if word.startswith("mode="):
                path.chmod(int(word[5:], 8))


class Typed(NamedTuple):
    """A command, and what it printed with its exit code in the end."""

    line: str
    answer: str


class Transcript(NamedTuple):
    """One mistake, from its files to the last answer."""

    title: str
    file: Path
    files: tuple[Written, ...]
    typed: tuple[Typed, ...]

    @property
    def name(self) -> str:
        """What pytest calls it."""
        return f"{self.file.stem}-{re.sub(r'[^A-Za-z0-9]+', '-', self.title).strip('-')}"

    def text(self) -> str:
        """As it stands in its file."""
        lines = [f"=== {self.title}"]
        for written in self.files:
            lines.append(" ".join(("---", written.name, *written.how)))
            lines += written.text.removesuffix("\n").split("\n") if written.text else []
        for typed in self.typed:
            lines.append(f"$ {typed.line}")
            lines += typed.answer.split("\n") if typed.answer else []
        return "\n".join(lines)


def read(file: Path) -> list[Transcript]:
    """The transcripts of a file."""
    out = []
    for part in re.split(r"(?m)^=== ", file.read_text())[1:]:
        title, _, rest = part.partition("\n")
        files: list[Written] = []
        typed: list[Typed] = []
        for piece in re.split(r"(?m)^(?=--- |\$ )", rest.rstrip("\n"))[1:]:
            head, _, body = piece.rstrip("\n").partition("\n")
            if head.startswith("$ "):
                typed.append(Typed(head[2:], body))
            else:
                name, *how = head[4:].split()
                files.append(Written(name, tuple(how), body + "\n" if body else ""))
        out.append(Transcript(title, file, tuple(files), tuple(typed)))
    return out


def play(transcript: Transcript, directory: Path, root: Path, **environ: str) -> Transcript:
    """The transcript with the answers that are given now. `directory` is where it happens, `root` the store."""
    directory.mkdir()
    for written in transcript.files:
        written.put(directory)
    out = []
    before = os.getcwd()
    os.chdir(directory)
    try:
        for typed in transcript.typed:
            answer = _answer(
                typed.line.replace("BOX", environ.get("KEZURI_TEST_BOX", "BOX")),
                {
                    "KEZURI_ROOT": str(root),
                    "HOME": str(directory),
                    "KEZURI_REGISTRY_MIRROR": "http://127.0.0.1:1",
                    **environ,
                },
            )
            for path, name in ((str(root), "ROOT"), (str(directory), "HERE"), (str(directory.parent), "ABOVE")):
                answer = answer.replace(path, name)
            out.append(Typed(typed.line, answer))
    finally:
        os.chdir(before)
        shutil.rmtree(directory)
    return transcript._replace(typed=tuple(out))


def _answer(line: str, environ: dict[str, str]) -> str:
    """What the command prints, both streams in their order, and its exit code."""
    words = shlex.split(line)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environ[name] = value
    given = b""
    if words[-2:-1] == ["<"]:
        given = Path(words.pop()).read_bytes()
        words.pop()
    assert words[0] == "kezuri", line
    stream = Recorded()
    with _standard_input(given):
        code = call(words[1:], Console(stream, stream, {"BUILDKIT_PROGRESS": "plain", **environ}))
    # What steps did, and how long it took, is told otherwise each time: only the rest is compared.
    text = re.sub(r"(?m)^(?:#\d+ .*)?\n", "", stream.getvalue()).rstrip("\n")
    text = re.sub(r"(?m)^Image size: .*\n?", "", text).rstrip("\n")
    text = re.sub(r"\bsha256:[0-9a-f]{64}\b", "sha256:…", text)
    text = re.sub(r"(?<=Successfully built )[0-9a-f]{12}\b", "…", text)
    return "\n".join(filter(None, (text, f"[{code}]" if code else "")))


class Recorded(io.StringIO):
    """Text as the streams of the program would have it: bytes that were no text are written out."""

    def write(self, text: str, /) -> int:
        return super().write(re.sub("[\udc80-\udcff]", lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", text))


@contextlib.contextmanager
def _standard_input(data: bytes) -> Iterator[None]:
    """The data at descriptor 0."""
    kept, stream = os.dup(0), sys.stdin
    handle = os.memfd_create("standard input")
    try:
        sys.stdin = io.TextIOWrapper(io.BytesIO(data))
        os.write(handle, data)
        os.lseek(handle, 0, os.SEEK_SET)
        os.dup2(handle, 0)
        yield
    finally:
        sys.stdin = stream
        os.dup2(kept, 0)
        os.close(kept)
        os.close(handle)
