"""Names of ARG and ENV that sound like secrets to hadolint, which goes by other words than BuildKit."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kezuri.check.editing import word_at
from kezuri.check.rule import Finding, Rule
from kezuri.dockerfile.instructions import Arg, Env

if TYPE_CHECKING:
    from kezuri.check.subject import Subject

_PARTS = re.compile(r"api_key|client_key|password|private|secret|token|username", re.IGNORECASE)
_WHOLE = re.compile(r"(?:aws_access_key_id|application_key|ci_deploy_user|heroku_api_user)\Z", re.IGNORECASE)
_DOUBTFUL = re.compile(
    r"username|_user\Z|tokeni[sz]|(?:\A|_)(?:public|file|path|version|url|dir)(?:_|\Z)"
    r"|\AGOPRIVATE\Z|\APRIVATE_(?:REGISTRY|REPO|IMAGE|NETWORK)",
    re.IGNORECASE,
)


def sounding(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """What BuildKit finds, then the names that only hadolint knows. Those that name a file, an account or a splitter of
    texts are infos."""
    said: set[tuple[int, str]] = set()
    mine = tuple(alias for alias in rule.aliases if alias != "DL3064")
    source = subject.dockerfile.source
    for finding in rule.look(subject):
        name = finding.message.rpartition('"')[0].rpartition('"')[2]
        if finding.node is not None and finding.node.source is source:
            said.add((finding.node.number, name))
        yield finding._replace(aliases=None if _sounds(name) else mine)
    for part in subject.parts:
        for piece in part.pieces:
            instruction = piece.instruction
            if not isinstance(instruction, (Arg, Env)):
                continue
            node = instruction.node
            for name, _ in instruction.pairs:
                if _sounds(name) and (node.number, name) not in said:
                    text = f'Do not use ARG or ENV instructions for sensitive data ({node.keyword} "{name}")'
                    hint = (
                        "if it is secret, give it to the step that needs it: "
                        f"RUN --mount=type=secret,id={name.lower()},env={name}"
                    )
                    level = "info" if _DOUBTFUL.search(name) else None
                    yield Finding(rule, text, node, word_at(node, name), hint=hint, level=level)  # type: ignore[arg-type]


def _sounds(name: str) -> bool:
    return _PARTS.search(name) is not None or _WHOLE.match(name) is not None
