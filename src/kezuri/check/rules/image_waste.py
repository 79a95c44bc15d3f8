"""Bytes that an image carries in vain: hidden by a later layer, stored twice, or copied along with what was wanted."""

from collections.abc import Iterator

from kezuri.check.image.copies import Copies
from kezuri.check.image.rule import ImageExample, ImageRule, ImageSide, Made
from kezuri.check.image.subject import Image, megabytes
from kezuri.check.image.waste import Waste, heaviest
from kezuri.check.rule import Finding, Level
from kezuri.elf.minimal import minimal_elf

_WARN = 1_000_000
_TELL = 50_000
_BIG = Made(b"x", size=25_000_000)


class RemovalHidesBytes(ImageRule):
    """Adds up what later layers delete."""

    name = "RemovalHidesBytes"
    summary = "Files should be removed in the RUN that makes them"
    why = (
        "A layer holds what its step wrote, for ever; a later `rm` adds a mark that hides it. The image is no smaller "
        "for it, and every pull brings the hidden bytes. Remove files in the same RUN, use a cache mount for what is "
        "to be kept for the next build, or copy what is wanted into a fresh stage. Less than 1 MB is a note; less "
        "than 50 kB is left out, as is what the layers of the base hide among themselves."
    )
    japanese = (
        "ファイルは、それを作る RUN の中で削除すべきです",
        "レイヤーはそのステップが書いたものを持ち続け、後の `rm` はそれを隠す印を加えるだけです。イメージは小さくなら"
        "ず、pull のたびに隠れたバイトも転送されます。同じ RUN の中で削除するか、次のビルドのために残すものにはキャッ"
        "シュマウントを使うか、必要なものだけを新しいステージにコピーします。1 MB 未満は注意で、50 kB 未満と、ベースの"
        "レイヤー同士が隠すものは除きます。",
    )
    needs = (Waste,)
    linux = False
    bad = ImageExample(
        "FROM debian\nRUN apt-get update && apt-get install -y curl\nRUN rm -rf /var/lib/apt/lists/*\n",
        {"var/lib/apt/lists/all": _BIG},
        {"var/lib/apt/lists/all": Made(kind="whiteout")},
    )
    good = ImageExample(
        "FROM debian\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n",
        {"usr/bin/curl": _BIG},
    )

    def look(self, image: Image) -> Iterator[Finding]:
        heaps = image.gathered(Waste).removed
        for by, layer, heap in heaviest(heaps):
            if heap.size < _TELL or image.of_base(by):
                continue
            message = (
                f"{megabytes(heap.size)} of `{image.maker(layer)}` are removed here, which only hides them: {heap}"
            )
            hint = "remove them in the RUN that makes them, or copy what is wanted into a fresh stage"
            if image.of_base(layer):
                hint = "they came with the base: a smaller one does not have them"
            level: Level | None = None if heap.size >= _WARN and not image.of_base(layer) else "info"
            yield self.found(image, image.line(by), message, hint, level)


class FilesStoredTwice(ImageRule):
    """Compares size and time of files with those that they lie over."""

    name = "FilesStoredTwice"
    summary = "The owner and mode of files should be set where they come in"
    why = (
        "A layer holds whole files: `RUN chown -R` writes every file that it touches a second time, even where the "
        "owner was right already. An image with 11 GB of data weighs 22 GB then. `COPY --chown=` and `COPY --chmod=` "
        "set owner and mode as the files come in; a RUN that installs can run as the user who is to have the files. A "
        "file counts as the same when its size and its time of modification are. Less than 1 MB is a note, less than "
        "50 kB is left out."
    )
    japanese = (
        "ファイルの所有者とモードは、持ち込むところで設定すべきです",
        "レイヤーはファイルを丸ごと持ちます。`RUN chown -R` は、所有者がすでに正しくても、触れたファイルをもう一度書き"
        "込みます。11 GB のデータがあるイメージは 22 GB になります。`COPY --chown=` と `COPY --chmod=` は持ち込むとき"
        "に設定します。インストールする RUN は、ファイルを持つことになるユーザーで実行できます。サイズと更新時刻が同じ"
        "ファイルを同じものとみなします。1 MB 未満は注意で、50 kB 未満は除きます。",
    )
    needs = (Waste,)
    linux = False
    bad = ImageExample(
        "FROM node\nCOPY . /app\nRUN chown -R node /app\nUSER node\n",
        {"app/data": Made(b"x", size=11_000_000)},
        {"app/data": Made(b"x", size=11_000_000, uid=1000)},
    )
    good = ImageExample(
        "FROM node\nCOPY --chown=node . /app\nUSER node\n", {"app/data": Made(b"x", size=11_000_000, uid=1000)}
    )

    def look(self, image: Image) -> Iterator[Finding]:
        heaps = {key: heap for key, heap in image.gathered(Waste).repeated.items() if not image.of_base(key[0])}
        total = sum(heap.size for heap in heaps.values())
        for layer, below, heap in heaviest(heaps):
            if heap.size < _TELL:
                continue
            change = "owner" if "owner" in heap.words else "mode" if "mode" in heap.words else ""
            why = f"for another {change}" if change else "as they were"
            files = "1 file" if heap.count == 1 else f"{heap.count:,} files"
            size, maker = megabytes(heap.size), image.maker(below)
            message = f"{files} of `{maker}` are stored again {why}, {size}: {heap}"
            if total > heap.size:
                every = megabytes(total)
                message = (
                    f"{files} of `{maker}` are stored again {why}, {size} (in all, {every} are stored twice): {heap}"
                )
            hint = {
                "owner": "COPY --chown= sets the owner as the files come in; a RUN sets it in the step that makes them",
                "mode": "COPY --chmod= sets the mode as the files come in; a RUN sets it in the step that makes them",
                "": "leave out the second copy",
            }[change]
            level: Level | None = None if heap.size >= _WARN else "info"
            yield self.found(image, image.line(layer), message, hint, level)


class BuilderDirectory(ImageSide):
    """Looks for the manifest of a build beside a program in the layer of one COPY: `go.mod`, `Cargo.toml`, `pom.xml`,
    `build.gradle`, `CMakeLists.txt`, or `tsconfig.json` beside what was made of TypeScript."""

    of = "stage_files.BuilderDirectoryCopied"
    needs = (Copies,)
    bad = ImageExample(
        (
            "FROM golang AS builder\nWORKDIR /app\nCOPY . .\nRUN go build -o server\nFROM scratch\nCOPY --from=builder "
            "/app ./\n"
        ),
        {"server": Made(minimal_elf(), 0o755), "go.mod": Made(b"module m\n"), "main.go": Made(b"package main\n")},
    )
    good = ImageExample(
        (
            "FROM golang AS builder\nWORKDIR /app\nCOPY . .\nRUN go build -o server\nFROM scratch\nCOPY --from=builder "
            "/app/server /server\n"
        ),
        {"server": Made(minimal_elf(), 0o755)},
    )

    def look(self, image: Image) -> Iterator[Finding]:
        copies = image.gathered(Copies)
        for layer in sorted(copies.layers):
            line = image.line(layer)
            if line is None or line.keyword not in ("COPY", "ADD") or image.of_base(layer):
                continue
            found = copies.layers[layer]
            program, manifest = found.pair()
            if not program:
                continue
            size = megabytes(found.size)
            message = f"with /{program} comes what it was built from: /{manifest} ({found.count:,} files, {size})"
            hint = f"name what the image needs: COPY --from=… /{program} /{program}"
            yield self.found(image, line, message, hint)


RULES = (RemovalHidesBytes(), FilesStoredTwice())
SIDES = (BuilderDirectory(),)
