"""Texts as rules see them while they are mended: a Dockerfile with what surrounds it, or another document."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kezuri.app.plan_proof import MARK, told
from kezuri.check.asking import Asking
from kezuri.check.mending import Reported, Verdict
from kezuri.check.revision import NEW, Texts
from kezuri.check.rule import Finding, Fix, Rule, RulePage
from kezuri.check.sheets import Terms, check_dockerfile, look
from kezuri.check.subject import Subject
from kezuri.check.told import Sheet
from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.instructions import Arg
from kezuri.dockerfile.parser import parse
from kezuri.oci.platform import Platform
from kezuri.plan.facts import Survey
from kezuri.plan.inputs import BaseImage, ImageSource
from kezuri.proof.difference import Difference

if TYPE_CHECKING:
    from kezuri.check.document import DocumentSubject
    from kezuri.check.surroundings import Surroundings

_REMEMBERED = 6


class DockerfileLooking:
    """Texts of one file as rules see them; what was looked at last is remembered."""

    def __init__(self, shown: str, terms: Terms, context: str) -> None:
        self._shown = shown
        self._terms = terms
        self._context = os.path.abspath(context) if context else ""
        self._subjects: dict[tuple[tuple[str, str], ...], Subject] = {}
        self.places: dict[str, str] = {}
        """Where in the context texts lie that fixes edit, by the names of their sources."""
        self.originals: dict[str, str] = {}
        """Other texts as they were when a rule looked at them."""

    def sheet(self, texts: Texts) -> Sheet:
        """What there is to say of the texts."""
        return check_dockerfile(texts[""], self._shown, self._over(texts))

    def findings(self, texts: Texts) -> Sequence[Reported]:
        """As `kezuri.check.mending.Examine` has it."""
        told = self.sheet(texts).told
        for one in told:
            for edit in one.fix.edits if one.fix is not None else ():
                if edit.source is not None and edit.source.name != self._shown:
                    self._know(edit.source.name, edit.source.text)
        return told

    def again(self, texts: Texts, rule: RulePage) -> Sequence[Finding]:
        """As `kezuri.check.mending.Again` has it."""
        subject = self._subject(texts)
        return list(Asking(self._shown)([rule], lambda asked: asked.all(subject) if isinstance(asked, Rule) else ()))

    def survey(self, text: str, arguments: Mapping[str, str]) -> Survey:
        """The text planned; with arguments in the place of those that were given, for a trial, no registry is asked for
        the images that these name."""
        if not arguments:
            return self._subject({"": text}).survey
        resolve = self._terms.resolve

        def known(source: ImageSource, platform: Platform) -> BaseImage:
            if MARK in source.text:
                raise KezuriError.of(f"{source.text} is no image", exit_code=125)
            return resolve(source, platform)

        terms = self._terms._replace(arguments={**self._terms.arguments, **arguments}, resolve=known)
        return look(parse(text, self._shown), terms).survey

    def arguments(self, text: str) -> Sequence[str]:
        """The ARGs of a text that nobody has given a value."""
        found = (i for i in parse(text, self._shown).instructions if isinstance(i, Arg))
        return [name for arg in found for name, _ in arg.pairs if name not in self._terms.arguments]

    def _know(self, name: str, text: str) -> None:
        self.originals.setdefault(name, text)
        path = os.path.abspath(name)
        if self._context and path.startswith(self._context + "/"):
            self.places[name] = os.path.relpath(path, self._context)

    def _subject(self, texts: Texts) -> Subject:
        key = tuple(sorted(texts.items()))
        known = self._subjects.get(key)
        if known is None:
            if len(self._subjects) >= _REMEMBERED:
                del self._subjects[next(iter(self._subjects))]
            known = self._subjects[key] = look(parse(texts[""], self._shown), self._over(texts))
        return known

    def _over(self, texts: Texts) -> Terms:
        """What surrounds the file once the other texts are written."""
        others = {
            key.removeprefix(NEW) if key.startswith(NEW) else self.places.get(key, ""): text
            for key, text in texts.items()
            if key
        }
        others.pop("", None)
        if not others or self._terms.surroundings is None:
            return self._terms
        terms = self._terms._replace(surroundings=_Over(self._terms.surroundings, others))
        if ".dockerignore" in others:
            terms = terms._replace(ignore=Ignore.parse(others[".dockerignore"], ".dockerignore"))
        return terms


class _Over:
    """Surroundings in which some files are other ones."""

    def __init__(self, below: "Surroundings", files: Mapping[str, str]) -> None:
        self._below = below
        self._files = files

    def names(self, directory: str = "") -> Iterable[str]:
        """As Surroundings has it."""
        start = f"{directory}/" if directory else ""
        more = {path.removeprefix(start).partition("/")[::2] for path in self._files if path.startswith(start)}
        return sorted({*self._below.names(directory), *(f"{name}/" if rest else name for name, rest in more)})

    def read(self, path: str) -> str | None:
        """As Surroundings has it."""
        return self._files[path] if path in self._files else self._below.read(path)

    def exists(self, path: str) -> bool:
        """As Surroundings has it."""
        return any(p == path or p.startswith(f"{path}/") for p in self._files) or self._below.exists(path)


class DocumentLooking:
    """Another document, and the Prover of its fixes: what a reader gets of it may differ in what a fix declares only.
    `make` reads a text (None: it is no such document any more), `check` asks the rules about it."""

    def __init__(
        self, make: "Callable[[str], DocumentSubject | None]", check: "Callable[[DocumentSubject], Sheet]"
    ) -> None:
        self._make = make
        self._check = check
        self.originals: dict[str, str] = {}

    def sheet(self, texts: Texts) -> Sheet:
        """What there is to say of the text."""
        return self._check(self._document(texts))

    def findings(self, texts: Texts) -> Sequence[Reported]:
        """As `kezuri.check.mending.Examine` has it."""
        return self.sheet(texts).told

    def again(self, texts: Texts, rule: RulePage) -> Sequence[Reported]:
        """As `kezuri.check.mending.Again` has it."""
        return [told for told in self.sheet(texts).told if told.rule is rule]

    def prove(self, before: Texts, after: Texts, fix: Fix) -> Verdict:
        """As `kezuri.check.mending.Prover` has it."""
        from kezuri.documents.difference import differences

        if any(key and before.get(key) != text for key, text in after.items()):
            return Verdict(("it edits other files, too: that cannot be proved",))
        if fix.kind == "V":
            return Verdict(("it has to be tried to be proved, and that cannot be done here",))
        one, two = self._document(before), self._document(after)
        if one.ignore is not None and two.ignore is not None and one.surroundings is not None:
            from kezuri.check.ignore_lines import selected

            kept = selected(one.ignore, one.surroundings)
            if kept is None or kept != selected(two.ignore, one.surroundings):
                return Verdict(("the build context would be another one",))
            return Verdict(proved=("the build context is the same, file by file",))
        if one.yaml is None or two.yaml is None or one.kind != two.kind:
            return Verdict(("nothing can be proved of such a file",))
        if two.error is not None:
            return Verdict((f"it cannot be read with it: {two.error}",))
        old, new = one.yaml.documents, two.yaml.documents
        if len(old) != len(new):
            return Verdict(("it makes another number of documents",))
        changed = [".".join(map(str, path)) for pair in zip(old, new) for path in differences(*pair)]
        undeclared = [path for path in changed if not any(_covers(word, path) for word in fix.changes)]
        if undeclared:
            return Verdict(told([Difference(path, None, None) for path in undeclared]))
        if not changed:
            return Verdict(proved=("a reader gets the same of it",))
        return Verdict(proved=(f"a reader gets the same of it but for {', '.join(sorted(changed))}",))

    def _document(self, texts: Texts) -> "DocumentSubject":
        document = self._make(texts[""])
        if document is None:
            raise KezuriError.of("it is no such document any more")
        return document


def _covers(declared: str, path: str) -> bool:
    return not declared or path == declared or path.startswith(f"{declared}.")
