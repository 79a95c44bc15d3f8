"""What an anatomy's figures are called, for people, whatever form they are shown in."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from kezuri.anatomy.advice import Advice
from kezuri.anatomy.thresholds import Verdict
from kezuri.anatomy.values import Anatomy, LayerShare, OwnerShare
from kezuri.cli.phrase import Phrase, plainly
from kezuri.cli.quantities import size
from kezuri.cli.screen_text import one_line
from kezuri.diagnostics import visible

MOST = 10
"""The rows that a table has unless everything is wanted."""
MOST_OF_GROUP = 5
"""The packages of one ecosystem that are named unless everything is wanted."""


class Sums(NamedTuple):
    """What several owners have together: bytes that are shown, bytes that are wasted, files that are shown."""

    size: int
    wasted: int
    files: int

    @classmethod
    def of(cls, shares: Sequence[OwnerShare]) -> "Sums":
        """The sums of these owners."""
        return cls(sum(s.size for s in shares), sum(s.wasted for s in shares), sum(s.files for s in shares))


class AnalyzeWords:
    """Says parts of one anatomy in the language that `phrase` and `words` speak. What others wrote is made visible."""

    def __init__(self, phrase: Phrase = plainly, words: Callable[[str], str] = str) -> None:
        self.phrase = phrase
        self.words = words

    def summary(self, image: Anatomy) -> tuple[str, ...]:
        """What the image weighs, of what that is made, and how much there is."""
        phrase = self.phrase
        count = phrase("1 layer") if len(image.layers) == 1 else phrase("{} layers", len(image.layers))
        whole = phrase("{} unpacked, in {}", size(image.tar), count)
        if image.blob:
            whole = phrase("{} unpacked, {} on the wire, in {}", size(image.tar), size(image.blob), count)
        useful, wasted, metadata = size(image.useful), size(image.wasted), size(image.metadata)
        parts = phrase("{} useful, {} wasted, {} tar headers and padding", useful, wasted, metadata)
        again = sum(layer.rewritten for layer in image.layers)
        if again:
            parts = phrase("{}; of the wasted, {} are there again with another owner, mode or time", parts, size(again))
        many = phrase("{} files, {} directories", f"{image.files:,}", f"{image.directories:,}")
        files, base = _dockerfiles(image), self._base(image)
        return whole, *([base] if base else []), parts, many, *([visible(files[0])] if len(files) == 1 else [])

    def _base(self, image: Anatomy) -> str:
        """How much came with the base; empty where nothing is known to."""
        layers = [layer for layer in image.layers if layer.maker.of_base]
        total = sum(layer.tar for layer in layers)
        if not total:
            return ""
        share = f"{100 * total / image.tar:.0f}"
        name = layers[-1].maker.base
        if name:
            return self.phrase("{} of it ({} %) came with the base, {}", size(total), share, visible(name))
        return self.phrase("{} of it ({} %) came with the base", size(total), share)

    def maker(self, image: Anatomy, layer: LayerShare) -> str:
        """What made a layer, and where that stands."""
        maker = layer.maker
        text = one_line(maker.text) or self.phrase("nothing is said")
        if maker.dockerfile:
            path = maker.dockerfile
            name = path if len(_dockerfiles(image)) > 1 else path[path.rfind("/") + 1 :]
            text = f"{visible(name)}:{maker.line} {text}"
        if maker.of_base:
            base = visible(maker.base) if maker.base else self.phrase("the base")
            text = f"[{base}] {text}"
        return text

    def group(self, shares: Sequence[OwnerShare]) -> str:
        """What the owners of one ecosystem are called together; for the application and nobody, each alone."""
        owner, count = shares[0].owner, len(shares)
        if owner.ecosystem:
            kind = visible(owner.ecosystem)
            many = self.phrase("{}: {} packages", kind, f"{count:,}")
            return self.phrase("{}: 1 package", kind) if count == 1 else many
        named = {"application": self.phrase("the application"), "nobody": self.phrase("no package")}
        return named.get(owner.kind) or visible(str(owner))

    def what(self, each: Advice) -> str:
        """What could go, and why it is there."""
        phrase = self.phrase
        layer, by = each.layer + 1, each.by + 1
        if each.kind == "duplicate":
            return phrase("the same content at several paths, {} files too many", f"{each.files:,}")
        if each.kind == "leftover":
            return phrase("{} in layer {}", self._leftover(each.what), layer)
        if each.kind == "removed":
            return phrase("of layer {}, removed by layer {}, which only hides it", layer, by)
        if each.kind == "rewritten":
            return phrase("of layer {}, stored again by layer {} for another owner, mode or time", layer, by)
        if each.kind == "superseded":
            return phrase("stored several times in layer {}", layer)
        return phrase("of layer {}, replaced by layer {}", layer, by)

    def where(self, image: Anatomy, each: Advice) -> str:
        """The instruction that is to be changed; empty where it is several."""
        return self.maker(image, image.layers[each.by]) if each.by >= 0 else ""

    def _leftover(self, kind: str) -> str:
        from kezuri.anatomy.leftovers import KINDS

        words = KINDS[kind].words if kind in KINDS else kind
        phrase = self.phrase
        short = {
            "tests": phrase("tests"),
            "source maps": phrase("source maps"),
            "static libraries": phrase("static libraries"),
            "headers of C": phrase("headers of C"),
            "documentation": phrase("documentation"),
            "translations": phrase("translations"),
            "logs": phrase("logs"),
            "temporary files": phrase("temporary files"),
        }
        return short.get(words) or self.words(words)

    def some(self, each: Advice, most: int = 3) -> str:
        """The largest of the files, and how many more there are; empty where none is known."""
        said = ", ".join(f"/{visible(path)}" for _, path in each.largest[:most])
        rest = each.files - min(most, len(each.largest))
        return self.phrase("{} and {} more", said, f"{rest:,}") if said and rest > 0 else said

    def how(self, each: Advice) -> str:
        """How it can be mended, with the rule that finds it in a Dockerfile."""
        return f"{each.rule}: {self.words(each.hint)}" if each.rule else self.words(each.hint)

    def state(self, verdict: Verdict) -> str:
        """What a rule says."""
        phrase = self.phrase
        return {"pass": phrase("passes"), "fail": phrase("fails"), "skip": phrase("off")}[verdict.state]

    def measured(self, verdict: Verdict) -> str:
        """What a rule measured, and its limit."""
        phrase = self.phrase
        exact = verdict.rule == "highestWastedBytes"
        value = size(int(verdict.value)) if exact else f"{verdict.value:.4f}"
        if verdict.state == "skip":
            return value
        if verdict.rule == "lowestEfficiency":
            return phrase("{}, at least {}", value, visible(verdict.written))
        return phrase("{}, at most {}", value, visible(verdict.written))

    def rest(self, sizes: Sequence[int], most: int | None) -> str:
        """That there are more rows than the `most` that are shown, and what they come to; empty where all are shown."""
        if most is None or len(sizes) <= most:
            return ""
        left = sizes[most:]
        return self.phrase("and {} more, {} (--all shows them)", f"{len(left):,}", size(sum(left)))


def _dockerfiles(image: Anatomy) -> list[str]:
    return sorted({layer.maker.dockerfile for layer in image.layers if layer.maker.dockerfile})


def by_size(image: Anatomy) -> list[LayerShare]:
    """The layers, the largest first."""
    return sorted(image.layers, key=lambda layer: (-layer.tar, layer.number))


def groups(owners: Sequence[OwnerShare]) -> Iterator[list[OwnerShare]]:
    """Packages by ecosystem, the largest group first; the application and nobody alone."""
    found: dict[str, list[OwnerShare]] = {}
    for share in owners:
        found.setdefault(share.owner.ecosystem or f" {share.owner.kind} {share.owner.name}", []).append(share)
    yield from sorted(found.values(), key=lambda shares: -sum(share.size for share in shares))
