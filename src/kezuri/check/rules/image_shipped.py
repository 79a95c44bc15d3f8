"""What was needed to build and test, and is in the image all the same."""

import re
from collections.abc import Iterator

from kezuri.check.image.packages import (
    NODE_TOOLS,
    PYTHON_TOOLS,
    Installed,
    builds,
)
from kezuri.check.image.rule import ImageExample, ImageRule, ImageSide, Made
from kezuri.check.image.shipped import HEAVY, Shipped
from kezuri.check.image.subject import Image, megabytes
from kezuri.check.image.texts import Texts
from kezuri.check.rule import Finding, Level
from kezuri.packages.apk import installed as of_apk
from kezuri.packages.dpkg import status as of_dpkg
from kezuri.packages.npm import development, development_of

_LOCK = b'{"packages": {"node_modules/typescript": {"version": "5.4.5", "dev": true}, "node_modules/express": {}}}'
_GLOBAL = re.compile(r"(?:^|/)usr/(?:local/)?lib/node_modules/|(?:^|/)lib/node_modules/npm/")


class DevelopmentDependencies(ImageSide):
    """Reads npm's record of a node_modules (`node_modules/.package-lock.json` says what was installed for development),
    package.json where there is none, and the names of distributions in site-packages."""

    of = "production.DevelopmentDependenciesShipped"
    needs = (Texts, Installed)
    bad = ImageExample(
        "FROM node AS builder\nRUN npm ci\nFROM node\nCOPY --from=builder /app/node_modules /app/node_modules\n",
        {
            "app/node_modules/.package-lock.json": Made(_LOCK),
            "app/node_modules/typescript/lib/tsc.js": Made(b"x", size=9_000_000),
            "app/node_modules/express/index.js": Made(b"x"),
        },
    )
    good = ImageExample(
        (
            "FROM node AS builder\nRUN npm ci --omit=dev\nFROM node\nCOPY --from=builder /app/node_modules "
            "/app/node_modules\n"
        ),
        {
            "app/node_modules/.package-lock.json": Made(b'{"packages": {"node_modules/express": {}}}'),
            "app/node_modules/express/index.js": Made(b"x"),
        },
    )

    def look(self, image: Image) -> Iterator[Finding]:
        texts, installed = image.gathered(Texts), image.gathered(Installed)
        recorded: set[str] = set()
        for path in texts.called(".package-lock.json"):
            named = development(texts(image, path))
            if named is None or _GLOBAL.search(path):
                continue
            root = path.removesuffix("node_modules/.package-lock.json")
            recorded.add(root)
            yield from self._of_node(image, installed, root, [root + each for each in named])
        for path in texts.called("package.json"):
            root = path.removesuffix("package.json")
            if root in recorded or _GLOBAL.search(path):
                continue
            named = [f"{root}node_modules/{each}" for each in development_of(texts(image, path))]
            there = [each for each in named if each in installed.node]
            # A package can be there because another one wants it: what only developers use tells that they all are.
            if len(there) * 2 > len(named) and any(each.partition("node_modules/")[2] in NODE_TOOLS for each in there):
                yield from self._of_node(image, installed, root, there)
        tools = sorted(PYTHON_TOOLS & installed.python.keys())
        if tools:
            layer = installed.python[tools[0]]
            message = f"tools of development are installed: {_some(tools)}"
            hint = "leave that group out: uv sync --no-dev, poetry install --only main, a requirements file of its own"
            level = _level(image, layer)
            yield self.found(image, image.line(layer), message, hint, level)

    def _of_node(self, image: Image, installed: Installed, root: str, named: list[str]) -> Iterator[Finding]:
        there = [path for path in named if path in installed.node]
        if not there:
            return
        size = sum(installed.node[path].size for path in there)
        known = [path.removeprefix(f"{root}node_modules/") for path in there]
        first = sorted(known, key=lambda name: (name not in NODE_TOOLS, "node_modules/" in name, name))
        count = "1 package" if len(there) == 1 else f"{len(there)} packages"
        message = f"{count} of development in /{root}node_modules, {megabytes(size)}: {_some(first)}"
        hint = "install with npm ci --omit=dev for the final stage, or npm prune --omit=dev after the build"
        layer = installed.layers[there[0]]
        yield self.found(image, image.line(layer), message, hint, _level(image, layer))


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


class BuildTools(ImageSide):
    """Reads the databases of dpkg and apk, and looks for toolchains that no package manager knows."""

    of = "build_tools.BuildToolsShipped"
    needs = (Texts, Installed)
    bad = ImageExample(
        "FROM debian\nRUN apt-get update && apt-get install -y gcc\n",
        {"var/lib/dpkg/status": Made(b"Package: gcc\nStatus: install ok installed\nInstalled-Size: 51\n\n")},
    )
    good = ImageExample(
        "FROM debian\nRUN apt-get update && apt-get install -y curl\n",
        {"var/lib/dpkg/status": Made(b"Package: curl\nStatus: install ok installed\nInstalled-Size: 500\n\n")},
    )

    def look(self, image: Image) -> Iterator[Finding]:
        texts, installed = image.gathered(Texts), image.gathered(Installed)
        for path, read in (
            ("var/lib/dpkg/status", of_dpkg),
            ("lib/apk/db/installed", of_apk),
            ("usr/lib/apk/db/installed", of_apk),
        ):
            packages = [each for each in read(texts(image, path)) if builds(each.name) or _headers(each.name)]
            tools = sorted((each.name for each in packages if builds(each.name)), key=_known_first)
            if not tools or image.resolve(path) != path:
                continue
            size = sum(each.size for each in packages)
            headers = len(packages) - len(tools)
            message = f"tools of builds are installed, {megabytes(size)}: {_some(tools)}"
            if headers > 1:
                named = _some(tools)
                message = f"tools of builds and {headers} packages of headers are installed, {megabytes(size)}: {named}"
            layer = self._layer(image, path, tools)
            level = _level(image, layer)
            yield self.found(image, image.line(layer), message, _BUILD_HINT, level)
        for tool, layer in sorted(installed.tools.items()):
            if tool not in ("gcc", "make"):
                message = f"the toolchain of {tool} is in the image"
                level = _level(image, layer)
                yield self.found(image, image.line(layer), message, _BUILD_HINT, level)

    def _layer(self, image: Image, path: str, tools: list[str]) -> int:
        """The lowest layer whose database has the tools, which is the one that brought them."""
        read = of_dpkg if "dpkg" in path else of_apk
        for layer, data in sorted(image.gathered(Texts).databases(path).items()):
            if any(each.name == tools[0] for each in read(data)):
                return layer
        return image.layer_of(path)


def _known_first(name: str) -> tuple[bool, str]:
    return name not in ("gcc", "g++", "make", "clang", "build-base", "build-essential"), name


def _level(image: Image, layer: int) -> Level | None:
    """What belongs to development is a note in an image that is not plainly there to run."""
    return None if image.for_running(layer) else "info"


def _headers(name: str) -> bool:
    return name.endswith("-dev") and not name.startswith("usr-is-merged")


_HEAVY_CACHE = 50_000_000
_BUILD_HINT = (
    "build in a stage of its own and copy the result, or take a base without tools (-slim, -alpine, distroless)"
)


class StrayFilesShipped(ImageRule):
    """Looks for files of a working copy."""

    name = "StrayFilesShipped"
    aliases = ("DKL-LI-0003",)
    summary = "What belongs to the working copy should not come into the image"
    why = (
        "`COPY . .` brings whatever `.dockerignore` does not keep out: the history of the source in `.git`, `.env` "
        "with passwords, caches of tools, settings of the editor. They make the image larger, change it without need, "
        "and tell more than they should. `.git` and `.env` are warnings, the others notes. Files of packages and of "
        "version managers are left out."
    )
    japanese = (
        "作業コピーのファイルをイメージに入れるべきではありません",
        "`COPY . .` は `.dockerignore` が除かないものをすべて持ち込みます。`.git` のソース履歴、パスワードのある "
        "`.env`、ツールのキャッシュ、エディターの設定などです。イメージを大きくし、不必要に変化させ、余計なことを明か"
        "します。`.git` と `.env` は警告、ほかは注意です。パッケージやバージョンマネージャーのファイルは除きます。",
    )
    needs = (Shipped,)
    bad = ImageExample(
        "FROM node\nWORKDIR /app\nCOPY . .\n",
        {
            "app/.git": Made(kind="dir", mode=0o755),
            "app/.git/HEAD": Made(b"ref: refs/heads/main\n"),
            "app/index.js": Made(b"x"),
        },
    )
    good = ImageExample("FROM node\nWORKDIR /app\nCOPY index.js .\n", {"app/index.js": Made(b"x")})

    def look(self, image: Image) -> Iterator[Finding]:
        shipped = image.gathered(Shipped)
        groups: dict[tuple[int, Level], list[str]] = {}
        for layer, path in sorted(shipped.stray):
            line = image.line(layer)
            copied = line is None or line.keyword in ("COPY", "ADD")
            name = path.rpartition("/")[2]
            if image.of_base(layer) or (name == "__pycache__" and not copied):
                continue
            level: Level = "warning" if name in HEAVY and copied else "info"
            groups.setdefault((layer, level), []).append(path)
        for (layer, level), found in sorted(groups.items()):
            size = sum(shipped.sizes.get(path, 0) for path in found)
            shown = ", ".join(f"/{path}" for path in found[:3])
            if len(found) > 3:
                shown = f"{shown} and {len(found) - 3} more"
            message = f"files of the working copy are in the image: {shown}"
            if size >= 10_000:
                message = f"files of the working copy are in the image, {megabytes(size)}: {shown}"
            hint = "name them in .dockerignore, or copy what the image needs and no more"
            yield self.found(image, image.line(layer), message, hint, level)


class PackageCacheShipped(ImageRule):
    """Adds up what package managers keep for the next time."""

    name = "PackageCacheShipped"
    summary = "The caches of package managers should not stay in the image"
    why = (
        "An image installs nothing any more: lists and archives in it are only carried about. A cache mount "
        "(`RUN --mount=type=cache`) keeps them between builds and out of the image; else remove them in the RUN that "
        "makes them. Less than 50 MB is a note; less than 50 kB is left out."
    )
    japanese = (
        "パッケージマネージャーのキャッシュをイメージに残すべきではありません",
        "イメージはもう何もインストールしないため、リストやアーカイブは運ばれるだけです。キャッシュマウント（`RUN "
        "--mount=type=cache`）はビルドの間で保ち、イメージには入れません。そうでなければ作った RUN の中で削除します。"
        "50 MB 未満は注意で、50 kB 未満は除きます。",
    )
    needs = (Shipped,)
    bad = ImageExample(
        "FROM node\nRUN npm ci\n", {"root/.npm/_cacache/index": Made(b"x", size=60_000_000)}, Cmd=["node", "x"]
    )
    good = ImageExample("FROM node\nRUN --mount=type=cache,target=/root/.npm npm ci\n", {"app/index.js": Made(b"x")})

    def look(self, image: Image) -> Iterator[Finding]:
        for (layer, what), heap in sorted(image.gathered(Shipped).caches.items()):
            if heap.size < 50_000 or image.of_base(layer):
                continue
            message = f"{what} is in the image, {megabytes(heap.size)}: {heap}"
            hint = "use a cache mount, or remove it in the RUN that makes it"
            level: Level | None = _level(image, layer) if heap.size >= _HEAVY_CACHE else "info"
            yield self.found(image, image.line(layer), message, hint, level)


RULES = (StrayFilesShipped(), PackageCacheShipped())
SIDES = (DevelopmentDependencies(), BuildTools())
