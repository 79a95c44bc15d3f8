"""Programs that a RUN calls and that have no business there, or are called without what a build needs."""

import re
from collections.abc import Iterator

from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.runs import Call, WrittenRun
from kezuri.check.shell_edits import fix as edited
from kezuri.check.shell_edits import inserted
from kezuri.check.standing import run_operation
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.shell.script import Word

_POINTLESS = frozenset(("free", "kill", "mount", "ps", "service", "shutdown", "ssh", "top", "vim"))
_WITH_GNU_WGET = ("apt-get", "apt", "yum", "dnf", "microdnf", "zypper")
_LONG_NUMBER = re.compile(r"\d{6,}\Z")


class PointlessProgram(Rule):
    """hadolint's DL3001."""

    name = "PointlessProgram"
    aliases = ("DL3001",)
    severity = "info"
    summary = "RUN calls no program that means nothing in a build"
    why = (
        "A build step has no services, no terminal and no machine of its own: `service`, `kill`, `ps`, `top`, `free`, "
        "`mount`, `shutdown`, `ssh` and `vim` do nothing that stays, or wait for somebody who is not there."
    )
    japanese = (
        "ビルドで意味のないプログラムを RUN で呼ばない",
        "ビルドの手順にはサービスも端末も専用のマシンもありませ"
        "ん。`service`、`kill`、`ps`、`top`、`free`、`mount`、`shutdown`、`ssh`、`vim` は、結果が何も残らないか、いな"
        "い人の操作を待つだけです。",
    )
    bad = Example("FROM debian:12\nRUN service nginx start\n")
    good = Example('FROM debian:12\nCMD ["nginx", "-g", "daemon off;"]\n')
    url = "https://github.com/hadolint/hadolint/wiki/DL3001"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for run in subject.runs:
            call = next((c for c in run.calls if c.program in _POINTLESS and c.seen), None)
            if call is not None:
                text = f"`{call.program}` does nothing in a build that stays"
                yield Finding(self, text, run.run.node, place(call, call.head), hint="leave it to the container")


class DirectoryChangedInRun(Rule):
    """hadolint's DL3003."""

    name = "DirectoryChangedInRun"
    aliases = ("DL3003", "DS-0013")
    fix_class = "V"
    summary = "WORKDIR says where a step works"
    why = (
        "`RUN cd /srv && make` works in a directory that the next step does not know: it is back where it was. WORKDIR "
        "makes the directory, holds for all that follows, and is seen at a glance. A `cd` that the rest of its step "
        "needs does what it should all the same: an info. A `cd` with which a step ends does nothing at all."
    )
    japanese = (
        "作業場所は WORKDIR で決める",
        "`RUN cd /srv && make` で移ったディレクトリを、次の手順は知りません。元の場所から始まります。WORKDIR は"
        "ディレクトリを作り、以降のすべての手順に効き、一目で分かります。手順の中の `cd` は、"
        "後に続くコマンドには効いているため、情報として報告します。手順の最後の `cd` には何の効果もありません。",
    )
    bad = Example("FROM debian:12\nRUN cd /srv && make\n")
    good = Example("FROM debian:12\nWORKDIR /srv\nRUN make\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3003"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for run in subject.runs:
            calls = [call for call in run.calls if call.program == "cd" and call.seen]
            if not calls or run.trigger:
                continue
            call = calls[0]
            first = run.calls[0] is call and not call.command.within
            alone = run.calls[-1] is call and not call.command.within
            level: Level | None = None if alone else "info"
            text = "`cd` holds to the end of this step only"
            mended = _workdir(subject, run, call) if first and len(calls) == 1 else None
            hint = "say where the step works: WORKDIR above it"
            yield Finding(self, text, run.run.node, place(call, call.head), mended, hint, level=level)


class SudoUsed(Rule):
    """hadolint's DL3004."""

    name = "SudoUsed"
    aliases = ("DL3004", "DS-0010", "DKL-DI-0001")
    severity = "error"
    fix_class = "A"
    summary = "RUN needs no sudo"
    why = (
        "A step runs as the USER that the file says: as root it needs no sudo, and as another user it should get no "
        "rights that the running program keeps as well. Signals and terminals behave oddly behind sudo, and the image "
        "needs the package."
    )
    japanese = (
        "RUN で sudo を使わない",
        "手順は、ファイルの USER が示すユーザーで動きます。root なら sudo は要らず、ほかのユーザーなら、動き出した"
        "プログラムにも残る権限を与えるべきではありません。sudo を挟むとシグナルや端末の動作が変わり、"
        "パッケージも必要になります。",
    )
    bad = Example("FROM debian:12\nRUN sudo make install\n")
    good = Example("FROM debian:12\nRUN make install\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3004"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for run in subject.runs:
            words = [(call, word) for call, word in _heads(run) if word.loose == "sudo"]
            if not words:
                continue
            call, word = words[0]
            operation = run_operation(subject, run.part.number, run.run)
            root = operation is not None and operation.user.partition(":")[0] in ("", "root", "0")
            mended = _without_sudo(run, words) if root else None
            hint = "leave it out: the step is root already, or switch with USER"
            yield Finding(self, "`sudo` in a build step", run.run.node, place(call, word), mended, hint)


class WgetAndCurl(Rule):
    """hadolint's DL4001."""

    name = "WgetAndCurl"
    aliases = ("DL4001", "DS-0014")
    summary = "A stage downloads with wget or with curl, not with both"
    why = (
        "Both do the same; with one of them the image has a package and its updates less, and readers one set of "
        "options to know."
    )
    japanese = (
        "一つのステージで wget と curl の両方を使わない",
        "どちらも同じことができます。一方にそろえれば、パッケージとその更新が一つ減り、読む人が覚えるオプションも減り"
        "ます。",
    )
    bad = Example("FROM debian:12\nRUN wget -q https://example.com/a\nRUN curl -fsSO https://example.com/b\n")
    good = Example("FROM debian:12\nRUN curl -fsSO https://example.com/a\nRUN curl -fsSO https://example.com/b\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL4001"

    def look(self, subject: Subject) -> Iterator[Finding]:
        used: dict[tuple[int, bool], set[str]] = {}
        for run in subject.runs:
            calls = [call for call in run.calls if call.program in ("wget", "curl") and call.seen]
            if not calls:
                continue
            so_far = used.setdefault((run.part.number, run.trigger), set())
            before = set(so_far)
            so_far |= {call.program for call in calls}
            if len(so_far) == 2:
                call = next((c for c in calls if c.program not in before), calls[0])
                text = f"`{call.program}` here, and `{'wget' if call.program == 'curl' else 'curl'}` in the same stage"
                yield Finding(self, text, run.run.node, place(call, call.head), hint="download with one of them only")


class HighUserIdLogged(Rule):
    """hadolint's DL3046."""

    name = "HighUserIdLogged"
    aliases = ("DL3046",)
    fix_class = "A"
    summary = "useradd of a high number keeps no log of logins"
    why = (
        "`useradd` writes to `/var/log/lastlog` and `/var/log/faillog` at the place of the number: with a number of "
        "six digits these are files of hundreds of megabytes full of zeros, and not every tool keeps the holes. `-l` "
        "leaves them alone."
    )
    japanese = (
        "大きな番号のユーザーを作るときはログを残さない",
        "`useradd` は `/var/log/lastlog` と `/var/log/faillog` の、ユーザー番号に応じた位置に書き込みます。番号が 6 "
        "桁になるとゼロで埋まった数百メガバイトのファイルになり、穴を穴のまま扱わないツールもあります。`-l` を付けれ"
        "ば書き込みません。",
    )
    bad = Example("FROM debian:12\nRUN useradd -u 123456 app\n")
    good = Example("FROM debian:12\nRUN useradd -l -u 123456 app\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3046"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for run in subject.runs:
            for call in run.named("useradd"):
                value, known = _user_id(call)
                if len(value) < 6 or call.has("-l", "--no-log-init") or not (known or _LONG_NUMBER.match(value)):
                    continue
                sure = _LONG_NUMBER.match(value) is not None
                mended = edited(run, "add `-l`", [inserted(call, call.head, "-l")]) if sure else None
                text = f"`useradd` for the number {value} writes huge log files"
                level: Level | None = None if sure else "style"
                if not sure:
                    text = f"`useradd` for the number {value} writes huge log files if it is a large one"
                aliases = None if known and call.seen else ()
                node, span = run.run.node, place(call, call.head)
                yield Finding(self, text, node, span, mended, "add `-l`", aliases=aliases, level=level)
                break


class WgetProgress(Rule):
    """hadolint's DL3047."""

    name = "WgetProgress"
    aliases = ("DL3047",)
    severity = "info"
    fix_class = "A"
    summary = "wget draws no progress bar into the log"
    why = (
        "A build's log is no terminal: wget writes a line for every few kilobytes. `--progress=dot:giga` writes one "
        "for every 32 MB, `-nv` one for each file."
    )
    japanese = (
        "wget の進捗表示でログを埋めない",
        "ビルドのログは端末ではないため、wget は数キロバイトごとに一行を書きます。`--progress=dot:giga` なら 32 MB ご"
        "と、`-nv` ならファイルごとに一行です。",
    )
    bad = Example("FROM debian:12\nRUN apt-get install -y wget && wget https://example.com/a\n")
    good = Example("FROM debian:12\nRUN apt-get install -y wget && wget -nv https://example.com/a\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3047"

    def look(self, subject: Subject) -> Iterator[Finding]:
        gnu = {r.part.number for r in subject.runs if any(r.named(*_WITH_GNU_WGET))}
        for run in subject.runs:
            loud = [call for call in run.named("wget") if call.seen and _is_loud(call)]
            if not loud:
                continue
            option = "--progress=dot:giga"
            edits = [inserted(call, call.head, option) for call in loud]
            mended = edited(run, f"add `{option}`", edits) if run.part.number in gnu else None
            hint = "add `--progress=dot:giga`, or `-nv`; in BusyBox there is only `-q`"
            node, span = run.run.node, place(loud[0], loud[0].head)
            yield Finding(self, "`wget` fills the log with its progress", node, span, mended, hint)


class ShellReplaced(Rule):
    """hadolint's DL4005."""

    name = "ShellReplaced"
    aliases = ("DL4005",)
    summary = "SHELL says which shell runs the steps"
    why = (
        "A link in the place of `/bin/sh` changes the shell for every script of the system, also for those of packages "
        "that were written for the one that was there. SHELL changes it for the steps of the build. A link that leads "
        "to `/bin/sh` is not reported."
    )
    japanese = (
        "シェルの変更には SHELL を使う",
        "`/bin/sh` をリンクで置き換えると、もとのシェル向けに書かれたパッケージのものも含め、システムのすべてのスクリ"
        "プトのシェルが変わります。SHELL なら、変わるのはビルドの手順だけです。`/bin/sh` を指すリンクは報告しません。",
    )
    bad = Example("FROM debian:12\nRUN ln -sf /bin/bash /bin/sh\n")
    good = Example('FROM debian:12\nSHELL ["/bin/bash", "-c"]\nRUN echo hello\n')
    url = "https://github.com/hadolint/hadolint/wiki/DL4005"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for run in subject.runs:
            for call in run.named("ln"):
                plain = call.plain()
                if call.seen and plain and plain[-1].loose == "/bin/sh":
                    text = "`/bin/sh` is replaced for the whole system"
                    hint = 'leave it as it is, and say SHELL ["/bin/bash", "-c"]'
                    yield Finding(self, text, run.run.node, place(call, call.head), hint=hint)
                    break


def place(call: Call, word: Word) -> Span | None:
    """Where a word of a call stands in the file."""
    return call.text.span(word.span) if call.text is not None else None


def _heads(run: WrittenRun) -> Iterator[tuple[Call, Word]]:
    """The programs of a RUN by name, those before another program too: `sudo` of `sudo make`."""
    for call in run.calls:
        for word in call.command.words:
            yield call, word
            if word is call.head or word.span == call.head.span:
                break


def _without_sudo(run: WrittenRun, found: list[tuple[Call, Word]]) -> Fix | None:
    edits: list[Edit | None] = []
    for call, word in found:
        words = call.command.words
        at = next((i for i, w in enumerate(words) if w is word), len(words))
        after = words[at + 1] if at + 1 < len(words) else None
        span = place(call, word)
        if call.text is None or after is None or span is None or call.text.script.broken:
            return None
        stop = call.text.span(after.span).start
        gap = run.run.node.source.text[span.end : stop]
        if after.loose.startswith("-") or "=" in after.loose or gap.strip(" \t"):
            return None
        edits.append(Edit(Span(span.start, stop), ""))
    return edited(run, "leave out `sudo`", edits)


def _workdir(subject: Subject, run: WrittenRun, call: Call) -> Fix | None:
    """WORKDIR above the step, and back to where it was below it, where both places are known."""
    command, text = call.command, call.text
    if text is None or text.script.broken or text.heredoc is not None or not run.posix:
        return None
    commands = text.script.commands
    plain = len(call.words) == 1 and re.fullmatch(r"/[\w./-]*", call.words[0].text)
    if not plain or len(commands) < 2 or command.follows != "&&" or commands[1].joint != "&&" or commands[1].within:
        return None
    operation = run_operation(subject, run.part.number, run.run)
    if operation is None or any(c.joint in ("||", ";", "&") for c in commands):
        return None
    node = run.run.node
    start, stop = text.span(command.span).start, text.span(commands[1].span).start
    line = node.source.text[node.span.start : start]
    if "\n" in line or not re.fullmatch(r"/[\w./-]*", operation.cwd):
        return None
    end = "\r\n" if "\r\n" in node.source.text else "\n"
    word = "workdir" if node.written.islower() else "WORKDIR"
    edits = (
        Edit(Span(node.span.start, node.span.start), f"{word} {call.words[0].text}{end}"),
        Edit(Span(start, stop), ""),
        Edit(Span(node.span.end, node.span.end), f"{end}{word} {operation.cwd}"),
    )
    changes = frozenset(("command", "working directory", "operation.new", "file.new"))
    return Fix(f"write `{word} {call.words[0].text}`", edits, "V", changes)


def _user_id(call: Call) -> tuple[str, bool]:
    """The number that is given, and whether in the way that hadolint knows: as the word after `-u`."""
    for index, word in enumerate(call.words):
        said = word.loose
        after = call.words[index + 1].loose if index + 1 < len(call.words) else ""
        if said.startswith("-") and not said.startswith("--") and said.endswith("u"):
            return after, True
        if said == "--uid":
            return after, False
        if said.startswith("--uid="):
            return said[6:], False
        if re.match(r"-\w*u\d+\Z", said):
            return said[said.index("u") + 1 :], False
    return "", True


def _is_loud(call: Call) -> bool:
    if not call.words or call.has("--help", "--version"):
        return False
    if call.has("--progress", "--quiet", "--no-verbose", "--output-file", "--append-output"):
        return False
    short = [w.loose for w in call.words if w.loose.startswith("-") and not w.loose.startswith("--")]
    return not any(word == "-nv" or set(word) & set("qoa") for word in short)


RULES = (
    PointlessProgram(),
    DirectoryChangedInRun(),
    SudoUsed(),
    WgetAndCurl(),
    HighUserIdLogged(),
    WgetProgress(),
    ShellReplaced(),
)
