"""Edits of the shell text of a RUN: a word more, another word, one more command at the end."""

import re
from typing import TYPE_CHECKING

from kezuri.check.rule import Edit, Fix
from kezuri.diagnostics import Span

if TYPE_CHECKING:
    from kezuri.check.runs import Call, WrittenRun
    from kezuri.check.shell_text import ShellText
    from kezuri.shell.script import Word

_COMMENTS = r"[ \t]*;?(?:\s+#[^\n]*)*"
_LEAVING = ("exit", "exec", "return", "logout")
_ENDS = r"(?:^|[\s;])(?:fi|done|esac|\}|\))\Z"


def inserted(call: "Call", word: "Word", more: str) -> Edit | None:
    """A word more, behind one of a call; None where that place cannot be told from the text."""
    text = call.text
    if text is None or not _certain(text):
        return None
    at = text.span(Span(word.span.end - 1, word.span.end)).end
    return Edit(Span(at, at), f" {more}")


def replaced(call: "Call", word: "Word", new: str) -> Edit | None:
    """Another word in the place of one of a call; None where that cannot be told, or the word stands on two lines."""
    text = call.text
    if text is None or not _certain(text):
        return None
    span = text.span(word.span)
    return Edit(span, new) if span.end - span.start == len(word.text) else None


def appended(run: "WrittenRun", text: "ShellText", command: str, escape: str) -> Edit | None:
    """A command that runs when all that stands before it went well, in the manner of the lines that are there; None
    where it is not certain that it would."""
    if not _certain(text) or not run.posix:
        return None
    script = text.script
    body = script.text.rstrip()
    last = script.commands[-1]
    if any(r.operator.endswith(("<<", "<<-")) for c in script.commands for r in c.redirects):
        return None
    top = next((c for c in reversed(script.commands) if not c.within or c.within == ("negation",)), last)
    if any(c.name in _LEAVING and c.joint != "||" and "function" not in c.within for c in script.commands):
        return None
    end = top.span.end
    rest = body[end:]
    if rest and not re.fullmatch(_COMMENTS, rest):
        if "#" in rest or not re.search(_ENDS, body) or last.follows == "&" or top.follows == "&":
            return None
        end = len(body)
    source = run.run.node.source.text
    at = text.span(Span(end - 1, end)).end
    before = source[run.run.node.span.start : at]
    newline = "\r\n" if "\r\n" in before else "\n"
    if text.heredoc is not None:
        stops = any(c.name == "set" and c.has("-e") for c in script.commands[:2])
        return Edit(Span(at, at), f"{newline}{command}" if stops else f" && {command}")
    if "\n" not in before:
        return Edit(Span(at, at), f" && {command}")
    leading = re.search(r"\n([ \t]*)&&", before)
    if leading is not None:
        return Edit(Span(at, at), f" {escape}{newline}{leading[1]}&& {command}")
    began = text.span(Span(top.span.start, top.span.start + 1)).start
    line = source.rfind("\n", 0, began) + 1
    indent = source[line:began]
    if line <= run.run.node.span.start or indent.strip():
        indent = "    "
    return Edit(Span(at, at), f" && {escape}{newline}{indent}{command}")


def fix(run: "WrittenRun", advice: str, edits: "list[Edit | None]", kind: "str" = "A") -> Fix | None:
    """A fix of these edits, if each of them could be made."""
    made = [edit for edit in edits if edit is not None]
    if not made or len(made) < len(edits) or not run.posix:
        return None
    changes = {"command"}
    if run.trigger:
        changes = {"config.OnBuild"}
    elif any(text.heredoc is not None for text in run.texts):
        changes.add("script")
    return Fix(advice, tuple(made), "V" if kind == "V" else "A", frozenset(changes))


def _certain(text: "ShellText") -> bool:
    return not text.script.broken and (text.heredoc is None or not text.heredoc.strip_tabs)
