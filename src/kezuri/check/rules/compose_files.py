"""Compose files: what is out of date in them, and what of a checkout they hide."""

from collections.abc import Iterator

from kezuri.check.compose import Compose, Mount, Service, joined
from kezuri.check.document import DocumentRule, DocumentSubject, fix_of
from kezuri.check.rule import Example, Finding
from kezuri.documents.edits import remove_entry
from kezuri.documents.value import Scalar, strings

_INSTALLS = {
    "node_modules": ("npm ci", "npm install", "npm i", "yarn install", "yarn", "pnpm install", "pnpm i", "bun install"),
    ".venv": ("uv sync", "poetry install", "pdm install"),
    "vendor": ("composer install",),
}
"""Directories that an install makes in the directory that it runs in, with the commands that do so."""

_DOCKERFILE = (
    "FROM node:22\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\nCOPY . .\n"
    'CMD ["node", "server.js"]\n'
)


class ObsoleteComposeVersion(DocumentRule):
    """A key that nobody reads any more."""

    name = "ObsoleteComposeVersion"
    summary = "The key version of a Compose file is obsolete"
    why = (
        "Compose has not looked at `version` since 2020: it knows one format, and warns in every call (`the attribute "
        "version is obsolete`), which is why this is a warning too. Only `docker-compose`, the Python program that "
        "ended in 2023, and `docker stack deploy` still read it: that one wants `3.…`, and a file with keys of a swarm "
        "is not reported."
    )
    japanese = (
        "Compose ファイルの version キーは廃止されている",
        "Compose は 2020 年以降 `version` を見ていません。形式は一つだけで、実行のたびに警告します（`the attribute "
        "version is obsolete`）。ここでも警告にしているのはそのためです。まだ読むのは 2023 年に終了した Python 製の "
        "`docker-compose` と `docker stack deploy` だけで、後者は `3.…` を求めるため、swarm "
        "のキーがあるファイルは報告しません。",
    )
    kinds = ("compose",)
    fix_class = "A"
    bad = Example("version: '3.8'\n\nservices:\n  app:\n    image: app:1\n", name="compose.yaml")
    good = Example("services:\n  app:\n    image: app:1\n", name="compose.yaml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        entry = compose.root.own("version")
        if entry is None or compose.swarm or not isinstance(entry.value, Scalar):
            return
        edit = remove_entry(document.source, compose.root, entry)
        fix = fix_of(document, "remove it", (edit,), "A", ("version",))
        message = "`version` is obsolete: Compose ignores it, and warns"
        yield self.found(document, entry.span, message, "remove it", fix)


class SourceMountHidesInstall(DocumentRule):
    """A checkout mounted over what the image installed."""

    name = "SourceMountHidesInstall"
    summary = "A mount of the sources should leave what the image installed in sight"
    why = (
        "`.:/app` puts the checkout over the directory in which the image's `npm ci` made `node_modules`: in a fresh "
        "clone there is none, and the program does not find its modules; where there is one, it was made for another "
        "system. A volume of its own (`/app/node_modules`) brings the image's back. The same holds for `.venv` and "
        "`vendor`. `develop.watch` copies changed files instead of mounting them, and hides nothing."
    )
    japanese = (
        "ソースのマウントで、イメージがインストールしたものを隠さない",
        "`.:/app` は、イメージの `npm ci` が `node_modules` を作ったディレクトリの上にチェックアウトを重ねます。"
        "クローンした直後には `node_modules` がなく、プログラムはモジュールを見つけられません。あっても別の OS "
        "向けです。専用のボリューム（`/app/node_modules`）を置けばイメージのものが見えます。`.venv` や `vendor` "
        "も同じです。`develop.watch` は変更されたファイルをマウントせずにコピーするので、何も隠しません。",
    )
    severity = "info"
    kinds = ("compose",)
    bad = Example(
        "services:\n  app:\n    build: .\n    volumes:\n      - .:/app\n",
        files={"Dockerfile": _DOCKERFILE},
        name="compose.yaml",
    )
    good = Example(
        "services:\n  app:\n    build: .\n    volumes:\n      - .:/app\n      - modules:/app/node_modules\n"
        "volumes:\n  modules:\n",
        files={"Dockerfile": _DOCKERFILE},
        name="compose.yaml",
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for service in document.facts(Compose).services:
            mounts = tuple(service.mounts)
            for mount in mounts:
                if not _of_sources(mount):
                    continue
                for made, command in _installed(service, mount.target):
                    covered = any(_below(other.target, f"{mount.target.rstrip('/')}/{made}") for other in mounts)
                    if covered or _starts_with_install(service, made):
                        continue
                    message = f"{mount.source}:{mount.target} hides the {made} that `{command}` made in the image"
                    hint = f"give it a volume of its own: {mount.target.rstrip('/')}/{made}"
                    yield self.found(document, mount.span, message, hint)


class StaleAnonymousVolume(DocumentRule):
    """Modules that stay as they were on the first day."""

    name = "StaleAnonymousVolume"
    summary = "An anonymous volume below mounted sources keeps what the first image had"
    why = (
        "`.:/app` hides what the image has in /app, and `/app/node_modules` brings that directory back: as a volume, "
        "which is filled once. Compose hands it on to each new container of the service: after a change of "
        "package.json and a build the old modules are still there. `docker compose up -V` makes it anew; "
        "`develop.watch` with `action: rebuild` needs neither mount."
    )
    japanese = (
        "ソースのマウントの下の匿名ボリュームは、最初のイメージの中身のまま残る",
        "`.:/app` はイメージの /app にあるものを隠し、`/app/node_modules` はそのディレクトリを見えるように戻します。"
        "ただしボリュームなので、中身が入るのは一度だけです。Compose はそれを次のコンテナへ引き継ぐため、package.json "
        "を変えてビルドし直しても古いモジュールが残ります。`docker compose up -V` で作り直すか、`develop.watch` の "
        "`action: rebuild` を使えばどちらのマウントも要りません。",
    )
    severity = "info"
    kinds = ("compose",)
    bad = Example(
        "services:\n  app:\n    build: .\n    volumes:\n      - .:/app\n      - /app/node_modules\n",
        name="compose.yaml",
    )
    good = Example(
        "services:\n  app:\n    build: .\n    develop:\n      watch:\n        - action: sync\n          path: ./src\n"
        "          target: /app/src\n        - action: rebuild\n          path: package.json\n",
        name="compose.yaml",
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for service in document.facts(Compose).services:
            mounts = tuple(service.mounts)
            for mount in mounts:
                if mount.source or not mount.target.startswith("/"):
                    continue
                over = next((o for o in mounts if _of_sources(o) and _below(mount.target, o.target)), None)
                made = mount.target.rpartition("/")[2]
                if over is not None and made in _INSTALLS and not _installs_itself(service):
                    message = (
                        f"{over.source}:{over.target} hides what the image built, and {mount.target} stays as it was "
                        "at first"
                    )
                    hint = "renew it with docker compose up -V, or use develop.watch instead of both mounts"
                    yield self.found(document, mount.span, message, hint)


def _of_sources(mount: Mount) -> bool:
    """Whether a checkout, or a directory of it, is mounted."""
    source = mount.source.replace("${PWD}", ".").replace("$PWD", ".")
    return mount.target.startswith("/") and (source == "." or source.startswith("./"))


def _below(path: str, directory: str) -> bool:
    path, directory = path.rstrip("/"), directory.rstrip("/")
    return path == directory or path.startswith(f"{directory}/")


def _installed(service: Service, target: str) -> Iterator[tuple[str, str]]:
    """What installs of the service's Dockerfile make in a directory, with the command."""
    made = service.built_from
    if made is None:
        return
    from kezuri.check.shell_text import shell_texts

    for directory, run in made.runs:
        if directory != target.rstrip("/"):
            continue
        for text in shell_texts(run, "\\"):
            for command in text.script.commands:
                said = " ".join(word.loose for word in command.words)
                for name, forms in _INSTALLS.items():
                    fits = any(said == form or (" " in form and said.startswith(f"{form} ")) for form in forms)
                    if fits and not command.has("--global", "-g", "--prefix"):
                        yield name, said if len(said) < 40 else f"{said[:39]}…"


def _installs_itself(service: Service) -> bool:
    """Whether what the service starts installs by itself, or may: a script does who knows what."""
    for key in ("command", "entrypoint"):
        said = " ".join(scalar.text for scalar in strings(service.get(key)))
        if "install" in said or "npm ci" in said or "sync" in said or ".sh" in said or "make" in said.split():
            return True
    return False


def _starts_with_install(service: Service, made: str) -> bool:
    """Whether the service installs by itself, or the checkout has what the mount hides."""
    if _installs_itself(service):
        return True
    around = service.compose.document.surroundings
    build = service.get("build")
    context = build.text if isinstance(build, Scalar) else (service.text("build", "context") or ".")
    path = joined(context, made)
    return around is not None and path is not None and around.exists(path)


RULES = (ObsoleteComposeVersion(), SourceMountHidesInstall(), StaleAnonymousVolume())
