"""Whole RUNs: pipes whose failure nobody sees, one after another, archives that are copied to be unpacked."""

import re
from collections.abc import Iterator

from kezuri.check.command_words import CommandWords
from kezuri.check.course import courses
from kezuri.check.editing import above, bare, cased
from kezuri.check.ground import ground
from kezuri.check.rule import Edit, Example, Finding, Fix, Level, Rule
from kezuri.check.runs import Call, WrittenRun
from kezuri.check.standing import ancestors, bases, shipped
from kezuri.check.subject import Subject, used
from kezuri.check.written import Part
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy, Run, Shell
from kezuri.shell.script import SimpleCommand

_PIPEFAIL = frozenset(("bash", "zsh", "ash"))
_FOREIGN = ("pwsh", "powershell", "cmd")
_MOST_PIPES = 100
_PRAGMA = re.compile(r"hadolint\s+shell\s*=\s*(\S+)")
_UNPACKERS = frozenset(("bunzip2", "gunzip", "uncompress", "unlzma", "unxz", "unzstd", "zcat", "zgz"))
_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz|tbz2|tb2|txz|tlz|tpz|tzst|tZ|gz|bz2|xz|zst|Z|lz|lzma)\Z")


class PipeWithoutPipefail(Rule):
    """hadolint's DL4006."""

    name = "PipeWithoutPipefail"
    aliases = ("DL4006",)
    fix_class = "V"
    summary = "The failure of every program of a pipe fails the step"
    why = (
        "Of `wget -O - … | tar x` the shell reports what `tar` did: a download that fails leaves half an archive, and "
        'the build goes on. `SHELL ["/bin/bash", "-o", "pipefail", "-c"]` makes the step fail. The `/bin/ash` of '
        "Alpine can do it too, the `/bin/sh` of Debian and Ubuntu cannot. A stage that stands on one with such a SHELL "
        "has it, a script that says `set -o pipefail` itself needs none, and a `/bin/sh` that is given the option "
        "either knows it or fails at once: an info. It is an info as well where nothing is lost: in front of the pipe "
        "stands only what cannot fail (`echo`, `printf`), the pipe is a condition, or it stands within another "
        "command's words, whose failures no shell counts."
    )
    japanese = (
        "パイプの途中の失敗で手順を失敗させる",
        "`wget -O - … | tar x` でシェルが伝えるのは `tar` の結果だけです。ダウンロードに失敗すると、半端なアーカイブの"
        'ままビルドが続きます。`SHELL ["/bin/bash", "-o", "pipefail", "-c"]` とすれば失敗します。'
        "Alpine の `/bin/ash` でも使えますが、Debian や Ubuntu の `/bin/sh` では使えません。"
        "そのような SHELL を持つステージの上のステージは引き継ぎ、スクリプトの中で `set -o pipefail` とする場合は"
        "不要です。"
        "オプション付きの `/bin/sh` は、使えるか、すぐに失敗するかのどちらかなので、情報として報告します。パイプの前に"
        "失敗しないもの（`echo`、`printf`）しかない場合、パイプが条件である場合、ほかのコマンドの引数の中にある場合"
        "（その失敗はどのシェルも数えません）も、情報として報告します。",
    )
    bad = Example("FROM debian:12\nRUN curl -fsS https://example.com/list | sort > /list\n")
    good = Example(
        'FROM debian:12\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\n'
        "RUN curl -fsS https://example.com/list | sort > /list\n"
    )
    url = "https://github.com/hadolint/hadolint/wiki/DL4006"

    def look(self, subject: Subject) -> Iterator[Finding]:
        mended: set[int] = set()
        for run, shell in _with_shells(subject):
            if run.trigger or (shell and _program(shell).startswith(_FOREIGN)) or _pragma(subject, run):
                continue
            asked = "pipefail" in " ".join(shell)
            if asked and _program(shell) in _PIPEFAIL:
                continue
            for text in run.texts:
                pipe = _pipe(text.script.commands)
                if pipe is None:
                    continue
                level: Level | None = "info" if asked or not _loses(text.script.commands) else None
                hint = 'say SHELL ["/bin/bash", "-o", "pipefail", "-c"] where there is bash'
                if _alpine(subject, run):
                    hint = 'say SHELL ["/bin/ash", "-o", "pipefail", "-c"]'
                said = f"of this pipe only `{pipe.name}` decides whether the step fails"
                fix = None
                if not shell and run.part.number not in mended:
                    fix = _with_pipefail(subject, run)
                    mended.add(run.part.number)
                yield Finding(self, said, run.run.node, text.span(pipe.span), fix, hint, level=level)
                break


class ConsecutiveRuns(Rule):
    """hadolint's DL3059."""

    name = "ConsecutiveRuns"
    aliases = ("DL3059",)
    severity = "info"
    fix_class = "V"
    summary = "Short steps that follow each other are one step"
    why = (
        "Every RUN makes a layer. Two that do one thing each, with nothing between them and the same flags, are a "
        "layer too many. Where the second one changes much more often than the first, two are right: hence an info. "
        "In a stage that the image only takes files from layers cost nothing, and steps of their own are cached each: "
        "a matter of style there."
    )
    japanese = (
        "続けて書いた短い RUN は一つにまとめる",
        "RUN はそれぞれレイヤーを作ります。間に何もなく、フラグも同じで、一つのことしかしない RUN が二つ続けば、"
        "レイヤーが一つ余分です。二つ目だけが頻繁に変わるなら分けるのが正しいため、情報として報告します。"
        "ファイルを取り出すだけのステージではレイヤーが増えても損はなく、分けたほうがキャッシュも効くため、スタイルの"
        "問題とします。",
    )
    bad = Example("FROM debian:12\nRUN mkdir /srv/app\nRUN chown 1000 /srv/app\n")
    good = Example("FROM debian:12\nRUN mkdir /srv/app && chown 1000 /srv/app\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3059"

    def look(self, subject: Subject) -> Iterator[Finding]:
        runs = {(run.part.number, run.run.node.number): run for run in subject.runs if not run.trigger}
        kept = shipped(subject)
        for part in subject.parts:
            before: WrittenRun | None = None
            for piece in part.pieces:
                run = runs.get((part.number, piece.instruction.node.number)) if not piece.trigger else None
                if run is not None and before is not None and _alike(before, run):
                    line = before.run.node.place.line
                    text = f"a layer more than needed: this step and that of line {line} could be one"
                    hint = "join them with `&&`"
                    node = run.run.node
                    level: Level | None = None if part.number in kept or not subject.stages else "style"
                    yield Finding(self, text, node, node.keyword_span, _joined(before, run), hint, level=level)
                before = run


class ArchiveCopied(Rule):
    """hadolint's DL3010."""

    name = "ArchiveCopied"
    aliases = ("DL3010",)
    severity = "info"
    summary = "An archive that is unpacked comes with ADD"
    why = (
        "COPY keeps the archive in a layer of its own, and the RUN that unpacks it stores everything a second time. "
        "ADD unpacks a local archive as it comes; `RUN --mount=type=bind` shows it to the step without storing it."
    )
    japanese = (
        "展開するアーカイブは ADD で入れる",
        "COPY はアーカイブをレイヤーに残し、展開する RUN が中身をもう一度保存します。ADD なら手元のアーカイブを展開し"
        "ながら入れられ、`RUN --mount=type=bind` なら保存せずに手順から見えるようにできます。",
    )
    bad = Example("FROM debian:12\nCOPY app.tar.gz /tmp/\nRUN tar -xzf /tmp/app.tar.gz\n", files={"app.tar.gz": ""})
    good = Example("FROM debian:12\nADD app.tar.gz /\n", files={"app.tar.gz": ""})
    url = "https://github.com/hadolint/hadolint/wiki/DL3010"

    def look(self, subject: Subject) -> Iterator[Finding]:
        for part in subject.parts:
            copies: dict[str, Copy] = {}
            reported: set[int] = set()
            for piece in part.pieces:
                instruction = piece.instruction
                if piece.trigger:
                    continue
                if isinstance(instruction, Copy):
                    copies.update(_archives(instruction))
                elif isinstance(instruction, Run) and copies:
                    run = next(r for r in subject.runs if r.run.node.number == instruction.node.number)
                    for call, name in _unpacked(run, copies):
                        copy = copies[name]
                        if copy.node.number not in reported:
                            reported.add(copy.node.number)
                            yield self._finding(copy, call, name)

    def _finding(self, copy: Copy, call: Call, name: str) -> Finding:
        # hadolint knows tar's options with a hyphen only.
        known = call.seen and call.program != "unzstd" and (call.program != "tar" or _dashed(call))
        text = f"{name} is stored, and what is in it once more by the `{call.program}` below"
        return Finding(self, text, copy.node, hint="unpack it with ADD", aliases=None if known else ())


def _with_shells(subject: Subject) -> Iterator[tuple[WrittenRun, tuple[str, ...]]]:
    """Each RUN with the words of the SHELL that holds for it; empty where the file says none."""
    runs = {run.run.node.number: run for run in subject.runs}
    shells: dict[int, tuple[str, ...]] = {}
    below = bases(subject)
    for part in subject.parts:
        shell = shells.get(below.get(part.number, -1), ())
        for piece in part.pieces:
            if isinstance(piece.instruction, Shell) and not piece.trigger:
                shell = piece.instruction.argv
            elif isinstance(piece.instruction, Run) and piece.instruction.node.number in runs:
                yield runs[piece.instruction.node.number], shell
        shells[part.number] = shell


def _with_pipefail(subject: Subject, run: WrittenRun) -> Fix | None:
    """A SHELL above the step, where the name of the base image says which shell there is that knows pipefail."""
    bottom = ancestors(subject, run.part.number)[-1]
    if bottom < 0:
        return None
    value = used(subject.stages[bottom].start.image, subject.survey.arguments, subject.dockerfile.escape)
    family = ground(value.text).family if value is not None and not value.unknown else ""
    shell = {"debian": "/bin/bash", "rpm": "/bin/bash", "alpine": "/bin/ash"}.get(family)
    if shell is None:
        return None
    words = f'["{shell}", "-o", "pipefail", "-c"]'
    fields = ("Shell", "Cmd", "Entrypoint", "Healthcheck")
    changes = frozenset(("command", *(f"config.{field}" for field in fields)))
    line = f"{cased(run.run.node, 'SHELL')} {words}"
    return Fix(f"say SHELL {words} above it", (above(run.run.node, line),), "V", changes)


def _program(shell: tuple[str, ...]) -> str:
    words = " ".join(shell).split()
    names = [re.split(r"[/\\]", word)[-1].lower() for word in words[:2]]
    if names and names[0] == "env" and len(names) > 1:
        return names[1]
    return names[0] if names else ""


def _pragma(subject: Subject, run: WrittenRun) -> bool:
    """Whether a comment names a shell that is not POSIX's."""
    node = run.run.node
    start = run.part.start.node if isinstance(run.part, Part) and run.part.start is not None else None
    for comment in (*node.comment, *(start.comment if start is not None else ())):
        found = _PRAGMA.match(comment)
        if found and re.split(r"[/\\]", found[1])[-1].lower().startswith(_FOREIGN):
            return True
    return False


def _pipe(commands: tuple[SimpleCommand, ...]) -> SimpleCommand | None:
    """The end of the first pipe that does not stand behind `set -o pipefail`."""
    for command in commands:
        if command.name == "set" and any(word.loose == "pipefail" for word in command.words):
            return None
        if command.joint in ("|", "|&"):
            return command
    return None


def _loses(commands: tuple[SimpleCommand, ...]) -> bool:
    """Whether a pipe hides a failure that pipefail would show."""
    looked_at = 0
    pipelines: dict[tuple[int, tuple[str, ...]], list[SimpleCommand]] = {}
    for command in commands:
        pipelines.setdefault((command.pipeline, command.within), []).append(command)
    words = CommandWords(commands)
    for number, command in enumerate(commands):
        if command.name == "set" and any(word.loose == "pipefail" for word in command.words):
            return False
        if command.joint not in ("|", "|&") or not number:
            continue
        looked_at += 1
        if looked_at > _MOST_PIPES:
            return True
        whole = pipelines[command.pipeline, command.within]
        ahead = whole[: next((at for at, c in enumerate(whole) if c is command), 0)]
        if all(c.program in ("echo", "printf", "yes", "true") for c in ahead):
            continue
        if whole[-1].follows == "||" or whole[0].within[-1:] == ("negation",):
            continue
        if command.within and command.within[-1] == "substitution" and words.hold(whole[0]):
            continue
        return True
    return False


def _alpine(subject: Subject, run: WrittenRun) -> bool:
    stages = courses(subject).all
    number = run.part.number
    return 0 <= number < len(stages) and stages[number].ground.family == "alpine"


def _alike(before: WrittenRun, run: WrittenRun) -> bool:
    return _flags(before.run) == _flags(run.run) and max(_count(before), _count(run)) <= 1


def _flags(run: Run) -> object:
    return tuple(m.options for m in run.mounts), run.network, run.security, run.devices


def _count(run: WrittenRun) -> int:
    """How many commands there are; a condition in brackets is none, as for hadolint."""
    if not run.texts:
        return 1
    names = (command.name for text in run.texts for command in text.script.commands if command.words)
    return sum(not name.startswith("$") and name not in ("[", "[[") for name in names)


def _joined(before: WrittenRun, run: WrittenRun) -> Fix | None:
    """The second step behind the first with `&&`, where nothing but comments stands between them."""
    if not (before.posix and run.posix) or len(before.texts) != 1 or len(run.texts) != 1:
        return None
    one, two = before.texts[0], run.texts[0]
    if one.heredoc or two.heredoc or one.script.broken or two.script.broken:
        return None
    if not (one.script.commands and two.script.commands) or one.script.commands[-1].follows == "&":
        return None
    if one.script.text.rstrip(" \t\r\n\\").endswith(";") or any(_loose(command) for command in two.script.commands):
        return None
    if "#" in one.script.text or "<<" in one.script.text + two.script.text:
        return None
    node = run.run.node
    text = node.source.text
    first = two.span(Span(0, 1)).start
    between = text[before.run.node.span.end : node.span.start]
    if between.strip(" \t\r\n") or "\n" in text[node.span.start : first]:
        return None
    newline = "\r\n" if "\r\n" in between else "\n"
    edit = Edit(Span(before.run.node.span.end, first), f" {_escape(run)}{newline}    && ")
    return Fix("join the two steps with `&&`", (edit,), "V", frozenset(("command", "operation.gone")))


def _loose(command: SimpleCommand) -> bool:
    """Whether a command is joined so that the shell would not leave it out when what stands before `&&` fails."""
    return not command.within and (command.joint in (";", "||", "&") or command.follows == "&")


def _escape(run: WrittenRun) -> str:
    found = re.match(r"(?is)\s*#\s*escape\s*=\s*(`|\\)", run.run.node.source.text)
    return found[1] if found else "\\"


def _archives(copy: Copy) -> Iterator[tuple[str, Copy]]:
    """The archives that a COPY brings from the build context, by the names that they have then."""
    if copy.source_image is not None or copy.node.keyword != "COPY":
        return
    to = bare(copy.destination).strip("\"'")  # `"C:\Program Files\a.tar"` are two words
    for source in copy.sources:
        name = re.split(r"[/\\]", bare(source))[-1]
        if _ARCHIVE.search(name):
            yield re.split(r"[/\\]", to)[-1] if _ARCHIVE.search(to) else name, copy


def _unpacked(run: WrittenRun, copies: dict[str, Copy]) -> Iterator[tuple[Call, str]]:
    for call in run.calls:
        if call.program in _UNPACKERS or (call.program == "tar" and (_dashed(call) or _undashed(call))):
            for word in call.words:
                name = re.split(r"[/\\]", word.loose)[-1]
                if name in copies:
                    yield call, name


def _dashed(call: Call) -> bool:
    words = [word.loose for word in call.words]
    return any(
        word in ("--extract", "--get") or (word[:1] == "-" and word[1:2] != "-" and "x" in word) for word in words
    )


def _undashed(call: Call) -> bool:
    return bool(call.words) and re.fullmatch(r"[a-zA-Z]*x[a-zA-Z]*", call.words[0].loose) is not None


RULES = (PipeWithoutPipefail(), ConsecutiveRuns(), ArchiveCopied())
