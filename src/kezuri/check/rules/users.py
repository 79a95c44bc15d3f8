"""USER: who runs what the image starts."""

import re
from collections.abc import Iterator

from kezuri.check.course import courses
from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.standing import shipped
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Arg, User

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})\Z")


class RootUser(Rule):
    """hadolint's DL3002."""

    name = "RootUser"
    aliases = ("DL3002", "DS-0002", "CIS-DI-0001")
    summary = "The last USER of a stage is not root"
    why = (
        "What the image starts then runs as root: whoever finds a hole in it is root in the container, and one more "
        "hole away from root on the host. Go back to an account without rights after the steps that need root. In a "
        "stage that is not what the image becomes, or of an image that starts nothing by itself, this matters little: "
        "it is an info there."
    )
    japanese = (
        "ステージの最後の USER を root にしない",
        "イメージが起動するプログラムが root で動くことになります。そのプログラムに穴があれば、攻撃者はコンテナ内の "
        "root になり、ホストの root まであと一歩です。root が必要な手順のあとは、権限のないアカウントに戻してくださ"
        "い。最終イメージにならないステージや、自分では何も起動しないイメージでは影響が小さいため、情報として報告しま"
        "す。",
    )
    bad = Example("FROM debian:12\nUSER root\nRUN echo hello\n")
    good = Example("FROM debian:12\nUSER root\nRUN echo hello\nUSER 65532\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3002"

    def look(self, subject: Subject) -> Iterator[Finding]:
        stages = shipped(subject)
        parts = {part.number: part for part in subject.parts}
        final, changed = set[int](), False
        course = courses(subject).last
        if course is not None and course.cmd is None and course.entrypoint is None and course.ground.root:
            stages = ()
        for number in stages:
            if not changed:
                final.add(number)
            changed = changed or any(parts[number].own(User))
        for part in subject.parts:
            if part.start is None:
                continue
            users = [*part.own(User)]
            if not users or users[-1].user.partition(":")[0] not in ("root", "0"):
                continue
            yield Finding(
                self,
                "the last USER is root: what the image starts runs with all rights",
                users[-1].node,
                hint="switch to an account without rights behind the steps that need root: `USER 65532`",
                aliases=None if part.number in final else ("DL3002",),
                level=None if part.number in final else "info",
            )


class NamedUser(Rule):
    """hadolint's DL3066."""

    name = "NamedUser"
    aliases = ("DL3066",)
    severity = "info"
    summary = "USER has a number"
    why = (
        "Kubernetes refuses a container with `runAsNonRoot: true` when it cannot see that the user is not 0: it knows "
        "the number in the image's config, and not the `/etc/passwd` inside. With `USER 1000` it can tell. For a "
        "container that runs elsewhere the name is just as good. `USER root` is 0 everywhere, and a variable of which "
        "the file says a number is one: matters of style."
    )
    japanese = (
        "USER には番号を使う",
        "Kubernetes は `runAsNonRoot: true` のとき、ユーザーが 0 でないと確かめられないコンテナを拒否します。"
        "見えるのはイメージの設定にある番号だけで、中の `/etc/passwd` は見えません。`USER 1000` なら判断できます。"
        "ほかの場所で動かすだけなら、名前でも問題ありません。どこでも 0 である `USER root` と、ファイルの中で番号が"
        "決まる変数は、スタイルの問題として報告します。",
    )
    bad = Example("FROM node:24\nUSER node\n")
    good = Example("FROM node:24\nUSER 1000\n")
    url = "https://github.com/hadolint/hadolint/wiki/DL3066"

    def look(self, subject: Subject) -> Iterator[Finding]:
        arguments: set[str] = set()
        walked = courses(subject).all
        for part in subject.parts:
            known = walked[part.number].steps if 0 <= part.number < len(walked) else ()
            users = {id(step.instruction): step.user for step in known}
            for piece in part.pieces:
                instruction = piece.instruction
                if isinstance(instruction, Arg):
                    arguments |= {name for name, _ in instruction.pairs}
                if not isinstance(instruction, User) or piece.trigger:
                    continue
                name = instruction.user.partition(":")[0]
                variable = _VARIABLE.match(name)
                if name.isdigit() or not name or (variable and (variable[1] or variable[2]) in arguments):
                    continue
                said = users.get(id(instruction), name)
                text = f"the user {name} is a name: only the image's own /etc/passwd knows who that is"
                if said.partition(":")[0].isdigit():
                    text = f"which number the user {name} is, only a variable tells"
                plain = name == "root" or said.partition(":")[0].isdigit()
                hint = "write the account's number, as `id -u` shows it in the image"
                yield Finding(self, text, instruction.node, hint=hint, level="style" if plain else None)


RULES = (RootUser(), NamedUser())
