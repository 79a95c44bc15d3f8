"""Files that are taken for a Dockerfile and are something else: one word about what they are, not an error a line."""

import re
from typing import NamedTuple

from kezuri.diagnostics import Span


class Mistaken(NamedTuple):
    """What the file is, where that shows, and what to do."""

    message: str
    span: Span
    hint: str


_MAGIC = (
    ("\x7fELF", "a program"),
    ("\x1f\udc8b", "a gzip archive"),
    ("PK\x03\x04", "a zip archive"),
    ("\udcfd7zXZ", "an xz archive"),
    ("(\udcb5/\udcfd", "a zstd archive"),
    ("%PDF", "a PDF"),
    ("\udc89PNG", "a picture"),
)
_OTHERS = (
    (
        re.compile(r"^services[ \t]*:", re.MULTILINE),
        "a Compose file",
        "name the Dockerfile of one service, and its context: `kezuri build -f Dockerfile DIRECTORY`",
    ),
    (
        re.compile(r'^(?:group|target|variable|function)[ \t]+"[^"\n]*"[ \t]*\{', re.MULTILINE),
        "a bake file",
        "build one of its targets: `kezuri build -f DOCKERFILE --target STAGE CONTEXT`, with what the target sets",
    ),
    (re.compile(r"^apiVersion[ \t]*:", re.MULTILINE), "a Kubernetes manifest", ""),
    (re.compile(r"\A\s*\{\s*(?:\}|\")"), "a JSON file", ""),
    (
        re.compile(r"\A\s*<(?:!DOCTYPE|html|\?xml)", re.IGNORECASE),
        "a web page",
        "a download gave a page in place of the file: take the address of the raw file",
    ),
    (
        re.compile(r"\A#![ \t]*/"),
        "a script",
        "COPY it into an image and RUN it, or name the Dockerfile with --file",
    ),
    (re.compile(r"\A\s*```"), "a page with the Dockerfile in a fence", "take the lines between the ``` out of it"),
)
_NAME_IT = "name the Dockerfile with --file"
_CONFLICT = re.compile(r"^<{7} .*(?:\n.*)*?^={7}$", re.MULTILINE)
_INSTRUCTION = re.compile(r"(?:[ \t\r]*(?:#.*)?\n)*[ \t]*(?:FROM|ARG)[ \t]", re.IGNORECASE)
_LOOKED_AT = 1 << 16


def mistaken(text: str) -> Mistaken | None:
    """What a text that cannot be parsed is, if that is plain to see."""
    head = text[:_LOOKED_AT]
    start = Span(0, min(len(text), max(1, text.find("\n"))))
    encoding = _utf16(head)
    if encoding:
        return Mistaken(
            f"the Dockerfile is {encoding}, not UTF-8",
            Span(0, 0),
            f"save it as UTF-8: iconv -f {encoding} -t UTF-8 Dockerfile > Dockerfile.utf8",
        )
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return Mistaken(f"this is {what}, no Dockerfile", Span(0, 0), _NAME_IT)
    if "\0" in head:
        return Mistaken("this is no text, so no Dockerfile", Span(0, 0), _NAME_IT)
    conflict = _CONFLICT.search(head)
    if conflict is not None:
        end = head.find("\n", conflict.start())
        hint = "a merge left both sides here: choose one, and delete the lines <<<<<<<, ======= and >>>>>>>"
        return Mistaken("the file has a conflict of a merge in it", Span(conflict.start(), end), hint)
    if _INSTRUCTION.match(head):
        return None
    for pattern, what, hint in _OTHERS:
        found = pattern.search(head)
        if found is not None:
            span = Span(found.start(), found.end()) if found.start() else start
            return Mistaken(f"this is {what}, no Dockerfile", span, hint or _NAME_IT)
    return None


def _utf16(head: str) -> str:
    """The name of the encoding, where a byte order mark or the zero bytes say that it is UTF-16 or UTF-32."""
    if head.startswith(("\udcff\udcfe\0\0", "\0\0\udcfe\udcff")):
        return "UTF-32"
    if head.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        return "UTF-16"
    if len(head) >= 8 and head[1:8:2] == "\0\0\0\0" and "\0" not in head[0:8:2]:
        return "UTF-16LE"
    if len(head) >= 8 and head[0:8:2] == "\0\0\0\0" and "\0" not in head[1:8:2]:
        return "UTF-16BE"
    return ""
