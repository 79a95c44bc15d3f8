"""The anatomy of an image as Markdown, for a comment below a change or the summary of a workflow."""

from collections.abc import Callable, Sequence

from kezuri.anatomy.advice import Advice
from kezuri.anatomy.thresholds import Verdict
from kezuri.anatomy.values import Anatomy
from kezuri.cli.analyze_words import MOST, MOST_OF_GROUP, AnalyzeWords, Sums, by_size, groups
from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import size
from kezuri.report.cells import cell, code


class AnalyzeMarkdown:
    """Says one anatomy in the language that `phrase` and `words` speak."""

    def __init__(self, phrase: Phrase = plainly, words: Callable[[str], str] = str) -> None:
        self.phrase = phrase
        self._words = AnalyzeWords(phrase, words)
        self._told = words

    def page(
        self,
        image: Anatomy,
        advice: Sequence[Advice],
        verdicts: Sequence[Verdict] = (),
        everything: bool = False,
    ) -> str:
        """The whole page; tables have their first rows only unless `everything` is wanted."""
        most = None if everything else MOST
        blocks = [[f"### `{code(image.name)}` ({cell(image.platform)})"]]
        blocks.append([f"{cell(line)}  " for line in self._words.summary(image)])
        if verdicts:
            blocks.append(self._rules(verdicts))
        if image.layers:
            blocks.append(self._layers(image, most))
        if image.owners:
            blocks.append(self._owners(image, most))
        if advice:
            blocks.append(self._advice(image, advice, most))
        if image.told:
            blocks.append([f"* {cell(self._told(told))}" for told in image.told])
        return "\n\n".join("\n".join(lines) for lines in blocks)

    def _rules(self, verdicts: Sequence[Verdict]) -> list[str]:
        phrase = self.phrase
        rows = [f"| {self._words.state(v)} | {v.rule} | {cell(self._words.measured(v))} |" for v in verdicts]
        return [f"| {phrase('RESULT')} | {phrase('RULE')} | {phrase('MEASURED')} |", "|---|---|---|", *rows]

    def _layers(self, image: Anatomy, most: int | None) -> list[str]:
        phrase, order = self.phrase, by_size(image)
        figures = ("#", phrase("SIZE"), phrase("USEFUL"), phrase("WASTED"), phrase("ON THE WIRE"))
        lines = [f"| {' | '.join(figures)} | {phrase('MADE BY')} |", "|---:|---:|---:|---:|---:|---|"]
        for layer in order[:most]:
            shown = (layer.tar, layer.useful, layer.wasted, layer.blob)
            known = [size(value) if value else "-" for value in shown]
            values = " | ".join(["?"] * 3 + known[3:] if layer.unread else known)
            lines.append(f"| {layer.number + 1} | {values} | `{code(self._words.maker(image, layer))}` |")
        return lines + self._rest([layer.tar for layer in order], most)

    def _owners(self, image: Anatomy, most: int | None) -> list[str]:
        phrase = self.phrase
        figures = (phrase("SIZE"), phrase("WASTED"), phrase("FILES"))
        lines = [f"| {' | '.join(figures)} | {phrase('OWNER')} |", "|---:|---:|---:|---|"]
        for shares in groups(image.owners):
            lines.append(_owner_row(Sums.of(shares), f"**{cell(self._words.group(shares))}**"))
            if not shares[0].owner.ecosystem:
                continue
            shown = shares if most is None else shares[:MOST_OF_GROUP]
            lines += (_owner_row(Sums.of([share]), cell(str(share.owner))) for share in shown)
        return lines

    def _advice(self, image: Anatomy, advice: Sequence[Advice], most: int | None) -> list[str]:
        phrase = self.phrase
        head = (phrase("SIZE"), phrase("WHAT COULD GO"), phrase("FILES"), phrase("HOW"))
        lines = [f"| {' | '.join(head)} |", "|---:|---|---|---|"]
        for each in advice[:most]:
            what, where = cell(self._words.what(each)), self._words.where(image, each)
            how, files = cell(self._words.how(each)), cell(self._words.some(each, 1))
            what += f"<br>`{code(where)}`" if where else ""
            how += f"<br>`{code(each.mending)}`" if each.mending else ""
            lines.append(f"| {size(each.size)} | {what} | {files} | {how} |")
        return lines + self._rest([each.size for each in advice], most)

    def _rest(self, sizes: Sequence[int], most: int | None) -> list[str]:
        text = self._words.rest(sizes, most)
        return ["", cell(text)] if text else []


def _owner_row(sums: Sums, name: str) -> str:
    return f"| {size(sums.size)} | {size(sums.wasted) if sums.wasted else '-'} | {sums.files:,} | {name} |"
