"""The exec form: what looks like a shell in it and is none."""

from collections.abc import Iterator

from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.subject import Subject
from kezuri.dockerfile.instructions import Cmd, Entrypoint, Healthcheck, Run

_OPERATORS = frozenset(("||", "&&", ";", "|", ">", ">>", "<", "2>&1", ">/dev/null", "2>/dev/null"))
_TAKE_TEXT = frozenset(("sh", "bash", "ash", "dash", "zsh", "env", "find", "xargs", "jq", "expr", "test", "[", "awk"))
"""Programs that such words may be meant for."""


class ShellOperatorInExecForm(Rule):
    """`||` that a program gets as an argument."""

    name = "ShellOperatorInExecForm"
    summary = "The exec form has no shell that would understand ||, && and >"
    why = (
        'In `HEALTHCHECK CMD ["curl", "-f", "http://localhost/", "||", "exit", "1"]` curl gets `||`, `exit` and `1` as '
        "further addresses, and fails whatever the first one answers. What needs a shell is written without brackets, "
        'or as `["sh", "-c", "curl -f http://localhost/ || exit 1"]`.'
    )
    japanese = (
        "exec 形式には ||、&&、> を解釈するシェルがない",
        '`HEALTHCHECK CMD ["curl", "-f", "http://localhost/", "||", "exit", "1"]` では、curl が `||`・`exit`・`1` を '
        "追加の URL として受け取り、最初の応答が何であれ失敗します。シェルが必要なら角括弧なしで書くか、"
        '`["sh", "-c", "curl -f http://localhost/ || exit 1"]` とします。',
    )
    bad = Example(
        'FROM curlimages/curl:8.10.1\nHEALTHCHECK CMD ["curl", "-f", "http://localhost/", "||", "exit", "1"]\n'
    )
    good = Example("FROM curlimages/curl:8.10.1\nHEALTHCHECK CMD curl -f http://localhost/ || exit 1\n")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for instruction in subject.dockerfile.instructions:
            if not isinstance(instruction, (Cmd, Entrypoint, Healthcheck, Run)):
                continue
            command = instruction.command
            if command is None or command.shell or len(command.argv) < 2:
                continue
            program = command.argv[0].rpartition("/")[2]
            operator = next((word for word in command.argv[1:] if word in _OPERATORS), None)
            if operator is None or program in _TAKE_TEXT or any(w.rpartition("/")[2] == "sh" for w in command.argv):
                continue
            text = f"{program} gets `{operator}` as an argument: the exec form has no shell"
            hint = 'write it without brackets, or as ["sh", "-c", "…"]'
            yield Finding(self, text, instruction.node, hint=hint)


RULES = (ShellOperatorInExecForm(),)
