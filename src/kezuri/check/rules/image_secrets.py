"""Secrets that an image gives away: in files of any layer, deleted ones too, in its config and in its history."""

from collections.abc import Iterator

from kezuri.check.image.rule import ImageExample, ImageRule, ImageSide, Made
from kezuri.check.image.secret import passwords_in_urls, secrets
from kezuri.check.image.secret_files import Secrets
from kezuri.check.image.subject import Image
from kezuri.check.rule import Finding

_HINT = "take it back where it was given out; then give it to the step with RUN --mount=type=secret"
_KEY = b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 3
_TOKEN = "npm_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cF6hJk"


class SecretInLayer(ImageRule):
    """Reads the small files of every layer."""

    name = "SecretInLayer"
    aliases = ("CIS-DI-0010",)
    severity = "error"
    summary = "No layer should hold a secret, not even one that a later layer deletes"
    why = (
        "Whoever can pull the image can read every one of its layers: `rm` in a later RUN hides a file, and does not "
        "remove it. What is looked for: private keys by their header, tokens of well-known forms, `.npmrc` with a "
        "token, `.git-credentials`, `.netrc`, `.pypirc`, the credentials of AWS, Google Cloud, Docker and Kubernetes, "
        "and `.env` files with the value of a password or a key in them. Files of packages, tests and examples are "
        "left out. A secret that was pushed is known: it has to be replaced where it was given out. `RUN "
        "--mount=type=secret` gives a step what it needs and leaves nothing; `.dockerignore` keeps files out of the "
        "context."
    )
    japanese = (
        "どのレイヤーにも秘密情報を含めるべきではありません。後のレイヤーで削除されたものも同じです",
        "イメージを pull できる人は、すべてのレイヤーを読めます。後の RUN の `rm` はファイルを隠すだけで、消しません。"
        "調べるのは、ヘッダーでわかる秘密鍵、よく知られた形式のトークン、トークン入りの `.npmrc`、`.git-credentials`、"
        "`.netrc`、`.pypirc`、AWS・Google Cloud・Docker・Kubernetes の認証情報、パスワードや鍵の値がある `.env` です。"
        "パッケージ、テスト、例のファイルは除きます。push した秘密情報は知られたものとして、発行元で取り替える必要があ"
        "ります。`RUN --mount=type=secret` は必要なものをステップに渡して何も残さず、`.dockerignore` はファイルをコン"
        "テキストに入れません。",
    )
    needs = (Secrets,)
    linux = False
    bad = ImageExample(
        "FROM node\nCOPY deploy.key /root/\nRUN ./deploy && rm /root/deploy.key\n",
        {"root/deploy.key": Made(_KEY, 0o600)},
        {"root/deploy.key": Made(kind="whiteout")},
    )
    good = ImageExample(
        "FROM node\nRUN --mount=type=secret,id=key ./deploy\n", {"root/deploy.pub": Made(b"ssh-ed25519 AAAA me")}
    )

    def look(self, image: Image) -> Iterator[Finding]:
        for found in sorted(image.gathered(Secrets).found):
            message = f"/{found.path} holds {found.what}"
            if found.hidden >= 0:
                message = f"/{found.path} holds {found.what}, which `{image.maker(found.hidden)}` only hides"
            yield self.found(image, image.line(found.layer), message, _HINT)


class SecretInConfig(ImageRule):
    """Reads the image's environment, commands, labels and history."""

    name = "SecretInConfig"
    severity = "error"
    summary = "The config and the history of an image should not hold a secret"
    why = (
        "`docker history` and `docker inspect` show them to everybody who has the image, with the value of every ARG "
        "that a RUN used. What is looked for are private keys, tokens of well-known forms, and passwords in addresses "
        "(`https://user:password@host`). What is found is not shown again."
    )
    japanese = (
        "イメージの設定と履歴に秘密情報を含めるべきではありません",
        "`docker history` と `docker inspect` は、イメージを持つすべての人に、RUN が使った ARG の値も含めて見せます。"
        "調べるのは秘密鍵、よく知られた形式のトークン、アドレスの中のパスワード（`https://user:password@host`）です。"
        "見つけた値は表示しません。",
    )
    quick = True
    linux = False
    bad = ImageExample(
        "FROM node\nARG NPM_TOKEN\nRUN npm config set //registry.npmjs.org/:_authToken $NPM_TOKEN\n",
        history=[{"created_by": f"RUN |1 NPM_TOKEN={_TOKEN} /bin/sh -c npm ci # buildkit", "empty_layer": True}],
    )
    good = ImageExample(
        "FROM node\nRUN --mount=type=secret,id=npmrc npm ci\n", Env=["PATH=/usr/bin", "DATABASE_URL=postgres://db/app"]
    )

    def look(self, image: Image) -> Iterator[Finding]:
        told: set[bytes] = set()
        for line in image.history.lines:
            raw = line.whole.encode("utf-8", "surrogateescape")
            kinds = dict.fromkeys(secret.what for secret in (*secrets(raw), *passwords_in_urls(raw)))
            told.update(raw[s.start : s.end] for s in (*secrets(raw), *passwords_in_urls(raw)))
            for what in kinds:
                # The line of the Dockerfile shows it to its owner anyway; that of the history is blotted.
                yield self.found(image, line._replace(node=None), f"the history of the image holds {what}", _HINT)
        config = image.config
        said = [(f"ENV {name}", value) for name, value in image.environment.items()]
        said += [(f"LABEL {name}", value) for name, value in config.labels.items()]
        said += [("CMD", " ".join(config.cmd or ())), ("ENTRYPOINT", " ".join(config.entrypoint or ()))]
        for where, value in said:
            raw = value.encode("utf-8", "surrogateescape")
            found = next(
                (s for s in (*secrets(raw), *passwords_in_urls(raw)) if raw[s.start : s.end] not in told), None
            )
            if found is not None:
                last = image.history.last(where.partition(" ")[0])
                shown = last._replace(node=None) if last is not None else None
                yield self.found(image, shown, f"{where} holds {found.what}", _HINT)


RULES = (SecretInLayer(), SecretInConfig())
SIDES: tuple[ImageSide, ...] = ()
