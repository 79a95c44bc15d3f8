"""COPY and ADD from the build context."""

from collections.abc import Iterator

from kezuri.check.rule import Example, Finding, Rule, docker_page
from kezuri.check.subject import Subject
from kezuri.dockerfile.command import quote
from kezuri.dockerfile.instructions import Copy

_REMOTE = ("http://", "https://", "git://", "ssh://", "git@")
_EVERYTHING = ("*", "**", "**/*")
"""The patterns that leave the whole context out."""


class CopyIgnoredFile(Rule):
    """BuildKit's check of that name."""

    name = "CopyIgnoredFile"
    fix_class = "A"
    summary = "Attempting to Copy file that is excluded by .dockerignore"
    why = (
        "A file that `.dockerignore` leaves out is not in the build context: the instruction fails, or copies less "
        "than it says. With a `!` in the file nothing is reported, because it may bring the path back."
    )
    bad = Example("FROM alpine\nCOPY notes.txt /\n", ignore="*.txt\n")
    good = Example("FROM alpine\nCOPY app /app\n", ignore="*.txt\n")
    url = docker_page("copy-ignored-file")

    def look(self, subject: Subject) -> Iterator[Finding]:
        ignore = subject.ignore
        if not ignore or ignore.has_negations:
            return
        for _, met in subject.met(Copy):
            copy = met.instruction
            if not isinstance(copy, Copy) or copy.source_image is not None:
                continue
            verb = "Add" if copy.node.keyword == "ADD" else "Copy"
            for i, word in enumerate(met.words):
                if copy.node.keyword == "ADD" and word.startswith(_REMOTE):
                    continue
                from kezuri.dockerfile.pathpattern import clean

                path = clean(word)
                rule = ignore.written_as(_EVERYTHING) if path in (".", "/") else ignore.rule(path)
                if rule is None:
                    continue
                text = f"Attempting to {verb} file {quote(path)} that is excluded by .dockerignore"
                span = copy.source_spans[i] if i < len(copy.source_spans) and not met.trigger else None
                hint = f"`{rule[0]}` excludes it (line {rule[1]} of the ignore file)"
                yield Finding(self, text, copy.node, span, hint=hint)

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.places import ignored_copies

        return ignored_copies(self, subject)
