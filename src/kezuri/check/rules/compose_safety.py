"""Compose files: secrets, ports and rights."""

import re
from collections.abc import Iterator

from kezuri.check.compose import Compose, Service, variables
from kezuri.check.document import DocumentRule, DocumentSubject
from kezuri.check.rule import Edit, Example, Finding, Fix, Level
from kezuri.check.sensitive import hidden, known_secret, secret_name
from kezuri.diagnostics import KezuriError, Span
from kezuri.documents.value import Scalar, walk
from kezuri.oci.reference import Reference

_DATABASES = {
    "postgres": "5432", "postgis": "5432", "timescaledb": "5432", "pgvector": "5432", "mysql": "3306",
    "mariadb": "3306", "percona": "3306", "mongo": "27017", "redis": "6379", "valkey": "6379", "memcached": "11211",
    "elasticsearch": "9200", "opensearch": "9200", "cassandra": "9042", "clickhouse-server": "9000", "etcd": "2379",
    "couchdb": "5984", "neo4j": "7687", "rabbitmq": "5672",
}  # fmt: skip
_EMPTY = re.compile(
    r"change.?me|replace|example|^x+$|^\*+$|^<.*>$|your|placeholder|todo|dummy|^\s*$|^none$|^null$|^value$",
    re.IGNORECASE,
)
_TRIES = re.compile(r"pass|root|admin|secret|test|dev|local|demo|guest|user|postgres|mysql|1234|qwerty|minio|app", re.I)
_MACHINES = ("dind", "cadvisor", "k3s", "kind", "buildkit", "binfmt", "systemd", "netdata", "home-assistant", "falco")


class PasswordInComposeFile(DocumentRule):
    """A password that is in the repository."""

    name = "PasswordInComposeFile"
    summary = "Passwords should not stand in a Compose file"
    why = (
        "What stands in the file is in the repository and in `docker inspect`. `${DB_PASSWORD:?}` takes it from the "
        "environment or an `.env` file that is not committed, and says so where it is missing; `secrets:` gives it as "
        "a file (`POSTGRES_PASSWORD_FILE`). A token whose form says whose it is, and any password in a file for "
        "production, is a warning; one like `postgres` in another file is for development, and told only."
    )
    japanese = (
        "パスワードを Compose ファイルに書かない",
        "ファイルに書いたものはリポジトリと `docker inspect` に残ります。`${DB_PASSWORD:?}` "
        "なら環境変数かコミットしない `.env` から取り、なければ知らせてくれます。`secrets:` "
        "はファイルとして渡します（`POSTGRES_PASSWORD_FILE`）。形から持ち主の分かるトークンと、"
        "本番用ファイルのパスワードは警告します。それ以外のファイルの `postgres` のようなものは開発用なので、"
        "情報として知らせるだけです。",
    )
    kinds = ("compose",)
    bad = Example(
        "services:\n  db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: kW8rPz1qLm\n",
        name="compose.prod.yml",
    )
    good = Example(bad.text.replace("kW8rPz1qLm", "${DB_PASSWORD:?}"), name="compose.prod.yml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        if document.value is not None:
            for value in walk(document.value):
                token = known_secret(value.text) if isinstance(value, Scalar) else None
                if token is not None and "EXAMPLE" not in token:
                    message = f"a token stands here in plain text: {hidden(token)}"
                    yield self.found(document, value.span, message, "revoke it, and take the new one from outside")
        for service in compose.services:
            for variable in service.environment:
                given = variable.value
                if given is None or not secret_name(variable.name) or "$" in given or known_secret(given):
                    continue
                if _EMPTY.search(given) or len(given) < 3 or given.lower() in ("true", "false", "yes", "no"):
                    continue
                if given.startswith(("/run/secrets", "/", "http://", "https://", "file:")) or given.isdigit():
                    continue
                serious = compose.production
                message = f"{variable.name} of {service.name} stands here in plain text"
                hint = f"take it from outside: {variable.name}: ${{{variable.name}:?}}"
                level: Level = "warning" if serious else "info" if not _TRIES.search(given) else "style"
                yield self.found(document, variable.span, message, hint, level=level)


class SecretInComposeBuildArgs(DocumentRule):
    """A secret that stays in the image that Compose builds."""

    name = "SecretInComposeBuildArgs"
    summary = "A secret should not be given to a service's build as an argument"
    why = (
        "Build arguments stand in the history of the image, for everyone who can pull it. `build.secrets` with a "
        "secret of the file (`environment: NPM_TOKEN`), and `RUN --mount=type=secret,id=…`, keep it out."
    )
    japanese = (
        "サービスのビルドにシークレットを引数で渡さない",
        "ビルド引数はイメージの履歴に残り、pull できる人なら誰でも読めます。`build.secrets` とファイルの "
        "secret（`environment: NPM_TOKEN`）、`RUN --mount=type=secret,id=…` なら残りません。",
    )
    kinds = ("compose",)
    bad = Example(
        "services:\n  app:\n    build:\n      context: .\n      args:\n        NPM_TOKEN: ${NPM_TOKEN}\n",
        name="compose.yaml",
    )
    good = Example(
        "services:\n  app:\n    build:\n      context: .\n      secrets: [npm_token]\n"
        "secrets:\n  npm_token:\n    environment: NPM_TOKEN\n",
        name="compose.yaml",
    )

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        public = ("NEXT_PUBLIC_", "VITE_", "REACT_APP_", "NUXT_PUBLIC_", "PUBLIC_", "EXPO_PUBLIC_", "VUE_APP_")
        for service in document.facts(Compose).services:
            for variable in variables(service.value.get("build", "args")):
                given = variable.value
                if not secret_name(variable.name) or variable.name.startswith(public):
                    continue
                if given is not None and (_EMPTY.search(given) or given.startswith("/")):
                    continue
                message = f"{variable.name} stays in the history of the image: it is given as a build argument"
                hint = f"give it as a secret, and use it by RUN --mount=type=secret,id={variable.name.lower()}"
                yield self.found(document, variable.span, message, hint)


class DatabasePublished(DocumentRule):
    """A database that everybody in the network can ask."""

    name = "DatabasePublished"
    summary = "The port of a database should be published on this machine only"
    why = (
        "`5432:5432` listens on every address of the machine, and Docker's rules come before those of ufw and "
        "firewalld: the database can be reached from wherever the machine can. The other services need no published "
        "port at all; for a client on the machine `127.0.0.1:5432:5432` does. In a file for production it is a warning."
    )
    japanese = (
        "データベースのポートはこのマシンだけに公開する",
        "`5432:5432` はマシンのすべてのアドレスで待ち受け、Docker の規則は ufw や firewalld より先に効きます。"
        "つまりマシンに届く場所ならどこからでもデータベースに届きます。他のサービスにはポートの公開自体が不要で、"
        "マシン上のクライアントには `127.0.0.1:5432:5432` で足ります。本番用のファイルでは警告にします。",
    )
    severity = "info"
    kinds = ("compose",)
    fix_class = "V"
    bad = Example('services:\n  db:\n    image: postgres:16\n    ports:\n      - "5432:5432"\n', name="compose.yaml")
    good = Example(bad.text.replace("5432:5432", "127.0.0.1:5432:5432"), name="compose.yaml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        compose = document.facts(Compose)
        for service in compose.services:
            usual = _DATABASES.get(_repository(service))
            for port in service.ports if usual is not None else ():
                if port.inside != usual or port.ip not in ("", "0.0.0.0", "[::]"):
                    continue
                fix = None
                scalar = port.scalar
                if (
                    scalar is not None
                    and not port.ip
                    and port.host
                    and "$" not in scalar.text
                    and compose.swarm is False
                ):
                    start = scalar.span.start + (scalar.style in ("single", "double"))
                    edit = Edit(Span(start, start), "127.0.0.1:", document.source)
                    paths = frozenset((f"services.{service.name}.ports",))
                    fix = Fix("publish it on this machine only", (edit,), "V", paths)
                message = f"{service.name} can be asked from every network that this machine is in"
                level: Level = "warning" if compose.production else "info"
                yield self.found(document, port.span, message, f"write 127.0.0.1:{port.host}:{port.inside}", fix, level)


class PrivilegedService(DocumentRule):
    """A service that is root on the machine."""

    name = "PrivilegedService"
    summary = "A service should not be privileged"
    why = (
        "`privileged: true` gives a container every capability and every device: who gets into it has the machine. "
        "Mostly one device (`devices:`) or one capability (`cap_add:`) is what is needed. Some programs do need it "
        "(Docker in Docker, cAdvisor, systemd), which is why this is no warning; those that are known for it are not "
        "reported."
    )
    japanese = (
        "サービスを privileged にしない",
        "`privileged: true` はコンテナにすべてのケーパビリティとデバイスを与え、侵入されればマシンごと奪われます。"
        "たいてい必要なのは一つのデバイス（`devices:`）か一つのケーパビリティ（`cap_add:`）です。"
        "本当に必要なプログラム（Docker in Docker、cAdvisor、systemd など）もあるので警告にはせず、"
        "知られているものは報告しません。",
    )
    severity = "info"
    kinds = ("compose",)
    bad = Example("services:\n  app:\n    image: app:1\n    privileged: true\n", name="compose.yaml")
    good = Example("services:\n  app:\n    image: app:1\n    cap_add: [NET_ADMIN]\n", name="compose.yaml")

    def look_at(self, document: DocumentSubject) -> Iterator[Finding]:
        for service in document.facts(Compose).services:
            entry = service.here("privileged")
            if entry is None or not isinstance(entry.value, Scalar) or entry.value.truth is not True:
                continue
            if not any(word in (service.image or "") for word in _MACHINES):
                message = f"{service.name} has every right on the machine"
                yield self.found(document, entry.span, message, "name the devices or the capabilities that it needs")


def _repository(service: Service) -> str:
    """The last part of its image's name."""
    try:
        return Reference.parse(service.image or "").path.rpartition("/")[2]
    except KezuriError:
        return ""


RULES = (PasswordInComposeFile(), SecretInComposeBuildArgs(), DatabasePublished(), PrivilegedService())
